/* ProposeSelfRemove: a Remove of one's own leaf, which the next commit must cover. */
#include "mls/public/public_group.h"
#include "server/delivery/rpcs.h"

REQUEST_FIELDS(Hearth__V1__ProposeSelfRemoveRequest)

enum { DECODE_BYTES = 128 * 1024 };

static struct err admit(struct request *r)
{
    TRY(request_take_leaf(r, LIMIT_LEAF_UPDATES, 1));
    return request_take_group(r, LIMIT_FAN_OUT_GROUP, r->state.leaf_count);
}

/* Before the group is loaded: is it what this call takes? */
static struct err check_form(const struct request *r, struct bytes message)
{
    struct arena arena;
    struct mls_message m;
    arena_init(&arena, DECODE_BYTES);
    struct err err = mls_message_parse(message, &arena, &m);
    if (err_is_ok(err)) {
        const struct framed_content *c = &m.public_message.content.content;
        if (m.wire_format != WIRE_FORMAT_PUBLIC_MESSAGE || c->type != CONTENT_PROPOSAL ||
            !bytes_equal(c->group_id, r->group_id) || c->sender.type != SENDER_MEMBER ||
            c->sender.index != r->leaf_index || c->proposal.type != PROPOSAL_REMOVE ||
            c->proposal.remove != r->leaf_index)
            err = ERR(DELIVERY_CONTENT);
        else if (c->epoch != r->state.epoch)
            err = ERR(DELIVERY_EPOCH);
    }
    arena_clear(&arena);
    return err;
}

static struct err store_proposal(struct request *r, struct bytes message)
{
    struct public_group group = {0};
    struct staged_commit *staged = NULL;
    struct mls_policy policy = mls_policy_at(r->now_s);
    struct buf saved = BUF_INIT;
    TRY(public_group_load(r->state.public_group, &group));
    struct err err = group.proposals.count < delivery_limit(r->d, LIMIT_PENDING_PROPOSALS)
                         ? public_group_process(&group, message, &policy, &staged)
                         : ERR(QUOTA);
    if (err_is_ok(err)) {
        public_group_save(&saved, &group);
        err = request_take_buf(r, &saved, &r->state.public_group);
    }
    public_group_clear(&group);
    return err;
}

static struct err send_proposal(struct request *r, struct bytes message)
{
    struct fanout_from from = request_from(r);
    struct buf body = BUF_INIT;
    delivery_proposal_write(&body, DELIVERY_REASON_LEAVES, message);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = fanout_all(&r->fanout, &from, DELIVERY_PROPOSAL, buf_view(&body), r->state.leaves,
                         r->state.leaf_count, r->leaf_index, (struct fanout_how){.control = true});
    buf_clear(&body);
    return err;
}

static struct err check(struct request *r)
{
    const Hearth__V1__ProposeSelfRemoveRequest *in = (const void *)r->in;
    struct bytes message = pb_view(in->proposal);
    TRY(check_form(r, message));
    /* nobody would be left to commit it, and its member could not either: DeleteGroup is for that
     */
    if (r->state.leaf_count == 1)
        return ERR(DELIVERY_PROPOSALS);
    /* two Removes of one leaf can't stand in one commit (RFC 9420 12.2), and every commit covers
     * all: the second is taken as said */
    if ((r->leaf->flags & LEAF_REMOVE_PENDING) == 0) {
        TRY(store_proposal(r, message));
        r->leaf->flags |= LEAF_REMOVE_PENDING;
        r->leaf->month = month_of(r->now_s);
        TRY(send_proposal(r, message));
        TRY(request_seal_state(r));
        r->effect = REQUEST_REPLACES;
    }
    return request_answer(r, &hearth__v1__propose_self_remove_response__descriptor) != NULL
               ? ERR_OK
               : ERR(NO_MEMORY);
}

const struct request_row propose_self_remove_row = {
    .name = "ProposeSelfRemove",
    .caller = REQUEST_MEMBER,
    .changes = true,
    .commits = true,
    .group = group_of,
    .idempotency = idempotency_of,
    .admit = admit,
    .check = check,
};
