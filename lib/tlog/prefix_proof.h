/* The prefix tree's shapes (transparency.md 5; draft-ietf-keytrans-protocol): hashing, and the
 * proof of a batch of lookups.
 *
 *     leaf   = SHA-256(0x02 || index || commitment)
 *     parent = SHA-256(0x03 || left || right)        missing child, empty tree: 32 zero bytes
 *
 * Keys are 256-bit indices, most significant bit first. A leaf lies at the shallowest depth where
 * it is alone; the root of a tree with one leaf is that leaf.
 *
 *     struct { opaque vrf_output[32]; opaque commitment[32]; } PrefixLeaf;
 *     struct {
 *         uint8 result_type;              1 inclusion, 2 nonInclusionLeaf, 3 nonInclusionParent
 *         select (result_type) { case 2: PrefixLeaf leaf; }
 *         uint8 depth;                    of the terminal or missing node; the root has 0
 *     } PrefixSearchResult;
 *     struct {
 *         PrefixSearchResult results<0..2^8-1>;      in the order of the lookups
 *         HashValue elements<0..2^16-1>;             copath, left to right
 *     } PrefixProof;
 */
#ifndef TLOG_PREFIX_PROOF_H
#define TLOG_PREFIX_PROOF_H

#include "tlog/commitment.h"

struct prefix_leaf {
    uint8_t index[INDEX_BYTES];
    uint8_t commitment[HASH_VALUE_BYTES];
};
enum { PREFIX_LEAF_BYTES = INDEX_BYTES + HASH_VALUE_BYTES };

void prefix_leaf_hash(const struct prefix_leaf *leaf, struct hash_value *ret_hash);
void prefix_parent_hash(const struct hash_value *left, const struct hash_value *right,
                        struct hash_value *ret_hash);
extern const struct hash_value prefix_missing; /* zeros */

static inline unsigned prefix_bit(const uint8_t index[INDEX_BYTES], unsigned depth)
{
    return index[depth / 8] >> (7 - depth % 8) & 1;
}

enum prefix_result_type {
    PREFIX_INCLUSION = 1,
    PREFIX_OTHER_LEAF = 2, /* a leaf of another index lies where this one would */
    PREFIX_NOTHING = 3,    /* a missing child */
};

struct prefix_result {
    enum prefix_result_type type;
    uint8_t depth;
    const uint8_t *leaf; /* PREFIX_LEAF_BYTES for PREFIX_OTHER_LEAF, else NULL */
};

enum {
    PREFIX_LOOKUPS_MAX = 255,
    PREFIX_ELEMENTS_MAX = 16384, /* 255 lookups in a tree of 2^64 leaves */
};

/* Parsed: views into the input. About 6 kB. */
struct prefix_proof {
    struct prefix_result results[PREFIX_LOOKUPS_MAX];
    size_t count;
    struct hash_run elements;
};

/* Fills *ret_proof as it goes; r's failure says whether it holds. */
void prefix_proof_read(struct wire_reader *r, struct prefix_proof *ret_proof);
void prefix_proof_write(struct buf *b, const struct prefix_proof *proof);
void prefix_leaf_write(struct buf *b, const struct prefix_leaf *leaf);

#endif
