/* F3, the arithmetic: waiting times grow, scatter, and stay within their bounds. */
#include "server/courier/backoff.h"
#include "server/courier/held.h"
#include "support/test.h"

static const struct backoff peer = {1000000, UINT64_C(3600000000)};

static void waits_double_from_least_to_most(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 7);
    struct rng rng = rng_of_seeded(&seeded);
    for (uint32_t failures = 1; failures < 70; failures++) {
        uint64_t base = failures < 13 ? UINT64_C(1000000) << (failures - 1) : UINT64_C(2400000000);
        if (base > UINT64_C(2400000000))
            base = UINT64_C(2400000000);
        uint64_t low = UINT64_MAX, high = 0;
        for (int i = 0; i < 500; i++) {
            uint64_t wait = backoff_us(peer, failures, &rng);
            assert_true(wait >= base && wait <= base + base / 2);
            low = wait < low ? wait : low;
            high = wait > high ? wait : high;
        }
        assert_true(low >= peer.least_us && high <= peer.most_us);
        assert_true(high - low > base / 4); /* those who failed together part */
    }
}

static struct err no_luck(void *self, uint8_t *out, size_t len)
{
    (void)self;
    (void)out;
    (void)len;
    return ERR(IO);
}

static void waits_without_randomness_too(void **state)
{
    (void)state;
    struct rng rng = {no_luck, NULL};
    assert_int_equal(backoff_us(peer, 1, &rng), 1000000);
    assert_int_equal(backoff_us(peer, UINT32_MAX, &rng), UINT64_C(2400000000));
}

static void held_references_wait_for_their_pass(void **state)
{
    (void)state;
    struct rng rng = {no_luck, NULL};
    struct held h = {0};
    uint8_t ref[HELD_REF_BYTES] = {0};
    assert_true(held_due_us(&h) == UINT64_MAX);
    for (unsigned i = 0; i < HELD_MAX; i++) {
        ref[0] = (uint8_t)i;
        ref[1] = (uint8_t)(i >> 8);
        assert_true(held_add(&h, ref, peer, &rng, 0));
        assert_true(held_has(&h, ref, 999999));
        assert_false(held_has(&h, ref, 1000000));
    }
    ref[2] = 1;
    assert_false(held_add(&h, ref, peer, &rng, 0)); /* bounded */
    ref[2] = 0;
    assert_true(held_add(&h, ref, peer, &rng, 1000000)); /* again: twice as long */
    assert_true(held_has(&h, ref, 2999999));
    assert_false(held_has(&h, ref, 3000000));
    held_passed(&h, 1000000); /* all others were due and have no rows */
    assert_int_equal(h.count, 1);
    assert_int_equal(held_due_us(&h), 3000000);
    held_forgive(&h, 5);
    assert_int_equal(held_due_us(&h), 5);
    held_remove(&h, ref);
    assert_int_equal(h.count, 0);
    held_clear(&h);
}

/* However many wait, they come due at few moments: each is a pass over all rows of the domain. */
static void held_references_come_due_together(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 7);
    struct rng rng = rng_of_seeded(&seeded);
    struct held h = {0};
    uint64_t now_us = 12345678, passes = 0;
    uint8_t ref[HELD_REF_BYTES] = {0};
    for (unsigned i = 0; i < HELD_MAX; i++) {
        memcpy(ref, &i, sizeof i);
        assert_true(held_add(&h, ref, peer, &rng, now_us));
    }
    for (uint64_t end_us = now_us + UINT64_C(24 * 3600000000); now_us < end_us; passes++) {
        now_us = held_due_us(&h);
        for (unsigned i = 0; i < HELD_MAX; i++) {
            memcpy(ref, &i, sizeof i);
            if (held_has(&h, ref, now_us))
                continue;
            assert_true(held_add(&h, ref, peer, &rng, now_us));
            assert_true(held_has(&h, ref, now_us + peer.least_us - 1));
            assert_false(held_has(&h, ref, now_us + peer.most_us));
        }
    }
    assert_in_range(passes, 24, 500);
    held_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_from_least_to_most),
        cmocka_unit_test(waits_without_randomness_too),
        cmocka_unit_test(held_references_wait_for_their_pass),
        cmocka_unit_test(held_references_come_due_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
