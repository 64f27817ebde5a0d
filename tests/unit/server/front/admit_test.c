/* Who may call: every way of being wrong is refused, alike, before the handler; and each of them
 * gets through when the defence is off, so the refusals are its doing. */
#include "bed.h"

struct fault {
    const char *name;
    struct caller_faults faults;
    int who;
};

static const struct fault faults[] = {
    {"no auth", {.no_auth = true}, 0},
    {"wrong key", {.wrong_key = true}, 0},
    {"late", {.time_off_ms = -60001}, 0},
    {"early", {.time_off_ms = 60001}, 0},
    {"other audience", {.audience = "b.test"}, 0},
    {"audience is a prefix", {.audience = "a.tes"}, 0},
    {"other body", {.other_body = true}, 0},
    {"other path", {.path = "/t.T/Bidi"}, 0},
    {"kind not allowed", {.kind = REQUEST_QUEUE_USER}, 0},
    {"kind not allowed, by handler",
     {.kind = REQUEST_JOINER, .id = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32}},
     0},
    {"somebody else's id", {.id = {(const uint8_t *)"\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16}}, 0},
    {"unknown caller", {0}, 2},
    {"twice", {.twice = true}, 0},
    {"cut by one", {.cut = 1}, 0},
    {"cut to nothing", {.cut = 1000}, 0},
    {"garbage", {.garbage = true}, 0},
    {"no signature", {.no_signature = true}, 0},
    {"zeros for a signature", {.zero_signature = true}, 0},
};
enum { FAULTS = sizeof faults / sizeof *faults };

static void the_right_ones_pass(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bed_code(&bed.callers[i]), HEARTH_OK);
        assert_int_equal(bed.seen.kind, REQUEST_QUEUE_CLIENT);
        test_assert_bytes(bed.seen.id, bed.callers[i].id);
        assert_true(bed.seen.verified);
    }
    uint64_t principal = bed.seen.principal;
    bed.callers[1].faults.time_off_ms = 59000;
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
    assert_true(bed.seen.principal == principal);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_true(bed.seen.principal != principal);
    /* SHA-256 of what was sent: field 1, "body" */
    struct digest digest;
    hash_once(&hash_sha256,
              bytes_of("\x0a\x04"
                       "body",
                       6),
              &digest);
    test_assert_bytes(bytes_of(bed.seen.body_hash, 32), digest_view(&digest));
    assert_int_equal(bed.handled, 4);
}

static void ME2_all_wrong_ones_are_refused_alike(void **state)
{
    (void)state;
    struct answer first = {0};
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 1000));
    world_run_ms(&bed.w, 100000); /* so that late requests are not from before the start */
    for (int i = 0; i < FAULTS; i++) {
        struct caller *who = &bed.callers[faults[i].who];
        uint64_t verified = bed_metric(METRIC_VERIFICATIONS);
        who->faults = faults[i].faults;
        struct answer a = bed_call(who, NULL);
        who->faults = (struct caller_faults){0};
        if (i == 0)
            first = a;
        if (a.code != HEARTH_UNAUTHENTICATED)
            fail_msg("%s: %s", faults[i].name, hearth_code_name(a.code));
        assert_string_equal(a.message, "not authenticated");
        assert_memory_equal(&a, &first, sizeof a);
        /* each at the cost of one verification */
        assert_int_equal(bed_metric(METRIC_VERIFICATIONS), verified + 1);
        assert_int_equal(bed_metric(METRIC_REFUSED_AUTH), i + 1);
    }
    assert_int_equal(bed.handled, 0);
    /* and none of it has used up anything */
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
}

static void ME2_control_lets_them_through(void **state)
{
    (void)state;
    for (int i = 0; i < FAULTS; i++) {
        struct caller *who = &bed.callers[faults[i].who];
        who->faults = faults[i].faults;
        if (bed_code(who) != HEARTH_OK)
            fail_msg("%s is refused by something else", faults[i].name);
        who->faults = (struct caller_faults){0};
    }
    assert_int_equal(bed.handled, FAULTS);
}

static void ME2_replays_are_refused(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0], *bob = &bed.callers[1];
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 1000));
    assert_int_equal(bed_code(alice), HEARTH_OK);
    /* a nonce is the caller's own: another may use it, too */
    memcpy(bob->nonce, alice->nonce, sizeof bob->nonce);
    bob->faults.replay_nonce = true;
    assert_int_equal(bed_code(bob), HEARTH_OK);
    for (int s = 0; s < 130; s += 10) {
        alice->faults = (struct caller_faults){.replay = true};
        assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
        alice->faults = (struct caller_faults){.replay_nonce = true};
        if (s <= 120)
            assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
        world_run_ms(&bed.w, 10000);
    }
    assert_true(bed_metric(METRIC_REFUSED_REPLAY) >= 13);
    assert_int_equal(bed.handled, 2);
    /* signed for the latest time that is let in, it is good for twice the window, and remembered */
    alice->faults = (struct caller_faults){.time_off_ms = 59000};
    assert_int_equal(bed_code(alice), HEARTH_OK);
    world_run_ms(&bed.w, 118000);
    alice->faults = (struct caller_faults){.replay = true};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 3);
}

static void ME2_replay_control(void **state)
{
    (void)state;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    bed.callers[0].faults.replay = true;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(bed.handled, 2);
}

/* A refused signature must not burn the nonce of the right one. */
static void wrong_signatures_use_up_no_nonce(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    alice->faults = (struct caller_faults){.wrong_key = true};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    alice->faults = (struct caller_faults){.replay_nonce = true};
    assert_int_equal(bed_code(alice), HEARTH_OK);
}

/* What was seen by the process before is not known any more. */
static void what_was_signed_before_the_start_is_refused(void **state)
{
    (void)state;
    world_run_ms(&bed.w, 5000);
    bed.callers[0].faults.time_off_ms = -5100;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_UNAUTHENTICATED);
    bed.callers[0].faults.time_off_ms = -4900;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    /* a wall clock set back behind the start locks nobody out */
    bed.w.clock.unix_base_ms -= 3600000;
    bed.callers[0].faults.time_off_ms = -59000;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
}

static int setup_small_nonces(void **state)
{
    (void)bed_setup(state);
    assert_ok(limits_set(front_limits(bed.front), "NONCES", 1024));
    return 0;
}

static void a_full_nonce_table_refuses_for_a_moment(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    assert_ok(limits_set(front_limits(bed.front), "SIGNED_PRINCIPAL", 100000));
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(bed_code(alice), HEARTH_OK);
    struct answer a = bed_call(alice, NULL);
    assert_int_equal(a.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(a.retry_s, 1);
    assert_int_equal(bed.handled, 1024);
    alice->faults.replay_nonce = true; /* of the refused one: it was not remembered */
    world_run_ms(&bed.w, 121000);
    assert_int_equal(bed_code(alice), HEARTH_OK);
}

/* ---- kinds ---- */

static void unsigned_kinds(void **state)
{
    (void)state;
    static const unsigned kinds[] = {1, 11, 12, 13};
    for (size_t i = 0; i < 4; i++) {
        bed.w.rows[WORLD_UNARY].callers = 1U << kinds[i];
        assert_int_equal(bed_code(NULL), HEARTH_OK);
        assert_int_equal(bed.seen.kind, 0);
        assert_false(bed.seen.verified);
        assert_int_equal(bed.seen.id.len, 0);
        /* a name where there should be none */
        assert_int_equal(bed_code(&bed.callers[0]), HEARTH_UNAUTHENTICATED);
    }
    bed.w.rows[WORLD_UNARY].callers = 0; /* health, reflection */
    assert_int_equal(bed_code(NULL), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(bed.seen.kind, 0);
    /* both allowed: the signature counts where there is one */
    bed.w.rows[WORLD_UNARY].callers = 1 << 11 | 1 << REQUEST_QUEUE_CLIENT;
    assert_int_equal(bed_code(NULL), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_true(bed.seen.verified);
    bed.callers[0].faults.wrong_key = true;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_UNAUTHENTICATED);
    /* the operator comes over a Unix socket of its own */
    bed.w.rows[WORLD_UNARY].callers = 1 << 10;
    assert_int_equal(bed_code(NULL), HEARTH_UNAUTHENTICATED);
}

static struct bytes verify_key;
static struct err verify_results[2];

static enum hearth_code verifying_handler(struct world *w, struct hearth_call *call,
                                          const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)bed_handler(w, call, in, out);
    assert_false(front_caller(call)->verified);
    verify_results[0] = front_verify(call, &sig_ed25519, verify_key);
    assert_int_equal(front_caller(call)->verified, err_is_ok(verify_results[0]));
    /* a state read anew: the same again */
    verify_results[1] = front_verify(call, &sig_ed25519, verify_key);
    return err_is_ok(verify_results[0]) ? HEARTH_OK : front_fail(call, verify_results[0]);
}

static void members_are_verified_by_the_handler(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    uint8_t room[64] = {0};
    struct buf id = {.data = room, .cap = sizeof room, .limit = sizeof room};
    struct member_id member = {bytes_str("0123456789abcdef\x06"
                                         "a.test"),
                               7};
    member_id_write(&id, &member);
    alice->kind = REQUEST_MEMBER;
    caller_set_id(alice, buf_view(&id));
    bed.w.rows[WORLD_UNARY].callers = 1 << REQUEST_MEMBER;
    bed.w.handler = verifying_handler;
    verify_key = caller_public_key(alice);
    assert_int_equal(bed_code(alice), HEARTH_OK);
    test_assert_bytes(bed.seen.id, alice->id);
    assert_ok(verify_results[1]);
    alice->faults.replay = true;
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 2); /* found out by the handler */
    alice->faults = (struct caller_faults){.wrong_key = true};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    alice->faults = (struct caller_faults){.other_body = true};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 4);
    /* what needs no key is found out before */
    alice->faults = (struct caller_faults){.audience = "b.test"};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    alice->faults = (struct caller_faults){.time_off_ms = 61000};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    alice->faults = (struct caller_faults){.no_auth = true};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 4);
}

static void find_later(void *self, struct front_pending *pending, enum request_caller kind,
                       struct bytes id)
{
    (void)self;
    (void)id;
    assert_int_equal(kind, REQUEST_HANDLE);
    assert_string_equal(front_pending_endpoint(pending)->path, "/t.T/Unary");
    assert_ptr_equal(front_pending_loop(pending), bed.w.loop);
    front_key_later(pending);
}

static void keys_that_come_in_the_body(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    alice->kind = REQUEST_HANDLE;
    caller_set_id(alice, bytes_of("0123456789abcdef0123456789abcdef", 32));
    bed.w.rows[WORLD_UNARY].callers = 1 << REQUEST_HANDLE;
    bed.w.handler = verifying_handler;
    verify_key = caller_public_key(alice);
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED); /* no source of keys */
    assert_ok(
        front_add_keys(bed.front, REQUEST_HANDLE, (struct front_key_source){.find = find_later}));
    assert_int_equal(bed_code(alice), HEARTH_OK);
    alice->faults.wrong_key = true;
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 2);
    alice->faults = (struct caller_faults){.audience = "b.test"};
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 2);
}

static enum hearth_code without_key(struct world *w, struct hearth_call *call,
                                    const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)bed_handler(w, call, in, out);
    verify_results[0] = front_verify(call, NULL, bytes_of(NULL, 0));
    return err_is_ok(verify_results[0]) ? HEARTH_OK : front_fail(call, verify_results[0]);
}

static void a_handler_without_a_key_pays_the_same(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    alice->kind = REQUEST_JOINER;
    caller_set_id(alice, bytes_of("0123456789abcdef0123456789abcdef", 32));
    bed.w.rows[WORLD_UNARY].callers = 1 << REQUEST_JOINER;
    bed.w.handler = without_key;
    assert_int_equal(bed_code(alice), HEARTH_UNAUTHENTICATED);
    assert_int_equal(bed.handled, 1);
    assert_int_equal(bed_metric(METRIC_VERIFICATIONS), 1);
}

static void control_of_handlers(void **state)
{
    (void)state;
    bed.w.rows[WORLD_UNARY].callers = 1 << REQUEST_QUEUE_CLIENT | 1 << REQUEST_JOINER;
    bed.w.handler = without_key;
    assert_int_equal(bed_code(&bed.callers[2]), HEARTH_OK);
}

/* A server without a front, such as the operator's: nobody calls, and errors are answered. */
static enum hearth_code no_front_handler(struct world *w, struct hearth_call *call,
                                         const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)in;
    (void)out;
    assert_int_equal(front_caller(call)->kind, 0);
    assert_false(front_caller(call)->verified);
    assert_err(front_verify(call, &sig_ed25519, bytes_of("", 1)), FRONT_UNAUTHENTICATED);
    assert_int_equal(front_limit(call, LIMIT_SEND_LEAF, bytes_str("x"), 1000), HEARTH_OK);
    return front_fail(call, ERR(FRONT_UNAUTHENTICATED));
}

static void without_a_front(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    world_init(&w);
    w.handler = no_front_handler;
    world_start(&w);
    world_call(&w, WORLD_UNARY, 3, NULL, &o);
    assert_int_equal(world_wait(&w, &o, 1000), HEARTH_UNAUTHENTICATED);
    assert_string_equal(o.message, "not authenticated");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_right_ones_pass, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_all_wrong_ones_are_refused_alike, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_control_lets_them_through, bed_setup_control,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_replays_are_refused, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_replay_control, bed_setup_control, bed_teardown),
        cmocka_unit_test_setup_teardown(wrong_signatures_use_up_no_nonce, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(what_was_signed_before_the_start_is_refused, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(a_full_nonce_table_refuses_for_a_moment, setup_small_nonces,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(unsigned_kinds, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(members_are_verified_by_the_handler, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(keys_that_come_in_the_body, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_handler_without_a_key_pays_the_same, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(control_of_handlers, bed_setup_control, bed_teardown),
        cmocka_unit_test(without_a_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
