/* An account's file: an SQLite database in which every value is sealed.
 *
 * Two shapes are all there is. A record has a kind and an id and is replaced as a whole; a list has
 * a kind and an owner and grows by numbers, dense from 1. Which kinds there are stands here; what a
 * value looks like is the business of the module that owns the kind.
 *
 * At rest: ids are PRF values, values are sealed (seal/at_rest.h) with the row's place as
 * associated data; what remains to be seen are counts and sizes (padded by Padmé). The keys come
 * from a passphrase (Argon2id, salt beside them in a small plain header) or from 32 bytes of the
 * caller's, by way of a random file key, so that the passphrase can be changed.
 *
 * db_step is one durable transaction on the calling thread: everything written by `run` is on the
 * disk when it returns OK, or nothing is. Not thread-safe; no hidden thread.
 */
#ifndef CLIENT_DB_DB_H
#define CLIENT_DB_DB_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"

struct db;
struct db_txn;

/* Append, never renumber; the owner of each beside it. */
enum db_kind {
    /* records */
    DB_ACCOUNT = 1,        /* core/account: one record, id empty */
    DB_QUEUE = 2,          /* core/queue: ratchet and sequence, id empty */
    DB_HOMESERVER = 3,     /* core/homeserver: pinned root and keys, id domain */
    DB_KEY_PACKAGE = 4,    /* core/key_package: private parts, id tag */
    DB_HANDLE = 5,         /* core/handle: id handle hash */
    DB_HANDLE_PACKAGE = 6, /* core/handle: private half of a connection package, id its hash */
    DB_CONTACT = 7,        /* core/contact: id contact id */
    DB_CHAT = 8,           /* core/chat: settings and keys, id chat id */
    DB_GROUP = 9,          /* core/chat: the MLS group but its ratchets, id chat id */
    DB_RATCHETS = 10,      /* core/chat: secret tree, id chat id */
    DB_ROSTER = 11,        /* core/roster: who is who, id chat id */
    DB_BEFORE = 12,        /* core/chat: groups of before a resync, id chat id || u8 */
    DB_TASK = 13,          /* core/task: id u64 */
    DB_FILE = 14,          /* core/file: transfers under way, id task */
    DB_DEVICE = 15,        /* core/device: names of own devices, id ClientId */
    DB_PROFILE = 16,       /* core/profile: id index */
    DB_PART = 17,          /* core/receive: pieces of large items, id chat id */
    DB_SETTING = 18,       /* core: small things, id a name */
    DB_HEAD = 19,          /* core/head: what was said in a chat, id chat id */
    DB_LOG = 20,           /* core/log: what was seen of a homeserver's log, id domain */
    DB_LOG_LABEL = 21,     /* core/log: a label in it, id opaque domain<V> || label */
    DB_TOKEN_FACTS = 30,   /* core/token: prices and keys, id domain */
    DB_TOKEN_PILE = 31,    /* core/token: id domain, class, period mod 4 */
    /* lists */
    DB_MESSAGE = 101,      /* core/message: owner chat id */
    DB_EVENT = 102,        /* core/event: owner empty */
    DB_HELD = 103,         /* core/receive: items of a chat that wait, owner chat id */
    DB_LOG_EVIDENCE = 104, /* core/log: evidence files (tlog/evidence.h), owner empty */
    DB_RECEIPT =
        105, /* core/receipt: what homeservers signed; owner empty: refusals, "done": the rest */
    DB_TOKEN = 110, /* core/token: owner as of DB_TOKEN_PILE */
};

struct db_options {
    const char *path;
    struct bytes passphrase; /* or key */
    struct bytes key;        /* 32 bytes, or empty */
    bool create; /* there must be no account in it (ERR_STORE_EXISTS); else there must be one
                    (ERR_NOT_FOUND) */
    const struct clock *clock;
    const struct rng *rng;
    const char *files; /* tests: an SQLite VFS */
};

/* ERR_CRYPTO_TAG: wrong passphrase or key. ERR_STORE_IN_USE: another process has it. ERR_ARGUMENT:
 * not exactly one of passphrase and key. Other errors of store_open. A passphrase costs 64 MiB and
 * some tens of milliseconds (crypto/argon2.h). */
CHECKED struct err db_open(const struct db_options *options, struct db **ret_db);
/* Wipes keys; frees. NULL is fine. */
void db_close(struct db *db);
/* The same file under another passphrase. */
CHECKED struct err db_set_passphrase(struct db *db, struct bytes passphrase);

/* An error of run rolls back, and is returned. */
CHECKED struct err db_step(struct db *db, struct err (*run)(struct db_txn *txn, void *arg),
                           void *arg);

/* Every record and list; the passphrase stays. */
CHECKED struct err db_erase(struct db_txn *t);

/* Durable commits since it was opened. */
uint64_t db_commits(const struct db *db);

/* ---- records */

CHECKED struct err db_put(struct db_txn *t, enum db_kind kind, struct bytes id, struct bytes value);
/* Appends the value. ERR_NOT_FOUND. */
CHECKED struct err db_get(struct db_txn *t, enum db_kind kind, struct bytes id, struct buf *value);
/* One that is not there is dropped already. */
CHECKED struct err db_drop(struct db_txn *t, enum db_kind kind, struct bytes id);
/* In no particular order. fn may read and write, also this kind: a row that it adds may or may not
 * be visited. ERR_CANCELLED of fn ends the walk and is no error. Views live until fn returns. */
CHECKED struct err db_each(struct db_txn *t, enum db_kind kind,
                           struct err (*fn)(void *arg, struct bytes id, struct bytes value),
                           void *arg);

/* ---- lists */

CHECKED struct err db_append(struct db_txn *t, enum db_kind kind, struct bytes owner,
                             struct bytes value, uint64_t *ret_number);
/* Replaces one that is there. ERR_NOT_FOUND. Numbers fit 63 bits. */
CHECKED struct err db_list_put(struct db_txn *t, enum db_kind kind, struct bytes owner,
                               uint64_t number, struct bytes value);
CHECKED struct err db_list_get(struct db_txn *t, enum db_kind kind, struct bytes owner,
                               uint64_t number, struct buf *value);
/* Numbers from `from` to `to`, both included, which are not used again. */
CHECKED struct err db_list_drop(struct db_txn *t, enum db_kind kind, struct bytes owner,
                                uint64_t from, uint64_t to);
/* Number of the newest, also when it was dropped; 0: there was none. */
CHECKED struct err db_list_last(struct db_txn *t, enum db_kind kind, struct bytes owner,
                                uint64_t *ret_number);
/* Upwards from `from`, at most `most` (0: all). fn as with db_each. */
CHECKED struct err db_list_each(struct db_txn *t, enum db_kind kind, struct bytes owner,
                                uint64_t from, size_t most,
                                struct err (*fn)(void *arg, uint64_t number, struct bytes value),
                                void *arg);

#endif
