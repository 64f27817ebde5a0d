/* The ends of sessions on different loops of a server with two threads: what is said arrives, what
 * is lost is told, and the server may end at any moment. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "hearth/v1/relay_rpc.h"
#include "server/relay/relay.h"
#include "support/server/caller.h"
#include "support/test.h"

enum { PAIRS = 4, ROUNDS = 12, MESSAGES = 20, MESSAGE_BYTES = 5000 };

static struct {
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct relay *relay;
    struct hearth_server *server;
    char target[32];
    struct caller users[PAIRS];
} w;

static void find_user(void *self, struct front_pending *pending, enum request_caller kind,
                      struct bytes id)
{
    (void)self;
    (void)kind;
    for (int i = 0; i < PAIRS; i++) {
        if (bytes_equal(id, w.users[i].id)) {
            front_key(pending, &sig_ed25519, caller_public_key(&w.users[i]));
            return;
        }
    }
    front_key(pending, &sig_ed25519, bytes_of(NULL, 0));
}

static int begin(void **state)
{
    (void)state;
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &w.keeper));
    w.env = (struct front_env){.domain = "a.test",
                               .development = true,
                               .clock = &clock_system,
                               .rng = &rng_system,
                               .keeper = w.keeper};
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.front));
    limits_switch_off(front_limits(w.front)); /* devices ask again until the other one is there */
    assert_ok(
        front_add_keys(w.front, REQUEST_QUEUE_USER, (struct front_key_source){.find = find_user}));
    for (uint8_t i = 0; i < PAIRS; i++) {
        const uint8_t id[16] = {1, i};
        caller_init(&w.users[i], REQUEST_QUEUE_USER, bytes_of(id, 16), "a.test", &clock_system,
                    &rng_system);
    }
    assert_ok(relay_open(&w.env, &(struct relay_options){0}, &w.relay));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    struct hearth_server_options options = {
        .threads = 2, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&options);
    assert_non_null(w.server);
    assert_ok(relay_add(w.relay, w.server));
    assert_true(hearth_server_listen(w.server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w.server));
    (void)snprintf(w.target, sizeof w.target, "127.0.0.1:%d", hearth_server_port(w.server, 0));
    return 0;
}

static void end_server(void)
{
    hearth_server_free(w.server);
    relay_close(w.relay);
    front_free(w.front);
    keeper_close(w.keeper);
    for (int i = 0; i < PAIRS; i++)
        caller_clear(&w.users[i]);
}

/* A device's thread. cmocka's assertions are for the main thread: failures are counted. */
struct device {
    pthread_t thread;
    int pair;
    bool old;
    bool endless;
    unsigned wrong, rounds;
};

static void *text_of(uint8_t text[MESSAGE_BYTES], int pair, bool old, int round, int number)
{
    memset(text, pair * 50 + round, MESSAGE_BYTES);
    text[0] = old;
    text[1] = (uint8_t)number;
    return text;
}

static struct hearth_stream *come(struct device *d, struct hearth_channel *channel, int round)
{
    uint8_t place[32] = {(uint8_t)d->pair, (uint8_t)round, 7};
    struct hearth_call_options options = {.deadline_ms = 20000};
    if (!d->old) {
        struct hearth_stream *s = hearth_relay_provision_client_open(channel, &options);
        Hearth__V1__ProvisionClientRequest in;
        hearth__v1__provision_client_request__init(&in);
        in.step_case = HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_RENDEZVOUS;
        in.rendezvous = (ProtobufCBinaryData){32, place};
        (void)hearth_relay_provision_client_send(s, &in);
        return s;
    }
    Hearth__V1__LinkClientRequest in;
    hearth__v1__link_client_request__init(&in);
    in.step_case = HEARTH__V1__LINK_CLIENT_REQUEST__STEP_RENDEZVOUS;
    in.rendezvous = (ProtobufCBinaryData){32, place};
    options.signer = caller_signer(&w.users[d->pair]);
    struct hearth_stream *s = hearth_relay_link_client_open(channel, &options);
    (void)hearth_relay_link_client_send(s, &in);
    return s;
}

/* The next message; -1: none comes. Copies what fits. */
static long hear(const struct device *d, struct hearth_stream *s, uint8_t text[MESSAGE_BYTES])
{
    ProtobufCMessage *message = NULL;
    ProtobufCBinaryData sealed = {0, NULL};
    if (d->old) {
        Hearth__V1__LinkClientResponse *in = hearth_relay_link_client_read(s);
        if (in != NULL) {
            message = &in->base;
            sealed = in->sealed;
        }
    } else {
        Hearth__V1__ProvisionClientResponse *in = hearth_relay_provision_client_read(s);
        if (in != NULL) {
            message = &in->base;
            sealed = in->sealed;
        }
    }
    if (message == NULL)
        return -1;
    if (sealed.len > 0)
        memcpy(text, sealed.data, sealed.len < MESSAGE_BYTES ? sealed.len : MESSAGE_BYTES);
    protobuf_c_message_free_unpacked(message, NULL);
    return (long)sealed.len;
}

static bool speak(const struct device *d, struct hearth_stream *s, uint8_t text[MESSAGE_BYTES])
{
    ProtobufCBinaryData sealed = {MESSAGE_BYTES, text};
    if (d->old) {
        Hearth__V1__LinkClientRequest in;
        hearth__v1__link_client_request__init(&in);
        in.step_case = HEARTH__V1__LINK_CLIENT_REQUEST__STEP_SEALED;
        in.sealed = sealed;
        return hearth_relay_link_client_send(s, &in);
    }
    Hearth__V1__ProvisionClientRequest in;
    hearth__v1__provision_client_request__init(&in);
    in.step_case = HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_SEALED;
    in.sealed = sealed;
    return hearth_relay_provision_client_send(s, &in);
}

/* Says and hears all; true: as it should be. */
static bool converse(const struct device *d, struct hearth_stream *s, int round)
{
    uint8_t text[MESSAGE_BYTES], want[MESSAGE_BYTES];
    for (int i = 0; i < MESSAGES; i++) {
        if (!speak(d, s, text_of(text, d->pair, d->old, round, i)) ||
            hear(d, s, text) != MESSAGE_BYTES ||
            memcmp(text, text_of(want, d->pair, !d->old, round, i), MESSAGE_BYTES) != 0)
            return false;
    }
    return true;
}

static void *live(void *arg)
{
    struct device *d = arg;
    uint8_t text[MESSAGE_BYTES];
    struct hearth_channel *channel = hearth_channel_new(w.target, NULL);
    for (int round = 0; round < ROUNDS; round += d->endless ? 0 : 1) {
        struct hearth_stream *s = come(d, channel, round);
        bool met = hear(d, s, text) == 0;
        /* in each third round one of them goes away in the middle */
        bool leaves = round % 3 == 2 && d->old == (round % 2 == 0);
        struct hearth_status status = {0};
        if (met && leaves) {
            hearth_stream_cancel(s);
            (void)hearth_stream_finish(s, &status);
        } else {
            bool good = met && converse(d, s, round);
            if (good && round % 3 != 2) {
                hearth_stream_half_close(s);
                good = hear(d, s, text) == -1;
            }
            enum hearth_code code = hearth_stream_finish(s, &status);
            bool lost = round % 3 == 2 && code == HEARTH_ABORTED;
            if (met && !d->endless && (round % 3 == 2 ? !lost : !good || code != HEARTH_OK))
                d->wrong++;
            if (!met) {
                /* the other one was not there yet, or the last session is not quite over */
                bool again = code == HEARTH_NOT_FOUND || code == HEARTH_ALREADY_EXISTS;
                if (d->endless && !again) {
                    hearth_status_clear(&status);
                    break;
                }
                d->wrong += !again && round % 3 != 2;
                round -= again && !d->endless ? 1 : 0;
                (void)usleep(again ? 1000 : 0);
            }
        }
        d->rounds++;
        hearth_status_clear(&status);
    }
    hearth_channel_free(channel);
    return NULL;
}

static void start(struct device devices[2 * PAIRS], bool endless)
{
    for (int i = 0; i < 2 * PAIRS; i++) {
        devices[i] = (struct device){.pair = i / 2, .old = i % 2 == 1, .endless = endless};
        assert_int_equal(pthread_create(&devices[i].thread, NULL, live, &devices[i]), 0);
    }
}

static void test_pairs(void **state)
{
    struct device devices[2 * PAIRS];
    (void)begin(state);
    start(devices, false);
    for (int i = 0; i < 2 * PAIRS; i++) {
        pthread_join(devices[i].thread, NULL);
        assert_int_equal(devices[i].wrong, 0);
        assert_true(devices[i].rounds >= ROUNDS);
    }
    end_server();
}

/* The server goes while all of them talk. */
static void test_end(void **state)
{
    struct device devices[2 * PAIRS];
    for (int round = 0; round < 5; round++) {
        (void)begin(state);
        start(devices, true);
        struct timespec a_moment = {0, 40000000 + round * 7000000};
        nanosleep(&a_moment, NULL);
        hearth_server_free(w.server);
        w.server = NULL;
        for (int i = 0; i < 2 * PAIRS; i++)
            pthread_join(devices[i].thread, NULL);
        end_server();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
