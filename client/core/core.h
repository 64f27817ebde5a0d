/* What every part of the core shares: one account, its file, its calls, its work.
 *
 * Rules of the house:
 *   - All state that must survive is in the file; what lies in memory is a copy. A step is one
 *     transaction: it reads, computes, writes. It fails as a whole, and then the copies that it may
 *     have touched are thrown away (core_step does that) and read again when they are needed.
 *   - Nobody calls a homeserver from inside a step. A step leaves a task (core/task.h); the engine
 *     makes the call afterwards and brings the answer into another step.
 *   - What people are told is an event row (core/event.h), written by the step that makes it true.
 *   - One thread, one loop.
 */
#ifndef CLIENT_CORE_CORE_H
#define CLIENT_CORE_CORE_H

#include "base/clock.h"
#include "base/rng.h"
#include "client/api/api.h"
#include "client/core/account.h"
#include "client/db/db.h"
#include "hearth/client.h"
#include "hearth/rpc.h"

struct tasks;      /* core/task.h */
struct chat_cache; /* core/chat.h */
struct listener;   /* core/queue.h */
struct linking;    /* core/link.h */

struct core {
    struct hearth_loop *loop;
    bool own_loop;
    const struct clock *clock;
    const struct rng *rng;
    struct db *db;
    struct api *api;
    struct account account; /* copy of DB_ACCOUNT; zero before it is registered */
    struct tasks *tasks;
    struct chat_cache *chats;
    struct listener *listener;   /* NULL: not listening */
    struct fetching *fetching;   /* core/queue.h: Dequeue, who waits for it */
    struct hearth_timer *upkeep; /* core/renew.h */
    uint64_t opened_ms;          /* when this process opened the account */
    struct linking *linking;     /* NULL: no device is being linked */
    struct hearth_error error;   /* of the last verb that could not begin */
    struct hearth_error trouble; /* why the last call had no answer; none after one that had */
    /* set by steps, done after their commit */
    bool kick_tasks, tell_events;
    uint32_t log_alarms; /* since it was opened (core/log.h) */
    bool in_step;
    struct hearth_timer *soon; /* does both, and ends operations, from the loop */
    struct hearth_op *ops;     /* core/op.h */
    void (*on_event)(struct hearth_account *account, void *arg);
    void *on_event_arg;
    struct hearth_account *handle;                 /* the public face of this core */
    void (*after_step)(struct core *c, void *arg); /* tests: one was committed */
    void *after_step_arg;
};

struct core_options {
    struct db_options db;
    struct api_options api;
    struct hearth_loop *loop; /* NULL: one of its own */
};
/* Members of options.api that options.db or loop say already are taken from there. */
CHECKED struct err core_open(const struct core_options *options, struct core **ret_core);
void core_close(struct core *c); /* NULL is fine */

/* A step: db_step, then what the step asked for (tasks kicked, events told, both from the loop);
 * after an error the copies in memory are dropped. Steps don't nest (ERR_WRONG_STATE). */
CHECKED struct err core_step(struct core *c,
                             struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                             void *arg);

/* A step that only reads: after an error nothing is dropped, since nothing was touched. */
CHECKED struct err core_look(struct core *c,
                             struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                             void *arg);

static inline uint64_t core_now_ms(const struct core *c)
{
    return clock_unix_ms(c->clock);
}
CHECKED struct err core_random_id(struct core *c, struct hearth_id *ret_id);
/* What calls of one kind share and others don't (api_to.purpose): "account", "queue", or "handle"
 * with its hash, a chat with its id. */
void core_purpose(const char *what, struct bytes id, uint8_t ret_purpose[16]);
/* A view as protobuf-c wants it; it writes nothing there. */
ProtobufCBinaryData core_out(struct bytes view);
static inline struct bytes core_in(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}
/* Appends the message as it goes on the wire. */
CHECKED struct err core_pack(const ProtobufCMessage *message, struct buf *out);

/* Fills a hearth_error from one of ours, from a status, or by hand. */
void core_error_of(struct err err, struct hearth_error *ret_error);
void core_error_of_status(const struct hearth_status *status, struct hearth_error *ret_error);

#endif
