/* RefuseConnection: a sealed answer to whoever waits alone in a connection group. */
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__RefuseConnectionRequest)

static struct err admit(struct request *r)
{
    return request_take_group(r, LIMIT_EXTERNAL_JOINS, 1);
}

static struct err check(struct request *r)
{
    const Hearth__V1__RefuseConnectionRequest *in = (const void *)r->in;
    struct fanout_from from = request_from(r);
    for (uint32_t i = 1; i < r->state.leaf_count; i++) {
        if (!bytes_equal(r->state.leaves[i].user_pseudonym, r->state.leaves[0].user_pseudonym))
            return ERR(NOT_FOUND); /* no connection that waits */
    }
    TRY(fanout_all(&r->fanout, &from, DELIVERY_REFUSED, pb_view(in->sealed_answer), r->state.leaves,
                   r->state.leaf_count, FANOUT_NOBODY, (struct fanout_how){.notify = true}));
    return request_answer(r, &hearth__v1__refuse_connection_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row refuse_connection_row = {
    .name = "RefuseConnection",
    .changes = true,
    .light = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
