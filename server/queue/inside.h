/* The queue service from the inside. */
#ifndef SERVER_QUEUE_INSIDE_H
#define SERVER_QUEUE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "seal/at_rest.h"
#include "server/queue/queue.h"
#include "server/queue/schema.h"

struct desks; /* desk.h */

struct queue {
    atomic_uint refs; /* the owner's, and one for each job under way */
    struct front_env *env;
    struct queue_options options;
    struct store *store;                /* NULL once closed: completions may come later than that */
    struct limits *limits;              /* the front's */
    uint8_t rows_key[KEEPER_KEY_BYTES]; /* seals what rows hold */
    uint8_t ids_key[KEEPER_KEY_BYTES];  /* makes ids of rows */
    uint8_t once_key[KEEPER_KEY_BYTES];
    uint8_t spent_key[PASS_SPENT_KEY_BYTES];
    struct desks *desks;
    atomic_bool sweeping;
    uint64_t expire_at;           /* where the walk of queue_expire() is */
    uint64_t opened_s, opened_us; /* wall and monotonic clock when it was opened */
};

enum { QUEUE_PRF_BYTES = 16, QUEUE_DAY_S = 86400, QUEUE_HOUR_S = 3600 };

/* Seconds since 1970. */
static inline uint64_t queue_now_s(const struct queue *q)
{
    return clock_unix_ms(q->env->clock) / 1000;
}

/* The same for expiry (S3): a wall clock that jumps ahead while we run makes nothing expire early;
 * time passes as the monotonic clock says, and an hour faster at most. */
uint64_t queue_expiry_now_s(const struct queue *q);

static inline struct purse queue_purse(const struct queue *q)
{
    return purse_at(SQL_PURSE, q->spent_key);
}

/* store_submit and store_read; STORE_STOPPED once closed. */
CHECKED struct err queue_write(struct queue *q, struct inbox *inbox, const struct store_work *work);
CHECKED struct err queue_read(struct queue *q, struct inbox *inbox, const struct store_work *work);

/* Row contents: associated data is the table's name and the row's key, and more where it has a
 * longer one. Appends to b. */
CHECKED struct err queue_seal(const struct queue *q, struct buf *b, const char *table, uint64_t row,
                              struct bytes more, struct bytes plaintext);
CHECKED struct err queue_open_sealed(const struct queue *q, struct buf *b, const char *table,
                                     uint64_t row, struct bytes more, struct bytes sealed);
/* The id of a row: what says what sort of id it is. */
void queue_prf(const struct queue *q, const char *what, struct bytes a, struct bytes b,
               uint8_t ret_id[QUEUE_PRF_BYTES]);
/* The first eight bytes of one, for store_work.principal. */
uint64_t queue_principal(const struct queue *q, const char *what, struct bytes id);
/* A number for a new row. */
CHECKED struct err queue_random_row(const struct queue *q, uint64_t *ret_row);

#endif
