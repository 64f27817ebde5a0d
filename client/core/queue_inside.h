/* The files about our queue. */
#ifndef CLIENT_CORE_QUEUE_INSIDE_H
#define CLIENT_CORE_QUEUE_INSIDE_H

#include "client/core/queue.h"
#include "hearth/v1/queue.pb-c.h"

/* DB_QUEUE: struct { uint8 version = 2; opaque chain[32]; uint64 sequence; uint8 failing;
 *     opaque head[32]; uint8 head_lost; }; version 1 ended before head. */
struct queue_row {
    struct queue_ratchet ratchet; /* sequence: of the next item */
    bool failing;                 /* the items before did not open, which was told */
};
CHECKED struct err queue_row_get(struct db_txn *t, struct queue_row *ret_row);
CHECKED struct err queue_row_put(struct db_txn *t, const struct queue_row *row);

/* queue_item.c: one item as one step. What is wrong with it is an event; the error is ours. Numbers
 * that were seen are skipped. */
CHECKED struct err queue_take(struct core *c, const Hearth__V1__QueueItem *item);
/* The next number. */
CHECKED struct err queue_next(struct core *c, uint64_t *ret_sequence);

/* Delays between tries: 1 s, 2 s, ... 60 s, and up to a quarter more. */
uint32_t queue_delay_ms(struct core *c, unsigned tries);

/* queue_listen.c, queue_offers.c */
void listener_close(struct core *c);

/* Streams to our handles, one for each. linger_ms: ends by itself when nothing came for so long, 0:
 * stays. done runs then, from the loop. */
struct offers;
CHECKED struct err offers_open(struct core *c, uint32_t linger_ms,
                               void (*done)(struct offers *offers, void *arg), void *arg,
                               struct offers **ret_offers);
void offers_close(struct offers *offers); /* NULL is fine; done does not run */
/* A handle came or went. */
void offers_look(struct offers *offers);

#endif
