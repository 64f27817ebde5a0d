/* The engine: whose turn it is. */
#include <stdlib.h>

#include "client/core/task_inside.h"

enum { IDLE_MS = 3600 * 1000 };

/* Are as many under way as may be? The end of one of them kicks. */
static bool is_full(const struct core *c)
{
    size_t under_way = 0;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        under_way += l->first != NULL && l->first->run != RUN_READY;
    return under_way >= TASKS_AT_ONCE;
}

static struct task_entry *next_of(const struct core *c, uint64_t now)
{
    if (is_full(c))
        return NULL;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next) {
        struct task_entry *e = l->first;
        if (e != NULL && e->run == RUN_READY && e->due_us <= now && e->round != c->tasks->round)
            return e;
    }
    return NULL;
}

static void set_timer(struct core *c)
{
    uint64_t now = task_now_us(c), due = now + (uint64_t)IDLE_MS * 1000;
    bool full = is_full(c); /* what is due waits: a timer would spin */
    for (const struct task_lane *l = c->tasks->lanes; l != NULL && !full; l = l->next)
        if (l->first != NULL && l->first->run == RUN_READY && l->first->due_us < due)
            due = l->first->due_us;
    (void)hearth_timer_set(c->tasks->timer, due <= now ? 0 : (uint32_t)((due - now + 999) / 1000));
}

void tasks_kick(struct core *c)
{
    struct task_entry *e;
    c->tasks->round++;
    while ((e = next_of(c, task_now_us(c))) != NULL) {
        e->round = c->tasks->round;
        if (task_steps_of(c->tasks, e->kind) == NULL)
            e->due_us = UINT64_MAX; /* of a newer program */
        else
            task_turn(e, NULL);
    }
    c->kick_tasks = false;
    set_timer(c);
}

static void on_timer(void *arg)
{
    struct core *c = arg;
    (void)hearth_timer_set(c->tasks->timer, IDLE_MS); /* stays set, so that setting it can't fail */
    tasks_kick(c);
}

/* ---- open and close */

static struct err open_one(void *arg, struct bytes id, struct bytes value)
{
    struct core *c = arg;
    struct task task;
    (void)id;
    TRY(task_read(value, &task));
    struct task_entry *e = task_entry_new(c, &task);
    if (e != NULL) {
        uint64_t now = core_now_ms(c);
        e->waiting = task.not_before_ms > now;
        e->due_us = e->waiting ? task_now_us(c) + (task.not_before_ms - now) * 1000 : 0;
        task_enter(c->tasks, e);
    }
    task_clear(&task);
    return e != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static struct err open_all(struct db_txn *t, void *arg)
{
    return db_each(t, DB_TASK, open_one, arg);
}

struct err tasks_open(struct core *c)
{
    c->tasks = calloc(1, sizeof *c->tasks);
    if (c->tasks == NULL)
        return ERR(NO_MEMORY);
    c->tasks->timer = hearth_timer_new(c->loop, on_timer, c);
    if (c->tasks->timer == NULL || !hearth_timer_set(c->tasks->timer, 0))
        return ERR(NO_MEMORY);
    return db_step(c->db, open_all, c);
}

void tasks_close(struct core *c)
{
    if (c->tasks == NULL)
        return;
    tasks_clear(c->tasks);
    hearth_timer_free(c->tasks->timer);
    free(c->tasks);
    c->tasks = NULL;
}
