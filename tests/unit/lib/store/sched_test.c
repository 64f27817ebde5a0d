/* Fair order: who floods delays others by a bounded number of rows. */
#include "base/rng.h"
#include "store/sched.h"
#include "store/store.h"
#include "support/test.h"

enum { JOBS = 4000 };

static struct sched_entry entries[JOBS];

static void flood_delays_another_by_a_bounded_number_of_rows(void **state)
{
    (void)state;
    enum { FLOODERS = 10, FLOOD_COST = 40 };
    struct sched s;
    assert_ok(sched_init(&s, JOBS, JOBS));
    unsigned used = 0;
    for (unsigned i = 0; i < 300; i++)
        for (uint64_t flooder = 1; flooder <= FLOODERS; flooder++) {
            entries[used] = (struct sched_entry){.principal = flooder, .cost = FLOOD_COST};
            assert_ok(sched_push(&s, &entries[used++]));
        }
    for (int round = 0; round < 50; round++) {
        entries[used] = (struct sched_entry){.principal = 99, .cost = 1};
        assert_ok(sched_push(&s, &entries[used]));
        uint64_t rows_before = 0;
        for (;;) {
            struct sched_entry *e = sched_pop(&s);
            assert_non_null(e);
            if (e == &entries[used])
                break;
            rows_before += e->cost;
        }
        /* plain FIFO would make it wait for 120,000 rows */
        assert_true(rows_before <= (uint64_t)FLOODERS * (SCHED_QUANTUM_ROWS + FLOOD_COST));
        used++;
    }
    sched_clear(&s);
}

static void shares_are_equal_in_rows_not_in_jobs(void **state)
{
    (void)state;
    struct sched s;
    assert_ok(sched_init(&s, JOBS, JOBS));
    /* one asks for big jobs, one for small ones, both all the time */
    static const uint32_t costs[2] = {200, 3};
    uint64_t rows[2] = {0, 0};
    unsigned used = 0;
    for (unsigned i = 0; i < 1900; i++) {
        entries[used] = (struct sched_entry){.principal = i % 2, .cost = costs[i % 2]};
        assert_ok(sched_push(&s, &entries[used++]));
    }
    while (rows[1] < 2700) {
        struct sched_entry *e = sched_pop(&s);
        assert_non_null(e);
        rows[e->principal] += e->cost;
        uint64_t apart = rows[0] > rows[1] ? rows[0] - rows[1] : rows[1] - rows[0];
        assert_true(apart <= SCHED_QUANTUM_ROWS + 200);
    }
    sched_clear(&s);
}

static void order_within_a_principal_stays_and_nothing_is_lost(void **state)
{
    (void)state;
    struct sched s;
    struct rng_seeded rng;
    rng_seeded_init(&rng, 3);
    assert_ok(sched_init(&s, 500, 50));
    static uint64_t pushed_of[64], popped_of[64];
    memset(pushed_of, 0, sizeof pushed_of);
    memset(popped_of, 0, sizeof popped_of);
    unsigned used = 0, popped = 0, refused = 0;
    while (used < JOBS || popped < used) {
        if (used < JOBS && rng_seeded_next(&rng) % 9 < 5) {
            uint64_t principal = rng_seeded_next(&rng) % (rng_seeded_next(&rng) % 64 + 1);
            entries[used] = (struct sched_entry){
                .principal = principal,
                .cost = 1 + (uint32_t)(rng_seeded_next(&rng) % STORE_COST_MAX)};
            struct err err = sched_push(&s, &entries[used]);
            if (!err_is_ok(err)) {
                assert_err(err, STORE_QUEUE_FULL);
                assert_true(s.waiting == 500 || pushed_of[principal] - popped_of[principal] == 50);
                refused++;
            } else {
                pushed_of[principal]++;
                used++;
                continue;
            }
        }
        struct sched_entry *e = sched_pop(&s);
        if (e == NULL)
            continue;
        popped++;
        popped_of[e->principal]++;
        static struct sched_entry *last_of[64];
        if (popped_of[e->principal] == 1)
            last_of[e->principal] = NULL;
        assert_true(last_of[e->principal] == NULL || last_of[e->principal] < e);
        last_of[e->principal] = e;
    }
    assert_int_equal(popped, JOBS);
    assert_int_equal(s.waiting, 0);
    assert_null(sched_pop(&s));
    assert_true(refused > 0);
    sched_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_delays_another_by_a_bounded_number_of_rows),
        cmocka_unit_test(shares_are_equal_in_rows_not_in_jobs),
        cmocka_unit_test(order_within_a_principal_stays_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
