/* ReportFault: a commit that the caller could not process, though the server found no fault in it
 * (DoS9). Shown to all members, slows its committer, and admins decide. */
#include "server/delivery/faults.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__ReportFaultRequest)

static struct err admit(struct request *r)
{
    TRY(request_take_leaf(r, LIMIT_LEAF_UPDATES, 1));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, r->state.leaf_count);
}

static struct err tell(struct request *r, const Hearth__V1__ReportFaultRequest *in)
{
    struct fanout_from from = request_from(r);
    struct buf body = BUF_INIT;
    delivery_fault_write(&body, in->epoch, r->leaf_index, in->commit_hash.data);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_all(&r->fanout, &from, DELIVERY_FAULT, buf_view(&body), r->state.leaves,
                         r->state.leaf_count, r->leaf_index, (struct fanout_how){.control = true});
    buf_clear(&body);
    return err;
}

static struct err check(struct request *r)
{
    const Hearth__V1__ReportFaultRequest *in = (const void *)r->in;
    bool is_new = false;
    struct buf reporters = BUF_INIT;
    struct epoch_fact *fact;
    TRY(fault_find(&r->state, in->epoch, pb_view(in->commit_hash), r->now_s, &fact));
    TRY(fault_add_reporter(fact, r->leaf->pseudonym, &reporters, &is_new));
    if (is_new) {
        TRY(request_take_buf(r, &reporters, &fact->reporters));
        TRY(tell(r, in));
        TRY(request_seal_state(r));
        r->effect = REQUEST_REPLACES;
    }
    return request_answer(r, &hearth__v1__report_fault_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row report_fault_row = {
    .name = "ReportFault",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
