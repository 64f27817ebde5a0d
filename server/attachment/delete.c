/* Delete: from the answer on nothing is readable; the blocks go afterwards. */
#include <stdlib.h>

#include "server/attachment/inside.h"

struct deletion {
    struct attachment *a;
    struct hearth_call *call; /* NULL: answered */
    uint8_t row_id[AT_REST_ID_BYTES];
    uint8_t hash[ROWS_HASH_BYTES];
    uint32_t today;
    struct inbox *inbox;
    uint64_t principal;
    struct charge charge;
};

static void deletion_free(struct deletion *d)
{
    struct attachment *a = d->a;
    charge_clear(&d->charge);
    free(d);
    attachment_unref(a);
}

static struct err run_delete(struct store_txn *txn, void *arg)
{
    struct deletion *d = arg;
    struct rows_blob blob = {0};
    const struct purse purse = attachment_purse(d->a);
    TRY(charge_take(txn, &purse, &d->charge));
    struct err err = rows_find(txn, d->row_id, &blob);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    bool same = bytes_equal_ct(bytes_of(d->hash, sizeof d->hash),
                               bytes_of(blob.remove, sizeof blob.remove));
    if (!err_is_ok(err) || !same || blob.state == ROWS_OPEN || blob.expires_day < d->today)
        return ERR(NOT_FOUND);
    return blob.state == ROWS_WHOLE ? rows_delete(txn, &blob) : ERR_OK;
}

static void delete_done(void *arg, struct err result)
{
    struct deletion *d = arg;
    struct attachment *a = d->a;
    Hearth__V1__DeleteResponse out;
    hearth__v1__delete_response__init(&out);
    if (d->call != NULL && err_is_ok(result))
        hearth_attachment_delete_reply(d->call, &out);
    else if (d->call != NULL)
        charge_fail(d->call, &d->charge, result);
    if (err_is_ok(result) && !a->closed)
        attachment_sweep(a);
    deletion_free(d);
}

/* An unanswered unary call is ours even now (docs/decisions/0003). */
static void on_cancel(struct hearth_call *call, void *arg)
{
    struct deletion *d = arg;
    d->call = NULL;
    front_fail(call, ERR(CANCELLED));
}

static struct err run_check(struct store_txn *txn, void *arg)
{
    struct deletion *d = arg;
    const struct purse purse = attachment_purse(d->a);
    return charge_check(txn, &purse, &d->charge);
}

static struct err submit(struct deletion *d, bool write);

static void check_done(void *arg, struct err result)
{
    struct deletion *d = arg;
    if (err_is_ok(result))
        result = submit(d, true);
    if (!err_is_ok(result))
        delete_done(d, result);
}

/* Looked at first where tokens have to be verified. */
static struct err submit(struct deletion *d, bool write)
{
    const struct store_work check = {
        .principal = d->principal, .cost = 1, .run = run_check, .done = check_done, .arg = d};
    const struct store_work work = {.principal = d->principal,
                                    .cost = 2,
                                    .frees = true,
                                    .run = run_delete,
                                    .done = delete_done,
                                    .arg = d};
    if (d->a->closed)
        return ERR(STORE_STOPPED);
    return write ? store_submit(d->a->store, d->inbox, &work)
                 : store_read(d->a->store, d->inbox, &check);
}

enum hearth_code attachment_delete(struct hearth_call *call, const Hearth__V1__DeleteRequest *in,
                                   Hearth__V1__DeleteResponse *out, void *self)
{
    struct attachment *a = self;
    struct inbox *inbox;
    (void)out;
    struct err err = front_inbox(a->env->front, hearth_call_loop(call), &inbox);
    struct deletion *d = err_is_ok(err) ? calloc(1, sizeof *d) : NULL;
    if (d == NULL)
        return front_fail(call, err_is_ok(err) ? ERR(NO_MEMORY) : err);
    atomic_fetch_add(&a->refs, 1);
    d->a = a;
    d->call = call;
    d->inbox = inbox;
    d->principal = front_caller(call)->principal;
    d->today = attachment_today(a);
    attachment_row_id(a, in->attachment_id.data, d->row_id);
    attachment_hash(ATTACHMENT_DELETE, in->attachment_id.data, in->capability.data, d->hash);
    attachment_charge(a, call, d->row_id, &d->charge);
    err = submit(d, !charge_brings(&d->charge));
    if (err_is_ok(err)) {
        hearth_call_on_cancel(call, on_cancel, d);
        return HEARTH_LATER;
    }
    deletion_free(d);
    return front_fail(call, err);
}
