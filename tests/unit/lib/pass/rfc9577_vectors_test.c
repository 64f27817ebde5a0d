/* RFC 9577 appendix A: what an authenticator is computed over, from the parts of a challenge. */
#include <stdio.h>

#include "pass/token.h"
#include "support/test.h"
#include "support/vectors.h"
#include "wire/writer.h"

static struct vectors file;

static void authenticator_input(const json_t *c)
{
    struct bytes want = vectors_hex(&file, c, "token_authenticator_input");
    const struct pass_challenge challenge = {
        .token_type = (uint16_t)strtoul(vectors_text(c, "token_type"), NULL, 16),
        .issuer_name = vectors_hex(&file, c, "issuer_name"),
        .redemption_context = vectors_hex(&file, c, "redemption_context"),
        .origin_info = vectors_hex(&file, c, "origin_info"),
    };
    uint8_t digest[PASS_DIGEST_BYTES];
    pass_challenge_digest(&challenge, digest);
    struct buf b = BUF_INIT;
    wire_write_u16(&b, challenge.token_type);
    wire_write_fixed(&b, vectors_hex(&file, c, "nonce"));
    wire_write_fixed(&b, bytes_of(digest, sizeof digest));
    wire_write_fixed(&b, vectors_hex(&file, c, "token_key_id"));
    test_assert_bytes(buf_view(&b), want);
    /* and a token that begins so is taken apart at the right places */
    for (size_t i = 0; i < 256; i++)
        buf_append_byte(&b, (uint8_t)i);
    struct pass_token token;
    assert_ok(pass_token_parse(buf_view(&b), &token));
    test_assert_bytes(token.input, want);
    test_assert_bytes(token.nonce, vectors_hex(&file, c, "nonce"));
    test_assert_bytes(token.challenge_digest, bytes_of(digest, sizeof digest));
    test_assert_bytes(token.key_id, vectors_hex(&file, c, "token_key_id"));
    assert_int_equal(token.authenticator.len, 256);
    buf_clear(&b);
}

/* A token of a type nobody knows (GREASE, RFC 9577 6.2). */
static void unknown_type(const json_t *c)
{
    struct pass_token token;
    assert_err(pass_token_parse(vectors_hex(&file, c, "token_authenticator_input"), &token),
               PASS_TYPE);
}

static void all(void **state)
{
    (void)state;
    size_t index, challenges = 0, unknown = 0;
    const json_t *c;
    json_array_foreach(vectors_get(file.root, "challenge_redemption"), index, c)
    {
        if (vectors_has(c, "issuer_name")) {
            authenticator_input(c);
            challenges++;
        } else {
            unknown_type(c);
            unknown++;
        }
    }
    printf("RFC 9577: %zu challenges, %zu of an unknown type\n", challenges, unknown);
    assert_true(challenges >= 5 && unknown >= 1);
}

int main(void)
{
    vectors_open(&file, "rfc9577_auth_scheme.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
