/* SendMessage: the hot path. Reads the group, never writes it, but for the month in which a member
 * was heard; the state is opened and only its leaves are parsed. */
#include "server/delivery/check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__SendMessageRequest)

static struct err admit(struct request *r)
{
    const Hearth__V1__SendMessageRequest *in = (const void *)r->in;
    TRY(request_take_leaf(r, LIMIT_SEND_LEAF, 1));
    TRY(request_take_origin(r));
    TRY(request_take_bytes(r, in->message.len));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, r->state.leaf_count);
}

static struct err check(struct request *r)
{
    const Hearth__V1__SendMessageRequest *in = (const void *)r->in;
    struct fanout_from from = request_from(r);
    struct send_in send = {.message = pb_view(in->message),
                           .notify = in->notify != 0,
                           .mentioned = in->mentioned_leaves,
                           .mentioned_count = in->n_mentioned_leaves};
    struct send_ok ok;
    TRY(send_check(r, &send, &ok));
    TRY(fanout_all(&r->fanout, &from, DELIVERY_MESSAGE, ok.message, r->state.leaves,
                   r->state.leaf_count, r->leaf_index, ok.how));
    TRY(request_touch(r));
    Hearth__V1__SendMessageResponse *out =
        request_answer(r, &hearth__v1__send_message_response__descriptor);
    if (out == NULL)
        return ERR(NO_MEMORY);
    out->accepted_at = r->now_s;
    return ERR_OK;
}

const struct request_row send_message_row = {
    .name = "SendMessage",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
