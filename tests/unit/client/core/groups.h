/* People in groups, for the tests of this folder: accounts of the core against the whole server in
 * one process, each with a file of its own that can be killed. Friends are made by hand: contacts'
 * own road (offers) has its own tests.
 */
#ifndef TESTS_UNIT_CLIENT_CORE_GROUPS_H
#define TESTS_UNIT_CLIENT_CORE_GROUPS_H

#include <stdio.h>

#include "client/core/chat.h"
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "client/core/op.h"
#include "client/core/queue.h"
#include "client/core/roster.h"
#include "client/core/task.h"
#include "support/people/people.h"

enum { WORLD_PEOPLE = 4, WORLD_PATIENCE_MS = 240000, WORLD_SLICE_MS = 50 };

struct world {
    struct people people;
    struct person *who[WORLD_PEOPLE];
    size_t count;
    /* events seen, by person and kind */
    unsigned seen[WORLD_PEOPLE][HEARTH_EVENT_LOG + 1];
    bool dishonest; /* the homeserver; else a WITHHELD event is a fault of the client's */
};
static struct world w;

#define ALICE (w.who[0])
#define BOB   (w.who[1])
#define CAROL (w.who[2])

/* ---- steps of a person, as functions */

struct doing {
    struct person *p;
    struct hearth_id chat;
    const struct commit_wish *wish;
    const char *text;
    const uint8_t *user;
    uint64_t task;
    struct err (*run)(struct doing *d, struct db_txn *t);
    void *arg;
};

static struct err doing_run(struct core *c, struct db_txn *t, void *arg)
{
    struct doing *d = arg;
    (void)c;
    return d->run(d, t);
}

__attribute__((unused)) static struct err person_do(struct person *p, struct doing *d,
                                                    struct err (*run)(struct doing *d,
                                                                      struct db_txn *t))
{
    d->p = p;
    d->run = run;
    return core_step(p->core, doing_run, d);
}

/* ---- life */

static size_t number_of(const struct person *p)
{
    return (size_t)(p - w.people.all);
}

/* Steps of the test's own are none that somebody is killed at. */
static void take_events(struct person *p)
{
    struct hearth_event event;
    uint64_t kill_at = p->kill_at, steps = p->steps;
    p->kill_at = 0;
    while (person_event(p, &event)) {
        w.seen[number_of(p)][event.kind]++;
        if (getenv("GROUPS_LOUD") != NULL)
            print_message("%s: event %d %s (%u)\n", p->name, (int)event.kind,
                          event.text != NULL ? event.text : "", (unsigned)event.message);
        if (event.kind == HEARTH_EVENT_WITHHELD && !w.dishonest)
            fail_msg("%s: %u withheld by an honest homeserver: %s", p->name,
                     (unsigned)event.message, event.text);
    }
    p->kill_at = kill_at;
    p->steps = steps;
}

__attribute__((unused)) static unsigned seen(const struct person *p, enum hearth_event_kind kind)
{
    return w.seen[number_of(p)][kind];
}

/* Another life, listening. */
__attribute__((unused)) static void reborn(struct person *p)
{
    person_kill(p);
    person_start(p);
    assert_ok(queue_listen(p->core));
}

/* All that happens in so much time; whoever is killed in it begins another life. */
__attribute__((unused)) static void world_run(uint64_t ms)
{
    for (uint64_t slice = 0; slice < ms; slice += WORLD_SLICE_MS) {
        people_run_ms(&w.people, WORLD_SLICE_MS);
        for (size_t i = 0; i < w.count; i++)
            if (w.who[i]->killed)
                reborn(w.who[i]);
    }
    for (size_t i = 0; i < w.count; i++)
        take_events(w.who[i]);
}

__attribute__((unused)) static void world_wait(struct person *p, uint64_t task)
{
    for (uint64_t ms = 0; tasks_has(p->core, task); ms += WORLD_SLICE_MS) {
        if (ms > WORLD_PATIENCE_MS)
            fail_msg("%s: task %u does not end", p->name, (unsigned)task);
        world_run(WORLD_SLICE_MS);
    }
}

__attribute__((unused)) static void world_open(uint64_t seed, size_t count)
{
    static const char *const names[WORLD_PEOPLE] = {"alice", "bob", "carol", "dave"};
    memset(&w, 0, sizeof w);
    people_init(&w.people, seed);
    for (unsigned i = 0; i < count; i++) {
        w.who[w.count++] = person_new(&w.people, names[i]);
        person_register(w.who[i], NULL);
        assert_ok(queue_listen(w.who[i]->core));
    }
    world_run(500);
}

__attribute__((unused)) static void world_close(void)
{
    people_close(&w.people);
}

/* ---- friends */

static struct hearth_id friend_id(const struct person *of, const struct person *friend)
{
    struct hearth_id id = {{0xF0, (uint8_t)number_of(of), (uint8_t)number_of(friend)}};
    return id;
}

static struct err do_befriend(struct doing *d, struct db_txn *t)
{
    const struct person *other = d->arg;
    const struct account *a = &other->core->account;
    struct contact contact = {.id = friend_id(d->p, other),
                              .state = HEARTH_CONTACT_FRIEND,
                              .has_package = true,
                              .handle_proved = true};
    (void)snprintf(contact.handle, sizeof contact.handle, "%s@a.test", other->name);
    buf_append_bytes(&contact.user_id, buf_view(&a->user_id));
    buf_append_bytes(&contact.key_set, buf_view(&a->key_set));
    memcpy(contact.queue_user_id, a->user.queue_user_id, 16);
    memcpy(contact.friendship_key, a->user.friendship_key, sizeof contact.friendship_key);
    uint8_t id[CONTACT_ID_BYTES] = {0xC0, (uint8_t)number_of(d->p)};
    contact_token_make(a->user.contact_key, id, contact.contact_token);
    struct err err = contact_put(d->p->core, t, &contact);
    contact_clear(&contact);
    return err;
}

__attribute__((unused)) static void befriend_all(void)
{
    for (size_t i = 0; i < w.count; i++)
        for (size_t j = 0; j < w.count; j++) {
            struct doing d = {.arg = w.who[j]};
            if (i != j)
                assert_ok(person_do(w.who[i], &d, do_befriend));
        }
}

/* ---- in groups */

static struct err do_create(struct doing *d, struct db_txn *t)
{
    return group_create_begin(d->p->core, t, HEARTH_CHAT_GROUP, d->text, NULL, &d->chat, &d->task);
}

__attribute__((unused)) static struct hearth_id found_group(struct person *p, const char *name)
{
    struct doing d = {.text = name};
    assert_ok(person_do(p, &d, do_create));
    world_wait(p, d.task);
    return d.chat;
}

static struct err do_wish(struct doing *d, struct db_txn *t)
{
    return group_wish(d->p->core, t, &d->chat, d->wish, &d->task);
}

__attribute__((unused)) static struct err wish(struct person *p, struct hearth_id chat,
                                               const struct commit_wish *wish, uint64_t *ret_task)
{
    struct doing d = {.chat = chat, .wish = wish};
    struct err err = person_do(p, &d, do_wish);
    *ret_task = d.task;
    return err;
}

__attribute__((unused)) static void wish_done(struct person *p, struct hearth_id chat,
                                              const struct commit_wish *what)
{
    uint64_t task;
    assert_ok(wish(p, chat, what, &task));
    world_wait(p, task);
}

/* ---- what somebody knows of a chat */

struct view {
    bool there;
    enum hearth_chat_state state;
    uint64_t epoch;
    size_t leaves, unverified, pending;
    bool admin;
    char name[CHAT_NAME_MAX_BYTES + 1];
    uint8_t user[16]; /* our user pseudonym */
    uint8_t authenticator[32];
    uint64_t messages;
    uint8_t group_id[NAME_MAX_BYTES];
    size_t group_id_len;
};

struct viewing {
    struct person *p;
    struct hearth_id chat;
    struct view *view;
};

static struct err look(struct core *c, struct db_txn *t, void *arg)
{
    struct viewing *v = arg;
    struct open_chat *chat;
    struct err err = chat_open(c, t, &v->chat, &chat);
    *v->view = (struct view){.there = err_is_ok(err)};
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    v->view->state = chat->chat.state;
    v->view->leaves = chat->roster->count;
    v->view->unverified = roster_unverified(chat->roster);
    v->view->pending = roster_pending(chat->roster);
    memcpy(v->view->name, chat->chat.name, sizeof v->view->name);
    memcpy(v->view->user, chat->chat.user_pseudonym, 16);
    memcpy(v->view->group_id, chat->chat.group_id, chat->chat.group_id_len);
    v->view->group_id_len = chat->chat.group_id_len;
    if (chat->group != NULL) {
        struct bytes a = group_epoch_authenticator(chat->group);
        v->view->epoch = group_epoch(chat->group);
        v->view->admin = group_we_are_admin(chat);
        memcpy(v->view->authenticator, a.data, a.len < 32 ? a.len : 32);
    }
    return db_list_last(t, DB_MESSAGE, bytes_of(v->chat.bytes, 16), &v->view->messages);
}

__attribute__((unused)) static struct view view_of(struct person *p, struct hearth_id chat)
{
    struct view view;
    struct viewing v = {p, chat, &view};
    assert_ok(core_step(p->core, look, &v));
    return view;
}

struct finding {
    struct bytes group_id;
    struct hearth_id id;
    bool found;
};

static struct err find_group(struct core *c, struct db_txn *t, void *arg)
{
    struct finding *f = arg;
    struct err err = chat_by_group_id(c, t, f->group_id, &f->id);
    f->found = err_is_ok(err);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The same group as another person knows it; false: not in. */
__attribute__((unused)) static bool same_group(struct person *of, struct hearth_id chat,
                                               struct person *p, struct hearth_id *ret_id)
{
    struct view v = view_of(of, chat);
    struct finding f = {.group_id = bytes_of(v.group_id, v.group_id_len)};
    assert_ok(core_step(p->core, find_group, &f));
    *ret_id = f.id;
    return f.found;
}

/* ---- messages */

static struct err do_say(struct doing *d, struct db_txn *t)
{
    struct hearth_id id;
    uint64_t number;
    TRY(core_random_id(d->p->core, &id));
    struct content content = {.kind = CONTENT_TEXT,
                              .id = id.bytes,
                              .sent_ms = core_now_ms(d->p->core),
                              .body = bytes_str(d->text)};
    struct message_row row = {.id = id,
                              .kind = HEARTH_MESSAGE_TEXT,
                              .state = HEARTH_MESSAGE_WAITING,
                              .own = true,
                              .targeted = d->user != NULL,
                              .sent_ms = content.sent_ms,
                              .text = content.body};
    TRY(message_add(d->p->core, t, &d->chat, &row, &number));
    return d->user != NULL
               ? group_send_to(d->p->core, t, &d->chat, d->user, &content, number, &d->task)
               : group_send(d->p->core, t, &d->chat, &content, number, &d->task);
}

__attribute__((unused)) static struct err say(struct person *p, struct hearth_id chat,
                                              const char *text, uint64_t *ret_task)
{
    struct doing d = {.chat = chat, .text = text};
    struct err err = person_do(p, &d, do_say);
    *ret_task = d.task;
    return err;
}

__attribute__((unused)) static void say_done(struct person *p, struct hearth_id chat,
                                             const char *text)
{
    uint64_t task;
    assert_ok(say(p, chat, text, &task));
    world_wait(p, task);
}

struct counting {
    struct hearth_id chat;
    const char *text;
    enum hearth_message_state state; /* 0: any */
    size_t count;
};

static struct err count_message(struct core *c, struct db_txn *t, void *arg)
{
    struct counting *n = arg;
    uint64_t last;
    TRY(db_list_last(t, DB_MESSAGE, bytes_of(n->chat.bytes, 16), &last));
    for (uint64_t i = 1; i <= last; i++) {
        struct buf scratch = BUF_INIT;
        struct message_row row;
        TRY(message_get(c, t, &n->chat, i, &scratch, &row));
        n->count +=
            bytes_equal(row.text, bytes_str(n->text)) && (n->state == 0 || row.state == n->state);
        buf_clear(&scratch);
    }
    return ERR_OK;
}

/* How often somebody has this message. */
__attribute__((unused)) static size_t has_message(struct person *p, struct hearth_id chat,
                                                  const char *text, enum hearth_message_state state)
{
    struct counting n = {chat, text, state, 0};
    assert_ok(core_step(p->core, count_message, &n));
    return n.count;
}

#endif
