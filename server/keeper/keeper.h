/* The keeper: long-term keys behind a few verbs, in-process (tests) or in a process of its own
 * (hearthd's default).
 *
 * Two sorts of keys. Identity keys (signing, HPKE) never leave the keeper: whoever reads the
 * server's memory can't sign as the homeserver nor open references later (ME4). Storage keys
 * encrypt what lies on the disk (ME3); the server asks for them once per purpose at start-up and
 * holds them in locked memory, because they are needed for every row.
 *
 * All keys come from one file, sealed or mode 0400, made by keeper_init (docs/operating.md).
 * Thread-safe. The process form talks over a socketpair; each verb is one round trip, batches are
 * one round trip together; when the keeper's process dies every verb fails with ERR_KEEPER_GONE and
 * the server drains.
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include "base/clock.h"
#include "crypto/sig.h"
#include "seal/sealed_ref.h"

/* Keys that sign. Append only. */
enum keeper_signer {
    KEEPER_AS_ROOT = 0,
    KEEPER_AS_SIGNING = 1,
    KEEPER_FEDERATION = 2,
    KEEPER_EXTERNAL_SENDER = 3, /* server proposals in groups; Ed25519, and see keeper_public */
    KEEPER_LOG = 4,
    KEEPER_SIGNERS
};

/* Storage keys, one per purpose: never one key for two. Append only. */
enum keeper_purpose {
    KEEPER_AUTH_ROWS = 0,
    KEEPER_AUTH_IDS = 1,
    KEEPER_QUEUE_ROWS = 2,
    KEEPER_QUEUE_IDS = 3,
    KEEPER_DELIVERY_ROWS = 4, /* outbox bodies and references */
    KEEPER_DELIVERY_IDS = 5,
    KEEPER_ATTACHMENT_ROWS = 6,
    KEEPER_ATTACHMENT_IDS = 7,
    KEEPER_RESERVATION = 8, /* stateless group ids */
    KEEPER_CHALLENGE = 9,   /* registration puzzles */
    KEEPER_ONCE_AUTH = 10,  /* stored answers of repeated requests */
    KEEPER_ONCE_QUEUE = 11,
    KEEPER_ONCE_DELIVERY = 12,
    KEEPER_LIMITS = 13,
    KEEPER_PURPOSES
};
enum { KEEPER_KEY_BYTES = 32 };

struct keeper;

/* Makes fresh keys at a path that must not exist, mode 0400: identity keys, the master of storage
 * keys, an AsCredential and a first AsSigningCredential for domain. */
CHECKED struct err keeper_init(const char *path, struct bytes domain, const struct clock *clock,
                               const struct rng *rng);
/* In this process. Refuses a file that others may read (ERR_KEEPER_FILE). path NULL: fresh keys in
 * memory (worlds). */
CHECKED struct err keeper_open(const char *path, struct bytes domain, const struct clock *clock,
                               const struct rng *rng, struct keeper **ret_keeper);
/* The same in a child process, which is confined (no files, no network) once it has read its file.
 */
CHECKED struct err keeper_spawn(const char *path, struct bytes domain, struct keeper **ret_keeper);
void keeper_close(struct keeper *keeper); /* wipes; ends the child */

/* Labelled signature (prefix LABEL_HEARTH). mls: prefix LABEL_MLS instead, KEEPER_EXTERNAL_SENDER
 * only. */
CHECKED struct err keeper_sign(struct keeper *keeper, enum keeper_signer signer, bool mls,
                               struct bytes label, struct bytes content,
                               struct signature *ret_signature);
/* 32 bytes, Ed25519. */
CHECKED struct err keeper_public(struct keeper *keeper, enum keeper_signer signer,
                                 struct public_key *ret_key);
/* Appends the current credential of AS_ROOT or AS_SIGNING. */
CHECKED struct err keeper_credential(struct keeper *keeper, enum keeper_signer signer,
                                     struct buf *b);
/* A new AS_SIGNING credential or other signing key; the old one stays valid to its end. Written to
 * the file. */
CHECKED struct err keeper_rotate(struct keeper *keeper, enum keeper_signer signer);

/* The queue service's HPKE key. */
CHECKED struct err keeper_queue_key(struct keeper *keeper, struct public_key *ret_key);
/* Opens sealed references, many at once; the one before a rotation is tried too. Opened ones are
 * remembered in the keeper, in a bounded table, for a second opening costs nothing then. results[i]
 * says how each went. */
CHECKED struct err keeper_open_refs(struct keeper *keeper, const struct bytes *sealed, size_t count,
                                    struct queue_ref *ret_refs, struct err *ret_results);

/* A storage key: HKDF of the master. Wipe the copy. */
CHECKED struct err keeper_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                                      uint8_t ret_key[KEEPER_KEY_BYTES]);

#endif
