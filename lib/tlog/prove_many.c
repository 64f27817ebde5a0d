/* The log's side of a search of several labels. */
#include <stdlib.h>

#include "tlog/prove_inside.h"

struct lookups {
    uint8_t indices[PREFIX_LOOKUPS_MAX][INDEX_BYTES];
    struct batch batch;
};

struct many_answer {
    struct answer common;
    uint64_t dist;
    bool has_dist; /* given, since it is not held */
    struct dist_entry dist_entry;
    struct buf items;
    size_t count;
    struct lookups at_dist, at_entry;
    /* the item at hand */
    uint32_t version, dist_version;
    struct version_ladder base, there;
    struct search_many_answer answer;
};

static void look_up(struct lookups *l, const uint8_t index[INDEX_BYTES])
{
    uint8_t *to = l->indices[l->batch.count];
    memcpy(to, index, INDEX_BYTES);
    l->batch.indices[l->batch.count++] = to;
}

/* What the item's ladder looks up at D, and what is left for the newest entry; false: no room. */
static bool place(struct many_answer *m, bool skip_dist)
{
    struct version_ladder at_dist = {.count = 0};
    const struct kt_pair *pairs = m->common.pairs;
    if (m->dist != m->common.size - 1 && !skip_dist)
        ladder_search(m->version, m->dist_version, &at_dist);
    if (m->at_dist.batch.count + at_dist.count > PREFIX_LOOKUPS_MAX ||
        m->at_entry.batch.count + m->base.count > PREFIX_LOOKUPS_MAX)
        return false;
    for (size_t i = 0; i < at_dist.count; i++) {
        for (size_t j = 0; j < m->base.count; j++)
            if (m->base.at[j] == at_dist.at[i])
                look_up(&m->at_dist, pairs[j].index);
    }
    for (size_t j = 0; j < m->base.count; j++) {
        uint32_t version = m->base.at[j];
        bool walked = skip_dist || ladder_has(&at_dist, version);
        bool shown = walked && m->dist_version != LADDER_NONE && version <= m->dist_version;
        if (!shown)
            look_up(&m->at_entry, pairs[j].index);
    }
    return true;
}

static struct err add_item(struct many_answer *m, const struct search_many_item *item,
                           bool *ret_room)
{
    struct answer *a = &m->common;
    const struct kt_source *source = a->source;
    uint8_t opening[OPENING_BYTES];
    TRY(source->greatest(source->self, item->label, a->size - 1, &m->version));
    TRY(source->greatest(source->self, item->label, m->dist, &m->dist_version));
    bool knows = item->has_known && m->version != LADDER_NONE && item->known_version == m->version;
    ladder_base(m->version, &m->base);
    TRY(answer_steps(a, item->label, m->base.at, m->base.count, m->version, &m->answer.ladder));
    *ret_room = place(m, knows && !m->has_dist && m->dist_version == m->version);
    if (!*ret_room)
        return ERR_OK;
    if (knows)
        m->answer.ladder.count = 0;
    m->answer.has_found = m->version != LADDER_NONE;
    a->value.len = 0;
    if (m->answer.has_found) {
        TRY(source->open(source->self, item->label, m->version, opening, &a->value));
        m->answer.found = (struct search_found){m->version, opening, buf_view(&a->value)};
    }
    search_many_answer_write(&m->items, &m->answer);
    m->count++;
    return buf_check(&m->items);
}

/* Values of so many bytes leave room for the proofs of PREFIX_LOOKUPS_MAX lookups. */
enum { ITEMS_MOST_BYTES = SEARCH_MANY_RESPONSE_MAX_BYTES / 4 };

static struct err many_run(struct many_answer *m, const struct search_many_request *q)
{
    struct answer *a = &m->common;
    const struct kt_source *source = a->source;
    bool room = true;
    TRY(source->dist(source->self, a->size - 1, &m->dist));
    m->has_dist = (q->flags & SEARCH_HOLDS_DIST) == 0 || q->last_dist != m->dist;
    for (size_t i = 0; i < q->count && room && m->items.len < ITEMS_MOST_BYTES; i++)
        TRY(add_item(m, &q->items[i], &room));
    if (m->has_dist)
        TRY(answer_dist(a, m->dist, &m->dist_entry));
    if (m->at_dist.batch.count > 0)
        TRY(answer_batch(a, m->dist, &m->at_dist.batch, &a->at_first));
    return answer_batch(a, a->size - 1, &m->at_entry.batch, &a->at_second);
}

static struct err many_write(struct many_answer *m, struct buf *b)
{
    struct answer *a = &m->common;
    struct log_entry entry;
    struct hash_run consistency = log_proof_run(&a->consistency);
    TRY(a->source->entry(a->source->self, a->size - 1, &entry));
    TRY(log_prove_inclusion(&a->source->log, a->size - 1, a->size, &a->inclusion));
    struct hash_run inclusion = log_proof_run(&a->inclusion);
    wire_write_vector16(b, buf_view(&a->note));
    hash_run_write8(b, &consistency);
    log_entry_write(b, &entry);
    hash_run_write8(b, &inclusion);
    wire_write_present(b, m->has_dist);
    if (m->has_dist)
        dist_entry_write(b, &m->dist_entry);
    wire_write_u8(b, (uint8_t)m->count);
    wire_write_fixed(b, buf_view(&m->items));
    wire_write_present(b, a->at_first.len > 0);
    wire_write_fixed(b, buf_view(&a->at_first));
    wire_write_fixed(b, buf_view(&a->at_second));
    return buf_check(b);
}

struct err kt_prove_many(const struct kt_source *source, const struct search_many_request *request,
                         struct buf *b)
{
    struct many_answer *m = malloc(sizeof *m);
    if (m == NULL)
        return ERR(NO_MEMORY);
    size_t before = b->len;
    m->items = BUF_INIT;
    m->count = m->at_dist.batch.count = m->at_entry.batch.count = 0;
    struct err err = answer_begin(&m->common, source, request->last);
    if (err_is_ok(err))
        err = many_run(m, request);
    if (err_is_ok(err))
        err = many_write(m, b);
    if (!err_is_ok(err))
        b->len = before;
    buf_clear(&m->items);
    answer_clear(&m->common);
    free(m);
    return err;
}
