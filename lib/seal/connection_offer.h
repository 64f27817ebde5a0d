/* Connection offers (protocol.md 5): one user asks another, known by a handle alone, for a
 * connection. Both ends.
 *
 *     struct {
 *         uint8 version = 1;
 *         opaque signing_credential<V>;   AsSigningCredential that signed the next
 *         opaque client_credential<V>;    of the sender's client, which makes the offer
 *         opaque key_sets<V>;             KeySet<V> each: consecutive versions of the sender's
 *                                         client set, oldest first, the current one last
 *         opaque group_id<V>;             the connection group, in which the sender waits
 *         opaque state_key[32];           opens it at the delivery service
 *         opaque identity_key[32];        the group identity key
 *         Friendship friendship;          friendship.h
 *         opaque answer_key[32];          X25519: for refusing (connection_answer.h)
 *         opaque package_hash[32];        of the connection package that it is sealed to
 *         opaque handle<V>;               the sender's own, local@domain, or empty: not told
 *         opaque display_name<V>;         UTF-8, chosen by the sender
 *         opaque text<V>;                 UTF-8, a line to the recipient
 *     } tbs;
 *     struct { tbs; opaque signature<V>; } Offer
 *         signature: the client key, label "ConnectionOffer", over
 *             struct { opaque handle_hash[32]; opaque tbs<V>; }    the recipient's handle
 *
 *     sealed   struct { opaque kem_output<V>; opaque ciphertext<V>; }
 *         HPKE (seal_hpke) to the package's key, info "Hearth 1 ConnectionOffer" || package hash,
 *         of pad.h around Offer, so that it is CONNECTION_OFFER_SHORT_BYTES or _LONG_BYTES in all
 *         (ME1; Auth.Connect takes no more)
 *
 *     psk id   SHA-256("Hearth 1 ConnectionOfferPskId" || Offer)
 *     psk      SHA-256("Hearth 1 ConnectionOfferPskSecret" || Offer)
 *     hash     SHA-256("Hearth 1 ConnectionOfferHash" || Offer)
 *
 * The recipient accepts by an external commit into the group that covers the external PSK of that
 * id: it proves to the sender that who joins has this very offer, and to the recipient that the
 * group's member has it, too. The hash names the offer in an answer.
 *
 * What a recipient knows when connection_offer_verify is content: the credentials chain to the root
 * that it pinned for the sender's domain, the client is in the sender's client set with this key,
 * the versions of that set follow from each other, and the client made this offer for this handle
 * and package. With versions from 0 on (`complete`) a server can't have put in a key of its own but
 * by showing another person's history; whether the set is the one that everybody sees is for the
 * log to say, where there is one. Whether a credential was revoked is the caller's to ask.
 */
#ifndef SEAL_CONNECTION_OFFER_H
#define SEAL_CONNECTION_OFFER_H

#include "seal/connection_package.h"
#include "seal/credential_chain.h"
#include "seal/friendship.h"
#include "seal/names.h"

enum {
    CONNECTION_OFFER_SHORT_BYTES = 4096,
    CONNECTION_OFFER_LONG_BYTES = 16384,
    CONNECTION_OFFER_HASH_BYTES = 32,
    CONNECTION_KEY_BYTES = 32,
    CONNECTION_KEY_SETS_MAX = 64,
    CONNECTION_HANDLE_MAX_BYTES = 63 + 1 + DOMAIN_MAX_BYTES,
    CONNECTION_NAME_MAX_BYTES = 256,
    CONNECTION_TEXT_MAX_BYTES = 1024,
};

/* Views, into the plaintext. Everything but what is marked is the maker's to fill in; nothing is
 * verified but form. */
struct connection_offer {
    struct bytes signing_credential, client_credential; /* whole */
    struct bytes key_sets;        /* contents of the vector: see connection_offer_key_sets_write */
    struct bytes group_id;        /* GroupId */
    const uint8_t *state_key;     /* STATE_KEY_BYTES */
    const uint8_t *identity_key;  /* IDENTITY_KEY_BYTES */
    struct friendship friendship; /* a copy: wipe it (connection_offer_clear) */
    const uint8_t *answer_key;    /* CONNECTION_KEY_BYTES */
    const uint8_t *package_hash;  /* 32; by reading */
    struct bytes handle, display_name, text;
    struct bytes tbs, signature; /* by reading */
    struct bytes whole;          /* by reading: Offer, what the hashes are of */
};
void connection_offer_clear(struct connection_offer *offer); /* wipes the copy */

/* All three are secrets of those who have the offer. Wipe it. */
struct connection_offer_hashes {
    uint8_t psk_id[CONNECTION_OFFER_HASH_BYTES];
    uint8_t psk[CONNECTION_OFFER_HASH_BYTES];
    uint8_t hash[CONNECTION_OFFER_HASH_BYTES];
};
void connection_offer_hashes(struct bytes whole, struct connection_offer_hashes *ret_hashes);

/* The contents of key_sets from versions, oldest first (the whole chain if the sender has it): the
 * newest that fit an offer, at least one. ERR_TOO_LARGE when not even that does, ERR_ARGUMENT for
 * none. Appends. */
CHECKED struct err connection_offer_key_sets_write(struct buf *b, const struct bytes *versions,
                                                   size_t count);

/* Sender. Signs with the client key, seals to the package (verified by the caller). Appends what
 * Auth.Connect takes to b; on failure b holds what it held. ret_hashes is what the sender keeps, to
 * know the joiner and the answer by. ERR_TOO_LARGE, ERR_ARGUMENT (no reader would take it), those
 * of kem_encap. */
CHECKED struct err connection_offer_seal(struct buf *b, const struct rng *rng,
                                         const struct connection_offer *fields,
                                         const struct connection_package *package,
                                         const struct sig_key *client_key,
                                         struct connection_offer_hashes *ret_hashes);

/* Recipient. package_hash: came beside the offer, and names the private key. The plaintext is
 * appended to scratch, which the caller clears, and the views of ret_offer point there until it
 * grows or goes. Errors:
 * ERR_WIRE_LIMIT (longer than an offer is), wire errors, ERR_CRYPTO_TAG, those of kem_decap. */
CHECKED struct err connection_offer_open(struct bytes private_key, struct bytes public_key,
                                         const uint8_t package_hash[32], struct bytes sealed,
                                         struct buf *scratch, struct connection_offer *ret_offer);
/* The form of an Offer, not sealed, for who has stored it. */
CHECKED struct err connection_offer_parse(struct bytes whole, struct connection_offer *ret_offer);
/* Who made it, by its own account: for fetching the root of the domain. Form only. */
CHECKED struct err connection_offer_sender(const struct connection_offer *offer,
                                           struct client_id *ret_sender);

/* What the chain of client sets shows. */
struct connection_sender {
    struct client_id id;      /* views into the offer */
    struct bytes client_key;  /* the key of the ClientCredential */
    struct bytes key_set;     /* the current one */
    uint32_t key_set_version; /* its version */
    uint32_t key_set_first;   /* the oldest version in the offer; 0: the chain is complete */
    bool key_set_reset;       /* somewhere in it is a reset: show it loudly */
};
/* root: pinned for the sender's domain by the caller; package_hash as in open; now in seconds.
 * Errors: ERR_CREDENTIAL, ERR_CREDENTIAL_TIME, ERR_KEY_SET, ERR_CRYPTO_SIGNATURE, ERR_WIRE_VALUE
 * for another package. */
CHECKED struct err connection_offer_verify(const struct connection_offer *offer,
                                           const uint8_t handle_hash[HANDLE_HASH_BYTES],
                                           const uint8_t package_hash[32],
                                           const struct credential *root, uint64_t now,
                                           struct connection_sender *ret_sender);

/* The signature alone, under a key that is known otherwise. Errors: those of sig_verify. */
CHECKED struct err connection_offer_check_signature(const struct connection_offer *offer,
                                                    const uint8_t handle_hash[HANDLE_HASH_BYTES],
                                                    struct bytes client_key);

#endif
