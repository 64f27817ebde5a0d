/* The homeserver's log in kt.db: what is waiting, epochs, proofs, checkpoints (transparency.md 13,
 * 14). Functions over a transaction of the store; who calls them when, and for whom, is the
 * service's (transparency.h).
 *
 * The rules that keep one root per size, ever:
 *   1. An epoch is one transaction: versions, tree, log hashes, entry. Nothing is signed in it.
 *   2. What is signed is read back in a later transaction, so it was committed, durably.
 *   3. A size is signed once: its note is stored with the root before it leaves, by a row that
 *      can't be replaced. A crash between signing and storing repeats the same text, and Ed25519
 *      makes the same signature of it.
 *   4. A log that is smaller than a checkpoint of its own seen outside (a restored backup) signs
 *      nothing: kt_log_check_outside.
 */
#ifndef SERVER_TRANSPARENCY_KT_LOG_H
#define SERVER_TRANSPARENCY_KT_LOG_H

#include "base/rng.h"
#include "seal/at_rest.h"
#include "store/store.h"
#include "tlog/prove.h"
#include "tlog/view.h"

enum {
    KT_EPOCH_MOST = 16384, /* new versions in one epoch */
    KT_LOST_MOST = 255,    /* versions of a label from before the log */
    /* Page cache of a reader: the upper levels of 10^6 pairs with their paths are about so much. */
    KT_CACHE_KIB = 65536,
    /* Of the writer: an epoch of 10,000 versions touches pages all over the tree. */
    KT_WRITER_CACHE_KIB = 262144,
    /* So that the pages of such an epoch are not moved between its commit and its signature. */
    KT_CHECKPOINT_BYTES = 96 * 1024 * 1024,
};

/* So long after a label has ended its earlier versions can still be opened: contacts check what
 * they found in the window before, and repeats are answered. */
#define KT_ERASE_AFTER_MS (UINT64_C(30) * 24 * 3600 * 1000)

/* Trees are kept for so long: a day more than clients count on (lib/tlog/view.h), who may not have
 * seen the newest entry yet. */
#define KT_KEEP_MS (KT_KEPT_MS + UINT64_C(24) * 3600 * 1000)

/* Keys and configuration; borrowed by every call. Thread-safe: nothing changes after it is made. */
struct kt_log {
    struct kt_config config;
    const struct vrf_key *vrf; /* config's */
    const struct rng *rng;
    uint8_t rows_key[AT_REST_KEY_BYTES];
    uint8_t ids_key[AT_REST_KEY_BYTES];
    /* Ed25519 over a checkpoint's text, as it is: the keeper's, by config.signature_key. */
    CHECKED struct err (*sign)(void *self, struct bytes text, struct signature *ret_signature);
    void *sign_self;
    /* Told of each signed checkpoint before anybody else; what it can't keep is not signed. Signing
     * again after a crash in between makes the same note. NULL: nobody. */
    CHECKED struct err (*keep)(void *self, struct bytes note);
    void *keep_self;
};

/* In a write transaction after the store is open: leaf 0 of a log without epochs, or the check that
 * leaf 0 of this one is the configuration (ERR_WRONG_STATE: it was changed, which makes it another
 * log). */
CHECKED struct err kt_log_start(const struct kt_log *log, struct store_txn *txn);
/* A checkpoint of this log that witnesses or peers hold. ERR_TLOG_SHRUNK: it is larger than ours;
 * ERR_TLOG_FORK: we have another root of its size. Neither may go on signing. */
CHECKED struct err kt_log_check_outside(const struct kt_log *log, struct store_txn *txn,
                                        struct bytes note);

/* ---- what waits */

/* Version `version` of a label for one of the next epochs. Repeats are harmless: ret_epoch is the
 * epoch that has it, 0: it waits. ERR_AUTH_LABEL_VERSION when it is not the next, or is there with
 * another value. A label that the log does not know may begin with any version up to KT_LOST_MOST:
 * those before it were made before the log, and are put in with it, as empty values. ERR_ARGUMENT,
 * ERR_WIRE_LIMIT for its form. Write transaction. */
CHECKED struct err kt_log_offer(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                                uint32_t version, struct bytes value, uint64_t *ret_epoch);
/* Is this very version in an epoch, signed or not? ERR_NOT_FOUND; ERR_AUTH_LABEL_VERSION: with
 * another value. */
CHECKED struct err kt_log_has(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                              uint32_t version, struct bytes value);
CHECKED struct err kt_log_waiting(struct store_txn *txn, bool *ret_any);

/* ---- epochs */

/* Must an epoch be closed now? At once when something waits and the last one is `every_ms` old;
 * when it is `heartbeat_ms` old; when a window has begun since. */
CHECKED struct err kt_log_due(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                              uint64_t every_ms, uint64_t heartbeat_ms, bool *ret_due);
/* Closes one with all that waits, at most KT_EPOCH_MOST and one version of each label. Time never
 * goes back: it is max(now, the last). ret_epoch is its number. Write transaction of its own. */
CHECKED struct err kt_log_close(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                                uint64_t *ret_epoch);
/* Signs the newest size if it is not, and stores the note. ERR_TLOG_FORK when a root of that size
 * was signed before that is not this one: the service must stop. Write transaction, after the
 * one of kt_log_close has been committed. */
CHECKED struct err kt_log_sign(const struct kt_log *log, struct store_txn *txn);
/* Is the newest size signed, or is there no epoch yet? */
CHECKED struct err kt_log_signed(struct store_txn *txn, bool *ret_signed);

/* Erases values and openings of versions whose label ended long enough ago; a bounded piece. Write
 * transaction. */
CHECKED struct err kt_log_erase(const struct kt_log *log, struct store_txn *txn, uint64_t now_ms,
                                bool *ret_more);

/* Removes nodes of trees that nobody needs any more: those of epochs before the first one of the
 * window in which, KT_KEEP_MS before the newest signed entry, the log stood. Trees from there on
 * stay as they are, of every epoch; asking for earlier ones is ERR_TLOG_GONE from the beginning of
 * their removal on. A bounded piece, by the log's own times; entries, hashes and checkpoints stay.
 * Write transaction. */
CHECKED struct err kt_log_sweep(const struct kt_log *log, struct store_txn *txn, uint64_t keep_ms,
                                bool *ret_more);
/* Is there any to do? Read transaction. */
CHECKED struct err kt_log_sweep_due(const struct kt_log *log, struct store_txn *txn,
                                    uint64_t keep_ms, bool *ret_due);

/* ---- proofs */

/* The log as of the newest signed checkpoint, for lib/tlog/prove.h; of a read or write transaction,
 * until it ends. *ret_at is where it keeps its place; both are borrowed. */
struct kt_log_at {
    const struct kt_log *log;
    struct store_txn *txn;
    uint64_t epoch; /* of the tree handed out last */
};
struct kt_source kt_log_source(const struct kt_log *log, struct store_txn *txn,
                               struct kt_log_at *ret_at);

#endif
