/* Operations (struct hearth_op): who asked for something waits here for its end.
 *
 * An operation stands for a task and ends with it, or is ended by op_end. The end is told from the
 * loop. Whoever holds it gives it up by its end (on_done), by op_free after it ended, or by
 * op_detach; the core frees what is left when it closes, and tells nobody.
 */
#ifndef CLIENT_CORE_OP_H
#define CLIENT_CORE_OP_H

#include "client/core/core.h"

struct hearth_op {
    struct core *core;
    struct hearth_op *next;
    uint64_t task; /* 0: none */
    struct hearth_id id;
    bool ended, detached;
    struct hearth_error result;
    void (*done)(const struct hearth_error *result, void *arg);
    void *done_arg;
    void (*progress)(uint64_t done, uint64_t all, void *arg);
    void *progress_arg;
};

/* task 0, or one that has ended: there was nothing to do, it ends well at once. */
CHECKED struct err op_new(struct core *c, uint64_t task, const struct hearth_id *id,
                          struct hearth_op **ret_op);
/* An operation that has no task (a sync, a link): ended by op_end. */
CHECKED struct err op_new_free(struct core *c, const struct hearth_id *id,
                               struct hearth_op **ret_op);
void op_progress(struct hearth_op *op, uint64_t done, uint64_t all);
void op_progress_of(struct core *c, uint64_t task, uint64_t done, uint64_t all);
/* NULL is fine. */
void op_end(struct hearth_op *op, const struct hearth_error *result);

/* For the doors of client.h. */
void op_on_done(struct hearth_op *op, void (*done)(const struct hearth_error *result, void *arg),
                void *arg);
void op_detach(struct hearth_op *op);
void op_free(struct hearth_op *op); /* one that ended */

/* ---- for the engine */

/* Does somebody wait for this task? */
bool ops_wait_for(const struct core *c, uint64_t task);
void ops_end_of(struct core *c, uint64_t task, const struct hearth_error *result);
/* Calls what has to be called. From the loop. */
void ops_tell(struct core *c);
void ops_close(struct core *c);

#endif
