/* The two trees behind lib/tlog's callbacks. */
#include "server/transparency/inside.h"

/* ---- the log */

static struct err map_hash(struct stmt *row, void *arg)
{
    struct hash_value *hash = arg;
    stmt_fixed(row, 0, hash->data, HASH_VALUE_BYTES);
    return stmt_row_check(row);
}

static struct err hash_get(void *self, unsigned level, uint64_t n, struct hash_value *ret_hash)
{
    struct stmt *s = stmt_use(self, HASH_GET);
    stmt_bind_u64(s, 1, level);
    stmt_bind_u64(s, 2, n);
    struct err err = stmt_first(s, map_hash, ret_hash);
    return err.code == ERR_NOT_FOUND ? ERR(TLOG_STORE) : err;
}

static struct err hash_put(void *self, unsigned level, uint64_t n, const struct hash_value *hash)
{
    struct stmt *s = stmt_use(self, HASH_PUT);
    stmt_bind_u64(s, 1, level);
    stmt_bind_u64(s, 2, n);
    stmt_bind_blob(s, 3, hash_value_view(hash));
    return stmt_run(s, NULL);
}

struct log_store kt_hashes(struct store_txn *txn)
{
    return (struct log_store){hash_get, hash_put, txn};
}

/* ---- the prefix tree
 *
 * pos is depth || as many bytes as hold the bits, down to depth UPPER. What is below a node of that
 * depth lies together: UPPER + 1 || its bits || depth || bytes of the other bits. With rows in the
 * order of depth alone each level of a path had a page of its own: of 10^6 pairs seven pages are
 * written for a leaf that way, and one or two this way. */

enum { UPPER = 16, UPPER_BYTES = UPPER / 8 };

struct bytes kt_pos(const struct prefix_position *at, uint8_t room[KT_POS_MAX_BYTES])
{
    size_t len = (at->depth + 7u) / 8;
    if (at->depth <= UPPER) {
        room[0] = (uint8_t)at->depth;
        memcpy(room + 1, at->bits, len);
        return bytes_of(room, 1 + len);
    }
    room[0] = UPPER + 1;
    memcpy(room + 1, at->bits, UPPER_BYTES);
    room[1 + UPPER_BYTES] = (uint8_t)at->depth;
    memcpy(room + 2 + UPPER_BYTES, at->bits + UPPER_BYTES, len - UPPER_BYTES);
    return bytes_of(room, 2 + len);
}

static struct err map_node(struct stmt *row, void *arg)
{
    struct prefix_node *node = arg;
    uint64_t kind = stmt_u64(row, 0);
    struct bytes body = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    if (kind == PREFIX_PARENT && body.len == HASH_VALUE_BYTES) {
        memcpy(node->hash.data, body.data, HASH_VALUE_BYTES);
    } else if (kind == PREFIX_LEAF && body.len == PREFIX_LEAF_BYTES) {
        memcpy(node->leaf.index, body.data, INDEX_BYTES);
        memcpy(node->leaf.commitment, body.data + INDEX_BYTES, HASH_VALUE_BYTES);
        prefix_leaf_hash(&node->leaf, &node->hash);
    } else {
        return ERR(TLOG_STORE);
    }
    node->kind = (enum prefix_kind)kind;
    return ERR_OK;
}

static struct err node_get(void *self, const struct prefix_position *position,
                           struct prefix_node *ret_node)
{
    const struct kt_log_at *at = self;
    uint8_t room[KT_POS_MAX_BYTES];
    memset(ret_node, 0, sizeof *ret_node);
    if (position->depth > UINT8_MAX)
        return ERR_OK;
    struct stmt *s = stmt_use(at->txn, NODE_GET);
    stmt_bind_blob(s, 1, kt_pos(position, room));
    stmt_bind_u64(s, 2, at->epoch);
    struct err err = stmt_first(s, map_node, ret_node);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err node_put(void *self, const struct prefix_position *position,
                           const struct prefix_node *node)
{
    const struct kt_log_at *at = self;
    uint8_t room[KT_POS_MAX_BYTES], leaf[PREFIX_LEAF_BYTES];
    if (position->depth > UINT8_MAX)
        return ERR(TLOG_PREFIX_TWICE);
    struct bytes pos = kt_pos(position, room), body = hash_value_view(&node->hash);
    if (node->kind == PREFIX_LEAF) {
        memcpy(leaf, node->leaf.index, INDEX_BYTES);
        memcpy(leaf + INDEX_BYTES, node->leaf.commitment, HASH_VALUE_BYTES);
        body = bytes_of(leaf, sizeof leaf);
    }
    struct stmt *s = stmt_use(at->txn, NODE_PUT);
    stmt_bind_blob(s, 1, pos);
    stmt_bind_u64(s, 2, at->epoch);
    stmt_bind_u64(s, 3, node->kind);
    stmt_bind_blob(s, 4, body);
    return stmt_run(s, NULL);
}

struct prefix_store kt_nodes(struct kt_log_at *at)
{
    return (struct prefix_store){node_get, node_put, at};
}
