/* UpdateProfileKey: the caller's wrapped profile key; the others are told. */
#include "server/delivery/leaf_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__UpdateProfileKeyRequest)

static struct err admit(struct request *r)
{
    TRY(request_take_leaf(r, LIMIT_LEAF_UPDATES, 1));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, r->state.leaf_count);
}

static struct err check(struct request *r)
{
    const Hearth__V1__UpdateProfileKeyRequest *in = (const void *)r->in;
    struct fanout_from from = request_from(r);
    struct buf body = BUF_INIT;
    r->leaf->wrapped_profile_key = pb_view(in->wrapped_profile_key);
    r->leaf->month = month_of(r->now_s);
    struct leaf_news news = leaf_news_of(r->leaf);
    leaf_news_write(&body, &news);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_all(&r->fanout, &from, DELIVERY_LEAF_NEWS, buf_view(&body), r->state.leaves,
                         r->state.leaf_count, r->leaf_index, (struct fanout_how){0});
    buf_clear(&body);
    TRY(err);
    TRY(request_seal_state(r));
    r->effect = REQUEST_REPLACES;
    return request_answer(r, &hearth__v1__update_profile_key_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row update_profile_key_row = {
    .name = "UpdateProfileKey",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
