/* The eight steps of transparency.md 8, in order. */
#include "tlog/verify_inside.h"

/* One search under way. About 32 kB. */
struct search {
    const struct kt_query *query;
    struct kt_view next;
    struct search_response response;
    struct kt_dist dist; /* the rightmost distinguished entry, D */
    uint32_t version;    /* LADDER_NONE: the label has none */
    bool cached;         /* the response leaves out what is known */
    struct kt_result result;
};

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

/* Step 4: D, given or held, and that it is the rightmost. */
static struct err check_dist(struct search *s, uint8_t flags)
{
    const struct kt_config *config = &s->next.config;
    const struct kt_dist *newest = kt_view_newest_dist(&s->next);
    if (s->response.has_dist) {
        const struct dist_entry *dist = &s->response.dist;
        TRY(dist_entry_verify(dist, config, s->next.size, &s->next.root));
        if (newest != NULL && dist->index < newest->index)
            return ERR(TLOG_DISTINGUISHED);
        TRY(kt_view_see_dist(&s->next, dist));
        s->dist = *kt_view_newest_dist(&s->next);
    } else if ((flags & SEARCH_HOLDS_DIST) && newest != NULL) {
        s->dist = *newest;
    } else {
        return ERR(TLOG_DISTINGUISHED);
    }
    if (s->dist.entry.timestamp > s->response.entry.timestamp)
        return ERR(TLOG_TIME);
    return kt_window(config, s->dist.entry.timestamp) ==
                   kt_window(config, s->response.entry.timestamp)
               ? ERR_OK
               : ERR(TLOG_DISTINGUISHED);
}

/* Step 5: the ladder's indices and commitments. */
static struct err check_ladder(struct search *s, uint8_t flags)
{
    const struct search_response *r = &s->response;
    const struct kt_known *old = s->query->known;
    struct kt_result *result = &s->result;
    struct version_ladder base;
    s->version = r->has_found ? r->found.version : LADDER_NONE;
    if (old != NULL && old->exists && (!r->has_found || r->found.version < old->version))
        return ERR(TLOG_VERSION);
    if (r->has_found) {
        result->value = r->found.value;
        memcpy(result->opening, r->found.opening, OPENING_BYTES);
        tlog_commit(r->found.opening, s->query->label, s->version, result->value,
                    &result->commitment);
    }
    ladder_base(s->version, &base);
    s->cached = (flags & SEARCH_KNOWN) && old != NULL && r->has_found &&
                old->version == s->version && r->ladder.count == 0;
    if (s->cached) {
        const struct kt_lookup *held = kt_known_find(old, s->version);
        if (held == NULL || !hash_value_equal(&held->commitment, &result->commitment))
            return ERR(TLOG_COMMITMENT);
        memcpy(result->known.lookups, old->lookups, sizeof old->lookups);
        result->known.count = old->count;
        return ERR_OK;
    }
    result->known.count = base.count;
    TRY(lookups_prove(&s->next.config, s->query->label, &r->ladder, base.at, base.count, s->version,
                      &result->commitment, old, result->known.lookups));
    return lookups_agree(old, result->known.lookups, base.count);
}

/* Step 6: the walk at D. shown: the versions present there, as a ladder. */
static struct err walk_dist(struct search *s, struct version_ladder *ret_shown)
{
    const struct prefix_proof *proof = &s->response.at_dist;
    struct kt_lookup lookups[LADDER_MAX];
    struct ladder_walk walk;
    size_t count = 0;
    ladder_walk_begin(&walk);
    for (bool over = false; !over && !walk.done; count++) {
        if (count == proof->count || count == LADDER_MAX)
            return ERR(TLOG_LADDER);
        bool present = proof->results[count].type == PREFIX_INCLUSION;
        const struct kt_lookup *lookup = kt_known_find(&s->result.known, (uint32_t)walk.version);
        if (lookup == NULL)
            return ERR(TLOG_LADDER);
        if (present && !lookup->present)
            return ERR(TLOG_VERSION); /* there was a greater one at D than is shown now */
        lookups[count] = *lookup;
        lookups[count].present = present;
        if (present)
            ret_shown->at[ret_shown->count++] = lookup->version;
        over = !present && lookup->present;
        ladder_walk_step(&walk, present);
    }
    return lookups_check(proof, lookups, count, &s->dist.entry.prefix_root, ERR_TLOG_VERSION,
                         ERR_TLOG_VERSION);
}

/* All of it was verified at D before: the versions up to the one known are there. */
static void shown_before(const struct search *s, struct version_ladder *ret_shown)
{
    for (size_t i = 0; i < s->result.known.count; i++) {
        if (s->result.known.lookups[i].present)
            ret_shown->at[ret_shown->count++] = s->result.known.lookups[i].version;
    }
}

/* Steps 6 and 7. */
static struct err check_trees(struct search *s, uint8_t flags)
{
    const struct kt_known *old = s->query->known;
    uint64_t newest = s->next.size - 1;
    struct version_ladder shown = {.count = 0};
    bool both = flags == (SEARCH_KNOWN | SEARCH_HOLDS_DIST);
    if (s->response.has_at_dist == (s->dist.index == newest) && s->response.has_at_dist)
        return ERR(TLOG_LADDER);
    if (s->response.has_at_dist)
        TRY(walk_dist(s, &shown));
    else if (both && s->cached && !s->response.has_dist && s->dist.index == old->dist_index)
        shown_before(s, &shown);
    else if (s->dist.index != newest)
        return ERR(TLOG_LADDER);
    struct kt_lookup left[LADDER_MAX];
    size_t count = 0;
    for (size_t i = 0; i < s->result.known.count; i++) {
        if (!ladder_has(&shown, s->result.known.lookups[i].version))
            left[count++] = s->result.known.lookups[i];
    }
    TRY(lookups_check(&s->response.at_entry, left, count, &s->response.entry.prefix_root,
                      ERR_TLOG_VERSION, ERR_TLOG_VERSION));
    s->result.known.pending =
        s->version != LADDER_NONE && s->dist.index != newest && !ladder_has(&shown, s->version);
    return ERR_OK;
}

static struct err run(struct search *s, const struct kt_view *view, struct bytes response)
{
    uint8_t flags = flags_of(view, s->query);
    s->next = *view;
    TRY(search_response_parse(response, &s->response));
    TRY(kt_view_head(&s->next, s->response.checkpoint, &s->response.consistency));
    TRY(kt_view_entry(&s->next, &s->response.entry, &s->response.inclusion, s->query->now_ms));
    TRY(check_dist(s, flags));
    TRY(check_ladder(s, flags));
    TRY(check_trees(s, flags));
    struct kt_known *known = &s->result.known;
    known->exists = s->version != LADDER_NONE;
    known->version = known->exists ? s->version : 0;
    known->epoch = s->next.size - 1;
    known->dist_index = s->dist.index;
    if (!known->exists)
        return ERR_OK;
    return value_check(s->query, known, s->result.value, &s->result.continuity);
}

struct err kt_verify_search(struct kt_view *view, const struct kt_query *query,
                            struct bytes response, struct kt_result *ret_result)
{
    if (query->label.len == 0 || query->label.len > LABEL_MAX_BYTES)
        return ERR(ARGUMENT);
    FILLED_LATER struct search s;
    s.query = query;
    memset(&s.result, 0, sizeof s.result);
    TRY(run(&s, view, response));
    *view = s.next;
    *ret_result = s.result;
    return ERR_OK;
}
