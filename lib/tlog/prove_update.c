/* Updates, members' own proofs, audits. */
#include <stdlib.h>

#include "tlog/heads.h"
#include "tlog/prove.h"

struct update_answer {
    const struct kt_source *source;
    struct buf note, value, at_prev, at_entry;
    uint64_t size;
    struct log_proof consistency, incl_prev, incl_entry;
    uint32_t versions[2 * LADDER_MAX];
    struct kt_pair pairs[2 * LADDER_MAX];
    size_t count;
    uint8_t opening[OPENING_BYTES];
    struct update_response response;
};

static struct err reparse(const struct buf *b, struct prefix_proof *ret_proof)
{
    struct wire_reader r = wire_reader_of(buf_view(b));
    prefix_proof_read(&r, ret_proof);
    return wire_reader_end(&r);
}

/* The pairs of u->versions, and as steps of a ladder whose greatest version is `version`. */
static struct err prove_steps(struct update_answer *u, struct bytes label, uint32_t version,
                              struct ladder_steps *ret_steps)
{
    for (size_t i = 0; i < u->count; i++) {
        struct kt_pair *pair = &u->pairs[i];
        TRY(u->source->pair(u->source->self, label, u->versions[i], pair));
        ret_steps->at[i].proof = pair->proof;
        ret_steps->at[i].commitment =
            u->versions[i] < version && pair->exists ? pair->commitment.data : NULL;
    }
    ret_steps->count = u->count;
    return ERR_OK;
}

/* base_ladder(version) in the tree of an epoch. */
static struct err prove_at(struct update_answer *u, uint64_t epoch, uint32_t version, struct buf *b,
                           struct prefix_proof *ret_proof)
{
    const uint8_t *indices[LADDER_MAX];
    bool present[LADDER_MAX];
    struct prefix_store store;
    struct version_ladder base;
    size_t count = 0;
    ladder_base(version, &base);
    for (size_t i = 0; i < base.count; i++) {
        for (size_t j = 0; j < u->count; j++) {
            if (u->versions[j] == base.at[i])
                indices[count++] = u->pairs[j].index;
        }
    }
    TRY(u->source->tree(u->source->self, epoch, &store));
    TRY(prefix_prove(&store, indices, count, b, present));
    return reparse(b, ret_proof);
}

static struct err prove_pair(struct update_answer *u, uint64_t epoch)
{
    const struct kt_source *source = u->source;
    struct dist_entry *pair = &u->response.pair;
    memset(pair, 0, sizeof *pair);
    pair->index = epoch;
    TRY(source->entry(source->self, epoch, &pair->entry));
    TRY(log_prove_inclusion(&source->log, epoch, u->size, &u->incl_entry));
    pair->incl_entry = log_proof_run(&u->incl_entry);
    if (epoch == 1)
        return ERR_OK;
    TRY(source->entry(source->self, epoch - 1, &pair->prev));
    TRY(log_prove_inclusion(&source->log, epoch - 1, u->size, &u->incl_prev));
    pair->incl_prev = log_proof_run(&u->incl_prev);
    return ERR_OK;
}

static struct err update_run(struct update_answer *u, uint64_t last, struct bytes label,
                             uint32_t version)
{
    const struct kt_source *source = u->source;
    struct kt_pair pair;
    TRY(source->checkpoint(source->self, &u->note, &u->size));
    if (last > u->size || u->size < 2 || version > LADDER_VERSION_MAX)
        return ERR(ARGUMENT);
    TRY(source->pair(source->self, label, version, &pair));
    if (!pair.exists || pair.epoch >= u->size)
        return ERR(NOT_FOUND);
    TRY(log_prove_consistency(&source->log, last, u->size, &u->consistency));
    TRY(prove_pair(u, pair.epoch));
    TRY(source->open(source->self, label, version, u->opening, &u->value));
    u->count = update_ladder(version, u->versions);
    TRY(prove_steps(u, label, version, &u->response.ladder));
    u->response.checkpoint = buf_view(&u->note);
    u->response.consistency = log_proof_run(&u->consistency);
    u->response.opening = u->opening;
    u->response.has_at_prev = pair.epoch > 1;
    if (u->response.has_at_prev)
        TRY(prove_at(u, pair.epoch - 1, version == 0 ? LADDER_NONE : version - 1, &u->at_prev,
                     &u->response.at_prev));
    return prove_at(u, pair.epoch, version, &u->at_entry, &u->response.at_entry);
}

static struct update_answer *update_new(const struct kt_source *source)
{
    struct update_answer *u = malloc(sizeof *u);
    if (u == NULL)
        return NULL;
    u->source = source;
    u->note = u->value = u->at_prev = u->at_entry = BUF_INIT;
    return u;
}

static void update_free(struct update_answer *u)
{
    buf_clear(&u->note);
    buf_clear(&u->value);
    buf_clear(&u->at_prev);
    buf_clear(&u->at_entry);
    free(u);
}

struct err kt_prove_update(const struct kt_source *source, uint64_t last, struct bytes label,
                           uint32_t version, struct buf *b)
{
    struct update_answer *u = update_new(source);
    if (u == NULL)
        return ERR(NO_MEMORY);
    size_t before = b->len;
    struct err err = update_run(u, last, label, version);
    if (err_is_ok(err)) {
        update_response_write(b, &u->response);
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    update_free(u);
    return err;
}

static struct err member_run(struct update_answer *u, struct bytes label, uint64_t dist,
                             struct kt_proof *proof)
{
    const struct kt_source *source = u->source;
    struct version_ladder base;
    TRY(source->greatest(source->self, label, dist, &proof->version));
    if (proof->version == LADDER_NONE)
        return ERR(NOT_FOUND);
    ladder_base(proof->version, &base);
    memcpy(u->versions, base.at, base.count * sizeof *base.at);
    u->count = base.count;
    TRY(prove_steps(u, label, proof->version, &proof->ladder));
    TRY(source->open(source->self, label, proof->version, u->opening, &u->value));
    proof->origin = kt_config_origin(source->config);
    proof->label = label;
    proof->opening = u->opening;
    proof->value = buf_view(&u->value);
    proof->dist_index = dist;
    return prove_at(u, dist, proof->version, &u->at_entry, &proof->proof);
}

struct err kt_prove_member(const struct kt_source *source, struct bytes label, uint64_t dist,
                           struct buf *b)
{
    struct update_answer *u = update_new(source);
    if (u == NULL)
        return ERR(NO_MEMORY);
    FILLED_LATER struct kt_proof proof;
    size_t before = b->len;
    struct err err = member_run(u, label, dist, &proof);
    if (err_is_ok(err)) {
        kt_proof_write(b, &proof);
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    update_free(u);
    return err;
}

static int by_index(const void *a, const void *b)
{
    const struct prefix_leaf *x = a, *y = b;
    return memcmp(x->index, y->index, INDEX_BYTES);
}

struct err kt_prove_audit(const struct prefix_store *store, uint64_t timestamp,
                          struct prefix_leaf *added, size_t count, struct buf *b)
{
    const uint8_t *indices[PREFIX_LOOKUPS_MAX];
    bool present[PREFIX_LOOKUPS_MAX];
    size_t before = b->len;
    if (count > PREFIX_LOOKUPS_MAX)
        return ERR(ARGUMENT);
    if (count > 1)
        qsort(added, count, sizeof *added, by_index);
    wire_write_u64(b, timestamp);
    wire_write_u16(b, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        prefix_leaf_write(b, &added[i]);
        indices[i] = added[i].index;
    }
    wire_write_u16(b, 0);
    struct err err = prefix_prove(store, indices, count, b, present);
    if (!err_is_ok(err))
        b->len = before;
    return err;
}

struct err kt_prove_dist_note(const struct kt_source *source, struct bytes note, uint64_t old,
                              uint64_t size, struct buf *b)
{
    struct log_proof proof;
    TRY(log_prove_consistency(&source->log, old, size, &proof));
    const struct dist_note message = {note, log_proof_run(&proof)};
    dist_note_write(b, &message);
    return buf_check(b);
}
