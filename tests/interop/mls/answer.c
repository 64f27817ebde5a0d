#include "interop/mls/answer.h"

enum hearth_code answer(struct hearth_call *call, struct err err)
{
    if (err_is_ok(err))
        return HEARTH_OK;
    return hearth_call_fail(call, (enum hearth_code)err_grpc_status(err), "%s: %s", err_name(err),
                            err_text(err));
}

struct err answer_bytes(struct hearth_call *call, struct bytes value,
                        ProtobufCBinaryData *ret_value)
{
    uint8_t *copy = hearth_call_alloc(call, value.len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    if (value.len > 0)
        memcpy(copy, value.data, value.len);
    *ret_value = (ProtobufCBinaryData){value.len, copy};
    return ERR_OK;
}

struct err answer_buf(struct hearth_call *call, struct buf *b, ProtobufCBinaryData *ret_value)
{
    struct err err = buf_check(b);
    if (err_is_ok(err))
        err = answer_bytes(call, buf_view(b), ret_value);
    buf_clear(b);
    return err;
}

struct err answer_state(uint32_t id, struct party **ret_party)
{
    struct party *p = party_find(id);
    if (p == NULL || p->group == NULL)
        return ERR(NOT_FOUND);
    *ret_party = p;
    return ERR_OK;
}

struct err answer_tree(struct hearth_call *call, const struct mls_group *g,
                       ProtobufCBinaryData *ret_tree)
{
    struct buf tree = BUF_INIT;
    tree_write(&tree, &group_public(g)->tree);
    return answer_buf(call, &tree, ret_tree);
}

struct err answer_authenticator(struct hearth_call *call, const struct mls_group *g,
                                ProtobufCBinaryData *ret_value)
{
    return answer_bytes(call, group_epoch_authenticator(g), ret_value);
}
