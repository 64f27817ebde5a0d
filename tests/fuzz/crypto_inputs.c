/* Public keys and signatures from outside, in every algorithm: byte 0 chooses it. A key that is
 * called good must be usable, and no string verifies that differs from a good signature (but for
 * ECDSA's r, n - s, which takes arithmetic to find). */
#include <stdlib.h>

#include "crypto/suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void kem_key(const struct kem_alg *kem, struct bytes key)
{
    struct secret shared;
    struct public_key enc;
    struct err checked = kem_check_public(kem, key);
    struct err used = kem_encap(kem, &rng_system, key, &shared, &enc);
    /* for X25519 and X448 the DH has the last word */
    must(err_is_ok(checked) ? err_is_ok(used) || used.code == ERR_CRYPTO_DH_ZERO
                            : used.code == checked.code);
}

static void sig_public(const struct sig_alg *alg, struct bytes key)
{
    static const uint8_t zeros[SIGNATURE_MAX_BYTES];
    struct sig_verifier verifier;
    struct err checked = sig_check_public(alg, key);
    struct err loaded = sig_verifier_init(alg, key, &verifier);
    must(checked.code == loaded.code);
    if (!err_is_ok(loaded))
        return;
    must(
        !err_is_ok(sig_verifier_verify(&verifier, key, bytes_of(zeros, alg->signature_max_bytes))));
    sig_verifier_clear(&verifier);
}

/* The rest of the input lies over a good signature from its first byte on. */
static void signature(const struct sig_alg *alg, struct bytes in)
{
    static struct sig_key key;
    if (key.alg != alg) {
        sig_key_clear(&key);
        must(err_is_ok(sig_key_generate(alg, &rng_system, &key)));
    }
    struct signature good;
    must(err_is_ok(sig_sign(&key, bytes_str("m"), &good)));
    uint8_t changed[2 * SIGNATURE_MAX_BYTES];
    memcpy(changed, good.data, good.len);
    size_t most = in.len < sizeof changed ? in.len : sizeof changed;
    for (size_t i = 0; i < most; i++)
        changed[i] = i < good.len ? changed[i] ^ in.data[i] : in.data[i];
    size_t total = most > good.len ? most : good.len;
    bool same = total == good.len && memcmp(changed, good.data, good.len) == 0;
    struct err err =
        sig_verify(alg, public_key_view(&key.public_key), bytes_str("m"), bytes_of(changed, total));
    must(same == err_is_ok(err));
    must(same || err.code == ERR_CRYPTO_SIGNATURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    const struct suite *suite = &suite_table[data[0] % SUITE_COUNT];
    struct bytes in = bytes_of(data + 1, len - 1);
    switch (data[0] / SUITE_COUNT % 3) {
    case 0:
        kem_key(suite->hpke.kem, in);
        break;
    case 1:
        sig_public(suite->sig, in);
        break;
    default:
        signature(suite->sig, in);
    }
    return 0;
}
