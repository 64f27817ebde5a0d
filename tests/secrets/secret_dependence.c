/* Does a branch or an address depend on a secret? Run under valgrind with secrets marked as
 * undefined: memcheck then reports each conditional jump and each index made from them. Answers
 * that become public (does a tag fit, is a DH result zero) are declared in secret_dependence.supp,
 * by function, with the reason.
 *
 * Covers what suites 1 and 3 are made of. The NIST curves, Ed448 and X448 are OpenSSL's, whose
 * numbers drop leading zeros by branching: that is known and not ours.
 *
 * `secret_dependence --control` does what must not be done, and must be reported. */
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

#include "crypto/labelled.h"
#include "crypto/voprf.h"
#include "mls/member/key_schedule.h"
#include "mls/member/psk.h"
#include "mls/member/secret_tree.h"

static void must(struct err err, const char *what)
{
    /* the code itself may be made from secrets: it is an answer */
    (void)VALGRIND_MAKE_MEM_DEFINED(&err, sizeof err);
    if (err_is_ok(err))
        return;
    (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
    exit(1);
}

static struct secret hidden(size_t len)
{
    struct secret s = {0};
    must(secret_random(&rng_system, len, &s), "random");
    (void)VALGRIND_MAKE_MEM_UNDEFINED(s.data, sizeof s.data);
    return s;
}

static void publish(void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
}

static struct err hidden_fill(void *self, uint8_t *out, size_t len)
{
    (void)self;
    must(rng_fill(&rng_system, out, len), "random");
    (void)VALGRIND_MAKE_MEM_UNDEFINED(out, len);
    return ERR_OK;
}

static const struct rng hidden_rng = {hidden_fill, NULL};
static const struct bytes none;

static void comparing(void)
{
    struct secret a = hidden(32), b = hidden(32);
    bool equal = secret_equal(&a, &b);
    publish(&equal, sizeof equal);
    if (equal)
        exit(1);
    uint8_t mac[32] = {0};
    (void)hmac_verify(&hash_sha256, secret_view(&a), BYTES_LIST(secret_view(&b)),
                      bytes_of(mac, sizeof mac))
        .code;
    secret_clear(&a);
    secret_clear(&b);
}

static void sealing(const struct suite *suite)
{
    const struct aead_alg *aead = suite->hpke.aead;
    struct secret key = hidden(aead->key_bytes), text = hidden(64);
    uint8_t nonce[AEAD_NONCE_BYTES] = {0}, sealed[64 + AEAD_TAG_BYTES], opened[64];
    must(aead_seal(aead, &key, nonce, none, secret_view(&text), sealed), "seal");
    publish(sealed, sizeof sealed);
    must(aead_open(aead, &key, nonce, none, bytes_of(sealed, sizeof sealed), opened), "open");
}

static void signing(const struct suite *suite)
{
    struct secret seed = hidden(suite->sig->private_bytes);
    struct sig_key key;
    struct signature signature;
    must(sig_key_init(suite->sig, secret_view(&seed), &key), "key");
    publish(&key.public_key, sizeof key.public_key);
    must(sig_sign(&key, bytes_str("message"), &signature), "sign");
    publish(&signature, sizeof signature);
    must(sig_verify(suite->sig, public_key_view(&key.public_key), bytes_str("message"),
                    signature_view(&signature)),
         "verify");
    sig_key_clear(&key);
}

static void encrypting(const struct suite *suite)
{
    struct secret private_key, text = hidden(32);
    struct public_key public_key, enc;
    uint8_t sealed[32 + AEAD_TAG_BYTES], opened[32];
    must(kem_generate(suite->hpke.kem, &hidden_rng, &private_key, &public_key), "generate");
    publish(&public_key, sizeof public_key);
    must(labelled_encrypt(&suite->hpke, &hidden_rng, public_key_view(&public_key), LABEL_MLS,
                          bytes_str("label"), bytes_str("context"), secret_view(&text), &enc,
                          sealed),
         "encrypt");
    publish(&enc, sizeof enc);
    publish(sealed, sizeof sealed);
    must(labelled_decrypt(&suite->hpke, secret_view(&private_key), none, LABEL_MLS,
                          bytes_str("label"), bytes_str("context"), public_key_view(&enc),
                          bytes_of(sealed, sizeof sealed), opened),
         "decrypt");
}

static void scheduling(const struct suite *suite)
{
    struct secret init = hidden(32), commit = hidden(32), key = hidden(50), psk, joiner;
    const struct psk_input input = {bytes_str("id"), secret_view(&key)};
    struct epoch_secrets epoch;
    must(psk_secret_derive(suite, &input, 1, &psk), "psk");
    must(key_schedule_joiner(suite, &init, &commit, bytes_str("context"), &joiner), "joiner");
    must(key_schedule_epoch(suite, &joiner, &psk, bytes_str("context"), &epoch), "epoch");
    struct secret_tree *tree = NULL;
    struct message_key message_key;
    must(secret_tree_new(suite, 100, &epoch.encryption, SECRET_TREE_LIMITS_DEFAULT, &tree), "tree");
    must(secret_tree_next(tree, 17, RATCHET_APPLICATION, &message_key), "next");
    must(secret_tree_consume(tree, 90, RATCHET_HANDSHAKE, 3), "consume");
    must(secret_tree_peek(tree, 90, RATCHET_HANDSHAKE, 1, &message_key), "peek");
    secret_tree_free(tree);
    epoch_secrets_clear(&epoch);
}

/* Tokens: the server's key, the client's input and blind, the nonce of the proof. */
static void blinding(void)
{
    struct secret seed = hidden(VOPRF_SEED_BYTES), texts[2] = {hidden(64), hidden(64)};
    const struct bytes inputs[] = {secret_view(&texts[0]), secret_view(&texts[1])};
    uint8_t blinds[2 * VOPRF_SCALAR_BYTES], blinded[2 * VOPRF_ELEMENT_BYTES];
    uint8_t evaluated[2 * VOPRF_ELEMENT_BYTES], proof[VOPRF_PROOF_BYTES];
    uint8_t outputs[2 * VOPRF_OUTPUT_BYTES];
    struct voprf_key key;
    must(voprf_key_derive(seed.data, bytes_str("info"), &key), "key");
    publish(key.public_key, sizeof key.public_key);
    for (size_t i = 0; i < 2; i++)
        must(voprf_blind(inputs[i], &hidden_rng, blinds + VOPRF_SCALAR_BYTES * i,
                         blinded + VOPRF_ELEMENT_BYTES * i),
             "blind");
    publish(blinded, sizeof blinded);
    must(voprf_evaluate(&key, &hidden_rng, blinded, 2, evaluated, proof), "evaluate");
    publish(evaluated, sizeof evaluated);
    publish(proof, sizeof proof);
    const struct voprf_batch batch = {2, inputs, blinds, blinded};
    must(voprf_finalize(&batch, key.public_key, evaluated, proof, outputs), "finalize");
    for (size_t i = 0; i < 2; i++)
        must(voprf_check_output(&key, inputs[i], outputs + VOPRF_OUTPUT_BYTES * i), "check");
    voprf_key_clear(&key);
}

/* The fault that this test is there to find. */
static void control(void)
{
    struct secret a = hidden(32);
    struct bytes zeros = bytes_str("0123456789abcdef0123456789abcdef");
    (void)fprintf(stderr, "control: %s\n",
                  a.data[0] == zeros.data[0] || a.data[1] == zeros.data[1] ? "equal" : "differs");
}

int main(int argc, char **argv)
{
    if (RUNNING_ON_VALGRIND == 0) {
        printf("SKIP not under valgrind\n");
        return 77;
    }
    if (argc > 1 && strcmp(argv[1], "--control") == 0) {
        control();
        return 0;
    }
    comparing();
    for (uint16_t id = 1; id <= 3; id += 2) {
        sealing(suite_find(id));
        signing(suite_find(id));
        encrypting(suite_find(id));
        scheduling(suite_find(id));
    }
    blinding();
    printf("no branch or address depends on a secret\n");
    return 0;
}
