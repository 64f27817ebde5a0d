/* The secret tree (RFC 9420 9): the keys of every message of an epoch, from one encryption secret.
 *
 * Sparse and lazy: it holds the secrets of the highest nodes from which nothing was derived yet,
 * and two ratchets (handshake, application) for each leaf that has sent or received something:
 * O(log n) secrets per active sender and one at the start, however large the group is.
 *
 * Deletion schedule (9.2): a node's secret is wiped when its children are derived, a ratchet's
 * secret when the next one is, a message key when it is consumed. Keys that were jumped over are
 * kept, up to `kept_most` per ratchet and only the newest; older ones are given up.
 *
 * Receiving is two steps, so that a message that fails to decrypt or verify changes nothing:
 * secret_tree_peek() computes the key and leaves the tree as it was, secret_tree_consume() advances
 * it after the message proved genuine. Sending is one: secret_tree_next() wipes the way to the key
 * that it hands out.
 *
 * Not thread-safe. Every function that fails leaves the tree as it was.
 */
#ifndef MLS_MEMBER_SECRET_TREE_H
#define MLS_MEMBER_SECRET_TREE_H

#include "crypto/suite.h"
#include "wire/reader.h"

struct secret_tree;

enum ratchet_type { RATCHET_HANDSHAKE, RATCHET_APPLICATION, RATCHET_TYPE_COUNT };

struct secret_tree_limits {
    /* How far beyond the next generation a message may be: bounds the work that one message can
     * cause (15.3). */
    uint32_t forward_most;
    /* Unused keys kept per ratchet for messages that come late: 48 bytes each. */
    uint32_t kept_most;
};

/* Messages come in order within a queue, so gaps are what senders lost; a thousand lost in one
 * epoch is much. */
#define SECRET_TREE_LIMITS_DEFAULT \
    ((struct secret_tree_limits){.forward_most = 1024, .kept_most = 64})

/* Key and nonce of one message, before the reuse guard (6.3.1). Clear it. */
struct message_key {
    struct secret key;
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint32_t generation;
};

void message_key_clear(struct message_key *key);

/* For a ratchet tree of leaf_count leaves, blanks included (rounded up to a power of two; at most
 * 2^31). The caller clears its copy of encryption_secret. suite is borrowed for good.
 * ERR_NO_MEMORY, ERR_ARGUMENT. */
CHECKED struct err secret_tree_new(const struct suite *suite, uint32_t leaf_count,
                                   const struct secret *encryption_secret,
                                   struct secret_tree_limits limits, struct secret_tree **ret_tree);
/* Wipes and frees; NULL is fine. */
void secret_tree_free(struct secret_tree *tree);

/* The key of a message received from a leaf. Errors: ERR_MLS_SECRET_TREE_LEAF,
 * ERR_MLS_GENERATION_USED (consumed, or given up), ERR_MLS_GENERATION_FAR. */
CHECKED struct err secret_tree_peek(const struct secret_tree *tree, uint32_t leaf,
                                    enum ratchet_type type, uint32_t generation,
                                    struct message_key *ret_key);
/* Uses that key up. Errors as peek, and ERR_NO_MEMORY. */
CHECKED struct err secret_tree_consume(struct secret_tree *tree, uint32_t leaf,
                                       enum ratchet_type type, uint32_t generation);
/* The key of the next message of one's own leaf, used up already. ERR_MLS_SECRET_TREE_LEAF,
 * ERR_MLS_RATCHET_END, ERR_NO_MEMORY. */
CHECKED struct err secret_tree_next(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                                    struct message_key *ret_key);

/* Makes a leaf's ratchets and forgets what they came from, as a first use would, but uses up no
 * key. ERR_MLS_SECRET_TREE_LEAF, ERR_NO_MEMORY. */
CHECKED struct err secret_tree_open_leaf(struct secret_tree *tree, uint32_t leaf);
/* The epoch is over and no handshake message of it will be read or sent: wipes the handshake
 * ratchets of all leaves that were opened or used. */
void secret_tree_end_handshake(struct secret_tree *tree);

/* Bytes of memory held, for tests and accounting. */
size_t secret_tree_memory_bytes(const struct secret_tree *tree);

/* For storage under seal: these are secrets. The format is ours and starts with a version. */
void secret_tree_write(struct buf *b, const struct secret_tree *tree);
/* ERR_MLS_SECRET_TREE_BYTES for anything that secret_tree_write does not write for this suite,
 * ERR_NO_MEMORY. */
CHECKED struct err secret_tree_read(const struct suite *suite, struct secret_tree_limits limits,
                                    struct bytes in, struct secret_tree **ret_tree);

/* The same in pieces, so that one message makes little to store: a piece for each leaf that was
 * opened or used (place: its index; `struct { uint8 version = 1; Ratchet handshake, application; }`
 * of ratchet.c) and one for the nodes that are left above the others (SECRET_TREE_PLACE_NODES;
 * `struct { uint8 version = 1; uint16 suite; uint32 width; nodes<V>; }`). */
#define SECRET_TREE_PLACE_NODES UINT32_MAX

/* How many pieces there are, numbered from 0 by ascending place. */
size_t secret_tree_pieces(const struct secret_tree *tree);
/* Has it changed since secret_tree_saved? A new tree's pieces all have. */
bool secret_tree_piece_changed(const struct secret_tree *tree, size_t number);
/* Appends it. */
void secret_tree_piece_write(struct buf *b, const struct secret_tree *tree, size_t number,
                             uint32_t *ret_place);
void secret_tree_saved(struct secret_tree *tree);

/* Back from pieces: start, take each by ascending place, complete; then it counts as saved. Before
 * complete a tree is good for nothing but secret_tree_free. Errors: ERR_MLS_SECRET_TREE_BYTES,
 * ERR_NO_MEMORY. */
CHECKED struct err secret_tree_start(const struct suite *suite, struct secret_tree_limits limits,
                                     struct secret_tree **ret_tree);
CHECKED struct err secret_tree_take(struct secret_tree *tree, uint32_t place, struct bytes piece);
CHECKED struct err secret_tree_complete(struct secret_tree *tree);

#endif
