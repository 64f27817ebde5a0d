/* The engine from the inside: what lies in memory of the rows of DB_TASK.
 *
 * Bodies stay in the file and are read by each step: a failed step leaves nothing to repair here.
 * Tasks stand in the queue of their lane, and only the first of a lane runs.
 */
#ifndef CLIENT_CORE_TASK_INSIDE_H
#define CLIENT_CORE_TASK_INSIDE_H

#include "client/core/op.h"
#include "client/core/receipt.h"
#include "client/core/task.h"

enum { TASKS_AT_ONCE = 32, TASK_OWN_KINDS = 8, TASK_BODY_MAX_BYTES = 16 * 1024 * 1024 };

enum task_run { RUN_READY, RUN_CALL, RUN_STREAM };

struct task_lane;
struct task_entry {
    struct task_entry *next; /* in the lane, or among those added by the step under way */
    uint64_t number;
    uint32_t kind;
    bool asked; /* as in the row */
    uint8_t lane[16];
    struct core *core;
    enum task_run run;
    uint64_t due_us; /* READY: not before; UINT64_MAX: when woken */
    bool waiting;    /* READY: asked to wait, task_wake makes it due */
    unsigned faults; /* steps of it that failed in a row */
    uint64_t round;  /* of the engine in which it had its turn */
    bool dropped;    /* by the step under way */
    struct task_lane
        *room; /* for its lane, made before the row is: what is committed has a place */
    struct hearth_error dropped_error;
    struct task_call *call; /* RUN_CALL */
    struct receipt_ask ask; /* of it */
    struct api_call *under_way;
    void *stream;
};

struct task_lane {
    struct task_lane *next;
    uint8_t id[16]; /* zeros: of its one task */
    struct task_entry *first, **last;
    uint64_t newest; /* number, at least; it may have gone */
};

struct tasks {
    struct task_lane *lanes;
    struct task_entry *added; /* by the step under way, newest first */
    struct task_entry *current;
    struct hearth_error failing; /* task_fail */
    struct hearth_timer *timer;
    uint64_t round;
    struct {
        uint32_t kind;
        const struct task_steps *steps;
    } own[TASK_OWN_KINDS];
};

/* task_row.c */
void task_clear(struct task *task);
void task_write(struct buf *b, const struct task *task);
CHECKED struct err task_read(struct bytes in, struct task *ret_task);
CHECKED struct err task_get(struct db_txn *t, uint64_t number, struct task *ret_task);
CHECKED struct err task_put(struct db_txn *t, const struct task *task);
CHECKED struct err task_drop(struct db_txn *t, uint64_t number);
/* The number of a new task: never used before. */
CHECKED struct err task_next_number(struct db_txn *t, uint64_t *ret_number);

/* NULL: of a newer program, it stays as it is. */
const struct task_steps *task_steps_of(const struct tasks *tasks, uint32_t kind);
const char *task_name(uint32_t kind);
struct task_entry *task_find(const struct tasks *tasks, uint64_t number);
/* A task of somebody who is gone has ended. */
CHECKED struct err task_end_event(struct core *c, struct db_txn *t, const struct task *task,
                                  const struct hearth_error *error);
void task_call_free(struct task_call *call);
/* With room for its lane; NULL: no memory. */
struct task_entry *task_entry_new(struct core *c, const struct task *task);
void task_entry_free(struct task_entry *e);

/* task_lane.c */
void task_enter(struct tasks *tasks, struct task_entry *e); /* takes it over */
void task_entry_stop(struct task_entry *e);                 /* its call or stream */
void tasks_clear(struct tasks *tasks);

/* task_turn.c: prepares (answer NULL), or settles. The entry may be gone afterwards. */
void task_turn(struct task_entry *e, const struct task_answer *answer);
/* task_answer.c: an api_done of an entry's call. */
void task_on_answer(const struct hearth_status *status, const ProtobufCMessage *out, void *arg);

/* After so many tries in vain; with jitter, so that not all come again at once. */
uint64_t task_delay_ms(unsigned tries);
uint64_t task_delay_us(struct core *c, uint64_t ms);
static inline uint64_t task_now_us(const struct core *c)
{
    return clock_monotonic_us(c->clock);
}

/* Waits for the next window of a log (core/log.h), for which nobody else waits. */
bool task_only_watches(const struct task_entry *e);

#endif
