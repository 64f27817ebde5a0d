/* Removing nodes that no kept tree has: the trees that are kept prove what they proved, byte by
 * byte, at each moment of the removal; those before say that they are gone; nothing stays that none
 * needs. */
#include <stdio.h>
#include <stdlib.h>

#include "server/transparency/inside.h"
#include "support/store_dir.h"
#include "support/test.h"

enum {
    WINDOW_MS = 100000,
    EPOCH_MS = 10000,
    KEEP_MS = 4 * WINDOW_MS,
    LABELS = 1100, /* of one epoch: more nodes than one piece removes */
    BUSY = 6,      /* labels that go on changing */
    EPOCHS_MOST = 512,
    LOOKUPS = 60,
};

enum { COUNT_ALL = KT_STATEMENT_COUNT, COUNT_OLD, STATEMENTS };
static struct stmt_row statements[STATEMENTS];

static struct store_dir dir;
static struct store *store;
static struct kt_log kt;
static struct sig_key log_key;
static struct vrf_key vrf;
static uint64_t now_ms;
static uint32_t next_version[BUSY];
static uint64_t newest; /* epoch */

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    (void)self;
    return sig_sign(&log_key, text, ret_signature);
}

static void open_store(void)
{
    memcpy(statements, kt_schema.statements, KT_STATEMENT_COUNT * sizeof *statements);
    statements[COUNT_ALL] = (struct stmt_row){"count_all", "SELECT count(*) FROM node"};
    statements[COUNT_OLD] = (struct stmt_row){
        "count_old", "SELECT count(*) FROM node n WHERE EXISTS (SELECT 1 FROM node m"
                     " WHERE m.pos = n.pos AND m.born > n.born AND m.born <= $1)"};
    const struct store_schema schema = {kt_schema.migrations, kt_schema.migration_count, statements,
                                        STATEMENTS};
    const struct store_options options = {
        .path = dir.path, .schema = &schema, .mode = STORE_INLINE, .relaxed = true};
    assert_ok(store_open(&options, NULL, &store));
}

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&kt, txn);
}

static int begin(void **state)
{
    (void)state;
    static const uint8_t seed_a[32] = {1}, seed_b[32] = {2};
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed_a, 32), &log_key));
    assert_ok(vrf_key_init(bytes_of(seed_b, 32), &vrf));
    kt = (struct kt_log){.vrf = &vrf, .rng = &rng_system, .sign = sign};
    kt.config = (struct kt_config){.mode = KT_MODE_CONTACT,
                                   .origin_len = 14,
                                   .max_ahead_ms = 60000,
                                   .max_behind_ms = 3600000,
                                   .window_ms = WINDOW_MS};
    memcpy(kt.config.origin, "a.example/kt/1", 14);
    memcpy(kt.config.signature_key, log_key.public_key.data, 32);
    memcpy(kt.config.vrf_key, vrf.public_key, 32);
    now_ms = 50 * (uint64_t)WINDOW_MS;
    newest = 0;
    memset(next_version, 0, sizeof next_version);
    store_dir_make_fast(&dir);
    open_store();
    assert_ok(store_call(store, run_start, NULL));
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_close(store);
    store_dir_remove(&dir);
    sig_key_clear(&log_key);
    vrf_key_clear(&vrf);
    return 0;
}

/* ---- a log that goes on */

struct offer {
    struct bytes label;
    uint32_t version;
};

static struct err run_offer(struct store_txn *txn, void *arg)
{
    const struct offer *o = arg;
    uint64_t at;
    return kt_log_offer(&kt, txn, o->label, o->version, o->label, &at);
}

static struct bytes label_of(unsigned i, char room[16])
{
    (void)snprintf(room, 16, "%cuser %u", LABEL_USER, i);
    return bytes_of(room, strlen(room + 1) + 1);
}

static void add(unsigned label, uint32_t version)
{
    char room[16];
    struct offer o = {label_of(label, room), version};
    assert_ok(store_call(store, run_offer, &o));
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    return kt_log_close(&kt, txn, now_ms, arg);
}

static struct err run_sign(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_sign(&kt, txn);
}

static void close_epoch(void)
{
    now_ms += EPOCH_MS;
    assert_ok(store_call(store, run_close, &newest));
    assert_ok(store_call(store, run_sign, NULL));
}

/* Some epochs: of some of the busy ones another version each, some of none. */
static void go_on(unsigned epochs)
{
    for (unsigned i = 0; i < epochs; i++) {
        for (unsigned label = 0; label < BUSY; label++)
            if ((newest * 7 + label * 3) % 5 < 2)
                add(label, next_version[label]++);
        close_epoch();
    }
}

/* ---- what is proved of it */

struct shown {
    uint64_t epoch;
    struct err result;
    struct buf proofs;
};

static struct err show(struct store_txn *txn, struct shown *s)
{
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    struct prefix_store tree;
    struct kt_pair pairs[LOOKUPS];
    const uint8_t *indices[LOOKUPS];
    bool present[LOOKUPS];
    char room[16];
    TRY(source.tree(source.self, s->epoch, &tree));
    for (unsigned i = 0; i < LOOKUPS; i++) {
        uint32_t version = i < LOOKUPS / 2 ? i / BUSY : 0; /* of the busy, and of the others */
        unsigned label = i < LOOKUPS / 2 ? i % BUSY : BUSY + i;
        TRY(source.pair(source.self, label_of(label, room), version, &pairs[i]));
        indices[i] = pairs[i].index;
    }
    TRY(prefix_prove(&tree, indices, LOOKUPS, &s->proofs, present));
    struct bytes busy = label_of(0, room); /* and a receipt of each version that is this epoch's */
    for (uint32_t v = 0; v < next_version[0]; v++) {
        struct kt_pair pair;
        TRY(source.pair(source.self, busy, v, &pair));
        if (pair.exists && pair.epoch == s->epoch) {
            struct buf receipt = BUF_INIT;
            struct err err = kt_prove_update(&source, 1, busy, v, &receipt);
            buf_clear(&receipt); /* it names the newest checkpoint, so its bytes change */
            if (s->epoch > 1 && err.code == ERR_TLOG_GONE)
                continue; /* of the first kept epoch the one before is gone */
            TRY(err);
        }
    }
    return ERR_OK;
}

static struct err run_show(struct store_txn *txn, void *arg)
{
    struct shown *s = arg;
    s->result = show(txn, s);
    return ERR_OK;
}

static void show_all(struct shown *shown, uint64_t count)
{
    for (uint64_t e = 1; e <= count; e++) {
        shown[e] = (struct shown){.epoch = e};
        assert_ok(store_call_read(store, run_show, &shown[e]));
    }
}

/* Every node below a position, as the hashes above it say: the root that they make. */
static struct err whole(const struct prefix_store *tree, const struct prefix_position *at,
                        struct hash_value *ret_hash)
{
    struct prefix_node node;
    TRY(tree->get(tree->self, at, &node));
    *ret_hash = node.hash;
    if (node.kind != PREFIX_PARENT)
        return ERR_OK;
    struct hash_value sides[2];
    for (unsigned side = 0; side < 2; side++) {
        struct prefix_position child = *at;
        if (side)
            child.bits[at->depth / 8] |= (uint8_t)(0x80 >> at->depth % 8);
        child.depth++;
        TRY(whole(tree, &child, &sides[side]));
    }
    prefix_parent_hash(&sides[0], &sides[1], ret_hash);
    return ERR_OK;
}

static struct err run_whole(struct store_txn *txn, void *arg)
{
    const uint64_t *epoch = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    const struct prefix_position top = {0};
    struct prefix_store tree;
    struct log_entry entry;
    struct hash_value root;
    TRY(source.tree(source.self, *epoch, &tree));
    TRY(source.entry(source.self, *epoch, &entry));
    TRY(whole(&tree, &top, &root));
    return hash_value_equal(&root, &entry.prefix_root) ? ERR_OK : ERR(TLOG_STORE);
}

/* ---- removing */

static uint64_t keep_ms;

static struct err run_sweep(struct store_txn *txn, void *arg)
{
    return kt_log_sweep(&kt, txn, keep_ms, arg);
}

static bool sweep(void)
{
    bool more = false;
    assert_ok(store_call(store, run_sweep, &more));
    return more;
}

static struct err run_due(struct store_txn *txn, void *arg)
{
    return kt_log_sweep_due(&kt, txn, keep_ms, arg);
}

static bool due(void)
{
    bool due = false;
    assert_ok(store_call_read(store, run_due, &due));
    return due;
}

struct count {
    unsigned statement;
    uint64_t first, rows;
};

static struct err map_count(struct stmt *row, void *arg)
{
    struct count *count = arg;
    count->rows = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_count(struct store_txn *txn, void *arg)
{
    struct count *count = arg;
    struct stmt *s = stmt_use(txn, count->statement);
    if (count->statement == COUNT_OLD)
        stmt_bind_u64(s, 1, count->first);
    return stmt_first(s, map_count, count);
}

static uint64_t rows(void)
{
    struct count count = {.statement = COUNT_ALL};
    assert_ok(store_call_read(store, run_count, &count));
    return count.rows;
}

/* Rows that no tree from this epoch on has. */
static uint64_t old_rows(uint64_t first)
{
    struct count count = {.statement = COUNT_OLD, .first = first};
    assert_ok(store_call_read(store, run_count, &count));
    return count.rows;
}

static struct err run_kept(struct store_txn *txn, void *arg)
{
    return kt_tree_kept(txn, *(uint64_t *)arg);
}

static bool is_kept(uint64_t epoch)
{
    struct err err = store_call_read(store, run_kept, &epoch);
    assert_true(err_is_ok(err) || err.code == ERR_TLOG_GONE);
    return err_is_ok(err);
}

/* What was shown before is shown now, of each epoch from `first` on, and nothing of those before.
 */
static void assert_same(const struct shown *before, uint64_t first, uint64_t last)
{
    for (uint64_t e = 1; e <= last; e++) {
        struct shown now = {.epoch = e};
        assert_ok(store_call_read(store, run_show, &now));
        if (e < first) {
            assert_err(now.result, TLOG_GONE);
        } else {
            assert_ok(now.result);
            test_assert_bytes(buf_view(&now.proofs), buf_view(&before[e].proofs));
        }
        buf_clear(&now.proofs);
    }
}

/* The first epoch of the window in which the log stood so long ago, of entries EPOCH_MS apart. */
static uint64_t first_kept(void)
{
    const uint64_t until = now_ms - keep_ms, began = 50 * (uint64_t)WINDOW_MS;
    uint64_t window = until / WINDOW_MS * WINDOW_MS;
    return window <= began ? 1 : (window - began) / EPOCH_MS;
}

static void test_sweep(void **state)
{
    (void)state;
    static struct shown before[EPOCHS_MOST];
    keep_ms = KEEP_MS;
    assert_false(due()); /* no epoch yet */
    assert_false(sweep());
    for (unsigned label = BUSY; label < LABELS; label++)
        add(label, 0);
    go_on(30);
    for (unsigned label = BUSY; label < BUSY + 300; label++)
        add(label, 1);
    go_on(40);
    const uint64_t first = first_kept(), until = newest, all = rows();
    assert_in_range(first, 25, until - 39);
    show_all(before, until);
    assert_true(is_kept(1));
    unsigned pieces = 0;
    uint64_t at = 1;
    for (bool more = true; more; pieces++) {
        assert_true(due());
        more = sweep();
        while (at <= until && !is_kept(at))
            at++;
        assert_true(at <= first);
        assert_same(before, at, until); /* in the midst of it, too */
    }
    assert_true(pieces > 2);
    assert_int_equal(at, first);
    assert_false(due());
    assert_false(sweep());
    assert_int_equal(old_rows(first), 0);
    assert_true(rows() < all);
    for (uint64_t e = first; e <= until; e++)
        assert_ok(store_call_read(store, run_whole, &e));
    printf("%u pieces: %u rows of %u are left\n", pieces, (unsigned)rows(), (unsigned)all);
    for (uint64_t e = 1; e <= until; e++)
        buf_clear(&before[e].proofs);
}

/* The log goes on between two pieces, and the database is opened anew. */
static void test_beside_epochs(void **state)
{
    (void)state;
    keep_ms = KEEP_MS;
    for (unsigned label = BUSY; label < LABELS / 2; label++)
        add(label, 0);
    for (unsigned i = 0; i < 12; i++) {
        go_on(9);
        (void)sweep();
        if (i % 4 == 3) {
            store_close(store);
            open_store();
        }
        for (uint64_t e = newest > 60 ? newest - 60 : 1; e <= newest; e += 7)
            if (is_kept(e))
                assert_ok(store_call_read(store, run_whole, &e));
    }
    while (sweep())
        ;
    assert_false(is_kept(first_kept() - 1));
    assert_true(is_kept(first_kept()));
    assert_int_equal(old_rows(first_kept()), 0);
    assert_true(old_rows(newest) > 0);
}

/* A log that stood still for long: what its newest entry is proved by stays, signed or not. */
static void test_stood_still(void **state)
{
    (void)state;
    uint64_t number;
    keep_ms = KEEP_MS;
    go_on(25);
    now_ms += 9 * (uint64_t)KEEP_MS;
    assert_false(due());
    assert_ok(store_call(store, run_close, &number)); /* and dies before it signs */
    assert_false(due());
    assert_true(is_kept(1));
    assert_ok(store_call(store, run_sign, NULL));
    assert_true(due());
    while (sweep())
        ;
    assert_true(is_kept(25) && is_kept(26));
    assert_ok(store_call_read(store, run_whole, &number));
    keep_ms = UINT64_MAX;
    assert_false(due());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {TEST(test_sweep), TEST(test_beside_epochs),
                                       TEST(test_stood_still)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
