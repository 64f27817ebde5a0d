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

struct err delivery_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                            enum queue_outcome why)
{
    const struct delivery *d = self;
    struct stmt *s = stmt_use(txn, NOTICE_KEEP);
    stmt_bind_blob(s, 1, bytes_of(notice, NOTICE_TAG_BYTES));
    stmt_bind_blob(s, 2, bytes_of(notice + NOTICE_TAG_BYTES, NOTICE_TAG_BYTES));
    stmt_bind_u64(s, 3, (uint64_t)why);
    stmt_bind_u64(s, 4, delivery_now_s(d) / DAY_S + NOTICE_DAYS);
    return stmt_run(s, NULL);
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

/* tag: of the group; lives until the statement has run. at: the first parameter that says which. */
static void bind_notice(struct stmt *s, int at, const uint8_t tag[NOTICE_TAG_BYTES],
                        const struct notice *notice)
{
    stmt_bind_blob(s, at, bytes_of(tag, NOTICE_TAG_BYTES));
    stmt_bind_blob(s, at + 1, bytes_of(notice->leaf_tag, NOTICE_TAG_BYTES));
    stmt_bind_u64(s, at + 2, (uint64_t)notice->why);
}

struct err notice_drop(struct store_txn *txn, const struct delivery *d, struct bytes group_id,
                       const struct notice *notice)
{
    uint8_t tag[NOTICE_TAG_BYTES];
    notice_group_tag(d, group_id, tag);
    struct stmt *s = stmt_use(txn, NOTICE_LESS);
    stmt_bind_u64(s, 1, notice->count);
    bind_notice(s, 2, tag, notice);
    TRY(stmt_run(s, NULL));
    s = stmt_use(txn, NOTICE_DROP);
    bind_notice(s, 1, tag, notice);
    return stmt_run(s, NULL);
}
