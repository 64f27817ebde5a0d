/* draft-ietf-privacypass-batched-tokens, type 0x0005, from a Go and a Rust implementation:
 * requests, answers and tokens byte for byte (but for the proofs, which are random: theirs are
 * verified). The files' single issuance is a batch of one in another envelope: its elements and
 * tokens are checked. Type 0x0001 is not ours: named and skipped. */
#include <stdio.h>

#include "crypto/hash.h"
#include "pass/redeem.h"
#include "pass/request.h"
#include "support/test.h"
#include "support/vectors.h"
#include "wire/writer.h"

static struct vectors file;

/* First the nonces as they are, then each blind as 64 bytes that reduce to it. */
struct scripted {
    struct bytes nonces;
    const uint8_t *blinds; /* next one */
};

static struct err scripted_fill(void *self, uint8_t *out, size_t len)
{
    struct scripted *s = self;
    if (s->nonces.len > 0) {
        if (len != s->nonces.len)
            return ERR(IO);
        memcpy(out, s->nonces.data, len);
        s->nonces.len = 0;
        return ERR_OK;
    }
    assert_int_equal(len, 64);
    memset(out, 0, len);
    memcpy(out, s->blinds, 32);
    s->blinds += 32;
    return ERR_OK;
}

/* An array of hex strings, or a single one, end to end. */
static struct bytes joined(const json_t *c, const char *many, const char *one, size_t *ret_count)
{
    struct buf all = BUF_INIT;
    size_t index;
    const json_t *value;
    if (!vectors_has(c, many)) {
        *ret_count = 1;
        return vectors_hex(&file, c, one);
    }
    json_array_foreach(vectors_get(c, many), index, value)
        buf_append_bytes(&all, vectors_hex_of(&file, value));
    *ret_count = json_array_size(vectors_get(c, many));
    struct bytes copy = bytes_of(arena_copy(&file.arena, all.data, all.len), all.len);
    buf_clear(&all);
    return copy;
}

static struct pass_issuer_key key_of(const json_t *c, bool go)
{
    struct pass_issuer_key key = {.public = {.class = PASS_AUTH}};
    struct digest digest;
    assert_ok(voprf_key_init(vectors_hex(&file, c, go ? "skS" : "sk_s").data, &key.voprf));
    test_assert_bytes(bytes_of(key.voprf.public_key, 32),
                      vectors_hex(&file, c, go ? "pkS" : "pk_s"));
    memcpy(key.public.public_key, key.voprf.public_key, 32);
    hash_once(&hash_sha256, bytes_of(key.voprf.public_key, 32), &digest);
    memcpy(key.public.key_id, digest.data, 32);
    /* their challenge, not ours */
    hash_once(&hash_sha256, vectors_hex(&file, c, "token_challenge"), &digest);
    memcpy(key.public.challenge_digest, digest.data, 32);
    return key;
}

static void check_coins(const struct pass_issuer_key *key, const struct pass_coin *coins,
                        size_t count, struct bytes tokens)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        struct pass_token token;
        pass_coin_write_token(&b, &key->public, &coins[i]);
        assert_ok(
            pass_token_parse(bytes_of(b.data + PASS_TOKEN_BYTES * i, PASS_TOKEN_BYTES), &token));
        assert_ok(pass_redeem(key, &token));
    }
    test_assert_bytes(buf_view(&b), tokens);
    buf_clear(&b);
}

static void check_case(const json_t *c, bool go, bool amortized)
{
    struct pass_issuer_key key = key_of(c, go);
    size_t count, same;
    struct bytes nonces = joined(c, "nonces", "nonce", &count);
    struct bytes blinds = joined(c, "blinds", "blind", &same);
    assert_int_equal(same, count);
    struct bytes tokens = joined(c, "tokens", "token", &same);
    assert_int_equal(same, count);
    struct bytes request = vectors_hex(&file, c, "token_request");
    struct bytes response = vectors_hex(&file, c, "token_response");

    struct scripted script = {nonces, blinds.data};
    const struct rng rng = {scripted_fill, &script};
    struct pass_order *order = arena_alloc(&file.arena, sizeof *order);
    assert_ok(pass_order_init(&key.public, count, &rng, order));
    struct buf ours = BUF_INIT, single = BUF_INIT;
    pass_order_write(order, &ours);
    struct bytes elements = bytes_of(response.data, 32);
    if (amortized) {
        test_assert_bytes(buf_view(&ours), request);
    } else { /* the single envelope has no lengths */
        assert_int_equal(ours.len, request.len + 1);
        test_assert_bytes(bytes_of(ours.data, 3), bytes_of(request.data, 3));
        test_assert_bytes(bytes_of(ours.data + 4, 32), bytes_of(request.data + 3, 32));
        wire_write_vector(&single, elements);
        wire_write_fixed(&single, bytes_of(response.data + 32, response.len - 32));
        response = buf_view(&single);
    }
    /* their answer makes their tokens */
    struct pass_coin coins[10];
    assert_in_range(count, 1, 10);
    assert_ok(pass_order_finish(order, response, coins));
    check_coins(&key, coins, count, tokens);
    /* our answer has their elements and makes the same tokens */
    struct pass_request parsed;
    assert_ok(pass_request_parse(buf_view(&ours), &parsed));
    struct buf answer = BUF_INIT;
    assert_ok(pass_issue(&key, &rng_system, &parsed, &answer));
    assert_int_equal(answer.len, response.len);
    test_assert_bytes(bytes_of(answer.data, answer.len - 64),
                      bytes_of(response.data, response.len - 64));
    assert_ok(pass_order_finish(order, buf_view(&answer), coins));
    check_coins(&key, coins, count, tokens);
    buf_clear(&answer);
    buf_clear(&single);
    buf_clear(&ours);
}

static void all(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool go;
        bool amortized;
    } sets[] = {
        {"amortized_type5_go", true, true},
        {"amortized_type5_rs", false, true},
        {"private_type5_go", true, false},
        {"private_type5_rs", false, false},
    };
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        size_t index, done = 0;
        const json_t *c;
        json_array_foreach(vectors_get(file.root, sets[s].name), index, c)
        {
            check_case(c, sets[s].go, sets[s].amortized);
            vectors_forget(&file);
            done++;
        }
        printf("%s: %zu cases\n", sets[s].name, done);
        assert_int_equal(done, 5);
    }
    printf("skipped: amortized_type1_go (P-384)\n");
}

int main(void)
{
    vectors_open(&file, "privacypass_batched_draft.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
