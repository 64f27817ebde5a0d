/* Our handles (DB_HANDLE by hash): keys, connection packages (DB_HANDLE_PACKAGE by package hash).
 *
 * A handle belongs to all devices of the user: what one takes or publishes is told to the others
 * with its private halves (contact.h: handles_write).
 */
#ifndef CLIENT_CORE_HANDLE_H
#define CLIENT_CORE_HANDLE_H

#include "client/core/core.h"
#include "seal/connection_package.h"

enum {
    HANDLE_LOCAL_MAX_BYTES = 63,
    HANDLE_PACKAGES = 20, /* published, beside the one of last resort */
    HANDLE_PACKAGES_LEAST = 8,
    HANDLE_PACKAGE_DAYS = 90,
    HANDLE_REFRESH_DAYS = 28, /* the homeserver keeps a handle for 180 days */
};

enum handle_state {
    HANDLE_TAKING = 0,
    HANDLE_OURS = 1,
    HANDLE_GOING = 2, /* being given up */
};

struct handle_row {
    uint8_t hash[HANDLE_HASH_BYTES];
    enum handle_state state;
    char local[HANDLE_LOCAL_MAX_BYTES + 1];
    struct sig_key key;
    struct buf key_set;     /* the newest of its label */
    uint64_t offers;        /* number of the last one that we have */
    uint64_t published_ms;  /* packages; 0: never */
    uint32_t packages_used; /* since then */
};
void handle_row_clear(struct handle_row *row); /* wipes */

/* ---- verbs. ret_task may be NULL. */

/* ERR_ARGUMENT: no handle; ERR_CLIENT_HANDLE: is ours, or about to be; ERR_WRONG_STATE: not
 * registered. Takes tens of milliseconds (Argon2id). */
CHECKED struct err handle_add_begin(struct core *c, struct db_txn *t, const char *local,
                                    uint64_t *ret_task);
/* ERR_NOT_FOUND. */
CHECKED struct err handle_remove_begin(struct core *c, struct db_txn *t, const char *local,
                                       uint64_t *ret_task);
/* The handle gets another key (handle_rotate.c), so that whoever has the one before can do nothing
 * with it any more. ERR_NOT_FOUND. */
CHECKED struct err handle_rotate_begin(struct core *c, struct db_txn *t, const char *local,
                                       uint64_t *ret_task);
CHECKED struct err handle_each(struct core *c, struct db_txn *t,
                               struct err (*fn)(void *arg, const struct handle_row *row),
                               void *arg);

/* ---- for others */

/* log_found.c. The KeySet of a handle of ours, and its text of HANDLE_TEXT_MAX_BYTES + 1.
 * ERR_NOT_FOUND. */
CHECKED struct err handle_own_set(struct core *c, struct db_txn *t,
                                  const uint8_t hash[HANDLE_HASH_BYTES], struct buf *ret_key_set,
                                  char *ret_text);

/* offer.c. What handle_hash says of one that is ours, without its price: its row has it.
 * ERR_NOT_FOUND. */
CHECKED struct err handle_own_hash(struct core *c, struct db_txn *t, struct bytes local,
                                   uint8_t ret_hash[HANDLE_HASH_BYTES]);
/* register.c. busy: is a task of this handle left? ours: it is ours. */
CHECKED struct err handle_state(struct core *c, struct db_txn *t, struct bytes local,
                                bool *ret_busy, bool *ret_ours);
/* device_remove.c: all of our handles get another key: a device that was removed has theirs. */
CHECKED struct err handles_rotate(struct core *c, struct db_txn *t);
/* renew.c: leaves tasks that refresh handles and their packages, where it is time. */
CHECKED struct err handle_upkeep(struct core *c, struct db_txn *t);
/* queue_offers.c, a step; arg is a struct handle_offer. An offer that we have changes nothing. */
struct handle_offer {
    const uint8_t *hash;
    uint64_t sequence;
    struct bytes package_hash, sealed;
};
CHECKED struct err handle_take_offer(struct core *c, struct db_txn *t, void *arg);

#endif
