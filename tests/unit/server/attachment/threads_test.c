/* With threads: loops of their own for the connections, threads of the store's; many at once, and a
 * server that goes in the middle. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "hearth/v1/attachment_rpc.h"
#include "server/attachment/attachment.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { DEVICES = 6, ROUNDS = 6, BLOB_BYTES = 262144, CHUNK_BYTES = 65536 };

static struct {
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct attachment *attachment;
    struct hearth_server *server;
    struct store_dir dir;
    char target[32];
} w;

static void open_server(void)
{
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.front));
    struct limits *limits = front_limits(w.front);
    assert_ok(limits_set(limits, "ANONYMOUS_PREFIX", 100000));
    assert_ok(limits_set(limits, "UPLOAD_PREFIX_MIB", 100000));
    struct attachment_options options = {.store = {.path = w.dir.path}};
    assert_ok(attachment_open(&w.env, &options, &w.attachment));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    struct hearth_server_options server = {
        .threads = 2, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&server);
    assert_non_null(w.server);
    assert_ok(attachment_add(w.attachment, w.server));
    assert_true(hearth_server_listen(w.server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w.server));
    (void)snprintf(w.target, sizeof w.target, "127.0.0.1:%d", hearth_server_port(w.server, 0));
}

static void close_server(void)
{
    hearth_server_free(w.server);
    attachment_close(w.attachment);
    front_free(w.front);
}

static void begin(void)
{
    store_dir_make_fast(&w.dir);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &w.keeper));
    w.env = (struct front_env){.domain = "a.test",
                               .development = true,
                               .clock = &clock_system,
                               .rng = &rng_system,
                               .keeper = w.keeper};
}

static void finish(void)
{
    keeper_close(w.keeper);
    store_dir_remove(&w.dir);
}

struct device {
    pthread_t thread;
    int number;
    unsigned wrong, rounds;
    bool endless;
};

static void fill(uint8_t *chunk, int number, int round, int place)
{
    memset(chunk, number * 40 + round * 5 + place, CHUNK_BYTES);
}

static bool upload(const struct device *d, struct hearth_channel *channel, int round,
                   Hearth__V1__UploadResponse **ret_out)
{
    uint8_t chunk[CHUNK_BYTES];
    struct hearth_stream *s = hearth_attachment_upload_open(channel, NULL);
    Hearth__V1__UploadRequest in;
    Hearth__V1__UploadHead head;
    hearth__v1__upload_request__init(&in);
    hearth__v1__upload_head__init(&head);
    head.bytes_in_all = BLOB_BYTES;
    Hearth__V1__Idempotency once;
    uint8_t once_id[16] = {(uint8_t)d->number, (uint8_t)(d->number >> 8), (uint8_t)round,
                           (uint8_t)(round >> 8)};
    hearth__v1__idempotency__init(&once);
    once.id = (ProtobufCBinaryData){sizeof once_id, once_id};
    head.idempotency = &once;
    in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_HEAD;
    in.head = &head;
    bool going = hearth_attachment_upload_send(s, &in);
    for (int i = 0; i < BLOB_BYTES / CHUNK_BYTES && going; i++) {
        fill(chunk, d->number, round, i);
        in.step_case = HEARTH__V1__UPLOAD_REQUEST__STEP_CHUNK;
        in.chunk = (ProtobufCBinaryData){CHUNK_BYTES, chunk};
        going = hearth_attachment_upload_send(s, &in);
    }
    return hearth_attachment_upload_finish(s, ret_out, NULL) == HEARTH_OK;
}

static bool download(const struct device *d, struct hearth_channel *channel, int round,
                     const Hearth__V1__UploadResponse *blob)
{
    uint8_t want[CHUNK_BYTES];
    Hearth__V1__DownloadRequest in;
    hearth__v1__download_request__init(&in);
    in.attachment_id = blob->attachment_id;
    in.capability = blob->download_capability;
    struct hearth_stream *s = hearth_attachment_download_open(channel, NULL, &in);
    Hearth__V1__DownloadResponse *item;
    int place = 0;
    bool same = true;
    while ((item = hearth_attachment_download_read(s)) != NULL) {
        fill(want, d->number, round, place++);
        same = same && item->chunk.len == CHUNK_BYTES &&
               memcmp(item->chunk.data, want, CHUNK_BYTES) == 0;
        protobuf_c_message_free_unpacked(&item->base, NULL);
    }
    return hearth_stream_finish(s, NULL) == HEARTH_OK && same && place == BLOB_BYTES / CHUNK_BYTES;
}

static bool drop(struct hearth_channel *channel, const Hearth__V1__UploadResponse *blob)
{
    Hearth__V1__DeleteRequest in;
    Hearth__V1__DeleteResponse *out = NULL;
    hearth__v1__delete_request__init(&in);
    in.attachment_id = blob->attachment_id;
    in.capability = blob->delete_capability;
    struct hearth_call_options options = {.no_retry = true};
    bool done = hearth_attachment_delete(channel, &options, &in, &out, NULL) == HEARTH_OK;
    if (out != NULL)
        protobuf_c_message_free_unpacked(&out->base, NULL);
    return done;
}

static void *live(void *arg)
{
    struct device *d = arg;
    struct hearth_channel *channel = hearth_channel_new(w.target, NULL);
    for (int round = 0; round < ROUNDS || d->endless; round++) {
        Hearth__V1__UploadResponse *blob = NULL;
        bool good = upload(d, channel, round % ROUNDS, &blob);
        good = good && download(d, channel, round % ROUNDS, blob) && drop(channel, blob);
        if (blob != NULL)
            protobuf_c_message_free_unpacked(&blob->base, NULL);
        d->rounds++;
        d->wrong += !good;
        if (!good)
            break;
    }
    hearth_channel_free(channel);
    return NULL;
}

static void start(struct device devices[DEVICES], bool endless)
{
    for (int i = 0; i < DEVICES; i++) {
        devices[i] = (struct device){.number = i, .endless = endless};
        assert_int_equal(pthread_create(&devices[i].thread, NULL, live, &devices[i]), 0);
    }
}

static void test_many(void **state)
{
    (void)state;
    struct device devices[DEVICES];
    begin();
    open_server();
    start(devices, false);
    for (int i = 0; i < DEVICES; i++) {
        pthread_join(devices[i].thread, NULL);
        assert_int_equal(devices[i].wrong, 0);
        assert_int_equal(devices[i].rounds, ROUNDS);
    }
    close_server();
    finish();
}

static void test_end(void **state)
{
    (void)state;
    struct device devices[DEVICES];
    begin();
    for (int round = 0; round < 12; round++) {
        open_server();
        start(devices, true);
        struct timespec a_moment = {0, 20000000 + round * 3000000};
        nanosleep(&a_moment, NULL);
        close_server();
        for (int i = 0; i < DEVICES; i++)
            pthread_join(devices[i].thread, NULL);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
