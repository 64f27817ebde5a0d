/* Many callers of one group at once, against store threads and two loops: nothing is lost, nothing
 * twice, and (under the thread sanitizer) nothing races. No courier: what was accepted lies in the
 * outbox and is counted there. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "hearth/v1/delivery_rpc.h"
#include "mls/codec/message.h"
#include "seal/request_auth.h"
#include "server/delivery/group_state.h"
#include "server/delivery/group_store.h"
#include "support/store_dir.h"
#include "support/test.h"

#define DOMAIN "a.test"
enum { MEMBERS = 8, SENDS = 30 };

static struct front_env env;
static struct front *front;
static struct delivery *delivery;
static struct hearth_server *server;
static struct sig_key keys[MEMBERS];
static uint8_t pseudonyms[MEMBERS][PSEUDONYM_BYTES];
static uint8_t refs[MEMBERS][96];
static uint8_t state_key[STATE_KEY_BYTES] = {9};
static struct buf group_id;
static char address[300];

static struct err insert(struct store_txn *txn, void *sealed)
{
    return group_store_insert(txn, delivery, buf_view(&group_id), sealed, delivery_now_s(delivery));
}

/* Senders need leaves only. Months behind, so that everybody's first message writes the state,
 * and they get into each other's way. */
static void store_group(void)
{
    struct group_state state = {.suite = suite_find(1), .epoch = 5};
    struct sealed_group sealed;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &keys[i]));
        assert_ok(rng_fill(&rng_system, pseudonyms[i], PSEUDONYM_BYTES));
        assert_ok(rng_fill(&rng_system, refs[i], sizeof refs[i]));
        struct bytes pseudonym = bytes_of(pseudonyms[i], PSEUDONYM_BYTES);
        struct leaf_entry leaf = {
            .index = i,
            .month = month_of(delivery_now_s(delivery)) - 3,
            .signature_key = public_key_view(&keys[i].public_key),
            .pseudonym = pseudonym,
            .user_pseudonym = pseudonym,
            .wrapped_identity_key = bytes_str("wrapped"),
            .domain = bytes_str("c.test"),
            .sealed_ref = bytes_of(refs[i], sizeof refs[i]),
            .ref_signature = bytes_str("signature"),
        };
        assert_ok(group_state_put(&state, &leaf));
    }
    assert_ok(group_seal(delivery, buf_view(&group_id), state_key, 1, &state, &sealed));
    assert_ok(store_call(delivery_store(delivery), insert, &sealed));
    sealed_group_clear(&sealed);
    group_state_clear(&state);
}

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    const uint32_t *leaf = self;
    uint8_t nonce[REQUEST_NONCE_BYTES];
    struct digest hash;
    struct buf id = BUF_INIT;
    struct buf header = BUF_INIT;
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    member_id_write(&id, &(struct member_id){buf_view(&group_id), *leaf});
    bool ok = err_is_ok(rng_fill(&rng_system, nonce, sizeof nonce));
    struct request_auth auth = {.kind = REQUEST_MEMBER,
                                .id = buf_view(&id),
                                .audience = bytes_str(DOMAIN),
                                .time_ms = clock_unix_ms(&clock_system),
                                .nonce = nonce};
    ok = ok && err_is_ok(request_auth_sign(&header, &auth, bytes_str(endpoint->path), hash.data,
                                           &keys[*leaf]));
    ok = ok && hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len);
    buf_clear(&id);
    buf_clear(&header);
    return ok ? HEARTH_OK : HEARTH_INTERNAL;
}

static bool send_one(struct hearth_channel *channel, uint32_t leaf, int number)
{
    Hearth__V1__SendMessageRequest in;
    Hearth__V1__Idempotency once;
    Hearth__V1__GroupAccess group;
    Hearth__V1__SendMessageResponse *out = NULL;
    struct hearth_status status = {0};
    uint8_t id[16] = {(uint8_t)leaf, (uint8_t)number, 1};
    struct buf message = BUF_INIT;
    struct mls_message m = {.wire_format = WIRE_FORMAT_PRIVATE_MESSAGE,
                            .private_message = {.group_id = buf_view(&group_id),
                                                .epoch = 5,
                                                .content_type = CONTENT_APPLICATION,
                                                .encrypted_sender_data = bytes_str("data"),
                                                .ciphertext = bytes_str("text")}};
    struct hearth_call_options options = {.signer = {sign, &leaf}, .no_retry = true};
    mls_message_write(&message, &m);
    hearth__v1__send_message_request__init(&in);
    hearth__v1__idempotency__init(&once);
    hearth__v1__group_access__init(&group);
    once.id = (ProtobufCBinaryData){sizeof id, id};
    group.group_id = (ProtobufCBinaryData){group_id.len, group_id.data};
    group.state_key = (ProtobufCBinaryData){sizeof state_key, state_key};
    in.idempotency = &once;
    in.group = &group;
    in.message = (ProtobufCBinaryData){message.len, message.data};
    enum hearth_code code = hearth_delivery_send_message(channel, &options, &in, &out, &status);
    if (code != HEARTH_OK && code != HEARTH_UNAVAILABLE)
        (void)fprintf(stderr, "send: %s %s\n", hearth_code_name(code),
                      status.message != NULL ? status.message : "");
    if (out != NULL)
        protobuf_c_message_free_unpacked(&out->base, NULL);
    hearth_status_clear(&status);
    buf_clear(&message);
    return code == HEARTH_OK;
}

/* Each sends everything twice: the second time is a repetition. */
static void *sender(void *arg)
{
    uint32_t leaf = (uint32_t)(uintptr_t)arg;
    struct hearth_channel *channel = hearth_channel_new(address, NULL);
    uintptr_t sent = 0;
    for (int i = 0; i < SENDS; i++) {
        sent += send_one(channel, leaf, i);
        if (i % 3 == 0)
            (void)send_one(channel, leaf, i);
    }
    hearth_channel_free(channel);
    return (void *)sent; /* NOLINT: a count */
}

static void members_at_once(void **state)
{
    (void)state;
    pthread_t threads[MEMBERS];
    for (uintptr_t i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, (void *)i), 0);
    uintptr_t sent = 0;
    for (int i = 0; i < MEMBERS; i++) {
        void *count;
        assert_int_equal(pthread_join(threads[i], &count), 0);
        sent += (uintptr_t)count;
    }
    assert_int_equal(sent, MEMBERS * SENDS);
    struct delivery_stats stats;
    assert_ok(delivery_stats(delivery, &stats));
    assert_int_equal(stats.outbox_rows, MEMBERS * SENDS * (MEMBERS - 1));
    assert_int_equal(stats.answers, MEMBERS * SENDS);
}

/* The server goes while calls are under way: whoever was answered OK has rows, and nothing hangs.
 */
static void a_server_that_ends(void **state)
{
    (void)state;
    pthread_t threads[MEMBERS];
    for (uintptr_t i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, (void *)i), 0);
    usleep(30000);
    hearth_server_free(server);
    server = NULL;
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static struct store_dir folder;

static int setup(void **state)
{
    (void)state;
    store_dir_make_fast(&folder);
    struct front_options front_options = {0};
    struct delivery_options options = {0};
    static struct hearth_interceptor interceptor;
    (void)snprintf(address, sizeof address, "unix:%s/s", folder.folder);
    env = (struct front_env){
        .domain = DOMAIN, .development = true, .clock = &clock_system, .rng = &rng_system};
    domain_name_write(
        &group_id, &(struct domain_name){(const uint8_t *)"0123456789abcdef", bytes_str(DOMAIN)});
    assert_ok(keeper_open(NULL, bytes_str(DOMAIN), &clock_system, &rng_system, &env.keeper));
    assert_ok(front_new(&env, &front_options, &front));
    limits_switch_off(front_limits(front));
    options.store.path = folder.path;
    options.store.mode = STORE_THREADS;
    assert_ok(delivery_open(&env, &options, &delivery));
    interceptor = front_interceptor(front);
    server = hearth_server_new(&(struct hearth_server_options){
        .threads = 2, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1});
    assert_non_null(server);
    assert_ok(delivery_add(delivery, server));
    assert_true(hearth_server_listen(server, address, NULL));
    assert_true(hearth_server_start(server));
    store_group();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hearth_server_free(server);
    delivery_close(delivery);
    front_free(front);
    keeper_close(env.keeper);
    for (int i = 0; i < MEMBERS; i++)
        sig_key_clear(&keys[i]);
    buf_clear(&group_id);
    store_dir_remove(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
