/* Every allocation of making a front and of admitting a call, failed once in turn: typed errors,
 * nothing leaked, nobody let in, and the server serves on. */
#include <stdio.h>

#include "bed.h"
#include "support/failing.h"

static void making_a_front(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 1);
    struct rng rng = rng_of_seeded(&seeded);
    long failures = 0;
    for (;; failures++) {
        struct front_env env = {.domain = DOMAIN, .clock = &clock_system, .rng = &rng};
        struct front *front = NULL;
        long before = test_live_allocations();
        test_fail_allocation(failures);
        struct err err = front_new(&env, NULL, &front);
        bool failed = test_allocation_failed();
        if (failed) {
            assert_err(err, NO_MEMORY);
            assert_null(env.front);
        } else {
            assert_ok(err);
            front_free(front);
        }
        assert_int_equal(test_live_allocations(), before);
        if (!failed)
            break;
    }
    assert_true(failures >= 5);
}

static struct err no_random(void *self, uint8_t *out, size_t len)
{
    (void)out;
    (void)len;
    int *left = self;
    return (*left)-- > 0 ? ERR_OK : ERR(IO);
}

static void no_randomness(void **state)
{
    (void)state;
    for (int n = 0;; n++) {
        int left = n;
        struct rng rng = {no_random, &left};
        struct front_env env = {.domain = DOMAIN, .clock = &clock_system, .rng = &rng};
        struct front *front = NULL;
        struct err err = front_new(&env, NULL, &front);
        if (err_is_ok(err)) {
            front_free(front);
            assert_int_equal(n, 3); /* limits, nonces, principals */
            break;
        }
        assert_err(err, IO);
    }
}

/* The test's own client has its memory. */
static enum hearth_code sign_in_peace(struct hearth_client_call *call,
                                      const struct hearth_endpoint *endpoint,
                                      const uint8_t *message, size_t len, void *self)
{
    struct hearth_signer signer = caller_signer(self);
    test_pause_failing();
    enum hearth_code code = signer.sign(call, endpoint, message, len, signer.self);
    test_resume_failing();
    return code;
}

static void note(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    (void)out;
    struct answer *a = arg;
    a->done++;
    a->code = status->code;
}

/* Begins and ends, or does not begin. */
static enum hearth_code try_call(struct caller *who)
{
    struct answer a = {0};
    struct hearth_call_options options = {.signer = {sign_in_peace, who}, .no_retry = true};
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    if (hearth_channel_start(bed.w.channel, &bed.w.client_rows[WORLD_UNARY], &options, &in.base,
                             note, &a) == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    for (int i = 0; i < 3 && a.done == 0; i++)
        world_run_ms(&bed.w, 30000);
    assert_int_equal(a.done, 1);
    return a.code;
}

static void admitting_calls(void **state)
{
    (void)state;
    long failures = 0;
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 30000));
    for (;; failures++) {
        unsigned handled = bed.handled;
        test_fail_own_allocation(failures);
        enum hearth_code wrong = try_call(&bed.callers[2]);
        assert_int_not_equal(wrong, HEARTH_OK);
        enum hearth_code right = try_call(&bed.callers[0]);
        bool failed = test_allocation_failed();
        if (right == HEARTH_OK)
            assert_int_equal(bed.handled, handled + 1);
        else if (!failed)
            fail_msg("%s without a failure", hearth_code_name(right));
        world_run_ms(&bed.w, 130000); /* a connection that broke is made again */
        assert_int_equal(try_call(&bed.callers[0]), HEARTH_OK);
        if (!failed)
            break;
    }
    assert_true(failures > 3);
    assert_int_equal(bed_metric(METRIC_CALLS), 0);
}

int main(void)
{
    if (!test_can_fail_allocations()) {
        puts("SKIP allocations can't be failed in this build");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_front),
        cmocka_unit_test(no_randomness),
        cmocka_unit_test_setup_teardown(admitting_calls, bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
