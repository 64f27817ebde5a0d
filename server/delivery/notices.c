#include "server/delivery/notices.h"

#include "seal/at_rest.h"

/* How long a group may stay shut before we forget. */
enum { NOTICE_DAYS = 90 };

void notice_group_tag(const struct delivery *d, struct bytes group_id,
                      uint8_t ret_tag[NOTICE_TAG_BYTES])
{
    uint8_t id[ROW_ID_BYTES];
    at_rest_prf(d->ids_key, BYTES_LIST(bytes_str("notice-group"), group_id), id);
    memcpy(ret_tag, id, NOTICE_TAG_BYTES);
}

static void tag_of(const struct delivery *d, const char *label, struct bytes group_id,
                   const struct leaf_entry *leaf, uint8_t ret_tag[NOTICE_TAG_BYTES])
{
    uint8_t id[ROW_ID_BYTES];
    at_rest_prf(d->ids_key,
                BYTES_LIST(bytes_str(label), group_id, leaf->pseudonym, leaf->sealed_ref), id);
    memcpy(ret_tag, id, NOTICE_TAG_BYTES);
}

void notice_leaf_tag(const struct delivery *d, struct bytes group_id, const struct leaf_entry *leaf,
                     uint8_t ret_tag[NOTICE_TAG_BYTES])
{
    tag_of(d, "notice-leaf", group_id, leaf, ret_tag);
}

void notice_loss_tag(const struct delivery *d, struct bytes group_id, const struct leaf_entry *leaf,
                     uint8_t ret_tag[NOTICE_TAG_BYTES])
{
    tag_of(d, "notice-loss", group_id, leaf, ret_tag);
}

static struct err notice_keep(struct store_txn *txn, const struct delivery *d,
                              const uint8_t notice[NOTICE_BYTES], enum queue_outcome why)
{
    struct stmt *s = stmt_use(txn, NOTICE_KEEP);
    stmt_bind_blob(s, 1, bytes_of(notice, NOTICE_TAG_BYTES));
    stmt_bind_blob(s, 2, bytes_of(notice + NOTICE_TAG_BYTES, NOTICE_TAG_BYTES));
    stmt_bind_u64(s, 3, (uint64_t)why);
    stmt_bind_u64(s, 4, delivery_now_s(d) / DAY_S + NOTICE_DAYS);
    return stmt_run(s, NULL);
}

struct err delivery_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                            enum queue_outcome why)
{
    return notice_keep(txn, self, notice, why);
}

struct listing {
    struct notice *notices;
    size_t count;
};

static struct err map_notice(struct stmt *row, void *arg)
{
    struct listing *l = arg;
    if (l->count == NOTICES_AT_ONCE)
        return ERR_OK;
    struct notice *n = &l->notices[l->count++];
    stmt_fixed(row, 0, n->leaf_tag, sizeof n->leaf_tag);
    n->why = (enum queue_outcome)stmt_u64(row, 1);
    n->count = stmt_u64(row, 2);
    return stmt_row_check(row);
}

struct err notices_list(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                        struct notice *ret_notices, size_t *ret_count)
{
    uint8_t tag[NOTICE_TAG_BYTES];
    struct listing l = {ret_notices, 0};
    notice_group_tag(d, group_id, tag);
    struct stmt *s = stmt_use(txn, NOTICE_LIST);
    stmt_bind_blob(s, 1, bytes_of(tag, NOTICE_TAG_BYTES));
    TRY(stmt_each(s, map_notice, &l));
    *ret_count = l.count;
    return ERR_OK;
}

static void bind_notice(struct stmt *s, int at, const uint8_t group_tag[NOTICE_TAG_BYTES],
                        const uint8_t leaf_tag[NOTICE_TAG_BYTES], enum queue_outcome why)
{
    stmt_bind_blob(s, at, bytes_of(group_tag, NOTICE_TAG_BYTES));
    stmt_bind_blob(s, at + 1, bytes_of(leaf_tag, NOTICE_TAG_BYTES));
    stmt_bind_u64(s, at + 2, (uint64_t)why);
}

static struct err take(struct store_txn *txn, const uint8_t group_tag[NOTICE_TAG_BYTES],
                       const uint8_t leaf_tag[NOTICE_TAG_BYTES], enum queue_outcome why,
                       uint64_t count)
{
    struct stmt *s = stmt_use(txn, NOTICE_LESS);
    stmt_bind_u64(s, 1, count);
    bind_notice(s, 2, group_tag, leaf_tag, why);
    TRY(stmt_run(s, NULL));
    s = stmt_use(txn, NOTICE_DROP);
    bind_notice(s, 1, group_tag, leaf_tag, why);
    return stmt_run(s, NULL);
}

struct err notice_drop(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                       const struct notice *notice)
{
    uint8_t tag[NOTICE_TAG_BYTES];
    notice_group_tag(d, group_id, tag);
    return take(txn, tag, notice->leaf_tag, notice->why, notice->count);
}

/* ---- what was not sent to who rests */

void rested_tag(const struct delivery *d, struct bytes group_id, uint32_t leaf,
                uint8_t ret_tag[NOTICE_BYTES])
{
    uint8_t number[4] = {(uint8_t)(leaf >> 24), (uint8_t)(leaf >> 16), (uint8_t)(leaf >> 8),
                         (uint8_t)leaf};
    at_rest_prf(d->ids_key,
                BYTES_LIST(bytes_str("notice-rest"), group_id, bytes_of(number, sizeof number)),
                ret_tag);
}

struct err rested_keep(struct store_txn *txn, const struct delivery *d,
                       const uint8_t tag[NOTICE_BYTES])
{
    return notice_keep(txn, d, tag, QUEUE_REFUSED);
}

static struct err map_count(struct stmt *row, void *arg)
{
    uint64_t *count = arg;
    *count = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err rested_count(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                        uint32_t leaf, uint64_t *ret_count)
{
    uint8_t tag[NOTICE_BYTES];
    uint64_t count = 0;
    rested_tag(d, group_id, leaf, tag);
    struct stmt *s = stmt_use(txn, NOTICE_COUNT);
    bind_notice(s, 1, tag, tag + NOTICE_TAG_BYTES, QUEUE_REFUSED);
    struct err err = stmt_first(s, map_count, &count);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    *ret_count = count;
    return ERR_OK;
}

struct err rested_take(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                       const struct rested *rested)
{
    uint8_t tag[NOTICE_BYTES];
    uint64_t now = 0;
    TRY(rested_count(txn, d, group_id, rested->leaf, &now));
    if (now != rested->count)
        return ERR(DELIVERY_CHANGED);
    if (now == 0)
        return ERR_OK;
    rested_tag(d, group_id, rested->leaf, tag);
    return take(txn, tag, tag + NOTICE_TAG_BYTES, QUEUE_REFUSED, now);
}
