/* The past of a homeserver's own label: what it showed at a distinguished entry of before. A client
 * that is new asks when a key became public (pass/key_rules.h). Parsed messages are views into
 * their input.
 *
 *     struct { uint8 kind = 3; uint64 last; uint64 at_ms; opaque label<1..2^8-1>; } SightRequest;
 *         at_ms: the rightmost distinguished entry that is not later, or, in a log that is younger,
 *         its first; label: of kind 0x00 alone
 *     struct { uint8 kind = 3; opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *              DistEntry dist; optional<KtProof> proof; } SightResponse;
 *         proof (heads.h): the label's greatest version there; absent: there was none
 *
 * They are a MonitorRequest and a MonitorResponse of their own kind (monitor.h).
 */
#ifndef TLOG_SIGHT_H
#define TLOG_SIGHT_H

#include "tlog/heads.h"

enum { MONITOR_SIGHT = 3, SIGHT_RESPONSE_MAX_BYTES = 262144 };

struct sight_request {
    uint64_t last; /* size of the newest verified checkpoint; 1: only the configuration */
    uint64_t at_ms;
    struct bytes label;
};

/* ERR_WIRE_VALUE also for a label that is not of the homeserver's own. */
CHECKED struct err sight_request_parse(struct bytes in, struct sight_request *ret_request);
void sight_request_write(struct buf *b, const struct sight_request *request);

struct sight_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct dist_entry dist;
    bool has_proof;
    struct bytes proof; /* the rest, not parsed */
};

CHECKED struct err sight_response_parse(struct bytes in, struct sight_response *ret_response);
void sight_response_write(struct buf *b, const struct sight_response *response);

#endif
