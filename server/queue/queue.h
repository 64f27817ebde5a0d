/* The queue service's door (protocol.md 6): pseudonymous queues, KeyPackages, delivery to clients.
 * Owns queue.db. Knows no user and no group. One file per rpc; the courier and `main` see this
 * header only.
 */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include "server/front/front.h"

struct queue;

struct queue_options {
    struct store_options store; /* path, mode, files; schema is set here */
    /* Wakes a device; NULL: nobody is woken. May be called from any thread, must not block. */
    void (*notify)(void *self, struct bytes sealed_push_token, struct bytes push_token_key);
    void *notify_self;
    uint32_t tick_ms; /* ME1: what came within a tick goes to listeners together [10] */
    bool cover;       /* ME1: a listener for whom nothing came within a tick gets padding instead */
};

CHECKED struct err queue_open(struct front_env *env, const struct queue_options *options,
                              struct queue **ret_queue);
/* Adds hearth.v1.Queue to the server and its key sources to the front. */
CHECKED struct err queue_add(struct queue *queue, struct hearth_server *server);
void queue_close(struct queue *queue);          /* after the server */
struct store *queue_store(struct queue *queue); /* for backup, stats, and turns in worlds */
/* One run of the expiries (F4, 30 d items, 90 d clients): a bounded piece of work; true: there is
 * more of this round. Waits for its transaction: not on a loop's or the store's thread. */
bool queue_expire(struct queue *queue);

/* ---- from the courier */

enum queue_outcome {
    QUEUE_OK = 1,   /* durable */
    QUEUE_GONE = 2, /* for good: no such queue */
    QUEUE_REFUSED =
        3, /* for good: not our reference, wrong origin for its tag, blocked counts as OK */
    QUEUE_LATER = 4,
};

/* One delivery. Borrowed until done. */
struct queue_row {
    struct bytes sealed_ref;
    struct bytes payload; /* sealed towards the members */
    uint64_t sequence;    /* numbers the rows of one reference at its origin, growing: what is not
                             above the last one was    delivered before and is OK */
    bool notify;
    bool quiet;   /* wakes nobody, whatever the client's policy: the leaf's owner wants it so */
    bool control; /* commits and Welcomes: may use the last tenth of a queue */
};

enum { QUEUE_ACCEPT_ROWS_MOST = 4096 };
/* Appends the rows, those of one reference in the order given, in transactions of at most
 * STORE_COST_MAX rows one after the other; where one fails, its rows and all after it are
 * QUEUE_LATER, so that nothing overtakes. done is called on inbox's loop, exactly once unless an
 * error is returned; outcomes has count entries, valid inside done, and they hold whatever result
 * says. Overflow becomes a gap item and is QUEUE_OK. ERR_ARGUMENT for no rows or more than
 * QUEUE_ACCEPT_ROWS_MOST; the store's. A reference must not be in two calls of one origin that are
 * under way at once: the later one might be first, and the number of the other too low then. */
CHECKED struct err queue_accept(struct queue *queue, struct bytes origin,
                                const struct queue_row *rows, size_t count, struct inbox *inbox,
                                void (*done)(void *arg, struct err result,
                                             const enum queue_outcome *outcomes),
                                void *arg);

/* The same in two steps, so that a batch can be checked while the one before it is appended. All on
 * inbox's loop. checked() comes once unless an error is returned; with an error there is nothing
 * left, else either queue_accept_append(), whose done may come before it returns, or
 * queue_accept_drop() ends it. The rows stay borrowed until then. */
struct accept;
CHECKED struct err queue_accept_check(struct queue *queue, struct bytes origin,
                                      const struct queue_row *rows, size_t count,
                                      struct inbox *inbox,
                                      void (*checked)(void *arg, struct err result), void *arg,
                                      struct accept **ret_accept);
void queue_accept_append(struct accept *accept,
                         void (*done)(void *arg, struct err result,
                                      const enum queue_outcome *outcomes),
                         void *arg);
void queue_accept_drop(struct accept *accept);

/* Does this reference name a queue of ours, by its client's own hand, and was not used by another
 * origin? Then one of our users wants to hear from whoever has it. done comes on inbox's loop,
 * exactly once unless an error is returned: ERR_OK; ERR_NOT_FOUND: it does not; ERR_LIMIT
 * (VOUCHED); the store's. Nothing is written. sealed_ref and origin are copied. */
CHECKED struct err queue_vouch(struct queue *queue, struct bytes origin, struct bytes sealed_ref,
                               struct inbox *inbox, void (*done)(void *arg, struct err result),
                               void *arg);

#endif
