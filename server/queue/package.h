/* Stored KeyPackages: number 0 is the client's last resort, 1 and up are single-use.
 *
 *     sealed struct { uint8 version = 1; uint32 published; uint64 not_after; opaque ref<V>;
 *                     opaque bundle<V>; }
 *
 * bundle is a serialised hearth.v1.KeyPackageBundle, ref its KeyPackageRef, published how many
 * single-use ones came with it.
 */
#ifndef SERVER_QUEUE_PACKAGE_H
#define SERVER_QUEUE_PACKAGE_H

#include "base/arena.h"
#include "crypto/hash.h"
#include "hearth/v1/queue_rpc.h"
#include "server/queue/inside.h"

struct package {
    uint64_t key; /* queue_row_key(client, number) */
    uint32_t published;
    uint64_t not_after; /* seconds since 1970 */
    struct bytes ref;   /* these two are views, into the request or a package_buf */
    struct bytes bundle;
};

/* Everything that can be checked of a bundle: sizes (DoS6), RFC 9420 10.1, our credential, the
 * queue reference (ours, and signed by the leaf), last resort or not. Fills not_after, and ref into
 * the arena. KEY_PACKAGE..., MLS and wire errors. */
CHECKED struct err package_check(const struct queue *q, const Hearth__V1__KeyPackageBundle *bundle,
                                 bool last_resort, uint64_t now_s, struct arena *arena,
                                 struct package *ret_package);

CHECKED struct err package_add(struct store_txn *txn, const struct queue *q,
                               const struct package *package);
/* Removes all of a client's. */
CHECKED struct err package_clear(struct store_txn *txn, uint64_t client);
/* Single-use ones that are good at this time. */
CHECKED struct err package_count(struct store_txn *txn, uint64_t client, uint64_t now_s,
                                 uint64_t *ret_count);
/* The next single-use one, and deletes it (K1). NOT_FOUND. Views point into b, which is cleared by
 * the caller. */
CHECKED struct err package_take(struct store_txn *txn, const struct queue *q, uint64_t client,
                                uint64_t now_s, struct buf *b, struct package *ret_package);
/* The one of last resort, which stays. */
CHECKED struct err package_last_resort(struct store_txn *txn, const struct queue *q,
                                       uint64_t client, uint64_t now_s, struct buf *b,
                                       struct package *ret_package);

#endif
