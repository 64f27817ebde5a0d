/* UpdateQueueReference: where messages for the caller's leaf go from now on, and which of them wake
 * its client. */
#include "server/delivery/leaf_check.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__UpdateQueueReferenceRequest)

static struct err admit(struct request *r)
{
    return request_take_leaf(r, LIMIT_LEAF_UPDATES, 1);
}

static struct err check(struct request *r)
{
    const Hearth__V1__UpdateQueueReferenceRequest *in = (const void *)r->in;
    if (in->queue_reference == NULL && in->notification_policy == 0)
        return ERR(DELIVERY_RECORD);
    if (in->queue_reference != NULL) {
        TRY(reference_check(r->d, r->state.suite, in->queue_reference, r->leaf));
        r->leaf->flags &= (uint8_t) ~(LEAF_QUEUE_GONE | LEAF_LOSS_TOLD);
        r->leaf->refusals = 0;
    }
    if (in->notification_policy != 0)
        r->leaf->policy = (uint8_t)in->notification_policy;
    r->leaf->month = month_of(r->now_s);
    TRY(request_seal_state(r));
    r->effect = REQUEST_REPLACES;
    return request_answer(r, &hearth__v1__update_queue_reference_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row update_queue_reference_row = {
    .name = "UpdateQueueReference",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
