/* VOPRF: numbers of RFC 9497, batches, and everything a hostile server or client may send. */
#include "crypto/ristretto.h"
#include "crypto/voprf.h"
#include "crypto/voprf_proof.h"
#include "support/test.h"

enum { ITEMS = VOPRF_BATCH_MAX };

/* The group order (RFC 9496 4), little-endian. */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

struct world {
    struct rng_seeded seeded;
    struct rng rng;
    struct voprf_key key;
    struct bytes inputs[ITEMS];
    uint8_t texts[ITEMS][98];
    uint8_t blinds[ITEMS * 32], blinded[ITEMS * 32], evaluated[ITEMS * 32];
    uint8_t proof[64];
    uint8_t outputs[ITEMS * 64];
};

static struct voprf_batch batch_of(const struct world *w, size_t count)
{
    return (struct voprf_batch){count, w->inputs, w->blinds, w->blinded};
}

/* A batch of count, up to the server's answer. */
static struct world *world_new(size_t count)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    rng_seeded_init(&w->seeded, count);
    w->rng = rng_of_seeded(&w->seeded);
    uint8_t seed[32];
    assert_ok(rng_fill(&w->rng, seed, sizeof seed));
    assert_ok(voprf_key_derive(seed, bytes_str("test"), &w->key));
    for (size_t i = 0; i < count; i++) {
        assert_ok(rng_fill(&w->rng, w->texts[i], sizeof w->texts[i]));
        w->inputs[i] = bytes_of(w->texts[i], i % 2 == 0 ? sizeof w->texts[i] : i % 98);
        assert_ok(voprf_blind(w->inputs[i], &w->rng, w->blinds + 32 * i, w->blinded + 32 * i));
    }
    assert_ok(voprf_evaluate(&w->key, &w->rng, w->blinded, count, w->evaluated, w->proof));
    return w;
}

static struct err finalize(struct world *w, size_t count)
{
    const struct voprf_batch batch = batch_of(w, count);
    memset(w->outputs, 0x55, sizeof w->outputs);
    struct err err = voprf_finalize(&batch, w->key.public_key, w->evaluated, w->proof, w->outputs);
    if (!err_is_ok(err)) /* all or nothing */
        for (size_t i = 0; i < sizeof w->outputs; i++)
            assert_int_equal(w->outputs[i], 0x55);
    return err;
}

/* RFC 9497 A.1.2, test vector 1: what a clone without vector files still checks. */
static void rfc_numbers(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct voprf_key key;
    uint8_t seed[32], output[64], input = 0;
    memset(seed, 0xa3, sizeof seed);
    assert_ok(voprf_key_derive(seed, bytes_str("test key"), &key));
    test_assert_hex(bytes_of(key.private_key, 32),
                    "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909");
    test_assert_hex(bytes_of(key.public_key, 32),
                    "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e");
    assert_ok(voprf_output(&key, bytes_of(&input, 1), output));
    test_assert_hex(bytes_of(output, 64),
                    "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d"
                    "a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c");
    struct voprf_key again;
    assert_ok(voprf_key_init(key.private_key, &again));
    assert_memory_equal(&again, &key, sizeof key);
    arena_clear(&arena);
}

/* Hands out one scalar, as 64 bytes that reduce to it. */
static struct err one_scalar(void *self, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    memcpy(out, self, 32);
    return ERR_OK;
}

/* RFC 9497 A.1.2, test vector 3: the proof for a batch of two. */
static void rfc_proof(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct voprf_key key;
    uint8_t seed[32], evaluated[64], proof[64], scalar[32];
    memset(seed, 0xa3, sizeof seed);
    assert_ok(voprf_key_derive(seed, bytes_str("test key"), &key));
    struct bytes blinded =
        test_hex(&arena, "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"
                         "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654");
    struct bytes nonce =
        test_hex(&arena, "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c");
    memcpy(scalar, nonce.data, 32);
    const struct rng rng = {one_scalar, scalar};
    assert_ok(voprf_evaluate(&key, &rng, blinded.data, 2, evaluated, proof));
    test_assert_hex(bytes_of(proof, 64),
                    "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
                    "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08");
    arena_clear(&arena);
}

/* What the client ends up with is what the server computes alone, for all sizes of batch. */
static void batches(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 10, ITEMS};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t count = counts[c];
        struct world *w = world_new(count);
        assert_ok(finalize(w, count));
        for (size_t i = 0; i < count; i++) {
            assert_ok(voprf_check_output(&w->key, w->inputs[i], w->outputs + 64 * i));
            w->outputs[64 * i + i % 64] ^= 1;
            assert_err(voprf_check_output(&w->key, w->inputs[i], w->outputs + 64 * i), CRYPTO_TAG);
        }
        free(w);
    }
}

/* Each part of the transcript is bound by the proof. */
static void proof_binds(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    struct world *w = world_new(COUNT);
    struct voprf_key other;
    uint8_t seed[32] = {1};
    assert_ok(voprf_key_derive(seed, bytes_str("other"), &other));

    for (size_t i = 0; i < sizeof w->proof; i++) {
        w->proof[i] ^= 1;
        assert_err(finalize(w, COUNT), CRYPTO_PROOF);
        w->proof[i] ^= 1;
    }
    /* a single item answered with another key: the one attack that tells users apart */
    uint8_t kept[32];
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(kept, w->evaluated + 32 * i, 32);
        assert_ok(ristretto_mul(other.private_key, w->blinded + 32 * i, w->evaluated + 32 * i));
        assert_err(finalize(w, COUNT), CRYPTO_PROOF);
        memcpy(w->evaluated + 32 * i, kept, 32);
    }
    /* two answers exchanged */
    memcpy(kept, w->evaluated, 32);
    memcpy(w->evaluated, w->evaluated + 32, 32);
    memcpy(w->evaluated + 32, kept, 32);
    assert_err(finalize(w, COUNT), CRYPTO_PROOF);
    memcpy(w->evaluated + 32, w->evaluated, 32);
    memcpy(w->evaluated, kept, 32);
    /* a proof for fewer */
    assert_err(finalize(w, COUNT - 1), CRYPTO_PROOF);
    /* all answered with another key and proved with it */
    assert_ok(voprf_evaluate(&other, &w->rng, w->blinded, COUNT, w->evaluated, w->proof));
    assert_err(finalize(w, COUNT), CRYPTO_PROOF);
    assert_ok(voprf_evaluate(&w->key, &w->rng, w->blinded, COUNT, w->evaluated, w->proof));
    assert_ok(finalize(w, COUNT));
    free(w);
}

/* RFC 9497 4.1, 2.2.2: scalars of the proof below the order; zero is a number like any other. */
/* Each item is bound to its place, whatever the distance: else two could change places. */
static void proof_binds_places(void **state)
{
    (void)state;
    static const size_t places[] = {1, 2, 4, 8, 16, 32, 64, ITEMS - 1};
    struct world *w = world_new(ITEMS);
    assert_ok(finalize(w, ITEMS));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t *lists[] = {w->blinded, w->evaluated}, kept[32];
        for (size_t times = 0; times < 2; times++) {
            for (size_t k = 0; k < 2; k++) {
                memcpy(kept, lists[k], 32);
                memcpy(lists[k], lists[k] + 32 * places[i], 32);
                memcpy(lists[k] + 32 * places[i], kept, 32);
            }
            if (times == 0)
                assert_err(
                    voprf_verify(w->key.public_key, w->blinded, w->evaluated, ITEMS, w->proof),
                    CRYPTO_PROOF);
        }
    }
    assert_ok(finalize(w, ITEMS)); /* all are back */
    free(w);
}

static void proof_scalars(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    uint8_t good[64];
    memcpy(good, w->proof, sizeof good);
    for (size_t half = 0; half < 64; half += 32) {
        memcpy(w->proof, good, sizeof good);
        memset(w->proof + half, 0, 32);
        assert_err(finalize(w, 2), CRYPTO_PROOF);
        memcpy(w->proof + half, order, 32);
        assert_err(finalize(w, 2), CRYPTO_PROOF);
        memset(w->proof + half, 0xff, 32);
        assert_err(finalize(w, 2), CRYPTO_PROOF);
        /* the same number, not reduced: c + order, s + order */
        memcpy(w->proof, good, sizeof good);
        unsigned carry = 0;
        for (size_t i = 0; i < 32; i++) {
            carry += (unsigned)good[half + i] + order[i];
            w->proof[half + i] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_err(finalize(w, 2), CRYPTO_PROOF);
    }
    memset(w->proof, 0, 64);
    assert_err(finalize(w, 2), CRYPTO_PROOF);
    memcpy(w->proof, good, sizeof good);
    assert_ok(finalize(w, 2));
    free(w);
}

/* Some of the bad encodings of RFC 9496 A.3, and the identity. */
static const char *const bad_elements[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    /* not canonical */
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    /* negative */
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    /* no square root */
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    /* negative xy */
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    /* s = -1, which makes y = 0 */
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void elements(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    struct world *w = world_new(COUNT);
    struct arena arena;
    arena_init(&arena, 65536);
    uint8_t got[COUNT * 32], proof[64], kept[32];
    for (size_t i = 0; i < sizeof bad_elements / sizeof *bad_elements; i++) {
        struct bytes bad = test_hex(&arena, bad_elements[i]);
        assert_err(voprf_check_element(bad.data), CRYPTO_ELEMENT);
        /* at a server */
        memcpy(kept, w->blinded + 64, 32);
        memcpy(w->blinded + 64, bad.data, 32);
        memset(got, 0x55, sizeof got);
        memset(proof, 0x55, sizeof proof);
        assert_err(voprf_evaluate(&w->key, &w->rng, w->blinded, COUNT, got, proof), CRYPTO_ELEMENT);
        for (size_t k = 0; k < sizeof got; k++)
            assert_int_equal(got[k], 0x55);
        for (size_t k = 0; k < sizeof proof; k++)
            assert_int_equal(proof[k], 0x55);
        memcpy(w->blinded + 64, kept, 32);
        /* at a client */
        memcpy(kept, w->evaluated + 32, 32);
        memcpy(w->evaluated + 32, bad.data, 32);
        assert_err(finalize(w, COUNT), CRYPTO_ELEMENT);
        memcpy(w->evaluated + 32, kept, 32);
        /* as a key */
        memcpy(kept, w->key.public_key, 32);
        memcpy(w->key.public_key, bad.data, 32);
        assert_err(finalize(w, COUNT), CRYPTO_ELEMENT);
        memcpy(w->key.public_key, kept, 32);
    }
    assert_ok(finalize(w, COUNT));
    assert_ok(voprf_check_element(w->key.public_key));
    arena_clear(&arena);
    free(w);
}

static void private_keys(void **state)
{
    (void)state;
    struct voprf_key key;
    uint8_t scalar[32] = {0};
    assert_err(voprf_key_init(scalar, &key), CRYPTO_KEY);
    assert_err(voprf_key_init(order, &key), CRYPTO_KEY);
    memset(scalar, 0xff, sizeof scalar);
    assert_err(voprf_key_init(scalar, &key), CRYPTO_KEY);
    memcpy(scalar, order, sizeof scalar);
    scalar[0]--;
    assert_ok(voprf_key_init(scalar, &key));
    voprf_key_clear(&key);
    for (size_t i = 0; i < sizeof key; i++)
        assert_int_equal(((const uint8_t *)&key)[i], 0);
}

static void limits(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    const struct bytes most = {calloc(1, VOPRF_INPUT_MAX_BYTES + 1), VOPRF_INPUT_MAX_BYTES};
    const struct bytes over = {most.data, VOPRF_INPUT_MAX_BYTES + 1};
    assert_non_null(most.data);
    assert_err(voprf_evaluate(&w->key, &w->rng, w->blinded, 0, w->evaluated, w->proof), ARGUMENT);
    assert_err(voprf_evaluate(&w->key, &w->rng, w->blinded, ITEMS + 1, w->evaluated, w->proof),
               ARGUMENT);
    assert_err(finalize(w, 0), ARGUMENT);
    assert_err(finalize(w, ITEMS + 1), ARGUMENT);
    assert_err(voprf_blind(over, &w->rng, w->blinds, w->blinded), ARGUMENT);
    assert_err(voprf_output(&w->key, over, w->outputs), ARGUMENT);
    assert_err(voprf_check_output(&w->key, over, w->outputs), ARGUMENT);
    assert_err(voprf_key_derive(w->proof, bytes_of(most.data, 65536), &w->key), ARGUMENT);
    assert_ok(voprf_output(&w->key, most, w->outputs));
    assert_ok(voprf_check_output(&w->key, most, w->outputs));
    w->inputs[0] = over;
    assert_err(finalize(w, 1), ARGUMENT);
    w->inputs[0] = bytes_of(w->texts[0], 98);
    /* blinds that nobody draws */
    uint8_t kept[32];
    memcpy(kept, w->blinds, 32);
    memset(w->blinds, 0, 32);
    assert_err(finalize(w, 1), ARGUMENT);
    memcpy(w->blinds, order, 32);
    assert_err(finalize(w, 1), ARGUMENT);
    memcpy(w->blinds, kept, 32);
    assert_ok(finalize(w, 1));
    /* a second one that is the same scalar, written otherwise */
    struct world *two = world_new(2);
    for (unsigned i = 0, carry = 0; i < 32; i++) {
        carry += two->blinds[32 + i] + order[i];
        two->blinds[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_err(finalize(two, 2), ARGUMENT);
    free(two);
    free((void *)(uintptr_t)most.data);
    free(w);
}

static struct err no_randomness(void *self, uint8_t *out, size_t len)
{
    if (self == NULL)
        return ERR(IO);
    memset(out, 0, len); /* zero is no scalar to blind with, and no nonce */
    return ERR_OK;
}

static void randomness(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    const struct rng none = {no_randomness, NULL}, zeros = {no_randomness, w};
    uint8_t got[64] = {0};
    assert_err(voprf_blind(w->inputs[0], &none, got, got + 32), IO);
    assert_err(voprf_blind(w->inputs[0], &zeros, got, got + 32), IO);
    assert_err(voprf_evaluate(&w->key, &none, w->blinded, 1, got, got), IO);
    assert_err(voprf_evaluate(&w->key, &zeros, w->blinded, 1, got, got), IO);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], 0);
    free(w);
}

/* The group beneath, with the identity in all places: zero scalars must not pass for bad elements.
 */
static void identity(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    static const uint8_t zero[32], one[32] = {1};
    uint8_t got[32], sum[32] = {0};
    assert_ok(ristretto_mul(zero, w->blinded, got));
    assert_memory_equal(got, zero, 32);
    assert_ok(ristretto_mul(w->key.private_key, zero, got));
    assert_memory_equal(got, zero, 32);
    ristretto_mul_base(zero, got);
    assert_memory_equal(got, zero, 32);
    assert_ok(ristretto_mul(one, w->blinded, got));
    assert_memory_equal(got, w->blinded, 32);
    /* k A + k B = k (A + B), beginning with the identity */
    assert_ok(ristretto_add_to(sum, w->evaluated));
    assert_memory_equal(sum, w->evaluated, 32);
    assert_ok(ristretto_add_to(sum, w->evaluated + 32));
    memcpy(got, w->blinded, 32);
    assert_ok(ristretto_add_to(got, w->blinded + 32));
    assert_ok(ristretto_mul(w->key.private_key, got, got));
    assert_memory_equal(got, sum, 32);
    memset(got, 0xff, 32);
    assert_err(ristretto_mul(zero, got, got), CRYPTO_ELEMENT);
    assert_err(ristretto_add_to(sum, got), CRYPTO_ELEMENT);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_numbers),
        cmocka_unit_test(rfc_proof),
        cmocka_unit_test(batches),
        cmocka_unit_test(proof_binds),
        cmocka_unit_test(proof_scalars),
        cmocka_unit_test(elements),
        cmocka_unit_test(private_keys),
        cmocka_unit_test(limits),
        cmocka_unit_test(proof_binds_places),
        cmocka_unit_test(randomness),
        cmocka_unit_test(identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
