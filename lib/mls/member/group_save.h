/* A group in a database: what changes seldom apart from what changes with every message.
 *
 *     the state     one piece: tree, epoch, key schedule, private keys, proposals, pending commit,
 *                   what past epochs keep beside their keys. Changes with handshake messages, not
 *                   with application data. About 260 bytes a member with small credentials, 800
 * with Hearth's, and 2 KB besides. the ratchets  many small pieces, named by epoch and place: the
 * two ratchets of each leaf that sent something in that epoch (place: its leaf index; 75 bytes, and
 * 32 to 48 for each key kept for late messages), and the tree above the leaves that did not yet
 * (place GROUP_PLACE_TREE; at most 36 bytes for each of log2 N nodes a sender in suite 1).
 *
 * Writing or reading an application message touches one ratchet, and the tree once for each sender
 * of an epoch: a transaction writes 75 bytes to a few KB, however large the group is.
 *
 *     in the transaction of each step   group_save(g, GROUP_SAVE_CHANGED, &sink)
 *     when it has committed             group_saved(g)
 *     when it has not                   nothing, and save again; or free g and load it
 *     at the start                      group_load(...) of the state and all ratchets
 *
 * All pieces are secrets: the caller seals each, bound to group, epoch and place. A piece that is
 * overwritten or dropped must be gone for good, or forward secrecy is (RFC 9420 9.2). group_write
 * and group_read (group.h) do the same with everything in one.
 */
#ifndef MLS_MEMBER_GROUP_SAVE_H
#define MLS_MEMBER_GROUP_SAVE_H

#include "mls/member/group.h"

#define GROUP_PLACE_TREE UINT32_MAX /* leaves' places are below 2^31 */

/* Where the pieces go; an error ends group_save with it. Views live for the call. */
struct group_sink {
    CHECKED struct err (*state)(void *self, struct bytes state);
    /* In the place of one of the same name. */
    CHECKED struct err (*ratchet)(void *self, uint64_t epoch, uint32_t place, struct bytes ratchet);
    /* All ratchets of epochs below `from` and above `to` go (from 1, to 0: all there are). */
    CHECKED struct err (*drop)(void *self, uint64_t from, uint64_t to);
    void *self;
};

enum group_save_what {
    GROUP_SAVE_CHANGED, /* since group_saved or group_load; a group that never was saved: all */
    GROUP_SAVE_ALL,     /* after dropping all ratchets: for another place */
};

/* Hands out pieces, drops first; nothing at all when nothing changed. Errors: the sink's,
 * ERR_NO_MEMORY, ERR_TOO_LARGE. */
CHECKED struct err group_save(const struct mls_group *g, enum group_save_what what,
                              const struct group_sink *sink);
/* What the last group_save handed out is stored now. Between the two the group must not change. */
void group_saved(struct mls_group *g);

/* Counts changes of the state since the group was made or loaded: the same number, the same
 * state. For callers who keep something beside it. */
uint64_t group_changes(const struct mls_group *g);

struct group_ratchet_piece {
    uint64_t epoch;
    uint32_t place;
    struct bytes bytes;
};
/* The group as it was saved. pieces: all ratchets there are, sorted by epoch, then place. client:
 * its policy, for a pending commit. Trusts what group_save handed out, but checks form, and that
 * the pieces are of the epochs of the state, with each leaf once. ERR_MLS_GROUP_STATE,
 * ERR_NO_MEMORY. */
CHECKED struct err group_load(const struct mls_client *client, struct bytes state,
                              const struct group_ratchet_piece *pieces, size_t count,
                              struct mls_group **ret_group);

/* A KeyPackage's private side until it is used: struct { uint16 format = 1; opaque key_package<V>,
 * init_key<V>, leaf_key<V>; }. Secrets, as above. Appends. */
CHECKED struct err key_package_bundle_write(struct buf *b, const struct key_package_bundle *bundle);
/* Owns what it returns. ERR_MLS_GROUP_STATE for what the other did not write, ERR_NO_MEMORY. */
CHECKED struct err key_package_bundle_read(struct bytes in, struct key_package_bundle *ret_bundle);

#endif
