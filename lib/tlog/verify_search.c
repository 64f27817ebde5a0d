/* The eight steps of transparency.md 8, in order. */
#include "tlog/verify_inside.h"

/* The flags that a client in this state sets. */
static uint8_t flags_of(const struct kt_view *view, const struct kt_query *query)
{
    const struct kt_dist *newest = kt_view_newest_dist(view);
    bool known = query->known != NULL && query->known->exists;
    uint8_t flags = known ? SEARCH_KNOWN : 0;
    /* both at once say: verified there (search.h) */
    if (newest != NULL &&
        (!known || (query->known->dist_index == newest->index && !query->known->pending)))
        flags |= SEARCH_HOLDS_DIST;
    return flags;
}

struct err kt_search_request(struct buf *b, const struct kt_view *view,
                             const struct kt_query *query)
{
    const struct kt_dist *newest = kt_view_newest_dist(view);
    struct search_request request = {.last = view->size,
                                     .last_dist = newest != NULL ? newest->index : 0,
                                     .flags = flags_of(view, query),
                                     .label = query->label};
    request.has_known = (request.flags & SEARCH_KNOWN) != 0;
    request.known_version = request.has_known ? query->known->version : 0;
    if (query->label.len == 0 || query->label.len > LABEL_MAX_BYTES)
        return ERR(ARGUMENT);
    search_request_write(b, &request);
    return buf_check(b);
}

/* ---- steps, of one label */

/* Step 4: D, given or held, and that it is the rightmost. */
struct err search_dist(struct kt_view *next, const struct dist_entry *given, bool holds,
                       const struct log_entry *entry, struct kt_dist *ret_dist)
{
    const struct kt_config *config = &next->config;
    const struct kt_dist *newest = kt_view_newest_dist(next);
    if (given != NULL) {
        TRY(dist_entry_verify(given, config, next->size, &next->root));
        if (newest != NULL && given->index < newest->index)
            return ERR(TLOG_DISTINGUISHED);
        TRY(kt_view_see_dist(next, given));
        *ret_dist = *kt_view_newest_dist(next);
    } else if (holds && newest != NULL) {
        *ret_dist = *newest;
    } else {
        return ERR(TLOG_DISTINGUISHED);
    }
    if (ret_dist->entry.timestamp > entry->timestamp)
        return ERR(TLOG_TIME);
    return kt_window(config, ret_dist->entry.timestamp) == kt_window(config, entry->timestamp)
               ? ERR_OK
               : ERR(TLOG_DISTINGUISHED);
}

/* Step 5. */
struct err search_item_ladder(const struct kt_config *config, struct search_item *item)
{
    const struct search_found *found = item->found;
    const struct kt_known *old = item->query->known;
    struct kt_result *result = item->result;
    struct version_ladder base;
    item->version = found != NULL ? found->version : LADDER_NONE;
    item->shown.count = 0;
    item->absent_at_dist = LADDER_NONE;
    if (old != NULL && old->exists && (found == NULL || found->version < old->version))
        return ERR(TLOG_VERSION);
    if (found != NULL) {
        result->value = found->value;
        memcpy(result->opening, found->opening, OPENING_BYTES);
        tlog_commit(found->opening, item->query->label, item->version, result->value,
                    &result->commitment);
    }
    ladder_base(item->version, &base);
    item->cached = item->says_known && old != NULL && found != NULL &&
                   old->version == item->version && item->ladder->count == 0;
    if (item->cached) {
        const struct kt_lookup *held = kt_known_find(old, item->version);
        if (held == NULL || !hash_value_equal(&held->commitment, &result->commitment))
            return ERR(TLOG_COMMITMENT);
        memcpy(result->known.lookups, old->lookups, sizeof old->lookups);
        result->known.count = old->count;
        return ERR_OK;
    }
    result->known.count = base.count;
    TRY(lookups_prove(config, item->query->label, item->ladder, base.at, base.count, item->version,
                      &result->commitment, old, result->known.lookups));
    return lookups_agree(old, result->known.lookups, base.count);
}

/* Step 6: the walk at D. */
struct err search_item_walk(struct search_item *item, const struct prefix_result *results,
                            size_t left, struct kt_lookup *lookups, size_t *ret_count)
{
    const struct kt_known *known = &item->result->known;
    struct ladder_walk walk;
    size_t count = 0;
    ladder_walk_begin(&walk);
    for (bool over = false; !over && !walk.done; count++) {
        if (count == left || count == LADDER_MAX)
            return ERR(TLOG_LADDER);
        bool present = results[count].type == PREFIX_INCLUSION;
        const struct kt_lookup *lookup = kt_known_find(known, (uint32_t)walk.version);
        if (lookup == NULL)
            return ERR(TLOG_LADDER);
        if (present && !lookup->present)
            return ERR(TLOG_VERSION); /* there was a greater one at D than is shown now */
        lookups[count] = *lookup;
        lookups[count].present = present;
        if (present)
            item->shown.at[item->shown.count++] = lookup->version;
        over = !present && lookup->present;
        if (over)
            item->absent_at_dist = lookup->version;
        ladder_walk_step(&walk, present);
    }
    *ret_count = count;
    return ERR_OK;
}

bool search_item_stands(const struct search_item *item, uint64_t dist_index)
{
    return item->cached && item->query->known->dist_index == dist_index;
}

/* All of it was verified at D before: the versions up to the one known are there. */
void search_item_shown_before(struct search_item *item)
{
    const struct kt_known *known = &item->result->known;
    for (size_t i = 0; i < known->count; i++) {
        if (known->lookups[i].present)
            item->shown.at[item->shown.count++] = known->lookups[i].version;
    }
}

size_t search_item_left(const struct search_item *item, struct kt_lookup *lookups)
{
    const struct kt_known *known = &item->result->known;
    size_t count = 0;
    for (size_t i = 0; i < known->count; i++) {
        if (!ladder_has(&item->shown, known->lookups[i].version))
            lookups[count++] = known->lookups[i];
    }
    return count;
}

/* What was in a tree before D, or in D's, is in D's, and so is everything below it. */
static bool is_lost_at_dist(const struct search_item *item, uint64_t dist_index)
{
    const struct kt_known *old = item->query->known;
    return old != NULL && old->exists && dist_index >= old->epoch &&
           item->absent_at_dist != LADDER_NONE && item->absent_at_dist <= old->version;
}

struct err search_item_end(struct search_item *item, uint64_t newest, uint64_t dist_index)
{
    struct kt_known *known = &item->result->known;
    if (is_lost_at_dist(item, dist_index))
        return ERR(TLOG_VERSION);
    known->exists = item->version != LADDER_NONE;
    known->version = known->exists ? item->version : 0;
    known->pending =
        known->exists && dist_index != newest && !ladder_has(&item->shown, item->version);
    known->epoch = newest;
    known->dist_index = dist_index;
    if (!known->exists)
        return ERR_OK;
    return value_check(item->query, known, item->result->value, &item->result->continuity);
}

/* ---- one search */

/* About 32 kB. */
struct search {
    struct kt_view next;
    struct search_response response;
    struct kt_dist dist; /* the rightmost distinguished entry, D */
    struct search_item item;
    struct kt_result result;
};

/* Steps 6 and 7. */
static struct err check_trees(struct search *s, uint8_t flags)
{
    const struct search_response *r = &s->response;
    uint64_t newest = s->next.size - 1;
    struct kt_lookup lookups[LADDER_MAX];
    size_t count;
    bool both = flags == (SEARCH_KNOWN | SEARCH_HOLDS_DIST);
    if (r->has_at_dist == (s->dist.index == newest) && r->has_at_dist)
        return ERR(TLOG_LADDER);
    if (r->has_at_dist) {
        TRY(search_item_walk(&s->item, r->at_dist.results, r->at_dist.count, lookups, &count));
        TRY(lookups_check(&r->at_dist, lookups, count, &s->dist.entry.prefix_root, ERR_TLOG_VERSION,
                          ERR_TLOG_VERSION));
    } else if (both && !r->has_dist && search_item_stands(&s->item, s->dist.index)) {
        search_item_shown_before(&s->item);
    } else if (s->dist.index != newest) {
        return ERR(TLOG_LADDER);
    }
    count = search_item_left(&s->item, lookups);
    return lookups_check(&r->at_entry, lookups, count, &r->entry.prefix_root, ERR_TLOG_VERSION,
                         ERR_TLOG_VERSION);
}

static struct err run(struct search *s, const struct kt_view *view, struct bytes response)
{
    const struct search_response *r = &s->response;
    const struct kt_query *query = s->item.query;
    uint8_t flags = flags_of(view, query);
    s->next = *view;
    TRY(search_response_parse(response, &s->response));
    TRY(kt_view_head(&s->next, r->checkpoint, &r->consistency));
    TRY(kt_view_entry(&s->next, &r->entry, &r->inclusion, query->now_ms));
    TRY(search_dist(&s->next, r->has_dist ? &r->dist : NULL, (flags & SEARCH_HOLDS_DIST) != 0,
                    &r->entry, &s->dist));
    s->item.found = r->has_found ? &r->found : NULL;
    s->item.ladder = &r->ladder;
    s->item.says_known = (flags & SEARCH_KNOWN) != 0;
    TRY(search_item_ladder(&s->next.config, &s->item));
    TRY(check_trees(s, flags));
    return search_item_end(&s->item, s->next.size - 1, s->dist.index);
}

struct err kt_verify_search(struct kt_view *view, const struct kt_query *query,
                            struct bytes response, struct kt_result *ret_result)
{
    if (query->label.len == 0 || query->label.len > LABEL_MAX_BYTES)
        return ERR(ARGUMENT);
    FILLED_LATER struct search s;
    memset(&s.result, 0, sizeof s.result);
    s.item = (struct search_item){.query = query, .result = &s.result};
    TRY(run(&s, view, response));
    *view = s.next;
    *ret_result = s.result;
    return ERR_OK;
}
