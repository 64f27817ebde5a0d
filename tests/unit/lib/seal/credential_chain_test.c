#include "support/test.h"

#include "crypto/labelled.h"
#include "seal/credential_chain.h"
#include "seal/names.h"
#include "wire/writer.h"

enum { ROOT, SIGNING, CLIENT, LEVELS };

static struct sig_key keys[LEVELS];
static struct buf made[LEVELS];
static struct credential parsed[LEVELS];
static struct buf client_id_bytes;
static const uint8_t uuid[UUID_BYTES] = {7};

static struct credential fields_of(int level)
{
    struct bytes domain = bytes_str("a.example");
    return (struct credential){
        .kind = (enum credential_kind)(level + 1),
        .not_before = 1000 + (uint64_t)level * 10,
        .not_after = 9000 - (uint64_t)level * 10,
        .subject = level == CLIENT ? buf_view(&client_id_bytes) : domain,
        .public_key = public_key_view(&keys[level].public_key),
    };
}

static const struct credential *signer_of(int level)
{
    return level == ROOT ? NULL : &parsed[level - 1];
}

static struct err make(struct buf *b, int level, const struct credential *fields)
{
    struct credential_signer sign = credential_signer_of(&keys[level == ROOT ? ROOT : level - 1]);
    return credential_make(b, fields, signer_of(level), &sign);
}

static int set_up(void **state)
{
    (void)state;
    struct client_id id = {{uuid, bytes_str("a.example")}, uuid};
    client_id_write(&client_id_bytes, &id);
    for (int i = 0; i < LEVELS; i++) {
        const uint8_t seed[32] = {(uint8_t)(i + 1)};
        assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &keys[i]));
        struct credential fields = fields_of(i);
        assert_ok(make(&made[i], i, &fields));
        assert_ok(credential_parse(buf_view(&made[i]), &parsed[i]));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < LEVELS; i++) {
        sig_key_clear(&keys[i]);
        buf_clear(&made[i]);
    }
    buf_clear(&client_id_bytes);
    return 0;
}

static void test_chain(void **state)
{
    (void)state;
    for (int i = 0; i < LEVELS; i++) {
        struct credential want = fields_of(i);
        assert_int_equal(parsed[i].kind, want.kind);
        assert_int_equal(parsed[i].not_before, want.not_before);
        assert_int_equal(parsed[i].not_after, want.not_after);
        test_assert_bytes(parsed[i].subject, want.subject);
        test_assert_bytes(parsed[i].public_key, want.public_key);
        assert_ok(credential_verify(&parsed[i], signer_of(i)));
    }
    const struct credential *c = parsed;
    assert_ok(credential_chain_verify(&c[ROOT], &c[SIGNING], &c[CLIENT], 1020));
    assert_ok(credential_chain_verify(&c[ROOT], &c[SIGNING], &c[CLIENT], 8980));
    assert_err(credential_chain_verify(&c[ROOT], &c[SIGNING], &c[CLIENT], 1019), CREDENTIAL_TIME);
    assert_err(credential_chain_verify(&c[ROOT], &c[SIGNING], &c[CLIENT], 8981), CREDENTIAL_TIME);
    assert_ok(credential_chain_verify(&c[ROOT], &c[SIGNING], NULL, 1010));
    assert_err(credential_chain_verify(&c[ROOT], &c[SIGNING], NULL, 1009), CREDENTIAL_TIME);
    assert_err(credential_chain_verify(&c[ROOT], &c[CLIENT], NULL, 1100), CREDENTIAL);
    assert_err(credential_chain_verify(&c[SIGNING], &c[SIGNING], NULL, 1100), CREDENTIAL);
}

/* The root by hand: signed bytes, label, fingerprint. */
static void test_bytes(void **state)
{
    (void)state;
    struct buf tbs = BUF_INIT;
    buf_append(&tbs, "\x01\x01\x00\x01", 4);
    wire_write_u64(&tbs, 1000);
    wire_write_u64(&tbs, 9000);
    for (int i = 0; i < 32; i++)
        buf_append_byte(&tbs, 0);
    buf_append(&tbs,
               "\x09"
               "a.example\x20",
               11);
    buf_append_bytes(&tbs, public_key_view(&keys[ROOT].public_key));
    test_assert_bytes(parsed[ROOT].tbs, buf_view(&tbs));
    assert_ok(labelled_verify(&sig_ed25519, parsed[ROOT].public_key, bytes_str("Hearth 1 "),
                              bytes_str("AsCredential"), buf_view(&tbs), parsed[ROOT].signature));
    struct buf all = BUF_INIT;
    struct digest digest;
    buf_append_bytes(&all, bytes_str("Hearth 1 Credential"));
    buf_append_bytes(&all, parsed[ROOT].whole);
    hash_once(&hash_sha256, buf_view(&all), &digest);
    assert_memory_equal(digest.data, parsed[SIGNING].signer, 32);
    buf_clear(&all);
    buf_clear(&tbs);
}

/* Each byte of a credential matters: no other one verifies in its place. */
static void test_each_byte(void **state)
{
    (void)state;
    for (int level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < made[level].len; i++) {
            uint8_t copy[CREDENTIAL_MAX_BYTES];
            memcpy(copy, made[level].data, made[level].len);
            copy[i] ^= 0x20;
            struct credential c;
            struct err err = credential_parse(bytes_of(copy, made[level].len), &c);
            if (err_is_ok(err))
                err = credential_verify(&c, signer_of(level));
            assert_false(err_is_ok(err));
        }
        for (size_t len = 0; len < made[level].len; len++) {
            struct credential c;
            assert_err(credential_parse(bytes_of(made[level].data, len), &c), WIRE_SHORT);
        }
    }
    struct credential c;
    uint8_t longer[CREDENTIAL_MAX_BYTES + 1] = {0};
    memcpy(longer, made[CLIENT].data, made[CLIENT].len);
    assert_err(credential_parse(bytes_of(longer, made[CLIENT].len + 1), &c), WIRE_TRAILING);
    assert_err(credential_parse(bytes_of(longer, sizeof longer), &c), WIRE_LIMIT);
}

/* What credential_make refuses, credential_verify refuses too, where a bad signer made it. */
static void refused_link(int level, const struct credential *fields)
{
    struct buf b = BUF_INIT;
    assert_err(make(&b, level, fields), CREDENTIAL);
    assert_int_equal(b.len, 0);
    /* by hand */
    const struct sig_key *key = &keys[level == ROOT ? ROOT : level - 1];
    static const char *const labels[] = {"AsCredential", "AsSigningCredential", "ClientCredential"};
    uint8_t fingerprint[32];
    credential_fingerprint(signer_of(level)->whole, fingerprint);
    wire_write_u8(&b, 1);
    wire_write_u8(&b, (uint8_t)fields->kind);
    wire_write_u16(&b, 1);
    wire_write_u64(&b, fields->not_before);
    wire_write_u64(&b, fields->not_after);
    buf_append(&b, fingerprint, 32);
    wire_write_vector(&b, fields->subject);
    wire_write_vector(&b, fields->public_key);
    struct signature signature;
    assert_ok(labelled_sign(key, LABEL_HEARTH, bytes_str(labels[fields->kind - 1]), buf_view(&b),
                            &signature));
    wire_write_vector(&b, signature_view(&signature));
    struct credential c;
    struct err err = credential_parse(buf_view(&b), &c);
    if (err_is_ok(err))
        err = credential_verify(&c, signer_of(level));
    assert_err(err, CREDENTIAL);
    buf_clear(&b);
}

static void test_links(void **state)
{
    (void)state;
    struct buf foreign = BUF_INIT;
    client_id_write(&foreign, &(struct client_id){{uuid, bytes_str("b.example")}, uuid});
    for (int level = SIGNING; level < LEVELS; level++) {
        struct credential fields = fields_of(level);
        fields.not_before = parsed[level - 1].not_before - 1;
        refused_link(level, &fields);
        fields = fields_of(level);
        fields.not_after = parsed[level - 1].not_after + 1;
        refused_link(level, &fields);
        fields = fields_of(level);
        fields.not_before = fields.not_after + 1;
        refused_link(level, &fields);
        fields = fields_of(level);
        fields.subject = level == CLIENT ? buf_view(&foreign) : bytes_str("b.example");
        refused_link(level, &fields);
        fields = fields_of(level);
        fields.subject = bytes_str("no domain");
        refused_link(level, &fields);
        fields = fields_of(level);
        fields.public_key.len--;
        refused_link(level, &fields);
    }
    /* one that signs what only its own signer may */
    struct credential fields = fields_of(SIGNING);
    refused_link(CLIENT, &fields);
    fields = fields_of(CLIENT);
    refused_link(SIGNING, &fields);
    buf_clear(&foreign);
}

/* Signed by a sibling with the same name and time: the fingerprint says which one. */
static void test_other_signer(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct credential fields = fields_of(SIGNING), sibling;
    fields.public_key = public_key_view(&keys[CLIENT].public_key);
    assert_ok(make(&b, SIGNING, &fields));
    assert_ok(credential_parse(buf_view(&b), &sibling));
    assert_ok(credential_verify(&sibling, &parsed[ROOT]));
    assert_err(credential_verify(&parsed[CLIENT], &sibling), CREDENTIAL);
    buf_clear(&b);
}

static void test_request(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct credential_request got;
    assert_ok(credential_request_make(&b, buf_view(&client_id_bytes), &keys[CLIENT]));
    assert_ok(credential_request_read(buf_view(&b), &got));
    test_assert_bytes(got.client_id, buf_view(&client_id_bytes));
    test_assert_bytes(got.public_key, public_key_view(&keys[CLIENT].public_key));
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x20;
        assert_false(err_is_ok(credential_request_read(buf_view(&b), &got)));
        b.data[i] ^= 0x20;
        assert_err(credential_request_read(bytes_of(b.data, i), &got), WIRE_SHORT);
    }
    buf_append_byte(&b, 0);
    assert_err(credential_request_read(buf_view(&b), &got), WIRE_TRAILING);
    static const uint8_t longer[CREDENTIAL_MAX_BYTES + 1];
    assert_err(credential_request_read(bytes_of(longer, sizeof longer), &got), WIRE_LIMIT);
    assert_err(credential_request_make(&b, bytes_str("x"), &keys[CLIENT]), CREDENTIAL);
    buf_clear(&b);
}

static void test_revocations(void **state)
{
    (void)state;
    uint8_t list[5 * 32] = {0};
    for (uint8_t i = 0; i < 5; i++)
        list[i * 32] = (uint8_t)(2 * i + 1);
    struct credential_signer sign = credential_signer_of(&keys[SIGNING]);
    for (size_t count = 0; count <= 5; count++) {
        struct buf b = BUF_INIT;
        struct revocations got, fields = {.number = 4,
                                          .time = 5,
                                          .domain = bytes_str("a.example"),
                                          .list = bytes_of(list, count * 32)};
        assert_ok(revocations_make(&b, &fields, &sign));
        assert_ok(revocations_read(buf_view(&b), &parsed[SIGNING], &got));
        assert_int_equal(got.number, 4);
        assert_int_equal(got.time, 5);
        for (unsigned first = 0; first < 16; first++) {
            uint8_t fingerprint[32] = {(uint8_t)first};
            assert_int_equal(revocations_has(&got, fingerprint),
                             first % 2 == 1 && first < 2 * count);
        }
        assert_err(revocations_read(buf_view(&b), &parsed[ROOT], &got), CREDENTIAL);
        for (size_t i = 0; i < b.len; i++) {
            b.data[i] ^= 0x20;
            assert_false(err_is_ok(revocations_read(buf_view(&b), &parsed[SIGNING], &got)));
            b.data[i] ^= 0x20;
        }
        buf_clear(&b);
    }
    /* twice the same, out of order, cut, another's domain */
    struct buf b = BUF_INIT;
    struct revocations fields = {.domain = bytes_str("a.example"), .list = bytes_of(list, 64)};
    list[32] = list[0];
    assert_err(revocations_make(&b, &fields, &sign), CREDENTIAL);
    list[32] = 0;
    assert_err(revocations_make(&b, &fields, &sign), CREDENTIAL);
    fields.list = bytes_of(list, 33);
    assert_err(revocations_make(&b, &fields, &sign), CREDENTIAL);
    fields = (struct revocations){.domain = bytes_str("b.example")};
    struct revocations got;
    assert_ok(revocations_make(&b, &fields, &sign));
    assert_err(revocations_read(buf_view(&b), &parsed[SIGNING], &got), CREDENTIAL);
    buf_clear(&b);
}

static struct err refusing_sign(void *self, struct bytes label, struct bytes content,
                                struct signature *ret_signature)
{
    (void)self;
    (void)label;
    (void)content;
    (void)ret_signature;
    return ERR(IO);
}

/* A keeper that is gone leaves no half credential behind what was there. */
static void test_signer_fails(void **state)
{
    (void)state;
    struct credential_signer sign = {refusing_sign, NULL};
    struct credential fields = fields_of(CLIENT);
    struct revocations list = {.domain = bytes_str("a.example")};
    struct buf b = BUF_INIT;
    buf_append_byte(&b, 1);
    assert_err(credential_make(&b, &fields, &parsed[SIGNING], &sign), IO);
    assert_err(revocations_make(&b, &list, &sign), IO);
    assert_int_equal(b.len, 1);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_each_byte),    cmocka_unit_test(test_links),
        cmocka_unit_test(test_other_signer), cmocka_unit_test(test_request),
        cmocka_unit_test(test_revocations),  cmocka_unit_test(test_signer_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
