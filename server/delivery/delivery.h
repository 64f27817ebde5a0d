/* The delivery service's door (protocol.md 7): groups whose state it can open only with the key
 * that a request brings. Owns delivery.db, in which the courier's outbox tables lie too. Knows no
 * user and no queue. One file per rpc; `main` and the courier see this header only.
 *
 * A request goes: stored answer? -> row read and opened (a reader's thread) -> the caller's leaf
 * key verifies the call (loop) -> limits -> checks, validation, sealing of what goes out (a
 * reader's thread, for they take long in large groups) -> one transaction: state if its version is
 * unchanged, outbox rows, answer (the writer's thread) -> answer, courier woken. Where the version
 * changed meanwhile, it begins again.
 */
#ifndef SERVER_DELIVERY_H
#define SERVER_DELIVERY_H

#include "server/courier/outbox.h"
#include "server/front/front.h"
#include "server/queue/queue.h"

struct delivery;

/* Each bit switches one defence off, so that a test can show that it is the defence that holds. */
enum delivery_control {
    DELIVERY_NO_VERSION = 1,  /* a state is written although it changed meanwhile (G1) */
    DELIVERY_NO_CONTENT = 2,  /* SendMessage takes any bytes */
    DELIVERY_NO_JOINERS = 4,  /* Welcomes need not name the Adds */
    DELIVERY_NO_ROTATION = 8, /* the state key stays when a leaf is removed (G5) */
    DELIVERY_NO_PAUSE = 16,   /* DoS8: invalid commits are not counted */
    DELIVERY_NO_ROLES = 32,   /* everybody is an admin */
};

struct delivery_options {
    struct store_options store; /* path, mode, files; schema is set here */
    /* There are new rows in the outbox: courier_wake. NULL: nobody is told. From any loop. */
    void (*wake)(void *self);
    void *wake_self;
    /* May a member's queue lie at that domain? Asked for all but our own, from any thread. NULL: it
     * may. */
    bool (*admits)(void *self, struct bytes domain);
    void *admits_self;
    uint32_t control; /* tests: defences that are off (enum delivery_control), for control runs */
};

CHECKED struct err delivery_open(struct front_env *env, const struct delivery_options *options,
                                 struct delivery **ret_delivery);
/* Adds hearth.v1.Delivery to the server. */
CHECKED struct err delivery_add(struct delivery *delivery, struct hearth_server *server);
/* After the server and the courier. Calls whose jobs are still in an inbox end with it. */
void delivery_close(struct delivery *delivery);
struct store *delivery_store(struct delivery *delivery); /* for the courier, backup, turns */
/* For courier_options: where the outbox lies. Lives as long as the delivery service. */
struct outbox delivery_outbox(struct delivery *delivery);
/* For courier_options.refused; self is the delivery service. Notes that rows to a leaf were refused
 * for good, to be acted upon when a member next opens the group. */
struct err delivery_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                            enum queue_outcome why);
/* One run of the expiries (F4): groups without a commit, past trees, notices, pauses, answers. A
 * bounded piece of work; true: there is more. Blocks; not on a loop that has work to do. */
bool delivery_expire(struct delivery *delivery);

/* Rows, for the operator and for tests. Reads whole indices: not for hot paths. */
struct delivery_stats {
    uint64_t groups, past_trees, notices, pauses, answers, outbox_rows;
};
CHECKED struct err delivery_stats(struct delivery *delivery, struct delivery_stats *ret_stats);

#endif
