/* DeleteGroup: an admin's commit that removes everybody else. They get it, and the news; nothing of
 * the group stays but past trees, which expire. */
#include "server/delivery/commit_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__DeleteGroupRequest)

static struct err admit(struct request *r)
{
    TRY(request_take_leaf(r, LIMIT_COMMITS_LEAF, 1));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, 2 * r->state.leaf_count);
}

static struct err check(struct request *r)
{
    const Hearth__V1__DeleteGroupRequest *in = (const void *)r->in;
    struct commit_in commit = {.kind = COMMIT_DELETE, .message = pb_view(in->commit)};
    TRY(commit_run(r, &commit));
    return request_answer(r, &hearth__v1__delete_group_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row delete_group_row = {
    .name = "DeleteGroup",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
