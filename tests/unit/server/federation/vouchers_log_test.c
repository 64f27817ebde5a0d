/* Which keys of a peer's vouchers its log lets us use: those of the newest version, which were
 * there a window before their week, or in the log's first two windows. */
#include "pass/key_rules.h"
#include "pass/redeem.h"
#include "pass/voucher.h"
#include "seal/system_keys.h"
#include "server/federation/inside.h"
#include "support/test.h"

enum { WEEK = 2976, CLASS = 2, WINDOW_S = PASS_DAY_S, OLD_S = 20 * PASS_WEEK_S };
static const uint64_t now_s = (uint64_t)WEEK * PASS_WEEK_S + 3 * PASS_DAY_S;

/* Keys of one class for `count` weeks from `week` on; the first byte of each is its week's. */
static void shown(struct voucher_keys *keys, uint32_t week, size_t count, uint8_t kind)
{
    *keys = (struct voucher_keys){.count = count};
    for (size_t i = 0; i < count; i++) {
        keys->keys[i].class = CLASS;
        keys->keys[i].week = week + (uint32_t)i;
        memset(keys->keys[i].spki, kind + (int)(week + i) % 50, sizeof keys->keys[i].spki);
    }
}

static void value_of(struct buf *b, const struct voucher_keys *keys)
{
    struct pass_directory_key rows[VOUCHER_KEYS_MOST];
    struct buf directory = BUF_INIT;
    for (size_t i = 0; i < keys->count; i++) {
        rows[i] = (struct pass_directory_key){
            .token_type = PASS_TYPE_VOUCHER,
            .class = keys->keys[i].class,
            .period = keys->keys[i].week,
            .public_key = bytes_of(keys->keys[i].spki, sizeof keys->keys[i].spki)};
        assert_true(pass_key_interval(PASS_TYPE_VOUCHER, rows[i].period, &rows[i].not_before,
                                      &rows[i].not_after));
    }
    assert_ok(pass_directory_write(&directory, bytes_str("b.test"), rows, keys->count));
    const struct system_key key = {.use = SYSTEM_USE_TOKENS, .key = buf_view(&directory)};
    system_key_write(b, &key);
    assert_ok(buf_check(b));
    buf_clear(&directory);
}

/* A log: since when each version of its label is there. Its distinguished entries are each window.
 */
struct past_log {
    uint64_t first_s;
    const struct voucher_keys *keys; /* of the only version; NULL: none */
    uint64_t since_s;
    unsigned asked;
};

static void answer(struct past_log *log, uint64_t at_s, struct buf *value,
                   struct kt_sight *ret_sight)
{
    const uint64_t windows = at_s > log->first_s ? (at_s - log->first_s) / WINDOW_S : 0;
    const uint64_t entry_s = log->first_s + windows * WINDOW_S;
    log->asked++;
    value->len = 0;
    *ret_sight = (struct kt_sight){.index = 1 + windows, .at_ms = entry_s * 1000};
    ret_sight->exists = log->keys != NULL && log->since_s <= entry_s;
    if (ret_sight->exists)
        value_of(value, log->keys);
    ret_sight->value = buf_view(value);
}

/* All that logged.c asks, of a log whose newest version is `newest`. */
static void hold(struct voucher_keys *keys, const struct voucher_keys *newest,
                 const struct voucher_keys *before, struct past_log *log)
{
    struct voucher_past past = {.window_s = WINDOW_S};
    struct kt_sight sight;
    struct buf value = BUF_INIT;
    uint64_t at_s;
    if (newest != NULL)
        value_of(&value, newest);
    vouchers_begin(keys, before);
    vouchers_in_newest(keys, buf_view(&value), now_s);
    while (vouchers_ask(keys, &past, now_s, &at_s)) {
        assert_true(log->asked < 10 && at_s <= now_s);
        answer(log, at_s, &value, &sight);
        vouchers_seen(keys, &past, &sight, now_s);
    }
    buf_clear(&value);
}

/* 0: not there, 1: pending, 2: used */
static int state_of(const struct voucher_keys *keys, uint32_t week)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].week == week)
            return keys->keys[i].pending ? 1 : 2;
    return 0;
}

static void in_time(void **state)
{
    (void)state;
    struct voucher_keys keys, real;
    shown(&real, WEEK - 1, 3, 1);
    shown(&keys, WEEK - 1, 3, 1);
    struct past_log log = {
        .first_s = now_s - OLD_S, .keys = &real, .since_s = now_s - 4 * PASS_WEEK_S};
    hold(&keys, &real, NULL, &log);
    assert_false(keys.refused);
    assert_int_equal(state_of(&keys, WEEK - 1), 0); /* over: its day was two days ago */
    assert_int_equal(state_of(&keys, WEEK), 2);
    /* next week's was there, too, which is what counts, at whatever moment that was seen */
    assert_int_equal(state_of(&keys, WEEK + 1), 2);
    /* what was proved is not asked for again */
    struct voucher_keys again;
    struct past_log asked_no_more = log;
    shown(&again, WEEK, 2, 1);
    asked_no_more.asked = 0;
    hold(&again, &real, &keys, &asked_no_more);
    assert_int_equal(asked_no_more.asked, 0);
    assert_int_equal(state_of(&again, WEEK), 2);
}

/* It is in the log, but not a window before its week: who put it there did so for somebody. */
static void too_late(void **state)
{
    (void)state;
    struct voucher_keys keys, real;
    shown(&real, WEEK, 2, 1);
    shown(&keys, WEEK, 2, 1);
    struct past_log log = {.first_s = now_s - OLD_S,
                           .keys = &real,
                           .since_s = (uint64_t)WEEK * PASS_WEEK_S - WINDOW_S / 2};
    hold(&keys, &real, NULL, &log);
    assert_true(keys.refused);
    assert_int_equal(state_of(&keys, WEEK), 0);
    assert_int_equal(state_of(&keys, WEEK + 1), 1); /* its moment is to come */
}

/* In a log that is young it suffices to be there; when it is not any more, to have been there then.
 */
static void young_log(void **state)
{
    (void)state;
    struct voucher_keys keys, real;
    shown(&real, WEEK, 1, 1);
    shown(&keys, WEEK, 1, 1);
    struct past_log log = {
        .first_s = now_s - WINDOW_S, .keys = &real, .since_s = now_s - WINDOW_S / 2};
    hold(&keys, &real, NULL, &log);
    assert_int_equal(state_of(&keys, WEEK), 2);
    log = (struct past_log){.first_s = now_s - 5 * WINDOW_S / 2,
                            .keys = &real,
                            .since_s = now_s - 5 * WINDOW_S / 2 + 60};
    shown(&keys, WEEK, 1, 1);
    hold(&keys, &real, NULL, &log);
    assert_int_equal(state_of(&keys, WEEK), 2);
    log.since_s = log.first_s + 2 * WINDOW_S + 60;
    log.asked = 0;
    shown(&keys, WEEK, 1, 1);
    hold(&keys, &real, NULL, &log);
    assert_true(keys.refused);
    assert_int_equal(state_of(&keys, WEEK), 0);
}

/* Not in the newest version, or there is none. */
static void keys_of_ones_own(void **state)
{
    (void)state;
    struct voucher_keys keys, real;
    shown(&real, WEEK, 2, 1);
    shown(&keys, WEEK, 2, 60);
    struct past_log log = {.first_s = now_s - OLD_S, .keys = &real, .since_s = now_s - OLD_S};
    hold(&keys, &real, NULL, &log);
    assert_true(keys.refused);
    assert_int_equal(keys.count, 0);
    shown(&keys, WEEK, 2, 1);
    log.keys = NULL;
    hold(&keys, NULL, NULL, &log);
    assert_true(keys.refused);
    assert_int_equal(keys.count, 0);
    /* one that is proved in a past that the newest version has dropped is no excuse either */
    struct voucher_keys proved;
    shown(&proved, WEEK, 1, 60);
    shown(&keys, WEEK, 1, 60);
    log.keys = &proved;
    hold(&keys, &real, &proved, &log);
    assert_true(keys.refused);
    assert_int_equal(keys.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_time), cmocka_unit_test(too_late),
                                       cmocka_unit_test(young_log),
                                       cmocka_unit_test(keys_of_ones_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
