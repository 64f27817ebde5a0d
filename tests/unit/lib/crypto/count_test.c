/* The counters count each operation once. */
#include "base/rng.h"
#include "crypto/count.h"
#include "crypto/kem.h"
#include "crypto/sig.h"
#include "support/test.h"

static void test_counts(void **state)
{
    struct sig_key key;
    struct signature signature;
    struct secret private_key = {0}, shared = {0};
    struct public_key public_key, enc;
    (void)state;
    assert_ok(sig_key_generate(&sig_ed25519, &rng_system, &key));
    assert_ok(kem_generate(&kem_x25519, &rng_system, &private_key, &public_key));
    struct crypto_count before = crypto_count;
    assert_ok(sig_sign(&key, bytes_str("m"), &signature));
    assert_int_equal(crypto_count.signatures, before.signatures + 1);
    assert_ok(sig_verify(&sig_ed25519, public_key_view(&key.public_key), bytes_str("m"),
                         signature_view(&signature)));
    assert_int_equal(crypto_count.verifications, before.verifications + 1);
    assert_ok(kem_encap(&kem_x25519, &rng_system, public_key_view(&public_key), &shared, &enc));
    assert_int_equal(crypto_count.exchanges, before.exchanges + 1);
    secret_clear(&shared);
    assert_ok(kem_decap(&kem_x25519, secret_view(&private_key), public_key_view(&public_key),
                        public_key_view(&enc), &shared));
    assert_int_equal(crypto_count.exchanges, before.exchanges + 2);
    secret_clear(&shared);
    secret_clear(&private_key);
    sig_key_clear(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
