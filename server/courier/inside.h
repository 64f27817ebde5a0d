/* The courier from the inside: what courier.c, look.c, drain.c, ahead.c, give_up.c and route.c
 * share. All on the courier's loop, but for what a job's function does on the store's threads with
 * what the job owns.
 */
#ifndef SERVER_COURIER_INSIDE_H
#define SERVER_COURIER_INSIDE_H

#include <stdatomic.h>

#include "base/timer.h"
#include "server/courier/courier.h"
#include "server/courier/held.h"
#include "server/courier/outbox_rows.h"

enum {
    COURIER_SLOTS = 64,          /* batches to peers under way */
    COURIER_DOUBTED_SLOTS = 32,  /* of them to peers that have not answered lately */
    COURIER_LOOK_MS = 10000,     /* a wake-up that was lost is made up for */
    COURIER_COUNT_US = 10000000, /* a backlog is counted that often */
    COURIER_GIVE_UP_ROWS = 128,  /* in one transaction */
};
/* Contacts are heeded so far apart: two who hear each other but not each other's answers would spur
 * each other on without end. */
#define COURIER_CONTACT_US UINT64_C(1000000)
/* a domain without rows is remembered for so long */
#define COURIER_TRUST_US UINT64_C(3600000000)

/* A batch with what its way needs; one of its arrays is filled. */
struct parcel {
    struct courier *courier;
    struct domain *domain;
    struct batch batch;
    size_t index[BATCH_ROWS]; /* of the rows sent, in the batch */
    size_t sent;
    struct courier_batch_row rows[BATCH_ROWS];
    struct queue_row local[BATCH_ROWS];
    struct accept *accept; /* what became of local: being checked, or checked */
    bool checked;          /* it waits for queue_accept_append() */
    bool discarded;        /* the domain has forgotten it: it ends when it comes back */
    enum queue_outcome refused[BATCH_ROWS];
    uint64_t newest; /* the domain's, when the reading began */
    bool lost;       /* to be given up rather than delivered */
};

/* A destination with rows, or our own. */
struct domain {
    struct courier *courier;
    uint64_t id;
    uint8_t prf[OUTBOX_PRF_BYTES];
    char name[DOMAIN_MAX_BYTES];
    size_t name_len;
    bool local;
    uint64_t newest; /* number of the last row we know of */
    uint64_t cursor; /* rows up to here were looked at in this pass */
    uint64_t pass_us;
    struct held held;
    uint32_t failures; /* of the domain as a whole, in a row */
    uint64_t due_us;
    bool answered;            /* its last batch did not fail */
    uint64_t forget_us;       /* it has no rows: when it goes */
    struct parcel *under_way; /* read, sent, or given up */
    struct parcel *ahead;     /* ahead.c; NULL: none */
    bool in_slot, doubted_slot;
    unsigned settling; /* transactions that take rows away */
    bool broken;       /* one of them failed: the pass begins anew when none is left */
    bool forgiven;     /* a contact, to be heeded when what is under way is back */
    uint64_t forgiven_us;
    bool dropping; /* its own row is being taken away */
    bool counting;
    uint64_t counted_us; /* when; 0: never since it fell behind */
    uint64_t waiting_rows, waiting_bytes;
    bool giving_up;
    bool discarding;   /* the operator gives up all of it */
    bool gave_all;     /* found no more that may go */
    uint64_t given_up; /* rows up to here were looked at for that */
    struct timer timer;
    struct domain *next_ready; /* waits for a slot */
    bool ready;
};

struct courier {
    struct front_env *env;
    struct courier_options options;
    struct inbox *inbox;
    struct clock const *clock;
    struct hearth_timer *timer;
    struct timers timers;
    uint64_t looked_us;      /* last look by the timer */
    bool unarmed;            /* a domain could not be armed */
    struct domain **domains; /* by id; NULL: none */
    uint64_t domain_cap;
    uint64_t seen;    /* rows up to here were heard of, and of the last payload up to ... */
    uint64_t seen_id; /* ... this domain */
    bool looking, look_again;
    unsigned slots, doubted_slots;
    struct domain *ready_first, **ready_last;
    unsigned under_way; /* jobs, deliveries and posts that will come back */
    bool closing;
    atomic_bool woken;
    atomic_uint posts; /* on their way from other threads */
    _Atomic uint64_t delivered, gone, refused, later, lost, failures, waiting, domain_count;
};

static inline uint64_t courier_now_us(const struct courier *c)
{
    return clock_monotonic_us(c->clock);
}

/* courier.c. What was begun with courier_read, courier_write or route_send comes back once; there
 * it begins with courier_back() and ends with courier_leave(). */
void courier_back(struct courier *c);
void courier_leave(struct courier *c); /* c may be gone afterwards */
void courier_arm(struct domain *d, uint64_t due_us);
struct backoff courier_backoff(const struct domain *d);
/* The domain failed as a whole: it waits. */
void courier_fail(struct domain *d);
/* Rows and bytes of it that wait, as far as is known. */
void courier_waiting(struct domain *d, uint64_t rows, uint64_t bytes);
void courier_remove(struct domain *d);
/* Jobs on the store. An error: nothing comes back. */
CHECKED struct err courier_read(struct courier *c, uint64_t principal,
                                struct err (*run)(struct store_txn *txn, void *arg),
                                void (*done)(void *arg, struct err result), void *arg);
CHECKED struct err courier_write(struct courier *c, uint64_t principal, uint32_t cost,
                                 struct err (*run)(struct store_txn *txn, void *arg),
                                 void (*done)(void *arg, struct err result), void *arg);
uint64_t domain_principal(const struct domain *d);

/* look.c: finds domains with new rows. */
void look(struct courier *c);
/* The domain has no rows: its own goes. */
void look_forget(struct domain *d);

/* drain.c: does what there is to do for a domain. */
void drain_step(struct domain *d);
void drain_ready(struct courier *c); /* a slot is free */
/* The way back of a parcel, from route.c. */
void drain_answered(void *parcel, struct err result, const enum queue_outcome *outcomes);
/* The way back of a batch_read() for p. */
void drain_read(void *parcel, struct err result);

/* ahead.c: our own next batch, read and checked while the one before it is appended. */
void ahead_start(struct parcel *before);
/* The next one, when it goes on after the cursor; it is under way then. */
bool ahead_take(struct domain *d);
void ahead_discard(struct domain *d);
/* In the way back of p: it was the next one and can't be; p may be gone. */
bool ahead_give_up(struct parcel *p);
/* The way back of queue_accept_check(). */
void ahead_checked(void *parcel, struct err result);

/* give_up.c: a domain is behind: counts its backlog now and then. */
void give_up_count(struct domain *d);
/* Takes the oldest application messages of a domain that is over its bounds. False: there is
 * nothing to do. */
bool give_up_start(struct domain *d);

/* settle in drain.c and give_up.c: what became of a row's batch. */
struct parcel *parcel_new(struct domain *d);
void parcel_free(struct parcel *p);
/* Takes rows away: p->lost, or by outcome. On a thread of the store. */
struct err parcel_drop(struct store_txn *txn, void *parcel);

/* route.c: sends a parcel's rows; drain_answered() follows unless it returns an error, or
 * ahead_checked() for our own, with which route_append() goes on. */
CHECKED struct err route_send(struct parcel *p);
void route_append(struct parcel *p); /* drain_answered() may come before it returns */
/* A batch_read() for p; drain_read() follows unless it returns an error. */
CHECKED struct err drain_start_read(struct parcel *p);

#endif
