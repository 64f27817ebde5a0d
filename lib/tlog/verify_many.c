/* A search of several labels: the steps of one, with one evaluation of each tree. */
#include <stdlib.h>

#include "tlog/search_many.h"
#include "tlog/verify_inside.h"

/* Was it verified at the newest distinguished entry that the view holds? Then the log may leave it
 * out. */
static bool says_known(const struct kt_view *view, const struct kt_query *query)
{
    const struct kt_dist *newest = kt_view_newest_dist(view);
    const struct kt_known *known = query->known;
    return newest != NULL && known != NULL && known->exists && !known->pending &&
           known->dist_index == newest->index;
}

static struct err check_queries(const struct kt_query *queries, size_t count)
{
    if (count == 0 || count > SEARCH_MANY_MAX)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < count; i++) {
        if (queries[i].label.len == 0 || queries[i].label.len > LABEL_MAX_BYTES)
            return ERR(ARGUMENT);
    }
    return ERR_OK;
}

struct err kt_many_request(struct buf *b, const struct kt_view *view,
                           const struct kt_query *queries, size_t count)
{
    const struct kt_dist *newest = kt_view_newest_dist(view);
    FILLED_LATER struct search_many_request request;
    TRY(check_queries(queries, count));
    request.last = view->size;
    request.last_dist = newest != NULL ? newest->index : 0;
    request.flags = newest != NULL ? SEARCH_HOLDS_DIST : 0;
    request.count = count;
    for (size_t i = 0; i < count; i++) {
        struct search_many_item *item = &request.items[i];
        item->label = queries[i].label;
        item->has_known = says_known(view, &queries[i]);
        item->known_version = item->has_known ? queries[i].known->version : 0;
    }
    search_many_request_write(b, &request);
    return buf_check(b);
}

struct many {
    const struct kt_view *before;
    const struct kt_query *queries;
    size_t count;
    struct kt_view next;
    struct search_many_response response;
    struct kt_dist dist; /* the rightmost distinguished entry, D */
    struct search_many_answer answer;
    struct kt_lookup at_dist[PREFIX_LOOKUPS_MAX + LADDER_MAX];
    struct kt_lookup at_entry[PREFIX_LOOKUPS_MAX + LADDER_MAX];
    size_t dist_count, entry_count;
};

static struct err run_item(struct many *m, const struct kt_query *query, struct kt_result *result)
{
    const struct search_many_response *r = &m->response;
    uint64_t newest = m->next.size - 1;
    struct search_item item = {.query = query,
                               .found = m->answer.has_found ? &m->answer.found : NULL,
                               .ladder = &m->answer.ladder,
                               .says_known = says_known(m->before, query),
                               .result = result};
    TRY(search_item_ladder(&m->next.config, &item));
    if (!r->has_dist && search_item_stands(&item, m->dist.index)) {
        search_item_shown_before(&item);
    } else if (m->dist.index != newest) {
        size_t walked;
        if (!r->has_at_dist || m->dist_count > r->at_dist.count)
            return ERR(TLOG_LADDER);
        TRY(search_item_walk(&item, r->at_dist.results + m->dist_count,
                             r->at_dist.count - m->dist_count, m->at_dist + m->dist_count,
                             &walked));
        m->dist_count += walked;
    }
    m->entry_count += search_item_left(&item, m->at_entry + m->entry_count);
    if (m->entry_count > PREFIX_LOOKUPS_MAX)
        return ERR(TLOG_LADDER);
    return search_item_end(&item, newest, m->dist.index);
}

static struct err run(struct many *m, struct bytes in, struct kt_result *results)
{
    struct search_many_response *r = &m->response;
    TRY(search_many_response_parse(in, r));
    if (r->count > m->count)
        return ERR(TLOG_LADDER);
    TRY(kt_view_head(&m->next, r->checkpoint, &r->consistency));
    TRY(kt_view_entry(&m->next, &r->entry, &r->inclusion, m->queries[0].now_ms));
    TRY(search_dist(&m->next, r->has_dist ? &r->dist : NULL, kt_view_newest_dist(m->before) != NULL,
                    &r->entry, &m->dist));
    struct wire_reader answers = r->answers;
    for (size_t i = 0; i < r->count; i++) {
        search_many_answer_read(&answers, &m->answer);
        TRY(run_item(m, &m->queries[i], &results[i]));
    }
    if (r->has_at_dist != (m->dist_count > 0))
        return ERR(TLOG_LADDER);
    if (r->has_at_dist)
        TRY(lookups_check(&r->at_dist, m->at_dist, m->dist_count, &m->dist.entry.prefix_root,
                          ERR_TLOG_VERSION, ERR_TLOG_VERSION));
    return lookups_check(&r->at_entry, m->at_entry, m->entry_count, &r->entry.prefix_root,
                         ERR_TLOG_VERSION, ERR_TLOG_VERSION);
}

struct err kt_verify_many(struct kt_view *view, const struct kt_query *queries, size_t count,
                          struct bytes response, struct kt_result *ret_results, size_t *ret_count)
{
    TRY(check_queries(queries, count));
    struct many *m = malloc(sizeof *m);
    struct kt_result *results = calloc(count, sizeof *results);
    struct err err = m != NULL && results != NULL ? ERR_OK : ERR(NO_MEMORY);
    if (err_is_ok(err)) {
        m->before = view;
        m->queries = queries;
        m->count = count;
        m->next = *view;
        m->dist_count = m->entry_count = 0;
        err = run(m, response, results);
    }
    if (err_is_ok(err)) {
        *view = m->next;
        *ret_count = m->response.count;
        memcpy(ret_results, results, m->response.count * sizeof *results);
    }
    free(m);
    free(results);
    return err;
}
