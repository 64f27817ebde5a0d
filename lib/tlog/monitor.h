/* The messages of monitoring (transparency.md 9). Parsed messages are views into their input.
 *
 *     struct { uint64 last; uint64 from_dist; opaque label<1..2^8-1>; uint32 expected; }
 *         OwnerMonitorRequest;                  expected 2^32-1: the owner made no version yet
 *     struct { DistEntry dist; PrefixProof proof; } OwnerStep;
 *     struct { opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *              OwnerStep steps<0..2^8-1>; } OwnerMonitorResponse;
 *     struct { opaque label<1..2^8-1>; uint32 version; opaque opening[16]; } ContactItem;
 *     struct { uint64 last; ContactItem items<0..2^8-1>; } ContactMonitorRequest;
 *     struct { opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *              DistEntry dist; PrefixProof proof; } ContactMonitorResponse;
 *
 * How the RPC tells the two apart: `uint8 kind` in front, 1 owner, 2 contact (MonitorRequest,
 * MonitorResponse of the Transparency service).
 *
 * The parsers of large structures fill them as they go: after an error they mean nothing.
 */
#ifndef TLOG_MONITOR_H
#define TLOG_MONITOR_H

#include "tlog/search.h"

enum {
    MONITOR_OWNER = 1,
    MONITOR_CONTACT = 2,
    OWNER_STEPS_MAX = 32,
    CONTACT_ITEMS_MAX = 64,
    MONITOR_RESPONSE_MAX_BYTES = 1048576,
};

struct owner_request {
    uint64_t last, from_dist;
    struct bytes label;
    uint32_t expected; /* LADDER_NONE: no version yet */
};

CHECKED struct err owner_request_parse(struct bytes in, struct owner_request *ret_request);
void owner_request_write(struct buf *b, const struct owner_request *request);

struct owner_step {
    struct dist_entry dist;
    struct prefix_proof proof;
};

void owner_step_read(struct wire_reader *r, struct owner_step *ret_step);
void owner_step_write(struct buf *b, const struct owner_step *step);

/* The steps are read one at a time, each 6 kB: owner_step_read on a copy of `steps`. All have been
 * read once by the parser and are well-formed. */
struct owner_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct wire_reader steps;
    size_t step_count;
};

CHECKED struct err owner_response_parse(struct bytes in, struct owner_response *ret_response);

struct contact_item {
    struct bytes label;
    uint32_t version;
    const uint8_t *opening; /* OPENING_BYTES */
};

struct contact_request {
    uint64_t last;
    struct contact_item items[CONTACT_ITEMS_MAX];
    size_t item_count;
};

/* Also: together at most PREFIX_LOOKUPS_MAX lookups (ERR_WIRE_LIMIT). */
CHECKED struct err contact_request_parse(struct bytes in, struct contact_request *ret_request);
void contact_request_write(struct buf *b, const struct contact_request *request);

struct contact_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct dist_entry dist;
    struct prefix_proof proof;
};

CHECKED struct err contact_response_parse(struct bytes in, struct contact_response *ret_response);
void contact_response_write(struct buf *b, const struct contact_response *response);

#endif
