/* TASK_FILE_GET: a blob is fetched and decrypted into a file beside the one that is wanted, which
 * takes its name when all of it is there and is what the sender described. What was fetched before
 * a restart stays: whole pieces, from the part's length.
 *
 *     body    struct { opaque suffix[8]; opaque path<V>; FileKeys keys; }
 */
#include "client/core/file_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/core/content.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "hearth/v1/attachment_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct body {
    char path[FILE_PATH_BYTES], part[FILE_PATH_BYTES];
    struct file_keys keys; /* views */
};

static struct err body_read(struct bytes in, struct body *body)
{
    struct wire_reader r = wire_reader_of(in);
    struct bytes suffix = wire_read_fixed(&r, 8), path = wire_read_vector(&r);
    TRY(wire_reader_check(&r));
    if (path.len == 0 || path.len + FILE_PART_SUFFIX_BYTES >= sizeof body->path)
        return ERR(STORE_CORRUPT);
    memcpy(body->path, path.data, path.len);
    body->path[path.len] = 0;
    memcpy(body->part, body->path, path.len);
    char *at = body->part + path.len;
    *at++ = '.';
    for (size_t i = 0; i < suffix.len; i++)
        at += snprintf(at, 3, "%02x", suffix.data[i]);
    memcpy(at, ".part", sizeof ".part");
    return file_keys_read(bytes_of(r.at, wire_reader_left(&r)), &body->keys);
}

/* ---- the verb */

static struct err make_body(struct core *c, const char *path, struct bytes keys, struct buf *body)
{
    uint8_t suffix[8];
    char whole[FILE_PATH_BYTES];
    struct file_keys read;
    TRY(file_keys_read(keys, &read));
    if (file_blob_bytes(read.bytes) == 0)
        return ERR(CLIENT_FILE);
    TRY(domain_check(read.domain, true));
    TRY(file_path(path, whole));
    if (access(whole, F_OK) == 0)
        return ERR(CLIENT_FILE);
    TRY(rng_fill(c->rng, suffix, sizeof suffix));
    wire_write_fixed(body, bytes_of(suffix, sizeof suffix));
    wire_write_vector(body, bytes_str(whole));
    wire_write_fixed(body, keys);
    return buf_check(body);
}

struct err file_get_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                          uint64_t number, const char *path, uint64_t *ret_task)
{
    struct buf scratch = BUF_INIT, body = BUF_INIT;
    struct message_row row;
    struct err err = message_get(c, t, chat, number, &scratch, &row);
    if (err_is_ok(err) && (row.kind != HEARTH_MESSAGE_FILE || row.detail.len == 0))
        err = ERR(NOT_FOUND);
    if (err_is_ok(err))
        err = make_body(c, path, row.detail, &body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_FILE_GET, NULL, chat, buf_view(&body), ret_task);
    buf_clear(&scratch);
    buf_clear(&body);
    return err;
}

/* ---- the download */

struct download {
    struct core *core;
    uint64_t task;
    struct buf task_body;
    struct buf tokens; /* what it is paid with */
    struct body body;
    int fd;
    struct hearth_client_call *call;
    bool stopped;
    struct err err;
    uint64_t blob_bytes, index;
    struct hash hash;
    size_t have; /* bytes of the piece that is coming */
    uint8_t piece[FILE_PIECE_BYTES];
};

static void download_free(struct download *d)
{
    if (d->fd >= 0)
        close(d->fd);
    buf_clear(&d->task_body);
    buf_clear(&d->tokens);
    bytes_wipe(d, sizeof *d);
    free(d);
}

/* What of len bytes at `at` belongs to the file, not to the padding. */
static struct bytes within(const struct download *d, uint64_t at, size_t len)
{
    uint64_t left = at < d->body.keys.bytes ? d->body.keys.bytes - at : 0;
    return bytes_of(d->piece, left < len ? (size_t)left : len);
}

/* Pieces of an earlier life are hashed again; a last one that is not whole is cut off. */
static struct err take_up(struct download *d)
{
    struct stat st;
    if (fstat(d->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return ERR(CLIENT_FILE);
    uint64_t pieces = (uint64_t)st.st_size / FILE_PIECE_PLAIN_BYTES;
    if (pieces >= file_pieces(d->blob_bytes))
        pieces = 0; /* not ours, or one that was finished: again */
    if (ftruncate(d->fd, (off_t)(pieces * FILE_PIECE_PLAIN_BYTES)) != 0)
        return ERR(IO);
    for (; d->index < pieces; d->index++) {
        uint64_t at = d->index * FILE_PIECE_PLAIN_BYTES;
        if (pread(d->fd, d->piece, FILE_PIECE_PLAIN_BYTES, (off_t)at) != FILE_PIECE_PLAIN_BYTES)
            return ERR(IO);
        hash_update(&d->hash, within(d, at, FILE_PIECE_PLAIN_BYTES));
    }
    return ERR_OK;
}

static struct err piece_is_here(struct download *d)
{
    size_t bytes = file_piece_bytes(d->blob_bytes, d->index), len = bytes - AEAD_TAG_BYTES;
    uint64_t at = d->index * FILE_PIECE_PLAIN_BYTES;
    struct err err = file_piece_open(d->body.keys.key, d->blob_bytes, d->index,
                                     bytes_of(d->piece, bytes), d->piece);
    if (err.code == ERR_CRYPTO_TAG)
        return ERR(CLIENT_FILE_CHANGED);
    TRY(err);
    if (pwrite(d->fd, d->piece, len, (off_t)at) != (ssize_t)len)
        return ERR(IO);
    hash_update(&d->hash, within(d, at, len));
    d->index++;
    d->have = 0;
    uint64_t done = d->index * FILE_PIECE_BYTES;
    op_progress_of(d->core, d->task, done < d->blob_bytes ? done : d->blob_bytes, d->blob_bytes);
    return ERR_OK;
}

static struct err take(struct download *d, struct bytes chunk)
{
    while (chunk.len > 0) {
        size_t want = file_piece_bytes(d->blob_bytes, d->index);
        if (want == 0)
            return ERR(CLIENT_FILE_CHANGED); /* more than it says */
        size_t n = want - d->have < chunk.len ? want - d->have : chunk.len;
        memcpy(d->piece + d->have, chunk.data, n);
        d->have += n;
        chunk = bytes_of(chunk.data + n, chunk.len - n);
        if (d->have == want)
            TRY(piece_is_here(d));
    }
    return ERR_OK;
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct download *d = arg;
    const Hearth__V1__DownloadResponse *out = (const void *)item;
    if (d->stopped || !err_is_ok(d->err))
        return;
    d->err = take(d, bytes_of(out->chunk.data, out->chunk.len));
    if (!err_is_ok(d->err))
        hearth_client_call_cancel(call);
}

/* All of it is there: it gets its name, unless somebody took that meanwhile. */
static struct err finish(struct download *d)
{
    struct digest sha256;
    hash_final(&d->hash, &sha256);
    if (!bytes_equal(bytes_of(sha256.data, 32), bytes_of(d->body.keys.sha256, 32)))
        return ERR(CLIENT_FILE_CHANGED);
    if (ftruncate(d->fd, (off_t)d->body.keys.bytes) != 0 || fsync(d->fd) != 0)
        return ERR(IO);
    if (link(d->body.part, d->body.path) != 0)
        return errno == EEXIST ? ERR(CLIENT_FILE) : ERR(IO);
    unlink(d->body.part);
    return ERR_OK;
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct download *d = arg;
    struct core *c = d->core;
    uint64_t task = d->task;
    const struct hearth_status none = {.code = HEARTH_UNAVAILABLE};
    (void)call;
    if (d->stopped) {
        download_free(d);
        return;
    }
    bool whole =
        err_is_ok(d->err) && status->code == HEARTH_OK && d->index == file_pieces(d->blob_bytes);
    if (whole)
        d->err = finish(d);
    struct err err = d->err;
    if (!err_is_ok(err) && !err_retry(err))
        unlink(d->body.part);
    download_free(d);
    if (whole && (err_is_ok(err) || !err_retry(err)))
        file_end(c, task, err, NULL);
    else
        file_end(c, task, err, status->code == HEARTH_OK ? &none : status);
}

static const struct hearth_stream_events events = {.on_message = on_message, .on_done = on_done};

static struct err download_open(struct download *d)
{
    Hearth__V1__DownloadRequest in = HEARTH__V1__DOWNLOAD_REQUEST__INIT;
    const struct file_keys *keys = &d->body.keys;
    char domain[DOMAIN_MAX_BYTES + 1] = "";
    TRY(body_read(buf_view(&d->task_body), &d->body));
    TRY(domain_check(keys->domain, true));
    memcpy(domain, keys->domain.data, keys->domain.len);
    const struct api_to to = {
        .domain = domain, .deadline_ms = 15 * 60 * 1000, .tokens = buf_view(&d->tokens)};
    d->blob_bytes = file_blob_bytes(keys->bytes);
    hash_init(&d->hash, &hash_sha256);
    d->fd = open(d->body.part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (d->fd < 0)
        return ERR(CLIENT_FILE);
    TRY(take_up(d));
    in.attachment_id = pb_of(bytes_of(keys->attachment_id, 16));
    in.capability = pb_of(bytes_of(keys->capability, 32));
    in.offset = d->index * FILE_PIECE_BYTES;
    TRY(api_open(d->core->api, &to, api_endpoint("Attachment", "Download"), &events, d, &d->call));
    (void)hearth_client_call_write(d->call, &in.base);
    hearth_client_call_half_close(d->call);
    return ERR_OK;
}

static void stream(struct core *c, struct task *task, void **ret_handle)
{
    const struct hearth_status none = {.code = HEARTH_UNAVAILABLE};
    uint64_t number = task->number;
    struct download *d = calloc(1, sizeof *d);
    struct err err = ERR(NO_MEMORY);
    if (d != NULL) {
        d->core = c;
        d->task = number;
        d->fd = -1;
        buf_append_bytes(&d->task_body, buf_view(&task->body));
        buf_append_bytes(&d->tokens, buf_view(&task->payment.tokens));
        err = buf_check(&d->task_body);
        if (err_is_ok(err))
            err = buf_check(&d->tokens);
        if (err_is_ok(err))
            err = download_open(d);
        if (err_is_ok(err)) {
            *ret_handle = d;
            return;
        }
        download_free(d);
    }
    file_end(c, number, err, &none);
}

static void stream_stop(struct core *c, void *handle)
{
    struct download *d = handle;
    (void)c;
    d->stopped = true;
    hearth_client_call_cancel(d->call);
}

/* ---- the task */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    (void)c, (void)t;
    *ret_next = TASK_NEXT_STREAM;
    TRY(body_read(buf_view(&task->body), &body));
    return task_call_stream(call, body.keys.domain, "Attachment", "Download");
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)t;
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_DONE;
    return file_verdict_of(answer);
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    (void)c, (void)t, (void)error;
    struct body *body = malloc(sizeof *body);
    if (body != NULL && err_is_ok(body_read(buf_view(&task->body), body)))
        unlink(body->part);
    free(body);
    return ERR_OK;
}

const struct task_steps task_steps_FILE_GET = {
    .prepare = prepare,
    .settle = settle,
    .stream = stream,
    .stream_stop = stream_stop,
    .failed = failed,
};
