/* What lies in memory of tasks: entries in the queues of their lanes. */
#include <stdlib.h>

#include "client/core/task_inside.h"

static struct task_lane *lane_of(struct tasks *tasks, struct task_entry *e)
{
    static const uint8_t zeros[16];
    if (memcmp(e->lane, zeros, 16) != 0)
        for (struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
            if (memcmp(l->id, e->lane, 16) == 0)
                return l;
    struct task_lane *l = e->room;
    e->room = NULL;
    memcpy(l->id, e->lane, 16);
    l->last = &l->first;
    l->next = tasks->lanes;
    tasks->lanes = l;
    return l;
}

/* By number: rows are read in no order. */
void task_enter(struct tasks *tasks, struct task_entry *e)
{
    struct task_lane *l = lane_of(tasks, e);
    struct task_entry **at = &l->first;
    free(e->room);
    e->room = NULL;
    if (l->newest < e->number)
        at = l->last;
    while (*at != NULL && (*at)->number < e->number)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    if (e->next == NULL)
        l->last = &e->next;
    l->newest = e->number > l->newest ? e->number : l->newest;
}

struct task_entry *task_entry_new(struct core *c, const struct task *task)
{
    struct task_entry *e = calloc(1, sizeof *e);
    struct task_lane *room = calloc(1, sizeof *room);
    if (e == NULL || room == NULL) {
        free(e);
        free(room);
        return NULL;
    }
    e->number = task->number;
    e->kind = (uint32_t)task->kind;
    memcpy(e->lane, task->lane, sizeof e->lane);
    e->core = c;
    e->asked = task->asked;
    e->room = room;
    return e;
}

void task_entry_stop(struct task_entry *e)
{
    if (e->under_way != NULL)
        api_cancel(e->under_way);
    e->under_way = NULL;
    if (e->run == RUN_STREAM && e->stream != NULL) {
        const struct task_steps *steps = task_steps_of(e->core->tasks, e->kind);
        if (steps != NULL && steps->stream_stop != NULL)
            steps->stream_stop(e->core, e->stream);
    }
    e->stream = NULL;
    task_call_free(e->call);
    e->call = NULL;
    e->run = RUN_READY;
}

void task_entry_free(struct task_entry *e)
{
    task_entry_stop(e);
    free(e->room);
    free(e);
}

/* Takes those that fit out of their lanes, and empty lanes away. */
static void sweep(struct tasks *tasks, bool (*is)(const struct task_entry *e, const void *arg),
                  const void *arg, struct task_entry **ret_taken)
{
    for (struct task_lane **l = &tasks->lanes; *l != NULL;) {
        struct task_lane *lane = *l;
        lane->last = &lane->first;
        while (*lane->last != NULL) {
            struct task_entry *e = *lane->last;
            if (!is(e, arg)) {
                lane->last = &e->next;
                continue;
            }
            *lane->last = e->next;
            e->next = *ret_taken;
            *ret_taken = e;
        }
        if (lane->first == NULL) {
            *l = lane->next;
            free(lane);
        } else {
            l = &lane->next;
        }
    }
}

static bool is_dropped(const struct task_entry *e, const void *arg)
{
    (void)arg;
    return e->dropped;
}

struct task_entry *task_find(const struct tasks *tasks, uint64_t number)
{
    for (const struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
        for (struct task_entry *e = l->first; e != NULL; e = e->next)
            if (e->number == number)
                return e;
    return NULL;
}

bool tasks_has(const struct core *c, uint64_t number)
{
    return task_find(c->tasks, number) != NULL;
}

bool task_only_watches(const struct task_entry *e)
{
    return e->kind == TASK_LOG_WATCH && e->run == RUN_READY && e->waiting &&
           e->due_us > task_now_us(e->core);
}

bool tasks_due(const struct core *c, uint32_t within_ms)
{
    uint64_t until = clock_monotonic_us(c->clock) + (uint64_t)within_ms * 1000;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (l->first != NULL && !task_only_watches(l->first) &&
            (l->first->run != RUN_READY || l->first->due_us <= until))
            return true;
    return false;
}

uint64_t tasks_of_kind(const struct core *c, enum task_kind kind)
{
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        for (const struct task_entry *e = l->first; e != NULL; e = e->next)
            if (e->kind == (uint32_t)kind)
                return e->number;
    return 0;
}

uint32_t tasks_count(const struct core *c)
{
    uint32_t count = 0;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        for (const struct task_entry *e = l->first; e != NULL; e = e->next)
            count += e->asked;
    return count;
}

bool tasks_busy(const struct core *c)
{
    uint64_t soon = task_now_us(c) + (uint64_t)TASKS_SOON_MS * 1000;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (l->first != NULL && !task_only_watches(l->first) &&
            (!l->first->waiting || l->first->due_us <= soon))
            return true;
    return false;
}

void tasks_step_ended(struct core *c, bool ok)
{
    struct tasks *tasks = c->tasks;
    struct task_entry *added = tasks->added, *gone = NULL;
    tasks->added = NULL;
    while (added != NULL) {
        struct task_entry *e = added;
        added = e->next;
        if (ok)
            task_enter(tasks, e);
        else
            task_entry_free(e);
    }
    if (!ok) {
        for (struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
            for (struct task_entry *e = l->first; e != NULL; e = e->next)
                e->dropped = false;
        return;
    }
    sweep(tasks, is_dropped, NULL, &gone);
    while (gone != NULL) {
        struct task_entry *e = gone;
        gone = e->next;
        ops_end_of(c, e->number, &e->dropped_error);
        task_entry_free(e);
    }
}

void task_call_free(struct task_call *call)
{
    if (call == NULL)
        return;
    buf_clear(&call->caller_id);
    sig_key_clear(&call->caller_key);
    buf_clear(&call->request);
    buf_clear(&call->tokens);
    bytes_wipe(call, sizeof *call);
    free(call);
}

static bool is_any(const struct task_entry *e, const void *arg)
{
    (void)arg;
    return e != NULL;
}

void tasks_clear(struct tasks *tasks)
{
    struct task_entry *all = NULL;
    sweep(tasks, is_any, NULL, &all);
    while (all != NULL) {
        struct task_entry *e = all;
        all = e->next;
        task_entry_free(e);
    }
}
