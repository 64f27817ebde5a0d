/* The client against the log of the whole server: what is pinned, searched, held against keys, and
 * watched; and servers that lie. */
#include "client/core/log.h"

#include "client/core/contact.h"
#include "unit/client/core/friends.h"

struct reading {
    const char *domain;
    struct bytes label;
    struct log log;
    struct log_label *l;
};

static struct err read_log_rows(struct core *c, struct db_txn *t, void *arg)
{
    struct reading *r = arg;
    (void)c;
    TRY(log_get(t, r->domain, &r->log));
    return r->label.len > 0 ? log_label_get(t, r->domain, r->label, &r->l) : ERR_OK;
}

static struct reading reading_of(struct person *p, struct bytes label)
{
    struct reading r = {.domain = "a.test", .label = label};
    assert_ok(core_look(p->core, read_log_rows, &r));
    return r;
}

static void reading_end(struct reading *r)
{
    log_clear(&r->log);
    log_label_free(r->l);
}

static struct buf user_label(struct person *p)
{
    struct buf label = BUF_INIT;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, buf_view(&p->core->account.user_id));
    assert_ok(buf_check(&label));
    return label;
}

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
    struct buf own = user_label(p.alice), other = user_label(p.bob);
    struct reading before = reading_of(p.alice, buf_view(&own));
    for (int i = 0; i < 5; i++)
        people_run_ms(&p.all, 6 * 3600 * 1000);
    meet(&p);
    struct reading after = reading_of(p.alice, buf_view(&own));
    assert_true(after.l->watched.index > before.l->watched.index);
    assert_true(after.log.view.size > before.log.view.size);
    assert_false(after.l->known.pending);
    struct reading contact = reading_of(p.alice, buf_view(&other));
    assert_false(contact.l->known.pending);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_friends),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
