#include "crypto/aead.h"
#include "seal/credential_chain.h"
#include "seal/leaf_credential.h"
#include "seal/names.h"
#include "support/damage.h"
#include "support/failing.h"
#include "support/test.h"
#include "wire/writer.h"

static struct rng_seeded seeded;
static struct rng rng;
static struct sig_key client_key, leaf_key;
static struct buf client_credential, root_credential;
static uint8_t pseudonym[PSEUDONYM_BYTES], identity_key[IDENTITY_KEY_BYTES];

static void make_credential(struct buf *b, enum credential_kind kind, struct bytes subject)
{
    struct credential_signer sign = credential_signer_of(&client_key);
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES] = {1};
    struct credential signer = {.kind = CREDENTIAL_AS_SIGNING,
                                .not_before = 0,
                                .not_after = 1000,
                                .signer = fingerprint,
                                .subject = bytes_str("a.example")};
    struct credential fields = {.kind = kind,
                                .not_before = 10,
                                .not_after = 20,
                                .subject = subject,
                                .public_key = public_key_view(&client_key.public_key)};
    assert_ok(credential_make(b, &fields, kind == CREDENTIAL_AS_ROOT ? NULL : &signer, &sign));
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t uuid[UUID_BYTES] = {7};
    struct client_id id = {{uuid, bytes_str("a.example")}, uuid};
    struct buf id_bytes = BUF_INIT;
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    assert_ok(sig_key_generate(&sig_ed25519, &rng, &client_key));
    assert_ok(sig_key_generate(&sig_ecdsa_p256_sha256, &rng, &leaf_key));
    assert_ok(rng_fill(&rng, pseudonym, sizeof pseudonym));
    assert_ok(rng_fill(&rng, identity_key, sizeof identity_key));
    client_id_write(&id_bytes, &id);
    make_credential(&client_credential, CREDENTIAL_CLIENT, buf_view(&id_bytes));
    make_credential(&root_credential, CREDENTIAL_AS_ROOT, bytes_str("a.example"));
    buf_clear(&id_bytes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_clear(&client_credential);
    buf_clear(&root_credential);
    sig_key_clear(&leaf_key);
    return 0;
}

static struct bytes leaf_public(void)
{
    return public_key_view(&leaf_key.public_key);
}

static struct err make(struct buf *b, struct bytes credential)
{
    return leaf_credential_make(b, &rng, pseudonym, identity_key, credential, &client_key,
                                leaf_public());
}

static struct err open_it(struct bytes in, const uint8_t *key, struct bytes leaf,
                          struct buf *scratch, struct bytes *ret_credential)
{
    struct leaf_credential parsed;
    TRY(leaf_credential_parse(in, &parsed));
    return leaf_credential_open(&parsed, key, leaf, scratch, ret_credential);
}

static void round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct leaf_credential parsed;
    struct bytes got;
    assert_ok(make(&b, buf_view(&client_credential)));
    assert_ok(leaf_credential_parse(buf_view(&b), &parsed));
    assert_memory_equal(parsed.pseudonym, pseudonym, sizeof pseudonym);
    assert_int_equal(parsed.sealed_identity.len, SEALED_IDENTITY_SHORT_BYTES);
    assert_ok(leaf_credential_open(&parsed, identity_key, leaf_public(), &scratch, &got));
    test_assert_bytes(got, buf_view(&client_credential));
    buf_clear(&b);
    buf_clear(&scratch);
}

/* Whatever the credential's length, the leaf's has one of two. */
static void two_lengths(void **state)
{
    (void)state;
    static uint8_t filler[CREDENTIAL_MAX_BYTES + 1];
    for (size_t len = 0; len <= sizeof filler; len += 3) {
        struct buf b = BUF_INIT;
        struct leaf_credential parsed;
        struct err err = make(&b, bytes_of(filler, len));
        if (len > 1024 - 28 - 4 - 2 - 2 - 64) {
            assert_err(err, TOO_LARGE);
            assert_int_equal(b.len, 0);
            continue;
        }
        assert_ok(err);
        assert_ok(leaf_credential_parse(buf_view(&b), &parsed));
        assert_int_equal(parsed.sealed_identity.len, len <= 512 - 28 - 4 - 2 - 2 - 64 ? 512 : 1024);
        buf_clear(&b);
    }
}

static bool refused(void *self, struct bytes damaged)
{
    (void)self;
    struct buf scratch = BUF_INIT;
    struct bytes got = bytes_str("untouched");
    struct err err = open_it(damaged, identity_key, leaf_public(), &scratch, &got);
    bool well = !err_is_ok(err) && scratch.len == 0 && got.len == 9;
    buf_clear(&scratch);
    return well;
}

static void what_is_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct bytes got;
    uint8_t other[IDENTITY_KEY_BYTES];
    assert_ok(make(&b, buf_view(&client_credential)));
    test_each_damage(buf_view(&b), 100000, refused, NULL);
    memcpy(other, identity_key, sizeof other);
    other[31] ^= 1;
    assert_err(open_it(buf_view(&b), other, leaf_public(), &scratch, &got), CRYPTO_TAG);
    /* somebody who may open it puts it beside a leaf key of his own */
    assert_err(open_it(buf_view(&b), identity_key, public_key_view(&client_key.public_key),
                       &scratch, &got),
               CRYPTO_SIGNATURE);
    buf_clear(&b);
    /* the key inside is that of a service, not of a client */
    assert_ok(make(&b, buf_view(&root_credential)));
    assert_err(open_it(buf_view(&b), identity_key, leaf_public(), &scratch, &got), CREDENTIAL);
    buf_clear(&b);
    assert_ok(make(&b, bytes_str("no credential")));
    assert_false(err_is_ok(open_it(buf_view(&b), identity_key, leaf_public(), &scratch, &got)));
    assert_int_equal(scratch.len, 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

/* He knows the identity key (every member does), moves the sealed contents to his own pseudonym
 * and reseals: the binding names the pseudonym too. */
static void a_moved_identity_is_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, scratch = BUF_INIT, moved = BUF_INIT;
    struct leaf_credential parsed;
    struct secret key = {.len = sizeof identity_key};
    uint8_t text[SEALED_IDENTITY_SHORT_BYTES - 28], his[PSEUDONYM_BYTES] = {1};
    struct bytes got;
    memcpy(key.data, identity_key, sizeof identity_key);
    assert_ok(make(&b, buf_view(&client_credential)));
    assert_ok(leaf_credential_parse(buf_view(&b), &parsed));
    for (int control = 0; control < 2; control++) {
        const uint8_t *under = control == 1 ? pseudonym : his;
        const uint8_t *nonce = parsed.sealed_identity.data;
        assert_ok(aead_open(&aead_aes256_gcm, &key, nonce, bytes_of(pseudonym, 16),
                            bytes_of(nonce + 12, parsed.sealed_identity.len - 12), text));
        wire_write_fixed(&moved, bytes_of(under, PSEUDONYM_BYTES));
        wire_write_varint(&moved, SEALED_IDENTITY_SHORT_BYTES);
        buf_append(&moved, nonce, 12);
        uint8_t *room = buf_extend(&moved, sizeof text + AEAD_TAG_BYTES);
        assert_ok(aead_seal(&aead_aes256_gcm, &key, nonce, bytes_of(under, 16),
                            bytes_of(text, sizeof text), room));
        struct err err = open_it(buf_view(&moved), identity_key, leaf_public(), &scratch, &got);
        if (control == 1)
            assert_ok(err);
        else
            assert_err(err, CRYPTO_SIGNATURE);
        buf_clear(&moved);
    }
    buf_clear(&b);
    buf_clear(&scratch);
}

static const uint8_t wrapping[IDENTITY_KEY_BYTES] = {5};

static bool wrapped_refused(void *self, struct bytes damaged)
{
    (void)self;
    uint8_t got[IDENTITY_KEY_BYTES] = {9}, before[IDENTITY_KEY_BYTES] = {9};
    struct err err = identity_key_unwrap(wrapping, pseudonym, damaged, got);
    return err.code == ERR_CRYPTO_TAG && memcmp(got, before, sizeof got) == 0;
}

static void wrapped_keys(void **state)
{
    (void)state;
    uint8_t wrapped[WRAPPED_KEY_BYTES], got[IDENTITY_KEY_BYTES];
    uint8_t other[PSEUDONYM_BYTES] = {0};
    assert_ok(identity_key_wrap(&rng, wrapping, pseudonym, identity_key, wrapped));
    assert_ok(identity_key_unwrap(wrapping, pseudonym, bytes_of(wrapped, sizeof wrapped), got));
    assert_memory_equal(got, identity_key, sizeof got);
    test_each_damage(bytes_of(wrapped, sizeof wrapped), 100000, wrapped_refused, NULL);
    assert_err(identity_key_unwrap(wrapping, other, bytes_of(wrapped, sizeof wrapped), got),
               CRYPTO_TAG);
    assert_err(identity_key_unwrap(identity_key, pseudonym, bytes_of(wrapped, sizeof wrapped), got),
               CRYPTO_TAG);
}

static void user_pseudonyms(void **state)
{
    (void)state;
    struct signature made;
    uint8_t user[PSEUDONYM_BYTES] = {3}, other[PSEUDONYM_BYTES] = {4};
    struct bytes leaf = leaf_public(), group = bytes_str("group"), new_leaf = bytes_str("new leaf");
    assert_ok(user_pseudonym_sign(&leaf_key, group, user, new_leaf, &made));
    struct bytes s = signature_view(&made);
    const struct sig_alg *alg = leaf_key.alg;
    assert_ok(user_pseudonym_verify(alg, leaf, group, user, new_leaf, s));
    assert_err(user_pseudonym_verify(alg, leaf, bytes_str("grouq"), user, new_leaf, s),
               CRYPTO_SIGNATURE);
    assert_err(user_pseudonym_verify(alg, leaf, group, other, new_leaf, s), CRYPTO_SIGNATURE);
    assert_err(user_pseudonym_verify(alg, leaf, group, user, bytes_str("new leag"), s),
               CRYPTO_SIGNATURE);
    s.len--;
    assert_err(user_pseudonym_verify(alg, leaf, group, user, new_leaf, s), CRYPTO_SIGNATURE);
}

static void roles(void **state)
{
    (void)state;
    static const uint8_t admins[3][PSEUDONYM_BYTES] = {{9}, {1}, {[15] = 5}};
    static const uint8_t stranger[PSEUDONYM_BYTES] = {2};
    struct buf b = BUF_INIT;
    roles_write(&b, admins, 3);
    assert_ok(buf_check(&b));
    assert_ok(roles_check(buf_view(&b)));
    for (int i = 0; i < 3; i++)
        assert_true(roles_is_admin(buf_view(&b), admins[i]));
    assert_false(roles_is_admin(buf_view(&b), stranger));
    for (size_t len = 0; len < b.len; len++) {
        assert_false(err_is_ok(roles_check(bytes_of(b.data, len))));
        assert_false(roles_is_admin(bytes_of(b.data, len), admins[0]));
    }
    /* 1 byte of length, then three of 16: exchanged, and one twice */
    struct buf swapped = BUF_INIT;
    buf_append(&swapped, b.data, b.len);
    memcpy(swapped.data + 1, b.data + 17, 16);
    memcpy(swapped.data + 17, b.data + 1, 16);
    assert_err(roles_check(buf_view(&swapped)), WIRE_VALUE);
    assert_false(roles_is_admin(buf_view(&swapped), admins[0]));
    memcpy(swapped.data + 1, b.data + 17, 16);
    memcpy(swapped.data + 17, b.data + 17, 16);
    assert_err(roles_check(buf_view(&swapped)), WIRE_VALUE);
    assert_err(roles_check(bytes_of("\x0f"
                                    "123456789012345",
                                    16)),
               WIRE_VALUE);
    assert_err(roles_check(bytes_of("\0\0", 2)), WIRE_TRAILING);
    buf_clear(&b);
    roles_write(&b, NULL, 0);
    assert_ok(roles_check(buf_view(&b)));
    assert_false(roles_is_admin(buf_view(&b), stranger));
    buf_clear(&b);
    buf_clear(&swapped);
}

static void failures_change_nothing(void **state)
{
    (void)state;
    for (size_t limit = 4; limit < 4 + 16 + 2 + 512; limit += 11) {
        struct buf b = {.limit = limit};
        buf_append(&b, "kept", 4);
        assert_false(err_is_ok(make(&b, buf_view(&client_credential))));
        assert_int_equal(b.len, 4);
        buf_clear(&b);
    }
    for (long n = 0; test_can_fail_allocations(); n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        struct err err = make(&b, buf_view(&client_credential));
        bool failed = test_allocation_failed();
        assert_true(err_is_ok(err) || (failed && b.len == 0));
        buf_clear(&b);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),      cmocka_unit_test(two_lengths),
        cmocka_unit_test(what_is_refused), cmocka_unit_test(a_moved_identity_is_refused),
        cmocka_unit_test(wrapped_keys),    cmocka_unit_test(user_pseudonyms),
        cmocka_unit_test(roles),           cmocka_unit_test(failures_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
