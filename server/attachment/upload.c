/* Upload: head, bytes, half-close. A block goes to the store as soon as more than one is there, and
 * the sender waits for its commit; the last one goes at the end, together with the mark that the
 * blob is whole. So a small blob is one transaction, and no part of one that was cut short shows.
 *
 * A struct upload belongs to the call until that ends, and beyond to the job that is under way. */
#include <stdlib.h>

#include "server/attachment/inside.h"

enum { MIB = 1 << 20 };

struct upload {
    struct attachment *a;
    struct hearth_call *call; /* NULL: it has ended */
    struct inbox *inbox;
    uint64_t principal;
    unsigned bin; /* of its source */
    uint64_t received;
    uint8_t id[ATTACHMENT_ID_BYTES];
    uint8_t download[ATTACHMENT_CAPABILITY_BYTES], remove[ATTACHMENT_CAPABILITY_BYTES];
    uint8_t key[AT_REST_KEY_BYTES];
    struct buf plain;    /* not sealed yet: two blocks at most */
    struct buf sealed;   /* of the job that is under way */
    struct rows_put put; /* likewise */
    bool busy;           /* a job is under way */
    bool stored;         /* there are rows */
    bool whole;          /* and they are all there */
    bool answered;
};

static void upload_free(struct upload *u)
{
    struct attachment *a = u->a;
    unsigned bin = u->bin;
    buf_clear(&u->plain);
    buf_clear(&u->sealed);
    bytes_wipe(u, sizeof *u);
    free(u);
    attachment_end(a, &a->uploads, bin);
}

/* ---- giving up */

static struct err run_abandon(struct store_txn *txn, void *arg)
{
    struct upload *u = arg;
    return rows_abandon(txn, u->put.number, u->put.bytes_in_all);
}

static void abandon_done(void *arg, struct err result)
{
    struct upload *u = arg;
    if (err_is_ok(result))
        attachment_sweep(u->a);
    upload_free(u);
}

/* The call is over and no job is under way: nothing may stay that nobody was told of. Where the
 * store takes no more jobs now the rows stay until the next start or their last day. */
static void upload_end(struct upload *u)
{
    const struct store_work work = {
        .principal = u->principal,
        .cost = 2,
        .frees = true,
        .run = run_abandon,
        .done = abandon_done,
        .arg = u,
    };
    bool leave = !u->stored || u->answered || u->a->control || u->a->closed;
    if (leave || !err_is_ok(store_submit(u->a->store, NULL, &work)))
        upload_free(u);
}

static void release(void *state)
{
    struct upload *u = state;
    u->call = NULL;
    if (!u->busy)
        upload_end(u);
}

/* ---- beginning */

static struct err draw(struct upload *u)
{
    const struct rng *rng = u->a->env->rng;
    TRY(rng_fill(rng, u->id, sizeof u->id));
    TRY(rng_fill(rng, u->download, sizeof u->download));
    return rng_fill(rng, u->remove, sizeof u->remove);
}

static struct err upload_new(struct attachment *a, struct hearth_call *call, uint64_t bytes,
                             struct upload **ret_upload)
{
    const struct limits *limits = front_limits(a->env->front);
    struct inbox *inbox;
    TRY(front_inbox(a->env->front, hearth_call_loop(call), &inbox));
    struct upload *u = calloc(1, sizeof *u);
    if (u == NULL)
        return ERR(NO_MEMORY);
    u->a = a;
    u->inbox = inbox;
    u->call = call;
    u->principal = front_caller(call)->principal;
    u->plain.limit = (size_t)2 * ATTACHMENT_BLOCK_BYTES;
    struct err err = draw(u);
    if (err_is_ok(err))
        err = attachment_begin(a, &a->uploads, LIMIT_UPLOADS, call, &u->bin);
    if (!err_is_ok(err)) {
        free(u);
        return err;
    }
    attachment_block_key(a, u->id, u->download, u->key);
    u->put = (struct rows_put){.first = true, .bytes_in_all = bytes};
    u->put.expires_day = attachment_today(a) + (uint32_t)limit_value(limits, LIMIT_ATTACHMENT_DAYS);
    u->put.room = a->control ? INT64_MAX : limit_value(limits, LIMIT_ATTACHMENTS_BYTES) * MIB;
    attachment_row_id(a, u->id, u->put.id);
    attachment_hash(ATTACHMENT_DOWNLOAD, u->id, u->download, u->put.download);
    attachment_hash(ATTACHMENT_DELETE, u->id, u->remove, u->put.remove);
    *ret_upload = u;
    return ERR_OK;
}

static enum hearth_code on_head(struct attachment *a, struct hearth_call *call, uint64_t bytes)
{
    struct upload *u;
    if (!attachment_size_fits(bytes) ||
        bytes > limit_value(front_limits(a->env->front), LIMIT_ATTACHMENT_BYTES))
        return front_fail(call, ERR(ATTACHMENT_SIZE));
    if (!a->control) {
        enum hearth_code code =
            front_limit(call, LIMIT_UPLOAD_PREFIX_MIB, front_caller(call)->source,
                        (uint32_t)((bytes + MIB - 1) / MIB));
        if (code != HEARTH_OK)
            return code;
    }
    struct err err = upload_new(a, call, bytes, &u);
    if (!err_is_ok(err))
        return front_fail(call, err);
    hearth_call_set_state(call, u, release);
    return HEARTH_LATER;
}

/* ---- going on */

static struct err run_put(struct store_txn *txn, void *arg)
{
    struct upload *u = arg;
    return rows_put(txn, &u->put);
}

static void answer(struct upload *u)
{
    Hearth__V1__UploadResponse out;
    hearth__v1__upload_response__init(&out);
    out.attachment_id = (ProtobufCBinaryData){sizeof u->id, u->id};
    out.download_capability = (ProtobufCBinaryData){sizeof u->download, u->download};
    out.delete_capability = (ProtobufCBinaryData){sizeof u->remove, u->remove};
    out.expires_day = u->put.expires_day;
    u->answered = true;
    hearth_attachment_upload_reply(u->call, &out);
}

static void put_done(void *arg, struct err result)
{
    struct upload *u = arg;
    if (err_is_ok(result)) {
        u->stored = true;
        u->whole = u->put.last;
        u->put.first = false;
        u->put.place++;
    }
    buf_reset_unwiped(&u->sealed);
    /* busy until nothing here can end the call any more */
    if (u->call != NULL && !err_is_ok(result))
        front_fail(u->call, result);
    else if (u->call != NULL && u->whole)
        answer(u);
    u->busy = false;
    if (u->call == NULL)
        upload_end(u);
    else if (err_is_ok(result) && !u->whole)
        hearth_call_resume(u->call); /* last: the next message may come from in there */
}

/* Seals the next block and gives it to the store. */
static struct err flush(struct upload *u, bool last)
{
    uint8_t room[BLOCK_AAD_BYTES];
    size_t len = u->plain.len < ATTACHMENT_BLOCK_BYTES ? u->plain.len : ATTACHMENT_BLOCK_BYTES;
    struct bytes aad = attachment_block_aad(u->put.id, u->put.bytes_in_all, u->put.place, room);
    TRY(at_rest_seal(&u->sealed, u->key, u->a->env->rng, aad, bytes_of(u->plain.data, len)));
    buf_drop_front(&u->plain, len);
    u->put.sealed = buf_view(&u->sealed);
    u->put.last = last;
    const struct store_work work = {
        .principal = u->principal,
        .cost = 16, /* pages */
        .run = run_put,
        .done = put_done,
        .arg = u,
    };
    TRY(store_submit(u->a->store, u->inbox, &work));
    u->busy = true;
    hearth_call_pause(u->call);
    return ERR_OK;
}

static enum hearth_code on_chunk(struct upload *u, ProtobufCBinaryData chunk)
{
    if (chunk.len > u->put.bytes_in_all - u->received)
        return front_fail(u->call, ERR(ATTACHMENT_STREAM));
    u->received += chunk.len;
    buf_append(&u->plain, chunk.data, chunk.len);
    struct err err = buf_check(&u->plain);
    /* a whole block stays, so that there is one for the end */
    if (err_is_ok(err) && u->plain.len > ATTACHMENT_BLOCK_BYTES)
        err = flush(u, false);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(u->call, err);
}

static enum hearth_code on_half_close(struct upload *u)
{
    if (u->received != u->put.bytes_in_all)
        return front_fail(u->call, ERR(ATTACHMENT_STREAM));
    struct err err = flush(u, true);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(u->call, err);
}

enum hearth_code attachment_upload(struct hearth_call *call, const Hearth__V1__UploadRequest *in,
                                   Hearth__V1__UploadResponse *out, void *self)
{
    struct upload *u = hearth_call_state(call);
    (void)out;
    if (in == NULL && u != NULL)
        return on_half_close(u);
    if (in != NULL && u == NULL && in->step_case == HEARTH__V1__UPLOAD_REQUEST__STEP_HEAD)
        return on_head(self, call, in->head->bytes_in_all);
    if (in != NULL && u != NULL && in->step_case == HEARTH__V1__UPLOAD_REQUEST__STEP_CHUNK)
        return on_chunk(u, in->chunk);
    return front_fail(call, ERR(ATTACHMENT_STREAM));
}
