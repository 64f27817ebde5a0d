/* Limits of sources and callers, versions, and what is shed under load; each with its control. */
#include "bed.h"

static unsigned passed(struct caller *who, unsigned tries)
{
    unsigned n = 0;
    for (unsigned i = 0; i < tries; i++)
        n += bed_code(who) == HEARTH_OK;
    return n;
}

static struct answer refused(struct caller *who)
{
    struct answer a = bed_call(who, NULL);
    assert_int_equal(a.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(a.retry_s > 0);
    return a;
}

/* ---- limits ---- */

static void unsigned_calls_of_one_source(void **state)
{
    (void)state;
    bed.w.rows[WORLD_UNARY].callers = 1 << 1;
    bed_from("192.0.2.1");
    assert_int_equal(passed(NULL, 110), 100);
    (void)refused(NULL);
    bed_from("192.0.2.2");
    assert_int_equal(passed(NULL, 10), 10);
    /* IPv6 by /64, and IPv4 in IPv6 clothes */
    bed_from("2001:db8:0:1::1");
    assert_int_equal(passed(NULL, 60), 60);
    bed_from("2001:db8:0:1:ffff::2");
    assert_int_equal(passed(NULL, 60), 40);
    bed_from("2001:db8:0:2::1");
    assert_int_equal(passed(NULL, 60), 60);
    bed_from("::ffff:192.0.2.1");
    assert_int_equal(passed(NULL, 10), 0);
    world_run_ms(&bed.w, 1000); /* 20 a second */
    assert_int_equal(passed(NULL, 30), 20);
}

static void control_of_sources(void **state)
{
    (void)state;
    bed.w.rows[WORLD_UNARY].callers = 1 << 1;
    assert_int_equal(passed(NULL, 200), 200);
}

static void ME2_guessing_costs_the_source(void **state)
{
    (void)state;
    bed_from("192.0.2.1");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    for (int i = 0; i < 30; i++)
        assert_int_equal(bed_code(&bed.callers[2]), HEARTH_UNAUTHENTICATED);
    uint64_t verified = bed_metric(METRIC_VERIFICATIONS);
    struct answer a = refused(&bed.callers[2]);
    assert_true(a.retry_s <= 6);
    assert_int_equal(bed_metric(METRIC_VERIFICATIONS), verified); /* before any signature */
    (void)refused(&bed.callers[1]);                               /* a stranger of the same house */
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);       /* was here before */
    bed_from("192.0.2.2");
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
    /* who is known guesses on its own account, and then no more */
    bed_from("192.0.2.1");
    bed.callers[0].faults.wrong_key = true;
    for (int i = 0; i < 30; i++)
        assert_int_equal(bed_code(&bed.callers[0]), HEARTH_UNAUTHENTICATED);
    (void)refused(&bed.callers[0]);
    /* and from elsewhere it is still itself */
    bed.callers[0].faults.wrong_key = false;
    bed_from("192.0.2.2");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
}

static void signed_calls_of_one_caller(void **state)
{
    (void)state;
    assert_int_equal(passed(&bed.callers[0], 210), 200);
    (void)refused(&bed.callers[0]);
    bed_from("192.0.2.9");
    (void)refused(&bed.callers[0]); /* wherever it is */
    assert_int_equal(passed(&bed.callers[1], 10), 10);
    assert_int_equal(bed_metric(METRIC_REFUSED_LIMIT), 12);
}

/* Streams whose first message never ends would hold their bodies before anybody is asked who they
 * are. The bed's rows take 1 MiB. */
enum { LARGE_TRIES = 20 };

static unsigned begin_large(struct outcome *o)
{
    unsigned refused_now = 0;
    for (int i = 0; i < LARGE_TRIES; i++) {
        o[i] = (struct outcome){0};
        world_open(&bed.w, WORLD_CLIENT_STREAM, NULL, &o[i]);
    }
    world_settle(&bed.w);
    for (int i = 0; i < LARGE_TRIES; i++)
        refused_now += o[i].done;
    return refused_now;
}

static void end_large(struct outcome *o)
{
    for (int i = 0; i < LARGE_TRIES; i++)
        if (o[i].call != NULL)
            hearth_client_call_cancel(o[i].call);
    world_settle(&bed.w);
}

static void DoS6_large_calls_of_one_source(void **state)
{
    (void)state;
    struct outcome o[LARGE_TRIES];
    assert_int_equal(begin_large(o), LARGE_TRIES - 16);
    (void)refused(&bed.callers[0]);
    struct hearth_channel *first = bed.w.channel;
    bed.w.channel = hearth_channel_new("pipe:test@192.0.2.90", &bed.w.channel_options);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK); /* elsewhere */
    hearth_channel_free(bed.w.channel);
    bed.w.channel = first;
    bed.w.rows[WORLD_UNARY].request_bytes = 256 * 1024;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK); /* not a large one */
    bed.w.rows[WORLD_UNARY].request_bytes = 1 << 20;
    end_large(o);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(begin_large(o), LARGE_TRIES - 16); /* all were given back */
    end_large(o);
}

static void DoS6_control_of_large_calls(void **state)
{
    (void)state;
    struct outcome o[LARGE_TRIES];
    assert_int_equal(begin_large(o), 0);
    end_large(o);
}

/* Somebody filled the table of limits: what makes things fails closed, what frees them open. */
static void fill_the_table(void)
{
    for (uint32_t i = 0; i < 3 * LIMIT_TABLE_SLOTS; i++) {
        struct err err = limit_take(front_limits(bed.front), LIMIT_REGISTER_PREFIX,
                                    bytes_of(&i, sizeof i), 6, NULL);
        (void)err;
    }
}

static void a_full_table_fails_closed(void **state)
{
    (void)state;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    fill_the_table();
    bed_from("192.0.2.55");
    struct answer a = refused(&bed.callers[1]);
    assert_string_equal(a.message, "the server is overloaded");
}

static int setup_dequeue(void **state)
{
    (void)state;
    bed = (struct bed){.unary_path = "/hearth.v1.Queue/Dequeue"};
    bed_make();
    return 0;
}

static void and_open_for_what_frees(void **state)
{
    (void)state;
    fill_the_table();
    bed_from("192.0.2.55");
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[2]), HEARTH_UNAUTHENTICATED);
}

static void unverified_calls_of_one_source(void **state)
{
    (void)state;
    struct caller *alice = &bed.callers[0];
    alice->kind = REQUEST_JOINER;
    caller_set_id(alice, bytes_of("0123456789abcdef0123456789abcdef", 32));
    bed.w.rows[WORLD_UNARY].callers = 1 << REQUEST_JOINER;
    assert_ok(limits_set(front_limits(bed.front), "UNVERIFIED_PREFIX", 20));
    assert_int_equal(passed(alice, 30), 20);
    uint8_t id[32];
    for (int i = 0; i < 10; i++) { /* another name each time does not help */
        memset(id, i, sizeof id);
        caller_set_id(alice, bytes_of(id, sizeof id));
        (void)refused(alice);
    }
}

/* ---- front_limit() and front_fail() in handlers ---- */

static struct err handlers_err;
static struct bytes handlers_principal;

static enum hearth_code failing(struct world *w, struct hearth_call *call,
                                const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)bed_handler(w, call, in, out);
    return front_fail(call, handlers_err);
}

static enum hearth_code limited(struct world *w, struct hearth_call *call,
                                const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    enum hearth_code code = front_limit(call, LIMIT_FAN_OUT_GROUP, handlers_principal, 15000);
    return code != HEARTH_OK ? code : bed_handler(w, call, in, out);
}

static enum hearth_code too_dear(struct world *w, struct hearth_call *call,
                                 const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    enum hearth_code code = front_limit(call, LIMIT_FAN_OUT_GROUP, handlers_principal, 20001);
    return code != HEARTH_OK ? code : bed_handler(w, call, in, out);
}

static void every_error_is_answered_by_its_row(void **state)
{
    (void)state;
    bed.w.handler = failing;
    bed_from("192.0.2.77");
    assert_ok(limits_set(front_limits(bed.front), "SIGNED_PRINCIPAL", 100000));
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 1000));
    unsigned ours = 0;
    for (int code = ERR_NONE; code < ERR_CODE_COUNT; code++) {
        handlers_err = (struct err){(enum err_code)code};
        int wanted = err_grpc_status(handlers_err);
        bool is_ours = err_class_of(handlers_err) == ERR_CLASS_OURS || code == ERR_NONE;
        struct answer a = bed_call(&bed.callers[0], NULL);
        assert_int_equal(a.code, wanted != 0 ? wanted : HEARTH_INTERNAL);
        assert_string_equal(a.message, is_ours ? "the server failed" : err_text(handlers_err));
        assert_int_equal(a.retry_s, err_retry(handlers_err) ? 1 : 0);
        ours += is_ours;
        world_run_ms(&bed.w, 100);
    }
    assert_int_equal(bed_metric(METRIC_ERRORS_OURS), ours);
    assert_true(bed.line_count > 10);
    for (unsigned i = 0; i < bed.line_count; i++) {
        assert_null(strstr(bed.lines[i], "192.0.2"));
        assert_non_null(strstr(bed.lines[i], "level="));
        assert_non_null(strstr(bed.lines[i], "err="));
    }
}

static void what_callers_do_wrong_is_not_written_down(void **state)
{
    (void)state;
    bed.w.handler = failing;
    handlers_err = ERR(NOT_FOUND);
    (void)bed_call(&bed.callers[0], NULL);
    (void)bed_call(&bed.callers[2], NULL);
    assert_int_equal(bed.line_count, 0);
    assert_int_equal(bed_metric(METRIC_ERRORS_CALLER), 2);
    /* and what is written has a bound */
    handlers_err = ERR(STORE_IO);
    for (int i = 0; i < 50; i++)
        (void)bed_call(&bed.callers[0], NULL);
    assert_int_equal(bed.line_count, FRONT_LOGS_PER_S);
    assert_string_equal(bed.lines[0],
                        "level=error event=call_failed err=STORE_IO method=/t.T/Unary");
    assert_int_equal(bed_metric(METRIC_LOGS_DROPPED), 50 - FRONT_LOGS_PER_S);
}

static void limits_in_handlers(void **state)
{
    (void)state;
    bed.w.handler = limited;
    handlers_principal = bytes_str("a group");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    struct answer a = refused(&bed.callers[0]);
    assert_int_equal(a.retry_s, 10);
    assert_string_equal(a.message, "too many requests");
    handlers_principal = bytes_str("another");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    bed.w.handler = too_dear;
    a = bed_call(&bed.callers[0], NULL);
    assert_int_equal(a.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(a.retry_s, 0);
    struct hearth_status status = {.details = a.details, .details_len = a.details_len};
    Hearth__V1__QuotaExceeded *quota = (Hearth__V1__QuotaExceeded *)(void *)hearth_status_find(
        &status, &hearth__v1__quota_exceeded__descriptor);
    assert_non_null(quota);
    assert_string_equal(quota->what, "FAN_OUT_GROUP");
    assert_int_equal(quota->limit, 20000);
    hearth__v1__quota_exceeded__free_unpacked(quota, NULL);
}

/* ---- versions ---- */

static struct answer call_with_version(const char *version)
{
    struct hearth_metadata metadata = {"hearth-version", version, strlen(version)};
    struct hearth_call_options options = {.metadata = &metadata, .metadata_count = 1};
    return bed_call(&bed.callers[0], &options);
}

static void old_clients_are_told(void **state)
{
    (void)state;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(call_with_version("7").code, HEARTH_OK);
    assert_ok(limits_set(front_limits(bed.front), "CLIENT_VERSION_OLDEST", 5));
    assert_ok(limits_set(front_limits(bed.front), "CLIENT_VERSION_NEWEST", 9));
    static const char *const good[] = {"5", "7", "9", "0000000009"};
    static const char *const bad[] = {"4", "10", "", "x", "7x", "-7", "4294967303", "00000000007"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(call_with_version(good[i]).code, HEARTH_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct answer a = call_with_version(bad[i]);
        if (a.code != HEARTH_FAILED_PRECONDITION)
            fail_msg("version '%s' passes", bad[i]);
        struct hearth_status status = {.details = a.details, .details_len = a.details_len};
        Hearth__V1__VersionUnsupported *detail =
            (Hearth__V1__VersionUnsupported *)(void *)hearth_status_find(
                &status, &hearth__v1__version_unsupported__descriptor);
        assert_non_null(detail);
        assert_int_equal(detail->oldest, 5);
        assert_int_equal(detail->newest, 9);
        hearth__v1__version_unsupported__free_unpacked(detail, NULL);
    }
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_FAILED_PRECONDITION); /* says none */
}

/* ---- load ---- */

static uint64_t memory_mib;

static uint64_t memory_now(void *self)
{
    (void)self;
    return memory_mib << 20;
}

static void setup_load(bool control, const char *path)
{
    bed = (struct bed){.options = {.control = control, .memory_bytes = memory_now},
                       .unary_path = path};
    memory_mib = 10;
    bed_make();
    assert_ok(limits_set(front_limits(bed.front), "SIGNED_PRINCIPAL", 100000));
    assert_ok(limits_set(front_limits(bed.front), "ANONYMOUS_PREFIX", 100000));
    /* a loop is watched while it has calls */
    struct outcome *o = calloc(1, sizeof *o);
    struct hearth_call_options options = {.signer = caller_signer(&bed.callers[0])};
    world_open(&bed.w, WORLD_BIDI, &options, o);
    (void)outcome_write(o, 10);
    world_settle(&bed.w);
    assert_int_equal(bed.handled, 1);
    bed.w.self = o;
}

static int setup_loaded(void **state)
{
    (void)state;
    setup_load(false, NULL);
    return 0;
}

static int setup_loaded_dequeue(void **state)
{
    (void)state;
    setup_load(false, "/hearth.v1.Queue/Dequeue");
    return 0;
}

static int setup_loaded_control(void **state)
{
    (void)state;
    setup_load(true, NULL);
    return 0;
}

static int teardown_loaded(void **state)
{
    struct outcome *o = bed.w.self;
    hearth_client_call_cancel(o->call);
    world_settle(&bed.w);
    free(o);
    return bed_teardown(state);
}

/* Calls go on while the memory is so. */
static void live_on(uint64_t mib, unsigned tenths)
{
    memory_mib = mib;
    for (unsigned i = 0; i < tenths; i++) {
        (void)bed_call(&bed.callers[0], NULL);
        world_run_ms(&bed.w, 100);
    }
}

static enum hearth_code anonymous(void)
{
    uint32_t callers = bed.w.rows[WORLD_UNARY].callers;
    bed.w.rows[WORLD_UNARY].callers = 1 << 1;
    enum hearth_code code = bed_code(NULL);
    bed.w.rows[WORLD_UNARY].callers = callers;
    return code;
}

static void overload_sheds_by_rungs(void **state)
{
    (void)state;
    live_on(100, 30);
    assert_int_equal(front_rung(bed.front), FRONT_CALM);
    live_on(390, 30);
    assert_int_equal(front_rung(bed.front), FRONT_CAREFUL);
    assert_int_equal(anonymous(), HEARTH_OK);
    live_on(425, 30);
    assert_int_equal(front_rung(bed.front), FRONT_GUARDED);
    assert_int_equal(anonymous(), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    live_on(465, 30);
    assert_int_equal(front_rung(bed.front), FRONT_NARROW);
    struct answer a = refused(&bed.callers[1]); /* right, but never seen */
    assert_int_equal(a.retry_s, 2 << FRONT_NARROW);
    assert_string_equal(a.message, "the server is overloaded");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK); /* known */
    live_on(520, 30);
    assert_int_equal(front_rung(bed.front), FRONT_CLOSED);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    live_on(100, 100);
    assert_int_equal(front_rung(bed.front), FRONT_CALM);
    assert_int_equal(anonymous(), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
    assert_int_equal(bed.line_count, 8); /* each rung up and down */
    assert_string_equal(bed.lines[0], "level=warn event=overload rung=careful");
}

/* Known or not, signed or not: whoever fetches makes room. Who it is is checked as ever. */
static void what_frees_resources_is_never_shed(void **state)
{
    (void)state;
    live_on(520, 100);
    assert_int_equal(front_rung(bed.front), FRONT_CLOSED);
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[2]), HEARTH_UNAUTHENTICATED);
    assert_int_equal(anonymous(), HEARTH_OK);
}

/* A handler that keeps the loop busy for so long. */
static uint64_t busy_ms;

static enum hearth_code slow_handler(struct world *w, struct hearth_call *call,
                                     const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    w->clock.now_us += busy_ms * 1000;
    return bed_handler(w, call, in, out);
}

/* One call after the other, each keeping the loop busy. */
static void busy(uint64_t each_ms)
{
    busy_ms = each_ms;
    for (int i = 0; i < 60; i++)
        (void)bed_call(&bed.callers[0], NULL);
    busy_ms = 0;
}

static void a_lagging_loop_sheds(void **state)
{
    (void)state;
    bed.w.handler = slow_handler;
    busy(150);
    assert_int_equal(front_rung(bed.front), FRONT_CALM); /* a timer is late by what is over 100 */
    busy(250);
    assert_int_equal(front_rung(bed.front), FRONT_CAREFUL);
    busy(350);
    assert_int_equal(front_rung(bed.front), FRONT_GUARDED);
    assert_int_equal(anonymous(), HEARTH_RESOURCE_EXHAUSTED);
    live_on(10, 60);
    assert_int_equal(front_rung(bed.front), FRONT_CALM);
    assert_int_equal(anonymous(), HEARTH_OK);
}

/* A second client, beside the one that is there. */
static enum hearth_code newcomer(struct hearth_channel **ret_channel)
{
    struct hearth_channel *old = bed.w.channel;
    bed.w.channel = hearth_channel_new("pipe:test@192.0.2.200", &bed.w.channel_options);
    enum hearth_code code = bed_code(&bed.callers[0]);
    *ret_channel = bed.w.channel;
    bed.w.channel = old;
    return code;
}

static void no_connections_at_the_top(void **state)
{
    (void)state;
    struct hearth_channel *first, *second, *third;
    assert_int_equal(newcomer(&first), HEARTH_OK);
    live_on(520, 100);
    assert_int_equal(front_rung(bed.front), FRONT_CLOSED);
    assert_int_equal(newcomer(&second), HEARTH_UNAVAILABLE);
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK); /* on the one there is */
    live_on(100, 100);
    assert_int_equal(newcomer(&third), HEARTH_OK);
    hearth_channel_free(first);
    hearth_channel_free(second);
    hearth_channel_free(third);
}

/* Idle connections go sooner: 30 s rather than 5 min. */
static void idle_connections_go_sooner(void **state)
{
    (void)state;
    struct hearth_channel *idle;
    uint64_t begun = bed.w.loop->pipes.connections;
    assert_int_equal(newcomer(&idle), HEARTH_OK);
    live_on(100, 1000);
    struct hearth_channel *own = bed.w.channel;
    bed.w.channel = idle;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(bed.w.loop->pipes.connections, begun + 1); /* 100 s later the same one */
    bed.w.channel = own;
    live_on(390, 1500);
    bed.w.channel = idle;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(bed.w.loop->pipes.connections, begun + 2); /* it had gone */
    bed.w.channel = own;
    hearth_channel_free(idle);
}

/* When the last call ends while memory is high, nothing is sampled any more: the door must not stay
 * shut for ever. */
static void closed_without_calls_opens_again(void **state)
{
    (void)state;
    struct hearth_channel *second;
    struct outcome *o = bed.w.self;
    live_on(520, 100);
    assert_int_equal(front_rung(bed.front), FRONT_CLOSED);
    hearth_client_call_cancel(o->call);
    world_settle(&bed.w);
    world_run_ms(&bed.w, 5000);
    assert_int_equal(newcomer(&second), HEARTH_OK);
    hearth_channel_free(second);
}

static int teardown_without_stream(void **state)
{
    free(bed.w.self);
    return bed_teardown(state);
}

static void overload_control(void **state)
{
    (void)state;
    live_on(520, 100);
    assert_int_equal(front_rung(bed.front), FRONT_CLOSED);
    assert_int_equal(anonymous(), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[1]), HEARTH_OK);
}

/* The timer of a loop is there only while calls are, and rests when nothing begins. */
static void an_idle_world_stands_still(void **state)
{
    (void)state;
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    world_run_ms(&bed.w, 1000);
    uint64_t samples = bed_metric(METRIC_LOOP_LAG);
    world_run_ms(&bed.w, 1000000);
    assert_int_equal(bed_metric(METRIC_LOOP_LAG), samples);
    assert_true(samples > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unsigned_calls_of_one_source, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(control_of_sources, bed_setup_control, bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_guessing_costs_the_source, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(signed_calls_of_one_caller, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(DoS6_large_calls_of_one_source, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(DoS6_control_of_large_calls, bed_setup_control,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(a_full_table_fails_closed, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(and_open_for_what_frees, setup_dequeue, bed_teardown),
        cmocka_unit_test_setup_teardown(unverified_calls_of_one_source, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(every_error_is_answered_by_its_row, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(what_callers_do_wrong_is_not_written_down, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(limits_in_handlers, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(old_clients_are_told, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(overload_sheds_by_rungs, setup_loaded, teardown_loaded),
        cmocka_unit_test_setup_teardown(what_frees_resources_is_never_shed, setup_loaded_dequeue,
                                        teardown_loaded),
        cmocka_unit_test_setup_teardown(a_lagging_loop_sheds, setup_loaded, teardown_loaded),
        cmocka_unit_test_setup_teardown(no_connections_at_the_top, setup_loaded, teardown_loaded),
        cmocka_unit_test_setup_teardown(idle_connections_go_sooner, setup_loaded, teardown_loaded),
        cmocka_unit_test_setup_teardown(closed_without_calls_opens_again, setup_loaded,
                                        teardown_without_stream),
        cmocka_unit_test_setup_teardown(overload_control, setup_loaded_control, teardown_loaded),
        cmocka_unit_test_setup_teardown(an_idle_world_stands_still, setup_loaded, teardown_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
