/* The messages of an update (transparency.md 9) and of auditors (12). Parsed messages are views
 * into their input.
 *
 *     struct { uint64 last; opaque label<1..2^8-1>; uint32 version; UpdateValue value; }
 *         UpdateRequest;                        version: what the value becomes
 *     struct {
 *         opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *         DistEntry pair;                       epochs i-1 and i; i need not be distinguished
 *         opaque opening[16];
 *         BinaryLadderStep ladder<0..2^8-1>;    base_ladder(version), then what base_ladder(
 *                                               version - 1) has besides
 *         optional<PrefixProof> at_prev;        base_ladder(version - 1); absent iff i = 1
 *         PrefixProof at_entry;                 base_ladder(version)
 *     } UpdateResponse;
 *     struct { uint64 timestamp; PrefixLeaf added<0..2^16-1>; PrefixLeaf removed<0..2^16-1>;
 *              PrefixProof proof; } AuditorUpdate;
 *
 * One version of a label is added per epoch. An epoch with more than 255 new leaves is several
 * AuditorUpdates of one timestamp, each over the tree that the one before left, since a PrefixProof
 * holds 255 results.
 *
 * The parsers of large structures fill them as they go: after an error they mean nothing.
 */
#ifndef TLOG_UPDATE_H
#define TLOG_UPDATE_H

#include "tlog/prefix_verify.h"
#include "tlog/search.h"

struct update_request {
    uint64_t last;
    struct bytes label;
    uint32_t version;
    struct bytes value;
};

CHECKED struct err update_request_parse(struct bytes in, struct update_request *ret_request);
void update_request_write(struct buf *b, const struct update_request *request);

struct update_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct dist_entry pair;
    const uint8_t *opening; /* OPENING_BYTES */
    struct ladder_steps ladder;
    bool has_at_prev;
    struct prefix_proof at_prev, at_entry;
};

CHECKED struct err update_response_parse(struct bytes in, struct update_response *ret_response);
void update_response_write(struct buf *b, const struct update_response *response);

/* The versions that an update's ladder proves, in its order. At most 2 * LADDER_MAX, which the
 * caller's array holds; returns how many. */
size_t update_ladder(uint32_t version, uint32_t ret_versions[2 * LADDER_MAX]);

struct auditor_update {
    uint64_t timestamp;
    struct prefix_leaf added[PREFIX_LOOKUPS_MAX];
    size_t added_count;
    struct prefix_proof proof;
};

/* ERR_WIRE_VALUE also when leaves are removed, which this log never does. */
CHECKED struct err auditor_update_parse(struct bytes in, struct auditor_update *ret_update);
void auditor_update_write(struct buf *b, const struct auditor_update *update);
/* From the entry before to the root after: only additions, time not backwards. ERR_TLOG_TIME,
 * ERR_TLOG_PREFIX_TWICE, ERR_TLOG_PREFIX_PROOF. The caller compares the last root of an epoch with
 * the log's entry. */
CHECKED struct err auditor_update_verify(const struct auditor_update *update,
                                         const struct log_entry *before,
                                         struct hash_value *ret_after);

#endif
