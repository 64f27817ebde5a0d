#include "support/people/people.h"

#include <stdio.h>

#include "client/core/event.h"
#include "client/core/queue.h"
#include "client/core/register.h"
#include "client/core/task.h"

enum { PATIENCE_MS = 300 * 1000 };

static const uint8_t file_key[32] = "the key of all files in tests";

/* ---- the world */

void people_init(struct people *p, uint64_t seed)
{
    *p = (struct people){.town = town_new(seed)};
}

void people_init_two(struct people *p, uint64_t seed)
{
    *p = (struct people){.town = town_new_two(seed), .two = true};
}

void people_close(struct people *p)
{
    for (size_t i = 0; i < p->count; i++)
        person_stop(&p->all[i]);
    town_free(p->town);
    for (size_t i = 0; i < p->count; i++)
        vfs_fault_free(p->all[i].vfs);
}

void people_run_ms(struct people *p, uint64_t ms)
{
    town_run_ms(p->town, ms);
}

/* ---- lives */

static void after_step(struct core *c, void *arg)
{
    struct person *p = arg;
    if (++p->steps != p->kill_at)
        return;
    p->killed = true;
    vfs_power_off_after(p->vfs, 0);
    api_silence(c->api);
}

static void open_core(struct person *p, bool create)
{
    struct town *town = p->people->town;
    struct core_options options = {
        .db = {.path = "account.db",
               .key = bytes_of(file_key, sizeof file_key),
               .create = create,
               .clock = town_clock(town),
               .rng = town_rng(town),
               .files = p->files},
        .api = {.homeservers = p->target},
        .loop = town_loop(town),
    };
    assert_ok(core_open(&options, &p->core));
    p->account = (struct hearth_account){.core = p->core};
    p->core->handle = &p->account;
    p->core->after_step = after_step;
    p->core->after_step_arg = p;
    p->steps = p->kill_at = 0;
    p->killed = false;
    p->lives++;
}

struct person *person_new(struct people *people, const char *name)
{
    return person_new_at(people, name, TOWN_DOMAIN);
}

struct person *person_new_at(struct people *people, const char *name, const char *domain)
{
    assert_true(people->count < PEOPLE_MOST);
    struct person *p = &people->all[people->count];
    *p = (struct person){.people = people, .domain = domain};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    (void)snprintf(p->files, sizeof p->files, "person-%zu", people->count);
    town_target(people->town, ++people->count, p->target, sizeof p->target);
    p->vfs = vfs_fault_new(p->files);
    open_core(p, true);
    return p;
}

void person_stop(struct person *p)
{
    if (p->core == NULL)
        return;
    core_close(p->core);
    p->core = NULL;
    buf_clear(&p->account.event_text);
    buf_clear(&p->account.chat_text);
    buf_clear(&p->account.contact_text);
    buf_clear(&p->account.info_text);
}

void people_leave(struct person *p)
{
    struct people *all = p->people;
    assert_ptr_equal(p, &all->all[all->count - 1]);
    person_stop(p);
    town_settle(all->town);
    vfs_fault_free(p->vfs);
    all->count--;
}

void person_kill(struct person *p)
{
    vfs_power_off_after(p->vfs, 0);
    api_silence(p->core->api);
    person_stop(p);
    vfs_restart(p->vfs);
    vfs_power_off_after(p->vfs, -1);
}

void person_start(struct person *p)
{
    open_core(p, false);
}

void person_kill_at(struct person *p, uint64_t n)
{
    p->kill_at = n == 0 ? 0 : p->steps + n;
}

/* One step of the world, or time until something is to be done. False: the patience is over. */
static bool go_on(struct person *p, uint64_t until_us)
{
    struct town *town = p->people->town;
    uint64_t now_us = town_now_us(town);
    if (p->killed) {
        person_kill(p);
        person_start(p);
        return true;
    }
    if (town_step(town))
        return true;
    return now_us < until_us && town_wait(town, (until_us - now_us) / 1000);
}

static uint64_t patience(const struct person *p)
{
    return town_now_us(p->people->town) + (uint64_t)PATIENCE_MS * 1000;
}

/* ---- operations */

struct waiting {
    bool done;
    struct hearth_error error;
};

static void on_done(const struct hearth_error *result, void *arg)
{
    struct waiting *w = arg;
    w->done = true;
    w->error = *result;
}

/* After a restart the operation is gone: its end is an event. */
static bool ended_meanwhile(struct person *p, uint64_t task)
{
    return !tasks_has(p->core, task);
}

static enum hearth_result wait_for(struct person *p, struct hearth_op *op)
{
    struct waiting w = {0};
    uint64_t until_us = patience(p), task = op->task;
    unsigned lives = p->lives;
    op_on_done(op, on_done, &w);
    while (!w.done) {
        if (!go_on(p, until_us))
            fail_msg("%s: the operation does not end", p->name);
        if (p->lives != lives && task != 0 && ended_meanwhile(p, task))
            w.done = true;
    }
    p->error = w.error;
    return p->error.result;
}

enum hearth_result person_op(struct person *p, struct hearth_op *op)
{
    if (op != NULL)
        return wait_for(p, op);
    p->error = p->core->error;
    return p->error.result;
}

enum hearth_result person_task(struct person *p, uint64_t task)
{
    struct hearth_op *op = NULL;
    assert_ok(op_new(p->core, task, NULL, &op));
    return wait_for(p, op);
}

void person_step(struct person *p, struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                 void *arg)
{
    assert_ok(core_step(p->core, run, arg));
}

/* ---- life */

struct registering {
    struct register_wish wish;
    uint64_t task;
};

static struct err register_run(struct core *c, struct db_txn *t, void *arg)
{
    struct registering *r = arg;
    return register_begin(c, t, &r->wish, &r->task);
}

void person_register(struct person *p, const char *handle)
{
    char invitation[TOWN_INVITATION_BYTES];
    town_invite(p->people->town, p->domain, invitation);
    struct registering r = {
        .wish = {.invitation = invitation, .handle = handle, .device = p->name, .name = p->name}};
    person_step(p, register_run, &r);
    if (person_task(p, r.task) != HEARTH_DONE)
        fail_msg("%s can't register: %s: %s", p->name, p->error.name, p->error.text);
    assert_true(p->core->account.registered);
}

void person_sync(struct person *p)
{
    struct waiting w;
    uint64_t until_us = patience(p);
    do {
        struct hearth_op *op = NULL;
        unsigned lives = p->lives;
        w = (struct waiting){0};
        assert_ok(op_new_free(p->core, NULL, &op));
        op_on_done(op, on_done, &w);
        assert_ok(queue_sync(p->core, op));
        while (!w.done && p->lives == lives)
            if (!go_on(p, until_us))
                fail_msg("%s: the sync does not end", p->name);
    } while (!w.done || w.error.result != HEARTH_DONE); /* killed, or the house was */
}

void person_listen(struct person *p, uint64_t ms)
{
    uint64_t until_us = town_now_us(p->people->town) + ms * 1000;
    unsigned lives = 0;
    while (town_now_us(p->people->town) < until_us) {
        if (p->lives != lives)
            assert_ok(queue_listen(p->core));
        lives = p->lives;
        if (!go_on(p, until_us))
            break;
    }
    queue_listen_stop(p->core);
}

void person_settle(struct person *p)
{
    uint64_t until_us = patience(p);
    while (tasks_busy(p->core))
        if (!go_on(p, until_us))
            fail_msg("%s: tasks do not end", p->name);
}

/* ---- events */

void person_alive(struct person *p)
{
    if (!p->killed)
        return;
    person_kill(p);
    person_start(p);
}

bool person_event(struct person *p, struct hearth_event *ret_event)
{
    for (;;) {
        person_alive(p);
        bool any = hearth_event_next(&p->account, ret_event);
        if (p->killed)
            continue;
        if (!any)
            return false;
        if (hearth_event_taken(&p->account, ret_event->number))
            return true;
        assert_true(p->killed);
    }
}

struct hearth_event person_expect(struct person *p, enum hearth_event_kind kind)
{
    struct hearth_event event;
    while (person_event(p, &event))
        if (event.kind == kind)
            return event;
    fail_msg("%s: no event of kind %d", p->name, (int)kind);
    return event;
}

unsigned person_count_events(struct person *p, enum hearth_event_kind kind)
{
    struct hearth_event event;
    unsigned count = 0;
    while (person_event(p, &event))
        count += event.kind == kind;
    return count;
}
