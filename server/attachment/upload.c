/* Upload: head, bytes, half-close. The head's idempotency id says which blob this is. Where that is
 * whole already this is a repeat, whose answer was lost: its bytes are compared, by a hash under
 * the blob's key, and answered as the first time. Else a block goes to the store as soon as more
 * than one is there, and the sender waits for its commit; the last one goes at the end, together
 * with the mark that the blob is whole. So a small blob is one transaction, and no part of one that
 * was cut short shows.
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
    struct hash seen; /* all bytes so far */
    bool repeats;
    struct buf plain;    /* not sealed yet: two blocks at most */
    struct buf sealed;   /* of the job that is under way */
    struct rows_put put; /* likewise */
    bool busy;           /* a job is under way */
    bool stored;         /* there are rows */
    bool whole;          /* and they are all there */
    bool answered;
    struct charge charge; /* paid with the first block */
};

static void upload_free(struct upload *u)
{
    struct attachment *a = u->a;
    unsigned bin = u->bin;
    buf_clear(&u->plain);
    buf_clear(&u->sealed);
    charge_clear(&u->charge);
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

static struct err upload_new(struct attachment *a, struct hearth_call *call,
                             const Hearth__V1__UploadHead *head, struct upload **ret_upload)
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
    struct err err = attachment_begin(a, &a->uploads, LIMIT_UPLOADS, call, &u->bin);
    if (!err_is_ok(err)) {
        free(u);
        return err;
    }
    hash_init(&u->seen, &hash_sha256);
    attachment_draw(a, head->idempotency->id.data, u->id, u->download, u->remove);
    attachment_block_key(a, u->id, u->download, u->key);
    u->put = (struct rows_put){.first = true, .bytes_in_all = head->bytes_in_all};
    u->put.today = attachment_today(a);
    u->put.expires_day = u->put.today + (uint32_t)limit_value(limits, LIMIT_ATTACHMENT_DAYS);
    u->put.room = a->control ? INT64_MAX : limit_value(limits, LIMIT_ATTACHMENTS_BYTES) * MIB;
    attachment_row_id(a, u->id, u->put.id);
    charge_begin(a->env->front, call, PASS_ATTACHMENT, &u->charge);
    charge_by_size(&u->charge, call, head->bytes_in_all,
                   bytes_of(head->tokens.data, head->tokens.len));
    attachment_hash(ATTACHMENT_DOWNLOAD, u->id, u->download, u->put.download);
    attachment_hash(ATTACHMENT_DELETE, u->id, u->remove, u->put.remove);
    *ret_upload = u;
    return ERR_OK;
}

/* ---- is it a repeat? */

static struct err run_look(struct store_txn *txn, void *arg)
{
    struct upload *u = arg;
    struct rows_blob blob;
    const struct purse purse = attachment_purse(u->a);
    struct err err = rows_find(txn, u->put.id, &blob);
    if (err.code == ERR_NOT_FOUND)
        return charge_check(txn, &purse, &u->charge);
    TRY(err);
    if (blob.state == ROWS_OPEN || blob.expires_day < u->put.today)
        return charge_check(txn, &purse, &u->charge); /* that of the first block sees to the rest */
    if (blob.state == ROWS_DELETED)
        return ERR(NOT_FOUND);
    if (blob.bytes != u->put.bytes_in_all)
        return ERR(ONCE_OTHER_BODY);
    u->repeats = true;
    u->put.expires_day = blob.expires_day;
    memcpy(u->put.content, blob.content, sizeof u->put.content);
    return ERR_OK;
}

static void look_done(void *arg, struct err result)
{
    struct upload *u = arg;
    if (u->call != NULL && !err_is_ok(result))
        charge_fail(u->call, &u->charge, result);
    u->busy = false;
    if (u->call == NULL)
        upload_end(u);
    else if (err_is_ok(result))
        hearth_call_resume(u->call); /* last: the next message may come from in there */
}

static struct err look(struct upload *u)
{
    const struct store_work work = {
        .principal = u->principal,
        .cost = 1,
        .run = run_look,
        .done = look_done,
        .arg = u,
    };
    TRY(store_read(u->a->store, u->inbox, &work));
    u->busy = true;
    hearth_call_pause(u->call);
    return ERR_OK;
}

static enum hearth_code on_head(struct attachment *a, struct hearth_call *call,
                                const Hearth__V1__UploadHead *head)
{
    struct upload *u;
    const uint64_t bytes = head->bytes_in_all;
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
    struct err err = upload_new(a, call, head, &u);
    if (!err_is_ok(err))
        return front_fail(call, err);
    hearth_call_set_state(call, u, release);
    err = look(u);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(call, err);
}

/* ---- going on */

static struct err run_put(struct store_txn *txn, void *arg)
{
    struct upload *u = arg;
    const struct purse purse = attachment_purse(u->a);
    if (u->put.first)
        TRY(charge_take(txn, &purse, &u->charge));
    return rows_put(txn, &u->put);
}

/* Views into u. */
static void fill(struct upload *u, Hearth__V1__UploadResponse *out)
{
    out->attachment_id = (ProtobufCBinaryData){sizeof u->id, u->id};
    out->download_capability = (ProtobufCBinaryData){sizeof u->download, u->download};
    out->delete_capability = (ProtobufCBinaryData){sizeof u->remove, u->remove};
    out->expires_day = u->put.expires_day;
}

static void answer(struct upload *u)
{
    Hearth__V1__UploadResponse out;
    hearth__v1__upload_response__init(&out);
    fill(u, &out);
    u->answered = true;
    hearth_attachment_upload_reply(u->call, &out);
}

static void put_done(void *arg, struct err result)
{
    struct upload *u = arg;
    if (err_is_ok(result) && u->put.replaced) {
        u->put.replaced = false;
        if (!u->a->closed)
            attachment_sweep(u->a);
    }
    if (err_is_ok(result)) {
        u->stored = true;
        u->whole = u->put.last;
        u->put.first = false;
        u->put.place++;
    }
    buf_reset_unwiped(&u->sealed);
    /* busy until nothing here can end the call any more */
    if (u->call != NULL && !err_is_ok(result))
        charge_fail(u->call, &u->charge, result);
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
    hash_update(&u->seen, bytes_of(chunk.data, chunk.len));
    if (u->repeats)
        return HEARTH_LATER;
    buf_append(&u->plain, chunk.data, chunk.len);
    struct err err = buf_check(&u->plain);
    /* a whole block stays, so that there is one for the end */
    if (err_is_ok(err) && u->plain.len > ATTACHMENT_BLOCK_BYTES)
        err = flush(u, false);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(u->call, err);
}

/* Under the blob's key, so that what lies in the database tells nothing of the contents. */
static void content_of(struct upload *u, uint8_t ret_content[ROWS_HASH_BYTES])
{
    struct digest seen, content;
    hash_final(&u->seen, &seen);
    hmac_once(&hash_sha256, bytes_of(u->key, sizeof u->key),
              BYTES_LIST(bytes_str("Hearth 1 attachment content"), digest_view(&seen)), &content);
    memcpy(ret_content, content.data, ROWS_HASH_BYTES);
}

static enum hearth_code on_half_close(struct upload *u, Hearth__V1__UploadResponse *out)
{
    uint8_t content[ROWS_HASH_BYTES];
    if (u->received != u->put.bytes_in_all)
        return front_fail(u->call, ERR(ATTACHMENT_STREAM));
    content_of(u, content);
    if (u->repeats && !bytes_equal_ct(bytes_of(content, sizeof content),
                                      bytes_of(u->put.content, sizeof u->put.content)))
        return front_fail(u->call, ERR(ONCE_OTHER_BODY));
    if (u->repeats) {
        fill(u, out); /* u lives as long as its call */
        return HEARTH_OK;
    }
    memcpy(u->put.content, content, sizeof content);
    struct err err = flush(u, true);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(u->call, err);
}

enum hearth_code attachment_upload(struct hearth_call *call, const Hearth__V1__UploadRequest *in,
                                   Hearth__V1__UploadResponse *out, void *self)
{
    struct upload *u = hearth_call_state(call);
    if (in == NULL && u != NULL)
        return on_half_close(u, out);
    if (in != NULL && u == NULL && in->step_case == HEARTH__V1__UPLOAD_REQUEST__STEP_HEAD)
        return on_head(self, call, in->head);
    if (in != NULL && u != NULL && in->step_case == HEARTH__V1__UPLOAD_REQUEST__STEP_CHUNK)
        return on_chunk(u, in->chunk);
    return front_fail(call, ERR(ATTACHMENT_STREAM));
}
