#include "support/test.h"

#include "crypto/labelled.h"
#include "seal/server_key.h"
#include "wire/writer.h"

static struct sig_key key;
static const uint8_t public_bytes[32] = {5};

static struct credential signer(void)
{
    return (struct credential){.kind = CREDENTIAL_AS_SIGNING,
                               .not_before = 10,
                               .not_after = 90,
                               .subject = bytes_str("a.example"),
                               .public_key = public_key_view(&key.public_key)};
}

static struct server_key fields_of(void)
{
    return (struct server_key){.use = 4,
                               .algorithm = SERVER_KEY_ED25519,
                               .not_before = 10,
                               .not_after = 90,
                               .domain = bytes_str("a.example"),
                               .public_key = bytes_of(public_bytes, 32)};
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, tbs = BUF_INIT;
    struct credential signing = signer();
    struct credential_signer sign = credential_signer_of(&key);
    struct server_key got, fields = fields_of();
    assert_ok(server_key_make(&b, &fields, &signing, &sign));
    assert_ok(server_key_read(buf_view(&b), &signing, &got));
    assert_int_equal(got.use, 4);
    assert_int_equal(got.algorithm, 0x0807);
    assert_int_equal(got.not_before, 10);
    assert_int_equal(got.not_after, 90);
    test_assert_bytes(got.domain, fields.domain);
    test_assert_bytes(got.public_key, fields.public_key);
    /* by hand */
    buf_append(&tbs, "\x01\x04\x08\x07", 4);
    wire_write_u64(&tbs, 10);
    wire_write_u64(&tbs, 90);
    buf_append(&tbs,
               "\x09"
               "a.example\x20",
               11);
    buf_append(&tbs, public_bytes, 32);
    assert_ok(labelled_verify(&sig_ed25519, signing.public_key, bytes_str("Hearth 1 "),
                              bytes_str("ServerKey"), buf_view(&tbs), got.signature));
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x20;
        assert_false(err_is_ok(server_key_read(buf_view(&b), &signing, &got)));
        b.data[i] ^= 0x20;
        assert_err(server_key_read(bytes_of(b.data, i), &signing, &got), WIRE_SHORT);
    }
    buf_append_byte(&b, 0);
    assert_err(server_key_read(buf_view(&b), &signing, &got), WIRE_TRAILING);
    static const uint8_t longer[SERVER_KEY_MAX_BYTES + 1];
    assert_err(server_key_read(bytes_of(longer, sizeof longer), &signing, &got), WIRE_LIMIT);
    buf_clear(&tbs);
    buf_clear(&b);
}

static void test_signer(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct credential signing = signer(), other;
    struct credential_signer sign = credential_signer_of(&key);
    struct server_key got, fields = fields_of();
    assert_ok(server_key_make(&b, &fields, &signing, &sign));
#define REFUSED(change)                                                  \
    other = signing;                                                     \
    change;                                                              \
    assert_err(server_key_read(buf_view(&b), &other, &got), CREDENTIAL); \
    len = b.len;                                                         \
    assert_err(server_key_make(&b, &fields, &other, &sign), CREDENTIAL); \
    assert_int_equal(b.len, len)
    size_t len;
    REFUSED(other.kind = CREDENTIAL_AS_ROOT);
    REFUSED(other.kind = CREDENTIAL_CLIENT);
    REFUSED(other.subject = bytes_str("b.example"));
    REFUSED(other.not_before = 11);
    REFUSED(other.not_after = 89);
#undef REFUSED
    fields.not_after = 9;
    assert_err(server_key_make(&b, &fields, &signing, &sign), CREDENTIAL);
    buf_clear(&b);
}

int main(void)
{
    const uint8_t seed[32] = {3};
    if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key)))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_signer),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sig_key_clear(&key);
    return failed;
}
