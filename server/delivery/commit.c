/* Commit: add, remove, update, roles, group data; with the Welcomes of those added. */
#include "server/delivery/commit_check.h"
#include "server/delivery/faults.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__CommitRequest)

static struct err admit(struct request *r)
{
    const Hearth__V1__CommitRequest *in = (const void *)r->in;
    if (in->n_joiners > delivery_limit(r->d, LIMIT_GROUP_MEMBERS))
        return ERR(QUOTA);
    charge_add(&r->charge, (uint32_t)in->n_joiners); /* DoS9: growth costs more */
    TRY(request_take_leaf(r, LIMIT_COMMITS_LEAF, 1));
    if (fault_is_reported(&r->state, r->leaf->pseudonym, r->now_s))
        TRY(request_take_leaf(r, LIMIT_COMMITS_REPORTED, 1));
    if (in->n_joiners > 0)
        TRY(request_take_leaf(r, LIMIT_WELCOMES, (uint32_t)in->n_joiners));
    /* each joiner gets a copy of the GroupInfo */
    TRY(request_take_bytes(r, in->commit.len + in->n_joiners * in->welcome_group_info.len));
    return request_take_fan_out(r, in->commit.len);
}

static struct err check(struct request *r)
{
    const Hearth__V1__CommitRequest *in = (const void *)r->in;
    struct commit_in commit = {
        .kind = COMMIT_REGULAR,
        .message = pb_view(in->commit),
        .info = in->group_info,
        .joiners = in->joiners,
        .joiner_count = in->n_joiners,
        .welcome_group_info = pb_view(in->welcome_group_info),
        .own_leaf = in->own_leaf,
    };
    TRY(commit_run(r, &commit));
    Hearth__V1__CommitResponse *out = request_answer(r, &hearth__v1__commit_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    out->accepted_at = r->now_s;
    if (r->rotated)
        out->state_key = (ProtobufCBinaryData){sizeof r->new_state_key, r->new_state_key};
    return ERR_OK;
}

const struct request_row commit_row = {
    .name = "Commit",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
