/* SendTargetedMessage: to one member; what is in it the client sealed to that leaf. */
#include "server/delivery/check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__SendTargetedMessageRequest)

static struct err admit(struct request *r)
{
    const Hearth__V1__SendTargetedMessageRequest *in = (const void *)r->in;
    TRY(request_take_leaf(r, LIMIT_SEND_LEAF, 1));
    TRY(request_take_origin(r));
    TRY(request_take_bytes(r, in->message.len));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, 1);
}

static struct err check(struct request *r)
{
    const Hearth__V1__SendTargetedMessageRequest *in = (const void *)r->in;
    const struct leaf_entry *to = group_state_leaf(&r->state, in->recipient_leaf);
    struct fanout_from from = request_from(r);
    struct buf body = BUF_INIT;
    if (in->epoch != r->state.epoch)
        return ERR(DELIVERY_EPOCH); /* sealed to a key that may be gone */
    if (to == NULL)
        return ERR(NOT_FOUND); /* a member may know who is there */
    if ((to->flags & LEAF_QUEUE_GONE) != 0 || leaf_rests(to, r->now_s))
        return ERR(DELIVERY_GONE); /* never silently; the group is told as well (upkeep) */
    if (in->message.len > delivery_limit(r->d, LIMIT_MESSAGE_BYTES))
        return ERR(TOO_LARGE);
    delivery_targeted_write(&body, r->leaf_index, pb_view(in->message));
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_one(&r->fanout, &from, DELIVERY_TARGETED, buf_view(&body), to,
                         (struct fanout_how){.called = true});
    buf_clear(&body);
    TRY(err);
    TRY(request_touch(r));
    Hearth__V1__SendTargetedMessageResponse *out =
        request_answer(r, &hearth__v1__send_targeted_message_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    out->accepted_at = r->now_s;
    return ERR_OK;
}

const struct request_row send_targeted_message_row = {
    .name = "SendTargetedMessage",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
