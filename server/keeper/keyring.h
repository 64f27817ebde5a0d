/* All long-term keys of a homeserver, and their stored form. Internal to server/keeper.
 *
 *     struct { opaque key[32]; uint64 retired; } OldQueueKey;       seconds since 1970
 *     struct { opaque magic[8] = "hearthky"; uint8 version = 4; opaque domain<V>;
 *              opaque master[32];
 *              opaque signing_keys<V>;         32 bytes for each of enum keeper_signer
 *              opaque queue_key[32]; OldQueueKey queue_keys_before<V>;      newest first
 *              opaque root_credential<V>; opaque signing_credential<V>;
 *              External externals<V>;          external.h
 *              uint32 token_period; opaque token_master[32]; } Keys      pass/key_schedule.h
 *
 * Older versions are read: 3 has no key of the witness, 2 no token master either, and 1 neither
 * that nor externals, and in the place of queue_keys_before opaque queue_key_before<V>;     empty
 * or 32 keyring_complete() makes what is missing.
 *
 *     struct { Keys keys; opaque digest[32]; } KeyFile
 *         digest: SHA-256("Hearth 1 KeyFile" || keys). Against damage; who can write the file can
 *         make it fit.
 *
 * Lives in memory of its own pages: locked (never swapped), left out of core dumps, wiped at the
 * end.
 */
#ifndef SERVER_KEYRING_H
#define SERVER_KEYRING_H

#include "base/clock.h"
#include "crypto/sig.h"
#include "pass/key_schedule.h"
#include "seal/credential_chain.h"
#include "seal/names.h"
#include "server/keeper/external.h"
#include "server/keeper/inside.h"

struct keyring_hpke {
    struct secret private_key; /* empty: none */
    struct public_key public_key;
    uint64_t retired_s; /* of one before: since when it is not handed out; 0: not known */
    bool used;          /* has opened a reference in this life of the process */
};

struct keyring_bytes {
    uint8_t data[CREDENTIAL_MAX_BYTES];
    size_t len;
};

struct keyring {
    uint8_t domain[DOMAIN_MAX_BYTES];
    size_t domain_len;
    uint8_t master[KEEPER_KEY_BYTES];
    struct sig_key signers[KEEPER_SIGNERS];
    struct keyring_hpke queue, queue_before[KEEPER_QUEUE_BEFORE]; /* newest first */
    struct externals externals;
    struct keyring_bytes root, signing; /* credentials */
    struct pass_master tokens;          /* period 0: none yet */
};

enum { KEYRING_FILE_MAX_BYTES = 8192 };

/* ERR_NO_MEMORY also when the memory can't be locked. */
CHECKED struct err keyring_new(struct keyring **ret_ring);
void keyring_free(struct keyring *ring); /* wipes; NULL is fine */

/* Fresh keys and credentials. ring: from keyring_new; after a failure it is good for keyring_free
 * alone. */
CHECKED struct err keyring_generate(struct keyring *ring, struct bytes domain,
                                    const struct clock *clock, const struct rng *rng);
/* What was written, of this domain. ERR_KEEPER_FILE for whatever is wrong with it: a credential
 * that its key did not sign included. */
CHECKED struct err keyring_parse(struct keyring *ring, struct bytes in, struct bytes domain);
/* What an older version did not have yet. *ret_changed: it is to be written. */
CHECKED struct err keyring_complete(struct keyring *ring, const struct clock *clock,
                                    const struct rng *rng, bool *ret_changed);
/* Appends; b is cleared by the caller. */
CHECKED struct err keyring_write(const struct keyring *ring, struct buf *b);
/* A copy with one key made anew; what: a signer other than the root, or KEEPER_ROTATE_QUEUE.
 * ERR_KEEPER_IN_USE (keeper.h) unless `anyway`. */
CHECKED struct err keyring_rotated(const struct keyring *ring, unsigned what, bool anyway,
                                   const struct clock *clock, const struct rng *rng,
                                   struct keyring **ret_ring);
/* The first day whose token keys are needed at this time. */
uint32_t keyring_token_day(const struct clock *clock);
/* A copy whose token master has moved on to a later day (ERR_ARGUMENT: pass_master_advance). */
CHECKED struct err keyring_advanced(const struct keyring *ring, uint32_t day,
                                    struct keyring **ret_ring);

#endif
