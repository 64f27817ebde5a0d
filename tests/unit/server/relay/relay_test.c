/* Two devices and the relay between them; every error path of the two rows. */
#include <stdio.h>

#include "hearth/v1/common.pb-c.h"
#include "hearth/v1/relay_rpc.h"
#include "net/loop.h"
#include "server/relay/relay.h"
#include "support/failing.h"
#include "support/server/caller.h"
#include "support/test.h"

static struct {
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
} w;

static void find_user(void *self, struct front_pending *pending, enum request_caller kind,
                      struct bytes id)
{
    (void)self;
    (void)kind;
    bool known = bytes_equal(id, w.user.id);
    front_key(pending, &sig_ed25519, known ? caller_public_key(&w.user) : bytes_of(NULL, 0));
}

static void begin_with(bool control)
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

static void begin(void)
{
    begin_with(false);
}

static void settle(void)
{
    while (loop_step(w.loop))
        ;
}

static void finish(void)
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
    unsigned empties;                /* "the other one is there" */
    unsigned messages;
    struct buf got; /* all sealed messages, one after the other */
    bool done;
    enum hearth_code code;
    char text[120];
    bool retry_after;
};

static void note(struct device *d, const struct hearth_status *status)
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

static void take(struct device *d, ProtobufCBinaryData sealed)
{
    if (sealed.len == 0) {
        d->empties++;
        return;
    }
    assert_int_equal(d->empties, 1); /* first that it is there, then what it says */
    d->messages++;
    buf_append(&d->got, sealed.data, sealed.len);
}

static void new_message(struct hearth_client_call *call,
                        const Hearth__V1__ProvisionClientResponse *item, void *arg)
{
    (void)call;
    take(arg, item->sealed);
}

static void old_message(struct hearth_client_call *call, const Hearth__V1__LinkClientResponse *item,
                        void *arg)
{
    (void)call;
    take(arg, item->sealed);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    (void)call;
    note(arg, status);
}

/* The test's own machinery doesn't fail. */
static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    struct hearth_signer signer = caller_signer(self);
    test_pause_failing();
    enum hearth_code code = signer.sign(call, endpoint, message, len, signer.self);
    test_resume_failing();
    return code;
}

static void open_on(struct device *d, bool old, struct hearth_channel *channel)
{
    static const struct hearth_relay_provision_client_events new_events = {
        .on_message = new_message, .on_done = on_done};
    static const struct hearth_relay_link_client_events old_events = {.on_message = old_message,
                                                                      .on_done = on_done};
    struct hearth_call_options signs = {.signer = {sign, &w.user}};
    *d = (struct device){.old = old};
    d->call = old ? hearth_relay_link_client_start(channel, &signs, &old_events, d)
                  : hearth_relay_provision_client_start(channel, NULL, &new_events, d);
    d->done = d->call == NULL;
}

/* A meeting place, or, with place NULL, a sealed message. */
static int say(struct device *d, const uint8_t place[32], const void *sealed, size_t len)
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
        return hearth_relay_link_client_push(d->call, &in);
    }
    Hearth__V1__ProvisionClientRequest in;
    hearth__v1__provision_client_request__init(&in);
    in.step_case = place != NULL ? HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_RENDEZVOUS
                                 : HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_SEALED;
    in.rendezvous = data;
    return hearth_relay_provision_client_push(d->call, &in);
}

static const uint8_t here[32] = {1}, elsewhere[32] = {2};

static void arrive(struct device *d, bool old, const uint8_t place[32])
{
    open_on(d, old, w.channel);
    (void)say(d, place, NULL, 0);
    settle();
}

static void pair(struct device *young, struct device *old)
{
    arrive(young, false, here);
    assert_int_equal(young->empties, 0);
    arrive(old, true, here);
    assert_int_equal(young->empties, 1);
    assert_int_equal(old->empties, 1);
}

static void leave(struct device *d)
{
    if (d->call != NULL)
        hearth_client_call_cancel(d->call);
    settle();
    assert_true(d->done);
    buf_clear(&d->got);
}

/* ---- tests */

static void test_conversation(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    pair(&young, &old);
    assert_int_equal(relay_sessions(w.relay), 1);
    for (int i = 0; i < 5; i++) {
        assert_true(say(&old, NULL, "to the new one", 14) >= 0);
        assert_true(say(&young, NULL, "to the old", 10) >= 0);
        assert_true(say(&young, NULL, " one", 4) >= 0);
    }
    settle();
    assert_int_equal(young.messages, 5);
    assert_int_equal(old.messages, 10);
    assert_memory_equal(young.got.data, "to the new oneto the new one", 28);
    assert_memory_equal(old.got.data, "to the old oneto the old one", 28);
    /* one has said its last and still listens */
    hearth_client_call_half_close(young.call);
    settle();
    assert_false(young.done);
    assert_true(say(&old, NULL, "!", 1) >= 0);
    settle();
    assert_int_equal(young.messages, 6);
    hearth_client_call_half_close(old.call);
    settle();
    assert_true(young.done && old.done);
    assert_int_equal(young.code, HEARTH_OK);
    assert_int_equal(old.code, HEARTH_OK);
    buf_clear(&young.got);
    buf_clear(&old.got);
    finish();
}

/* What the new one says before the other has come waits, and then arrives. */
static void test_early(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    open_on(&young, false, w.channel);
    (void)say(&young, here, NULL, 0);
    (void)say(&young, NULL, "early", 5);
    hearth_client_call_half_close(young.call);
    settle();
    assert_false(young.done);
    arrive(&old, true, here);
    test_assert_bytes(buf_view(&old.got), bytes_str("early"));
    hearth_client_call_half_close(old.call);
    settle();
    assert_int_equal(young.code, HEARTH_OK);
    assert_int_equal(old.code, HEARTH_OK);
    assert_true(young.done && old.done);
    buf_clear(&old.got);
    finish();
}

/* Long messages both ways, while one side does not read: it is waited for, not buffered for. */
static void test_flow_control(void **state)
{
    (void)state;
    static uint8_t block[61440];
    struct device young, old;
    begin();
    pair(&young, &old);
    hearth_client_call_pause(young.call);
    unsigned sent = 0;
    for (unsigned i = 0; i < 17; i++) { /* 1 MiB in all */
        memset(block, (int)i, sizeof block);
        if (say(&old, NULL, block, sizeof block) >= 0)
            sent++;
        settle();
    }
    assert_int_equal(sent, 17);
    assert_int_equal(young.messages, 0);
    assert_true(say(&young, NULL, "back", 4) >= 0); /* the other way is free */
    settle();
    assert_int_equal(old.messages, 1);
    hearth_client_call_resume(young.call);
    settle();
    assert_int_equal(young.messages, 17);
    for (size_t i = 0; i < 17; i++)
        assert_int_equal(young.got.data[i * sizeof block + 7], i);
    leave(&young);
    leave(&old);
    finish();
}

static void test_one_pair(void **state)
{
    (void)state;
    struct device young, old, second, third;
    begin();
    arrive(&third, true, here); /* nobody waits */
    assert_true(third.done);
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    arrive(&young, false, here);
    arrive(&second, false, here); /* taken */
    assert_int_equal(second.code, HEARTH_ALREADY_EXISTS);
    assert_false(young.done);
    arrive(&old, true, here);
    assert_int_equal(old.empties, 1);
    arrive(&third, true, here); /* as if nobody waited */
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    arrive(&third, true, elsewhere);
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    assert_string_equal(third.text, "not found");
    arrive(&second, false, here); /* still */
    assert_int_equal(second.code, HEARTH_ALREADY_EXISTS);
    assert_true(say(&old, NULL, "x", 1) >= 0);
    settle();
    assert_int_equal(young.messages, 1);
    leave(&young);
    leave(&old);
    /* the place is free again */
    pair(&young, &old);
    leave(&old);
    leave(&young);
    finish();
}

/* Either end's loss ends the other, however it is lost and whichever waits. */
static void test_loss(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    for (int i = 0; i < 2; i++) {
        pair(&young, &old);
        struct device *gone = i == 0 ? &young : &old, *left = i == 0 ? &old : &young;
        leave(gone);
        assert_true(left->done);
        assert_int_equal(left->code, HEARTH_ABORTED);
        assert_int_equal(relay_sessions(w.relay), 0);
        leave(left);
    }
    /* the connection, not the call */
    struct hearth_channel_options options = {.loop = w.loop};
    struct hearth_channel *own = hearth_channel_new("pipe:relay", &options);
    open_on(&young, false, own);
    (void)say(&young, here, NULL, 0);
    settle();
    arrive(&old, true, here);
    hearth_channel_free(own);
    settle();
    assert_true(young.done && old.done);
    assert_int_equal(old.code, HEARTH_ABORTED);
    /* before anybody has come */
    arrive(&young, false, here);
    leave(&young);
    assert_int_equal(relay_sessions(w.relay), 0);
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_NOT_FOUND);
    finish();
}

/* Not one meeting place and then sealed messages. */
static void test_order(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct device young, old, d;
        begin();
        open_on(&d, side == 1, w.channel); /* a message first */
        (void)say(&d, NULL, "x", 1);
        settle();
        assert_int_equal(d.code, HEARTH_INVALID_ARGUMENT);
        open_on(&d, side == 1, w.channel); /* nothing at all */
        hearth_client_call_half_close(d.call);
        settle();
        assert_true(d.done);
        assert_int_not_equal(d.code, HEARTH_OK);
        pair(&young, &old); /* a second meeting place */
        struct device *wrong = side == 1 ? &old : &young, *other = side == 1 ? &young : &old;
        (void)say(wrong, elsewhere, NULL, 0);
        settle();
        assert_int_equal(wrong->code, HEARTH_INVALID_ARGUMENT);
        assert_int_equal(other->code, HEARTH_ABORTED);
        finish();
    }
}

/* Field rules of the rows: sizes. */
static void test_sizes(void **state)
{
    (void)state;
    static uint8_t block[61441];
    struct device young, old;
    begin();
    pair(&young, &old);
    (void)say(&old, NULL, block, 61441);
    settle();
    assert_int_equal(old.code, HEARTH_INVALID_ARGUMENT);
    assert_int_equal(young.code, HEARTH_ABORTED);
    pair(&young, &old);
    (void)say(&young, NULL, block, 0);
    settle();
    assert_int_equal(young.code, HEARTH_INVALID_ARGUMENT);
    finish();
}

static void test_unauthenticated(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    arrive(&young, false, here);
    w.user.faults.wrong_key = true;
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_UNAUTHENTICATED);
    w.user.faults = (struct caller_faults){.no_auth = true};
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_UNAUTHENTICATED);
    w.user.faults = (struct caller_faults){0};
    assert_false(young.done);
    assert_int_equal(young.empties, 0);
    arrive(&old, true, here);
    assert_int_equal(young.empties, 1);
    leave(&young);
    leave(&old);
    finish();
}

static unsigned flood(struct device *young, struct device *old, unsigned count)
{
    static uint8_t block[61440];
    pair(young, old);
    for (unsigned i = 0; i < count && !old->done; i++) {
        (void)say(i % 2 == 0 ? old : young, NULL, block, sizeof block);
        settle();
    }
    return young->messages + old->messages;
}

static void test_bytes(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    assert_int_equal(flood(&young, &old, 40), 1048576 / 61440); /* both ways together */
    bool one = young.code == HEARTH_RESOURCE_EXHAUSTED && old.code == HEARTH_ABORTED;
    bool other = old.code == HEARTH_RESOURCE_EXHAUSTED && young.code == HEARTH_ABORTED;
    assert_true(one || other);
    leave(&young);
    leave(&old);
    finish();
    /* the control */
    begin_with(true);
    assert_int_equal(flood(&young, &old, 40), 40);
    leave(&young);
    leave(&old);
    finish();
}

static void test_sessions(void **state)
{
    (void)state;
    struct device d[4];
    begin();
    assert_ok(limits_set(front_limits(w.front), "RELAY_SESSIONS", 3));
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t place[32] = {9, i};
        arrive(&d[i], false, place);
    }
    assert_true(d[3].done);
    assert_int_equal(d[3].code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(d[3].retry_after);
    leave(&d[0]);
    arrive(&d[3], false, here);
    assert_false(d[3].done);
    for (int i = 1; i < 4; i++)
        leave(&d[i]);
    finish();
}

static void test_rate_of_a_prefix(void **state)
{
    (void)state;
    struct device d, old;
    begin();
    assert_ok(limits_set(front_limits(w.front), "RELAY_PREFIX", 2));
    for (int i = 0; i < 2; i++) {
        arrive(&d, false, here);
        assert_false(d.done);
        leave(&d);
    }
    arrive(&d, false, here);
    assert_int_equal(d.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(d.retry_after);
    arrive(&old, true, here); /* who guesses places pays, too */
    assert_int_equal(old.code, HEARTH_RESOURCE_EXHAUSTED);
    finish();
}

/* Nobody waits for ever: ten minutes. */
static void test_deadline(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    arrive(&young, false, here);
    loop_run_until(w.loop, w.fake.now_us + UINT64_C(590) * 1000000);
    assert_false(young.done);
    arrive(&old, true, here);
    loop_run_until(w.loop, w.fake.now_us + UINT64_C(11) * 1000000);
    assert_true(young.done);
    assert_int_equal(young.code, HEARTH_DEADLINE_EXCEEDED);
    assert_int_equal(old.code, HEARTH_ABORTED);
    assert_int_equal(relay_sessions(w.relay), 0);
    finish();
}

/* The server ends in the middle. */
static void test_end(void **state)
{
    (void)state;
    struct device young, old, waits;
    static uint8_t block[61440];
    begin();
    pair(&young, &old);
    arrive(&waits, false, elsewhere);
    hearth_client_call_pause(young.call);
    for (int i = 0; i < 4; i++)
        (void)say(&old, NULL, block, sizeof block);
    for (int i = 0; i < 3; i++)
        loop_step(w.loop);
    finish();
    assert_true(young.done && old.done && waits.done);
    buf_clear(&young.got);
    buf_clear(&old.got);
}

/* Each allocation of ours fails once: every call ends, nothing is left, the relay serves on. */
static void test_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct device young, old;
        long live = test_live_allocations();
        begin();
        test_fail_own_allocation(n);
        arrive(&young, false, here);
        arrive(&old, true, here);
        (void)say(&old, NULL, "one", 3);
        (void)say(&young, NULL, "two", 3);
        settle();
        if (young.call != NULL)
            hearth_client_call_half_close(young.call);
        if (old.call != NULL)
            hearth_client_call_half_close(old.call);
        settle();
        failed = test_allocation_failed();
        /* what a lost letter left behind ends at its deadline */
        loop_run_until(w.loop, w.fake.now_us + UINT64_C(700) * 1000000);
        assert_int_equal(relay_sessions(w.relay), 0);
        leave(&young);
        leave(&old);
        pair(&young, &old);
        leave(&young);
        leave(&old);
        finish();
        assert_int_equal(test_live_allocations(), live);
    }
}

static void test_open_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct relay *relay;
    bool failed;
    long n = 0;
    begin();
    do {
        long live = test_live_allocations();
        test_fail_own_allocation(n++);
        struct err err = relay_open(&w.env, NULL, &relay);
        failed = test_allocation_failed();
        assert_true(err_is_ok(err) ? !failed : failed);
        if (err_is_ok(err))
            relay_close(relay);
        assert_int_equal(test_live_allocations(), live);
    } while (failed);
    assert_int_equal(n, 3);
    relay_close(NULL);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_flow_control),
        cmocka_unit_test(test_one_pair),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_unauthenticated),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_rate_of_a_prefix),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_open_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
