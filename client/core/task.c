/* Tasks as steps see them. */
#include "client/core/task.h"

#include <stdio.h>

#include "client/core/event.h"
#include "client/core/task_inside.h"

static bool own_lane(const uint8_t lane[16])
{
    static const uint8_t zeros[16];
    return memcmp(lane, zeros, sizeof zeros) == 0;
}

struct err task_add(struct core *c, struct db_txn *t, enum task_kind kind, const uint8_t *lane,
                    const struct hearth_id *subject, struct bytes body, uint64_t *ret_number)
{
    struct task task = {.kind = kind, .made_ms = core_now_ms(c)};
    TRY(task_next_number(t, &task.number));
    if (lane != NULL)
        memcpy(task.lane, lane, sizeof task.lane);
    if (subject != NULL)
        task.subject = *subject;
    TRY(rng_fill(c->rng, task.idempotency, sizeof task.idempotency));
    struct task_entry *entry = task_entry_new(c, &task);
    if (entry == NULL)
        return ERR(NO_MEMORY);
    buf_append_bytes(&task.body, body);
    struct err err = task_put(t, &task);
    if (!err_is_ok(err)) {
        task_clear(&task);
        task_entry_free(entry);
        return err;
    }
    entry->next = c->tasks->added;
    c->tasks->added = entry;
    c->kick_tasks = true;
    if (ret_number != NULL)
        *ret_number = task.number;
    task_clear(&task);
    return ERR_OK;
}

struct err task_renew(struct core *c, struct task *task)
{
    TRY(rng_fill(c->rng, task->idempotency, sizeof task->idempotency));
    task->tries = 0;
    return ERR_OK;
}

void task_fail(struct core *c, struct task *task, const struct hearth_error *error)
{
    (void)task;
    c->tasks->failing = *error;
}

void task_fail_err(struct core *c, struct task *task, struct err err)
{
    struct hearth_error error;
    core_error_of(err, &error);
    task_fail(c, task, &error);
}

struct err task_step_failed(struct core *c, struct task *task, struct err err,
                            enum task_next *ret_next)
{
    task_fail_err(c, task, err);
    *ret_next = TASK_NEXT_FAILED;
    return ERR_OK;
}

struct err task_step_refused(struct core *c, struct task *task, const struct task_answer *answer,
                             enum task_next *ret_next)
{
    struct hearth_error error;
    core_error_of_status(answer->status, &error);
    task_fail(c, task, &error);
    *ret_next = TASK_NEXT_FAILED;
    return ERR_OK;
}

void task_wake(struct core *c, const uint8_t *lane)
{
    for (struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next) {
        struct task_entry *e = l->first;
        if (e == NULL || !e->waiting || (lane != NULL && memcmp(l->id, lane, 16) != 0))
            continue;
        e->waiting = false;
        e->due_us = 0;
        c->kick_tasks = true;
    }
}

static struct err drop_one(struct core *c, struct db_txn *t, struct task_entry *e,
                           const struct hearth_error *error)
{
    struct task task;
    if (e->dropped || e == c->tasks->current)
        return ERR_OK;
    TRY(task_get(t, e->number, &task));
    const struct task_steps *steps = task_steps_of(c->tasks, e->kind);
    e->dropped = true; /* before `failed`, which may drop the same lane */
    e->dropped_error = *error;
    struct err err = ERR_OK;
    if (steps != NULL && steps->failed != NULL)
        err = steps->failed(c, t, &task, error);
    if (err_is_ok(err))
        err = task_drop(t, e->number);
    if (err_is_ok(err))
        err = task_end_event(c, t, &task, error);
    task_clear(&task);
    return err;
}

struct err task_drop_lane(struct core *c, struct db_txn *t, const uint8_t lane[16],
                          const struct hearth_error *error)
{
    if (own_lane(lane))
        return ERR(ARGUMENT);
    for (struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (memcmp(l->id, lane, 16) == 0)
            for (struct task_entry *e = l->first; e != NULL; e = e->next)
                TRY(drop_one(c, t, e, error));
    for (struct task_entry *e = c->tasks->added; e != NULL; e = e->next)
        if (memcmp(e->lane, lane, 16) == 0)
            TRY(drop_one(c, t, e, error));
    c->kick_tasks = true;
    return ERR_OK;
}

void tasks_drop_all(struct core *c, const struct hearth_error *error)
{
    for (struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next) {
        for (struct task_entry *e = l->first; e != NULL; e = e->next) {
            e->dropped = e != c->tasks->current;
            e->dropped_error = *error;
        }
    }
    for (struct task_entry *e = c->tasks->added; e != NULL; e = e->next)
        e->dropped = true;
}

struct err task_in_lane(struct core *c, struct db_txn *t, const uint8_t lane[16],
                        enum task_kind kind, bool *ret_there)
{
    (void)t;
    *ret_there = false;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (memcmp(l->id, lane, 16) == 0)
            for (const struct task_entry *e = l->first; e != NULL; e = e->next)
                *ret_there |= e->kind == (uint32_t)kind && !e->dropped;
    for (const struct task_entry *e = c->tasks->added; e != NULL; e = e->next)
        *ret_there |= e->kind == (uint32_t)kind && !e->dropped && memcmp(e->lane, lane, 16) == 0;
    return ERR_OK;
}

bool task_anywhere(const struct core *c, enum task_kind kind)
{
    bool there = false;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        for (const struct task_entry *e = l->first; e != NULL; e = e->next)
            there |= e->kind == (uint32_t)kind && !e->dropped;
    for (const struct task_entry *e = c->tasks->added; e != NULL; e = e->next)
        there |= e->kind == (uint32_t)kind && !e->dropped;
    return there;
}

struct err task_call_request(struct task_call *call, const char *service, const char *method,
                             const ProtobufCMessage *in)
{
    call->endpoint = api_endpoint(service, method);
    if (call->endpoint == NULL || call->endpoint->request != in->descriptor)
        return ERR(INTERNAL);
    size_t len = protobuf_c_message_get_packed_size(in);
    if (len > call->endpoint->request_bytes)
        return ERR(TOO_LARGE);
    buf_clear(&call->request);
    uint8_t *out = buf_extend(&call->request, len);
    TRY(buf_check(&call->request));
    (void)protobuf_c_message_pack(in, out);
    return ERR_OK;
}

struct err task_call_stream(struct task_call *call, struct bytes domain, const char *service,
                            const char *method)
{
    TRY(domain_check(domain, true));
    memcpy(call->domain, domain.data, domain.len);
    call->domain[domain.len] = '\0';
    call->anonymous = true;
    call->endpoint = api_endpoint(service, method);
    return call->endpoint != NULL ? ERR_OK : ERR(INTERNAL);
}

/* ---- kinds */

const struct task_steps *task_steps_of(const struct tasks *tasks, uint32_t kind)
{
    switch (kind) {
#define TASK(number, name) \
    case number:           \
        return &task_steps_##name;
#include "client/core/task.def"
#undef TASK
    default:
        break;
    }
    for (size_t i = 0; i < TASK_OWN_KINDS; i++)
        if (tasks->own[i].steps != NULL && tasks->own[i].kind == kind)
            return tasks->own[i].steps;
    return NULL;
}

const char *task_name(uint32_t kind)
{
    switch (kind) {
#define TASK(number, name) \
    case number:           \
        return #name;
#include "client/core/task.def"
#undef TASK
    default:
        return "TASK";
    }
}

void tasks_add_kind(struct core *c, uint32_t kind, const struct task_steps *steps)
{
    for (size_t i = 0; i < TASK_OWN_KINDS; i++) {
        if (c->tasks->own[i].steps == NULL || c->tasks->own[i].kind == kind) {
            c->tasks->own[i].kind = kind;
            c->tasks->own[i].steps = steps;
            return;
        }
    }
}

struct err task_set_asked(struct core *c, struct db_txn *t, uint64_t number)
{
    struct task task = {0};
    struct err err = task_get(t, number, &task);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* it has ended */
    task.asked = true;
    for (struct task_entry *e = c->tasks->added; e != NULL; e = e->next)
        e->asked = e->asked || e->number == number;
    if (err_is_ok(err))
        err = task_put(t, &task);
    task_clear(&task);
    return err;
}

/* Whoever waits hears it; whoever is gone finds it among the events. */
struct err task_end_event(struct core *c, struct db_txn *t, const struct task *task,
                          const struct hearth_error *error)
{
    if (!task->asked || ops_wait_for(c, task->number))
        return ERR_OK;
    char text[512];
    (void)snprintf(text, sizeof text, "%s%s%s", task_name((uint32_t)task->kind),
                   error->result == HEARTH_DONE ? "" : ": ", error->text);
    struct hearth_event event = {.kind = HEARTH_EVENT_OPERATION,
                                 .chat = task->subject,
                                 .message = task->number,
                                 .result = error->result,
                                 .text = text};
    return event_tell(c, t, &event);
}
