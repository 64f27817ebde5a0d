/* The courier: empties the outbox (protocol.md 8). Groups due rows by destination domain, one batch
 * under way per domain; the local queue service is the nearest destination, a peer another. Commit,
 * answer, act: courier_wake() after a commit.
 *
 * A batch that fails for now backs off (1 s doubling to 1 h, jitter); rows refused for good become
 * notices; a dead domain delays nobody else; one domain's backlog is bounded, beyond which its
 * oldest application messages become a counted loss notice. Crash-safe: a row goes when its
 * destination has committed it.
 */
#ifndef SERVER_COURIER_H
#define SERVER_COURIER_H

#include "server/courier/outbox.h"
#include "server/queue/queue.h"

struct courier;

struct courier_batch_row {
    struct bytes sealed_ref;
    struct bytes payload;
    uint64_t sequence;
    bool notify, control;
    uint64_t payload_id; /* equal for rows that share a payload */
};

/* A way to a domain. deliver must call done exactly once, on the loop of `inbox`, unless it returns
 * an error (then the batch backs off). rows are borrowed until done. */
struct courier_route {
    struct err (*deliver)(void *self, struct bytes domain, const struct courier_batch_row *rows,
                          size_t count, struct inbox *inbox,
                          void (*done)(void *arg, struct err result,
                                       const enum queue_outcome *outcomes),
                          void *arg);
    void *self;
};

struct courier_options {
    struct store *store; /* delivery.db */
    struct outbox outbox;
    struct queue *queue;        /* for our own domain */
    struct courier_route peers; /* for all others; deliver NULL: refused (no federation yet) */
    struct hearth_loop *loop;   /* the courier runs here */
    /* A row was refused for good, or lost: in a transaction of its own, before the row goes. Runs
     * on the store's thread. */
    struct err (*refused)(struct store_txn *txn, void *self, const uint8_t notice[16],
                          enum queue_outcome why);
    void *refused_self;
};

CHECKED struct err courier_new(struct front_env *env, const struct courier_options *options,
                               struct courier **ret_courier);
void courier_wake(struct courier *courier); /* from any thread: there are new rows */
/* Stops; calls idle once nothing is under way. */
void courier_free(struct courier *courier);

struct courier_stats {
    uint64_t delivered, gone, refused, later, lost;
    uint64_t waiting; /* rows, about */
};
struct courier_stats courier_stats(struct courier *courier);

#endif
