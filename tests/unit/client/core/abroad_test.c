/* Tokens of another homeserver ahead of need: somebody of b.test who has a chat at a.test. */
#include "client/core/token.h"
#include "unit/client/core/friends.h"

static struct err abroad_run(struct core *c, struct db_txn *t, void *arg)
{
    uint32_t *counts = arg; /* of today and tomorrow */
    struct token_pile pile;
    for (uint32_t ahead = 0; ahead < 2; ahead++) {
        struct err err = token_pile_get(t, TOWN_DOMAIN, PASS_DELIVERY, token_day(c) + ahead, &pile);
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
        counts[ahead] = err_is_ok(err) ? (uint32_t)(pile.end - pile.next) : 0;
    }
    return ERR_OK;
}

/* Who used another homeserver's today has tomorrow's before tomorrow, bought at some moment of
 * today; what he then says there costs no waiting and no voucher. */
static void test_abroad_ahead(void **state)
{
    static struct pair p;
    uint32_t before[2], after[2] = {0};
    (void)state;
    memset(&p, 0, sizeof p);
    people_init_two(&p.all, 7);
    town_tokens(p.all.town);
    town_vouchers(p.all.town, TOWN_OTHER);
    pair_register(&p, TOWN_OTHER);
    befriend(&p);
    for (int i = 0; i < 12; i++)
        done(p.bob, hearth_send(&p.bob->account, &p.bob_chat, "from abroad"));
    assert_ok(core_look(p.bob->core, abroad_run, before));
    assert_true(before[0] > 0 && before[0] < PASS_BATCH_MAX); /* bought, and used */
    const uint64_t day_ms = 24 * 3600 * 1000, left_ms = day_ms - core_now_ms(p.bob->core) % day_ms;
    for (uint64_t ms = 0; ms < left_ms; ms += 600 * 1000) {
        people_run_ms(&p.all, 600 * 1000);
        if (core_now_ms(p.bob->core) % day_ms > day_ms - 1200 * 1000)
            break; /* some minutes before midnight */
    }
    assert_ok(core_look(p.bob->core, abroad_run, after));
    assert_int_equal(after[1], PASS_BATCH_MAX);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_abroad_ahead)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
