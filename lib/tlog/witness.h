/* The witness's side of C2SP tlog-witness `add-checkpoint`: is this checkpoint a growth of the one
 * cosigned last?
 *
 *     old SIZE
 *     (consistency proof from SIZE: a base64 hash per line, at most 63)
 *     (empty line)
 *     (signed checkpoint)
 *
 * The caller looks the log up by its origin, holds what it cosigned last, and must check and store
 * in one step (a transaction): two requests side by side would otherwise have both of two forks
 * cosigned.
 */
#ifndef TLOG_WITNESS_H
#define TLOG_WITNESS_H

#include "tlog/checkpoint.h"

enum { WITNESS_PROOF_MAX = 63 };

struct witness_request {
    uint64_t old_size;
    uint8_t proof[WITNESS_PROOF_MAX * HASH_VALUE_BYTES];
    size_t proof_count;
    struct bytes note_bytes;
    struct note note;
    struct checkpoint checkpoint;
};

/* What the witness knows of a log: the newest checkpoint it cosigned; size 0: none. */
struct witness_state {
    uint64_t size;
    struct hash_value root;
};

/* Views into in; *ret_request is filled as it goes. HTTP 400: any error. */
CHECKED struct err witness_request_parse(struct bytes in, struct witness_request *ret_request);
/* The answer's HTTP status, and on 200 the state to store before the cosignature leaves:
 * 403 the log's signature is wrong, 409 old is not what we cosigned last (answer our size as
 * text/x.tlog.size), 422 the proof does not hold, 400 old is larger than the checkpoint, 500 ours.
 * (404, no such log, is the caller's.) key->name need not be the origin. */
int witness_judge(const struct witness_request *request, const struct note_key *key,
                  const struct witness_state *state, struct witness_state *ret_state);

#endif
