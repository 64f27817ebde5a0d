#include "support/test.h"
#include "tlog/ladder.h"

/* The examples of transparency.md 8, whole. */
static void test_examples(void **state)
{
    (void)state;
    static const struct {
        uint32_t t;
        size_t count;
        uint32_t at[16];
    } cases[] = {
        {0, 2, {0, 1}},
        {1, 4, {0, 1, 3, 2}},
        {2, 4, {0, 1, 3, 2}},
        {5, 6, {0, 1, 3, 7, 5, 6}},
        {20, 10, {0, 1, 3, 7, 15, 31, 23, 19, 21, 20}},
        {100, 14, {0, 1, 3, 7, 15, 31, 63, 127, 95, 111, 103, 99, 101, 100}},
        {LADDER_NONE, 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct version_ladder ladder;
        ladder_base(cases[i].t, &ladder);
        assert_int_equal(ladder.count, cases[i].count);
        assert_memory_equal(ladder.at, cases[i].at, ladder.count * sizeof *ladder.at);
    }
}

/* base_ladder(t) holds t and t + 1, nothing twice, and stays within its room. */
static void check_base(uint32_t t)
{
    struct version_ladder ladder;
    ladder_base(t, &ladder);
    assert_true(ladder.count <= LADDER_MAX);
    assert_true(ladder_has(&ladder, t) && ladder_has(&ladder, t + 1));
    for (size_t i = 0; i < ladder.count; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(ladder.at[i], ladder.at[j]);
}

static void test_base(void **state)
{
    (void)state;
    for (uint32_t t = 0; t < 3000; t++)
        check_base(t);
    for (unsigned bit = 12; bit < 32; bit++) {
        check_base((1u << bit) - 2);
        check_base((1u << bit) - 1);
        check_base(1u << bit);
    }
    check_base(LADDER_VERSION_MAX);
    check_base(LADDER_VERSION_MAX - 1);
}

/* What the security of the log rests on: the walks in trees of greatest versions n and t, n != t,
 * agree until a lookup that both make and answer differently; and it lies between the two. */
static void test_intersection(void **state)
{
    (void)state;
    for (uint32_t t = 0; t < 130; t++) {
        struct version_ladder base, monitor;
        ladder_base(t, &base);
        ladder_monitor(t, &monitor);
        for (size_t i = 0; i < monitor.count; i++)
            assert_true(monitor.at[i] <= t);
        for (uint32_t m = 0; m <= 130; m++) {
            uint32_t n = m == 130 ? LADDER_NONE : m;
            struct version_ladder search;
            ladder_search(t, n, &search);
            for (size_t i = 0; i < search.count; i++)
                assert_int_equal(search.at[i], base.at[i]);
            uint32_t last = search.at[search.count - 1];
            if (n == t)
                assert_int_equal(search.count, base.count);
            else if (n == LADDER_NONE || n < t)
                assert_true(last <= t && (n == LADDER_NONE || last > n));
            else
                assert_true(last > t && last <= n);
        }
    }
}

/* Whoever answers a walk with lies comes to an end, too. */
static void test_walk_ends(void **state)
{
    (void)state;
    for (uint32_t answers = 0; answers < 4096; answers++) {
        struct ladder_walk walk;
        size_t steps = 0;
        for (ladder_walk_begin(&walk); !walk.done; steps++) {
            bool present = steps < 12 ? answers >> steps & 1 : steps % 3 != 0;
            assert_true(walk.version <= UINT32_MAX);
            ladder_walk_step(&walk, present);
        }
        assert_true(steps <= LADDER_MAX);
    }
    struct ladder_walk walk;
    size_t steps = 0;
    for (ladder_walk_begin(&walk); !walk.done; steps++)
        ladder_walk_step(&walk, true);
    assert_int_equal(steps, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_intersection),
        cmocka_unit_test(test_walk_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
