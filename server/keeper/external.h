/* The keys of the MLS external sender (server proposals, RFC 9420 12.1.8.1), of which a homeserver
 * has several: a group's external_senders entry must be of the signature scheme of its suite, and
 * names a key for as long as the group's context does, which may be long after a rotation. Internal
 * to server/keeper.
 *
 * The present Ed25519 key is signers[KEEPER_EXTERNAL_SENDER] of the keyring; the others are here,
 * those before a rotation too, KEEPER_EXTERNAL_BEFORE of each scheme. Private keys are kept in
 * their serialised form alone, in the keyring's locked pages: what OpenSSL makes of them lies
 * elsewhere, so it is made for each signature, of which there are few.
 */
#ifndef SERVER_EXTERNAL_H
#define SERVER_EXTERNAL_H

#include "server/keeper/keeper.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    EXTERNAL_NIST = 3, /* P-256, P-384, P-521 */
    EXTERNAL_MOST = EXTERNAL_NIST + (EXTERNAL_NIST + 1) * KEEPER_EXTERNAL_BEFORE,
};

struct external_key {
    const struct sig_alg *alg;
    struct secret private_key;
    struct public_key public_key;
    uint64_t retired_s; /* 0: in use for new groups */
};
/* Zero state: none. */
struct externals {
    struct external_key keys[EXTERNAL_MOST]; /* of one scheme: the present one, then newest first */
    size_t count;
};

/* Present keys of the NIST curves, where there are none. */
CHECKED struct err externals_generate(struct externals *x, const struct rng *rng);
/* New present keys of the NIST curves; theirs and `ed25519`, which its owner replaces, are retired.
 * Where a scheme has too many, its oldest is forgotten: ERR_KEEPER_IN_USE if that one was retired
 * less than KEEPER_EXTERNAL_REST_DAYS ago, unless `anyway`. After a failure x is good for nothing.
 */
CHECKED struct err externals_rotate(struct externals *x, const struct sig_key *ed25519,
                                    uint64_t now_s, bool anyway, const struct rng *rng);
/* NULL: not here. */
const struct external_key *externals_find(const struct externals *x, struct bytes public_key);
/* Signs once, prefix LABEL_MLS. */
CHECKED struct err external_sign(const struct external_key *key, struct bytes label,
                                 struct bytes content, struct signature *ret_signature);

/* struct { uint16 scheme; uint64 retired; opaque private_key<V>; } External;  External keys<V> */
void externals_write(struct buf *b, const struct externals *x);
/* The contents of the vector. ERR_WIRE_*, those of sig_key_init. */
CHECKED struct err externals_parse(struct bytes in, struct externals *ret_externals);

#endif
