#include "client/core/op.h"

#include <stdlib.h>

#include "client/core/task.h"

static void wake(struct core *c)
{
    (void)hearth_timer_set(c->soon, 0); /* it is always set */
}

struct err op_new_free(struct core *c, const struct hearth_id *id, struct hearth_op **ret_op)
{
    struct hearth_op *op = calloc(1, sizeof *op);
    if (op == NULL)
        return ERR(NO_MEMORY);
    op->core = c;
    if (id != NULL)
        op->id = *id;
    op->next = c->ops;
    c->ops = op;
    *ret_op = op;
    return ERR_OK;
}

struct err op_new(struct core *c, uint64_t task, const struct hearth_id *id,
                  struct hearth_op **ret_op)
{
    struct hearth_op *op = NULL;
    TRY(op_new_free(c, id, &op));
    op->task = task;
    if (!tasks_has(c, task))
        op_end(op, &(struct hearth_error){.result = HEARTH_DONE});
    *ret_op = op;
    return ERR_OK;
}

void op_progress(struct hearth_op *op, uint64_t done, uint64_t all)
{
    if (!op->ended && !op->detached && op->progress != NULL)
        op->progress(done, all, op->progress_arg);
}

void op_progress_of(struct core *c, uint64_t task, uint64_t done, uint64_t all)
{
    struct hearth_op *next;
    for (struct hearth_op *op = c->ops; op != NULL; op = next) {
        next = op->next;
        if (op->task == task)
            op_progress(op, done, all);
    }
}

void op_end(struct hearth_op *op, const struct hearth_error *result)
{
    if (op == NULL || op->ended)
        return;
    op->ended = true;
    op->result = *result;
    wake(op->core);
}

void op_on_done(struct hearth_op *op, void (*done)(const struct hearth_error *result, void *arg),
                void *arg)
{
    op->done = done;
    op->done_arg = arg;
    if (op->ended)
        wake(op->core);
}

void op_detach(struct hearth_op *op)
{
    op->detached = true;
    if (op->ended)
        wake(op->core);
}

static void drop(struct hearth_op **at)
{
    struct hearth_op *op = *at;
    *at = op->next;
    free(op);
}

void op_free(struct hearth_op *op)
{
    for (struct hearth_op **at = &op->core->ops; *at != NULL; at = &(*at)->next) {
        if (*at == op) {
            drop(at);
            return;
        }
    }
}

/* ---- for the engine */

bool ops_wait_for(const struct core *c, uint64_t task)
{
    for (const struct hearth_op *op = c->ops; op != NULL; op = op->next)
        if (op->task == task && !op->detached)
            return true;
    return false;
}

void ops_end_of(struct core *c, uint64_t task, const struct hearth_error *result)
{
    for (struct hearth_op *op = c->ops; op != NULL; op = op->next)
        if (op->task == task)
            op_end(op, result);
}

/* One at a time from the start: a callback may change the list. */
static bool tell_one(struct core *c)
{
    for (struct hearth_op **at = &c->ops; *at != NULL; at = &(*at)->next) {
        struct hearth_op *op = *at;
        if (!op->ended || (op->done == NULL && !op->detached))
            continue;
        struct hearth_op told = *op;
        drop(at);
        if (!told.detached)
            told.done(&told.result, told.done_arg);
        return true;
    }
    return false;
}

void ops_tell(struct core *c)
{
    while (tell_one(c)) {
    }
}

void ops_close(struct core *c)
{
    while (c->ops != NULL)
        drop(&c->ops);
}
