#include "support/test.h"

#include "crypto/labelled.h"
#include "seal/receipt.h"
#include "wire/writer.h"

static struct sig_key root_key, key, other_key;
static struct buf root, signing, other;
static const uint8_t hash[32] = {7, 8, 9};

static struct receipt fields_of(void)
{
    return (struct receipt){.status = 7,
                            .hour = 487654,
                            .request_hash = hash,
                            .domain = bytes_str("a.test"),
                            .method = bytes_str("/hearth.v1.Queue/Dequeue")};
}

static void make_credential(struct buf *b, enum credential_kind kind, const struct sig_key *of,
                            const struct credential *by)
{
    const struct credential_signer sign = credential_signer_of(&root_key);
    const struct credential fields = {.kind = kind,
                                      .not_before = 10,
                                      .not_after = 90,
                                      .subject = bytes_str("a.test"),
                                      .public_key = public_key_view(&of->public_key)};
    assert_ok(credential_make(b, &fields, by, &sign));
}

static int setup(void **state)
{
    struct credential parsed;
    (void)state;
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &root_key));
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &key));
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &other_key));
    make_credential(&root, CREDENTIAL_AS_ROOT, &root_key, NULL);
    assert_ok(credential_parse(buf_view(&root), &parsed));
    make_credential(&signing, CREDENTIAL_AS_SIGNING, &key, &parsed);
    make_credential(&other, CREDENTIAL_AS_SIGNING, &other_key, &parsed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&root);
    buf_clear(&signing);
    buf_clear(&other);
    return 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    const struct credential_signer sign = credential_signer_of(&key);
    struct receipt fields = fields_of(), got;
    struct buf b = BUF_INIT;
    assert_ok(receipt_make(&b, &fields, buf_view(&signing), &sign));
    assert_true(b.len <= RECEIPT_MAX_BYTES);
    assert_ok(receipt_read(buf_view(&b), buf_view(&signing), &got));
    assert_int_equal(got.status, 7);
    assert_int_equal(got.hour, 487654);
    assert_memory_equal(got.request_hash, hash, 32);
    test_assert_bytes(got.domain, fields.domain);
    test_assert_bytes(got.method, fields.method);
    /* every byte is signed, or is the signature */
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x20;
        assert_false(err_is_ok(receipt_read(buf_view(&b), buf_view(&signing), &got)));
        b.data[i] ^= 0x20;
        assert_err(receipt_read(bytes_of(b.data, i), buf_view(&signing), &got), WIRE_SHORT);
    }
    buf_clear(&b);
}

static void test_signers(void **state)
{
    (void)state;
    const struct credential_signer sign = credential_signer_of(&key),
                                   wrong = credential_signer_of(&other_key);
    struct receipt fields = fields_of(), got;
    struct buf b = BUF_INIT;
    assert_ok(receipt_make(&b, &fields, buf_view(&signing), &sign));
    assert_err(receipt_read(buf_view(&b), buf_view(&other), &got), CREDENTIAL);
    assert_err(receipt_read(buf_view(&b), buf_view(&root), &got), CREDENTIAL);
    buf_clear(&b);
    assert_ok(receipt_make(&b, &fields, buf_view(&signing), &wrong));
    assert_false(err_is_ok(receipt_read(buf_view(&b), buf_view(&signing), &got)));
    buf_clear(&b);
    fields.domain = bytes_str("b.test"); /* another's */
    assert_ok(receipt_make(&b, &fields, buf_view(&signing), &sign));
    assert_err(receipt_read(buf_view(&b), buf_view(&signing), &got), CREDENTIAL);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_signers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
