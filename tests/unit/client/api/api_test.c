/* Calls: which connection, whose signature, what is refused. Against a small server that says what
 * it saw. */
#include <stdio.h>

#include "client/api/api.h"
#include "crypto/hash.h"
#include "hearth/v1/info_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "net/loop.h"
#include "support/test.h"

static struct {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct hearth_server *server;
    struct api *api;
    struct sig_key key;
    /* what the server saw */
    unsigned calls, fail_first;
    struct buf auths[8];  /* of each call */
    struct buf tokens[8]; /* hearth-token-bin, one behind the other */
    char version[8];
    struct buf body; /* first request message */
    enum hearth_code done[8];
    size_t done_count;
} w;

static enum hearth_code on_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self)
{
    const uint8_t *value;
    size_t value_len;
    (void)self;
    if (number > 0)
        return HEARTH_OK;
    buf_clear(&w.body);
    buf_append(&w.body, bytes, len);
    if (hearth_call_metadata(call, REQUEST_AUTH_METADATA, 0, &value, &value_len))
        buf_append(&w.auths[w.calls], value, value_len);
    for (size_t i = 0; hearth_call_metadata(call, "hearth-token-bin", i, &value, &value_len); i++)
        buf_append(&w.tokens[w.calls], value, value_len);
    if (hearth_call_metadata(call, "hearth-version", 0, &value, &value_len))
        (void)snprintf(w.version, sizeof w.version, "%.*s", (int)value_len, (const char *)value);
    return w.calls++ < w.fail_first ? HEARTH_UNAVAILABLE : HEARTH_OK;
}

static enum hearth_code get_server_info(struct hearth_call *call,
                                        const Hearth__V1__GetServerInfoRequest *in,
                                        Hearth__V1__GetServerInfoResponse *out, void *self)
{
    (void)call;
    (void)in;
    (void)self;
    out->oldest_version = 7;
    return HEARTH_OK;
}

static enum hearth_code listen_messages(struct hearth_call *call,
                                        const Hearth__V1__ListenRequest *in, void *self)
{
    (void)call;
    (void)self;
    return in == NULL ? HEARTH_OK : HEARTH_LATER;
}

static int begin(void **state)
{
    (void)state;
    static const struct hearth_info_service info = {.get_server_info = get_server_info};
    static const struct hearth_queue_service queue = {.listen = listen_messages};
    const struct hearth_interceptor seen = {.on_message = on_message};
    memset(&w, 0, sizeof w);
    w.fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = UINT64_C(1800000000000)};
    w.clock = clock_of_fake(&w.fake);
    rng_seeded_init(&w.seeded, 1);
    w.rng = rng_of_seeded(&w.seeded);
    w.loop = loop_new_stepped(&w.fake, &w.rng);
    w.server = hearth_server_new(&(struct hearth_server_options){
        .no_health = true, .interceptors = &seen, .interceptor_count = 1});
    assert_true(hearth_server_add_info(w.server, &info, NULL));
    assert_true(hearth_server_add_queue(w.server, &queue, NULL));
    assert_true(hearth_server_listen(w.server, "pipe:a", NULL));
    assert_true(hearth_server_start_on(w.server, w.loop));
    struct api_options options = {.loop = w.loop,
                                  .clock = &w.clock,
                                  .rng = &w.rng,
                                  .homeservers = "a.test=pipe:a,b.test=pipe:b"};
    assert_ok(api_new(&options, &w.api));
    assert_ok(sig_key_generate(&sig_ed25519, &w.rng, &w.key));
    return 0;
}

static int end(void **state)
{
    (void)state;
    api_free(w.api);
    hearth_server_free(w.server);
    while (loop_step(w.loop))
        ;
    hearth_loop_free(w.loop);
    sig_key_clear(&w.key);
    for (size_t i = 0; i < 8; i++)
        buf_clear(&w.auths[i]);
    for (size_t i = 0; i < 8; i++)
        buf_clear(&w.tokens[i]);
    buf_clear(&w.body);
    return 0;
}

static void run_ms(uint64_t ms)
{
    loop_run_until(w.loop, w.fake.now_us + ms * 1000);
}

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    (void)arg;
    assert_true(w.done_count < 8);
    w.done[w.done_count++] = status->code;
    if (out != NULL)
        assert_int_equal(
            ((const Hearth__V1__GetServerInfoResponse *)(const void *)out)->oldest_version, 7);
}

static struct err start(const struct api_to *to, struct api_call **ret_call)
{
    Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
    return api_start(w.api, to, api_endpoint("Info", "GetServerInfo"), &in.base, on_done, NULL,
                     ret_call);
}

static void call(const struct api_to *to)
{
    struct api_call *c;
    assert_ok(start(to, &c));
    run_ms(5000);
}

/* ---- */

static void test_endpoints(void **state)
{
    (void)state;
    assert_string_equal(api_endpoint("Delivery", "SendMessage")->path,
                        "/hearth.v1.Delivery/SendMessage");
    assert_string_equal(api_endpoint("Transparency", "GetCheckpoint")->path,
                        "/hearth.v1.Transparency/GetCheckpoint");
    assert_null(api_endpoint("Delivery", "Nonsense"));
    assert_null(api_endpoint("Federation", "Deliver")); /* no call of a client's */
}

static void test_unsigned_and_signed(void **state)
{
    (void)state;
    call(&(struct api_to){.domain = "a.test"});
    assert_int_equal(w.done_count, 1);
    assert_int_equal(w.done[0], HEARTH_OK);
    assert_int_equal(w.auths[0].len, 0);
    assert_string_equal(w.version, "1");
    uint8_t id[16] = {5}, purpose[16] = {1};
    struct api_to to = {
        .domain = "a.test",
        .purpose = purpose,
        .caller = {.kind = REQUEST_QUEUE_CLIENT, .id = bytes_of(id, sizeof id), .key = &w.key}};
    call(&to);
    struct request_auth auth;
    struct digest hash;
    assert_ok(request_auth_parse(buf_view(&w.auths[1]), &auth));
    assert_int_equal(auth.kind, REQUEST_QUEUE_CLIENT);
    test_assert_bytes(auth.id, bytes_of(id, sizeof id));
    test_assert_bytes(auth.audience, bytes_str("a.test"));
    hash_once(&hash_sha256, buf_view(&w.body), &hash);
    assert_ok(request_auth_verify(&auth, bytes_str("/hearth.v1.Info/GetServerInfo"), hash.data,
                                  &sig_ed25519, public_key_view(&w.key.public_key)));
}

static void test_each_attempt_has_its_own_nonce(void **state)
{
    (void)state;
    uint8_t id[16] = {5}, purpose[16] = {1};
    struct api_to to = {
        .domain = "a.test",
        .purpose = purpose,
        .caller = {.kind = REQUEST_QUEUE_CLIENT, .id = bytes_of(id, sizeof id), .key = &w.key}};
    w.fail_first = 1;
    call(&to);
    assert_int_equal(w.done[0], HEARTH_OK);
    assert_int_equal(w.calls, 2);
    struct request_auth a, b;
    assert_ok(request_auth_parse(buf_view(&w.auths[0]), &a));
    assert_ok(request_auth_parse(buf_view(&w.auths[1]), &b));
    assert_memory_not_equal(a.nonce, b.nonce, REQUEST_NONCE_BYTES);
}

/* Tokens go with each attempt, the same ones; more than headers hold, or part of one, do not. */
static void test_tokens(void **state)
{
    (void)state;
    uint8_t tokens[(API_TOKENS_MOST + 1) * API_TOKEN_BYTES];
    struct api_call *c;
    for (size_t i = 0; i < sizeof tokens; i++)
        tokens[i] = (uint8_t)(i * 7 + i / API_TOKEN_BYTES);
    struct api_to to = {.domain = "a.test"};
    call(&to);
    assert_int_equal(w.tokens[0].len, 0);
    to.tokens = bytes_of(tokens, 3 * (size_t)API_TOKEN_BYTES);
    w.fail_first = w.calls + 1;
    call(&to);
    assert_int_equal(w.calls, 3);
    test_assert_bytes(buf_view(&w.tokens[1]), to.tokens);
    test_assert_bytes(buf_view(&w.tokens[2]), to.tokens);
    to.tokens = bytes_of(tokens, API_TOKENS_MOST * (size_t)API_TOKEN_BYTES);
    call(&to);
    test_assert_bytes(buf_view(&w.tokens[3]), to.tokens);
    to.tokens = bytes_of(tokens, sizeof tokens);
    assert_err(start(&to, &c), ARGUMENT);
    to.tokens = bytes_of(tokens, 100);
    assert_err(start(&to, &c), ARGUMENT);
}

/* Who signs has a connection of his own. */
static void test_signed_is_not_anonymous(void **state)
{
    (void)state;
    uint8_t id[16] = {5}, purpose[16] = {1};
    struct api_call *c;
    struct api_to to = {
        .domain = "a.test",
        .caller = {.kind = REQUEST_QUEUE_CLIENT, .id = bytes_of(id, sizeof id), .key = &w.key}};
    assert_err(start(&to, &c), ARGUMENT);
    to.purpose = purpose;
    call(&to);
    assert_int_equal(w.done[0], HEARTH_OK);
}

/* ME5: calls of one purpose share a connection, and nothing else does. */
static void test_connections_by_purpose(void **state)
{
    (void)state;
    uint8_t one[16] = {1}, two[16] = {2};
    const struct pipe_net *pipes = &w.loop->pipes;
    call(&(struct api_to){.domain = "a.test", .purpose = one});
    call(&(struct api_to){.domain = "a.test", .purpose = one});
    assert_int_equal(pipes->connections, 1);
    call(&(struct api_to){.domain = "a.test", .purpose = two});
    assert_int_equal(pipes->connections, 2);
    call(&(struct api_to){.domain = "a.test"});
    call(&(struct api_to){.domain = "a.test"});
    assert_int_equal(pipes->connections, 3);
    /* anonymous calls of another method do not say that they are of the same client */
    Hearth__V1__GetKeysRequest keys = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    const struct api_to anonymous = {.domain = "a.test"};
    struct api_call *other;
    assert_ok(api_start(w.api, &anonymous, api_endpoint("Info", "GetKeys"), &keys.base, on_done,
                        NULL, &other));
    run_ms(100);
    assert_int_equal(pipes->connections, 4);
    run_ms(61000); /* idle ones are closed, and made anew */
    call(&(struct api_to){.domain = "a.test", .purpose = one});
    assert_int_equal(pipes->connections, 5);
    /* as many purposes as one likes */
    for (unsigned i = 0; i < 300; i++) {
        uint8_t many[16] = {9, (uint8_t)i, (uint8_t)(i >> 8)};
        struct api_call *c;
        w.calls = 0;
        buf_clear(&w.auths[0]);
        w.done_count = 0;
        assert_ok(start(&(struct api_to){.domain = "a.test", .purpose = many}, &c));
        run_ms(10);
        assert_int_equal(w.done_count, 1);
    }
}

static void test_domains(void **state)
{
    (void)state;
    struct api_call *c;
    assert_err(start(&(struct api_to){.domain = "127.0.0.1"}, &c), DOMAIN);
    assert_err(start(&(struct api_to){.domain = "No.Domain"}, &c), DOMAIN);
    /* names of development are called where they are listed */
    assert_err(start(&(struct api_to){.domain = "c.test"}, &c), DOMAIN);
    assert_err(start(&(struct api_to){.domain = "localhost"}, &c), DOMAIN);
    struct api *api = NULL;
    struct api_options options = {.loop = w.loop, .clock = &w.clock, .rng = &w.rng};
    const char *const wrong[] = {"a.test", "=pipe:a", "a.test=", "a.test=x,b", "A.test=x", NULL};
    for (size_t i = 0; wrong[i] != NULL; i++) {
        options.homeservers = wrong[i];
        assert_err(api_new(&options, &api), ARGUMENT);
    }
    assert_null(api);
    /* nobody there */
    call(&(struct api_to){.domain = "b.test"});
    assert_int_equal(w.done[0], HEARTH_UNAVAILABLE);
}

static void test_cancelled_is_not_told(void **state)
{
    (void)state;
    struct api_call *c;
    assert_ok(start(&(struct api_to){.domain = "a.test"}, &c));
    api_cancel(c);
    run_ms(1000);
    assert_int_equal(w.done_count, 0);
    api_silence(w.api);
    assert_err(start(&(struct api_to){.domain = "a.test"}, &c), RPC_CLOSED);
}

struct stream {
    unsigned done;
    enum hearth_code code;
};

static void stream_done(struct hearth_client_call *c, const struct hearth_status *status, void *arg)
{
    struct stream *s = arg;
    (void)c;
    s->done++;
    s->code = status->code;
}

static struct hearth_client_call *open_stream(struct stream *s)
{
    static const struct hearth_stream_events events = {.on_done = stream_done};
    static const uint8_t purpose[16] = {1}, id[16] = {5};
    struct api_to to = {
        .domain = "a.test",
        .purpose = purpose,
        .caller = {.kind = REQUEST_QUEUE_CLIENT, .id = bytes_of(id, sizeof id), .key = &w.key}};
    struct hearth_client_call *c;
    Hearth__V1__ListenStart from = HEARTH__V1__LISTEN_START__INIT;
    Hearth__V1__ListenRequest first = HEARTH__V1__LISTEN_REQUEST__INIT;
    assert_ok(api_open(w.api, &to, api_endpoint("Queue", "Listen"), &events, s, &c));
    first.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    first.start = &from;
    assert_int_equal(hearth_client_call_write(c, &first.base), 1);
    run_ms(1000);
    return c;
}

static void test_streams(void **state)
{
    (void)state;
    struct stream s = {0};
    struct hearth_client_call *c = open_stream(&s);
    assert_true(w.auths[0].len > 0);
    run_ms(120000); /* no deadline unless it is said */
    assert_int_equal(s.done, 0);
    hearth_client_call_cancel(c);
    run_ms(1);
    assert_int_equal(s.done, 1);
    assert_int_equal(s.code, HEARTH_CANCELLED);
    /* the end of all ends it */
    s = (struct stream){0};
    (void)open_stream(&s);
    api_free(w.api);
    w.api = NULL;
    assert_int_equal(s.done, 1);
    assert_int_equal(s.code, HEARTH_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_endpoints),
        TEST(test_unsigned_and_signed),
        TEST(test_each_attempt_has_its_own_nonce),
        TEST(test_tokens),
        TEST(test_signed_is_not_anonymous),
        TEST(test_connections_by_purpose),
        TEST(test_domains),
        TEST(test_cancelled_is_not_told),
        TEST(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
