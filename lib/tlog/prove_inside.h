/* Internal to prove*.c: what answers begin with. */
#ifndef TLOG_PROVE_INSIDE_H
#define TLOG_PROVE_INSIDE_H

#include "tlog/heads.h"
#include "tlog/prove.h"

/* What all answers begin with, and room for the proofs that they borrow. */
struct answer {
    const struct kt_source *source;
    struct buf note, value;
    uint64_t size;
    struct log_proof consistency, inclusion, incl_prev, incl_entry;
    struct kt_pair pairs[2 * LADDER_MAX];
    struct buf at_first, at_second; /* PrefixProofs */
};

/* Also after a failure answer_clear is called. */
CHECKED struct err answer_begin(struct answer *a, const struct kt_source *source, uint64_t last);
void answer_clear(struct answer *a);
CHECKED struct err answer_dist(struct answer *a, uint64_t index, struct dist_entry *ret_dist);
/* The pairs of versions[0..count) into a->pairs, and as steps: a commitment iff below `version`. */
CHECKED struct err answer_steps(struct answer *a, struct bytes label, const uint32_t *versions,
                                size_t count, uint32_t version, struct ladder_steps *ret_steps);

/* Lookups of one or more labels, gathered for one PrefixProof. */
struct batch {
    const uint8_t *indices[PREFIX_LOOKUPS_MAX];
    size_t count;
};
CHECKED struct err answer_batch(struct answer *a, uint64_t epoch, const struct batch *batch,
                                struct buf *b);

#endif
