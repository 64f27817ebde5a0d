#include "tlog/view.h"

#include "tlog/log_tree.h"
#include "tlog/log_verify.h"

enum { WINDOW_LEAST_MS = 1000, DAY_MS = 86400000, WINDOW_MOST_MS = 7 * DAY_MS };

/* Who looks once a window must come to look, and not do nothing else. */
static bool can_be_watched(const struct kt_config *config)
{
    return config->window_ms >= WINDOW_LEAST_MS && config->window_ms <= WINDOW_MOST_MS &&
           config->max_behind_ms <= WINDOW_MOST_MS && config->max_ahead_ms <= DAY_MS;
}

struct err kt_view_init(struct bytes config, struct kt_view *ret_view)
{
    struct kt_view view = {.size = 1};
    TRY(kt_config_parse(config, &view.config));
    if (!can_be_watched(&view.config))
        return ERR(TLOG_CONFIG);
    log_leaf_hash(config, &view.root);
    *ret_view = view;
    return ERR_OK;
}

const struct kt_dist *kt_view_newest_dist(const struct kt_view *view)
{
    return view->dist_count > 0 ? &view->dists[view->dist_count - 1] : NULL;
}

const struct kt_dist *kt_view_find_dist(const struct kt_view *view, uint64_t index)
{
    for (size_t i = 0; i < view->dist_count; i++) {
        if (view->dists[i].index == index)
            return &view->dists[i];
    }
    return NULL;
}

bool kt_view_overdue(const struct kt_view *view, uint64_t now_ms)
{
    enum { HOUR_MS = 3600000 };
    const struct kt_dist *dist = kt_view_newest_dist(view);
    if (dist == NULL || now_ms < dist->entry.timestamp)
        return false;
    return now_ms - dist->entry.timestamp > view->config.window_ms + HOUR_MS;
}

const struct kt_lookup *kt_known_find(const struct kt_known *known, uint32_t version)
{
    for (size_t i = 0; i < known->count; i++) {
        if (known->lookups[i].version == version)
            return &known->lookups[i];
    }
    return NULL;
}

/* ---- steps */

static struct err keep_note(struct kt_view *next, struct bytes note, const struct note_key *key)
{
    struct buf kept = {.limit = KT_NOTE_MAX_BYTES};
    struct err err = checkpoint_keep(&kept, note, key);
    if (err_is_ok(err)) {
        memcpy(next->note, kept.data, kept.len);
        next->note_len = kept.len;
    }
    buf_clear(&kept);
    return err;
}

struct err kt_view_head(struct kt_view *next, struct bytes note, const struct hash_run *consistency)
{
    struct note_key key;
    struct checkpoint c;
    TRY(kt_config_log_key(&next->config, &key));
    TRY(checkpoint_open(note, &key, &c));
    if (c.size < 2)
        return ERR(TLOG_CHECKPOINT);
    if (c.size < next->size)
        return ERR(TLOG_SHRUNK);
    if (c.size == next->size && !hash_value_equal(&c.root, &next->root))
        return ERR(TLOG_FORK);
    TRY(log_verify_consistency(next->size, c.size, &next->root, &c.root, consistency));
    TRY(keep_note(next, note, &key));
    next->size = c.size;
    next->root = c.root;
    return ERR_OK;
}

struct err kt_view_fresh(const struct kt_view *view, uint64_t timestamp_ms, uint64_t now_ms)
{
    if (timestamp_ms > now_ms && timestamp_ms - now_ms > view->config.max_ahead_ms)
        return ERR(TLOG_FUTURE);
    if (timestamp_ms < now_ms && now_ms - timestamp_ms > view->config.max_behind_ms)
        return ERR(TLOG_STALE);
    return ERR_OK;
}

struct err kt_view_entry(struct kt_view *next, const struct log_entry *entry,
                         const struct hash_run *inclusion, uint64_t now_ms)
{
    struct hash_value leaf;
    log_entry_hash(entry, &leaf);
    TRY(log_verify_inclusion(next->size - 1, next->size, &leaf, inclusion, &next->root));
    TRY(kt_view_fresh(next, entry->timestamp, now_ms));
    if (entry->timestamp < next->last_ms)
        return ERR(TLOG_TIME);
    next->last_ms = entry->timestamp;
    return ERR_OK;
}

static bool same_entry(const struct log_entry *a, const struct log_entry *b)
{
    return a->timestamp == b->timestamp && hash_value_equal(&a->prefix_root, &b->prefix_root);
}

struct err kt_view_add_dist(struct kt_view *next, uint64_t index, const struct log_entry *entry)
{
    const struct kt_dist *held = kt_view_find_dist(next, index);
    const struct kt_dist *newest = kt_view_newest_dist(next);
    if (held != NULL)
        return same_entry(&held->entry, entry) ? ERR_OK : ERR(TLOG_FORK);
    if (newest != NULL && index < newest->index)
        return ERR_OK; /* an older one, for who asks about it */
    if (newest != NULL && kt_window(&next->config, entry->timestamp) <=
                              kt_window(&next->config, newest->entry.timestamp))
        return ERR(TLOG_DISTINGUISHED);
    if (next->dist_count == KT_DISTS) {
        memmove(next->dists, next->dists + 1, (KT_DISTS - 1) * sizeof *next->dists);
        next->dist_count--;
    }
    next->dists[next->dist_count++] = (struct kt_dist){.index = index, .entry = *entry};
    return ERR_OK;
}

struct err kt_view_see_dist(struct kt_view *next, const struct dist_entry *dist)
{
    struct hash_value leaf, root;
    TRY(kt_view_add_dist(next, dist->index, &dist->entry));
    log_entry_hash(&dist->entry, &leaf);
    log_root_up_to(dist->index, next->size, &leaf, &dist->incl_entry, &root);
    for (size_t i = 0; i < next->dist_count; i++) {
        struct kt_dist *held = &next->dists[i];
        if (held->index != dist->index)
            continue;
        if (held->has_log_root && !hash_value_equal(&held->log_root, &root))
            return ERR(TLOG_FORK);
        held->has_log_root = true;
        held->log_root = root;
    }
    return ERR_OK;
}

/* ---- comparing */

struct err kt_view_dist_note(struct kt_view *view, struct bytes in)
{
    struct dist_note note;
    struct note_key key;
    struct checkpoint c;
    TRY(dist_note_parse(in, &note));
    TRY(kt_config_log_key(&view->config, &key));
    TRY(checkpoint_open(note.note, &key, &c));
    if (c.size < 2)
        return ERR(TLOG_CHECKPOINT);
    for (size_t i = 0; i < view->dist_count; i++) {
        struct kt_dist *dist = &view->dists[i];
        if (dist->index + 1 != c.size)
            continue;
        if (dist->has_log_root && !hash_value_equal(&dist->log_root, &c.root))
            return ERR(TLOG_FORK);
        TRY(log_verify_consistency(c.size, view->size, &c.root, &view->root, &note.consistency));
        dist->has_log_root = true;
        dist->log_root = c.root;
        return ERR_OK;
    }
    return ERR(TLOG_UNKNOWN);
}

bool kt_view_head_of(const struct kt_view *view, size_t i, struct kt_head *ret_head)
{
    if (i >= view->dist_count || !view->dists[i].has_log_root)
        return false;
    const struct kt_dist *dist = &view->dists[i];
    *ret_head = (struct kt_head){.origin = kt_config_origin(&view->config),
                                 .window = kt_window(&view->config, dist->entry.timestamp),
                                 .dist_index = dist->index,
                                 .log_root = dist->log_root};
    return true;
}

struct err kt_view_compare(const struct kt_view *view, const struct kt_head *head,
                           bool *ret_compared)
{
    *ret_compared = false;
    if (!bytes_equal(head->origin, kt_config_origin(&view->config)))
        return ERR_OK;
    for (size_t i = 0; i < view->dist_count; i++) {
        const struct kt_dist *dist = &view->dists[i];
        bool same_window = kt_window(&view->config, dist->entry.timestamp) == head->window;
        bool same_index = dist->index == head->dist_index;
        if (!same_window && !same_index)
            continue;
        if (same_window != same_index)
            return ERR(TLOG_FORK);
        if (!dist->has_log_root)
            return ERR_OK;
        *ret_compared = true;
        return hash_value_equal(&dist->log_root, &head->log_root) ? ERR_OK : ERR(TLOG_FORK);
    }
    return ERR_OK;
}
