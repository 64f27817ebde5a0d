/* The relay alone, over a pipe, on a fake clock, and the devices at both ends. */
#ifndef TESTS_UNIT_SERVER_RELAY_RELAY_WORLD_H
#define TESTS_UNIT_SERVER_RELAY_RELAY_WORLD_H

#include <stdio.h>

#include "hearth/v1/common.pb-c.h"
#include "hearth/v1/relay_rpc.h"
#include "net/loop.h"
#include "server/relay/relay.h"
#include "support/failing.h"
#include "support/server/caller.h"
#include "support/test.h"

struct relay_world {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct relay *relay;
    struct hearth_server *server;
    struct hearth_channel *channel;
    struct caller user; /* the queue user who links */
};
static struct relay_world w;

static inline void find_user(void *self, struct front_pending *pending, enum request_caller kind,
                             struct bytes id)
{
    (void)self;
    (void)kind;
    bool known = bytes_equal(id, w.user.id);
    front_key(pending, &sig_ed25519, known ? caller_public_key(&w.user) : bytes_of(NULL, 0));
}

static inline void begin_with(bool control)
{
    memset(&w, 0, sizeof w);
    w.fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = UINT64_C(1800000000000)};
    w.clock = clock_of_fake(&w.fake);
    rng_seeded_init(&w.seeded, 1);
    w.rng = rng_of_seeded(&w.seeded);
    w.loop = loop_new_stepped(&w.fake, &w.rng);
    assert_non_null(w.loop);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &w.clock, &w.rng, &w.keeper));
    w.env = (struct front_env){.domain = "a.test",
                               .development = true,
                               .clock = &w.clock,
                               .rng = &w.rng,
                               .keeper = w.keeper};
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.front));
    assert_ok(limits_set(front_limits(w.front), "RELAY_PREFIX", 6000));
    assert_ok(limits_set(front_limits(w.front), "ANONYMOUS_PREFIX", 100000));
    caller_init(&w.user, REQUEST_QUEUE_USER, bytes_of("sixteen bytes id", 16), "a.test", &w.clock,
                &w.rng);
    assert_ok(
        front_add_keys(w.front, REQUEST_QUEUE_USER, (struct front_key_source){.find = find_user}));
    assert_ok(relay_open(&w.env, &(struct relay_options){.control = control}, &w.relay));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    struct hearth_server_options options = {
        .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&options);
    assert_non_null(w.server);
    assert_ok(relay_add(w.relay, w.server));
    assert_true(hearth_server_listen(w.server, "pipe:relay", NULL));
    assert_true(hearth_server_start_on(w.server, w.loop));
    struct hearth_channel_options channel = {.loop = w.loop};
    w.channel = hearth_channel_new("pipe:relay", &channel);
    assert_non_null(w.channel);
}

static inline void begin(void)
{
    begin_with(false);
}

static inline void settle(void)
{
    while (loop_step(w.loop))
        ;
}

static inline void finish(void)
{
    hearth_channel_free(w.channel);
    hearth_server_free(w.server);
    settle();
    assert_int_equal(relay_sessions(w.relay), 0);
    relay_close(w.relay);
    front_free(w.front);
    keeper_close(w.keeper);
    caller_clear(&w.user);
    hearth_loop_free(w.loop);
}

/* ---- a device, on either side */

struct device {
    bool old;
    struct hearth_client_call *call; /* NULL: over */
    unsigned headers;                /* "your place is held" */
    unsigned empties;                /* "the other one is there" */
    unsigned messages;
    struct buf got; /* all sealed messages, one after the other */
    bool done;
    enum hearth_code code;
    char text[120];
    bool retry_after;
    bool waits; /* the last message was taken, but there is no room for another yet */
};

static inline void note(struct device *d, const struct hearth_status *status)
{
    d->done = true;
    d->call = NULL;
    d->code = status->code;
    (void)snprintf(d->text, sizeof d->text, "%s", status->message != NULL ? status->message : "");
    ProtobufCMessage *detail = hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    d->retry_after = detail != NULL;
    if (detail != NULL)
        protobuf_c_message_free_unpacked(detail, NULL);
}

static inline void on_headers(struct hearth_client_call *call, void *arg)
{
    struct device *d = arg;
    (void)call;
    assert_int_equal(d->empties, 0);
    d->headers++;
}

static inline void take(struct device *d, ProtobufCBinaryData sealed)
{
    if (sealed.len == 0) {
        d->empties++;
        return;
    }
    assert_int_equal(d->empties, 1); /* first that it is there, then what it says */
    d->messages++;
    buf_append(&d->got, sealed.data, sealed.len);
}

static inline void new_message(struct hearth_client_call *call,
                               const Hearth__V1__ProvisionClientResponse *item, void *arg)
{
    (void)call;
    take(arg, item->sealed);
}

static inline void old_message(struct hearth_client_call *call,
                               const Hearth__V1__LinkClientResponse *item, void *arg)
{
    (void)call;
    take(arg, item->sealed);
}

static inline void on_done(struct hearth_client_call *call, const struct hearth_status *status,
                           void *arg)
{
    (void)call;
    note(arg, status);
}

/* The test's own machinery doesn't fail. */
static inline enum hearth_code sign(struct hearth_client_call *call,
                                    const struct hearth_endpoint *endpoint, const uint8_t *message,
                                    size_t len, void *self)
{
    struct hearth_signer signer = caller_signer(self);
    test_pause_failing();
    enum hearth_code code = signer.sign(call, endpoint, message, len, signer.self);
    test_resume_failing();
    return code;
}

static inline void on_writable(struct hearth_client_call *call, void *arg)
{
    struct device *d = arg;
    (void)call;
    d->waits = false;
}

static inline void open_on(struct device *d, bool old, struct hearth_channel *channel)
{
    static const struct hearth_relay_provision_client_events new_events = {
        .on_headers = on_headers,
        .on_message = new_message,
        .on_writable = on_writable,
        .on_done = on_done};
    static const struct hearth_relay_link_client_events old_events = {.on_headers = on_headers,
                                                                      .on_message = old_message,
                                                                      .on_writable = on_writable,
                                                                      .on_done = on_done};
    struct hearth_call_options signs = {.signer = {sign, &w.user}};
    *d = (struct device){.old = old};
    d->call = old ? hearth_relay_link_client_start(channel, &signs, &old_events, d)
                  : hearth_relay_provision_client_start(channel, NULL, &new_events, d);
    d->done = d->call == NULL;
}

/* A meeting place, or, with place NULL, a sealed message. */
static inline int say(struct device *d, const uint8_t place[32], const void *sealed, size_t len)
{
    static uint8_t copy[65536];
    if (d->call == NULL)
        return -1;
    ProtobufCBinaryData data = {place != NULL ? 32 : len, copy};
    memcpy(copy, place != NULL ? place : sealed, data.len);
    if (d->old) {
        Hearth__V1__LinkClientRequest in;
        hearth__v1__link_client_request__init(&in);
        in.step_case = place != NULL ? HEARTH__V1__LINK_CLIENT_REQUEST__STEP_RENDEZVOUS
                                     : HEARTH__V1__LINK_CLIENT_REQUEST__STEP_SEALED;
        in.rendezvous = data; /* shares its place with sealed */
        int result = hearth_relay_link_client_push(d->call, &in);
        d->waits = result == 0;
        return result;
    }
    Hearth__V1__ProvisionClientRequest in;
    hearth__v1__provision_client_request__init(&in);
    in.step_case = place != NULL ? HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_RENDEZVOUS
                                 : HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_SEALED;
    in.rendezvous = data;
    int result = hearth_relay_provision_client_push(d->call, &in);
    d->waits = result == 0;
    return result;
}

static const uint8_t here[32] = {1}, elsewhere[32] = {2};

static inline void arrive(struct device *d, bool old, const uint8_t place[32])
{
    open_on(d, old, w.channel);
    (void)say(d, place, NULL, 0);
    settle();
}

static inline void pair(struct device *young, struct device *old)
{
    arrive(young, false, here);
    assert_int_equal(young->empties, 0);
    arrive(old, true, here);
    assert_int_equal(young->empties, 1);
    assert_int_equal(old->empties, 1);
}

static inline void leave(struct device *d)
{
    if (d->call != NULL)
        hearth_client_call_cancel(d->call);
    settle();
    assert_true(d->done);
    buf_clear(&d->got);
}

#endif
