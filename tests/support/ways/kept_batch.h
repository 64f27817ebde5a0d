/* A courier's batch with copies of all that it points to. */
#ifndef TESTS_SUPPORT_WAYS_KEPT_BATCH_H
#define TESTS_SUPPORT_WAYS_KEPT_BATCH_H

#include "server/courier/courier.h"
#include "server/courier/outbox_rows.h"

struct kept_batch {
    char domain[16];
    size_t count;
    struct courier_batch_row rows[BATCH_ROWS];
    struct buf bytes[BATCH_ROWS]; /* of reference and payload */
    /* for who gives it away once more */
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
};

struct kept_batch *kept_batch(struct bytes domain, const struct courier_batch_row *rows,
                              size_t count);
void kept_free(struct kept_batch *k); /* NULL is fine */

#endif
