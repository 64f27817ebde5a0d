/* Tasks: what is still to be done with the outside, as durable rows (DB_TASK).
 *
 * A task is a small state machine. Its kind is a row of task.def with two functions. `prepare` runs
 * in a step and says what comes next: usually one call, whose request it has built and, where a
 * repeat must be the same, put into the task's body; `settle` runs in a step with the answer and
 * says what comes next. Between the two the process may die at any point: `prepare` is then asked
 * again, with the same state, body and idempotency id.
 *
 * An error of either ends the step, which is then tried again; but one that is the other side's
 * fault (classes caller and peer of err.def) fails the task.
 *
 * Tasks of one lane run one after the other in order of their numbers; lanes run side by side. An
 * answer that is none (no connection, deadline, overload) is not brought to settle: the call is
 * repeated after 1 s, 2 s, ... 60 s with jitter, sooner where the server said so.
 *
 * Who asked may hold a struct hearth_op on the task: it ends with the task.
 */
#ifndef CLIENT_CORE_TASK_H
#define CLIENT_CORE_TASK_H

#include "client/core/core.h"

enum task_kind {
    TASK_NONE = 0,
#define TASK(number, name) TASK_##name = (number),
#include "client/core/task.def"
#undef TASK
};

/* What the call at hand costs, once the homeserver has said so. */
struct task_payment {
    uint8_t class;         /* 0: nothing */
    uint8_t refusals;      /* of tokens that were brought */
    uint32_t wanted;       /* so many tokens */
    uint8_t call_hash[16]; /* whose they are, once they are taken */
    struct buf tokens;     /* ShortTokens, one behind the other */
};

struct task {
    uint64_t number;
    enum task_kind kind;
    uint32_t state;           /* the kind's own enum; begins with 0 */
    uint8_t lane[16];         /* zeros: a lane of its own */
    struct hearth_id subject; /* chat, contact or message it is about */
    uint8_t idempotency[16];  /* for the request of this state; another is drawn when the state
                                 changes (unless with TASK_NEXT_CALL) and by task_renew */
    uint32_t tries;           /* answers that were none, of this state */
    uint64_t not_before_ms;   /* TASK_NEXT_WAIT; in prepare: 0, or when it was woken before that */
    uint64_t made_ms;
    bool asked;      /* by a verb: its end is an event, when nobody waits for it any more */
    struct buf body; /* the kind's own */
    struct task_payment payment; /* the engine's (token_pay.h); all zeros as a rule */
};

enum task_next {
    TASK_NEXT_CALL,   /* prepare only: make the call */
    TASK_NEXT_STREAM, /* prepare only: steps->stream takes over until task_stream_done */
    TASK_NEXT_AGAIN,  /* state or body changed: prepare once more */
    TASK_NEXT_WAIT,   /* until not_before_ms (0: no time), or task_wake of the lane or all; after a
                         restart `prepare` may be asked sooner */
    TASK_NEXT_DONE,
    TASK_NEXT_FAILED, /* with task_fail's error */
};

/* A call to be made. Filled by prepare; the engine clears it. */
struct task_call {
    const struct hearth_endpoint *endpoint;
    char domain[DOMAIN_MAX_BYTES + 1];
    bool anonymous; /* else on the connection of this purpose: */
    uint8_t purpose[16];
    enum request_caller caller; /* 0: unsigned */
    struct buf caller_id;
    struct sig_key caller_key; /* a copy */
    struct buf request;        /* packed */
    uint32_t deadline_ms;
    struct buf tokens; /* the engine's: what it is paid with */
};
/* For TASK_NEXT_STREAM: what the stream will be, so that it can be paid: steps->stream finds the
 * tokens in task->payment. Without it a stream is never paid. */
CHECKED struct err task_call_stream(struct task_call *call, struct bytes domain,
                                    const char *service, const char *method);
/* Packs. */
CHECKED struct err task_call_request(struct task_call *call, const char *service,
                                     const char *method, const ProtobufCMessage *in);

/* Who calls, and on which connection: our queue client, our queue user, our user's client. */
CHECKED struct err call_as_queue_client(const struct account *a, struct task_call *call);
CHECKED struct err call_as_queue_user(const struct account *a, struct task_call *call);
CHECKED struct err call_as_client(const struct account *a, struct task_call *call);

struct task_answer {
    const struct hearth_status *status;
    const ProtobufCMessage *out; /* NULL unless OK */
};

struct task_steps {
    struct err (*prepare)(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next);
    struct err (*settle)(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next);
    /* Streams: begins one (not in a step). Whatever happens, task_stream_done is called once, from
     * the loop, unless stream_stop is called, after which nothing of the stream may touch the task.
     */
    void (*stream)(struct core *c, struct task *task, void **ret_handle);
    void (*stream_stop)(struct core *c, void *handle);
    /* The task ends without success: takes back in the same step what depended on it. May be NULL.
     */
    struct err (*failed)(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error);
};
#define TASK(number, name) extern const struct task_steps task_steps_##name;
#include "client/core/task.def"
#undef TASK

/* ---- from steps */

/* A new task; lane NULL: its own. Runs after the commit. task is written and numbered. */
CHECKED struct err task_add(struct core *c, struct db_txn *t, enum task_kind kind,
                            const uint8_t *lane, const struct hearth_id *subject, struct bytes body,
                            uint64_t *ret_number);
/* A verb's task: whoever asked is told its end, even after a restart. */
CHECKED struct err task_set_asked(struct core *c, struct db_txn *t, uint64_t number);
/* Draws another idempotency id and counts tries from 0: for a request that says something else. */
CHECKED struct err task_renew(struct core *c, struct task *task);
/* For TASK_NEXT_FAILED: why. */
void task_fail(struct core *c, struct task *task, const struct hearth_error *error);
void task_fail_err(struct core *c, struct task *task, struct err err);
/* A step that ends the task: with this error, or with what the homeserver answered. ERR_OK. */
CHECKED struct err task_step_failed(struct core *c, struct task *task, struct err err,
                                    enum task_next *ret_next);
CHECKED struct err task_step_refused(struct core *c, struct task *task,
                                     const struct task_answer *answer, enum task_next *ret_next);
/* Waiting tasks of the lane (NULL: of all) are prepared again after this step. */
void task_wake(struct core *c, const uint8_t *lane);
/* Takes tasks of a lane away (a chat that is over), each with the error; not the one whose step
 * this is. */
CHECKED struct err task_drop_lane(struct core *c, struct db_txn *t, const uint8_t lane[16],
                                  const struct hearth_error *error);
/* All but the one whose step this is, without a word: their rows go with everything (db_erase). */
void tasks_drop_all(struct core *c, const struct hearth_error *error);
/* Is a task of this kind in the lane? */
CHECKED struct err task_in_lane(struct core *c, struct db_txn *t, const uint8_t lane[16],
                                enum task_kind kind, bool *ret_there);

/* Is a task of this kind anywhere? */
bool task_anywhere(const struct core *c, enum task_kind kind);

/* ---- streams: outside of steps. The result is brought to settle in a step: status as of a call,
 * arg as the answer's `out` is free for the kind. */
void task_stream_done(struct core *c, uint64_t number, const struct hearth_status *status,
                      const ProtobufCMessage *out);

/* ---- engine */

CHECKED struct err tasks_open(struct core *c); /* reads what was left */
void tasks_close(struct core *c);              /* cancels calls; rows stay */
/* Runs whatever can run; from the loop. core_step calls it after steps that asked. */
void tasks_kick(struct core *c);
/* Is a call or stream under way, or will a task run within that time? */
bool tasks_due(const struct core *c, uint32_t within_ms);
/* The number of one of this kind; 0: there is none. */
uint64_t tasks_of_kind(const struct core *c, enum task_kind kind);
/* Of those that a verb asked for. */
uint32_t tasks_count(const struct core *c);
/* Is there one that does not wait, or for a few seconds only? */
enum { TASKS_SOON_MS = 5000 };
bool tasks_busy(const struct core *c);
bool tasks_has(const struct core *c, uint64_t number);
/* core_step's: takes what the step added and dropped, or forgets it. */
void tasks_step_ended(struct core *c, bool ok);

/* Tests: a kind of their own, not in task.def. */
void tasks_add_kind(struct core *c, uint32_t kind, const struct task_steps *steps);

#endif
