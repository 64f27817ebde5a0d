/* The messages of a search (transparency.md 8). Parsed messages are views into their input.
 *
 *     struct {
 *         uint64 last; uint64 last_dist; uint8 flags;
 *         opaque label<1..2^8-1>; optional<uint32> known_version;
 *     } SearchRequest;
 *     struct { uint32 version; opaque opening[16]; UpdateValue value; } Found;
 *     struct { opaque proof[80]; optional<HashValue> commitment; } BinaryLadderStep;
 *     struct {
 *         opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *         LogEntry entry; HashValue inclusion<0..2^8-1>;
 *         optional<DistEntry> dist; optional<Found> found; BinaryLadderStep ladder<0..2^8-1>;
 *         optional<PrefixProof> at_dist; PrefixProof at_entry;
 *     } SearchResponse;
 *
 * Two things that transparency.md leaves open, settled here:
 *   - whoever has only the KtConfig asks with last = 1: the tree of one leaf, whose root is the
 *     hash of the configuration. The consistency proof from there is the proof that leaf 0 is it.
 *   - with SEARCH_KNOWN and a greatest version equal to known_version, `ladder` is empty. With
 *     SEARCH_HOLDS_DIST and the rightmost distinguished entry being last_dist, `dist` is absent.
 *     With all of that, and the version present there, `at_dist` is absent too. So both flags are
 *     set together only by who has verified the known version at last_dist.
 */
#ifndef TLOG_SEARCH_H
#define TLOG_SEARCH_H

#include "tlog/entry.h"
#include "tlog/ladder.h"
#include "tlog/prefix_proof.h"

enum {
    SEARCH_KNOWN = 1,      /* outputs and commitments of known_version are held */
    SEARCH_HOLDS_DIST = 2, /* DistEntry last_dist is held */
    SEARCH_RESPONSE_MAX_BYTES = 262144,
};

struct search_request {
    uint64_t last;      /* size of the newest verified checkpoint; 1: only the configuration */
    uint64_t last_dist; /* 0: none */
    uint8_t flags;
    struct bytes label;
    bool has_known;
    uint32_t known_version;
};

CHECKED struct err search_request_parse(struct bytes in, struct search_request *ret_request);
void search_request_write(struct buf *b, const struct search_request *request);

struct ladder_step {
    const uint8_t *proof;      /* VRF_PROOF_BYTES */
    const uint8_t *commitment; /* HASH_VALUE_BYTES or NULL */
};

struct ladder_steps {
    struct ladder_step at[2 * LADDER_MAX];
    size_t count;
};

void ladder_steps_read(struct wire_reader *r, struct ladder_steps *ret_steps);
void ladder_steps_write(struct buf *b, const struct ladder_steps *steps);

struct search_found {
    uint32_t version;
    const uint8_t *opening; /* OPENING_BYTES */
    struct bytes value;
};

void search_found_read(struct wire_reader *r, struct search_found *ret_found);
void search_found_write(struct buf *b, const struct search_found *found);

struct search_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct log_entry entry;
    struct hash_run inclusion;
    bool has_dist, has_found, has_at_dist;
    struct dist_entry dist;
    struct search_found found;
    struct ladder_steps ladder;
    struct prefix_proof at_dist, at_entry;
};

/* About 18 kB; fills *ret_response as it goes, which is of use only after success. */
CHECKED struct err search_response_parse(struct bytes in, struct search_response *ret_response);
void search_response_write(struct buf *b, const struct search_response *response);

#endif
