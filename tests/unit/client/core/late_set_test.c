/* A device that is newer than what its user's friend has heard of his devices: the log says it, or
 * the user does, later; until then it is not known, and never called a fault. And one that is none.
 */
#include "client/core/contact.h"
#include "client/core/log.h"
#include "client/core/roster.h"
#include "unit/client/core/linking.h"

struct setting {
    struct hearth_id contact, chat;
    struct buf *save, *put; /* the contact's set, as it is, and to be */
    uint64_t news_ms;       /* when the device came, from now on */
    uint32_t devices[3];    /* of the other user: verified, pending, unverified */
    bool again;             /* the other user's device that his set does not have is new */
};

static struct err change_set(struct core *c, struct db_txn *t, void *arg)
{
    const struct setting *s = arg;
    struct contact contact = {0};
    TRY(contact_get(c, t, &s->contact, &contact));
    if (s->save != NULL)
        buf_append_bytes(s->save, buf_view(&contact.key_set));
    if (s->put != NULL) {
        buf_clear(&contact.key_set);
        buf_append_bytes(&contact.key_set, buf_view(s->put));
    }
    struct err err = contact_put(c, t, &contact);
    contact_clear(&contact);
    return err;
}

/* As if the commit that brought them had come just now. */
static struct err come_anew(struct core *c, struct db_txn *t, void *arg)
{
    const struct setting *s = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &s->chat, &chat));
    for (size_t i = 0; i < chat->roster->count; i++) {
        struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->own_user)
            continue;
        l->state = ROSTER_PENDING;
        l->news_ms = core_now_ms(c);
    }
    TRY(roster_retry(c, t, chat));
    return chat_save(c, t, chat);
}

static struct err count_devices(struct core *c, struct db_txn *t, void *arg)
{
    struct setting *s = arg;
    struct open_chat *chat;
    memset(s->devices, 0, sizeof s->devices);
    TRY(chat_open(c, t, &s->chat, &chat));
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (!l->own_user)
            s->devices[l->state == ROSTER_VERIFIED ? 0 : l->state == ROSTER_PENDING ? 1 : 2]++;
    }
    return ERR_OK;
}

static void assert_devices(struct pair *p, struct setting *s, uint32_t verified, uint32_t pending,
                           uint32_t unverified)
{
    person_step(p->alice, count_devices, s);
    assert_int_equal(s->devices[0], verified);
    assert_int_equal(s->devices[1], pending);
    assert_int_equal(s->devices[2], unverified);
}

/* bob has a phone; alice is back where she has not heard of it yet. */
static void begin(struct pair *p, struct setting *s, struct buf *before, uint64_t seed)
{
    pair_init_two(p, seed);
    befriend(p);
    *s = (struct setting){.contact = p->bob_id, .chat = p->alice_chat, .save = before};
    person_step(p->alice, change_set, s);
    link_device(p, p->bob, person_new_at(&p->all, "phone", TOWN_OTHER));
    assert_int_equal(contact_of(p->alice, &p->bob_id).devices, 2);
    assert_devices(p, s, 2, 0, 0);
    assert_int_equal(person_count_events(p->alice, HEARTH_EVENT_UNVERIFIED), 0);
    s->save = NULL;
    s->put = before;
    person_step(p->alice, change_set, s);
    assert_int_equal(contact_of(p->alice, &p->bob_id).devices, 1);
}

/* The log shows the set that he made next. */
static void test_log_says_it(void **state)
{
    static struct pair p;
    struct setting s;
    struct buf before = BUF_INIT;
    (void)state;
    begin(&p, &s, &before, 1);
    person_step(p.alice, come_anew, &s);
    assert_devices(&p, &s, 1, 1, 0);
    people_run_ms(&p.all, 20000);
    assert_devices(&p, &s, 2, 0, 0);
    assert_int_equal(contact_of(p.alice, &p.bob_id).devices, 2);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_UNVERIFIED), 0);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    talk(&p, "all of you");
    buf_clear(&before);
    people_close(&p.all);
}

/* The homeserver does not answer for longer than anybody's patience. */
static void test_log_is_late(void **state)
{
    static struct pair p;
    struct setting s;
    struct buf before = BUF_INIT;
    (void)state;
    begin(&p, &s, &before, 2);
    town_stop_server(p.all.town, TOWN_OTHER);
    person_step(p.alice, come_anew, &s);
    people_run_ms(&p.all, 3 * ROSTER_PATIENCE_MS);
    assert_devices(&p, &s, 1, 1, 0);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_UNVERIFIED), 0);
    town_start_server(p.all.town, TOWN_OTHER);
    people_run_ms(&p.all, 120000);
    assert_devices(&p, &s, 2, 0, 0);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_UNVERIFIED), 0);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    buf_clear(&before);
    people_close(&p.all);
}

/* No log: patience, then a fault, until bob says it himself. */
static struct err forget_log(struct core *c, struct db_txn *t, void *arg)
{
    (void)c;
    struct log log = {.state = LOG_UNLOGGED, .asked_ms = core_now_ms(c)};
    (void)snprintf(log.domain, sizeof log.domain, "%s", (const char *)arg);
    return log_put(t, &log);
}

static void test_no_log(void **state)
{
    static struct pair p;
    struct setting s;
    struct buf before = BUF_INIT, now = BUF_INIT;
    (void)state;
    begin(&p, &s, &before, 3);
    buf_append_bytes(&now, buf_view(&p.bob->core->account.key_set));
    town_hide_log(p.all.town, TOWN_OTHER, true);
    person_step(p.alice, forget_log, (void *)(uintptr_t)TOWN_OTHER);
    person_step(p.alice, come_anew, &s);
    people_run_ms(&p.all, ROSTER_PATIENCE_MS / 2);
    assert_devices(&p, &s, 1, 1, 0);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_UNVERIFIED), 0);
    people_run_ms(&p.all, ROSTER_PATIENCE_MS);
    assert_devices(&p, &s, 1, 0, 1);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_UNVERIFIED), 1);
    s.put = &now;
    person_step(p.alice, change_set, &s);
    people_run_ms(&p.all, 1000);
    buf_clear(&before);
    buf_clear(&now);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_says_it),
        cmocka_unit_test(test_log_is_late),
        cmocka_unit_test(test_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
