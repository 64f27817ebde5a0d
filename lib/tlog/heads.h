/* What clients send each other (transparency.md 10, 11), as encrypted application messages. Parsed
 * messages are views into their input.
 *
 *     struct {
 *         opaque origin<1..2^8-1>; opaque label<1..2^8-1>; uint32 version; opaque opening[16];
 *         UpdateValue value; BinaryLadderStep ladder<0..2^8-1>; uint64 dist_index;
 *         PrefixProof proof;                     base_ladder(version) at dist_index
 *     } KtProof;                                 a user's own key set, proven by herself
 *     struct { opaque origin<1..2^8-1>; uint64 window; uint64 dist_index; opaque log_root[32];
 *              opaque note<0..2^16-1>; } Head;   log_root of size dist_index + 1; note may be empty
 *     struct { Head heads<0..2^16-1>; } KtHeads;
 *     struct { opaque note<0..2^16-1>; HashValue consistency<0..2^8-1>; } DistNote;
 *                                                note of size dist_index + 1, and from there on
 */
#ifndef TLOG_HEADS_H
#define TLOG_HEADS_H

#include "tlog/search.h"

enum {
    KT_COMPONENT_HEADS = 0x8B10, /* component ids of the application messages */
    KT_COMPONENT_PROOF = 0x8B11,
    KT_HEADS_MAX = 256,
    KT_HEADS_MAX_BYTES = 65536,
};

struct kt_proof {
    struct bytes origin, label;
    uint32_t version;
    const uint8_t *opening; /* OPENING_BYTES */
    struct bytes value;
    struct ladder_steps ladder;
    uint64_t dist_index;
    struct prefix_proof proof;
};

/* Fills *ret_proof as it goes, which is of use only after success. */
CHECKED struct err kt_proof_parse(struct bytes in, struct kt_proof *ret_proof);
void kt_proof_write(struct buf *b, const struct kt_proof *proof);
/* What a search of an own label showed at its distinguished entry, as a proof for others; `known`
 * is its verified result, for which nothing was left out of the answer. Appends. ERR_TLOG_UNKNOWN:
 * the version was not there yet, or the answer does not show all. */
struct kt_known;
CHECKED struct err kt_proof_of_search(struct buf *b, struct bytes origin, struct bytes label,
                                      const struct search_response *response,
                                      const struct kt_known *known);

struct kt_head {
    struct bytes origin;
    uint64_t window, dist_index;
    struct hash_value log_root;
    struct bytes note;
};

/* Read one at a time: kt_head_read on a copy of `heads`, count times. */
struct kt_heads {
    struct wire_reader heads;
    size_t count;
};

void kt_head_read(struct wire_reader *r, struct kt_head *ret_head);
CHECKED struct err kt_heads_parse(struct bytes in, struct kt_heads *ret_heads);
CHECKED struct err kt_heads_write(struct buf *b, const struct kt_head *heads, size_t count);

struct dist_note {
    struct bytes note;
    struct hash_run consistency;
};

CHECKED struct err dist_note_parse(struct bytes in, struct dist_note *ret_note);
void dist_note_write(struct buf *b, const struct dist_note *note);

#endif
