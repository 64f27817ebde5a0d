/* The courier: empties the outbox (protocol.md 8). Rows go by destination domain, one batch under
 * way per domain; the local queue service is the nearest destination, a peer another. Commit,
 * answer, act: courier_wake() after a commit.
 *
 * F1: a row goes only when its destination has said that it is durable, or gone for good; after a
 * crash rows go out again under the same numbers, of which a queue service takes each once.
 * F2: each domain has its own batch and its own waiting. Slots for peers are bounded, and those
 * that have not answered lately share half of them. F3: a batch that fails backs off (1 s doubling
 * to 1 h, jitter; for our own domain 20 ms to 10 s); an authenticated contact ends that
 * (courier_contact). A row that is told "later" holds back the rows of its reference alone. A
 * domain's backlog is bounded: its oldest application messages are given up and reported. Rows wait
 * OUTBOX_DAYS at most.
 *
 * Restart: the tables are all there is; waiting times start anew.
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
    bool notify, quiet, control;
    uint64_t payload_id; /* equal for rows that share a payload */
};

/* A way to a domain. deliver must call done exactly once, soon (it has a deadline of its own), on
 * the loop of `inbox`, unless it returns an error (then the batch backs off). rows are borrowed
 * until done. After QUEUE_LATER for a row the destination answers QUEUE_LATER for all later rows of
 * its reference too. */
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
    /* Of a row with a notice: QUEUE_GONE or QUEUE_REFUSED: refused for good; QUEUE_LATER: given up,
     * after OUTBOX_DAYS or because the backlog was full. Once per row, in the transaction that
     * takes the row away, on the store's thread: an error leaves the row, and it is tried again. */
    struct err (*refused)(struct store_txn *txn, void *self, const uint8_t notice[16],
                          enum queue_outcome why);
    void *refused_self;
    uint32_t backlog_rows;  /* of one domain [50000] */
    uint64_t backlog_bytes; /* [64 MiB] */
    uint32_t batch_rows;    /* of one batch [BATCH_ROWS, which is also the most] */
};

/* Before the server starts: raises the outbox's numbers (outbox_sql.h), and waits for that. */
CHECKED struct err courier_new(struct front_env *env, const struct courier_options *options,
                               struct courier **ret_courier);
void courier_wake(struct courier *courier); /* from any thread: there are new rows */
/* From any thread: the domain has spoken to us in a way that proves it (a signed call). What waits
 * for it is due now; once a second at most. */
void courier_contact(struct courier *courier, struct bytes domain);
/* On the loop: starts nothing any more. The memory goes when the last thing under way has come
 * back, that is when the stores are closed and the loop has run what was posted. NULL is fine. */
void courier_free(struct courier *courier);

/* ---- for the operator; all on the courier's loop */

struct courier_domain {
    struct bytes name;
    uint64_t rows, bytes; /* that wait, as counted last while it was behind */
    uint32_t failures;    /* of it as a whole, in a row */
    uint32_t due_s;       /* until the next attempt; 0: none is waited for */
    uint32_t held;        /* references that were told to come later */
};
/* Other domains with rows, or lately so. */
void courier_each(struct courier *courier, void (*say)(void *to, const struct courier_domain *d),
                  void *to);
/* Gives up everything that waits for the domain now, with notices. false: nothing does. */
bool courier_drop(struct courier *courier, struct bytes domain);

struct courier_stats {
    uint64_t delivered, gone, refused; /* rows that went */
    uint64_t later;                    /* times that a row was told to come later */
    uint64_t lost;                     /* rows given up */
    uint64_t failures;                 /* batches that failed */
    uint64_t waiting;                  /* rows known to wait for domains that are behind, about */
    uint64_t domains;                  /* with rows, about */
};
/* From any thread. */
struct courier_stats courier_stats(struct courier *courier);

#endif
