/* What linking sessions may take, how they end, and what becomes of them when memory does. */
#include "relay_world.h"

static unsigned flood(struct device *young, struct device *old, unsigned count)
{
    static uint8_t block[61440];
    pair(young, old);
    for (unsigned i = 0; i < count && !old->done; i++) {
        (void)say(i % 2 == 0 ? old : young, NULL, block, sizeof block);
        settle();
    }
    return young->messages + old->messages;
}

static void test_bytes(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    assert_int_equal(flood(&young, &old, 40), 1048576 / 61440); /* both ways together */
    bool one = young.code == HEARTH_RESOURCE_EXHAUSTED && old.code == HEARTH_ABORTED;
    bool other = old.code == HEARTH_RESOURCE_EXHAUSTED && young.code == HEARTH_ABORTED;
    assert_true(one || other);
    leave(&young);
    leave(&old);
    finish();
    /* the control */
    begin_with(true);
    assert_int_equal(flood(&young, &old, 40), 40);
    leave(&young);
    leave(&old);
    finish();
}

static void test_sessions(void **state)
{
    (void)state;
    struct device d[4];
    begin();
    assert_ok(limits_set(front_limits(w.front), "RELAY_SESSIONS", 3));
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t place[32] = {9, i};
        arrive(&d[i], false, place);
    }
    assert_true(d[3].done);
    assert_int_equal(d[3].code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(d[3].retry_after);
    leave(&d[0]);
    arrive(&d[3], false, here);
    assert_false(d[3].done);
    for (int i = 1; i < 4; i++)
        leave(&d[i]);
    finish();
}

static void test_rate_of_a_prefix(void **state)
{
    (void)state;
    struct device d, old;
    begin();
    assert_ok(limits_set(front_limits(w.front), "RELAY_PREFIX", 2));
    for (int i = 0; i < 2; i++) {
        arrive(&d, false, here);
        assert_false(d.done);
        leave(&d);
    }
    arrive(&d, false, here);
    assert_int_equal(d.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(d.retry_after);
    arrive(&old, true, here); /* who guesses places pays, too */
    assert_int_equal(old.code, HEARTH_RESOURCE_EXHAUSTED);
    finish();
}

/* Nobody waits for ever: ten minutes. */
static void test_deadline(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    arrive(&young, false, here);
    loop_run_until(w.loop, w.fake.now_us + UINT64_C(590) * 1000000);
    assert_false(young.done);
    arrive(&old, true, here);
    loop_run_until(w.loop, w.fake.now_us + UINT64_C(11) * 1000000);
    assert_true(young.done);
    assert_int_equal(young.code, HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(old.code, HEARTH_ABORTED);
    assert_int_equal(relay_sessions(w.relay), 0);
    finish();
}

/* The server ends in the middle. */
static void test_end(void **state)
{
    (void)state;
    struct device young, old, waits;
    static uint8_t block[61440];
    begin();
    pair(&young, &old);
    arrive(&waits, false, elsewhere);
    hearth_client_call_pause(young.call);
    for (int i = 0; i < 4; i++)
        (void)say(&old, NULL, block, sizeof block);
    for (int i = 0; i < 3; i++)
        loop_step(w.loop);
    finish();
    assert_true(young.done && old.done && waits.done);
    buf_clear(&young.got);
    buf_clear(&old.got);
}

/* Each allocation of ours fails once: every call ends, nothing is left, the relay serves on. */
static void test_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct device young, old;
        long live = test_live_allocations();
        begin();
        test_fail_own_allocation(n);
        arrive(&young, false, here);
        arrive(&old, true, here);
        (void)say(&old, NULL, "one", 3);
        (void)say(&young, NULL, "two", 3);
        settle();
        if (young.call != NULL)
            hearth_client_call_half_close(young.call);
        if (old.call != NULL)
            hearth_client_call_half_close(old.call);
        settle();
        failed = test_allocation_failed();
        /* what a lost letter left behind ends at its deadline */
        loop_run_until(w.loop, w.fake.now_us + UINT64_C(700) * 1000000);
        assert_int_equal(relay_sessions(w.relay), 0);
        leave(&young);
        leave(&old);
        pair(&young, &old);
        leave(&young);
        leave(&old);
        finish();
        assert_int_equal(test_live_allocations(), live);
    }
}

static void test_open_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct relay *relay;
    bool failed;
    long n = 0;
    begin();
    do {
        long live = test_live_allocations();
        test_fail_own_allocation(n++);
        struct err err = relay_open(&w.env, NULL, &relay);
        failed = test_allocation_failed();
        assert_true(err_is_ok(err) ? !failed : failed);
        if (err_is_ok(err))
            relay_close(relay);
        assert_int_equal(test_live_allocations(), live);
    } while (failed);
    assert_int_equal(n, 3);
    relay_close(NULL);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_rate_of_a_prefix),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_open_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
