/* The client against the log of the whole server: what is pinned, searched, held against keys, and
 * watched. */
#include "unit/client/core/logs.h"

/* Registered: our own set and handle are found, and the configuration is pinned. */
static void test_own(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 1);
    struct buf label = user_label(p.alice);
    struct reading r = reading_of(p.alice, buf_view(&label));
    assert_int_equal(r.log.state, LOG_HELD);
    assert_true(r.log.view.size >= 2);
    assert_true(r.l->known.exists);
    assert_int_equal(r.l->known.version, 0);
    assert_false(r.l->bad);
    assert_true(bytes_equal(buf_view(&r.l->value), buf_view(&p.alice->core->account.key_set)));
    assert_true(r.l->own_count > 0);
    reading_end(&r);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    buf_clear(&label);
    people_close(&p.all);
}

/* Friends have looked each other up before they wrote a word. */
static void test_friends(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 2);
    befriend(&p);
    talk(&p, "hello");
    struct buf label = user_label(p.bob);
    struct reading r = reading_of(p.alice, buf_view(&label));
    assert_true(r.l->known.exists && r.l->checked_ms != 0 && !r.l->bad);
    assert_true(bytes_equal(buf_view(&r.l->value), buf_view(&p.bob->core->account.key_set)));
    reading_end(&r);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_LOG), 0);
    buf_clear(&label);
    people_close(&p.all);
}

/* A day of windows: everything is monitored, nobody is alarmed. */
static void test_windows(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 3);
    befriend(&p);
    struct buf own = user_label(p.alice), other = user_label(p.bob), keys = BUF_INIT;
    system_label_write(&keys, "federation");
    struct reading before = reading_of(p.alice, buf_view(&own));
    struct reading keys_before = reading_of(p.alice, buf_view(&keys));
    for (int i = 0; i < 5; i++)
        people_run_ms(&p.all, 6 * 3600 * 1000);
    meet(&p);
    struct reading after = reading_of(p.alice, buf_view(&own));
    assert_true(after.l->watched.index > before.l->watched.index);
    assert_true(after.log.view.size > before.log.view.size);
    assert_false(after.l->known.pending);
    struct reading contact = reading_of(p.alice, buf_view(&other));
    assert_false(contact.l->known.pending);
    struct reading keys_after = reading_of(p.alice, buf_view(&keys));
    assert_true(keys_after.l->checked_ms > keys_before.l->checked_ms + 24 * 3600 * 1000);
    reading_end(&keys_before);
    reading_end(&keys_after);
    buf_clear(&keys);
    reading_end(&before);
    reading_end(&after);
    reading_end(&contact);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_LOG), 0);
    talk(&p, "still friends");
    buf_clear(&own);
    buf_clear(&other);
    people_close(&p.all);
}

/* Who was away for longer than any log keeps what stood in it is told so, once, and watched from
 * there on as ever; who was away for less sees all of it. */
static void test_long_away(void **state)
{
    static struct pair p;
    (void)state;
    for (unsigned days = 50; days <= 75; days += 25) {
        const bool gone = days > 60;
        pair_init(&p, 5);
        befriend(&p);
        people_run_ms(&p.all, 7 * 3600 * 1000);
        meet(&p);
        person_stop(p.alice);
        person_stop(p.bob);
        for (unsigned day = 0; day < days; day++) {
            town_sleep_days(p.all.town, 1);
            town_sweep_logs(p.all.town);
        }
        person_start(p.alice);
        person_start(p.bob);
        meet(&p);
        people_run_ms(&p.all, 7 * 3600 * 1000);
        meet(&p);
        struct buf own = user_label(p.alice);
        struct reading r = reading_of(p.alice, buf_view(&own));
        assert_int_equal(r.l->watched.index, kt_view_newest_dist(&r.log.view)->index);
        assert_false(r.log.distrusted || r.l->bad);
        reading_end(&r);
        buf_clear(&own);
        assert_int_equal(hearth_log_alarms(&p.alice->account), 0);
        /* her set and her handle */
        assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), gone ? 2 : 0);
        people_close(&p.all);
    }
}

/* A homeserver that never had a log is taken at its word, and shown; when it has one, that is
 * pinned, and it can't go back. */
static void test_unlogged(void **state)
{
    static struct pair p;
    (void)state;
    memset(&p, 0, sizeof p);
    people_init(&p.all, 4);
    town_hide_log(p.all.town, "a.test", true);
    p.alice = person_new(&p.all, "alice");
    p.bob = person_new(&p.all, "bob");
    person_register(p.alice, "alice");
    person_register(p.bob, "bob");
    person_settle(p.alice);
    person_settle(p.bob);
    struct reading r = reading_of(p.alice, bytes_of(NULL, 0));
    assert_int_equal(r.log.state, LOG_UNLOGGED);
    reading_end(&r);
    befriend(&p);
    talk(&p, "without a log");
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    /* a day later it has one */
    town_hide_log(p.all.town, "a.test", false);
    town_sleep_days(p.all.town, 2);
    meet(&p);
    r = reading_of(p.alice, bytes_of(NULL, 0));
    assert_int_equal(r.log.state, LOG_HELD);
    assert_false(r.log.distrusted);
    reading_end(&r);
    talk(&p, "with a log");
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    /* and denies it */
    town_hide_log(p.all.town, "a.test", true);
    assert_true(hearth_log_monitor(&p.alice->account));
    person_settle(p.alice);
    assert_true(person_count_events(p.alice, HEARTH_EVENT_LOG) > 0);
    r = reading_of(p.alice, bytes_of(NULL, 0));
    assert_true(r.log.state == LOG_HELD && r.log.distrusted);
    reading_end(&r);
    struct hearth_op *op = hearth_send(&p.alice->account, &p.alice_chat, "can't be said");
    assert_int_equal(person_op(p.alice, op), HEARTH_UNVERIFIED);
    assert_string_equal(p.alice->error.name, "CLIENT_LOG");
    /* until she decides to go on */
    town_hide_log(p.all.town, "a.test", false);
    assert_true(hearth_log_accept(&p.alice->account, "a.test"));
    person_settle(p.alice);
    talk(&p, "all the same");
    people_close(&p.all);
}

/* A log that nobody hears of for longer than its window and an hour is an alarm, once, and no
 * longer when it is back. */
static void test_overdue(void **state)
{
    enum { HOUR_MS = 3600 * 1000 };
    static struct pair p;
    struct reading r = {.domain = "b.test"};
    (void)state;
    pair_init_two(&p, 8);
    people_run_ms(&p.all, 6 * HOUR_MS);
    meet(&p);
    town_stop_server(p.all.town, TOWN_OTHER);
    people_run_ms(&p.all, HOUR_MS / 2);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_LOG), 0); /* too early to tell */
    people_run_ms(&p.all, 8 * HOUR_MS);
    assert_ok(core_look(p.bob->core, read_log_rows, &r));
    assert_true(r.log.overdue);
    assert_false(r.log.distrusted);
    reading_end(&r);
    people_run_ms(&p.all, 12 * HOUR_MS);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_LOG), 1);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    town_start_server(p.all.town, TOWN_OTHER);
    people_run_ms(&p.all, 6 * HOUR_MS);
    meet(&p);
    assert_ok(core_look(p.bob->core, read_log_rows, &r));
    assert_false(r.log.overdue);
    reading_end(&r);
    assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_LOG), 0); /* no further one */
    people_close(&p.all);
}

/* ---- keys that were not in the log, and are */

struct keys_now {
    bool bad;
    struct err gate;
};

static struct err look_keys(struct core *c, struct db_txn *t, void *arg)
{
    struct keys_now *now = arg;
    struct log_label *l = NULL;
    struct buf label = BUF_INIT;
    (void)c;
    system_label_write(&label, "token-keys");
    struct err err = log_label_get(t, "a.test", buf_view(&label), &l);
    buf_clear(&label);
    TRY(err);
    now->bad = l->bad;
    now->gate = log_keys_gate(t, "a.test");
    log_label_free(l);
    return ERR_OK;
}

/* As they were left when the log did not show them: no row says more. */
static struct err spoil_keys(struct core *c, struct db_txn *t, void *arg)
{
    struct buf value = BUF_INIT, label = BUF_INIT;
    struct log_label *l = NULL;
    const bool *claim_again = arg;
    struct err err = db_get(t, DB_SETTING, bytes_str(keys_row), &value);
    if (err_is_ok(err) && *claim_again)
        err = log_keys_claim(c, t, "a.test", bytes_of(value.data + 2, value.len - 2));
    system_label_write(&label, "token-keys");
    if (err_is_ok(err) && !*claim_again) {
        assert_true(value.len > 2);
        value.data[0] = 2; /* KEYS_BAD */
        err = db_put(t, DB_SETTING, bytes_str(keys_row), buf_view(&value));
        if (err_is_ok(err))
            err = log_label_get(t, "a.test", buf_view(&label), &l);
        if (err_is_ok(err)) {
            l->bad = true;
            err = log_label_put(t, l);
        }
    }
    log_label_free(l);
    buf_clear(&label);
    buf_clear(&value);
    return err;
}

/* Keys that the log did not show are used again once it shows every one of them, and the label is
 * watched again. */
static void test_keys_heal(void **state)
{
    static struct pair p;
    (void)state;
    struct keys_now now;
    bool claim_again = false;
    pair_init(&p, 6);
    assert_ok(core_look(p.alice->core, look_keys, &now));
    assert_false(now.bad);
    assert_ok(now.gate);
    assert_ok(core_step(p.alice->core, spoil_keys, &claim_again));
    assert_ok(core_look(p.alice->core, look_keys, &now));
    assert_true(now.bad);
    assert_err(now.gate, CLIENT_LOG);
    claim_again = true; /* GetKeys hands out the same */
    assert_ok(core_step(p.alice->core, spoil_keys, &claim_again));
    person_settle(p.alice);
    assert_ok(core_look(p.alice->core, look_keys, &now));
    assert_ok(now.gate);
    assert_false(now.bad);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    befriend(&p);
    talk(&p, "as before");
    people_close(&p.all);
}

/* What a member says about a log without proof is told, and changes nothing. */
static struct err hear_nonsense(struct core *c, struct db_txn *t, void *arg)
{
    struct log log;
    struct kt_head head;
    struct buf body = BUF_INIT;
    (void)arg;
    TRY(log_get(t, "a.test", &log));
    assert_true(kt_view_head_of(&log.view, log.view.dist_count - 1, &head));
    head.log_root.data[3] ^= 1;
    size_t mark = wire_vector_begin(&body);
    struct err err = kt_heads_write(&body, &head, 1);
    wire_vector_end(&body, mark);
    wire_write_vector(&body, bytes_of(NULL, 0));
    if (err_is_ok(err))
        err = log_heads_hear(c, t, buf_view(&body));
    if (err_is_ok(err)) /* and no reader minds what can't be read */
        err = log_heads_hear(c, t, bytes_of(body.data, body.len - 1));
    buf_clear(&body);
    log_clear(&log);
    return err;
}

static void test_word_of_a_member(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 5);
    befriend(&p);
    person_step(p.alice, hear_nonsense, NULL);
    person_step(p.alice, hear_nonsense, NULL);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1); /* once a window */
    struct reading r = reading_of(p.alice, bytes_of(NULL, 0));
    assert_false(r.log.distrusted);
    reading_end(&r);
    talk(&p, "we go on");
    people_close(&p.all);
}

/* The codes of two people are the same, and a false QR code is told from a true one. */
static void test_codes(void **state)
{
    static struct pair p;
    static struct hearth_log_comparison a, b;
    (void)state;
    pair_init(&p, 6);
    befriend(&p);
    assert_true(hearth_log_code(&p.alice->account, &p.bob_id, &a));
    assert_true(hearth_log_code(&p.bob->account, &p.alice_id, &b));
    assert_string_equal(a.digits, b.digits);
    assert_int_equal(hearth_log_compare(&p.alice->account, &p.bob_id, b.qr, b.qr_bytes),
                     HEARTH_DONE);
    b.qr[b.qr_bytes - 1] ^= 1;
    assert_int_equal(hearth_log_compare(&p.alice->account, &p.bob_id, b.qr, b.qr_bytes),
                     HEARTH_UNVERIFIED);
    assert_int_equal(hearth_log_compare(&p.alice->account, &p.bob_id, b.qr, 7), HEARTH_USAGE);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_friends),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_long_away),
        cmocka_unit_test(test_unlogged),
        cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_word_of_a_member),
        cmocka_unit_test(test_keys_heal),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
