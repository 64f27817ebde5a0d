/* HPKE (RFC 9180), base and PSK mode. The authenticated modes are left out: MLS has no use for
 * them.
 *
 * `info` is a list of pieces (hash.h), so that labelled contexts need no copy. The single-shot
 * calls of RFC 9180 6.1 stand last; most callers want labelled.h instead.
 */
#ifndef CRYPTO_HPKE_H
#define CRYPTO_HPKE_H

#include "crypto/aead.h"
#include "crypto/kem.h"

struct hpke_suite {
    const struct kem_alg *kem;
    const struct kdf_alg *kdf;
    const struct aead_alg *aead;
};

/* Both or neither must be given (RFC 9180 5.1); the PSK holds at least 32 bytes (5.1.2). */
struct hpke_psk {
    struct bytes psk;
    struct bytes psk_id;
};

/* One end of a context: the sender seals, the recipient opens, both export. Numbers its messages
 * itself. A value without outside resources; clear it, it holds secrets. 256 bytes. */
struct hpke_ctx {
    const struct hpke_suite *suite; /* borrowed */
    struct secret key;
    struct secret base_nonce;
    struct secret exporter_secret;
    uint64_t sequence; /* of the next message */
};

/* SetupBaseS, or SetupPSKS when psk is not NULL. Errors: kem_encap's; ERR_ARGUMENT for an unfit
 * PSK. */
CHECKED struct err hpke_setup_send(const struct hpke_suite *suite, const struct rng *rng,
                                   struct bytes public_key, struct bytes_list info,
                                   const struct hpke_psk *psk, struct hpke_ctx *ret_ctx,
                                   struct public_key *ret_enc);
/* SetupBaseR, SetupPSKR. own_public as in kem_decap. Errors: kem_decap's; ERR_ARGUMENT. */
CHECKED struct err hpke_setup_receive(const struct hpke_suite *suite, struct bytes private_key,
                                      struct bytes own_public, struct bytes enc,
                                      struct bytes_list info, const struct hpke_psk *psk,
                                      struct hpke_ctx *ret_ctx);
void hpke_ctx_clear(struct hpke_ctx *ctx);

/* Context.Seal: plaintext.len + AEAD_TAG_BYTES bytes; in place as aead_seal. The sequence number
 * moves on only on success. ERR_CRYPTO_EXHAUSTED when the numbers are used up, ERR_WRONG_STATE for
 * an export-only suite. */
CHECKED struct err hpke_ctx_seal(struct hpke_ctx *ctx, struct bytes aad, struct bytes plaintext,
                                 uint8_t *ret_ciphertext);
/* Context.Open: ciphertext.len - AEAD_TAG_BYTES bytes. A wrong message (ERR_CRYPTO_TAG) does not
 * move the sequence number. */
CHECKED struct err hpke_ctx_open(struct hpke_ctx *ctx, struct bytes aad, struct bytes ciphertext,
                                 uint8_t *ret_plaintext);
/* Context.Export of len bytes, at most SECRET_MAX_BYTES (ERR_CRYPTO_LENGTH). */
CHECKED struct err hpke_ctx_export(const struct hpke_ctx *ctx, struct bytes exporter_context,
                                   size_t len, struct secret *ret_secret);

/* SealBase and OpenBase: one message each. */
CHECKED struct err hpke_seal(const struct hpke_suite *suite, const struct rng *rng,
                             struct bytes public_key, struct bytes_list info, struct bytes aad,
                             struct bytes plaintext, struct public_key *ret_enc,
                             uint8_t *ret_ciphertext);
/* The same info for many recipients, hashed once: what info adds to a base mode key schedule.
 * Public data; nothing to clear. */
struct hpke_info {
    const struct hpke_suite *suite; /* borrowed */
    uint8_t context[1 + 2 * HASH_MAX_BYTES];
    size_t context_bytes;
};
void hpke_info_of(const struct hpke_suite *suite, struct bytes_list info,
                  struct hpke_info *ret_info);
CHECKED struct err hpke_seal_with(const struct hpke_info *info, const struct rng *rng,
                                  struct bytes public_key, struct bytes aad, struct bytes plaintext,
                                  struct public_key *ret_enc, uint8_t *ret_ciphertext);
CHECKED struct err hpke_open(const struct hpke_suite *suite, struct bytes private_key,
                             struct bytes own_public, struct bytes enc, struct bytes_list info,
                             struct bytes aad, struct bytes ciphertext, uint8_t *ret_plaintext);

#endif
