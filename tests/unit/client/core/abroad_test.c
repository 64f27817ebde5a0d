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

/* To some seconds before midnight; what there is then of tomorrow's. No earlier: they are bought at
 * any moment of what is left of the day, which no seed tells, since RSA keys are the system's. */
static uint32_t tomorrows(struct pair *p)
{
    enum { DAY_MS = 24 * 3600 * 1000, STEP_MS = 600 * 1000, BEFORE_MS = 5000 };
    uint32_t counts[2] = {0};
    for (;;) {
        const uint64_t left_ms = DAY_MS - core_now_ms(p->bob->core) % DAY_MS;
        if (left_ms <= BEFORE_MS)
            break;
        people_run_ms(&p->all, left_ms > STEP_MS + BEFORE_MS ? STEP_MS : left_ms - BEFORE_MS);
    }
    assert_ok(core_look(p->bob->core, abroad_run, counts));
    return counts[1];
}

/* Who used another homeserver's today has tomorrow's before tomorrow, bought at some moment of
 * today; what he then says there costs no waiting and no voucher. On the day after that he has the
 * next ones by that alone: were it for what he does there today, they would come after it. */
static void test_abroad_ahead(void **state)
{
    static struct pair p;
    uint32_t before[2];
    (void)state;
    memset(&p, 0, sizeof p);
    people_init_two(&p.all, 7);
    town_tokens(p.all.town);
    assert_true(town_vouchers(p.all.town, TOWN_OTHER));
    pair_register(&p, TOWN_OTHER);
    befriend(&p);
    for (int i = 0; i < 12; i++)
        done(p.bob, hearth_send(&p.bob->account, &p.bob_chat, "from abroad"));
    assert_ok(core_look(p.bob->core, abroad_run, before));
    assert_true(before[0] > 0 && before[0] < PASS_BATCH_MAX); /* bought, and used */
    assert_int_equal(tomorrows(&p), PASS_BATCH_MAX);
    people_run_ms(&p.all, 3600 * 1000);
    assert_ok(core_look(p.bob->core, abroad_run, before));
    assert_int_equal(before[0], PASS_BATCH_MAX); /* nothing was used today */
    assert_int_equal(tomorrows(&p), PASS_BATCH_MAX);
    people_run_ms(&p.all, 3600 * 1000);
    assert_int_equal(tomorrows(&p), 0); /* he does not go there any more */
    people_close(&p.all);
}

/* The key is fetched, looked for in the log, and then known to who comes again. */
static int key_of_this_week(struct town *town)
{
    int code = town_voucher_key(town, PASS_DELIVERY);
    for (int i = 0; i < 3 && (code == ERR_FEDERATION_KEYS || code == ERR_PASS_KEY); i++) {
        town_run_ms(town, 61 * 1000);
        code = town_voucher_key(town, PASS_DELIVERY);
    }
    return code;
}

static bool a_day_later(struct town *town)
{
    for (int i = 0; i < 24; i++)
        town_run_ms(town, 3600 * 1000);
    return town_vouchers(town, TOWN_OTHER);
}

/* A homeserver takes another one's keys for vouchers from its log: in time, week after week. Who
 * shows it keys of its own is not believed, and its users' vouchers are not exchanged. */
static void test_keys_from_the_log(void **state)
{
    struct town *town = town_new_two(8);
    unsigned made = 0;
    (void)state;
    assert_true(town_vouchers(town, TOWN_OTHER));
    assert_int_equal(key_of_this_week(town), ERR_NONE);
    /* the second week that begins is the first whose keys came when the log was no longer young */
    for (int day = 0; day < 15 && made < 2; day++) {
        made += a_day_later(town);
        assert_int_equal(key_of_this_week(town), ERR_NONE);
    }
    assert_int_equal(made, 2);
    town_free(town);
    town = town_new_two(9);
    town_own_vouchers(town, TOWN_OTHER, true);
    assert_true(town_vouchers(town, TOWN_OTHER));
    assert_int_equal(key_of_this_week(town), ERR_PASS_KEY_UNKNOWN);
    town_own_vouchers(town, TOWN_OTHER, false);
    town_run_ms(town, 61 * 1000);
    (void)key_of_this_week(town);
    town_run_ms(town, 61 * 1000);
    assert_int_equal(key_of_this_week(town), ERR_NONE);
    town_free(town);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_abroad_ahead),
                                       cmocka_unit_test(test_keys_from_the_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
