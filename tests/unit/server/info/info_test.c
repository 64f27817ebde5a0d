/* What anyone may ask: facts, and keys that chain to the root. */
#include "crypto/hash.h"
#include "hearth/v1/info_rpc.h"
#include "net/loop.h"
#include "pass/key_rules.h"
#include "pass/redeem.h"
#include "seal/sealed_ref.h"
#include "seal/server_key.h"
#include "server/info/info.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/reader.h"
#include "wire/writer.h"

static struct {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct front_env env;
    struct front *front;
    struct keeper *keeper;
    struct info *info;
    struct hearth_server *server;
    struct hearth_channel *channel;
} w;

static void begin(const struct info_options *options)
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
    assert_ok(info_open(&w.env, options, &w.info));
    struct hearth_interceptor interceptor = front_interceptor(w.front);
    struct hearth_server_options server = {
        .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&server);
    assert_non_null(w.server);
    assert_ok(info_add(w.info, w.server));
    assert_true(hearth_server_listen(w.server, "pipe:info", NULL));
    assert_true(hearth_server_start_on(w.server, w.loop));
    struct hearth_channel_options channel = {.loop = w.loop};
    w.channel = hearth_channel_new("pipe:info", &channel);
    assert_non_null(w.channel);
}

static void finish(void)
{
    hearth_channel_free(w.channel);
    hearth_server_free(w.server);
    info_close(w.info);
    while (loop_step(w.loop))
        ;
    front_free(w.front);
    keeper_close(w.keeper);
    hearth_loop_free(w.loop);
}

/* The answer, unpacked anew from its bytes so that it outlives the call; NULL: failed. */
struct outcome {
    enum hearth_code code;
    ProtobufCMessage *out;
    bool done;
};

static void keep(struct outcome *o, const struct hearth_status *status, const ProtobufCMessage *out)
{
    o->done = true;
    o->code = status->code;
    if (out == NULL)
        return;
    test_pause_failing();
    size_t len = protobuf_c_message_get_packed_size(out);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(out, bytes);
    o->out = protobuf_c_message_unpack(out->descriptor, NULL, len, bytes);
    free(bytes);
    test_resume_failing();
}

static void info_done(const struct hearth_status *status,
                      const Hearth__V1__GetServerInfoResponse *out, void *arg)
{
    keep(arg, status, out == NULL ? NULL : &out->base);
}

static void keys_done(const struct hearth_status *status, const Hearth__V1__GetKeysResponse *out,
                      void *arg)
{
    keep(arg, status, out == NULL ? NULL : &out->base);
}

static Hearth__V1__GetKeysResponse *ask_keys(struct outcome *o)
{
    Hearth__V1__GetKeysRequest in;
    hearth__v1__get_keys_request__init(&in);
    struct hearth_call_options options = {.no_retry = true, .wait_for_ready = true};
    *o = (struct outcome){0};
    if (hearth_info_get_keys_start(w.channel, &options, &in, keys_done, o) != NULL) {
        loop_run_until(w.loop, w.fake.now_us + 5000000);
        assert_true(o->done);
    }
    return (Hearth__V1__GetKeysResponse *)o->out;
}

static void outcome_clear(struct outcome *o)
{
    if (o->out != NULL)
        protobuf_c_message_free_unpacked(o->out, NULL);
    o->out = NULL;
}

static uint64_t limit_named(const Hearth__V1__GetServerInfoResponse *out, const char *name)
{
    for (size_t i = 0; i < out->n_limits; i++) {
        if (strcmp(out->limits[i]->name, name) == 0)
            return out->limits[i]->value;
    }
    return UINT64_MAX;
}

static void test_facts(void **state)
{
    (void)state;
    struct outcome o = {0};
    Hearth__V1__GetServerInfoRequest in;
    hearth__v1__get_server_info_request__init(&in);
    begin(&(struct info_options){.registration = INFO_REGISTRATION_INVITE});
    front_set_tokens(w.front, true);
    assert_ok(limits_set(front_limits(w.front), "PRICE_MID", 5));
    assert_ok(limits_set(front_limits(w.front), "GROUP_MEMBERS", 77));
    assert_non_null(hearth_info_get_server_info_start(w.channel, NULL, &in, info_done, &o));
    while (loop_step(w.loop))
        ;
    assert_int_equal(o.code, HEARTH_OK);
    const Hearth__V1__GetServerInfoResponse *out = (Hearth__V1__GetServerInfoResponse *)o.out;
    assert_string_equal(out->domain, "a.test");
    assert_int_equal(out->oldest_version, 0);
    assert_int_equal(out->newest_version, INFO_PROTOCOL_VERSION);
    static const uint32_t suites[] = {1, 2, 3, 5, 7};
    assert_int_equal(out->n_mls_suites, 5);
    assert_memory_equal(out->mls_suites, suites, sizeof suites);
    assert_int_equal(out->registration,
                     HEARTH__V1__REGISTRATION_POLICY__REGISTRATION_POLICY_INVITE);
    assert_true(out->tokens_required);
    assert_int_equal(out->prices->low, 1);
    assert_int_equal(out->prices->mid, 5);
    assert_int_equal(out->prices->high, 16);
    assert_int_equal(out->prices->block, 1);
    assert_int_equal(out->prices->credits_per_token, 60);
    assert_int_equal(out->prices->factor, 1);
    assert_int_equal(limit_named(out, "GROUP_MEMBERS"), 77); /* the operator's value */
    assert_int_equal(limit_named(out, "ATTACHMENT_BYTES"), 104857600);
    assert_int_equal(limit_named(out, "REGISTER_ALL"), UINT64_MAX); /* not a client's business */
    outcome_clear(&o);
    finish();
}

static struct bytes key_of(const Hearth__V1__GetKeysResponse *out, Hearth__V1__KeyUse use)
{
    struct bytes found = {0};
    for (size_t i = 0; i < out->n_keys; i++) {
        if (out->keys[i]->use == use) {
            /* one of a kind; external senders one of each scheme, Ed25519's first */
            if (use == HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER && found.len > 0)
                continue;
            assert_int_equal(found.len, 0);
            found = bytes_of(out->keys[i]->key.data, out->keys[i]->key.len);
            assert_null(out->keys[i]->receipt);
        }
    }
    assert_true(found.len > 0);
    return found;
}

enum { CURRENT = 10 }; /* keys that are there without previous ones */

/* The directory behind its statement: the keys that the keeper issues with, from yesterday on, as
 * clients accept them. */
static void check_tokens(const Hearth__V1__GetKeysResponse *out)
{
    struct wire_reader r = wire_reader_of(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_TOKENS));
    struct bytes statement = wire_read_vector(&r), whole = wire_read_vector(&r);
    struct credential signing;
    struct server_key key;
    struct digest digest;
    struct pass_directory directory;
    assert_ok(wire_reader_end(&r));
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    assert_ok(server_key_read(statement, &signing, &key));
    assert_int_equal(key.use, HEARTH__V1__KEY_USE__KEY_USE_TOKENS);
    assert_int_equal(key.algorithm, SERVER_KEY_SHA256);
    hash_once(&hash_sha256, whole, &digest);
    test_assert_bytes(key.public_key, digest_view(&digest));
    assert_ok(pass_directory_parse(whole, &directory));
    assert_int_equal(directory.count, 5 * KEEPER_TOKEN_PUBLIC_DAYS);
    const uint32_t today = pass_period_at(clock_unix_ms(&w.clock) / 1000);
    const struct pass_sighting young = {false, 100, 1000, 0};
    for (uint8_t class = 1; class < PASS_CLASS_END; class ++)
        for (uint32_t i = 0; i < KEEPER_TOKEN_PUBLIC_DAYS; i++) {
            struct pass_public_key accepted;
            uint8_t want[KEEPER_KEY_BYTES];
            assert_ok(pass_token_key_accept(&directory, &young, bytes_str(w.env.domain), class,
                                            today - 1 + i, &accepted));
            assert_ok(keeper_token_public(w.keeper, class, today - 1 + i, want));
            assert_memory_equal(accepted.public_key, want, sizeof want);
        }
}

/* MitM1: everything chains to the root. */
static void check_keys(const Hearth__V1__GetKeysResponse *out, uint64_t now)
{
    static const struct {
        Hearth__V1__KeyUse use;
        enum keeper_signer signer;
    } rows[] = {{HEARTH__V1__KEY_USE__KEY_USE_FEDERATION, KEEPER_FEDERATION},
                {HEARTH__V1__KEY_USE__KEY_USE_LOG, KEEPER_LOG},
                {HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER, KEEPER_EXTERNAL_SENDER}};
    struct credential root, signing;
    struct server_key key;
    struct public_key want;
    struct buf b = BUF_INIT;
    assert_int_equal(out->n_keys, CURRENT);
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT), &root));
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    assert_ok(credential_chain_verify(&root, &signing, NULL, now));
    assert_ok(keeper_credential(w.keeper, KEEPER_AS_ROOT, &b));
    test_assert_bytes(root.whole, buf_view(&b));
    buf_clear(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(server_key_read(key_of(out, rows[i].use), &signing, &key));
        assert_int_equal(key.use, rows[i].use);
        assert_int_equal(key.algorithm, 0x0807);
        assert_true(key.not_before <= now && now < key.not_after);
        assert_true(key.not_after <= signing.not_after);
        assert_ok(keeper_public(w.keeper, rows[i].signer, &want));
        test_assert_bytes(key.public_key, public_key_view(&want));
    }
    assert_ok(
        server_key_read(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING), &signing, &key));
    assert_int_equal(key.algorithm, 0x0020);
    assert_ok(keeper_queue_key(w.keeper, &want));
    test_assert_bytes(key.public_key, public_key_view(&want));
}

/* RFC 9420 12.1.8.1: a group's external sender signs in the scheme of its suite. */
static void check_external(const Hearth__V1__GetKeysResponse *out)
{
    static const uint16_t schemes[] = {0x0807, 0x0403, 0x0503, 0x0603};
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS];
    struct credential signing;
    struct server_key key;
    size_t count = 0, seen = 0;
    assert_ok(keeper_external_keys(w.keeper, keys, &count));
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    for (size_t i = 0; i < out->n_keys; i++) {
        if (out->keys[i]->use != HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER)
            continue;
        assert_true(seen < 4);
        assert_ok(server_key_read(bytes_of(out->keys[i]->key.data, out->keys[i]->key.len), &signing,
                                  &key));
        assert_int_equal(key.algorithm, schemes[seen]);
        assert_int_equal(keys[seen].scheme, schemes[seen]);
        test_assert_bytes(key.public_key, public_key_view(&keys[seen].key));
        seen++;
    }
    assert_int_equal(seen, 4);
}

static void test_mitm1_keys(void **state)
{
    (void)state;
    struct outcome o, before;
    begin(&(struct info_options){0});
    const Hearth__V1__GetKeysResponse *out = ask_keys(&before);
    assert_int_equal(before.code, HEARTH_OK);
    check_keys(out, 1800000001);
    check_external(out);
    check_tokens(out);
    assert_int_equal(out->revocations.len, 0);
    assert_int_equal(out->checkpoint.len, 0);
    /* rotations show when they are told */
    assert_ok(keeper_rotate(w.keeper, KEEPER_FEDERATION));
    assert_ok(keeper_rotate(w.keeper, KEEPER_AS_SIGNING));
    assert_ok(keeper_rotate_queue_key(w.keeper));
    assert_ok(keeper_rotate(w.keeper, KEEPER_EXTERNAL_SENDER));
    assert_ok(info_refresh(w.info));
    const Hearth__V1__GetKeysResponse *fresh = ask_keys(&o);
    check_keys(fresh, 1800000001);
    check_external(fresh);
    assert_false(bytes_equal(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_FEDERATION),
                             key_of(fresh, HEARTH__V1__KEY_USE__KEY_USE_FEDERATION)));
    /* statements are short-lived and made anew */
    outcome_clear(&o);
    w.fake.now_us += UINT64_C(40) * 24 * 3600 * 1000000;
    assert_ok(info_refresh(w.info));
    check_keys(ask_keys(&o), 1800000000 + 40 * 24 * 3600 + 1);
    outcome_clear(&o);
    outcome_clear(&before);
    finish();
}

/* A statement never outlives its signer; when that is over none is made, and the old ones stay. */
static void test_end_of_signer(void **state)
{
    (void)state;
    struct outcome o, after;
    struct credential signing;
    struct server_key key;
    begin(&(struct info_options){0});
    w.fake.now_us += UINT64_C(350) * 24 * 3600 * 1000000;
    assert_ok(info_refresh(w.info));
    const Hearth__V1__GetKeysResponse *out = ask_keys(&o);
    check_keys(out, 1800000000 + 350 * 24 * 3600 + 1);
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    assert_ok(server_key_read(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_LOG), &signing, &key));
    assert_int_equal(key.not_after, signing.not_after);
    w.fake.now_us += UINT64_C(20) * 24 * 3600 * 1000000;
    assert_err(info_refresh(w.info), CREDENTIAL);
    const Hearth__V1__GetKeysResponse *old = ask_keys(&after);
    test_assert_bytes(key_of(old, HEARTH__V1__KEY_USE__KEY_USE_LOG),
                      key_of(out, HEARTH__V1__KEY_USE__KEY_USE_LOG));
    outcome_clear(&after);
    outcome_clear(&o);
    finish();
}

static struct err long_list(void *self, struct buf *b)
{
    size_t *len = self;
    if (*len == 0)
        return ERR(STORE_STOPPED);
    for (size_t i = 0; i < *len; i++)
        buf_append_byte(b, (uint8_t)i);
    return buf_check(b);
}

static void test_revocations(void **state)
{
    (void)state;
    struct outcome o;
    size_t len = 250000;
    begin(&(struct info_options){.revocations = long_list, .revocations_self = &len});
    const Hearth__V1__GetKeysResponse *out = ask_keys(&o);
    assert_int_equal(o.code, HEARTH_OK);
    assert_int_equal(out->revocations.len, 250000);
    assert_int_equal(out->revocations.data[249999], (uint8_t)249999);
    outcome_clear(&o);
    /* no list is no empty list: keys are not given out without it */
    len = 0;
    (void)ask_keys(&o);
    assert_int_equal(o.code, HEARTH_UNAVAILABLE);
    finish();
}

struct earlier {
    unsigned count;
    bool damaged, fails;
};

static struct err append_earlier(void *self, struct buf *b)
{
    const struct earlier *e = self;
    for (unsigned i = 0; i < e->count; i++)
        wire_write_vector(b, bytes_of((const char[]){'n', 'o', (char)('0' + i)}, 3));
    if (e->damaged)
        buf_append_byte(b, 9); /* of so many bytes there are none */
    return e->fails ? ERR(STORE_STOPPED) : buf_check(b);
}

/* Signing credentials before the current one come last, newest first, and not without end. */
static void test_previous(void **state)
{
    (void)state;
    struct outcome o;
    struct earlier e = {.count = 2};
    const struct info_options options = {.previous = append_earlier, .previous_self = &e};
    begin(&options);
    for (unsigned count = 2; count <= INFO_PREVIOUS_MOST + 2; count += INFO_PREVIOUS_MOST) {
        unsigned want = count < INFO_PREVIOUS_MOST ? count : INFO_PREVIOUS_MOST;
        e.count = count;
        assert_ok(info_refresh(w.info));
        Hearth__V1__GetKeysResponse *out = ask_keys(&o);
        assert_int_equal(out->n_keys, CURRENT + want);
        for (unsigned i = 0; i < want; i++) {
            const Hearth__V1__ServerKey *key = out->keys[CURRENT + i];
            assert_int_equal(key->use, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING);
            test_assert_bytes(bytes_of(key->key.data, key->key.len),
                              bytes_of((const char[]){'n', 'o', (char)('0' + i)}, 3));
        }
        outcome_clear(&o);
    }
    /* what can't be had leaves the answer as it was */
    e = (struct earlier){.count = 1, .damaged = true};
    assert_false(err_is_ok(info_refresh(w.info)));
    e = (struct earlier){.count = 1, .fails = true};
    assert_err(info_refresh(w.info), STORE_STOPPED);
    assert_int_equal(ask_keys(&o)->n_keys, CURRENT + INFO_PREVIOUS_MOST);
    outcome_clear(&o);
    finish();
}

/* Each allocation of ours fails once. */
static void test_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    bool failed = true;
    size_t len = 100;
    for (long n = 0; failed; n++) {
        struct outcome o;
        long live = test_live_allocations();
        begin(&(struct info_options){.revocations = long_list, .revocations_self = &len});
        test_fail_own_allocation(n);
        struct err err = info_refresh(w.info);
        (void)ask_keys(&o);
        failed = test_allocation_failed();
        assert_true(err_is_ok(err) || err.code == ERR_NO_MEMORY);
        outcome_clear(&o);
        const Hearth__V1__GetKeysResponse *out = ask_keys(&o);
        assert_int_equal(o.code, HEARTH_OK);
        check_keys(out, 1800000001); /* the old answer stays */
        outcome_clear(&o);
        finish();
        assert_int_equal(test_live_allocations(), live);
    }
}

/* Opening fails as a whole or not at all. */
static void test_open_allocations(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct info_options options = {0};
    struct info *info;
    bool failed;
    long n = 0;
    begin(&options);
    do {
        long live = test_live_allocations();
        test_fail_own_allocation(n++);
        struct err err = info_open(&w.env, &options, &info);
        failed = test_allocation_failed();
        assert_true(err_is_ok(err) ? !failed : failed);
        if (err_is_ok(err))
            info_close(info);
        assert_int_equal(test_live_allocations(), live);
    } while (failed);
    assert_true(n > 2);
    info_close(NULL);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_mitm1_keys),
        cmocka_unit_test(test_end_of_signer),
        cmocka_unit_test(test_revocations),
        cmocka_unit_test(test_previous),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_open_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
