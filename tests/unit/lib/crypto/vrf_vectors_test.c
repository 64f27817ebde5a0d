/* rfc9381_ecvrf.json: RFC 9381 B.3. The other suites of the file are named and skipped. */
#include <stdio.h>

#include "crypto/vrf.h"
#include "support/test.h"
#include "support/vectors.h"

static struct vectors file;

static void test_file(void **state)
{
    (void)state;
    size_t index, run = 0, skipped = 0;
    json_t *c;
    json_array_foreach(vectors_get(file.root, "vectors"), index, c)
    {
        if (strcmp(vectors_text(c, "suite"), "ECVRF-EDWARDS25519-SHA512-TAI") != 0) {
            printf("SKIP %s is not built\n", vectors_text(c, "suite"));
            skipped++;
            continue;
        }
        struct vrf_key key;
        uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES], again[VRF_OUTPUT_BYTES];
        struct bytes alpha = vectors_hex(&file, c, "alpha");
        assert_ok(vrf_key_init(vectors_hex(&file, c, "SK"), &key));
        test_assert_bytes(bytes_of(key.public_key, 32), vectors_hex(&file, c, "PK"));
        assert_ok(vrf_prove(&key, alpha, proof, output));
        test_assert_bytes(bytes_of(proof, sizeof proof), vectors_hex(&file, c, "pi"));
        test_assert_bytes(bytes_of(output, sizeof output), vectors_hex(&file, c, "beta"));
        assert_ok(
            vrf_verify(vectors_hex(&file, c, "PK"), alpha, vectors_hex(&file, c, "pi"), again));
        test_assert_bytes(bytes_of(again, sizeof again), vectors_hex(&file, c, "beta"));
        run++;
    }
    printf("rfc9381_ecvrf.json %zu passed, %zu of other suites skipped\n", run, skipped);
    assert_int_equal(run, 3);
}

int main(void)
{
    vectors_open(&file, "rfc9381_ecvrf.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_file)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_close(&file);
    return failed;
}
