/* Download: one block at a time, read and opened on a reader's thread, written to the stream when
 * the reader of that has room. A struct download belongs to the call until that ends, and beyond to
 * the job that is under way. */
#include <stdlib.h>

#include "server/attachment/inside.h"

struct download {
    struct attachment *a;
    struct hearth_call *call; /* NULL: it has ended */
    struct inbox *inbox;
    uint64_t principal;
    unsigned bin; /* of its source */
    uint8_t row_id[AT_REST_ID_BYTES];
    uint8_t hash[ROWS_HASH_BYTES];
    uint8_t key[AT_REST_KEY_BYTES];
    uint32_t today;
    uint64_t number, bytes;
    uint64_t at;      /* of the next byte to be sent */
    struct buf block; /* opened */
    bool found;       /* and allowed: number and bytes are known */
    bool busy;        /* a job is under way, or its end */
};

static void download_free(struct download *d)
{
    struct attachment *a = d->a;
    unsigned bin = d->bin;
    buf_clear(&d->block);
    bytes_wipe(d, sizeof *d);
    free(d);
    attachment_end(a, &a->downloads, bin);
}

static void release(void *state)
{
    struct download *d = state;
    d->call = NULL;
    if (!d->busy)
        download_free(d);
}

static struct err open_block(void *arg, struct bytes sealed)
{
    struct download *d = arg;
    uint8_t room[BLOCK_AAD_BYTES];
    struct bytes aad =
        attachment_block_aad(d->row_id, d->bytes, d->at / ATTACHMENT_BLOCK_BYTES, room);
    struct err err = at_rest_open(&d->block, d->key, aad, sealed);
    return err.code == ERR_CRYPTO_TAG ? ERR(ATTACHMENT_DAMAGED) : err;
}

/* Unknown and not allowed are one answer, and as much work. */
static struct err look_up(struct store_txn *txn, struct download *d)
{
    struct rows_blob blob = {0};
    struct err err = rows_find(txn, d->row_id, &blob);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    bool same = bytes_equal_ct(bytes_of(d->hash, sizeof d->hash),
                               bytes_of(blob.download, sizeof blob.download));
    if (!err_is_ok(err) || !same || blob.state != ROWS_WHOLE || blob.expires_day < d->today)
        return ERR(NOT_FOUND);
    if (d->at > blob.bytes)
        return ERR(ARGUMENT);
    d->number = blob.number;
    d->bytes = blob.bytes;
    d->found = true;
    return ERR_OK;
}

static struct err run_read(struct store_txn *txn, void *arg)
{
    struct download *d = arg;
    if (!d->found)
        TRY(look_up(txn, d));
    if (d->at == d->bytes)
        return ERR_OK;
    return rows_block(txn, d->number, d->at / ATTACHMENT_BLOCK_BYTES, open_block, d);
}

/* A block is paid for by its source before it is read, found or not. Where nothing is left the call
 * ends with RetryAfter, and the rest can be had from its offset. */
static enum hearth_code pay(struct download *d)
{
    return d->a->control ? HEARTH_OK
                         : front_limit(d->call, LIMIT_DOWNLOAD_PREFIX_BLOCKS,
                                       front_caller(d->call)->source, 1);
}

/* Out of what all may have only as it is sent, and only where it is a whole block: else a few
 * sources that ask for what is not there, or for next to nothing, could use up everybody's. */
static enum hearth_code pay_for_all(struct download *d)
{
    bool whole = d->block.len == ATTACHMENT_BLOCK_BYTES && d->at % ATTACHMENT_BLOCK_BYTES == 0;
    return d->a->control || !whole
               ? HEARTH_OK
               : front_limit(d->call, LIMIT_DOWNLOAD_ALL_BLOCKS, bytes_str("all"), 1);
}

static struct err submit(struct download *d);

/* Sends what was read; true: more can be sent now. */
static bool send_block(struct download *d)
{
    size_t from = (size_t)(d->at % ATTACHMENT_BLOCK_BYTES);
    Hearth__V1__DownloadResponse item;
    hearth__v1__download_response__init(&item);
    item.chunk = (ProtobufCBinaryData){d->block.len - from, d->block.data + from};
    d->at += d->block.len - from;
    buf_reset_unwiped(&d->block);
    return hearth_attachment_download_write(d->call, &item) > 0;
}

static void go_on(struct download *d)
{
    if (d->at == d->bytes) {
        hearth_call_finish(d->call, HEARTH_OK);
        return;
    }
    if (pay(d) != HEARTH_OK)
        return;
    struct err err = submit(d);
    if (!err_is_ok(err))
        front_fail(d->call, err);
}

static void read_done(void *arg, struct err result)
{
    struct download *d = arg;
    if (d->call != NULL && err_is_ok(result) && d->block.len <= d->at % ATTACHMENT_BLOCK_BYTES &&
        d->at < d->bytes)
        result = ERR(ATTACHMENT_DAMAGED);
    /* busy until nothing here can end the call any more */
    bool more = false;
    if (d->call != NULL && !err_is_ok(result))
        front_fail(d->call, result);
    else if (d->call != NULL && pay_for_all(d) == HEARTH_OK)
        more = d->at == d->bytes || send_block(d) || d->at == d->bytes;
    d->busy = false;
    if (d->call == NULL)
        download_free(d);
    else if (more)
        go_on(d);
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct download *d = arg;
    (void)call;
    if (!d->busy)
        go_on(d);
}

static struct err submit(struct download *d)
{
    const struct store_work work = {
        .principal = d->principal,
        .cost = 16, /* pages */
        .run = run_read,
        .done = read_done,
        .arg = d,
    };
    TRY(store_read(d->a->store, d->inbox, &work));
    d->busy = true;
    return ERR_OK;
}

static enum hearth_code begin(struct download *d)
{
    struct hearth_call *call = d->call;
    hearth_call_on_writable(call, on_writable, d);
    enum hearth_code code = pay(d);
    if (code != HEARTH_OK)
        return code;
    struct err err = submit(d);
    return err_is_ok(err) ? HEARTH_LATER : front_fail(call, err);
}

/* With tokens; blocks are paid for apart, for they are bandwidth. */
static void paid(struct hearth_call *call, void *arg)
{
    if (call != NULL) /* else release() has seen to it */
        (void)begin(arg);
}

enum hearth_code attachment_download(struct hearth_call *call,
                                     const Hearth__V1__DownloadRequest *in, void *self)
{
    struct attachment *a = self;
    struct inbox *inbox;
    struct err err = front_inbox(a->env->front, hearth_call_loop(call), &inbox);
    if (!err_is_ok(err))
        return front_fail(call, err);
    struct download *d = calloc(1, sizeof *d);
    if (d == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    err = attachment_begin(a, &a->downloads, LIMIT_DOWNLOADS, call, &d->bin);
    if (!err_is_ok(err)) {
        free(d);
        return front_fail(call, err);
    }
    d->a = a;
    d->call = call;
    d->inbox = inbox;
    d->principal = front_caller(call)->principal;
    d->today = attachment_today(a);
    d->at = in->offset;
    d->block.limit = ATTACHMENT_BLOCK_BYTES + AT_REST_OVERHEAD_BYTES;
    attachment_row_id(a, in->attachment_id.data, d->row_id);
    attachment_hash(ATTACHMENT_DOWNLOAD, in->attachment_id.data, in->capability.data, d->hash);
    attachment_block_key(a, in->attachment_id.data, in->capability.data, d->key);
    hearth_call_set_state(call, d, release);
    struct charge charge;
    attachment_charge(a, call, d->row_id, &charge);
    const struct charge_till till = attachment_till(a);
    return charge_owes(&charge) ? charge_call(call, &till, &charge, paid, d) : begin(d);
}
