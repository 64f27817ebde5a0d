/* What the files of the delivery service share: the service itself, its statements, its keys. */
#ifndef SERVER_DELIVERY_INSIDE_H
#define SERVER_DELIVERY_INSIDE_H

#include <stdatomic.h>

#include "hearth/v1/delivery_rpc.h"
#include "seal/fan_out.h"
#include "seal/names.h"
#include "server/delivery/delivery.h"
#include "server/front/charge.h"
#include "server/front/once.h"

/* Indices of statements; rows in schema.c. */
enum delivery_statement {
    GROUP_LOCK,
    GROUP_LOAD,
    GROUP_VERSION,
    GROUP_INSERT,
    GROUP_REPLACE,
    GROUP_FORCE, /* DELIVERY_NO_VERSION */
    GROUP_DELETE,
    GROUP_EXPIRE,
    PAST_TREE_LOAD,
    PAST_TREE_KEEP,
    PAST_TREE_EXPIRE,
    PAST_JOIN_LOCK,
    PAST_JOIN_LOAD,
    PAST_JOIN_KEEP,
    PAST_JOIN_MARK,
    PAST_JOIN_EXPIRE,
    PAST_TREE_SHORTEN,
    PAST_TREE_DROP,
    PAST_JOIN_DROP,
    NOTICE_KEEP,
    NOTICE_LIST,
    NOTICE_COUNT,
    NOTICE_LESS,
    NOTICE_DROP,
    NOTICE_EXPIRE,
    PAUSE_FIND,
    PAUSE_KEEP,
    PAUSE_EXPIRE,
    DELIVERY_COUNT,
    DELIVERY_ONCE,
    DELIVERY_PURSE = DELIVERY_ONCE + ONCE_STATEMENT_COUNT,
    DELIVERY_OUTBOX = DELIVERY_PURSE + PURSE_STATEMENT_COUNT,
    DELIVERY_STATEMENTS = DELIVERY_OUTBOX + OUTBOX_STATEMENT_COUNT,
};
extern const struct store_schema delivery_schema;

/* Counted: requests whose jobs are still in an inbox outlive delivery_close(). */
struct delivery {
    _Atomic unsigned refs;
    _Atomic bool closed;
    struct front_env env;
    struct store *store;
    void (*wake)(void *self);
    void *wake_self;
    bool (*admits)(void *self, struct bytes domain); /* or NULL */
    void *admits_self;
    uint32_t control;
    uint8_t rows_key[KEEPER_KEY_BYTES]; /* wiped at the end */
    uint8_t ids_key[KEEPER_KEY_BYTES];
    uint8_t once_key[KEEPER_KEY_BYTES];
    uint8_t reservation_key[KEEPER_KEY_BYTES];
    uint8_t spent_key[PASS_SPENT_KEY_BYTES];
};
struct delivery *delivery_ref(struct delivery *d);
void delivery_unref(struct delivery *d);
/* store_submit or store_read; ERR_STORE_STOPPED once the service is closed. */
CHECKED struct err delivery_submit(struct delivery *d, bool write, struct inbox *inbox,
                                   const struct store_work *work);

enum { ROW_ID_BYTES = 16 };
enum { DAY_S = 86400, HOUR_S = 3600, MONTH_DAYS = 30 };

static inline uint64_t delivery_now_s(const struct delivery *d)
{
    return clock_unix_ms(d->env.clock) / 1000;
}
/* Months of thirty days since 1970: how precisely the state knows when a member was heard. */
static inline uint32_t month_of(uint64_t now_s)
{
    return (uint32_t)(now_s / ((uint64_t)MONTH_DAYS * DAY_S));
}
static inline uint64_t delivery_limit(const struct delivery *d, enum limit limit)
{
    return limit_value(front_limits(d->env.front), limit);
}
static inline struct purse delivery_purse(const struct delivery *d)
{
    return purse_at(DELIVERY_PURSE, d->spent_key);
}
static inline bool delivery_off(const struct delivery *d, enum delivery_control control)
{
    return (d->control & (uint32_t)control) != 0;
}
static inline struct bytes pb_view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

/* What a leaf pseudonym of a group is called in limits and pauses: never the leaf index, which
 * another may get. */
void delivery_pseudonym_id(const struct delivery *d, struct bytes group_id, struct bytes pseudonym,
                           uint8_t ret_id[ROW_ID_BYTES]);

#endif
