/* Resync: an external commit that replaces the caller's own leaf. The key of the old leaf signs the
 * request, which is what shows whose leaf it is. Rotates nothing. */
#include "server/delivery/commit_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__ResyncRequest)

static struct err admit(struct request *r)
{
    TRY(request_take_leaf(r, LIMIT_RESYNC_LEAF, 1));
    TRY(request_take(r, LIMIT_RESYNCS, bytes_str("all"), 1));
    const Hearth__V1__ResyncRequest *in = (const void *)r->in;
    TRY(request_take_bytes(r, in->commit.len));
    return request_take_fan_out(r, in->commit.len);
}

static struct err check(struct request *r)
{
    const Hearth__V1__ResyncRequest *in = (const void *)r->in;
    struct commit_in commit = {
        .kind = COMMIT_RESYNC,
        .message = pb_view(in->commit),
        .info = in->group_info,
        .own_leaf = in->leaf,
    };
    TRY(commit_run(r, &commit));
    Hearth__V1__ResyncResponse *out = request_answer(r, &hearth__v1__resync_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    out->accepted_at = r->now_s;
    return ERR_OK;
}

const struct request_row resync_row = {
    .name = "Resync",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
