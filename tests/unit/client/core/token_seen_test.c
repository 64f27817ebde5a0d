/* Since when a homeserver's token keys are in its log, against the whole server: who is new, and a
 * key that slips in late (ME6). */
#include "client/core/token_seen.h"
#include "pass/directory.h"
#include "unit/client/core/token_people.h"

/* A homeserver that gives everybody from some moment on another key for a day than before: its
 * queues' for its groups', so that it is a good one. */
static uint32_t special_day; /* 0: honest */
struct keeper;
struct err __real_keeper_token_public(struct keeper *keeper, uint8_t class, uint32_t period,
                                      uint8_t *ret_key);
struct err __wrap_keeper_token_public(struct keeper *keeper, uint8_t class, uint32_t period,
                                      uint8_t *ret_key);

struct err __wrap_keeper_token_public(struct keeper *keeper, uint8_t class, uint32_t period,
                                      uint8_t *ret_key)
{
    if (period == special_day && class == PASS_DELIVERY)
        class = PASS_QUEUE;
    return __real_keeper_token_public(keeper, class, period, ret_key);
}

static struct err window_run(struct core *c, struct db_txn *t, void *arg)
{
    struct log log;
    (void)c;
    TRY(log_get(t, TOWN_DOMAIN, &log));
    *(uint64_t *)arg = log.view.config.window_ms;
    log_clear(&log);
    return ERR_OK;
}

struct judged {
    uint8_t class;
    uint32_t period;
    enum token_verdict verdict;
};

static struct err judge_run(struct core *c, struct db_txn *t, void *arg)
{
    struct judged *j = arg;
    struct pass_sighting sighting;
    uint64_t ask_s;
    return token_seen_judge(t, TOWN_DOMAIN, PASS_TYPE_TOKEN, j->class, j->period,
                            core_now_ms(c) / 1000, &j->verdict, &sighting, &ask_s);
}

static enum token_verdict judge_of(struct person *p, uint8_t class, uint32_t period)
{
    struct judged j = {.class = class, .period = period};
    assert_ok(core_look(p->core, judge_run, &j));
    return j.verdict;
}

static uint64_t now_ms_of(const struct person *p)
{
    return core_now_ms(p->core);
}

/* To so long before the next midnight. */
static void live_until(struct person *p, uint64_t before_midnight_ms)
{
    const uint64_t left = DAY_MS - now_ms_of(p) % DAY_MS;
    live_ms(p, left > before_midnight_ms ? left - before_midnight_ms
                                         : left + DAY_MS - before_midnight_ms);
}

/* A world whose log is some days old, and one who was there all the time. */
static struct person *days_old(struct people *all, uint64_t seed, uint64_t *ret_window_ms)
{
    struct person *alice = begin(all, seed, true);
    special_day = 0;
    live_ms(alice, 2 * (uint64_t)DAY_MS);
    assert_ok(core_look(alice->core, window_run, ret_window_ms));
    assert_in_range(*ret_window_ms, 1000, DAY_MS / 2);
    return alice;
}

/* Who is new sees in the log that the day's keys were there in time, and has tokens at once. */
static void test_new_in_old_log(void **state)
{
    static struct people all;
    uint64_t window_ms;
    (void)state;
    struct person *alice = days_old(&all, 7, &window_ms);
    struct person *bob = person_new(&all, "bob");
    person_register(bob, NULL);
    person_settle(bob);
    people_run_ms(&all, 5 * 60 * 1000);
    person_settle(bob);
    for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++) {
        if (class == PASS_TRANSPARENCY)
            continue; /* what pays for looking */
        assert_true(count_of(bob, (uint8_t) class) >= TOKEN_GRANT - 16);
        assert_int_equal(judge_of(bob, (uint8_t) class, token_day(bob->core)), TOKEN_KEY_GOOD);
        assert_int_equal(judge_of(alice, (uint8_t) class, token_day(bob->core)), TOKEN_KEY_GOOD);
    }
    assert_int_equal(person_count_events(bob, HEARTH_EVENT_UNVERIFIED), 0);
    people_close(&all);
}

/* A key that comes into the log half a window before its day: in the log, the same for everybody,
 * and nobody takes it. Who is new knows by what the log held before; who was there, by the key that
 * he knows. (Control: the same key a day before that would have been good, the next test.) */
static void test_late_key(void **state)
{
    static struct people all;
    uint64_t window_ms;
    (void)state;
    struct person *alice = days_old(&all, 8, &window_ms);
    live_until(alice, window_ms / 2);
    const uint32_t tomorrow = (uint32_t)(now_ms_of(alice) / DAY_MS) + 1;
    special_day = tomorrow;
    town_kill_server(all.town, TOWN_DOMAIN);
    struct person *bob = person_new(&all, "bob");
    person_register(bob, NULL);
    person_settle(bob);
    live_ms(bob, 2 * window_ms);
    assert_int_equal(judge_of(bob, PASS_DELIVERY, tomorrow), TOKEN_KEY_LATE);
    assert_int_equal(judge_of(bob, PASS_AUTH, tomorrow), TOKEN_KEY_GOOD);
    assert_int_equal(pile_of(bob, PASS_DELIVERY, tomorrow), -1);
    assert_true(pile_of(bob, PASS_AUTH, tomorrow) > 0);
    assert_true(person_count_events(bob, HEARTH_EVENT_UNVERIFIED) > 0);
    assert_true(person_count_events(alice, HEARTH_EVENT_UNVERIFIED) > 0);
    special_day = 0;
    people_close(&all);
}

/* Two days before, everybody can see it in time. */
static void test_key_in_time(void **state)
{
    static struct people all;
    uint64_t window_ms;
    (void)state;
    struct person *alice = days_old(&all, 9, &window_ms);
    live_until(alice, window_ms / 2);
    const uint32_t then = (uint32_t)(now_ms_of(alice) / DAY_MS) + 3;
    special_day = then;
    town_kill_server(all.town, TOWN_DOMAIN);
    struct person *bob = person_new(&all, "bob");
    person_register(bob, NULL);
    person_settle(bob);
    live_ms(bob, 2 * window_ms);
    assert_int_equal(judge_of(bob, PASS_DELIVERY, then), TOKEN_KEY_GOOD);
    special_day = 0;
    people_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_in_old_log),
        cmocka_unit_test(test_late_key),
        cmocka_unit_test(test_key_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
