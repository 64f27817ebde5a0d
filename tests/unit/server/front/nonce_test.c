/* Nonces: never twice within the time, never one forgotten for another, and apart by caller. */
#include "server/front/nonce_table.h"
#include "support/test.h"

static struct rng_seeded seeded;
static struct rng rng;
static struct nonce_table table;
static uint32_t room;

static void open_table(uint32_t most)
{
    rng_seeded_init(&seeded, 5);
    rng = rng_of_seeded(&seeded);
    room = most;
    assert_ok(nonce_table_init(&table, &rng));
}

static struct err take(uint64_t nonce, uint64_t now_s)
{
    return nonce_table_take(&table, BYTES_LIST(bytes_str("id"), bytes_of(&nonce, sizeof nonce)),
                            room, now_s * 1000000, 120);
}

static void refused_for_the_whole_time(void **state)
{
    (void)state;
    open_table(8);
    assert_ok(take(1, 100));
    for (uint64_t s = 100; s <= 220; s++)
        assert_err(take(1, s), FRONT_UNAUTHENTICATED);
    assert_ok(take(1, 221));
    assert_err(take(1, 222), FRONT_UNAUTHENTICATED);
    nonce_table_clear(&table);
}

static void a_full_table_forgets_none(void **state)
{
    (void)state;
    open_table(5);
    for (uint64_t i = 0; i < 5; i++)
        assert_ok(take(i, 100 + i));
    for (uint64_t i = 5; i < 50; i++)
        assert_err(take(i, 110), FRONT_OVERLOAD);
    for (uint64_t i = 0; i < 5; i++)
        assert_err(take(i, 110), FRONT_UNAUTHENTICATED);
    assert_int_equal(nonce_table_count(&table), 5);
    assert_ok(take(50, 221)); /* the first of them has gone */
    assert_err(take(51, 221), FRONT_OVERLOAD);
    assert_err(take(1, 221), FRONT_UNAUTHENTICATED);
    nonce_table_clear(&table);
}

static void callers_are_apart(void **state)
{
    (void)state;
    open_table(8);
    struct bytes a = bytes_str("a"), ab = bytes_str("ab"), b = bytes_str("b"), none = {0};
    assert_ok(nonce_table_take(&table, BYTES_LIST(a, b), room, 0, 120));
    assert_ok(nonce_table_take(&table, BYTES_LIST(b, a), room, 0, 120));
    assert_ok(nonce_table_take(&table, BYTES_LIST(ab, none), room, 0, 120));
    assert_ok(nonce_table_take(&table, BYTES_LIST(none, ab), room, 0, 120));
    assert_err(nonce_table_take(&table, BYTES_LIST(a, b), room, 0, 120), FRONT_UNAUTHENTICATED);
    nonce_table_clear(&table);
}

/* Against a plain list of all that were taken, over a small table and a long time. */
static void like_a_model(void **state)
{
    (void)state;
    enum { MOST = 50, KINDS = 80, STEPS = 200000 };
    static uint64_t until_s[KINDS];
    memset(until_s, 0, sizeof until_s);
    open_table(MOST);
    uint64_t now_s = 1000;
    for (int i = 0; i < STEPS; i++) {
        uint64_t nonce = rng_seeded_next(&seeded) % KINDS;
        now_s += rng_seeded_next(&seeded) % 4;
        unsigned alive = 0;
        for (int k = 0; k < KINDS; k++)
            alive += until_s[k] >= now_s;
        struct err err = take(nonce, now_s);
        if (until_s[nonce] >= now_s) {
            assert_err(err, FRONT_UNAUTHENTICATED);
        } else if (alive == MOST) {
            assert_err(err, FRONT_OVERLOAD);
        } else {
            assert_ok(err);
            until_s[nonce] = now_s + 120;
        }
    }
    nonce_table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_for_the_whole_time),
        cmocka_unit_test(a_full_table_forgets_none),
        cmocka_unit_test(callers_are_apart),
        cmocka_unit_test(like_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
