/* Microseconds of each primitive. Argument: a suite id, default 1; `all` for every suite. */
#include "bench/bench.h"
#include "crypto/labelled.h"
#include "crypto/suite.h"
#include "crypto/vrf.h"

struct world {
    const struct suite *suite;
    struct secret kem_private, secret, key;
    struct public_key kem_public, enc;
    struct sig_key sig_key;
    struct sig_verifier verifier;
    struct signature signature;
    uint8_t text[1024];
    uint8_t sealed[1024 + AEAD_TAG_BYTES];
    uint8_t boxed[32 + AEAD_TAG_BYTES];
    uint8_t out[1024 + AEAD_TAG_BYTES];
};

static const uint8_t nonce[AEAD_NONCE_BYTES];
static const struct bytes none;

static struct bytes message_of(struct world *w)
{
    return bytes_of(w->text, 200); /* about a LeafNodeTBS */
}

static struct err key_init(void *self)
{
    struct world *w = self;
    struct sig_key key;
    TRY(sig_key_init(w->suite->sig, secret_view(&w->sig_key.private_key), &key));
    sig_key_clear(&key);
    return ERR_OK;
}

static struct err sign(void *self)
{
    struct world *w = self;
    return sig_sign(&w->sig_key, message_of(w), &w->signature);
}

static struct err verify(void *self)
{
    struct world *w = self;
    return sig_verify(w->suite->sig, public_key_view(&w->sig_key.public_key), message_of(w),
                      signature_view(&w->signature));
}

static struct err verify_parsed(void *self)
{
    struct world *w = self;
    return sig_verifier_verify(&w->verifier, message_of(w), signature_view(&w->signature));
}

static struct err generate(void *self)
{
    struct world *w = self;
    struct secret private_key;
    struct public_key public_key;
    return kem_generate(w->suite->hpke.kem, &rng_system, &private_key, &public_key);
}

static struct err encap(void *self)
{
    struct world *w = self;
    struct secret shared;
    struct public_key enc;
    return kem_encap(w->suite->hpke.kem, &rng_system, public_key_view(&w->kem_public), &shared,
                     &enc);
}

static struct err decap(void *self)
{
    struct world *w = self;
    struct secret shared;
    return kem_decap(w->suite->hpke.kem, secret_view(&w->kem_private),
                     public_key_view(&w->kem_public), public_key_view(&w->enc), &shared);
}

static struct err hpke_seal_32(void *self)
{
    struct world *w = self;
    return labelled_encrypt(&w->suite->hpke, &rng_system, public_key_view(&w->kem_public),
                            LABEL_MLS, bytes_str("UpdatePathNode"), message_of(w),
                            bytes_of(w->text, 32), &w->enc, w->boxed);
}

static struct err hpke_open_32(void *self)
{
    struct world *w = self;
    return labelled_decrypt(&w->suite->hpke, secret_view(&w->kem_private),
                            public_key_view(&w->kem_public), LABEL_MLS, bytes_str("UpdatePathNode"),
                            message_of(w), public_key_view(&w->enc),
                            bytes_of(w->boxed, sizeof w->boxed), w->out);
}

static struct err aead_seal_1k(void *self)
{
    struct world *w = self;
    return aead_seal(w->suite->hpke.aead, &w->key, nonce, none, bytes_of(w->text, 1024), w->sealed);
}

static struct err aead_open_1k(void *self)
{
    struct world *w = self;
    return aead_open(w->suite->hpke.aead, &w->key, nonce, none,
                     bytes_of(w->sealed, sizeof w->sealed), w->out);
}

static struct err hash_1k(void *self)
{
    struct world *w = self;
    struct digest digest;
    hash_once(w->suite->hash, bytes_of(w->text, 1024), &digest);
    return ERR_OK;
}

static struct err hash_64(void *self)
{
    struct world *w = self;
    struct digest digest;
    hash_once(w->suite->hash, bytes_of(w->text, 64), &digest);
    return ERR_OK;
}

static struct err expand(void *self)
{
    struct world *w = self;
    return labelled_derive_secret(w->suite->hpke.kdf, secret_view(&w->secret), LABEL_MLS,
                                  bytes_str("encryption"), &w->secret);
}

static const struct {
    const char *name;
    struct err (*step)(void *self);
} rows[] = {
    {"signature key from private bytes", key_init},
    {"sign 200 B", sign},
    {"verify 200 B", verify},
    {"verify 200 B, key kept parsed", verify_parsed},
    {"KEM generate", generate},
    {"KEM encap", encap},
    {"KEM decap", decap},
    {"EncryptWithLabel 32 B", hpke_seal_32},
    {"DecryptWithLabel 32 B", hpke_open_32},
    {"AEAD seal 1 KiB", aead_seal_1k},
    {"AEAD open 1 KiB", aead_open_1k},
    {"hash 1 KiB", hash_1k},
    {"hash 64 B", hash_64},
    {"ExpandWithLabel", expand},
};

static void bench_suite(const struct suite *suite)
{
    struct world w = {.suite = suite};
    printf("%s\n", suite->name);
    bench_must(sig_key_generate(suite->sig, &rng_system, &w.sig_key), "key");
    bench_must(sig_verifier_init(suite->sig, public_key_view(&w.sig_key.public_key), &w.verifier),
               "verifier");
    bench_must(kem_generate(suite->hpke.kem, &rng_system, &w.kem_private, &w.kem_public), "kem");
    bench_must(secret_random(&rng_system, suite_hash_bytes(suite), &w.secret), "secret");
    bench_must(secret_random(&rng_system, suite->hpke.aead->key_bytes, &w.key), "key");
    struct secret shared;
    bench_must(
        kem_encap(suite->hpke.kem, &rng_system, public_key_view(&w.kem_public), &shared, &w.enc),
        "encap");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        (void)bench_run(rows[i].name, rows[i].step, &w);
    sig_verifier_clear(&w.verifier);
    sig_key_clear(&w.sig_key);
}

struct vrf_world {
    struct vrf_key key;
    uint8_t proof[VRF_PROOF_BYTES], output[VRF_OUTPUT_BYTES];
    uint8_t alpha[40]; /* changes, since the time depends on it */
};

static struct err vrf_proof(void *self)
{
    struct vrf_world *w = self;
    w->alpha[0]++;
    return vrf_prove(&w->key, bytes_of(w->alpha, sizeof w->alpha), w->proof, w->output);
}

static struct err vrf_check(void *self)
{
    struct vrf_world *w = self;
    return vrf_verify(bytes_of(w->key.public_key, VRF_PUBLIC_BYTES),
                      bytes_of(w->alpha, sizeof w->alpha), bytes_of(w->proof, VRF_PROOF_BYTES),
                      w->output);
}

static void bench_vrf(void)
{
    static const uint8_t secret[VRF_SECRET_BYTES] = {1};
    struct vrf_world w = {.alpha = {0}};
    printf("ECVRF-EDWARDS25519-SHA512-TAI\n");
    bench_must(vrf_key_init(bytes_of(secret, sizeof secret), &w.key), "vrf key");
    (void)bench_run("VRF prove", vrf_proof, &w);
    (void)bench_run("VRF verify", vrf_check, &w);
    vrf_key_clear(&w.key);
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    unsigned long id = argc > 1 && !all ? strtoul(argv[1], NULL, 10) : 1;
    for (size_t i = 0; i < SUITE_COUNT; i++)
        if (all || suite_table[i].id == id)
            bench_suite(&suite_table[i]);
    bench_vrf();
    return 0;
}
