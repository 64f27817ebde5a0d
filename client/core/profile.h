/* Profiles: display name and picture, encrypted under a key that contacts have.
 *
 * Each version has a key of its own. Its index, which the server keeps and which is the right to
 * fetch, and the key that seals it follow from that (ExpandWithLabel of HKDF-SHA256, labels
 * "ProfileIndex" and "ProfileSeal").
 *
 *     struct { uint8 version = 1; opaque name<V>; opaque picture<V>; } Profile
 *     sealed: nonce[12] || AES-256-GCM(seal key, nonce, aad index, pad.h around Profile)
 *
 * The six sizes of ME1 are the sealed one's.
 */
#ifndef CLIENT_CORE_PROFILE_H
#define CLIENT_CORE_PROFILE_H

#include "client/core/core.h"

enum { PROFILE_INDEX_BYTES = 32, PROFILE_MAX_BYTES = 98304, PROFILE_PICTURE_MAX_BYTES = 90000 };

struct profile {
    struct bytes name, picture;
};
CHECKED struct err profile_index(const uint8_t key[PROFILE_KEY_BYTES],
                                 uint8_t ret_index[PROFILE_INDEX_BYTES]);
/* Appends. ERR_TOO_LARGE. */
CHECKED struct err profile_seal(struct buf *b, const struct rng *rng,
                                const uint8_t key[PROFILE_KEY_BYTES],
                                const struct profile *profile);
/* Views into scratch. ERR_CRYPTO_TAG, wire errors. */
CHECKED struct err profile_open(const uint8_t key[PROFILE_KEY_BYTES], struct bytes sealed,
                                struct buf *scratch, struct profile *ret_profile);

/* Ours: staged, its key told to friends, shown. ERR_TOO_LARGE, ERR_ARGUMENT (no UTF-8). */
CHECKED struct err profile_set(struct core *c, struct db_txn *t, const char *name,
                               struct bytes picture, uint64_t *ret_task);
/* A contact's, by the key that we have of him: a task; name and picture then are in his row and in
 * DB_PROFILE (id contact id: the picture). */
CHECKED struct err profile_fetch(struct core *c, struct db_txn *t, const struct hearth_id *contact);
/* The picture; empty: none. Appends. */
CHECKED struct err profile_picture(struct core *c, struct db_txn *t,
                                   const struct hearth_id *contact, struct buf *b);

#endif
