/* A homeserver's own label at an entry of before (sight.h). */
#include "tlog/verify_inside.h"

struct err kt_sight_request(struct buf *b, const struct kt_view *view, struct bytes label,
                            uint64_t at_ms)
{
    const struct sight_request request = {view->size, at_ms, label};
    if (label.len == 0 || label.len > LABEL_MAX_BYTES)
        return ERR(ARGUMENT);
    sight_request_write(b, &request);
    return buf_check(b);
}

/* The proof is of an entry that the view holds; an old one is held for that alone. */
static struct err check_proof(const struct kt_view *next, struct bytes label,
                              const struct sight_response *r, struct kt_sight *sight)
{
    struct kt_view then = *next;
    struct kt_result result;
    const struct kt_query query = {.label = label, .opaque_value = true};
    then.dist_count = 1;
    then.dists[0] = (struct kt_dist){.index = r->dist.index, .entry = r->dist.entry};
    TRY(kt_verify_proof(&then, &query, r->proof, &result));
    sight->exists = true;
    sight->version = result.known.version;
    sight->value = result.value;
    return ERR_OK;
}

struct err kt_verify_sight(struct kt_view *view, struct bytes label, uint64_t at_ms,
                           struct bytes in, struct kt_sight *ret_sight)
{
    struct kt_view next = *view;
    struct sight_response r;
    TRY(sight_response_parse(in, &r));
    TRY(kt_view_head(&next, r.checkpoint, &r.consistency));
    TRY(dist_entry_verify(&r.dist, &next.config, next.size, &next.root));
    if (r.dist.index != 1 && r.dist.entry.timestamp > at_ms)
        return ERR(TLOG_DISTINGUISHED);
    struct kt_sight sight = {.index = r.dist.index, .at_ms = r.dist.entry.timestamp};
    if (r.has_proof)
        TRY(check_proof(&next, label, &r, &sight));
    *view = next;
    *ret_sight = sight;
    return ERR_OK;
}
