/* Two loops, the store's threads and many clients: listeners are woken across loops, packages go to
 * one requester each, a newer listener on another loop fences the older. Meant for TSan. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "hearth/v1/auth_rpc.h"
#include "seal/connection_package.h"
#include "seal/key_set.h"
#include "server/auth/auth.h"
#include "support/server/caller.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { OWNERS = 3, GUESTS = 4, ROUNDS = 8 };

static struct {
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct auth *auth;
    struct hearth_server *server;
    struct store_dir dir;
    char target[32];
    struct owner {
        uint8_t hash[32];
        struct caller caller;
    } owners[OWNERS];
    pthread_mutex_t lock;
    uint8_t seen[OWNERS * GUESTS * ROUNDS][32]; /* packages */
    size_t seen_count;
    unsigned twice;
} w;

static void begin(void)
{
    memset(&w, 0, sizeof w);
    assert_int_equal(pthread_mutex_init(&w.lock, NULL), 0);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &w.keeper));
    w.env = (struct front_env){.domain = "a.test",
                               .development = true,
                               .clock = &clock_system,
                               .rng = &rng_system,
                               .keeper = w.keeper};
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.front));
    assert_ok(limits_set(front_limits(w.front), "ANONYMOUS_PREFIX", 100000));
    assert_ok(limits_set(front_limits(w.front), "CONNECT_HANDLE", 1000));
    assert_ok(limits_set(front_limits(w.front), "CONNECT_PREFIX", 1000));
    store_dir_make_fast(&w.dir);
    const struct auth_options options = {.store = {.path = w.dir.path}};
    assert_ok(auth_open(&w.env, &options, &w.auth));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    const struct hearth_server_options server = {
        .threads = 2, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&server);
    assert_non_null(w.server);
    assert_ok(auth_add(w.auth, w.server));
    assert_true(hearth_server_listen(w.server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w.server));
    (void)snprintf(w.target, sizeof w.target, "127.0.0.1:%d", hearth_server_port(w.server, 0));
    for (size_t i = 0; i < OWNERS; i++) {
        memset(w.owners[i].hash, 0x60 + (int)i, 32);
        caller_init(&w.owners[i].caller, REQUEST_HANDLE, bytes_of(w.owners[i].hash, 32), "a.test",
                    &clock_system, &rng_system);
    }
}

static ProtobufCBinaryData data(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

/* ---- the owners, on the main thread */

static void create(struct owner *o, struct hearth_channel *channel)
{
    Hearth__V1__CreateHandleRequest in = HEARTH__V1__CREATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&o->caller)};
    uint8_t label[33] = {KEY_SET_LABEL_HANDLE};
    memcpy(label + 1, o->hash, 32);
    const struct bytes name = bytes_str("handle");
    const struct sig_key *key = &o->caller.key;
    struct buf b = BUF_INIT;
    const struct key_set set = {
        .label = bytes_of(label, sizeof label),
        .clients = {{name, sig_ed25519.scheme, caller_public_key(&o->caller), 1,
                     KEY_SET_AUTHORISES}},
        .client_count = 1,
    };
    assert_ok(key_set_make(&b, &set, &key, &name, 1));
    id.id = data(bytes_of(o->hash, 16));
    in.idempotency = &id;
    in.handle_hash = data(bytes_of(o->hash, 32));
    in.key_set = data(buf_view(&b));
    Hearth__V1__CreateHandleResponse *out = NULL;
    assert_int_equal(hearth_auth_create_handle(channel, &options, &in, &out, NULL), HEARTH_OK);
    hearth__v1__create_handle_response__free_unpacked(out, NULL);
    buf_clear(&b);
}

static void publish(struct owner *o, struct hearth_channel *channel)
{
    enum { COUNT = GUESTS * ROUNDS + 1 };
    Hearth__V1__PublishConnectionPackagesRequest in =
        HEARTH__V1__PUBLISH_CONNECTION_PACKAGES_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&o->caller)};
    struct buf packages[COUNT] = {0};
    ProtobufCBinaryData views[COUNT];
    uint64_t now = clock_unix_ms(&clock_system) / 1000;
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t hpke_key[32];
        memset(hpke_key, (int)i, sizeof hpke_key);
        const struct connection_package fields = {.hpke_key = bytes_of(hpke_key, 32),
                                                  .not_before = now,
                                                  .not_after = now + 86400 * 30,
                                                  .handle_hash = o->hash,
                                                  .last_resort = i == COUNT - 1};
        assert_ok(connection_package_make(&packages[i], &fields, &o->caller.key));
        views[i] = data(buf_view(&packages[i]));
    }
    id.id = data(bytes_of(o->hash, 16));
    in.idempotency = &id;
    in.handle_hash = data(bytes_of(o->hash, 32));
    in.n_packages = COUNT;
    in.packages = views;
    Hearth__V1__PublishConnectionPackagesResponse *out = NULL;
    assert_int_equal(hearth_auth_publish_connection_packages(channel, &options, &in, &out, NULL),
                     HEARTH_OK);
    hearth__v1__publish_connection_packages_response__free_unpacked(out, NULL);
    for (size_t i = 0; i < COUNT; i++)
        buf_clear(&packages[i]);
}

static struct hearth_stream *listen(struct owner *o, struct hearth_channel *channel)
{
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    Hearth__V1__ListenHandleStart start = HEARTH__V1__LISTEN_HANDLE_START__INIT;
    const struct hearth_call_options options = {.deadline_ms = 60000,
                                                .signer = caller_signer(&o->caller)};
    start.handle_hash = data(bytes_of(o->hash, 32));
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START;
    in.start = &start;
    struct hearth_stream *s = hearth_auth_listen_handle_open(channel, &options);
    (void)hearth_auth_listen_handle_send(s, &in);
    return s;
}

static bool acknowledge(struct hearth_stream *s, uint64_t up_to)
{
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = up_to;
    return hearth_auth_listen_handle_send(s, &in);
}

/* An owner's thread: listens, now and then anew on another connection, until all offers came.
 * cmocka's assertions are for the main thread: failures are counted. */
struct listening {
    pthread_t thread;
    struct owner *owner;
    uint64_t acked; /* the highest */
    unsigned wrong, fenced;
};

/* Reads one and acknowledges it. Numbers go on from what was acknowledged at most: an
 * acknowledgement under way on the listener before may be seen or not. */
static bool take_one(struct listening *l, struct hearth_stream *s, uint64_t *last)
{
    Hearth__V1__ListenHandleResponse *item = hearth_auth_listen_handle_read(s);
    if (item == NULL)
        return false;
    uint64_t highest = *last > l->acked ? *last : l->acked;
    bool right = item->sequence > *last && item->sequence <= highest + 1 &&
                 item->package_hash.len == 32 && acknowledge(s, item->sequence);
    *last = item->sequence;
    if (item->sequence > l->acked)
        l->acked = item->sequence;
    hearth__v1__listen_handle_response__free_unpacked(item, NULL);
    return right;
}

/* What the older listener still has is not acknowledged, so it comes again. */
static bool is_fenced(struct hearth_stream *s)
{
    struct hearth_status status = {0};
    Hearth__V1__ListenHandleResponse *late;
    while ((late = hearth_auth_listen_handle_read(s)) != NULL)
        hearth__v1__listen_handle_response__free_unpacked(late, NULL);
    bool fenced = hearth_stream_finish(s, &status) == HEARTH_ABORTED;
    hearth_status_clear(&status);
    return fenced;
}

static void *run_owner(void *arg)
{
    struct listening *l = arg;
    const uint64_t all = (uint64_t)GUESTS * ROUNDS;
    struct hearth_channel *channels[2] = {hearth_channel_new(w.target, NULL),
                                          hearth_channel_new(w.target, NULL)};
    struct hearth_stream *s = listen(l->owner, channels[0]);
    uint64_t last = 0;
    for (unsigned i = 0; l->acked < all && l->wrong == 0; i++) {
        l->wrong += !take_one(l, s, &last);
        if (i % 5 == 4 && l->acked < all) {
            struct hearth_stream *older = s;
            s = listen(l->owner, channels[(i / 5 + 1) % 2]);
            last = 0;
            l->fenced += is_fenced(older);
        }
    }
    hearth_stream_cancel(s);
    (void)hearth_stream_finish(s, NULL);
    hearth_channel_free(channels[0]);
    hearth_channel_free(channels[1]);
    return NULL;
}

/* ---- the guests */

struct guest {
    pthread_t thread;
    unsigned wrong;
};

static void note_package(struct bytes package)
{
    uint8_t hash[32];
    connection_package_hash(package, hash);
    pthread_mutex_lock(&w.lock);
    for (size_t i = 0; i < w.seen_count; i++)
        w.twice += memcmp(w.seen[i], hash, 32) == 0;
    memcpy(w.seen[w.seen_count++], hash, 32);
    pthread_mutex_unlock(&w.lock);
}

static bool connect_to(const struct owner *o, struct hearth_channel *channel)
{
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__FetchConnectionPackage fetch = HEARTH__V1__FETCH_CONNECTION_PACKAGE__INIT;
    Hearth__V1__ConnectionOffer offer = HEARTH__V1__CONNECTION_OFFER__INIT;
    const struct hearth_call_options options = {.deadline_ms = 30000};
    struct hearth_stream *s = hearth_auth_connect_open(channel, &options);
    fetch.handle_hash = data(bytes_of(o->hash, 32));
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_FETCH;
    in.fetch = &fetch;
    (void)hearth_auth_connect_send(s, &in);
    Hearth__V1__ConnectResponse *out = hearth_auth_connect_read(s);
    if (out != NULL && out->step_case == HEARTH__V1__CONNECT_RESPONSE__STEP_PACKAGE) {
        note_package(bytes_of(out->package->package.data, out->package->package.len));
        offer.sealed = data(bytes_str("an offer"));
        in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_OFFER;
        in.offer = &offer;
        (void)hearth_auth_connect_send(s, &in);
    }
    if (out != NULL)
        hearth__v1__connect_response__free_unpacked(out, NULL);
    return hearth_stream_finish(s, NULL) == HEARTH_OK;
}

static void *run_guest(void *arg)
{
    struct guest *g = arg;
    struct hearth_channel *channel = hearth_channel_new(w.target, NULL);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < OWNERS; i++)
            g->wrong += !connect_to(&w.owners[i], channel);
    hearth_channel_free(channel);
    return NULL;
}

struct crowd {
    struct listening listening[OWNERS];
    struct guest guests[GUESTS];
};

static void come(struct crowd *c)
{
    struct hearth_channel *channel = hearth_channel_new(w.target, NULL);
    *c = (struct crowd){0};
    for (size_t i = 0; i < OWNERS; i++) {
        create(&w.owners[i], channel);
        publish(&w.owners[i], channel);
        c->listening[i].owner = &w.owners[i];
    }
    hearth_channel_free(channel);
    for (size_t i = 0; i < OWNERS; i++)
        assert_int_equal(pthread_create(&c->listening[i].thread, NULL, run_owner, &c->listening[i]),
                         0);
    for (size_t i = 0; i < GUESTS; i++)
        assert_int_equal(pthread_create(&c->guests[i].thread, NULL, run_guest, &c->guests[i]), 0);
}

static void leave(struct crowd *c)
{
    for (size_t i = 0; i < GUESTS; i++)
        (void)pthread_join(c->guests[i].thread, NULL);
    for (size_t i = 0; i < OWNERS; i++)
        (void)pthread_join(c->listening[i].thread, NULL);
}

static void end_server(void)
{
    hearth_server_free(w.server);
    auth_close(w.auth);
    front_free(w.front);
    keeper_close(w.keeper);
    store_dir_remove(&w.dir);
}

static void end_owners(void)
{
    for (size_t i = 0; i < OWNERS; i++)
        caller_clear(&w.owners[i].caller);
    (void)pthread_mutex_destroy(&w.lock);
}

static void many_at_once(void **state)
{
    (void)state;
    struct crowd c;
    begin();
    come(&c);
    leave(&c);
    for (size_t i = 0; i < GUESTS; i++)
        assert_int_equal(c.guests[i].wrong, 0);
    for (size_t i = 0; i < OWNERS; i++) {
        assert_int_equal(c.listening[i].wrong, 0);
        assert_true(c.listening[i].fenced > 0);
    }
    assert_int_equal(w.twice, 0);
    assert_int_equal(w.seen_count, OWNERS * GUESTS * ROUNDS);
    hearth_server_drain(w.server, 5000);
    end_server();
    end_owners();
}

/* Whatever is under way in the stores then. */
static void the_server_ends_at_any_moment(void **state)
{
    (void)state;
    for (long ms = 0; ms < 20; ms++) {
        const struct timespec pause = {0, ms * 1500000};
        struct crowd c;
        begin();
        come(&c);
        (void)nanosleep(&pause, NULL);
        hearth_server_drain(w.server, 0);
        end_server();
        leave(&c);
        end_owners();
        assert_int_equal(w.twice, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_at_once),
                                       cmocka_unit_test(the_server_ends_at_any_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
