/* Structures and headers: exact sizes, what is refused, and how the challenge follows. */
#include "crypto/hash.h"
#include "pass/auth_header.h"
#include "pass/base64url.h"
#include "support/test.h"

static const struct bytes none;

static struct pass_public_key some_key(const char *domain, uint8_t class, uint32_t period)
{
    struct voprf_key key;
    struct pass_public_key public;
    uint8_t seed[32] = {7};
    assert_ok(voprf_key_derive(seed, none, &key));
    assert_ok(pass_public_key_init(bytes_str(domain), class, period, key.public_key, &public));
    return public;
}

/* The challenge as token.h lays it down, built here by hand. */
static void challenge(void **state)
{
    (void)state;
    struct voprf_key key;
    struct pass_challenge challenge;
    struct buf b = BUF_INIT;
    uint8_t seed[32] = {7}, context[32], digest[32];
    assert_ok(voprf_key_derive(seed, none, &key));
    pass_token_challenge(bytes_str("a.test"), PASS_QUEUE, 20780, key.public_key, context,
                         &challenge);
    pass_challenge_write(&b, &challenge);
    assert_int_equal(b.len, 2 + 2 + 6 + 1 + 32 + 2 + 6);
    struct digest again;
    hash_once(&hash_sha256, buf_view(&b), &again);
    pass_challenge_digest(&challenge, digest);
    assert_memory_equal(digest, again.data, 32);
    struct pass_public_key public = some_key("a.test", PASS_QUEUE, 20780);
    assert_memory_equal(public.challenge_digest, digest, 32);
    hash_once(&hash_sha256, bytes_of(key.public_key, 32), &again);
    assert_memory_equal(public.key_id, again.data, 32);
    /* SHA-256("Hearth tok 1" || 02 || 0000512c || pk) */
    const uint8_t middle[] = {2, 0, 0, 0x51, 0x2c};
    hash_list(
        &hash_sha256,
        BYTES_LIST(bytes_str("Hearth tok 1"), bytes_of(middle, 5), bytes_of(key.public_key, 32)),
        &again);
    assert_memory_equal(context, again.data, 32);
    test_assert_bytes(bytes_of(b.data + 11, 32), bytes_of(context, 32));
    test_assert_hex(bytes_of(b.data, 11), "00050006612e7465737420");
    buf_clear(&b);
}

/* Class, period and domain each change the challenge, so no token is good elsewhere. */
static void challenges_differ(void **state)
{
    (void)state;
    const struct pass_public_key keys[] = {
        some_key("a.test", PASS_QUEUE, 20780), some_key("b.test", PASS_QUEUE, 20780),
        some_key("a.test", PASS_AUTH, 20780), some_key("a.test", PASS_QUEUE, 20781)};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i].challenge_digest, keys[j].challenge_digest, 32);
    struct pass_public_key key;
    char domain[255] = {0};
    memset(domain, 'a', 254);
    assert_err(pass_public_key_init(bytes_str(domain), 1, 1, keys[0].public_key, &key), ARGUMENT);
    assert_err(pass_public_key_init(none, 1, 1, keys[0].public_key, &key), ARGUMENT);
    assert_err(pass_public_key_init(bytes_str("a"), 0, 1, keys[0].public_key, &key), ARGUMENT);
    assert_err(pass_public_key_init(bytes_str("a"), 6, 1, keys[0].public_key, &key), ARGUMENT);
    memset(domain, 0, 32);
    assert_err(pass_public_key_init(bytes_str("a"), 1, 1, (const uint8_t *)domain, &key),
               CRYPTO_ELEMENT);
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(PASS_TOKEN_BYTES, 162);
    assert_int_equal(PASS_SHORT_BYTES, 101);
    assert_int_equal(PASS_VOUCHER_BYTES, 354);
    uint8_t bytes[360] = {0, 5};
    struct pass_token token;
    for (size_t len = 0; len < sizeof bytes; len++) {
        bytes[1] = 5;
        struct err err = pass_token_parse(bytes_of(bytes, len), &token);
        assert_int_equal(err.code, len == 162  ? ERR_NONE
                                   : len < 162 ? ERR_WIRE_SHORT
                                               : ERR_WIRE_TRAILING);
        bytes[1] = 2;
        err = pass_token_parse(bytes_of(bytes, len), &token);
        assert_int_equal(err.code, len == 354  ? ERR_NONE
                                   : len < 354 ? ERR_WIRE_SHORT
                                               : ERR_WIRE_TRAILING);
        bytes[1] = 1;
        err = pass_token_parse(bytes_of(bytes, len), &token);
        assert_int_equal(err.code, len < 2 ? ERR_WIRE_SHORT : ERR_PASS_TYPE);
        struct pass_short small;
        bytes[0] = PASS_AUTH;
        err = pass_short_parse(bytes_of(bytes, len), &small);
        assert_int_equal(err.code, len == 101  ? ERR_NONE
                                   : len < 101 ? ERR_WIRE_SHORT
                                               : ERR_WIRE_TRAILING);
        bytes[0] = 0;
    }
}

static void short_form(void **state)
{
    (void)state;
    uint8_t bytes[101];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    struct pass_short token;
    bytes[0] = PASS_ATTACHMENT;
    assert_ok(pass_short_parse(bytes_of(bytes, 101), &token));
    assert_int_equal(token.class, 5);
    assert_int_equal(token.period, 0x01020304);
    assert_ptr_equal(token.nonce, bytes + 5);
    assert_ptr_equal(token.authenticator, bytes + 37);
    struct buf b = BUF_INIT;
    pass_short_write(&b, &token);
    test_assert_bytes(buf_view(&b), bytes_of(bytes, 101));
    buf_clear(&b);
    bytes[0] = 0;
    assert_err(pass_short_parse(bytes_of(bytes, 101), &token), WIRE_VALUE);
    bytes[0] = PASS_CLASS_END;
    assert_err(pass_short_parse(bytes_of(bytes, 101), &token), WIRE_VALUE);
}

/* RFC 4648 10, in the url alphabet, and what is not canonical. */
static void base64url(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"f", "Zg=="},         {"fo", "Zm8="},         {"foo", "Zm9v"},      {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8="},
    };
    static const char *const bad[] = {"",     "Z",    "Zg",   "Zg=",    "Zh==",     "Zm9=",
                                      "Z===", "====", "=g==", "Zg=a",   "Zg==Zg==", "Zm9v\n",
                                      "AI==", "Zm 9", "+/8=", "Zm9vYg", "Zm-\x80"};
    uint8_t out[16];
    size_t len;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buf b = BUF_INIT;
        base64url_write(&b, bytes_str(good[i][0]));
        test_assert_bytes(buf_view(&b), bytes_str(good[i][1]));
        assert_true(base64url_read(buf_view(&b), sizeof out, out, &len));
        test_assert_bytes(bytes_of(out, len), bytes_str(good[i][0]));
        assert_true(base64url_read(buf_view(&b), len, out, &len));
        assert_false(base64url_read(buf_view(&b), len - 1, out, &len));
        buf_clear(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64url_read(bytes_str(bad[i]), sizeof out, out, &len))
            fail_msg("taken for base64url: %s", bad[i]);
}

static void authorization(void **state)
{
    (void)state;
    uint8_t token[PASS_VOUCHER_BYTES], got[PASS_VOUCHER_BYTES];
    size_t len;
    for (size_t i = 0; i < sizeof token; i++)
        token[i] = (uint8_t)(3 * i);
    static const size_t lens[] = {PASS_TOKEN_BYTES, PASS_VOUCHER_BYTES, 1, 2, 3};
    for (size_t i = 0; i < 5; i++) {
        struct buf b = BUF_INIT;
        pass_authorization_write(&b, bytes_of(token, lens[i]));
        assert_ok(pass_authorization_parse(buf_view(&b), got, &len));
        test_assert_bytes(bytes_of(got, len), bytes_of(token, lens[i]));
        buf_clear(&b);
    }
    static const char *const good[] = {
        "PrivateToken token=\"Zm8=\"",
        "PrivateToken token=Zm8=",
        "privatetoken TOKEN=\"Zm8=\"",
        "PrivateToken   token = \"Zm8=\" ",
        "PrivateToken a=b, token=\"Zm8=\"",
        "PrivateToken token=\"Zm8=\",extension=\"a,\\\" token=x\"",
        "PrivateToken ,,token=Zm8=,\t,",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err err = pass_authorization_parse(bytes_str(good[i]), got, &len);
        if (!err_is_ok(err) || len != 2 || memcmp(got, "fo", 2) != 0)
            fail_msg("refused: %s", good[i]);
    }
    static const char *const bad[] = {
        "",
        "PrivateToken",
        "PrivateToken ",
        "PrivateToken token",
        "PrivateToken token=",
        "PrivateToken token=\"\"",
        "PrivateToken token=\"Zm8=",
        "PrivateToken token=\"Zm8=\\",
        "PrivateToken token=\"Zm8\"",
        "PrivateToken token=Zm8=, token=Zm8=",
        "PrivateToken token=Zm8= token=Zm8=",
        "PrivateToken a=\"Zm8=\"",
        "PrivateToken =Zm8=",
        "PrivateTokentoken=Zm8=",
        "PrivateToken,token=Zm8=",
        "PrivateToken; token=Zm8=",
        "Bearer token=\"Zm8=\"",
        "PrivateToken token=\"Zm8=\" x",
        "PrivateToken token=\"Z/8=\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (err_is_ok(pass_authorization_parse(bytes_str(bad[i]), got, &len)))
            fail_msg("accepted: %s", bad[i]);
    /* one byte longer than the longest token */
    uint8_t longer[PASS_VOUCHER_BYTES + 1] = {0};
    struct buf b = BUF_INIT;
    pass_authorization_write(&b, bytes_of(longer, sizeof longer));
    assert_err(pass_authorization_parse(buf_view(&b), got, &len), PASS_HEADER);
    /* and a header over its limit, however empty */
    buf_reset_unwiped(&b);
    pass_authorization_write(&b, bytes_of(longer, 3));
    while (b.len <= PASS_AUTHORIZATION_MAX_BYTES)
        buf_append_byte(&b, ' ');
    assert_err(pass_authorization_parse(buf_view(&b), got, &len), PASS_HEADER);
    b.len--;
    assert_ok(pass_authorization_parse(buf_view(&b), got, &len));
    buf_clear(&b);
}

static void www_authenticate(void **state)
{
    (void)state;
    const struct pass_challenge challenge = {PASS_TYPE_TOKEN, bytes_str("a"), none, none};
    struct buf b = BUF_INIT;
    pass_www_authenticate_write(&b, &challenge, bytes_str("key"));
    test_assert_bytes(buf_view(&b),
                      bytes_str("PrivateToken challenge=\"AAUAAWEAAAA=\", token-key=\"a2V5\""));
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenge),
        cmocka_unit_test(challenges_differ),
        cmocka_unit_test(sizes),
        cmocka_unit_test(short_form),
        cmocka_unit_test(base64url),
        cmocka_unit_test(authorization),
        cmocka_unit_test(www_authenticate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
