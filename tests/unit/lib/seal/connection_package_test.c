#include "support/test.h"

#include "crypto/labelled.h"
#include "seal/connection_package.h"
#include "wire/writer.h"

static struct sig_key key;
static const uint8_t hpke_key[32] = {1}, hash[HANDLE_HASH_BYTES] = {2};

static struct connection_package fields_of(void)
{
    return (struct connection_package){.hpke_key = bytes_of(hpke_key, 32),
                                       .not_before = 10,
                                       .not_after = 20,
                                       .handle_hash = hash,
                                       .last_resort = true};
}

static struct bytes key_view(void)
{
    return public_key_view(&key.public_key);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, tbs = BUF_INIT;
    struct connection_package got, fields = fields_of();
    assert_ok(connection_package_make(&b, &fields, &key));
    assert_ok(connection_package_read(buf_view(&b), key_view(), &got));
    test_assert_bytes(got.hpke_key, fields.hpke_key);
    assert_int_equal(got.not_before, 10);
    assert_int_equal(got.not_after, 20);
    assert_memory_equal(got.handle_hash, hash, 32);
    assert_true(got.last_resort);
    /* by hand */
    buf_append(&tbs, "\x01\x20", 2);
    buf_append(&tbs, hpke_key, 32);
    wire_write_u64(&tbs, 10);
    wire_write_u64(&tbs, 20);
    buf_append(&tbs, hash, 32);
    buf_append_byte(&tbs, 1);
    test_assert_bytes(got.tbs, buf_view(&tbs));
    assert_ok(labelled_verify(&sig_ed25519, key_view(), bytes_str("Hearth 1 "),
                              bytes_str("ConnectionPackage"), buf_view(&tbs), got.signature));
    uint8_t by_hand[32], by_us[32];
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 ConnectionPackageHash"), buf_view(&b)),
              &digest);
    memcpy(by_hand, digest.data, 32);
    connection_package_hash(buf_view(&b), by_us);
    assert_memory_equal(by_us, by_hand, 32);
    buf_clear(&tbs);
    buf_clear(&b);
}

static void test_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct connection_package got, fields = fields_of();
    assert_ok(connection_package_make(&b, &fields, &key));
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x20;
        assert_false(err_is_ok(connection_package_read(buf_view(&b), key_view(), &got)));
        b.data[i] ^= 0x20;
        assert_err(connection_package_read(bytes_of(b.data, i), key_view(), &got), WIRE_SHORT);
    }
    /* by the wrong handle key */
    uint8_t other[32];
    memcpy(other, key.public_key.data, 32);
    other[0] ^= 1;
    assert_false(err_is_ok(connection_package_read(buf_view(&b), bytes_of(other, 32), &got)));
    buf_append_byte(&b, 0);
    assert_err(connection_package_read(buf_view(&b), key_view(), &got), WIRE_TRAILING);
    static const uint8_t longer[CONNECTION_PACKAGE_MAX_BYTES + 1];
    assert_err(connection_package_read(bytes_of(longer, sizeof longer), key_view(), &got),
               WIRE_LIMIT);
    size_t len = b.len;
    fields.not_after = 9;
    assert_err(connection_package_make(&b, &fields, &key), ARGUMENT);
    fields = fields_of();
    fields.hpke_key.len = 31;
    assert_err(connection_package_make(&b, &fields, &key), ARGUMENT);
    assert_int_equal(b.len, len);
    buf_clear(&b);
}

static void test_handles(void **state)
{
    (void)state;
    static const char *const good[] = {"abc", "a-_.9"};
    static const char *const bad[] = {"",    "ab",  "9ab", "-ab",      ".ab",
                                      "aBc", "a b", "a@b", "a\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(handle_check(bytes_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_err(handle_check(bytes_str(bad[i])), ARGUMENT);
    char text[65];
    memset(text, 'a', sizeof text);
    assert_ok(handle_check(bytes_of(text, 63)));
    assert_err(handle_check(bytes_of(text, 64)), ARGUMENT);
}

/* Number from another implementation: npm hash-wasm 4 and Node's SHA-256. */
static void test_handle_hash(void **state)
{
    (void)state;
    uint8_t got[HANDLE_HASH_BYTES];
    assert_ok(handle_hash(bytes_str("alice"), bytes_str("a.example"), got));
    test_assert_hex(bytes_of(got, sizeof got),
                    "5293230deb5d121e9fea5ed0e601f88b59e79224d3c981fd67d4789ad7ded4c8");
    assert_err(handle_hash(bytes_str("Alice"), bytes_str("a.example"), got), ARGUMENT);
    assert_err(handle_hash(bytes_str("alice"), bytes_str("a"), got), DOMAIN);
}

int main(void)
{
    const uint8_t seed[32] = {3};
    if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key)))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_handle_hash),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sig_key_clear(&key);
    return failed;
}
