/* VOPRF(ristretto255, SHA-512), RFC 9497 mode 1: the client learns F(key, input) and a proof that
 * it was made with the published key; the server learns nothing of the input.
 *
 *     client                          server
 *     voprf_blind        ->           voprf_evaluate           (RFC 9497 3.3.2 Blind,
 * BlindEvaluate) voprf_finalize     <-           (one proof for the whole batch, 2.2.1)
 *                                     voprf_check_output       (VerifyFinalize: was this output
 * ours?)
 *
 * Elements and scalars are 32 bytes, a batch of them lies end to end, as on the wire. Elements from
 * outside are refused when they are not canonical or are the identity, scalars of a proof when they
 * are not below the group order (RFC 9497 4.1). Everything that touches a private key, a blind or
 * an input runs in constant time; what is refused is public. Nothing here allocates.
 *
 * Where a multiplication takes 50 us: 120 us a token to evaluate in batches of 100 (270 us alone),
 * 260 us for the client, 70 us to check an output (tests/bench/pass_bench). Static Diffie-Hellman
 * costs some bits of security for many evaluations under one key (RFC 9497 7.2.3): whoever holds
 * the key caps them.
 */
#ifndef CRYPTO_VOPRF_H
#define CRYPTO_VOPRF_H

#include "base/bytes.h"
#include "base/rng.h"

enum {
    VOPRF_SCALAR_BYTES = 32,
    VOPRF_ELEMENT_BYTES = 32,
    VOPRF_PROOF_BYTES = 2 * VOPRF_SCALAR_BYTES, /* c || s */
    VOPRF_OUTPUT_BYTES = 64,
    VOPRF_SEED_BYTES = 32,
    VOPRF_INPUT_MAX_BYTES = 65535,
    VOPRF_BATCH_MAX = 100, /* items of one batch: keeps working memory on the stack, a few KB */
};

/* 64 bytes. The public half always follows from the private one. Wipe with voprf_key_clear. */
struct voprf_key {
    uint8_t private_key[VOPRF_SCALAR_BYTES];
    uint8_t public_key[VOPRF_ELEMENT_BYTES];
};

/* DeriveKeyPair (RFC 9497 3.2.1). info at most 65535 bytes (ERR_ARGUMENT). */
CHECKED struct err voprf_key_derive(const uint8_t seed[VOPRF_SEED_BYTES], struct bytes info,
                                    struct voprf_key *ret_key);
/* From a private key kept elsewhere: canonical and not zero, else ERR_CRYPTO_KEY. */
CHECKED struct err voprf_key_init(const uint8_t private_key[VOPRF_SCALAR_BYTES],
                                  struct voprf_key *ret_key);
void voprf_key_clear(struct voprf_key *key);
/* A group element and not the identity (ERR_CRYPTO_ELEMENT): for public keys as they arrive. */
CHECKED struct err voprf_check_element(const uint8_t element[VOPRF_ELEMENT_BYTES]);

/* Client: draws the blind (64 bytes of rng) and blinds the input. The blind stays secret; wipe it
 * after voprf_finalize. ERR_ARGUMENT over VOPRF_INPUT_MAX_BYTES, ERR_IO without randomness. */
CHECKED struct err voprf_blind(struct bytes input, const struct rng *rng,
                               uint8_t ret_blind[VOPRF_SCALAR_BYTES],
                               uint8_t ret_blinded[VOPRF_ELEMENT_BYTES]);

/* What a client knows of a batch, all borrowed. */
struct voprf_batch {
    size_t count;               /* 1 to VOPRF_BATCH_MAX (ERR_ARGUMENT) */
    const struct bytes *inputs; /* count, each at most VOPRF_INPUT_MAX_BYTES (ERR_ARGUMENT) */
    const uint8_t *blinds;      /* count scalars, as voprf_blind gave them */
    const uint8_t *blinded;     /* count elements, as voprf_blind gave them */
};

/* Client: checks the proof against the public key (ERR_CRYPTO_PROOF; ERR_CRYPTO_ELEMENT for an
 * element that is none), then unblinds all with a single inversion. Writes count outputs of
 * VOPRF_OUTPUT_BYTES, or none. */
CHECKED struct err voprf_finalize(const struct voprf_batch *batch,
                                  const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                                  const uint8_t *evaluated, const uint8_t proof[VOPRF_PROOF_BYTES],
                                  uint8_t *ret_outputs);

/* Server: evaluates count blinded elements, 1 to VOPRF_BATCH_MAX (ERR_ARGUMENT), and proves it.
 * ERR_CRYPTO_ELEMENT when one of them is none. Draws 64 bytes of rng: a nonce that repeats gives
 * the key away. Writes count elements and the proof, or nothing. */
CHECKED struct err voprf_evaluate(const struct voprf_key *key, const struct rng *rng,
                                  const uint8_t *blinded, size_t count, uint8_t *ret_evaluated,
                                  uint8_t ret_proof[VOPRF_PROOF_BYTES]);

/* Server: F(key, input) (RFC 9497 3.3.1 Evaluate). ERR_ARGUMENT. */
CHECKED struct err voprf_output(const struct voprf_key *key, struct bytes input,
                                uint8_t ret_output[VOPRF_OUTPUT_BYTES]);
/* VerifyFinalize in constant time: ERR_CRYPTO_TAG when output is not F(key, input). */
CHECKED struct err voprf_check_output(const struct voprf_key *key, struct bytes input,
                                      const uint8_t output[VOPRF_OUTPUT_BYTES]);

#endif
