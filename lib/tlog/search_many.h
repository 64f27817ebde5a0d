/* One search of several labels (transparency.md 8): what belongs to the log is there once, and each
 * tree has one proof for all. For who meets many at once, as in a group that was joined.
 *
 *     struct { opaque label<1..2^8-1>; optional<uint32> known_version; } SearchItem;
 *     struct { uint64 last; uint64 last_dist; uint8 flags; SearchItem items<1..2^8-1>; }
 *         SearchManyRequest;                       flags: SEARCH_HOLDS_DIST alone
 *     struct { optional<Found> found; BinaryLadderStep ladder<0..2^8-1>; } ItemAnswer;
 *     struct {
 *         opaque checkpoint<0..2^16-1>; HashValue consistency<0..2^8-1>;
 *         LogEntry entry; HashValue inclusion<0..2^8-1>; optional<DistEntry> dist;
 *         ItemAnswer items<1..2^8-1>;
 *         optional<PrefixProof> at_dist; PrefixProof at_entry;
 *     } SearchManyResponse;
 *
 * The answer is to the first items of the request, as many as it has room for, one at least: the
 * others are asked for again. A known_version says that it was verified at last_dist, so it comes
 * with SEARCH_HOLDS_DIST alone; the ladder of an item whose greatest version it is, is empty, and
 * where last_dist is the rightmost distinguished entry such an item is not looked up there again.
 * Lookups are in the order of the items, and of their ladders. at_dist is absent where nothing is
 * looked up there.
 */
#ifndef TLOG_SEARCH_MANY_H
#define TLOG_SEARCH_MANY_H

#include "tlog/search.h"

enum {
    SEARCH_MANY_MAX = 64, /* labels */
    SEARCH_MANY_REQUEST_MAX_BYTES = 8 + 8 + 1 + 1 + SEARCH_MANY_MAX * (1 + 255 + 5),
    SEARCH_MANY_RESPONSE_MAX_BYTES = 1048576,
};

struct search_many_request {
    uint64_t last, last_dist;
    uint8_t flags;
    struct search_many_item {
        struct bytes label;
        bool has_known;
        uint32_t known_version;
    } items[SEARCH_MANY_MAX];
    size_t count;
};

CHECKED struct err search_many_request_parse(struct bytes in,
                                             struct search_many_request *ret_request);
void search_many_request_write(struct buf *b, const struct search_many_request *request);

struct search_many_answer {
    bool has_found;
    struct search_found found;
    struct ladder_steps ladder;
};

void search_many_answer_read(struct wire_reader *r, struct search_many_answer *ret_answer);
void search_many_answer_write(struct buf *b, const struct search_many_answer *answer);

/* The answers are read one at a time, each 2 kB: search_many_answer_read on a copy of `answers`.
 * All have been read once by the parser and are well-formed. */
struct search_many_response {
    struct bytes checkpoint;
    struct hash_run consistency;
    struct log_entry entry;
    struct hash_run inclusion;
    bool has_dist, has_at_dist;
    struct dist_entry dist;
    struct wire_reader answers;
    size_t count;
    struct prefix_proof at_dist, at_entry;
};

/* About 13 kB; fills as it goes: of use only after success. */
CHECKED struct err search_many_response_parse(struct bytes in,
                                              struct search_many_response *ret_response);

#endif
