/* GetExternalCommitInfo: GroupInfo, tree and records of the current epoch. */
#include "server/delivery/rpcs.h"
#include "server/delivery/welcome_info.h"

static const Hearth__V1__GroupAccess *group_of(const ProtobufCMessage *in)
{
    return ((const Hearth__V1__GetExternalCommitInfoRequest *)in)->group;
}

static struct err admit(struct request *r)
{
    return request_take_group(r, LIMIT_GROUP_INFO, 1);
}

static struct err fill(struct request *r, const struct public_group *group,
                       Hearth__V1__GetExternalCommitInfoResponse *out)
{
    struct buf info = BUF_INIT;
    struct buf tree = BUF_INIT;
    struct bytes view;
    struct mls_message m = {
        .wire_format = WIRE_FORMAT_GROUP_INFO,
        .group_info = {.group_context = group->context,
                       .extensions = {r->state.info_extensions},
                       .confirmation_tag = digest_view(&group->confirmation_tag),
                       .signer = r->state.info_signer,
                       .signature = r->state.info_signature},
    };
    mls_message_write(&info, &m);
    out->group_info = (ProtobufCBinaryData){info.len, info.data};
    TRY(request_take_buf(r, &info, &view));
    tree_write(&tree, &group->tree);
    out->ratchet_tree = (ProtobufCBinaryData){tree.len, tree.data};
    TRY(request_take_buf(r, &tree, &view));
    TRY(leaf_records(&r->state, &r->work, &out->leaves));
    out->n_leaves = r->state.leaf_count;
    return ERR_OK;
}

static struct err check(struct request *r)
{
    struct public_group group = {0};
    Hearth__V1__GetExternalCommitInfoResponse *out =
        request_answer(r, &hearth__v1__get_external_commit_info_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    TRY(public_group_load(r->state.public_group, &group));
    struct err err = fill(r, &group, out);
    public_group_clear(&group);
    return err;
}

const struct request_row get_external_commit_info_row = {
    .name = "GetExternalCommitInfo",
    .group = group_of,
    .admit = admit,
    .check = check,
};
