/* KeySet: the client set of a user, or the key of a handle, version by version (transparency.md 4;
 * the encoding is that of ktl_profile.json). What the log commits to and what contacts check: each
 * new key signs, and each version is signed by an authorising key of the one before; otherwise it
 * is a loud reset.
 *
 *     struct {
 *         opaque client_id<1..64>;
 *         uint16 sig_scheme;
 *         opaque public_key<1..2^16-1>;
 *         uint64 added_ms;
 *         uint8 flags;
 *     } ClientKey;
 *     struct {
 *         uint8 fmt = 1;
 *         opaque label<1..2^8-1>;
 *         uint32 version;
 *         opaque prev_commitment<0..32>;
 *         uint64 created_ms;
 *         uint8 reset;
 *         ClientKey clients<0..2^16-1>;
 *         opaque recovery_key<0..32>;
 *     } KeySetTBS;
 *     struct { opaque client_id<0..64>; opaque signature<0..2^16-1>; } KeySetSig;
 *     struct { KeySetTBS tbs; KeySetSig sigs<0..2^8-1>; } KeySet;
 *     signed: "KTL KeySet 1" || 0x00 || tbs
 *
 * Vectors carry an ELEMENT COUNT in the fewest bytes that hold their upper bound
 * (draft-ietf-keytrans-protocol), big-endian; trailing bytes are refused. A signature under a
 * client's id is by its key in this version or by its key in the one before (a client that changed
 * its key signs with both); one under the empty id is by a recovery key.
 */
#ifndef SEAL_KEY_SET_H
#define SEAL_KEY_SET_H

#include "crypto/sig.h"

enum {
    KEY_SET_LABEL_USER = 0x01,   /* label = kind || UserId */
    KEY_SET_LABEL_HANDLE = 0x02, /* label = kind || handle hash */
    KEY_SET_AUTHORISES = 1,      /* ClientKey.flags */
    KEY_SET_CLIENTS_MAX = 64,    /* of one user here */
    KEY_SET_MAX_BYTES = 8192,
};

struct client_key {
    struct bytes client_id;
    uint16_t sig_scheme; /* 0x0807 Ed25519 */
    struct bytes public_key;
    uint64_t added_ms;
    uint8_t flags;
};

/* Parsed; views into the input. */
struct key_set {
    struct bytes label;
    uint32_t version;
    struct bytes prev_commitment; /* empty or 32 */
    uint64_t created_ms;
    bool reset;
    struct client_key clients[KEY_SET_CLIENTS_MAX]; /* sorted by id, unique */
    size_t client_count;
    struct bytes recovery_key;
    struct bytes tbs;
    struct key_set_sig {
        struct bytes client_id; /* empty: the recovery key */
        struct bytes signature;
    } sigs[2 * KEY_SET_CLIENTS_MAX];
    size_t sig_count;
};

/* Form alone. Wire errors, ERR_KEY_SET. */
CHECKED struct err key_set_parse(struct bytes in, struct key_set *ret_set);
/* Appends: fields without tbs and sigs; keys[i] signs as ids[i]. Errors as of key_set_parse. */
CHECKED struct err key_set_make(struct buf *b, const struct key_set *fields,
                                const struct sig_key *const *keys, const struct bytes *ids,
                                size_t count);
/* The same in steps, where the keys lie on different devices: what is signed (fields without tbs
 * and sigs), a signature of it, and the whole (ids and signatures in the same order). Each appends;
 * errors as of key_set_make. */
CHECKED struct err key_set_tbs_make(struct buf *b, const struct key_set *fields);
CHECKED struct err key_set_tbs_sign(struct bytes tbs, const struct sig_key *key,
                                    struct signature *ret_signature);
CHECKED struct err key_set_join(struct buf *b, struct bytes tbs, const struct bytes *ids,
                                const struct signature *signatures, size_t count);
/* A version that follows `before` (NULL: version 0): label, version number, possession by each new
 * key, authorisation by one of the version before or reset; and every signature there is holds.
 * prev_commitment's form is checked; its value is for the caller, who has the log. ERR_KEY_SET,
 * ERR_CRYPTO_SIGNATURE. */
CHECKED struct err key_set_verify(const struct key_set *set, const struct key_set *before);
/* For who does not have the version before: version n > 0, not a reset, in which each key has
 * signed. That one of the version before has signed, too, is not looked at: the log shows it. */
CHECKED struct err key_set_verify_alone(const struct key_set *set);
/* NULL when it is not in. */
const struct client_key *key_set_find(const struct key_set *set, struct bytes client_id);

#endif
