/* TASK_FILE_SEND: a file is encrypted while it is uploaded, then described to the chat.
 *
 * What the server answered is kept in DB_FILE (id task: struct file_keys) by the stream, so that a
 * crash between upload and message does not upload twice. An upload that broke off begins anew,
 * under a new key.
 *
 *     body    struct { opaque chat[16]; uint64 message; opaque path<V>; }
 */
#include "client/core/file_inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/core/content.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "hearth/v1/attachment_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { NAME_MAX_BYTES_OF_FILE = 255 };

struct body {
    struct hearth_id chat;
    uint64_t message;
    char path[FILE_PATH_BYTES];
};

static void body_write(struct buf *b, const struct body *body)
{
    wire_write_fixed(b, bytes_of(body->chat.bytes, sizeof body->chat.bytes));
    wire_write_u64(b, body->message);
    wire_write_vector(b, bytes_str(body->path));
}

static struct err body_read(struct bytes in, struct body *body)
{
    struct wire_reader r = wire_reader_of(in);
    struct bytes chat = wire_read_fixed(&r, sizeof body->chat.bytes);
    body->message = wire_read_u64(&r);
    struct bytes path = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (path.len == 0 || path.len >= sizeof body->path)
        return ERR(STORE_CORRUPT);
    memcpy(body->chat.bytes, chat.data, sizeof body->chat.bytes);
    memcpy(body->path, path.data, path.len);
    body->path[path.len] = 0;
    return ERR_OK;
}

/* ---- the verb */

/* A FIFO would block, and a device has no size. */
static struct err open_file(const char *path, int *ret_fd, uint64_t *ret_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return ERR(CLIENT_FILE);
    bool fits = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
                file_blob_bytes((uint64_t)st.st_size) != 0;
    if (!fits) {
        close(fd);
        return ERR(CLIENT_FILE);
    }
    *ret_fd = fd;
    *ret_bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

static struct bytes name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct bytes name = bytes_str(slash != NULL ? slash + 1 : path);
    name.len = name.len < NAME_MAX_BYTES_OF_FILE ? name.len : NAME_MAX_BYTES_OF_FILE;
    return name;
}

struct err file_send_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                           const char *path, uint64_t *ret_message, uint64_t *ret_task)
{
    struct open_chat *open;
    struct body *body;
    struct buf packed = BUF_INIT;
    int fd;
    uint64_t bytes;
    struct message_row row = {.kind = HEARTH_MESSAGE_FILE,
                              .state = HEARTH_MESSAGE_WAITING,
                              .own = true,
                              .sender_verified = true,
                              .sent_ms = core_now_ms(c)};
    TRY(chat_open(c, t, chat, &open));
    if (open->chat.state == HEARTH_CHAT_OVER)
        return ERR(CLIENT_CHAT_STATE);
    body = calloc(1, sizeof *body);
    if (body == NULL)
        return ERR(NO_MEMORY);
    body->chat = *chat;
    struct err err = file_path(path, body->path);
    if (err_is_ok(err))
        err = open_file(body->path, &fd, &bytes);
    if (err_is_ok(err)) {
        close(fd);
        row.text = name_of(body->path);
        row.file_bytes = bytes;
        memcpy(row.sender, open->chat.user_pseudonym, sizeof row.sender);
        err = core_random_id(c, &row.id);
    }
    if (err_is_ok(err))
        err = message_add(c, t, chat, &row, &body->message);
    if (err_is_ok(err)) {
        body_write(&packed, body);
        err = buf_check(&packed);
    }
    if (err_is_ok(err))
        err = task_add(c, t, TASK_FILE_SEND, NULL, chat, buf_view(&packed), ret_task);
    if (err_is_ok(err))
        *ret_message = body->message;
    buf_clear(&packed);
    free(body);
    return err;
}

/* ---- the upload */

struct upload {
    struct core *core;
    uint64_t task;
    struct body body;
    int fd;
    struct hearth_client_call *call;
    bool stopped, answered;
    struct err err;
    uint64_t file_bytes, blob_bytes, index;
    uint8_t key[FILE_KEY_BYTES];
    struct hash hash;
    uint8_t id[16], capability[32];
    uint8_t piece[FILE_PIECE_BYTES];
};

static void upload_free(struct upload *u)
{
    if (u->fd >= 0)
        close(u->fd);
    bytes_wipe(u, sizeof *u);
    free(u);
}

/* len bytes of the file from `at` on, zeros behind its end. */
static struct err read_plain(struct upload *u, uint64_t at, size_t len)
{
    uint64_t left = at < u->file_bytes ? u->file_bytes - at : 0;
    size_t want = left < len ? (size_t)left : len, got = 0;
    while (got < want) {
        ssize_t n = pread(u->fd, u->piece + got, want - got, (off_t)(at + got));
        if (n <= 0)
            return ERR(CLIENT_FILE); /* shorter than it was */
        got += (size_t)n;
    }
    hash_update(&u->hash, bytes_of(u->piece, want));
    memset(u->piece + want, 0, len - want);
    return ERR_OK;
}

static struct err next_piece(struct upload *u, bool *ret_go_on)
{
    Hearth__V1__UploadRequest in = HEARTH__V1__UPLOAD_REQUEST__INIT;
    size_t bytes = file_piece_bytes(u->blob_bytes, u->index);
    struct bytes plain = bytes_of(u->piece, bytes - AEAD_TAG_BYTES);
    TRY(read_plain(u, u->index * FILE_PIECE_PLAIN_BYTES, plain.len));
    TRY(file_piece_seal(u->key, u->blob_bytes, u->index, plain, u->piece));
    in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_CHUNK;
    in.chunk = pb_of(bytes_of(u->piece, bytes));
    u->index++;
    *ret_go_on = hearth_client_call_write(u->call, &in.base) > 0;
    op_progress_of(u->core, u->task,
                   u->index * FILE_PIECE_BYTES < u->blob_bytes ? u->index * FILE_PIECE_BYTES
                                                               : u->blob_bytes,
                   u->blob_bytes);
    return ERR_OK;
}

static void go_on(struct upload *u)
{
    bool more = true;
    while (more && u->index < file_pieces(u->blob_bytes)) {
        u->err = next_piece(u, &more);
        if (!err_is_ok(u->err)) {
            hearth_client_call_cancel(u->call);
            return;
        }
        if (u->index == file_pieces(u->blob_bytes))
            hearth_client_call_half_close(u->call);
    }
}

static void on_writable(struct hearth_client_call *call, void *arg)
{
    struct upload *u = arg;
    (void)call;
    if (!u->stopped && err_is_ok(u->err))
        go_on(u);
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct upload *u = arg;
    const Hearth__V1__UploadResponse *out = (const void *)item;
    (void)call;
    bool fits = out->attachment_id.len == sizeof u->id &&
                out->download_capability.len == sizeof u->capability;
    if (!fits)
        return;
    memcpy(u->id, out->attachment_id.data, sizeof u->id);
    memcpy(u->capability, out->download_capability.data, sizeof u->capability);
    u->answered = true;
}

static struct err keep(struct core *c, struct db_txn *t, void *arg)
{
    struct upload *u = arg;
    struct digest sha256;
    struct buf value = BUF_INIT;
    uint8_t id[8];
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(u->task >> (56 - 8 * i));
    hash_final(&u->hash, &sha256);
    const struct file_keys keys = {.domain = bytes_str(c->account.domain),
                                   .attachment_id = u->id,
                                   .capability = u->capability,
                                   .key = u->key,
                                   .sha256 = sha256.data,
                                   .bytes = u->file_bytes,
                                   .name = name_of(u->body.path)};
    file_keys_write(&value, &keys);
    struct err err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_FILE, bytes_of(id, sizeof id), buf_view(&value));
    buf_clear(&value);
    return err;
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct upload *u = arg;
    struct core *c = u->core;
    uint64_t task = u->task;
    const struct hearth_status none = {.code = HEARTH_UNAVAILABLE};
    (void)call;
    if (u->stopped) {
        upload_free(u);
        return;
    }
    bool whole = status->code == HEARTH_OK && u->answered && u->index == file_pieces(u->blob_bytes);
    if (whole)
        u->err = core_step(c, keep, u);
    struct err err = u->err;
    upload_free(u);
    if (whole && err_is_ok(err))
        file_end(c, task, ERR_OK, NULL);
    else
        file_end(c, task, err, status->code == HEARTH_OK ? &none : status);
}

static const struct hearth_stream_events events = {
    .on_message = on_message, .on_writable = on_writable, .on_done = on_done};

static struct err upload_open(struct upload *u, const struct task *task)
{
    Hearth__V1__UploadRequest in = HEARTH__V1__UPLOAD_REQUEST__INIT;
    Hearth__V1__UploadHead head = HEARTH__V1__UPLOAD_HEAD__INIT;
    Hearth__V1__Idempotency idempotency = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t id[16];
    const struct api_to to = {.domain = u->core->account.domain, .deadline_ms = 15 * 60 * 1000};
    TRY(body_read(buf_view(&task->body), &u->body));
    TRY(open_file(u->body.path, &u->fd, &u->file_bytes));
    TRY(rng_fill(u->core->rng, u->key, sizeof u->key));
    TRY(rng_fill(u->core->rng, id, sizeof id));
    u->blob_bytes = file_blob_bytes(u->file_bytes);
    hash_init(&u->hash, &hash_sha256);
    TRY(api_open(u->core->api, &to, api_endpoint("Attachment", "Upload"), &events, u, &u->call));
    /* Another key, another upload: a repeat under one id could bring the capabilities of a blob
     * that the new key does not open. */
    idempotency.id = (ProtobufCBinaryData){sizeof id, id};
    head.idempotency = &idempotency;
    head.bytes_in_all = u->blob_bytes;
    head.tokens = core_out(buf_view(&task->payment.tokens)); /* more than headers could hold */
    in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_HEAD;
    in.head = &head;
    if (hearth_client_call_write(u->call, &in.base) > 0)
        go_on(u);
    return ERR_OK;
}

static void stream(struct core *c, struct task *task, void **ret_handle)
{
    const struct hearth_status none = {.code = HEARTH_UNAVAILABLE};
    uint64_t number = task->number;
    struct upload *u = calloc(1, sizeof *u);
    struct err err = ERR(NO_MEMORY);
    if (u != NULL) {
        u->core = c;
        u->task = number;
        u->fd = -1;
        err = upload_open(u, task);
        if (err_is_ok(err)) {
            *ret_handle = u;
            return;
        }
        upload_free(u);
    }
    file_end(c, number, err, &none);
}

static void stream_stop(struct core *c, void *handle)
{
    struct upload *u = handle;
    (void)c;
    u->stopped = true;
    hearth_client_call_cancel(u->call);
}

/* ---- the task */

static struct err row_of(struct db_txn *t, uint64_t task, struct buf *value)
{
    uint8_t id[8];
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(task >> (56 - 8 * i));
    return db_get(t, DB_FILE, bytes_of(id, sizeof id), value);
}

/* Our own message can be opened, too. */
static struct err keep_detail(struct core *c, struct db_txn *t, const struct body *body,
                              struct bytes keys, struct hearth_id *ret_id)
{
    struct buf scratch = BUF_INIT, value = BUF_INIT;
    struct message_row row;
    struct err err = message_get(c, t, &body->chat, body->message, &scratch, &row);
    if (err_is_ok(err)) {
        row.detail = keys;
        message_row_write(&value, &row);
        *ret_id = row.id;
        err = buf_check(&value);
    }
    if (err_is_ok(err))
        err = db_list_put(t, DB_MESSAGE, bytes_of(body->chat.bytes, sizeof body->chat.bytes),
                          body->message, buf_view(&value));
    buf_clear(&scratch);
    buf_clear(&value);
    return err;
}

static struct err tell(struct core *c, struct db_txn *t, const struct task *task,
                       const struct body *body)
{
    struct buf keys = BUF_INIT;
    struct hearth_id id;
    uint64_t sending;
    TRY(row_of(t, task->number, &keys));
    struct err err = keep_detail(c, t, body, buf_view(&keys), &id);
    if (err_is_ok(err)) {
        const struct content content = {.kind = CONTENT_FILE,
                                        .id = id.bytes,
                                        .sent_ms = core_now_ms(c),
                                        .body = buf_view(&keys)};
        err = group_send(c, t, &body->chat, &content, body->message, &sending);
    }
    buf_clear(&keys);
    return err;
}

static struct err told(struct core *c, struct db_txn *t, const struct task *task)
{
    uint8_t id[8];
    struct body *body = malloc(sizeof *body);
    if (body == NULL)
        return ERR(NO_MEMORY);
    struct err err = body_read(buf_view(&task->body), body);
    if (err_is_ok(err))
        err = tell(c, t, task, body);
    free(body);
    TRY(err);
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(task->number >> (56 - 8 * i));
    return db_drop(t, DB_FILE, bytes_of(id, sizeof id));
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct buf keys = BUF_INIT;
    struct err err = row_of(t, task->number, &keys);
    buf_clear(&keys);
    if (err.code == ERR_NOT_FOUND) {
        *ret_next = TASK_NEXT_STREAM;
        return task_call_stream(call, bytes_str(c->account.domain), "Attachment", "Upload");
    }
    TRY(err);
    *ret_next = TASK_NEXT_DONE; /* uploaded in an earlier life */
    return told(c, t, task);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    TRY(file_verdict_of(answer));
    *ret_next = TASK_NEXT_DONE;
    return told(c, t, task);
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct body *body = malloc(sizeof *body);
    (void)error;
    if (body == NULL)
        return ERR(NO_MEMORY);
    struct err err = body_read(buf_view(&task->body), body);
    if (err_is_ok(err))
        err = message_set_state(c, t, &body->chat, body->message, HEARTH_MESSAGE_FAILED, 0);
    free(body);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

const struct task_steps task_steps_FILE_SEND = {
    .prepare = prepare,
    .settle = settle,
    .stream = stream,
    .stream_stop = stream_stop,
    .failed = failed,
};
