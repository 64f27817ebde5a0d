/* The stock of tokens, against the whole server: fetched at the right times, across kills, and with
 * nobody's special key. */
#include <stdlib.h>

#include "client/core/homeserver_inside.h"
#include "client/core/task.h"
#include "pass/directory.h"
#include "pass/redeem.h"
#include "unit/client/core/token_people.h"

/* ---- looking */

static struct err take_run(struct core *c, struct db_txn *t, void *arg)
{
    struct look *l = arg;
    return token_take(c, t, TOWN_DOMAIN, l->class, l->count, &l->tokens, &l->wait_ms);
}

static struct err turn_on(struct core *c, struct db_txn *t, void *arg)
{
    (void)arg;
    TRY(token_facts_set(t, TOWN_DOMAIN, true));
    return token_plan(c, t);
}

/* ---- */

/* Where tokens cost nothing none are fetched; then the grant, which rests before it is spent. */
static void test_grant(void **state)
{
    static struct people all;
    (void)state;
    struct person *alice = begin(&all, 1, false);
    assert_int_equal(tasks_of_kind(alice->core, TASK_TOKENS), 0);
    assert_int_equal(count_of(alice, PASS_DELIVERY), 0);
    person_step(alice, turn_on, NULL);
    person_settle(alice);
    for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++)
        assert_int_equal(count_of(alice, (uint8_t) class), TOKEN_GRANT);
    struct look l = {.class = PASS_AUTH, .count = 16};
    person_step(alice, take_run, &l);
    assert_true(l.wait_ms > 0 && l.wait_ms <= TOKEN_READY_LEAST_MS + TOKEN_READY_MORE_MS);
    assert_int_equal(l.tokens.len, 0);
    people_run_ms(&all, l.wait_ms + 1);
    person_step(alice, take_run, &l);
    assert_int_equal(l.wait_ms, 0);
    assert_int_equal(l.tokens.len, 16 * PASS_SHORT_BYTES);
    assert_int_equal(count_of(alice, PASS_AUTH), TOKEN_GRANT - 16);
    for (size_t i = 0; i < 16; i++) {
        struct pass_short token;
        assert_ok(pass_short_parse(bytes_of(l.tokens.data + i * PASS_SHORT_BYTES, PASS_SHORT_BYTES),
                                   &token));
        assert_int_equal(token.class, PASS_AUTH);
        assert_int_equal(token.period, token_day(alice->core));
    }
    /* all or nothing */
    buf_clear(&l.tokens);
    l.count = TOKEN_GRANT - 15;
    assert_err(core_step(alice->core, take_run, &l), NOT_FOUND);
    assert_int_equal(count_of(alice, PASS_AUTH), TOKEN_GRANT - 16);
    buf_clear(&l.tokens);
    people_close(&all);
}

/* Tomorrow's come today, each class at a moment of its own; who was away gets a grant. */
static void test_days(void **state)
{
    static struct people all;
    uint64_t at[PASS_CLASS_END] = {0};
    (void)state;
    struct person *alice = begin(&all, 2, true);
    person_step(alice, turn_on, NULL);
    person_settle(alice);
    const uint32_t today = token_day(alice->core);
    for (uint64_t ms = 0; ms < DAY_MS; ms += 600 * 1000) {
        people_run_ms(&all, 600 * 1000);
        for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++)
            if (at[class] == 0 && pile_of(alice, (uint8_t) class, today + 1) > 0) {
                at[class] = ms + 1;
                assert_true(token_day(alice->core) <= today + 1);
            }
    }
    bool differ = false;
    for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++) {
        assert_int_not_equal(at[class], 0);
        const int most = pile_of(alice, (uint8_t) class, today + 1); /* a new user's most */
        assert_in_range(most, class == PASS_TRANSPARENCY ? 1 : TOKEN_GRANT, TOKEN_GRANT);
        differ |= at[class] != at[PASS_DELIVERY];
    }
    assert_true(differ);
    /* today's are spent before yesterday's, which are spent when there are no others */
    struct look l = {.class = PASS_QUEUE, .count = TOKEN_GRANT + 1};
    struct pass_short token;
    person_step(alice, take_run, &l);
    assert_ok(pass_short_parse(bytes_of(l.tokens.data, PASS_SHORT_BYTES), &token));
    assert_int_equal(token.period, today + 1);
    assert_ok(pass_short_parse(
        bytes_of(l.tokens.data + (size_t)TOKEN_GRANT * PASS_SHORT_BYTES, PASS_SHORT_BYTES),
        &token));
    assert_int_equal(token.period, today);
    buf_clear(&l.tokens);
    /* away */
    person_stop(alice);
    town_sleep_days(all.town, 5);
    person_start(alice);
    person_settle(alice);
    assert_int_equal(token_day(alice->core), today + 6);
    assert_int_equal(count_of(alice, PASS_QUEUE), TOKEN_GRANT);
    assert_int_equal(pile_of(alice, PASS_QUEUE, today + 6), TOKEN_GRANT);
    people_close(&all);
}

/* ---- kills */

static int by_nonce(const void *a, const void *b)
{
    return memcmp(a, b, PASS_SHORT_BYTES);
}

/* Takes some, across kills, and keeps what was committed. */
static void take_some(struct person *p, uint8_t class, struct buf *all)
{
    struct look l = {.class = class, .count = 3};
    struct err err = core_step(p->core, take_run, &l);
    if (err_is_ok(err) && !p->killed)
        buf_append_bytes(all, buf_view(&l.tokens));
    buf_clear(&l.tokens);
    person_alive(p);
}

/* Killed with each step of the first days: nothing is there twice, and no allowance is passed over
 * (the server would refuse, and the stock stay empty). */
static void test_kills(void **state)
{
    unsigned lives = 0;
    (void)state;
    for (unsigned at = 1; at <= 16; at++) {
        static struct people all;
        struct buf seen = BUF_INIT;
        struct person *alice = begin(&all, 50 + at, false);
        person_kill_at(alice, at);
        (void)core_step(alice->core, turn_on, NULL).code;
        person_alive(alice);
        live_ms(alice, 600 * 1000);
        person_step(alice, turn_on, NULL);
        person_settle(alice);
        people_run_ms(&all, 60 * 1000);
        assert_int_equal(count_of(alice, PASS_DELIVERY), TOKEN_GRANT);
        person_kill_at(alice, 1 + at % 3);
        for (int i = 0; i < 8; i++)
            take_some(alice, PASS_DELIVERY, &seen);
        assert_true(seen.len >= (size_t)7 * 3 * PASS_SHORT_BYTES);
        const size_t n = seen.len / PASS_SHORT_BYTES;
        qsort(seen.data, n, PASS_SHORT_BYTES, by_nonce);
        for (size_t i = 1; i < n; i++)
            assert_int_not_equal(
                by_nonce(seen.data + (i - 1) * PASS_SHORT_BYTES, seen.data + i * PASS_SHORT_BYTES),
                0);
        assert_in_range(count_of(alice, PASS_DELIVERY), TOKEN_GRANT - 24, TOKEN_GRANT - 21);
        lives += alice->lives;
        buf_clear(&seen);
        people_close(&all);
    }
    assert_true(lives > 32); /* kills did happen */
}

/* ---- answers that don't verify */

static size_t damage; /* of answers: none at 0, else a bit behind this many bytes */
struct err __real_pass_order_finish(const struct pass_order *order, struct bytes response,
                                    struct pass_coin *ret_coins);
struct err __wrap_pass_order_finish(const struct pass_order *order, struct bytes response,
                                    struct pass_coin *ret_coins);

struct err __wrap_pass_order_finish(const struct pass_order *order, struct bytes response,
                                    struct pass_coin *ret_coins)
{
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, response);
    assert_ok(buf_check(&b));
    if (damage > 0)
        b.data[damage < b.len ? damage : b.len - 1] ^= 1;
    struct err err = __real_pass_order_finish(order, buf_view(&b), ret_coins);
    buf_clear(&b);
    return err;
}

/* A token or the proof made under another key than the one that all others have: nothing of it is
 * kept, and people hear of it. */
static void test_wrong_proof(void **state)
{
    static struct people all;
    (void)state;
    struct person *alice = begin(&all, 4, true);
    for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++)
        assert_in_range(count_of(alice, (uint8_t) class),
                        class == PASS_QUEUE          ? TOKEN_GRANT - 16
                        : class == PASS_TRANSPARENCY ? 1 /* the log costs some, too */
                                                     : TOKEN_GRANT,
                        TOKEN_GRANT);
    (void)person_count_events(alice, HEARTH_EVENT_UNVERIFIED);
    damage = SIZE_MAX; /* the end of the proof */
    live_ms(alice, DAY_MS);
    damage = 0;
    assert_true(person_count_events(alice, HEARTH_EVENT_UNVERIFIED) >= PASS_CLASS_END - 1);
    for (unsigned class = PASS_DELIVERY; class < PASS_CLASS_END; class ++)
        assert_int_equal(pile_of(alice, (uint8_t) class, token_day(alice->core)), -1);
    people_close(&all);
}

/* ---- keys */

struct forged {
    struct buf directory;
    uint8_t issuer_wrong;
};

static struct err forged_take(struct core *c, struct db_txn *t, void *arg)
{
    struct forged *f = arg;
    return token_directory_take(c, t, TOWN_DOMAIN, buf_view(&f->directory));
}

static struct err copy_directory(struct core *c, struct db_txn *t, void *arg)
{
    struct forged *f = arg;
    struct token_facts facts;
    (void)c;
    TRY(token_facts_get(t, TOWN_DOMAIN, &facts));
    buf_append_bytes(&f->directory, buf_view(&facts.directory));
    token_facts_clear(&facts);
    return buf_check(&f->directory);
}

/* A key of one's own for a client that knows another one already, or under another name. */
static void test_special_key(void **state)
{
    static struct people all;
    struct forged f = {0};
    struct pass_directory parsed;
    (void)state;
    struct person *alice = begin(&all, 3, false);
    person_step(alice, copy_directory, &f);
    assert_ok(pass_directory_parse(buf_view(&f.directory), &parsed));
    assert_true(parsed.count >= 15);
    person_step(alice, forged_take, &f); /* as it is */
    f.directory.data[f.directory.len - 1] ^= 1;
    assert_err(core_step(alice->core, forged_take, &f), PASS_KEY_UNKNOWN);
    f.directory.data[f.directory.len - 1] ^= 1;
    f.directory.data[2] ^= 1; /* the issuer */
    assert_err(core_step(alice->core, forged_take, &f), PASS_KEY_UNKNOWN);
    f.directory.data[2] ^= 1;
    f.directory.len -= 1;
    assert_false(err_is_ok(core_step(alice->core, forged_take, &f)));
    f.directory.len += 1;
    person_step(alice, forged_take, &f);
    buf_clear(&f.directory);
    people_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grant),       cmocka_unit_test(test_days),
        cmocka_unit_test(test_kills),       cmocka_unit_test(test_wrong_proof),
        cmocka_unit_test(test_special_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
