/* The files about handles. */
#ifndef CLIENT_CORE_HANDLE_INSIDE_H
#define CLIENT_CORE_HANDLE_INSIDE_H

#include "client/core/contact.h"
#include "client/core/handle.h"
#include "client/core/task.h"

/* handle_row.c. ERR_NOT_FOUND. */
CHECKED struct err handle_get(struct db_txn *t, const uint8_t hash[HANDLE_HASH_BYTES],
                              struct handle_row *ret_row);
CHECKED struct err handle_put(struct db_txn *t, const struct handle_row *row);
/* With its packages. */
CHECKED struct err handle_drop(struct db_txn *t, const uint8_t hash[HANDLE_HASH_BYTES]);
/* By local part; ERR_NOT_FOUND. */
CHECKED struct err handle_find(struct core *c, struct db_txn *t, struct bytes local,
                               struct handle_row *ret_row);
/* ERR_TOO_LARGE never: local and domain fit. */
void handle_text(const struct core *c, const struct handle_row *row,
                 char ret_text[HANDLE_TEXT_MAX_BYTES + 1]);
void handle_lane(const uint8_t hash[HANDLE_HASH_BYTES], uint8_t ret_lane[16]);
/* Signs as the handle, on its own connection. */
CHECKED struct err handle_call(const struct core *c, const struct handle_row *row,
                               struct task_call *call);
/* KeySets of the label: version with one key, or (over) empty. reset: of a label that others had.
 */
CHECKED struct err handle_key_set(struct core *c, struct db_txn *t, const struct handle_row *row,
                                  uint32_t version, bool reset, bool over, struct buf *b);

CHECKED struct err handle_version(const struct handle_row *row, uint32_t *ret_version);

/* The next version of its label, which names another key; signed by that and by the row's. */
CHECKED struct err handle_next_set(struct core *c, struct db_txn *t, const struct handle_row *row,
                                   const struct sig_key *next, struct buf *b);

/* handle_package.c: packages under a key; their private halves are kept. Clear `all`, which `rows`
 * are views into. */
enum { HANDLE_PACKAGES_ALL = HANDLE_PACKAGES + 1 };
struct handle_packages {
    struct buf all;
    ProtobufCBinaryData rows[HANDLE_PACKAGES_ALL];
};
CHECKED struct err handle_packages_make(struct core *c, struct db_txn *t,
                                        const struct handle_row *row, const struct sig_key *key,
                                        struct handle_packages *ret_packages);
/* handle_package.c: makes packages, keeps their private halves and builds the request; where
 * `request` holds one already, takes that. */
CHECKED struct err handle_packages_call(struct core *c, struct db_txn *t, struct task *task,
                                        struct handle_row *row, struct buf *request,
                                        struct task_call *call);
/* They are there. */
CHECKED struct err handle_published(struct core *c, struct db_txn *t, struct handle_row *row);

/* Tasks of handles: struct { uint8 version = 1; opaque hash[32]; uint32 key_version;
 *                            opaque request<V>; } */
struct handle_body {
    uint8_t hash[HANDLE_HASH_BYTES];
    uint32_t version;
    struct buf request;
};
CHECKED struct err handle_body_read(const struct task *task, struct handle_body *ret_body);
CHECKED struct err handle_body_set(struct task *task, const struct handle_body *body);
CHECKED struct err handle_task(struct core *c, struct db_txn *t, enum task_kind kind,
                               const uint8_t hash[HANDLE_HASH_BYTES], uint64_t *ret_task);

#endif
