/* People in groups, for the tests of this folder: accounts of the core against the whole server in
 * one process, each with a file of its own that can be killed. Friends are made by hand: contacts'
 * own road (offers) has its own tests.
 */
#ifndef TESTS_UNIT_CLIENT_CORE_GROUPS_H
#define TESTS_UNIT_CLIENT_CORE_GROUPS_H

#include <stdio.h>

#include "support/test.h"
#include "support/town/town.h"
#include "support/vfs_fault.h"

#include "client/core/chat.h"
#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "client/core/op.h"
#include "client/core/queue.h"
#include "client/core/register.h"
#include "client/core/roster.h"
#include "client/core/task.h"

enum { PEOPLE = 4, WORLD_PATIENCE_MS = 240000 };

struct world;
struct person {
    struct world *w;
    const char *name;
    unsigned number;
    char files[16];
    struct vfs_fault *vfs;
    struct core *core;
    bool quiet;      /* does not listen */
    unsigned lives;  /* how often it was opened */
    uint64_t events; /* taken so far */
    /* events seen, by kind */
    unsigned seen[HEARTH_EVENT_OPERATION + 1];
    char last[HEARTH_EVENT_OPERATION + 1][256];
};
struct world {
    struct town *town;
    struct person people[PEOPLE];
    size_t count;
};

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

static void person_open(struct person *p, bool create)
{
    static const uint8_t key[32] = {1};
    char homes[80];
    (void)snprintf(homes, sizeof homes, "a.test=pipe:house@10.0.0.%u", p->number + 1);
    struct core_options options = {
        .db = {.path = "account.db",
               .key = bytes_of(key, sizeof key),
               .create = create,
               .clock = town_clock(p->w->town),
               .rng = town_rng(p->w->town),
               .files = p->files},
        .api = {.homeservers = homes},
        .loop = town_loop(p->w->town),
    };
    assert_ok(core_open(&options, &p->core));
    p->lives++;
    if (!p->quiet && p->core->account.registered)
        assert_ok(queue_listen(p->core));
}

/* kill -9: what was written stays. */
static void person_kill(struct person *p)
{
    core_close(p->core);
    p->core = NULL;
    vfs_restart(p->vfs);
    person_open(p, false);
}

struct events_taking {
    struct person *p;
    bool more;
};

static struct err take_event(struct core *c, struct db_txn *t, void *arg)
{
    struct events_taking *e = arg;
    struct buf scratch = BUF_INIT;
    struct hearth_event event;
    struct err err = event_first(c, t, &scratch, &event);
    e->more = err_is_ok(err);
    if (err_is_ok(err)) {
        e->p->seen[event.kind]++;
        (void)snprintf(e->p->last[event.kind], sizeof e->p->last[0], "%s",
                       event.text != NULL ? event.text : "");
        if (getenv("GROUPS_LOUD") != NULL)
            print_message("%s: event %d %s (%u)\n", e->p->name, (int)event.kind,
                          event.text != NULL ? event.text : "", (unsigned)event.message);
        err = event_taken(c, t, event.number);
    }
    buf_clear(&scratch);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static void person_events(struct person *p)
{
    struct events_taking e = {p, true};
    while (e.more && p->core != NULL)
        assert_ok(core_step(p->core, take_event, &e));
}

/* Until nobody has anything to do, or so much time has passed. */
static void world_run(struct world *w, uint64_t ms)
{
    for (uint64_t slice = 0; slice < ms; slice += 100) {
        town_run_ms(w->town, 100);
        for (size_t i = 0; i < w->count; i++) {
            struct person *p = &w->people[i];
            if (p->core != NULL && vfs_is_off(p->vfs))
                person_kill(p);
        }
    }
    for (size_t i = 0; i < w->count; i++)
        if (w->people[i].core != NULL)
            person_events(&w->people[i]);
}

static bool has_task(const struct person *p, uint64_t task)
{
    return p->core != NULL && tasks_has(p->core, task);
}

static void world_wait(struct world *w, struct person *p, uint64_t task)
{
    for (uint64_t ms = 0; has_task(p, task); ms += 200) {
        if (ms > WORLD_PATIENCE_MS)
            fail_msg("%s: task %u does not end", p->name, (unsigned)task);
        world_run(w, 200);
    }
}

static struct err do_register(struct doing *d, struct db_txn *t)
{
    struct register_wish wish = {.invitation = d->text, .device = "device", .name = d->p->name};
    return register_begin(d->p->core, t, &wish, &d->task);
}

static void person_register(struct person *p)
{
    struct world *w = p->w;
    char text[TOWN_INVITATION_BYTES];
    struct doing d = {0};
    town_invite(w->town, text);
    d.text = text;
    assert_ok(person_do(p, &d, do_register));
    world_wait(w, p, d.task);
    assert_true(p->core->account.registered);
    if (!p->quiet)
        assert_ok(queue_listen(p->core));
}

__attribute__((unused)) static void world_open(struct world *w, uint64_t seed, size_t count)
{
    static const char *const names[PEOPLE] = {"alice", "bob", "carol", "dave"};
    memset(w, 0, sizeof *w);
    w->town = town_new(seed);
    w->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct person *p = &w->people[i];
        *p = (struct person){.w = w, .name = names[i], .number = i};
        (void)snprintf(p->files, sizeof p->files, "person%u", i);
        p->vfs = vfs_fault_new(p->files);
        person_open(p, true);
        person_register(p);
    }
    world_run(w, 1000);
}

__attribute__((unused)) static void world_close(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        core_close(w->people[i].core);
        w->people[i].core = NULL;
    }
    town_settle(w->town);
    for (size_t i = 0; i < w->count; i++)
        vfs_fault_free(w->people[i].vfs);
    town_free(w->town);
}

/* ---- friends */

static struct hearth_id friend_id(const struct person *of, const struct person *friend)
{
    struct hearth_id id = {{0xF0, (uint8_t)of->number, (uint8_t) friend->number}};
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
    uint8_t id[CONTACT_ID_BYTES] = {0xC0, (uint8_t)d->p->number};
    contact_token_make(a->user.contact_key, id, contact.contact_token);
    struct err err = contact_put(d->p->core, t, &contact);
    contact_clear(&contact);
    return err;
}

__attribute__((unused)) static void befriend_all(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        for (size_t j = 0; j < w->count; j++) {
            struct doing d = {.arg = &w->people[j]};
            if (i != j)
                assert_ok(person_do(&w->people[i], &d, do_befriend));
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
    world_wait(p->w, p, d.task);
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
    world_wait(p->w, p, task);
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
    world_wait(p->w, p, task);
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
