/* skip, replace: what the prefix tree holds. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "malicious/tree.h"
#include "server/transparency/inside.h"

struct err __real_prefix_insert(const struct prefix_store *store, struct prefix_leaf *leaves,
                                size_t count, struct hash_value *ret_root);
struct err __wrap_prefix_insert(const struct prefix_store *store, struct prefix_leaf *leaves,
                                size_t count, struct hash_value *ret_root);
struct err __real_kt_version_put(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 const struct kt_version *row);
struct err __wrap_kt_version_put(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 const struct kt_version *row);
struct err __real_kt_version_get(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 struct kt_version *ret_version);
struct err __wrap_kt_version_get(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 struct kt_version *ret_version);

/* ---- replace: the victim is the last KeySet that was put in, in each log */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct victim {
    const struct kt_log *log; /* NULL: none yet */
    uint8_t index[INDEX_BYTES];
    struct buf forged;            /* the value in its place */
    struct hash_value commitment; /* to it, with the old opening */
    bool replaced;
} victims[2];

static struct victim *victim_of(const struct kt_log *log)
{
    for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
        if (victims[i].log == NULL)
            victims[i].log = log;
        if (victims[i].log == log)
            return &victims[i];
    }
    abort();
}

static void remember(const struct kt_log *log, uint32_t version, const struct kt_version *row)
{
    struct key_set set;
    struct victim *v = victim_of(log);
    if (v->replaced || !err_is_ok(key_set_parse(buf_view(&row->value), &set)) ||
        set.label.data[0] != KEY_SET_LABEL_USER)
        return;
    memcpy(v->index, row->pair.index, INDEX_BYTES);
    buf_clear(&v->forged);
    struct err err = malice_only_us(&v->forged, set.label, version);
    if (err_is_ok(err))
        tlog_commit(row->opening, set.label, version, buf_view(&v->forged), &v->commitment);
}

struct err __wrap_kt_version_put(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 const struct kt_version *row)
{
    (void)pthread_mutex_lock(&lock);
    remember(log, version, row);
    (void)pthread_mutex_unlock(&lock);
    return __real_kt_version_put(log, txn, id, version, row);
}

/* Once it is done, the row says so too. */
struct err __wrap_kt_version_get(const struct kt_log *log, struct store_txn *txn,
                                 const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                 struct kt_version *ret_version)
{
    TRY(__real_kt_version_get(log, txn, id, version, ret_version));
    (void)pthread_mutex_lock(&lock);
    const struct victim *v = victim_of(log);
    if (v->replaced && memcmp(v->index, ret_version->pair.index, INDEX_BYTES) == 0) {
        ret_version->pair.commitment = v->commitment;
        buf_clear(&ret_version->value);
        buf_append_bytes(&ret_version->value, buf_view(&v->forged));
    }
    (void)pthread_mutex_unlock(&lock);
    return ERR_OK;
}

/* Nodes that are put more than once in one epoch reach the store once. */
enum { HELD_MOST = 4096 };
struct held {
    const struct prefix_store *below;
    struct {
        struct prefix_position at;
        struct prefix_node node;
    } * nodes;
    size_t count;
};

static struct err held_get(void *self, const struct prefix_position *at,
                           struct prefix_node *ret_node)
{
    const struct held *h = self;
    for (size_t i = 0; i < h->count; i++)
        if (memcmp(&h->nodes[i].at, at, sizeof *at) == 0) {
            *ret_node = h->nodes[i].node;
            return ERR_OK;
        }
    return h->below->get(h->below->self, at, ret_node);
}

static struct err held_put(void *self, const struct prefix_position *at,
                           const struct prefix_node *node)
{
    struct held *h = self;
    size_t i = 0;
    while (i < h->count && memcmp(&h->nodes[i].at, at, sizeof *at) != 0)
        i++;
    if (i == HELD_MOST)
        return ERR(NO_MEMORY);
    h->nodes[i].at = *at;
    h->nodes[i].node = *node;
    h->count += i == h->count;
    return ERR_OK;
}

static struct prefix_position position(const uint8_t *index, unsigned depth, bool sibling)
{
    struct prefix_position at = {.depth = (uint16_t)depth};
    for (unsigned bit = 0; bit < depth; bit++) {
        bool one = (index[bit / 8] >> (7 - bit % 8)) & 1;
        if (one != (sibling && bit == depth - 1))
            at.bits[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    return at;
}

static struct err replace(const struct prefix_store *store, const struct victim *v)
{
    struct prefix_node node, other;
    struct prefix_position at;
    unsigned depth = 0;
    for (;; depth++) {
        at = position(v->index, depth, false);
        TRY(store->get(store->self, &at, &node));
        if (node.kind != PREFIX_PARENT)
            break;
    }
    if (node.kind != PREFIX_LEAF || memcmp(node.leaf.index, v->index, INDEX_BYTES) != 0)
        return ERR(NOT_FOUND);
    memcpy(node.leaf.commitment, v->commitment.data, HASH_VALUE_BYTES);
    prefix_leaf_hash(&node.leaf, &node.hash);
    TRY(store->put(store->self, &at, &node));
    for (; depth > 0; depth--) {
        bool right = (v->index[(depth - 1) / 8] >> (7 - (depth - 1) % 8)) & 1;
        at = position(v->index, depth, true);
        TRY(store->get(store->self, &at, &other));
        struct prefix_node parent = {.kind = PREFIX_PARENT};
        prefix_parent_hash(right ? &other.hash : &node.hash, right ? &node.hash : &other.hash,
                           &parent.hash);
        at = position(v->index, depth - 1, false);
        TRY(store->put(store->self, &at, &parent));
        node = parent;
    }
    return ERR_OK;
}

static struct err insert_replacing(const struct prefix_store *store, struct victim *v,
                                   struct prefix_leaf *leaves, size_t count,
                                   struct hash_value *ret_root)
{
    struct held h = {.below = store, .nodes = calloc(HELD_MOST, sizeof *h.nodes)};
    const struct prefix_store above = {held_get, held_put, &h};
    struct err err = h.nodes != NULL ? replace(&above, v) : ERR(NO_MEMORY);
    v->replaced = err_is_ok(err);
    if (err_is_ok(err))
        err = __real_prefix_insert(&above, leaves, count, ret_root);
    for (size_t i = 0; i < h.count && err_is_ok(err); i++)
        err = store->put(store->self, &h.nodes[i].at, &h.nodes[i].node);
    free(h.nodes);
    return err;
}

struct err __wrap_prefix_insert(const struct prefix_store *store, struct prefix_leaf *leaves,
                                size_t count, struct hash_value *ret_root)
{
    const struct kt_log_at *at = store->self;
    (void)pthread_mutex_lock(&lock);
    struct victim *v = victim_of(at->log);
    bool now = !v->replaced && v->forged.len > 0 && malice_on("replace");
    for (size_t i = 0; i < count; i++)
        now &= memcmp(leaves[i].index, v->index, INDEX_BYTES) != 0; /* it was there before */
    struct err err = now ? insert_replacing(store, v, leaves, count, ret_root)
                         : __real_prefix_insert(store, leaves, count, ret_root);
    (void)pthread_mutex_unlock(&lock);
    return err;
}

/* ---- skip: into what waits, past the check that nothing is left out */

struct skip {
    const struct kt_log *log;
    struct buf label, value;
    uint32_t version;
};

static struct err run_skip(struct store_txn *txn, void *arg)
{
    const struct skip *skip = arg;
    uint8_t id[AT_REST_ID_BYTES];
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    kt_label_id(skip->log, buf_view(&skip->label), id);
    wire_write_vector8(&plain, buf_view(&skip->label));
    tlog_write_vector32(&plain, buf_view(&skip->value));
    struct err err = kt_seal(skip->log, "queue", id, skip->version, buf_view(&plain), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, QUEUE_PUT);
        stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
        stmt_bind_u64(s, 2, skip->version);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}

static void skip_done(void *arg, struct err result)
{
    struct skip *skip = arg;
    (void)result;
    buf_clear(&skip->label);
    buf_clear(&skip->value);
    free(skip);
}

void malice_skip(struct store *store, const struct kt_log *log, struct bytes label,
                 uint32_t version)
{
    struct skip *skip = calloc(1, sizeof *skip);
    const struct store_work work = {.cost = 8, .run = run_skip, .done = skip_done, .arg = skip};
    if (skip == NULL)
        return;
    skip->log = log;
    skip->version = version;
    buf_append_bytes(&skip->label, label);
    if (!err_is_ok(malice_only_us(&skip->value, label, version)) ||
        !err_is_ok(store_submit(store, NULL, &work)))
        skip_done(skip, ERR_OK);
}
