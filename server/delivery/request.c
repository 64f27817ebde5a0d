#include "server/delivery/request.h"

#include <stdlib.h>

#include "server/delivery/access.h"
#include "server/delivery/pauses.h"
#include "server/delivery/server_proposals.h"

/* ---- life */

static void attempt_clear(struct request *r)
{
    for (size_t i = 0; i < r->kept_count; i++)
        buf_clear(&r->kept[i]);
    r->kept_count = 0;
    fanout_clear(&r->fanout);
    sealed_group_clear(&r->sealed);
    past_tree_clear(&r->past);
    group_state_clear(&r->state);
    arena_reset(&r->work);
    buf_clear(&r->answer);
    bytes_wipe(r->new_state_key, sizeof r->new_state_key);
    r->leaf = NULL;
    r->upkeep = r->repeated = r->has_past = r->rotated = false;
    r->paused_until_hour = 0;
    r->past_gone_count = 0;
    r->renamed = false;
    r->heirs = NULL;
    r->heir_count = 0;
    r->out = NULL;
    r->effect = REQUEST_KEEPS;
}

void request_free(struct request *r)
{
    attempt_clear(r);
    charge_clear(&r->charge);
    arena_clear(&r->work);
    arena_clear(&r->arena);
    delivery_unref(r->d);
    bytes_wipe(r, sizeof *r); /* ME4 */
    free(r);
}

void *request_alloc(struct request *r, size_t len)
{
    return arena_alloc(&r->work, len);
}

void *request_answer(struct request *r, const ProtobufCMessageDescriptor *type)
{
    void *message = request_alloc(r, type->sizeof_message);
    if (message == NULL)
        return NULL;
    protobuf_c_message_init(type, message);
    r->out = message;
    return message;
}

struct err request_take_buf(struct request *r, struct buf *b, struct bytes *ret_view)
{
    struct err err = buf_check(b);
    if (err_is_ok(err) && r->kept_count == REQUEST_BUFS)
        err = ERR(INTERNAL);
    if (!err_is_ok(err)) {
        buf_clear(b);
        return err;
    }
    r->kept[r->kept_count++] = *b;
    *ret_view = buf_view(b);
    *b = BUF_INIT;
    return ERR_OK;
}

/* ---- answers; on the loop */

static void fail(struct request *r, struct err err)
{
    if (r->call == NULL)
        return;
    struct hearth_call *call = r->call;
    r->call = NULL;
    if (err.code == ERR_MLS_EPOCH || err.code == ERR_DELIVERY_EPOCH) {
        Hearth__V1__WrongEpoch detail;
        hearth__v1__wrong_epoch__init(&detail);
        detail.current_epoch = r->state.epoch;
        (void)front_fail_detail(call, ERR(DELIVERY_EPOCH), &detail.base);
    } else if (err.code == ERR_LIMIT && r->retry_after_s == LIMIT_RETRY_NEVER) {
        (void)front_fail(call, ERR(QUOTA)); /* more than there will ever be at once */
    } else if (err.code == ERR_LIMIT && r->retry_after_s > 0) {
        Hearth__V1__RetryAfter detail;
        hearth__v1__retry_after__init(&detail);
        detail.seconds = r->retry_after_s;
        (void)front_fail_detail(call, err, &detail.base);
    } else {
        (void)charge_fail(call, &r->charge, err);
    }
}

/* The answer that was stored, in r->answer, or the one just made. */
static void reply(struct request *r)
{
    if (r->call == NULL)
        return;
    struct hearth_call *call = r->call;
    if (r->out != NULL) {
        r->call = NULL;
        hearth_call_reply(call, r->out);
        return;
    }
    ProtobufCMessage *out = protobuf_c_message_unpack(hearth_call_endpoint(call)->response, NULL,
                                                      r->answer.len, r->answer.data);
    if (out == NULL) {
        fail(r, ERR(INTERNAL));
        return;
    }
    r->call = NULL;
    hearth_call_reply(call, out);
    protobuf_c_message_free_unpacked(out, NULL);
}

static void end(struct request *r, struct err err)
{
    fail(r, err);
    request_free(r);
}

/* Client, deadline or server: nobody waits any more. */
static void on_cancel(struct hearth_call *call, void *arg)
{
    struct request *r = arg;
    if (r->call == call)
        fail(r, ERR(CANCELLED));
}

/* ---- stages */

static void open_group(struct request *r);

static struct err submit(struct request *r, bool write, uint32_t cost,
                         struct err (*run)(struct store_txn *txn, void *arg),
                         void (*done)(void *arg, struct err result))
{
    struct store_work work = {
        .principal = r->principal,
        .cost = cost < STORE_COST_MAX ? cost : STORE_COST_MAX,
        .frees = r->effect == REQUEST_DELETES || r->effect == REQUEST_FETCHED,
        .run = run,
        .done = done,
        .arg = r,
    };
    return delivery_submit(r->d, write, r->inbox, &work);
}

static struct once once_of(const struct request *r)
{
    return (struct once){
        .statements = DELIVERY_ONCE,
        .key = r->d->once_key,
        .scope = r->scope,
        .id = r->once_id,
        .body_hash = r->body_hash,
    };
}

static struct err find_answer(struct request *r, struct store_txn *txn)
{
    if (r->once_id == NULL)
        return ERR_OK;
    struct once once = once_of(r);
    return once_find(txn, &once, &r->answer, &r->repeated);
}

static struct err effect(struct request *r, struct store_txn *txn)
{
    switch (r->effect) {
    case REQUEST_INSERTS:
        return group_store_insert(txn, r->d, r->group_id, &r->sealed, r->now_s);
    case REQUEST_REPLACES:
        return group_store_replace(txn, r->d, r->group_id, r->version, &r->sealed, r->now_s);
    case REQUEST_DELETES:
        return group_store_delete(txn, r->d, r->group_id, r->version);
    case REQUEST_FETCHED:
        return past_tree_fetched(txn, r->d, r->group_id, r->state_key, r->past.epoch, r->caller_id,
                                 r->now_s);
    default:
        return group_store_expect(txn, r->d, r->group_id, r->version);
    }
}

/* T1: what is left goes with whoever goes on under another name. */
static struct err pay(struct request *r, struct store_txn *txn)
{
    const struct purse purse = delivery_purse(r->d);
    TRY(charge_take(txn, &purse, &r->charge));
    if (r->heir_count == 0 || !r->renamed || r->charge.front == NULL)
        return ERR_OK;
    return credits_move(txn, purse.credits, r->pseudonym_id, r->heirs[0], r->now_s);
}

/* G2: state, fan-out rows and answer in one. */
static struct err run_write(struct store_txn *txn, void *arg)
{
    struct request *r = arg;
    struct outbox outbox = delivery_outbox(r->d);
    struct bytes answer = buf_view(&r->answer);
    if (r->once_id != NULL) {
        /* the same request came twice at once, and the other was faster */
        struct buf first = BUF_INIT;
        struct once once = once_of(r);
        struct err err = once_find(txn, &once, &first, &r->repeated);
        if (!err_is_ok(err) || !r->repeated) {
            buf_clear(&first);
            TRY(err);
        } else {
            buf_clear(&r->answer);
            r->answer = first;
            r->out = NULL;
            return ERR_OK;
        }
    }
    TRY(pay(r, txn));
    TRY(effect(r, txn));
    if (r->has_past)
        TRY(past_tree_keep(txn, r->d, r->group_id, &r->past, r->now_s));
    for (uint32_t i = 0; i < r->past_gone_count; i++)
        TRY(past_tree_drop(txn, r->d, r->group_id, r->past_gone[i].epoch));
    TRY(fanout_write(txn, &outbox, &r->fanout));
    if (r->once_id == NULL)
        return ERR_OK;
    struct once once = once_of(r);
    return once_keep(txn, &once, r->d->env.rng, answer, r->now_s);
}

static void written(void *arg, struct err result)
{
    struct request *r = arg;
    if (result.code == ERR_DELIVERY_CHANGED && ++r->tries < REQUEST_TRIES) {
        open_group(r);
        return;
    }
    if (!err_is_ok(result)) {
        end(r, result);
        return;
    }
    access_bequeath(r); /* what was spent meanwhile */
    bool closed = atomic_load(&r->d->closed);
    if (!closed && r->fanout.row_count > 0 && !r->repeated && r->d->wake != NULL)
        r->d->wake(r->d->wake_self);
    reply(r);
    if (!closed && r->upkeep && !r->repeated && r->effect != REQUEST_DELETES)
        upkeep_start(r->d, r->inbox, r->principal, r->group_id,
                     r->rotated ? r->new_state_key : r->state_key);
    request_free(r);
}

/* What was opened and made of it, which is megabytes in large groups, is not needed to write. */
static void let_state_go(struct request *r)
{
    r->leaf = NULL;
    group_state_clear(&r->state);
    for (size_t i = 0; i < r->kept_count; i++)
        buf_clear(&r->kept[i]);
    r->kept_count = 0;
}

static void write_now(struct request *r)
{
    struct err err = ERR_OK;
    if (r->once_id != NULL) {
        size_t len = protobuf_c_message_get_packed_size(r->out);
        uint8_t *room = len > 0 ? buf_extend(&r->answer, len) : NULL;
        if (room != NULL)
            (void)protobuf_c_message_pack(r->out, room);
        err = buf_check(&r->answer);
        let_state_go(r);
    }
    if (err_is_ok(err))
        err = submit(r, true, (uint32_t)(2 + r->fanout.row_count + r->fanout.rested_count),
                     run_write, written);
    if (!err_is_ok(err))
        end(r, err);
}

/* DoS8: twenty invalid changes in an hour, then a pause. Whatever is wrong because others were
 * faster does not count, nor what was not paid for, which nobody has looked at. */
static bool count_invalid(struct request *r, struct err err)
{
    if (!r->row->commits || !r->judged || err_class_of(err) != ERR_CLASS_CALLER ||
        delivery_off(r->d, DELIVERY_NO_PAUSE))
        return false;
    if (err.code == ERR_MLS_EPOCH || err.code == ERR_DELIVERY_EPOCH ||
        err.code == ERR_DELIVERY_PENDING || err.code == ERR_DELIVERY_LEAVING)
        return false;
    if (request_take_leaf(r, LIMIT_INVALID_COMMITS, 1).code == ERR_LIMIT ||
        request_take_leaf(r, LIMIT_INVALID_COMMITS, 0).code == ERR_LIMIT) {
        r->retry_after_s = 0;
        pause_start(r->d, r->inbox, r->principal, r->pseudonym_id);
    }
    return true;
}

/* DoS8: an invalid change costs what a valid one does. The allowance was taken before it was looked
 * at; credits and tokens are taken here, and the refusal comes after. */
static struct err run_charge(struct store_txn *txn, void *arg)
{
    struct request *r = arg;
    const struct purse purse = delivery_purse(r->d);
    return charge_take(txn, &purse, &r->charge);
}

static void charged(void *arg, struct err result)
{
    struct request *r = arg;
    (void)result; /* paid or not, it is refused */
    end(r, r->result);
}

static void refuse(struct request *r, struct err err)
{
    r->result = err;
    if (!count_invalid(r, err) || !charge_owes(&r->charge) ||
        !err_is_ok(submit(r, true, 2, run_charge, charged)))
        end(r, err);
}

static void checked(void *arg, struct err result)
{
    struct request *r = arg;
    if (!err_is_ok(result)) {
        refuse(r, result);
    } else if (r->row->changes || r->effect != REQUEST_KEEPS || charge_owes(&r->charge)) {
        access_bequeath(r);
        write_now(r);
    } else {
        reply(r);
        request_free(r);
    }
}

static struct err run_check(struct store_txn *txn, void *arg)
{
    struct request *r = arg;
    const struct purse purse = delivery_purse(r->d);
    TRY(charge_check(txn, &purse, &r->charge));
    r->judged = true;
    return r->row->check(r);
}

static struct err admit(struct request *r)
{
    if (r->row->commits && r->paused_until_hour > r->now_s / HOUR_S) {
        r->retry_after_s = (uint32_t)(r->paused_until_hour * HOUR_S - r->now_s);
        return ERR(LIMIT);
    }
    /* the pause is on its way to the disk: until it is there, this holds */
    if (r->row->commits && !delivery_off(r->d, DELIVERY_NO_PAUSE))
        TRY(request_take_leaf(r, LIMIT_INVALID_COMMITS, 0));
    return r->row->admit != NULL && r->tries == 0 ? r->row->admit(r) : ERR_OK;
}

/* A member or joiner is verified under the key that the state has; once, for the nonce is good for
 * one time only. In a later attempt the same key must still be there. */
static struct err verify(struct request *r)
{
    if (r->row->caller == 0 || r->verified)
        return ERR_OK;
    TRY(front_verify(r->call, r->alg, public_key_view(&r->key)));
    r->verified = true;
    return ERR_OK;
}

static void opened(void *arg, struct err result)
{
    struct request *r = arg;
    if (r->call == NULL) {
        request_free(r);
        return;
    }
    if (err_is_ok(result) && r->repeated) {
        reply(r);
        request_free(r);
        return;
    }
    if (result.code == ERR_NOT_FOUND && r->row->caller != 0) {
        front_verify_dummy();
        result = ERR(FRONT_UNAUTHENTICATED);
    }
    if (err_is_ok(result))
        result = verify(r);
    if (err_is_ok(result))
        result = admit(r);
    if (!err_is_ok(result)) {
        end(r, result);
        return;
    }
    charge_account(&r->charge, r->pseudonym_id, r->row->caller == 0);
    charge_allowance(&r->charge); /* once, however many attempts there are */
    if (r->row->light && !charge_owes(&r->charge)) {
        r->judged = true;
        checked(r, r->row->check(r));
        return;
    }
    result = submit(r, false, 1, run_check, checked);
    if (!err_is_ok(result))
        end(r, result);
}

static struct err run_open(struct store_txn *txn, void *arg)
{
    struct request *r = arg;
    TRY(find_answer(r, txn));
    if (r->repeated)
        return ERR_OK;
    return r->row->open != NULL ? r->row->open(r, txn) : request_open(r, txn);
}

static void open_group(struct request *r)
{
    attempt_clear(r);
    r->now_s = delivery_now_s(r->d);
    struct err err = submit(r, false, 1, run_open, opened);
    if (!err_is_ok(err))
        end(r, err);
}

void request_run(struct request *r, struct hearth_call *call)
{
    r->call = call;
    hearth_call_on_cancel(call, on_cancel, r);
    open_group(r);
}
