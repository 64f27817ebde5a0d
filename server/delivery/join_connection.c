/* JoinConnection: an external commit into a group of one user, with the offer's hash as external
 * PSK. Whoever has the offer has the state key; that is the only credential. */
#include "server/delivery/commit_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__JoinConnectionRequest)

static struct err admit(struct request *r)
{
    TRY(request_take_group(r, LIMIT_EXTERNAL_JOINS, 1));
    const Hearth__V1__JoinConnectionRequest *in = (const void *)r->in;
    return request_take_fan_out(r, in->commit.len);
}

static struct err check(struct request *r)
{
    const Hearth__V1__JoinConnectionRequest *in = (const void *)r->in;
    struct commit_in commit = {
        .kind = COMMIT_JOIN,
        .message = pb_view(in->commit),
        .info = in->group_info,
        .own_leaf = in->leaf,
    };
    TRY(commit_run(r, &commit));
    Hearth__V1__JoinConnectionResponse *out =
        request_answer(r, &hearth__v1__join_connection_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    out->accepted_at = r->now_s;
    return ERR_OK;
}

const struct request_row join_connection_row = {
    .name = "JoinConnection",
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
