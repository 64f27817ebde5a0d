/* What the files of evidence share among themselves. */
#ifndef TLOG_EVIDENCE_INSIDE_H
#define TLOG_EVIDENCE_INSIDE_H

#include "tlog/evidence.h"

/* One file under judgement. About 50 kB. */
struct evidence_file {
    struct evidence out;
    struct note_key key;
    struct evidence_tree trees[2];
    struct hash_value commitments[2][PREFIX_LOOKUPS_MAX];
};

/* Commitments are copied to where prefix_lookup can point at them. */
void evidence_tree_read(struct wire_reader *r, struct evidence_tree *t,
                        struct hash_value commitments[PREFIX_LOOKUPS_MAX]);
void evidence_tree_write(struct buf *b, const struct evidence_tree *t);
/* The entry is in the log, and the lookups lead to its root. */
CHECKED struct err evidence_tree_check(const struct evidence_file *f,
                                       const struct evidence_tree *t);

/* Kinds 6 and 7 (evidence_named.c): the rest of the file. */
CHECKED struct err evidence_judge_unsigned(struct evidence_file *f, struct wire_reader *r);
CHECKED struct err evidence_judge_skipped(struct evidence_file *f, struct wire_reader *r);

/* A file is begun in a buffer of its own, and moved to b at its end if it proves something; the
 * buffer is cleared. */
void evidence_file_begin(struct buf *file, const struct kt_config *config, enum evidence_kind kind);
CHECKED struct err evidence_file_end(struct buf *b, struct buf *file);

#endif
