/* Where nodes of the prefix tree lie in kt.db: trees that were written before rows of one path lay
 * together are found again, node by node. */
#include <stdio.h>

#include "server/transparency/inside.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { LEAVES = 400, OLD_SCHEMA = 4 };

static struct store_dir dir;
static struct store *store;
static struct prefix_leaf leaves[LEAVES];
static struct hash_value root;

static void open_store(unsigned migrations)
{
    struct store_schema schema = kt_schema;
    schema.migration_count = migrations;
    if (migrations < kt_schema.migration_count)
        schema.statement_count = NODE_PUT + 1; /* the others know tables that there are not yet */
    const struct store_options options = {.path = dir.path,
                                          .schema = &schema,
                                          .mode = STORE_INLINE,
                                          .relaxed = true,
                                          .no_backup = true};
    assert_ok(store_open(&options, NULL, &store));
}

/* As it was: depth || bits. */
static struct err put_old(void *self, const struct prefix_position *position,
                          const struct prefix_node *node)
{
    uint8_t pos[1 + INDEX_BYTES] = {(uint8_t)position->depth}, leaf[PREFIX_LEAF_BYTES];
    struct bytes body = hash_value_view(&node->hash);
    size_t len = (position->depth + 7u) / 8;
    memcpy(pos + 1, position->bits, len);
    memcpy(leaf, node->leaf.index, INDEX_BYTES);
    memcpy(leaf + INDEX_BYTES, node->leaf.commitment, HASH_VALUE_BYTES);
    if (node->kind == PREFIX_LEAF)
        body = bytes_of(leaf, sizeof leaf);
    struct stmt *s = stmt_use(self, NODE_PUT);
    stmt_bind_blob(s, 1, bytes_of(pos, 1 + len));
    stmt_bind_u64(s, 2, 1);
    stmt_bind_u64(s, 3, node->kind);
    stmt_bind_blob(s, 4, body);
    return stmt_run(s, NULL);
}

static struct err get_nothing(void *self, const struct prefix_position *position,
                              struct prefix_node *ret_node)
{
    (void)self;
    (void)position;
    memset(ret_node, 0, sizeof *ret_node);
    return ERR_OK;
}

static struct err run_fill(struct store_txn *txn, void *arg)
{
    const struct prefix_store old = {get_nothing, put_old, txn};
    (void)arg;
    return prefix_insert(&old, leaves, LEAVES, &root);
}

static struct err run_find(struct store_txn *txn, void *arg)
{
    struct kt_log_at at = {.txn = txn, .epoch = 1};
    struct prefix_store now = kt_nodes(&at);
    struct hash_value found_root;
    (void)arg;
    TRY(prefix_root(&now, &found_root));
    assert_true(hash_value_equal(&found_root, &root));
    for (size_t i = 0; i < LEAVES; i++) {
        bool present = false;
        struct prefix_leaf leaf;
        const uint8_t *index = leaves[i].index;
        struct buf proof = BUF_INIT;
        TRY(prefix_find(&now, index, &present, &leaf));
        assert_true(present);
        assert_memory_equal(&leaf, &leaves[i], sizeof leaf);
        TRY(prefix_prove(&now, &index, 1, &proof, &present)); /* reads the siblings, too */
        assert_true(present);
        buf_clear(&proof);
    }
    return ERR_OK;
}

/* Leaves that part at every depth about the border, and some far below. */
static void make_leaves(void)
{
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 5);
    struct rng rng = rng_of_seeded(&seeded);
    assert_ok(rng_fill(&rng, leaves, sizeof leaves));
    for (size_t i = 1; i < LEAVES; i += 2) {
        size_t bits = i % 40; /* shared with the one before */
        memcpy(leaves[i].index, leaves[i - 1].index, bits / 8);
        leaves[i].index[bits / 8] = leaves[i - 1].index[bits / 8] ^ (uint8_t)(0x80 >> bits % 8);
    }
}

static void test_migration(void **state)
{
    (void)state;
    store_dir_make_fast(&dir);
    make_leaves();
    open_store(OLD_SCHEMA);
    assert_ok(store_call(store, run_fill, NULL));
    store_close(store);
    open_store(kt_schema.migration_count);
    assert_ok(store_call_read(store, run_find, NULL));
    store_close(store);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_migration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
