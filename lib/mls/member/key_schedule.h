/* The key schedule (RFC 9420 8): from one epoch's init secret to the secrets of the next.
 *
 *     init_secret[n-1], commit_secret, GroupContext[n]  ->  joiner_secret
 *     joiner_secret, psk_secret                          ->  welcome_secret
 *     joiner_secret, psk_secret, GroupContext[n]         ->  the epoch's secrets, init_secret[n]
 * among them
 *
 * Where RFC 9420 says "0" for a missing commit or PSK secret, callers pass Nh zero bytes
 * (secret_set_zero). All secrets but PSK inputs have Nh bytes. GroupContext is passed as encoded
 * bytes. Nothing here allocates; the errors are those of lib/crypto/labelled.h for oversized
 * contexts, else none.
 */
#ifndef MLS_MEMBER_KEY_SCHEDULE_H
#define MLS_MEMBER_KEY_SCHEDULE_H

#include "crypto/labelled.h"
#include "crypto/suite.h"

/* Everything of an epoch, 720 bytes. Embedded; the zero state may be cleared. `encryption` goes
 * into the secret tree and is to be cleared there and then (RFC 9420 9.2). */
struct epoch_secrets {
    struct secret init; /* of the next epoch's derivation */
    struct secret sender_data;
    struct secret encryption;
    struct secret exporter;
    struct secret external;
    struct secret confirmation;  /* key of the confirmation tag */
    struct secret membership;    /* key of membership tags */
    struct secret resumption;    /* resumption_psk */
    struct secret authenticator; /* epoch_authenticator, 8.7 */
};

void epoch_secrets_clear(struct epoch_secrets *secrets);

/* joiner_secret of the new epoch, which group_context describes. */
CHECKED struct err key_schedule_joiner(const struct suite *suite, const struct secret *init_secret,
                                       const struct secret *commit_secret,
                                       struct bytes group_context, struct secret *ret_joiner);
CHECKED struct err key_schedule_welcome(const struct suite *suite, const struct secret *joiner,
                                        const struct secret *psk_secret,
                                        struct secret *ret_welcome);
/* Key and nonce that seal the GroupInfo of a Welcome (12.4.3.1). */
CHECKED struct err key_schedule_welcome_key(const struct suite *suite,
                                            const struct secret *welcome_secret,
                                            struct secret *ret_key,
                                            uint8_t ret_nonce[AEAD_NONCE_BYTES]);
CHECKED struct err key_schedule_epoch(const struct suite *suite, const struct secret *joiner,
                                      const struct secret *psk_secret, struct bytes group_context,
                                      struct epoch_secrets *ret_secrets);
/* From an epoch_secret: what the creator of a group does with a random one (RFC 9420 11). */
CHECKED struct err key_schedule_from_epoch_secret(const struct suite *suite,
                                                  const struct secret *epoch_secret,
                                                  struct epoch_secrets *ret_secrets);

/* MLS-Exporter (8.5): len bytes, at most 255 * Nh (ERR_CRYPTO_LENGTH). */
CHECKED struct err key_schedule_export(const struct suite *suite,
                                       const struct secret *exporter_secret, struct bytes label,
                                       struct bytes context, size_t len, uint8_t *ret_out);

/* The key pair that external commits are sealed to (8.3). */
CHECKED struct err key_schedule_external_pair(const struct suite *suite,
                                              const struct secret *external_secret,
                                              struct secret *ret_private,
                                              struct public_key *ret_public);
/* An external joiner's init_secret, and the kem_output of its ExternalInit proposal (8.3). */
CHECKED struct err key_schedule_external_send(const struct suite *suite, const struct rng *rng,
                                              struct bytes external_public, struct secret *ret_init,
                                              struct public_key *ret_kem_output);
/* The members' side: the same init_secret from the kem_output. */
CHECKED struct err key_schedule_external_receive(const struct suite *suite,
                                                 const struct secret *external_secret,
                                                 struct bytes kem_output, struct secret *ret_init);

/* confirmation_tag = MAC(confirmation_key, confirmed_transcript_hash), 6.1 */
void key_schedule_confirmation_tag(const struct suite *suite, const struct secret *confirmation,
                                   struct bytes confirmed_transcript_hash, struct digest *ret_tag);
/* Constant time, full length: ERR_MLS_CONFIRMATION_TAG. */
CHECKED struct err key_schedule_check_confirmation(const struct suite *suite,
                                                   const struct secret *confirmation,
                                                   struct bytes confirmed_transcript_hash,
                                                   struct bytes tag);

#endif
