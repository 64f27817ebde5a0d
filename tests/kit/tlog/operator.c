#include "kit/tlog/operator.h"

#include <stdlib.h>

struct err operator_init(struct kt_operator *op, const char *origin, uint64_t window_ms,
                         const uint8_t log_seed[32], const uint8_t vrf_seed[32])
{
    *op = (struct kt_operator){.tree_count = 1};
    op->trees[0] = op->tree = calloc(1, sizeof *op->tree);
    if (op->tree == NULL)
        return ERR(NO_MEMORY);
    TRY(sig_key_init(&sig_ed25519, bytes_of(log_seed, 32), &op->log_key));
    TRY(vrf_key_init(bytes_of(vrf_seed, 32), &op->vrf));
    struct kt_config *c = &op->config;
    c->mode = KT_MODE_CONTACT;
    c->origin_len = (uint8_t)strlen(origin);
    memcpy(c->origin, origin, c->origin_len);
    memcpy(c->signature_key, op->log_key.public_key.data, 32);
    memcpy(c->vrf_key, op->vrf.public_key, 32);
    c->max_ahead_ms = 60000;
    c->max_behind_ms = 3600000;
    c->window_ms = window_ms;
    kt_config_write(&op->config_bytes, c);
    TRY(buf_check(&op->config_bytes));
    struct hash_value leaf;
    struct log_store store = memory_log_store(&op->log);
    log_leaf_hash(buf_view(&op->config_bytes), &leaf);
    return log_append(&store, 0, &leaf);
}

void operator_clear(struct kt_operator *op)
{
    for (size_t i = 0; i < op->version_count; i++) {
        buf_clear(&op->versions[i].label);
        buf_clear(&op->versions[i].value);
    }
    for (size_t i = 0; i < op->epoch_count; i++)
        buf_clear(&op->epochs[i].note);
    for (size_t i = 0; i < op->tree_count; i++) {
        memory_tree_clear(op->trees[i]);
        free(op->trees[i]);
    }
    free(op->versions);
    free(op->epochs);
    buf_clear(&op->config_bytes);
    memory_log_clear(&op->log);
    sig_key_clear(&op->log_key);
    vrf_key_clear(&op->vrf);
    *op = (struct kt_operator){0};
}

struct operator_version *operator_find(struct kt_operator *op, struct bytes label, uint32_t version)
{
    for (size_t i = 0; i < op->version_count; i++) {
        struct operator_version *v = &op->versions[i];
        if (v->version == version && !v->hidden && bytes_equal(buf_view(&v->label), label))
            return v;
    }
    return NULL;
}

static struct operator_version *new_version(struct kt_operator *op)
{
    if (op->version_count == op->version_cap) {
        size_t cap = op->version_cap == 0 ? 64 : 2 * op->version_cap;
        struct operator_version *versions = realloc(op->versions, cap * sizeof *versions);
        if (versions == NULL)
            return NULL;
        op->versions = versions;
        op->version_cap = cap;
    }
    op->versions[op->version_count] = (struct operator_version){.version = 0};
    return &op->versions[op->version_count++];
}

struct err operator_add(struct kt_operator *op, struct bytes label, struct bytes value,
                        const uint8_t *opening)
{
    uint32_t version = 0;
    while (operator_find(op, label, version) != NULL)
        version++;
    struct operator_version *v = new_version(op);
    struct digest digest;
    if (v == NULL)
        return ERR(NO_MEMORY);
    buf_append_bytes(&v->label, label);
    buf_append_bytes(&v->value, value);
    TRY(buf_check(&v->label));
    TRY(buf_check(&v->value));
    v->version = version;
    hash_list(&hash_sha256, BYTES_LIST(label, bytes_of(&version, sizeof version)), &digest);
    memcpy(v->opening, opening != NULL ? opening : digest.data, OPENING_BYTES);
    TRY(tlog_index_prove(&op->vrf, label, version, v->pair.proof, v->pair.index));
    v->pair.exists = true;
    tlog_commit(v->opening, label, version, value, &v->pair.commitment);
    return ERR_OK;
}

/* ---- closing an epoch */

static size_t gather(struct kt_operator *op, uint64_t epoch, struct prefix_leaf *leaves)
{
    size_t count = 0;
    for (size_t i = 0; i < op->version_count; i++) {
        struct kt_pair *pair = &op->versions[i].pair;
        if (pair->epoch != 0)
            continue;
        pair->epoch = epoch;
        memcpy(leaves[count].index, pair->index, INDEX_BYTES);
        memcpy(leaves[count].commitment, pair->commitment.data, HASH_VALUE_BYTES);
        count++;
    }
    return count;
}

static void fill_leaves(struct prefix_leaf *leaves, size_t count, uint64_t epoch)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t numbers[2] = {epoch, i};
        struct digest digest;
        hash_once(&hash_sha512, bytes_of(numbers, sizeof numbers), &digest);
        memcpy(&leaves[i], digest.data, sizeof leaves[i]);
    }
}

static struct err sign(struct kt_operator *op, struct operator_epoch *epoch, uint64_t size)
{
    const struct checkpoint c = {
        .origin = kt_config_origin(&op->config), .size = size, .root = epoch->root};
    struct note_key key;
    struct buf text = BUF_INIT;
    checkpoint_write(&text, &c);
    struct err err = kt_config_log_key(&op->config, &key);
    if (err_is_ok(err))
        err = note_sign(&epoch->note, buf_view(&text), &key, &op->log_key);
    buf_clear(&text);
    return err;
}

struct err operator_close(struct kt_operator *op, uint64_t now_ms, size_t fill)
{
    uint64_t index = op->epoch_count + 1;
    if (op->epoch_count == op->epoch_cap) {
        size_t cap = op->epoch_cap == 0 ? 64 : 2 * op->epoch_cap;
        struct operator_epoch *epochs = realloc(op->epochs, cap * sizeof *epochs);
        if (epochs == NULL)
            return ERR(NO_MEMORY);
        op->epochs = epochs;
        op->epoch_cap = cap;
    }
    struct operator_epoch *epoch = &op->epochs[op->epoch_count];
    *epoch = (struct operator_epoch){.entry = {.timestamp = now_ms}, .tree = op->tree};
    struct prefix_leaf *leaves = calloc(op->version_count + fill + 1, sizeof *leaves);
    if (leaves == NULL)
        return ERR(NO_MEMORY);
    size_t count = gather(op, index, leaves);
    fill_leaves(leaves + count, fill, index);
    struct prefix_store tree = memory_tree_store(op->tree);
    op->tree->now = (uint32_t)index;
    struct err err = prefix_insert(&tree, leaves, count + fill, &epoch->entry.prefix_root);
    free(leaves);
    TRY(err);
    struct log_store store = memory_log_store(&op->log);
    struct hash_value leaf;
    log_entry_hash(&epoch->entry, &leaf);
    TRY(log_append(&store, index, &leaf));
    TRY(log_root(&store, index + 1, &epoch->root));
    op->epoch_count++;
    return sign(op, epoch, index + 1);
}

/* ---- cheating */

static struct err new_tree(struct kt_operator *op, const struct memory_tree *from, uint64_t epoch)
{
    if (op->tree_count == sizeof op->trees / sizeof *op->trees)
        return ERR(ARGUMENT);
    struct memory_tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return ERR(NO_MEMORY);
    op->trees[op->tree_count++] = op->tree = tree;
    return memory_tree_copy(from, (uint32_t)epoch, tree);
}

struct err operator_roll_back(struct kt_operator *op, uint64_t epoch)
{
    return new_tree(op, op->epochs[epoch - 1].tree, epoch);
}

struct err operator_fork(const struct kt_operator *op, struct kt_operator *ret_fork)
{
    struct kt_operator *fork = ret_fork;
    char origin[KT_ORIGIN_MAX_BYTES + 1] = {0};
    memcpy(origin, op->config.origin, op->config.origin_len);
    TRY(operator_init(fork, origin, op->config.window_ms, op->log_key.private_key.data,
                      op->log_key.private_key.data));
    fork->vrf = op->vrf;
    fork->config = op->config;
    buf_reset_unwiped(&fork->config_bytes);
    kt_config_write(&fork->config_bytes, &fork->config);
    memory_log_clear(&fork->log);
    struct log_store store = memory_log_store(&fork->log);
    struct hash_value leaf;
    log_leaf_hash(buf_view(&fork->config_bytes), &leaf);
    TRY(log_append(&store, 0, &leaf));
    for (size_t i = 0; i < op->version_count; i++) {
        const struct operator_version *from = &op->versions[i];
        struct operator_version *to = new_version(fork);
        if (to == NULL)
            return ERR(NO_MEMORY);
        *to = *from;
        to->label = to->value = BUF_INIT;
        buf_append_bytes(&to->label, buf_view(&from->label));
        buf_append_bytes(&to->value, buf_view(&from->value));
    }
    /* every epoch's tree of its own would be dear: they are copied as they are read back */
    for (size_t i = 0; i < op->epoch_count; i++) {
        log_entry_hash(&op->epochs[i].entry, &leaf);
        TRY(log_append(&store, i + 1, &leaf));
    }
    fork->epochs = calloc(op->epoch_count + 1, sizeof *fork->epochs);
    if (fork->epochs == NULL)
        return ERR(NO_MEMORY);
    fork->epoch_cap = op->epoch_count + 1;
    for (size_t i = 0; i < op->epoch_count; i++) {
        fork->epochs[i] = op->epochs[i]; /* its tree is borrowed from the other operator */
        fork->epochs[i].note = BUF_INIT;
        buf_append_bytes(&fork->epochs[i].note, buf_view(&op->epochs[i].note));
    }
    fork->epoch_count = op->epoch_count;
    return op->epoch_count == 0 ? ERR_OK : new_tree(fork, op->tree, op->epoch_count);
}

/* ---- what proofs are made from */

static size_t epochs_shown(const struct kt_operator *op)
{
    return op->shown != 0 ? op->shown : op->epoch_count;
}

static struct err source_tree(void *self, uint64_t epoch, struct prefix_store *ret_store)
{
    struct kt_operator *op = self;
    if (epoch == 0 || epoch > op->epoch_count)
        return ERR(NOT_FOUND);
    op->view = (struct memory_view){op->epochs[epoch - 1].tree, (uint32_t)epoch};
    *ret_store = memory_view_store(&op->view);
    return ERR_OK;
}

static struct err source_entry(void *self, uint64_t epoch, struct log_entry *ret_entry)
{
    struct kt_operator *op = self;
    if (epoch == 0 || epoch > op->epoch_count)
        return ERR(NOT_FOUND);
    *ret_entry = op->epochs[epoch - 1].entry;
    return ERR_OK;
}

static bool distinguished(const struct kt_operator *op, uint64_t epoch)
{
    return epoch == 1 || kt_window(&op->config, op->epochs[epoch - 1].entry.timestamp) >
                             kt_window(&op->config, op->epochs[epoch - 2].entry.timestamp);
}

static struct err source_dist(void *self, uint64_t epoch, uint64_t *ret_epoch)
{
    struct kt_operator *op = self;
    if (epoch == 0 || epoch > op->epoch_count)
        return ERR(NOT_FOUND);
    while (!distinguished(op, epoch))
        epoch--;
    *ret_epoch = epoch;
    return ERR_OK;
}

static struct err source_next_dist(void *self, uint64_t epoch, uint64_t last, uint64_t *ret_epoch)
{
    struct kt_operator *op = self;
    *ret_epoch = 0;
    for (uint64_t i = epoch + 1; i <= last && i <= op->epoch_count && *ret_epoch == 0; i++) {
        if (distinguished(op, i))
            *ret_epoch = i;
    }
    return ERR_OK;
}

static struct err source_greatest(void *self, struct bytes label, uint64_t epoch,
                                  uint32_t *ret_version)
{
    *ret_version = LADDER_NONE;
    for (uint32_t version = 0;; version++) {
        const struct operator_version *v = operator_find(self, label, version);
        if (v == NULL || v->pair.epoch == 0 || v->pair.epoch > epoch)
            return ERR_OK;
        *ret_version = version;
    }
}

static struct err source_pair(void *self, struct bytes label, uint32_t version,
                              struct kt_pair *ret_pair)
{
    struct kt_operator *op = self;
    const struct operator_version *v = operator_find(op, label, version);
    if (v != NULL && v->pair.epoch != 0) {
        *ret_pair = v->pair;
        return ERR_OK;
    }
    memset(ret_pair, 0, sizeof *ret_pair);
    return tlog_index_prove(&op->vrf, label, version, ret_pair->proof, ret_pair->index);
}

static struct err source_open(void *self, struct bytes label, uint32_t version,
                              uint8_t ret_opening[OPENING_BYTES], struct buf *value)
{
    const struct operator_version *v = operator_find(self, label, version);
    if (v == NULL)
        return ERR(NOT_FOUND);
    memcpy(ret_opening, v->opening, OPENING_BYTES);
    buf_append_bytes(value, buf_view(&v->value));
    return buf_check(value);
}

static struct err source_checkpoint(void *self, struct buf *note, uint64_t *ret_size)
{
    struct kt_operator *op = self;
    if (epochs_shown(op) == 0)
        return ERR(NOT_FOUND);
    buf_append_bytes(note, buf_view(&op->epochs[epochs_shown(op) - 1].note));
    *ret_size = epochs_shown(op) + 1;
    return buf_check(note);
}

struct kt_source operator_source(struct kt_operator *op)
{
    return (struct kt_source){
        .self = op,
        .config = &op->config,
        .log = memory_log_store(&op->log),
        .tree = source_tree,
        .entry = source_entry,
        .dist = source_dist,
        .next_dist = source_next_dist,
        .greatest = source_greatest,
        .pair = source_pair,
        .open = source_open,
        .checkpoint = source_checkpoint,
    };
}
