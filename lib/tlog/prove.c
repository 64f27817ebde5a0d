#include "tlog/prove.h"

#include <stdlib.h>

#include "tlog/prove_inside.h"

void answer_clear(struct answer *a)
{
    buf_clear(&a->note);
    buf_clear(&a->value);
    buf_clear(&a->at_first);
    buf_clear(&a->at_second);
}

struct err answer_begin(struct answer *a, const struct kt_source *source, uint64_t last)
{
    a->source = source;
    a->note = a->value = a->at_first = a->at_second = BUF_INIT;
    TRY(source->checkpoint(source->self, &a->note, &a->size));
    if (last > a->size || a->size < 2)
        return ERR(ARGUMENT);
    return log_prove_consistency(&source->log, last, a->size, &a->consistency);
}

struct err answer_dist(struct answer *a, uint64_t index, struct dist_entry *ret_dist)
{
    const struct kt_source *source = a->source;
    memset(ret_dist, 0, sizeof *ret_dist);
    ret_dist->index = index;
    TRY(source->entry(source->self, index, &ret_dist->entry));
    TRY(log_prove_inclusion(&source->log, index, a->size, &a->incl_entry));
    ret_dist->incl_entry = log_proof_run(&a->incl_entry);
    if (index == 1)
        return ERR_OK;
    TRY(source->entry(source->self, index - 1, &ret_dist->prev));
    TRY(log_prove_inclusion(&source->log, index - 1, a->size, &a->incl_prev));
    ret_dist->incl_prev = log_proof_run(&a->incl_prev);
    return ERR_OK;
}

struct err answer_steps(struct answer *a, struct bytes label, const uint32_t *versions,
                        size_t count, uint32_t version, struct ladder_steps *ret_steps)
{
    for (size_t i = 0; i < count; i++) {
        struct kt_pair *pair = &a->pairs[i];
        bool below = version != LADDER_NONE && versions[i] < version;
        TRY(a->source->pair(a->source->self, label, versions[i], pair));
        ret_steps->at[i].proof = pair->proof;
        ret_steps->at[i].commitment = below ? pair->commitment.data : NULL;
    }
    ret_steps->count = count;
    return ERR_OK;
}

struct err answer_batch(struct answer *a, uint64_t epoch, const struct batch *batch, struct buf *b)
{
    struct prefix_store store;
    bool present[PREFIX_LOOKUPS_MAX];
    TRY(a->source->tree(a->source->self, epoch, &store));
    return prefix_prove(&store, batch->indices, batch->count, b, present);
}

/* ladder's versions, out of a->pairs, which belong to `of`. */
static void batch_of(const struct answer *a, const uint32_t *of, size_t of_count,
                     const struct version_ladder *ladder, struct batch *ret_batch)
{
    ret_batch->count = 0;
    for (size_t i = 0; i < ladder->count; i++) {
        for (size_t j = 0; j < of_count; j++) {
            if (of[j] == ladder->at[i])
                ret_batch->indices[ret_batch->count++] = a->pairs[j].index;
        }
    }
}

static struct err reparse(const struct buf *b, struct prefix_proof *ret_proof)
{
    struct wire_reader r = wire_reader_of(buf_view(b));
    prefix_proof_read(&r, ret_proof);
    return wire_reader_end(&r);
}

/* ---- searches */

struct search_answer {
    struct answer common;
    struct search_response response;
    uint8_t opening[OPENING_BYTES];
    struct version_ladder base;
    uint32_t version, dist_version;
    uint64_t dist;
};

static struct err search_found(struct search_answer *s, struct bytes label)
{
    struct answer *a = &s->common;
    s->response.has_found = s->version != LADDER_NONE;
    if (!s->response.has_found)
        return ERR_OK;
    TRY(a->source->open(a->source->self, label, s->version, s->opening, &a->value));
    s->response.found = (struct search_found){s->version, s->opening, buf_view(&a->value)};
    return ERR_OK;
}

/* Both trees: at D the ladder as D stands, at e what D has not shown. */
static struct err search_trees(struct search_answer *s, bool skip_dist)
{
    struct answer *a = &s->common;
    uint64_t newest = a->size - 1;
    struct version_ladder at_dist = {.count = 0}, at_entry = {.count = 0};
    FILLED_LATER struct batch batch;
    if (s->dist != newest || skip_dist)
        ladder_search(s->version, s->dist_version, &at_dist);
    for (size_t i = 0; i < s->base.count; i++) {
        uint32_t version = s->base.at[i];
        bool shown = ladder_has(&at_dist, version) && s->dist_version != LADDER_NONE &&
                     version <= s->dist_version;
        if (!shown)
            at_entry.at[at_entry.count++] = version;
    }
    s->response.has_at_dist = s->dist != newest && !skip_dist;
    if (s->response.has_at_dist) {
        batch_of(a, s->base.at, s->base.count, &at_dist, &batch);
        TRY(answer_batch(a, s->dist, &batch, &a->at_first));
        TRY(reparse(&a->at_first, &s->response.at_dist));
    }
    batch_of(a, s->base.at, s->base.count, &at_entry, &batch);
    TRY(answer_batch(a, newest, &batch, &a->at_second));
    return reparse(&a->at_second, &s->response.at_entry);
}

static struct err search_run(struct search_answer *s, const struct search_request *q)
{
    struct answer *a = &s->common;
    const struct kt_source *source = a->source;
    uint64_t newest = a->size - 1;
    s->response.checkpoint = buf_view(&a->note);
    s->response.consistency = log_proof_run(&a->consistency);
    TRY(source->entry(source->self, newest, &s->response.entry));
    TRY(log_prove_inclusion(&source->log, newest, a->size, &a->inclusion));
    s->response.inclusion = log_proof_run(&a->inclusion);
    TRY(source->dist(source->self, newest, &s->dist));
    TRY(source->greatest(source->self, q->label, newest, &s->version));
    TRY(source->greatest(source->self, q->label, s->dist, &s->dist_version));
    bool knows =
        (q->flags & SEARCH_KNOWN) && s->version != LADDER_NONE && q->known_version == s->version;
    bool holds = (q->flags & SEARCH_HOLDS_DIST) && q->last_dist == s->dist;
    s->response.has_dist = !holds;
    if (!holds)
        TRY(answer_dist(a, s->dist, &s->response.dist));
    TRY(search_found(s, q->label));
    ladder_base(s->version, &s->base);
    TRY(answer_steps(a, q->label, s->base.at, s->base.count, s->version, &s->response.ladder));
    if (knows)
        s->response.ladder.count = 0;
    return search_trees(s, knows && holds && s->dist_version == s->version);
}

struct err kt_prove_search(const struct kt_source *source, const struct search_request *request,
                           struct buf *b)
{
    struct search_answer *s = malloc(sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    size_t before = b->len;
    struct err err = answer_begin(&s->common, source, request->last);
    if (err_is_ok(err))
        err = search_run(s, request);
    if (err_is_ok(err)) {
        search_response_write(b, &s->response);
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    answer_clear(&s->common);
    free(s);
    return err;
}

/* ---- monitoring */

static struct err owner_steps(struct answer *a, const struct owner_request *q, struct buf *steps,
                              size_t *ret_count)
{
    const struct kt_source *source = a->source;
    uint64_t at = q->from_dist;
    size_t count = 0;
    while (count < OWNER_STEPS_MAX) {
        struct dist_entry dist;
        uint32_t version;
        struct version_ladder base;
        FILLED_LATER struct batch batch;
        FILLED_LATER struct ladder_steps unused;
        TRY(source->next_dist(source->self, at, a->size - 1, &at));
        if (at == 0)
            break;
        TRY(source->greatest(source->self, q->label, at, &version));
        TRY(answer_dist(a, at, &dist));
        if (version != LADDER_NONE && version > q->expected)
            version = q->expected; /* what stands above is in its ladder */
        ladder_base(version, &base);
        TRY(answer_steps(a, q->label, base.at, base.count, version, &unused));
        batch_of(a, base.at, base.count, &base, &batch);
        dist_entry_write(steps, &dist);
        TRY(answer_batch(a, at, &batch, steps));
        count++;
    }
    *ret_count = count;
    return buf_check(steps);
}

struct err kt_prove_owner(const struct kt_source *source, const struct owner_request *request,
                          struct buf *b)
{
    FILLED_LATER struct answer a;
    size_t before = b->len, count = 0;
    struct err err = answer_begin(&a, source, request->last);
    if (err_is_ok(err))
        err = owner_steps(&a, request, &a.at_first, &count);
    if (err_is_ok(err)) {
        struct hash_run consistency = log_proof_run(&a.consistency);
        wire_write_u8(b, MONITOR_OWNER);
        wire_write_vector16(b, buf_view(&a.note));
        hash_run_write8(b, &consistency);
        wire_write_u8(b, (uint8_t)count);
        wire_write_fixed(b, buf_view(&a.at_first));
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    answer_clear(&a);
    return err;
}

struct contact_answer {
    struct answer common;
    uint8_t indices[PREFIX_LOOKUPS_MAX][INDEX_BYTES];
    struct batch batch;
    uint64_t newest_added; /* of the items' versions */
};

/* The opening proves the right to ask, also after it was taken away since (transparency.md 9). */
static struct err contact_item_check(struct contact_answer *c, const struct contact_item *item)
{
    struct answer *a = &c->common;
    struct kt_pair pair;
    uint8_t opening[OPENING_BYTES];
    TRY(a->source->pair(a->source->self, item->label, item->version, &pair));
    if (!pair.exists)
        return ERR(NOT_FOUND);
    a->value.len = 0;
    TRY(a->source->open(a->source->self, item->label, item->version, opening, &a->value));
    if (!bytes_equal_ct(bytes_of(opening, sizeof opening), bytes_of(item->opening, OPENING_BYTES)))
        return ERR(NOT_FOUND);
    if (pair.epoch > c->newest_added)
        c->newest_added = pair.epoch;
    return ERR_OK;
}

static struct err contact_run(struct contact_answer *c, const struct contact_request *q,
                              struct dist_entry *ret_dist)
{
    struct answer *a = &c->common;
    uint64_t index;
    c->batch.count = 0;
    c->newest_added = 0;
    for (size_t i = 0; i < q->item_count; i++) {
        struct version_ladder monitor;
        TRY(contact_item_check(c, &q->items[i]));
        ladder_monitor(q->items[i].version, &monitor);
        if (c->batch.count + monitor.count > PREFIX_LOOKUPS_MAX)
            return ERR(ARGUMENT);
        for (size_t j = 0; j < monitor.count; j++) {
            struct kt_pair pair;
            uint8_t *to = c->indices[c->batch.count];
            TRY(a->source->pair(a->source->self, q->items[i].label, monitor.at[j], &pair));
            memcpy(to, pair.index, INDEX_BYTES);
            c->batch.indices[c->batch.count++] = to;
        }
    }
    TRY(a->source->dist(a->source->self, a->size - 1, &index));
    if (index < c->newest_added) /* no window has begun since */
        return ERR(NOT_FOUND);
    TRY(answer_dist(a, index, ret_dist));
    return answer_batch(a, index, &c->batch, &a->at_first);
}

struct err kt_prove_contacts(const struct kt_source *source, const struct contact_request *request,
                             struct buf *b)
{
    struct contact_answer *c = malloc(sizeof *c);
    if (c == NULL)
        return ERR(NO_MEMORY);
    struct dist_entry dist;
    size_t before = b->len;
    struct err err = answer_begin(&c->common, source, request->last);
    if (err_is_ok(err))
        err = contact_run(c, request, &dist);
    if (err_is_ok(err)) {
        struct hash_run consistency = log_proof_run(&c->common.consistency);
        wire_write_u8(b, MONITOR_CONTACT);
        wire_write_vector16(b, buf_view(&c->common.note));
        hash_run_write8(b, &consistency);
        dist_entry_write(b, &dist);
        wire_write_fixed(b, buf_view(&c->common.at_first));
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    answer_clear(&c->common);
    free(c);
    return err;
}
