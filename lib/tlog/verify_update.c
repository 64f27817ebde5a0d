/* transparency.md 9 (updates) and 10 (what members prove about themselves). */
#include "tlog/verify_inside.h"

/* ---- updates */

struct update {
    struct kt_view next;
    struct update_response response;
    struct kt_lookup lookups[2 * LADDER_MAX]; /* of update_ladder() */
    size_t count;
    struct kt_result result;
};

static const struct kt_lookup *find(const struct update *u, uint32_t version)
{
    for (size_t i = 0; i < u->count; i++) {
        if (u->lookups[i].version == version)
            return &u->lookups[i];
    }
    return NULL;
}

/* base_ladder(version) at an entry whose greatest version is that. */
static struct err check_at(const struct update *u, uint32_t version,
                           const struct prefix_proof *proof, const struct hash_value *root)
{
    struct kt_lookup lookups[LADDER_MAX];
    struct version_ladder base;
    ladder_base(version, &base);
    for (size_t i = 0; i < base.count; i++) {
        const struct kt_lookup *lookup = find(u, base.at[i]);
        if (lookup == NULL) /* never: update_ladder() has both ladders */
            return ERR(INTERNAL);
        lookups[i] = *lookup;
        lookups[i].present = version != LADDER_NONE && base.at[i] <= version;
    }
    return lookups_check(proof, lookups, base.count, root, ERR_TLOG_VERSION, ERR_TLOG_UNEXPECTED);
}

/* The log's commitments of versions that the owner made are the owner's. */
static struct err check_own(const struct update *u, const struct kt_own *own)
{
    for (size_t i = 0; i < own->count; i++) {
        const struct kt_lookup *shown = find(u, own->lookups[i].version);
        if (shown != NULL && shown->present && own->lookups[i].present &&
            !hash_value_equal(&shown->commitment, &own->lookups[i].commitment))
            return ERR(TLOG_COMMITMENT);
    }
    return ERR_OK;
}

static struct err fill_known(struct update *u, uint32_t version)
{
    struct kt_known *known = &u->result.known;
    struct version_ladder base;
    ladder_base(version, &base);
    known->exists = true;
    known->version = version;
    known->epoch = u->response.pair.index;
    known->pending = true; /* until it is seen at a distinguished entry */
    known->count = base.count;
    for (size_t i = 0; i < base.count; i++) {
        const struct kt_lookup *lookup = find(u, base.at[i]);
        if (lookup == NULL)
            return ERR(INTERNAL);
        known->lookups[i] = *lookup;
        if (base.at[i] == version)
            known->lookups[i].epoch = known->epoch;
    }
    return ERR_OK;
}

static struct err run(struct update *u, const struct kt_own *own, uint32_t version,
                      struct bytes value, uint64_t now_ms, struct bytes in)
{
    const struct update_response *r = &u->response;
    uint32_t versions[2 * LADDER_MAX];
    uint32_t before = version == 0 ? LADDER_NONE : version - 1;
    TRY(update_response_parse(in, &u->response));
    TRY(kt_view_head(&u->next, r->checkpoint, &r->consistency));
    TRY(dist_entry_verify_pair(&r->pair, u->next.size, &u->next.root));
    TRY(kt_view_fresh(&u->next, r->pair.entry.timestamp, now_ms));
    if (r->has_at_prev != (r->pair.index != 1))
        return ERR(TLOG_LADDER);
    memcpy(u->result.opening, r->opening, OPENING_BYTES);
    tlog_commit(r->opening, own->label, version, value, &u->result.commitment);
    u->count = update_ladder(version, versions);
    TRY(lookups_prove(&u->next.config, own->label, &r->ladder, versions, u->count, version,
                      &u->result.commitment, NULL, u->lookups));
    TRY(check_own(u, own));
    TRY(check_at(u, version, &r->at_entry, &r->pair.entry.prefix_root));
    if (r->has_at_prev)
        TRY(check_at(u, before, &r->at_prev, &r->pair.prev.prefix_root));
    else if (before != LADDER_NONE) /* the first epoch has nothing before it */
        return ERR(TLOG_VERSION);
    u->result.value = value;
    u->result.continuity = KT_SAME;
    return fill_known(u, version);
}

struct err kt_verify_update(struct kt_view *view, const struct kt_own *own, uint32_t version,
                            struct bytes value, uint64_t now_ms, struct bytes response,
                            struct kt_result *ret_result)
{
    if (own->label.len == 0 || own->label.len > LABEL_MAX_BYTES || version > LADDER_VERSION_MAX)
        return ERR(ARGUMENT);
    FILLED_LATER struct update u;
    u.next = *view;
    memset(&u.result, 0, sizeof u.result);
    TRY(run(&u, own, version, value, now_ms, response));
    *view = u.next;
    *ret_result = u.result;
    return ERR_OK;
}

/* ---- proofs that members send */

struct err kt_verify_proof(const struct kt_view *view, const struct kt_query *query,
                           struct bytes in, struct kt_result *ret_result)
{
    FILLED_LATER struct kt_proof proof;
    struct kt_result result = {.known = {.exists = true}};
    struct version_ladder base;
    if (query->label.len == 0)
        return ERR(ARGUMENT);
    TRY(kt_proof_parse(in, &proof));
    const struct kt_dist *dist = kt_view_find_dist(view, proof.dist_index);
    if (!bytes_equal(proof.origin, kt_config_origin(&view->config)) ||
        !bytes_equal(proof.label, query->label))
        return ERR(TLOG_CHECKPOINT);
    if (dist == NULL)
        return ERR(TLOG_UNKNOWN);
    if (query->known != NULL && query->known->exists && proof.version < query->known->version)
        return ERR(TLOG_VERSION);
    tlog_commit(proof.opening, query->label, proof.version, proof.value, &result.commitment);
    ladder_base(proof.version, &base);
    result.known.version = proof.version;
    result.known.epoch = result.known.dist_index = dist->index;
    result.known.count = base.count;
    TRY(lookups_prove(&view->config, query->label, &proof.ladder, base.at, base.count,
                      proof.version, &result.commitment, query->known, result.known.lookups));
    TRY(lookups_agree(query->known, result.known.lookups, base.count));
    TRY(lookups_check(&proof.proof, result.known.lookups, base.count, &dist->entry.prefix_root,
                      ERR_TLOG_VERSION, ERR_TLOG_VERSION));
    result.value = proof.value;
    memcpy(result.opening, proof.opening, OPENING_BYTES);
    TRY(value_check(query, &result.known, proof.value, &result.continuity));
    *ret_result = result;
    return ERR_OK;
}
