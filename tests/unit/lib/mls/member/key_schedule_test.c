/* The key schedule, PSKs and Welcomes beyond the official vectors: hostile kem_output, lengths,
 * failures. */
#include "mls/member/key_schedule.h"

#include "mls/member/psk.h"
#include "mls/member/welcome_protection.h"
#include "support/failing.h"
#include "support/test.h"

static const struct bytes none;

static void external_init(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        const struct suite *suite = &suite_table[i];
        struct secret external, private_key, sent, received = {0};
        struct public_key public_key, kem_output;
        assert_ok(secret_random(&rng_system, suite_hash_bytes(suite), &external));
        assert_ok(key_schedule_external_pair(suite, &external, &private_key, &public_key));
        assert_ok(key_schedule_external_send(suite, &rng_system, public_key_view(&public_key),
                                             &sent, &kem_output));
        /* each kem_output of wrong length or form is refused, and nothing is written */
        for (size_t len = 0; len < kem_output.len; len++)
            assert_err(key_schedule_external_receive(suite, &external,
                                                     bytes_of(kem_output.data, len), &received),
                       CRYPTO_KEY_LENGTH);
        static const uint8_t zeros[PUBLIC_KEY_MAX_BYTES];
        struct err err = key_schedule_external_receive(suite, &external,
                                                       bytes_of(zeros, kem_output.len), &received);
        assert_true(err.code == ERR_CRYPTO_DH_ZERO || err.code == ERR_CRYPTO_KEY);
        assert_int_equal(received.len, 0);
        assert_ok(key_schedule_external_receive(suite, &external, public_key_view(&kem_output),
                                                &received));
        assert_true(secret_equal(&sent, &received));
        /* RFC 9420 8.3, spelled out: an empty info, and a label that is exported whole */
        struct hpke_ctx ctx;
        struct secret spelled;
        assert_ok(hpke_setup_receive(&suite->hpke, secret_view(&private_key), none,
                                     public_key_view(&kem_output), BYTES_LIST(none), NULL, &ctx));
        assert_ok(hpke_ctx_export(&ctx, bytes_str("MLS 1.0 external init secret"),
                                  suite_hash_bytes(suite), &spelled));
        assert_true(secret_equal(&sent, &spelled));
        /* under another epoch's secret the output is another */
        external.data[0] ^= 1;
        assert_ok(key_schedule_external_receive(suite, &external, public_key_view(&kem_output),
                                                &received));
        assert_false(secret_equal(&sent, &received));
    }
}

static void exporter(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct secret exporter_secret;
    static uint8_t out[255 * 32 + 1], other[32];
    assert_ok(secret_random(&rng_system, 32, &exporter_secret));
    assert_ok(key_schedule_export(suite, &exporter_secret, bytes_str("l"), none, 255 * 32, out));
    assert_err(
        key_schedule_export(suite, &exporter_secret, bytes_str("l"), none, 255 * 32 + 1, out),
        CRYPTO_LENGTH);
    assert_ok(key_schedule_export(suite, &exporter_secret, bytes_str("l"), none, 32, out));
    assert_ok(key_schedule_export(suite, &exporter_secret, bytes_str("m"), none, 32, other));
    assert_memory_not_equal(out, other, 32);
    assert_ok(
        key_schedule_export(suite, &exporter_secret, bytes_str("l"), bytes_str("c"), 32, other));
    assert_memory_not_equal(out, other, 32);
    /* the length is part of the derivation: a shorter output is no prefix of a longer one */
    assert_ok(key_schedule_export(suite, &exporter_secret, bytes_str("l"), none, 31, other));
    assert_memory_not_equal(out, other, 31);
}

/* Order, index, count and id of PSKs all matter. */
static void psks(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    const struct psk_input a = {bytes_str("id a"), bytes_str("psk a")};
    const struct psk_input b = {bytes_str("id b"), bytes_str("psk b")};
    const struct psk_input lists[][2] = {{a, b}, {b, a}, {a, a}, {{b.id, a.psk}, b}};
    struct secret zero, results[5];
    secret_set_zero(32, &zero);
    for (size_t i = 0; i < 4; i++)
        assert_ok(psk_secret_derive(suite, lists[i], 2, &results[i]));
    assert_ok(psk_secret_derive(suite, &a, 1, &results[4]));
    for (size_t i = 0; i < 5; i++)
        for (size_t j = i + 1; j < 5; j++)
            assert_false(secret_equal(&results[i], &results[j]));
    assert_ok(psk_secret_derive(suite, NULL, 0, &results[0]));
    assert_true(secret_equal(&results[0], &zero));
    results[1].len = 1;
    assert_err(psk_secret_derive(suite, &a, PSK_INPUTS_MAX + 1, &results[1]), TOO_LARGE);
    assert_int_equal(results[1].len, 1);
    if (!test_can_fail_allocations())
        return;
    test_fail_allocation(0);
    struct err err = psk_secret_derive(suite, &a, 1, &results[1]);
    assert_true(test_allocation_failed());
    assert_err(err, NO_MEMORY);
    assert_int_equal(results[1].len, 1);
}

static void welcomes(void **state)
{
    (void)state;
    const struct suite *suite = &suite_table[0];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct secret zero, private_key;
    struct public_key public_key;
    secret_set_zero(32, &zero);
    assert_ok(kem_generate(suite->hpke.kem, &rng_system, &private_key, &public_key));
    struct bytes ref = bytes_str("a reference of 32 bytes, perhaps");
    struct buf entry = BUF_INIT, text = BUF_INIT;
    group_secrets_write(&text, &(struct group_secrets){.joiner_secret = bytes_str("too short")});
    struct bytes info = bytes_str("sealed group info");
    assert_ok(welcome_seal_secrets(suite, &rng_system, ref, public_key_view(&public_key),
                                   buf_view(&text), info, &entry));
    struct welcome welcome = {.cipher_suite = 1,
                              .secrets = buf_view(&entry),
                              .secret_count = 1,
                              .encrypted_group_info = info};
    struct group_secrets secrets;
    struct group_info group_info;
    assert_ok(welcome_open_secrets(suite, &welcome, ref, secret_view(&private_key), none, &arena,
                                   &secrets));
    test_assert_bytes(secrets.joiner_secret, bytes_str("too short"));
    assert_err(
        welcome_open_group_info(suite, &welcome, secrets.joiner_secret, &zero, &arena, &group_info),
        ARGUMENT);
    /* the GroupInfo is bound to the secrets as context */
    welcome.encrypted_group_info = bytes_str("other group info ");
    assert_err(welcome_open_secrets(suite, &welcome, ref, secret_view(&private_key), none, &arena,
                                    &secrets),
               CRYPTO_TAG);
    assert_err(welcome_open_group_info(suite, &welcome, ref, &zero, &arena, &group_info),
               CRYPTO_TAG);
    welcome.encrypted_group_info = bytes_of(info.data, 15);
    assert_err(welcome_open_group_info(suite, &welcome, ref, &zero, &arena, &group_info),
               CRYPTO_TAG);
    buf_clear(&entry);
    buf_clear(&text);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_init),
        cmocka_unit_test(exporter),
        cmocka_unit_test(psks),
        cmocka_unit_test(welcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
