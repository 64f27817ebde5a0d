/* RFC 9497 appendix A.1.2: ristretto255-SHA512 in mode 1. The other modes and P-384 are not ours:
 * named and skipped. */
#include <stdio.h>

#include "crypto/voprf.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file;

/* Hands out the scalars of a vector, each as 64 bytes that reduce to it. */
struct scripted {
    struct bytes left;
};

static struct err scripted_fill(void *self, uint8_t *out, size_t len)
{
    struct scripted *s = self;
    if (len != 64 || s->left.len < 32)
        return ERR(IO);
    memset(out, 0, len);
    memcpy(out, s->left.data, 32);
    s->left = bytes_of(s->left.data + 32, s->left.len - 32);
    return ERR_OK;
}

enum { COUNT_MAX = 2 };

/* "aa,bb": one value for each item of the batch. */
static void values_of(const json_t *object, const char *field, size_t count, struct bytes *ret)
{
    const char *at = vectors_text(object, field);
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(at, ",");
        ret[i] = test_hex(&file.arena, arena_strndup(&file.arena, at, len));
        at += len + (at[len] == ',');
    }
    assert_int_equal(*at, 0);
}

/* The same end to end. */
static struct bytes joined(const json_t *object, const char *field, size_t count)
{
    struct bytes values[COUNT_MAX];
    values_of(object, field, count, values);
    size_t each = values[0].len;
    uint8_t *all = arena_alloc(&file.arena, count * each);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(values[i].len, each);
        memcpy(all + each * i, values[i].data, each);
    }
    return bytes_of(all, count * each);
}

static void check_case(const struct voprf_key *key, const json_t *c)
{
    size_t count = vectors_uint(c, "Batch");
    assert_in_range(count, 1, COUNT_MAX);
    struct bytes inputs[COUNT_MAX];
    values_of(c, "Input", count, inputs);
    struct bytes blinds = joined(c, "Blind", count), blinded = joined(c, "BlindedElement", count);
    struct bytes outputs = joined(c, "Output", count);
    const json_t *proof = vectors_get(c, "Proof");

    struct scripted script = {blinds};
    const struct rng rng = {scripted_fill, &script};
    uint8_t blind[32], element[32], got[COUNT_MAX * 32], got_proof[64], got_outputs[COUNT_MAX * 64];
    for (size_t i = 0; i < count; i++) {
        assert_ok(voprf_blind(inputs[i], &rng, blind, element));
        test_assert_bytes(bytes_of(blind, 32), bytes_of(blinds.data + 32 * i, 32));
        test_assert_bytes(bytes_of(element, 32), bytes_of(blinded.data + 32 * i, 32));
    }
    script.left = vectors_hex(&file, proof, "r");
    assert_ok(voprf_evaluate(key, &rng, blinded.data, count, got, got_proof));
    test_assert_bytes(bytes_of(got, count * 32), joined(c, "EvaluationElement", count));
    test_assert_bytes(bytes_of(got_proof, 64), vectors_hex(&file, proof, "proof"));

    const struct voprf_batch batch = {count, inputs, blinds.data, blinded.data};
    assert_ok(voprf_finalize(&batch, key->public_key, got, got_proof, got_outputs));
    test_assert_bytes(bytes_of(got_outputs, count * 64), outputs);
    for (size_t i = 0; i < count; i++)
        assert_ok(voprf_check_output(key, inputs[i], outputs.data + 64 * i));
}

static void all(void **state)
{
    (void)state;
    size_t index, done = 0;
    const json_t *suite;
    json_array_foreach(vectors_get(file.root, "suites"), index, suite)
    {
        const char *name = vectors_text(suite, "identifier");
        if (strcmp(name, "ristretto255-SHA512") != 0 || vectors_uint(suite, "mode") != 1) {
            printf("skipped: %s mode %d\n", name, (int)vectors_uint(suite, "mode"));
            continue;
        }
        struct voprf_key key;
        assert_ok(voprf_key_derive(vectors_hex(&file, suite, "seed").data,
                                   vectors_hex(&file, suite, "keyInfo"), &key));
        test_assert_bytes(bytes_of(key.private_key, 32), vectors_hex(&file, suite, "skSm"));
        test_assert_bytes(bytes_of(key.public_key, 32), vectors_hex(&file, suite, "pkSm"));
        size_t i;
        const json_t *c;
        json_array_foreach(vectors_get(suite, "vectors"), i, c)
        {
            check_case(&key, c);
            done++;
        }
    }
    printf("VOPRF(ristretto255, SHA-512): %zu cases\n", done);
    assert_int_equal(done, 3);
}

int main(void)
{
    vectors_open(&file, "rfc9497_oprf.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
