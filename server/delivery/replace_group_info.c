/* ReplaceGroupInfo: another GroupInfo of the current epoch under the caller's signature, where
 * members saw that the committer's external_pub was wrong. */
#include "server/delivery/commit_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__ReplaceGroupInfoRequest)

static struct err admit(struct request *r)
{
    return request_take_leaf(r, LIMIT_LEAF_UPDATES, 1);
}

static struct err check_info(const struct request *r, const Hearth__V1__GroupInfoParts *parts,
                             struct extensions *ret_extensions)
{
    struct public_group group = {0};
    struct bytes external_pub;
    TRY(info_parts_check(r->d, parts, ret_extensions, &external_pub));
    TRY(public_group_load(r->state.public_group, &group));
    struct group_info info = {
        .group_context = group.context,
        .extensions = *ret_extensions,
        .confirmation_tag = pb_view(parts->confirmation_tag),
        .signer = r->leaf_index,
        .signature = pb_view(parts->signature),
    };
    struct err err = public_group_check_info(&group, &info);
    public_group_clear(&group);
    return err;
}

static struct err check(struct request *r)
{
    const Hearth__V1__ReplaceGroupInfoRequest *in = (const void *)r->in;
    struct extensions extensions;
    if (in->epoch != r->state.epoch)
        return ERR(DELIVERY_EPOCH);
    TRY(check_info(r, in->group_info, &extensions));
    r->state.info_extensions = extensions.raw;
    r->state.info_signer = r->leaf_index;
    r->state.info_signature = pb_view(in->group_info->signature);
    r->leaf->month = month_of(r->now_s);
    TRY(request_seal_state(r));
    r->effect = REQUEST_REPLACES;
    return request_answer(r, &hearth__v1__replace_group_info_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row replace_group_info_row = {
    .name = "ReplaceGroupInfo",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
