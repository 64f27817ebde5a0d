#include "support/test.h"

#include "crypto/labelled.h"
#include "seal/names.h"
#include "seal/request_auth.h"
#include "wire/writer.h"

static const uint8_t nonce[REQUEST_NONCE_BYTES] = {9, 8, 7};
static const uint8_t body_hash[REQUEST_BODY_HASH_BYTES] = {0xab};
static const uint8_t uuid[UUID_BYTES] = {1};
#define PATH bytes_str("/hearth.v1.Auth/GetUser")

static struct sig_key key;

static struct request_auth an_auth(void)
{
    return (struct request_auth){
        REQUEST_QUEUE_USER, bytes_of(uuid, 16), bytes_str("a.example"), 1700000000123, nonce,
        bytes_of(NULL, 0)};
}

static struct bytes key_view(void)
{
    return public_key_view(&key.public_key);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct request_auth auth = an_auth(), got;
    assert_ok(request_auth_sign(&b, &auth, PATH, body_hash, &key));
    assert_ok(request_auth_parse(buf_view(&b), &got));
    assert_int_equal(got.kind, REQUEST_QUEUE_USER);
    assert_int_equal(got.time_ms, auth.time_ms);
    test_assert_bytes(got.id, auth.id);
    test_assert_bytes(got.audience, auth.audience);
    assert_memory_equal(got.nonce, nonce, sizeof nonce);
    assert_ok(request_auth_verify(&got, PATH, body_hash, &sig_ed25519, key_view()));
    buf_clear(&b);
}

/* The signed bytes by hand: another client's author reads this. */
static void test_signed_bytes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, tbs = BUF_INIT;
    struct request_auth auth = an_auth(), got;
    assert_ok(request_auth_sign(&b, &auth, PATH, body_hash, &key));
    assert_ok(request_auth_parse(buf_view(&b), &got));
    buf_append(&tbs, "\x01\x04\x10", 3);
    buf_append(&tbs, uuid, 16);
    buf_append(&tbs,
               "\x09"
               "a.example",
               10);
    wire_write_u64(&tbs, auth.time_ms);
    buf_append(&tbs, nonce, 16);
    buf_append(&tbs, "\x17/hearth.v1.Auth/GetUser", 24);
    buf_append(&tbs, body_hash, 32);
    assert_ok(labelled_verify(&sig_ed25519, key_view(), bytes_str("Hearth 1 "),
                              bytes_str("Request"), buf_view(&tbs), got.signature));
    buf_clear(&b);
    buf_clear(&tbs);
}

/* Each thing that the signature is to bind. */
static void test_binds(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct request_auth auth = an_auth(), got, changed;
    assert_ok(request_auth_sign(&b, &auth, PATH, body_hash, &key));
    assert_ok(request_auth_parse(buf_view(&b), &got));
    static const uint8_t other[32] = {0x55};
    struct err err;
#define REFUSED(change, path, hash)                                            \
    changed = got;                                                             \
    change;                                                                    \
    err = request_auth_verify(&changed, path, hash, &sig_ed25519, key_view()); \
    assert_err(err, CRYPTO_SIGNATURE)
    REFUSED(changed.kind = REQUEST_QUEUE_CLIENT, PATH, body_hash);
    REFUSED(changed.id = bytes_of(other, 16), PATH, body_hash);
    REFUSED(changed.audience = bytes_str("b.example"), PATH, body_hash);
    REFUSED(changed.time_ms++, PATH, body_hash);
    REFUSED(changed.nonce = other, PATH, body_hash);
    REFUSED((void)0, bytes_str("/hearth.v1.Auth/GetUsers"), body_hash);
    REFUSED((void)0, PATH, other);
#undef REFUSED
    buf_clear(&b);
}

static void test_forms(void **state)
{
    (void)state;
    struct buf good = BUF_INIT, b = BUF_INIT;
    struct request_auth auth = an_auth(), got;
    assert_ok(request_auth_sign(&good, &auth, PATH, body_hash, &key));
    for (size_t len = 0; len < good.len; len++)
        assert_false(err_is_ok(request_auth_parse(bytes_of(good.data, len), &got)));
    buf_append_byte(&good, 0);
    assert_err(request_auth_parse(buf_view(&good), &got), WIRE_TRAILING);
    good.len--;
    for (unsigned version = 0; version < 256; version++) {
        good.data[0] = (uint8_t)version;
        struct err err = request_auth_parse(buf_view(&good), &got);
        assert_true(version == 1 ? err_is_ok(err) : err.code == ERR_WIRE_VALUE);
    }
    good.data[0] = 1;
    for (unsigned kind = 0; kind < 256; kind++) {
        good.data[1] = (uint8_t)kind;
        struct err err = request_auth_parse(buf_view(&good), &got);
        /* an id of 16 bytes is also a witness's name */
        bool fits =
            kind == REQUEST_QUEUE_USER || kind == REQUEST_QUEUE_CLIENT || kind == REQUEST_WITNESS;
        assert_true(fits ? err_is_ok(err) : err.code == ERR_WIRE_VALUE);
    }
    buf_append(&b, good.data, good.len);
    b.data[1] = REQUEST_QUEUE_USER;
    b.data[20] = 'A'; /* the audience is no domain */
    assert_err(request_auth_parse(buf_view(&b), &got), WIRE_VALUE);
    static const uint8_t zeros[REQUEST_AUTH_MAX_BYTES + 1] = {1};
    assert_err(request_auth_parse(bytes_of(zeros, sizeof zeros), &got), WIRE_LIMIT);
    buf_clear(&b);
    buf_clear(&good);
}

/* Of each kind an id that fits and some that don't: neither signed nor read. */
static void test_ids(void **state)
{
    (void)state;
    static const uint8_t bytes[REQUEST_ID_MAX_BYTES + 1] = {1};
    struct buf client = BUF_INIT, group = BUF_INIT, member = BUF_INIT;
    struct domain_name name = {uuid, bytes_str("a.example")};
    client_id_write(&client, &(struct client_id){name, uuid});
    domain_name_write(&group, &name);
    member_id_write(&member, &(struct member_id){buf_view(&group), 1});
    const struct {
        enum request_caller kind;
        struct bytes good, bad[2];
    } rows[] = {
        {REQUEST_CLIENT, buf_view(&client), {buf_view(&group), {bytes, 32}}},
        {REQUEST_HANDLE, {bytes, 32}, {{bytes, 31}, {bytes, 33}}},
        {REQUEST_QUEUE_USER, {bytes, 16}, {{bytes, 15}, {bytes, 17}}},
        {REQUEST_QUEUE_CLIENT, {bytes, 16}, {{bytes, 15}, {bytes, 17}}},
        {REQUEST_MEMBER, buf_view(&member), {buf_view(&group), {bytes, 0}}},
        {REQUEST_JOINER, {bytes, 48}, {{bytes, 31}, {bytes, 65}}},
        {REQUEST_HOMESERVER, bytes_str("b.example"), {bytes_str("b"), bytes_str("127.0.0.1")}},
        {REQUEST_WITNESS, bytes_str("w"), {{bytes, 0}, {bytes, REQUEST_ID_MAX_BYTES + 1}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = BUF_INIT;
        struct request_auth got, auth = an_auth();
        auth.kind = rows[i].kind;
        auth.id = rows[i].good;
        assert_ok(request_auth_sign(&b, &auth, PATH, body_hash, &key));
        assert_ok(request_auth_parse(buf_view(&b), &got));
        assert_ok(request_auth_verify(&got, PATH, body_hash, &sig_ed25519, key_view()));
        struct bytes signature = got.signature;
        for (int j = 0; j < 2; j++) {
            struct buf by_hand = BUF_INIT;
            auth.id = rows[i].bad[j];
            size_t len = b.len;
            assert_err(request_auth_sign(&b, &auth, PATH, body_hash, &key), ARGUMENT);
            assert_int_equal(b.len, len);
            wire_write_u8(&by_hand, 1);
            wire_write_u8(&by_hand, (uint8_t)auth.kind);
            wire_write_vector(&by_hand, auth.id);
            wire_write_vector(&by_hand, auth.audience);
            wire_write_u64(&by_hand, auth.time_ms);
            buf_append(&by_hand, nonce, sizeof nonce);
            wire_write_vector(&by_hand, signature);
            assert_err(request_auth_parse(buf_view(&by_hand), &got), WIRE_VALUE);
            buf_clear(&by_hand);
        }
        buf_clear(&b);
    }
    buf_clear(&client);
    buf_clear(&group);
    buf_clear(&member);
}

/* The longest id, audience and path pass both ways. */
static void test_longest(void **state)
{
    (void)state;
    char domain[DOMAIN_MAX_BYTES + 1], path[258];
    memset(domain, 'a', sizeof domain);
    for (size_t i = 1; i < 252; i += 2)
        domain[i] = '.';
    struct bytes whole = bytes_of(domain, DOMAIN_MAX_BYTES);
    memset(path, 'p', sizeof path);
    struct buf b = BUF_INIT, id = BUF_INIT;
    client_id_write(&id, &(struct client_id){{uuid, whole}, uuid});
    assert_int_equal(id.len, CLIENT_ID_MAX_BYTES);
    struct request_auth got,
        auth = {REQUEST_CLIENT, buf_view(&id), whole, UINT64_MAX, nonce, bytes_of(NULL, 0)};
    assert_ok(request_auth_sign(&b, &auth, bytes_of(path, 256), body_hash, &key));
    assert_ok(request_auth_parse(buf_view(&b), &got));
    assert_ok(request_auth_verify(&got, bytes_of(path, 256), body_hash, &sig_ed25519, key_view()));
    size_t len = b.len;
    assert_err(request_auth_sign(&b, &auth, bytes_of(path, 257), body_hash, &key), ARGUMENT);
    assert_int_equal(b.len, len);
    assert_err(request_auth_verify(&got, bytes_of(path, 257), body_hash, &sig_ed25519, key_view()),
               ARGUMENT);
    buf_clear(&b);
    buf_clear(&id);
}

static void test_member_id(void **state)
{
    (void)state;
    struct buf group = BUF_INIT, b = BUF_INIT;
    domain_name_write(&group, &(struct domain_name){uuid, bytes_str("a.example")});
    struct member_id got, id = {buf_view(&group), 0x01020304};
    member_id_write(&b, &id);
    assert_ok(member_id_parse(buf_view(&b), &got));
    assert_int_equal(got.leaf_index, 0x01020304);
    test_assert_bytes(got.group_id, buf_view(&group));
    for (size_t len = 0; len < b.len; len++)
        assert_err(member_id_parse(bytes_of(b.data, len), &got), WIRE_SHORT);
    b.data[18] = 'A';
    assert_err(member_id_parse(buf_view(&b), &got), DOMAIN);
    buf_clear(&b);
    buf_clear(&group);
}

int main(void)
{
    const uint8_t seed[32] = {3};
    if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &key)))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_signed_bytes),
        cmocka_unit_test(test_binds),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_ids),        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_member_id),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sig_key_clear(&key);
    return failed;
}
