/* Checkpoints: the text of a note about a log's size and root (C2SP tlog-checkpoint).
 *
 *     origin
 *     size in decimal
 *     root in base64
 *     (extension lines: carried, none in our own logs)
 */
#ifndef TLOG_CHECKPOINT_H
#define TLOG_CHECKPOINT_H

#include "tlog/hash_value.h"
#include "tlog/note.h"

struct checkpoint {
    struct bytes origin; /* a view */
    uint64_t size;
    struct hash_value root;
    struct bytes extensions; /* a view; empty, or lines with their newlines */
};

/* The text of a note. Sizes are below 2^62. ERR_TLOG_CHECKPOINT. */
CHECKED struct err checkpoint_parse(struct bytes text, struct checkpoint *ret_checkpoint);
void checkpoint_write(struct buf *b, const struct checkpoint *checkpoint);

/* A note that is a checkpoint of the log `key->name`, without extensions and with the log's
 * signature: what our own logs publish. Views into note. Errors of note_parse, checkpoint_parse,
 * note_verify. */
CHECKED struct err checkpoint_open(struct bytes note, const struct note_key *key,
                                   struct checkpoint *ret_checkpoint);
/* The shortest note that says the same: text and the log's own signature, nobody else's. */
CHECKED struct err checkpoint_keep(struct buf *b, struct bytes note, const struct note_key *key);

#endif
