/* Admission of streams, and of calls whose key takes its time. */
#include "bed.h"

static const struct outcome no_outcome;

static void open_stream(int row, struct caller *who, struct outcome *o)
{
    struct hearth_call_options options = {0};
    *o = no_outcome;
    if (who != NULL)
        options.signer = caller_signer(who);
    world_open(&bed.w, row, &options, o);
}

static void the_first_message_is_admitted(void **state)
{
    (void)state;
    struct outcome o;
    open_stream(WORLD_BIDI, &bed.callers[0], &o);
    for (int i = 0; i < 5; i++)
        assert_true(outcome_write(&o, 10) >= 0);
    world_settle(&bed.w);
    assert_int_equal(bed.handled, 5);
    assert_true(bed.seen.verified);
    assert_int_equal(bed.lookups, 1);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(bed.handled, 6); /* and the end of it */
}

static void no_wrong_stream_reaches_its_handler(void **state)
{
    (void)state;
    struct outcome o;
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 1000));
    for (int row = WORLD_CLIENT_STREAM; row < WORLD_ROWS; row++) {
        for (int i = 0; i < 2; i++) {
            open_stream(row, i == 0 ? NULL : &bed.callers[2], &o);
            (void)outcome_write(&o, 10);
            if (row == WORLD_SERVER_STREAM) /* has one message, and that it is the only one */
                hearth_client_call_half_close(o.call);
            assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_UNAUTHENTICATED);
        }
    }
    assert_int_equal(bed.handled, 0);
}

/* A stream that says nothing went past admission to its handler before interceptors heard of it. */
static void nor_one_without_a_message(void **state)
{
    (void)state;
    struct outcome o;
    open_stream(WORLD_CLIENT_STREAM, NULL, &o);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 0);
    bed.w.rows[WORLD_CLIENT_STREAM].callers = 1 << 1;
    open_stream(WORLD_CLIENT_STREAM, NULL, &o);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(bed.handled, 1);
    assert_int_equal(bed.seen.kind, 0);
}

static void control_of_the_same(void **state)
{
    (void)state;
    struct outcome o;
    open_stream(WORLD_CLIENT_STREAM, NULL, &o);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    open_stream(WORLD_BIDI, NULL, &o);
    (void)outcome_write(&o, 10);
    hearth_client_call_half_close(o.call);
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(bed.handled, 3);
}

/* Streams that never say who they are don't stay. */
static void DoS1_silent_streams_are_ended(void **state)
{
    (void)state;
    struct outcome o[5], talks;
    open_stream(WORLD_BIDI, &bed.callers[0], &talks);
    (void)outcome_write(&talks, 10);
    for (int i = 0; i < 5; i++) {
        open_stream(i % 2 == 0 ? WORLD_BIDI : WORLD_CLIENT_STREAM, NULL, &o[i]);
        world_run_ms(&bed.w, 1000);
    }
    hearth_client_call_cancel(o[1].call);
    (void)outcome_write(&o[3], 10); /* refused for what it is */
    world_run_ms(&bed.w, 14800);
    assert_int_equal(o[0].done, 0);
    assert_int_equal(o[1].code, HEARTH_CANCELLED);
    assert_int_equal(o[3].code, HEARTH_UNAUTHENTICATED);
    world_run_ms(&bed.w, 400);
    assert_int_equal(o[0].code, HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(o[2].done, 0);
    world_run_ms(&bed.w, 5000);
    assert_int_equal(o[2].code, HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(o[4].code, HEARTH_DEADLINE_EXCEEDED);
    world_run_ms(&bed.w, 100000);
    assert_int_equal(talks.done, 0); /* silence after the first message is its right */
    hearth_client_call_cancel(talks.call);
    world_settle(&bed.w);
}

static void DoS1_control_silent_streams_stay(void **state)
{
    (void)state;
    struct outcome o;
    open_stream(WORLD_BIDI, NULL, &o);
    world_run_ms(&bed.w, 100000);
    assert_int_equal(o.done, 0);
    hearth_client_call_cancel(o.call);
    world_settle(&bed.w);
}

/* ---- keys that come later ---- */

static void give_key(void)
{
    struct front_pending *pending = bed.pending;
    assert_non_null(pending);
    bed.pending = NULL;
    front_key(pending, &sig_ed25519, caller_public_key(&bed.callers[0]));
}

static void a_call_waits_for_its_key(void **state)
{
    (void)state;
    struct answer a = {0};
    bed.defer = true;
    (void)bed_start(&bed.callers[0], &a, NULL);
    world_run_ms(&bed.w, 1000);
    assert_int_equal(bed.handled, 0);
    assert_int_equal(a.done, 0);
    give_key();
    world_settle(&bed.w);
    assert_int_equal(a.code, HEARTH_OK);
    assert_int_equal(a.done, 1);
    /* the wrong one */
    struct answer b = {0};
    (void)bed_start(&bed.callers[1], &b, NULL);
    world_settle(&bed.w);
    give_key();
    world_settle(&bed.w);
    assert_int_equal(b.code, HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 1);
}

/* A key that can't be looked up now makes nobody a stranger, and costs nobody's source; who is
 * wrong whatever its key, hears what it always hears. */
static void a_failed_look_up_is_answered_by_its_row(void **state)
{
    (void)state;
    const struct {
        struct err err;
        enum hearth_code code;
    } rows[] = {{ERR(NO_MEMORY), HEARTH_RESOURCE_EXHAUSTED},
                {ERR(STORE_QUEUE_FULL), HEARTH_RESOURCE_EXHAUSTED},
                {ERR(STORE_STOPPED), HEARTH_UNAVAILABLE}};
    bed.defer = true;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct answer a = {0};
        bool wrong = i % 2 != 0;
        bed.callers[0].faults.audience = wrong ? "other.test" : NULL;
        (void)bed_start(&bed.callers[0], &a, NULL);
        world_settle(&bed.w);
        struct front_pending *pending = bed.pending;
        assert_non_null(pending);
        bed.pending = NULL;
        front_key_failed(pending, rows[i / 2].err);
        world_settle(&bed.w);
        assert_int_equal(a.done, 1);
        assert_int_equal(a.code, wrong ? HEARTH_UNAUTHENTICATED : rows[i / 2].code);
    }
    assert_int_equal(bed.handled, 0);
}

static void streams_wait_too_and_nothing_is_lost(void **state)
{
    (void)state;
    struct outcome o;
    bed.defer = true;
    open_stream(WORLD_BIDI, &bed.callers[0], &o);
    for (int i = 0; i < 100; i++)
        (void)outcome_write(&o, 100);
    hearth_client_call_half_close(o.call);
    world_run_ms(&bed.w, 100);
    assert_int_equal(bed.handled, 0);
    give_key();
    assert_int_equal(world_wait(&bed.w, &o, 1000), HEARTH_OK);
    assert_int_equal(bed.handled, 101);
}

static void a_call_that_ends_while_its_key_is_looked_up(void **state)
{
    (void)state;
    bed.defer = true;
    for (int how = 0; how < 3; how++) {
        struct answer a = {0};
        struct hearth_call_options options = {.deadline_ms = how == 0 ? 50 : 0};
        struct hearth_client_call *call = bed_start(&bed.callers[0], &a, &options);
        world_settle(&bed.w);
        assert_non_null(bed.pending);
        if (how == 0)
            world_run_ms(&bed.w, 100);
        else if (how == 1)
            hearth_client_call_cancel(call);
        else
            pipe_cut_all(bed.w.loop);
        world_settle(&bed.w);
        assert_int_equal(a.done, 1);
        uint64_t verified = bed_metric(METRIC_VERIFICATIONS);
        give_key();
        world_settle(&bed.w);
        assert_int_equal(bed.handled, 0);
        assert_int_equal(bed_metric(METRIC_VERIFICATIONS), verified); /* nobody waits for it */
    }
    assert_int_equal(bed_metric(METRIC_CALLS), 0);
    /* no nonce was used up */
    bed.defer = false;
    bed.callers[0].faults.replay = true;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
}

/* The service that looks up closes after the server: its answer comes to nobody. */
static void the_server_goes_while_a_key_is_looked_up(void **state)
{
    (void)state;
    struct answer a = {0};
    bed.defer = true;
    (void)bed_start(&bed.callers[0], &a, NULL);
    world_settle(&bed.w);
    struct front_pending *pending = bed.pending;
    world_stop_server(&bed.w);
    world_settle(&bed.w);
    assert_int_equal(a.done, 1);
    assert_int_equal(bed_metric(METRIC_CALLS), 0);
    assert_ptr_equal(front_pending_loop(pending), bed.w.loop);
    assert_string_equal(front_pending_endpoint(pending)->path, "/t.T/Unary");
    give_key();
    assert_int_equal(bed_metric(METRIC_VERIFICATIONS), 0);
}

static void or_the_handler_was_to_verify(void **state)
{
    (void)state;
    struct answer a = {0};
    bed.defer = true;
    (void)bed_start(&bed.callers[0], &a, NULL);
    world_settle(&bed.w);
    pipe_cut_all(bed.w.loop);
    world_settle(&bed.w);
    front_key_later(bed.pending);
    assert_int_equal(bed.handled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_message_is_admitted, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(no_wrong_stream_reaches_its_handler, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(nor_one_without_a_message, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(control_of_the_same, bed_setup_control, bed_teardown),
        cmocka_unit_test_setup_teardown(DoS1_silent_streams_are_ended, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(DoS1_control_silent_streams_stay, bed_setup_control,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(a_call_waits_for_its_key, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_failed_look_up_is_answered_by_its_row, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(streams_wait_too_and_nothing_is_lost, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(a_call_that_ends_while_its_key_is_looked_up, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(the_server_goes_while_a_key_is_looked_up, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(or_the_handler_was_to_verify, bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
