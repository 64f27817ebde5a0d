/* The keeper: long-term keys behind a few verbs, in-process (tests) or in a process of its own
 * (hearthd's default).
 *
 * Two sorts of keys. Identity keys (signing, HPKE) never leave the keeper: whoever reads the
 * server's memory can't sign as the homeserver nor open references later (ME4). Storage keys
 * encrypt what lies on the disk (ME3); the server asks for them once per purpose at start-up and
 * holds them in locked memory, because they are needed for every row.
 *
 * All keys come from one file of mode 0400 (key_file.h), made by keeper_init. Thread-safe. The
 * process form talks over a socketpair; each verb is one round trip, a batch of references too, and
 * callers take turns; when the keeper's process dies every verb fails with ERR_KEEPER_GONE and the
 * server drains. It is forked and never execs (docs/decisions/0007), so keeper_spawn comes before
 * any thread and before secrets of the server's.
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include "base/clock.h"
#include "crypto/blind_rsa.h"
#include "crypto/sig.h"
#include "seal/sealed_ref.h"

/* Keys that sign. Append only. */
enum keeper_signer {
    KEEPER_AS_ROOT = 0,
    KEEPER_AS_SIGNING = 1,
    KEEPER_FEDERATION = 2,
    KEEPER_EXTERNAL_SENDER = 3, /* server proposals in groups: the Ed25519 key of now; there are
                                   more, keeper_external_keys */
    KEEPER_LOG = 4,             /* texts of checkpoints, as they are: its label is empty */
    KEEPER_WITNESS = 5,         /* cosignatures of peers' checkpoints (tlog/note.h), the same */
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
    KEEPER_TOKENS = 14, /* tags of spent tokens, ids of requests for tokens */
    KEEPER_LOG_ROWS = 15,
    KEEPER_LOG_IDS = 16,
    KEEPER_LOG_VRF = 17, /* the secret of the log's VRF: as old as the log, like its signing key */
    KEEPER_FEDERATION_ROWS = 18,
    KEEPER_FEDERATION_IDS = 19,
    KEEPER_PURPOSES
};
enum { KEEPER_KEY_BYTES = 32 };

/* Most bytes that can be signed at once, label and content (ERR_TOO_LARGE). */
enum { KEEPER_CONTENT_MAX_BYTES = 262144 };

struct keeper;

/* Makes fresh keys at a path that must not exist (ERR_STORE_EXISTS), mode 0400: identity keys, the
 * master of storage keys, an AsCredential and a first AsSigningCredential for domain. The folder is
 * synced. ERR_KEEPER_FILE when there is no such folder, ERR_IO, ERR_CREDENTIAL for a domain that is
 * none. */
CHECKED struct err keeper_init(const char *path, struct bytes domain, const struct clock *clock,
                               const struct rng *rng);
/* In this process. ERR_KEEPER_FILE: missing, damaged, no plain file, open to other users, owned by
 * another, or another domain's. ERR_NO_MEMORY also when the keys' memory can't be locked. path
 * NULL: fresh keys in memory (worlds). domain and path are copied; clock and rng borrowed. */
CHECKED struct err keeper_open(const char *path, struct bytes domain, const struct clock *clock,
                               const struct rng *rng, struct keeper **ret_keeper);
/* The same in a child process, which is confined (no files, no network) once it has read its file.
 * Errors as keeper_open; ERR_IO when it can't be started or confined. */
CHECKED struct err keeper_spawn(const char *path, struct bytes domain, struct keeper **ret_keeper);
void keeper_close(struct keeper *keeper); /* wipes; ends the child; NULL is fine */

/* Labelled signature (prefix LABEL_HEARTH). mls: prefix LABEL_MLS instead, KEEPER_EXTERNAL_SENDER
 * only (keeper_sign_external signs under its other keys). ERR_ARGUMENT for that, and for
 * KEEPER_AS_ROOT, which signs inside the keeper alone. */
CHECKED struct err keeper_sign(struct keeper *keeper, enum keeper_signer signer, bool mls,
                               struct bytes label, struct bytes content,
                               struct signature *ret_signature);
/* 32 bytes, Ed25519. */
CHECKED struct err keeper_public(struct keeper *keeper, enum keeper_signer signer,
                                 struct public_key *ret_key);
/* Appends the current credential of AS_ROOT or AS_SIGNING (else ERR_ARGUMENT). */
CHECKED struct err keeper_credential(struct keeper *keeper, enum keeper_signer signer,
                                     struct buf *b);
/* A new signing key, with a new AsSigningCredential for AS_SIGNING; what the old one signed stays
 * valid to its end, but the keeper forgets the key. Written to the file before it is used; on
 * failure the old one goes on. ERR_ARGUMENT for KEEPER_AS_ROOT: it is pinned by clients.
 * Witnesses name the LOG key, operators of peers the WITNESS key. Groups name an EXTERNAL_SENDER
 * key in their context: those of all schemes are rotated together, and the ones before stay for
 * groups that have them. ERR_KEEPER_IN_USE where one would be forgotten before
 * KEEPER_EXTERNAL_REST_DAYS. */
CHECKED struct err keeper_rotate(struct keeper *keeper, enum keeper_signer signer);

enum {
    KEEPER_EXTERNAL_BEFORE = 3, /* external sender keys kept of each scheme, beside the present */
    KEEPER_EXTERNAL_REST_DAYS = 365,
    KEEPER_EXTERNAL_KEYS = 4 * (1 + KEEPER_EXTERNAL_BEFORE), /* at most, of all schemes */
};
struct keeper_external {
    uint16_t scheme; /* TLS SignatureScheme: Ed25519, ECDSA on P-256, P-384, P-521 */
    bool present;    /* for new groups; else for those that have it */
    struct public_key key;
};
/* Present ones first. */
CHECKED struct err keeper_external_keys(struct keeper *keeper,
                                        struct keeper_external ret_keys[KEEPER_EXTERNAL_KEYS],
                                        size_t *ret_count);
/* Labelled signature, prefix LABEL_MLS, by the external sender's key with this public key.
 * ERR_NOT_FOUND: none of ours, or forgotten. */
CHECKED struct err keeper_sign_external(struct keeper *keeper, struct bytes public_key,
                                        struct bytes label, struct bytes content,
                                        struct signature *ret_signature);

/* The queue service's HPKE key, seal_hpke. */
CHECKED struct err keeper_queue_key(struct keeper *keeper, struct public_key *ret_key);
/* A new one. References to the KEEPER_QUEUE_BEFORE keys before still open, older ones don't: owners
 * make new ones when they see another key (within KEEPER_QUEUE_REST_DAYS, after which those who did
 * not are gone by F4). ERR_KEEPER_IN_USE when a key would be forgotten that was in use until less
 * than that ago, or that has opened a reference since the keeper began. */
CHECKED struct err keeper_rotate_queue_key(struct keeper *keeper);
enum { KEEPER_QUEUE_BEFORE = 3, KEEPER_QUEUE_REST_DAYS = 90 };
/* The same two without ERR_KEEPER_IN_USE: for who knows that a key has leaked. */
CHECKED struct err keeper_rotate_anyway(struct keeper *keeper, enum keeper_signer signer);
CHECKED struct err keeper_rotate_queue_key_anyway(struct keeper *keeper);
/* Opens sealed references, many at once; the keys before rotations are tried too. Opened ones are
 * remembered in the keeper, in a bounded table: a second opening costs a hash. results[i] says how
 * each went (those of sealed_ref_open); the error returned is about the whole, and then
 * they mean nothing. */
CHECKED struct err keeper_open_refs(struct keeper *keeper, const struct bytes *sealed, size_t count,
                                    struct queue_ref *ret_refs, struct err *ret_results);

/* A storage key: HKDF of the master. Wipe the copy. */
CHECKED struct err keeper_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                                      uint8_t ret_key[KEEPER_KEY_BYTES]);

/* ---- token keys (pass/key_schedule.h): one for each class and day. Their master never leaves and
 * moves on each day, in the file too. A day's private keys are given out like storage keys: they
 * are good for three days and for nothing but tokens, and 20 ms of arithmetic a batch have no place
 * in a process that others wait for. */

enum {
    KEEPER_TOKEN_DAYS = 3,         /* yesterday, today and tomorrow by the keeper's clock */
    KEEPER_TOKEN_PUBLIC_DAYS = 12, /* public keys further ahead, from yesterday on */
};
/* ERR_PASS_KEY: another day, or its master is gone (the clock was set back). ERR_ARGUMENT: class.
 * Half a millisecond. Wipe the copy. */
CHECKED struct err keeper_token_key(struct keeper *keeper, uint8_t class, uint32_t period,
                                    uint8_t ret_private[KEEPER_KEY_BYTES]);
CHECKED struct err keeper_token_public(struct keeper *keeper, uint8_t class, uint32_t period,
                                       uint8_t ret_public[KEEPER_KEY_BYTES]);

/* ---- keys of vouchers (pass/voucher.h), one for each class and week: wrapped here, so that who
 * keeps them can't read them. Signing takes half a millisecond. */

enum { KEEPER_VOUCHER_MAX_BYTES = 2048 };
/* A new one, of blind_rsa_key_write(): appends it wrapped, KEEPER_VOUCHER_MAX_BYTES at most.
 * ERR_ARGUMENT: class, length; ERR_CRYPTO_KEY. */
CHECKED struct err keeper_voucher_wrap(struct keeper *keeper, uint8_t class, uint32_t week,
                                       struct bytes pkcs8, struct buf *wrapped);
/* Signs blindly. ERR_CRYPTO_TAG: not wrapped by this keeper for this class and week. ERR_ARGUMENT:
 * class, or no number below the modulus. */
CHECKED struct err keeper_voucher_sign(struct keeper *keeper, uint8_t class, uint32_t week,
                                       struct bytes wrapped, const uint8_t blinded[BLIND_RSA_BYTES],
                                       uint8_t ret_signature[BLIND_RSA_BYTES]);

#endif
