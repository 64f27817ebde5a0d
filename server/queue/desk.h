/* Who listens: one desk per loop, one listener per queue.
 *
 * A listener lives on its call's loop. Wake-ups come from any thread and say nothing but "look":
 * the desk collects them for a tick (ME1), reads the queues of all that were woken in one
 * transaction on a snapshot, and writes what it found as long as the streams take it. A wake-up
 * that got lost is made good within a second, when the desk looks at all its queues (Q5).
 * Acknowledgements of a desk are gathered too, one transaction for all that came while the one
 * before was under way.
 *
 * With cover (ME1) every tick looks at all that have got what waited for them, and whoever has
 * nothing new gets padding that is as long as an item, by the same way and so at the same time.
 *
 * Nothing read is kept for a stream that does not take it: it is read again when the stream can
 * (a slow reader costs no memory here).
 *
 * Lock: desks->lock guards the map, the lists of woken listeners, listener->reason. All else of a
 * listener belongs to its loop.
 */
#ifndef SERVER_QUEUE_DESK_H
#define SERVER_QUEUE_DESK_H

#include "server/queue/inside.h"

enum {
    DESK_TICK_MS = 10,
    DESK_RECHECK_MS = 1000,
    DESK_READ_LISTENERS = 16, /* queues in one read */
    DESK_READS = 2,           /* reads under way, per desk */
    DESK_ACK_LISTENERS = 256,
    DESK_ACK_MS = 50, /* acknowledgements wait so long for others: each commit is a sync of the disk
                         that what is being sent would have to wait for */
    DESK_BATCH_ITEMS = 256,
    DESK_BATCH_BYTES = 65536, /* of one queue in one read; one item at least */
};

struct listener {
    unsigned refs; /* of the loop: the call, reads and acknowledgements under way, lists */
    struct desk *desk;
    struct hearth_call *call; /* NULL: over */
    uint8_t id[QUEUE_ID_BYTES];
    uint64_t client; /* row; 0: not looked up yet */
    bool starting, started;
    uint64_t next; /* number of the next item to send */
    bool drained;  /* the marker was sent */
    bool hot;      /* there may be more than was read */
    bool reading, blocked, ready;
    uint64_t ack_up_to, marked_end; /* asked for; delivered_end as it is stored */
    bool ack_wanted, acking;
    struct listener *prev, *next_on_desk, *next_ready, *next_ack;
    /* under the lock */
    struct listener *next_in_map, *next_woken;
    bool in_map, woken;
    enum err_code reason; /* other than NONE: has to end */
};

struct desk {
    struct queue *q;
    struct desks *desks;
    struct desk *next;
    struct hearth_loop *loop;
    struct inbox *inbox;
    struct hearth_timer *tick, *recheck, *ack_timer; /* while there are listeners */
    bool ticking, ack_ticking;
    struct listener *all;
    size_t count;
    struct listener *ready_first, **ready_last;
    struct listener *ack_first, **ack_last;
    size_t ack_count;
    unsigned reads;
    bool acking;
    /* under the lock */
    struct listener *woken;
    bool posted;
};

struct desks {
    struct queue *q;
    pthread_mutex_t lock;
    struct desk *first;
    struct listener **map; /* by client, chained */
    size_t map_slots, map_count;
    uint32_t tick_ms;
    bool cover; /* all that are drained are looked at with each tick, and with none else */
    bool deaf;  /* tests: wake-ups get lost */
};

CHECKED struct err desks_new(struct queue *q, uint32_t tick_ms, bool cover,
                             struct desks **ret_desks);
void desks_free(struct desks *desks); /* NULL is fine */

/* From any thread: there is something new in the queue. Does anybody listen? */
bool desks_wake(struct desks *desks, uint64_t client);
/* From any thread: ends its listener, if any. */
void desks_end(struct desks *desks, uint64_t client, struct err reason);

/* The desk of a loop, made at the first call. On that loop. */
CHECKED struct err desk_of(struct desks *desks, struct hearth_loop *loop, struct desk **ret_desk);
/* A listener of a call; the call's release ends it. */
CHECKED struct err desk_add(struct desk *desk, struct hearth_call *call, struct bytes id,
                            struct listener **ret_listener);
/* Its queue is known: fences the one before and starts to read. */
void desk_start(struct listener *l, uint64_t client, uint64_t from, uint64_t marked_end);
void desk_leave(struct listener *l); /* the call is over */
/* Ends the call. */
void desk_end_listener(struct listener *l, struct err reason);
void listener_ref(struct listener *l);
void listener_unref(struct listener *l);

/* desk_read.c: look at the queue, at the next tick or as soon as can be */
void desk_look(struct listener *l);
/* ME1: with the tick, at all. */
void desk_look_at_all(struct desk *desk);
void desk_read(struct desk *desk);
/* desk_ack.c: l->ack_up_to or its delivered mark are to be stored, soon */
void desk_acknowledge(struct listener *l);
void desk_ack(struct desk *desk);
/* The same for a listener that leaves. */
void desk_mark_last(const struct listener *l);
/* May this listener still be served? */
bool desk_check(struct listener *l);

#endif
