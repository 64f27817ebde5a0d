/* The attachment service alone, over a pipe, on a fake clock. */
#ifndef TESTS_UNIT_SERVER_ATTACHMENT_BLOB_WORLD_H
#define TESTS_UNIT_SERVER_ATTACHMENT_BLOB_WORLD_H

#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/common.pb-c.h"
#include "net/loop.h"
#include "seal/at_rest.h"
#include "server/attachment/attachment.h"
#include "server/attachment/rows.h"
#include "support/test.h"
#include "support/tokens/tokens.h"

#define DAY_US (UINT64_C(24) * 3600 * 1000000)

struct blob_world {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct attachment_options options;
    struct attachment *attachment;
    struct hearth_server *server;
    struct hearth_channel *channel;
    uint64_t uploads; /* so many idempotency ids were given */
    /* tokens: in heads of uploads, and with other calls */
    struct bytes tokens;
    const struct hearth_metadata *metadata;
    size_t metadata_count;
};

/* Opens the service, as a start of the program would. */
static inline struct err world_open_blobs(struct blob_world *w)
{
    struct hearth_server_options options = {.no_health = true};
    w->env = (struct front_env){.domain = "a.test",
                                .development = true,
                                .clock = &w->clock,
                                .rng = &w->rng,
                                .keeper = w->keeper};
    TRY(front_new(&w->env, &(struct front_options){0}, &w->front));
    assert_ok(limits_set(front_limits(w->front), "ANONYMOUS_PREFIX", 100000));
    struct err err = attachment_open(&w->env, &w->options, &w->attachment);
    if (!err_is_ok(err)) {
        front_free(w->front);
        return err;
    }
    struct hearth_interceptor interceptor = front_interceptor(w->front);
    options.interceptors = &interceptor;
    options.interceptor_count = 1;
    w->server = hearth_server_new(&options);
    assert_non_null(w->server);
    assert_ok(attachment_add(w->attachment, w->server));
    assert_true(hearth_server_listen(w->server, "pipe:blobs", NULL));
    assert_true(hearth_server_start_on(w->server, w->loop));
    struct hearth_channel_options channel = {.loop = w->loop};
    w->channel = hearth_channel_new("pipe:blobs", &channel);
    assert_non_null(w->channel);
    return ERR_OK;
}

static inline void world_close_blobs(struct blob_world *w)
{
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    attachment_close(w->attachment);
    front_free(w->front);
}

/* files: an SQLite VFS, or NULL for a database that is gone when closed. */
static inline void world_make(struct blob_world *w, const char *files)
{
    *w = (struct blob_world){.fake = {.now_us = 1000000, .unix_base_ms = UINT64_C(1800000000000)}};
    w->clock = clock_of_fake(&w->fake);
    rng_seeded_init(&w->seeded, 1);
    w->rng = rng_of_seeded(&w->seeded);
    w->loop = loop_new_stepped(&w->fake, &w->rng);
    assert_non_null(w->loop);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &w->clock, &w->rng, &w->keeper));
    w->options.store = (struct store_options){.mode = STORE_INLINE,
                                              .clock = &w->clock,
                                              .files = files,
                                              .path = files != NULL ? "blobs.db" : NULL};
}

static inline void world_drop(struct blob_world *w)
{
    keeper_close(w->keeper);
    hearth_loop_free(w->loop);
}

static inline void world_begin(struct blob_world *w)
{
    world_make(w, NULL);
    assert_ok(world_open_blobs(w));
}

static inline void world_finish(struct blob_world *w)
{
    world_close_blobs(w);
    world_drop(w);
}

/* All that happens without time moving; store: and with the store at work. */
static inline void world_settle_with(struct blob_world *w, bool store)
{
    bool more = true;
    while (more) {
        more = loop_step(w->loop);
        if (store && store_turn(attachment_store(w->attachment)))
            more = true;
    }
}

static inline void world_settle_all(struct blob_world *w)
{
    world_settle_with(w, true);
}

static inline struct err read_total(struct store_txn *txn, void *arg)
{
    return rows_total(txn, arg);
}

static inline uint64_t world_total(struct blob_world *w)
{
    uint64_t bytes = UINT64_MAX;
    assert_ok(store_call_read(attachment_store(w->attachment), read_total, &bytes));
    return bytes;
}

/* A month later: everything has expired. */
static inline void world_forget_blobs(struct blob_world *w)
{
    w->fake.now_us += 31 * DAY_US;
    while (attachment_expire(w->attachment))
        ;
}

/* ---- an upload from outside */

struct sender {
    uint8_t once_id[16];
    struct hearth_client_call *call; /* NULL: over */
    bool done;
    enum hearth_code code;
    char message[120];
    uint32_t retry_after_s;
    uint32_t wanted; /* tokens; 0: it does not say */
    struct bytes tokens;
    uint8_t id[ATTACHMENT_ID_BYTES];
    uint8_t download[ATTACHMENT_CAPABILITY_BYTES], remove[ATTACHMENT_CAPABILITY_BYTES];
    uint32_t expires_day;
    struct bytes left; /* to be pushed */
    size_t chunk;      /* so many bytes at a time */
    bool half_close;   /* after that */
};

static inline void sender_note(struct sender *s, const struct hearth_status *status)
{
    s->done = true;
    s->call = NULL;
    s->code = status->code;
    s->wanted = tokens_wanted(status);
    (void)snprintf(s->message, sizeof s->message, "%s",
                   status->message != NULL ? status->message : "");
    Hearth__V1__RetryAfter *retry =
        (Hearth__V1__RetryAfter *)hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    if (retry != NULL) {
        s->retry_after_s = retry->seconds;
        protobuf_c_message_free_unpacked(&retry->base, NULL);
    }
}

static inline void sender_go_on(struct sender *s)
{
    static uint8_t copy[65536];
    int result = 1;
    while (s->call != NULL && s->left.len > 0 && result > 0) {
        Hearth__V1__UploadRequest in;
        hearth__v1__upload_request__init(&in);
        size_t len = s->left.len < s->chunk ? s->left.len : s->chunk;
        in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_CHUNK;
        in.chunk.len = len;
        memcpy(copy, s->left.data, len);
        in.chunk.data = copy;
        result = hearth_attachment_upload_push(s->call, &in);
        if (result >= 0)
            s->left = bytes_of(s->left.data + len, s->left.len - len);
    }
    if (s->call != NULL && s->left.len == 0 && s->half_close) {
        s->half_close = false;
        hearth_client_call_half_close(s->call);
    }
}

static inline void sender_writable(struct hearth_client_call *call, void *arg)
{
    (void)call;
    sender_go_on(arg);
}

static inline void sender_message(struct hearth_client_call *call,
                                  const Hearth__V1__UploadResponse *item, void *arg)
{
    struct sender *s = arg;
    (void)call;
    assert_int_equal(item->attachment_id.len, sizeof s->id);
    assert_int_equal(item->download_capability.len, sizeof s->download);
    assert_int_equal(item->delete_capability.len, sizeof s->remove);
    memcpy(s->id, item->attachment_id.data, sizeof s->id);
    memcpy(s->download, item->download_capability.data, sizeof s->download);
    memcpy(s->remove, item->delete_capability.data, sizeof s->remove);
    s->expires_day = item->expires_day;
}

static inline void sender_done(struct hearth_client_call *call, const struct hearth_status *status,
                               void *arg)
{
    (void)call;
    sender_note(arg, status);
}

static inline void sender_head(struct sender *s, uint64_t bytes)
{
    Hearth__V1__UploadRequest in;
    Hearth__V1__UploadHead head;
    hearth__v1__upload_request__init(&in);
    Hearth__V1__Idempotency once;
    hearth__v1__upload_head__init(&head);
    hearth__v1__idempotency__init(&once);
    once.id = (ProtobufCBinaryData){sizeof s->once_id, s->once_id};
    head.idempotency = &once;
    head.bytes_in_all = bytes;
    head.tokens = (ProtobufCBinaryData){s->tokens.len, (uint8_t *)(uintptr_t)s->tokens.data};
    in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_HEAD;
    in.head = &head;
    if (s->call != NULL)
        (void)hearth_attachment_upload_push(s->call, &in);
}

/* Begins; what is to be sent is sent as the world settles. NULL head: none. repeats: under the id
 * of this one, or NULL. */
static inline void sender_start_again(struct blob_world *w, struct sender *s, const uint64_t *head,
                                      struct bytes data, size_t chunk, const struct sender *repeats)
{
    uint8_t once_id[16] = {0xad};
    w->uploads++;
    memcpy(once_id + 8, &w->uploads, sizeof w->uploads);
    if (repeats != NULL)
        memcpy(once_id, repeats->once_id, sizeof once_id);
    static const struct hearth_attachment_upload_events events = {
        .on_message = sender_message, .on_writable = sender_writable, .on_done = sender_done};
    *s = (struct sender){.left = data, .chunk = chunk, .tokens = w->tokens};
    memcpy(s->once_id, once_id, sizeof once_id);
    s->call = hearth_attachment_upload_start(w->channel, NULL, &events, s); /* or NULL */
    if (head != NULL)
        sender_head(s, *head);
    sender_go_on(s);
}

static inline void sender_start(struct blob_world *w, struct sender *s, const uint64_t *head,
                                struct bytes data, size_t chunk)
{
    sender_start_again(w, s, head, data, chunk, NULL);
}

/* A whole upload. */
static inline enum hearth_code upload_again(struct blob_world *w, struct sender *s,
                                            struct bytes data, size_t chunk,
                                            const struct sender *repeats)
{
    uint64_t head = data.len;
    sender_start_again(w, s, &head, data, chunk, repeats);
    s->half_close = true;
    sender_go_on(s);
    world_settle_all(w);
    assert_true(s->done);
    return s->code;
}

static inline enum hearth_code upload_all(struct blob_world *w, struct sender *s, struct bytes data,
                                          size_t chunk)
{
    return upload_again(w, s, data, chunk, NULL);
}

/* ---- a download */

struct reader_end {
    struct hearth_client_call *call;
    struct buf got;
    unsigned items;
    bool done;
    enum hearth_code code;
    char message[120];
    uint32_t retry_after_s;
};

static inline void reader_message(struct hearth_client_call *call,
                                  const Hearth__V1__DownloadResponse *item, void *arg)
{
    struct reader_end *r = arg;
    (void)call;
    r->items++;
    buf_append(&r->got, item->chunk.data, item->chunk.len);
}

static inline void reader_done(struct hearth_client_call *call, const struct hearth_status *status,
                               void *arg)
{
    struct reader_end *r = arg;
    (void)call;
    r->call = NULL;
    r->done = true;
    r->code = status->code;
    (void)snprintf(r->message, sizeof r->message, "%s",
                   status->message != NULL ? status->message : "");
    Hearth__V1__RetryAfter *retry =
        (Hearth__V1__RetryAfter *)hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    if (retry != NULL) {
        r->retry_after_s = retry->seconds;
        protobuf_c_message_free_unpacked(&retry->base, NULL);
    }
}

static inline void reader_start(struct blob_world *w, struct reader_end *r, const uint8_t id[16],
                                const uint8_t capability[32], uint64_t offset)
{
    static const struct hearth_attachment_download_events events = {.on_message = reader_message,
                                                                    .on_done = reader_done};
    Hearth__V1__DownloadRequest in;
    uint8_t copies[48];
    memcpy(copies, id, 16);
    memcpy(copies + 16, capability, 32);
    hearth__v1__download_request__init(&in);
    in.attachment_id = (ProtobufCBinaryData){16, copies};
    in.capability = (ProtobufCBinaryData){32, copies + 16};
    in.offset = offset;
    *r = (struct reader_end){0};
    const struct hearth_call_options options = {.metadata = w->metadata,
                                                .metadata_count = w->metadata_count};
    r->call = hearth_attachment_download_start(w->channel, &options, &in, &events, r); /* or NULL */
}

/* What comes is in r->got, for the caller to clear. */
static inline enum hearth_code download_all(struct blob_world *w, struct reader_end *r,
                                            const uint8_t id[16], const uint8_t capability[32],
                                            uint64_t offset)
{
    reader_start(w, r, id, capability, offset);
    world_settle_all(w);
    assert_true(r->done);
    return r->code;
}

/* The same, for its answer only. */
static inline enum hearth_code download_code(struct blob_world *w, const uint8_t id[16],
                                             const uint8_t capability[32])
{
    struct reader_end r;
    enum hearth_code code = download_all(w, &r, id, capability, 0);
    buf_clear(&r.got);
    return code;
}

/* ---- a deletion */

static inline void delete_noted(const struct hearth_status *status,
                                const Hearth__V1__DeleteResponse *out, void *arg)
{
    (void)out;
    sender_note(arg, status);
}

static inline struct hearth_client_call *delete_start(struct blob_world *w, const uint8_t id[16],
                                                      const uint8_t capability[32],
                                                      struct sender *s)
{
    Hearth__V1__DeleteRequest in;
    struct hearth_call_options options = {
        .no_retry = true, .metadata = w->metadata, .metadata_count = w->metadata_count};
    uint8_t copies[48];
    memcpy(copies, id, 16);
    memcpy(copies + 16, capability, 32);
    hearth__v1__delete_request__init(&in);
    in.attachment_id = (ProtobufCBinaryData){16, copies};
    in.capability = (ProtobufCBinaryData){32, copies + 16};
    *s = (struct sender){0};
    return hearth_attachment_delete_start(w->channel, &options, &in, delete_noted, s);
}

static inline enum hearth_code delete_blob(struct blob_world *w, const uint8_t id[16],
                                           const uint8_t capability[32], struct sender *s)
{
    assert_non_null(delete_start(w, id, capability, s));
    world_settle_all(w);
    assert_true(s->done);
    return s->code;
}

/* Bytes that differ from block to block. */
static inline struct bytes blob_bytes(size_t len)
{
    static uint8_t data[4 << 20];
    assert_true(len <= sizeof data);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 7 + i / 251 + i / 65536 * 31);
    return bytes_of(data, len);
}

#endif
