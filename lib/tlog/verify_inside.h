/* Internal to verify_*.c: lookups by ladder, and the rules of values. */
#ifndef TLOG_VERIFY_INSIDE_H
#define TLOG_VERIFY_INSIDE_H

#include "tlog/verify.h"

/* Indices and commitments of versions[0..count) of a label from proven steps: each proof verified,
 * a commitment given iff the version is below `version`, that of `version` itself is *commitment.
 * Lookups whose index `known` has already are not verified again. */
CHECKED struct err lookups_prove(const struct kt_config *config, struct bytes label,
                                 const struct ladder_steps *steps, const uint32_t *versions,
                                 size_t count, uint32_t version,
                                 const struct hash_value *commitment, const struct kt_known *known,
                                 struct kt_lookup *ret_lookups);

/* No version that `known` (or NULL) has seen bears another commitment here. ERR_TLOG_COMMITMENT. */
CHECKED struct err lookups_agree(const struct kt_known *known, const struct kt_lookup *lookups,
                                 size_t count);

/* A proof of exactly these lookups, present as they are marked, for this root. `absent_is`: the
 * error when one is absent that should be present; `present_is` the other way about. */
CHECKED struct err lookups_check(const struct prefix_proof *proof, const struct kt_lookup *lookups,
                                 size_t count, const struct hash_value *root,
                                 enum err_code absent_is, enum err_code present_is);

/* transparency.md 4: the KeySet in `value` as version known->version of the label. */
CHECKED struct err value_check(const struct kt_query *query, const struct kt_known *known,
                               struct bytes value, enum kt_continuity *ret_continuity);

/* ---- searches (verify_search.c): of one label, or of each of several (verify_many.c) */

/* D, the rightmost distinguished entry as the answer has it: given, or held (`holds`: the request
 * said so). next learns of it. */
CHECKED struct err search_dist(struct kt_view *next, const struct dist_entry *given, bool holds,
                               const struct log_entry *newest, struct kt_dist *ret_dist);

/* One label of a search under way. */
struct search_item {
    const struct kt_query *query;
    const struct search_found *found; /* NULL: no version */
    const struct ladder_steps *ladder;
    bool says_known;             /* the request left it to the log to leave out the ladder */
    uint32_t version;            /* LADDER_NONE: the label has none */
    bool cached;                 /* the answer leaves out what is known */
    struct version_ladder shown; /* versions that are present at D */
    uint32_t absent_at_dist;     /* one that is there now and was not at D; LADDER_NONE: none */
    struct kt_result *result;    /* zeroed before */
};

/* Step 5: the ladder's indices and commitments. */
CHECKED struct err search_item_ladder(const struct kt_config *config, struct search_item *item);
/* The verified result of before stands at D: nothing is looked up there again. */
bool search_item_stands(const struct search_item *item, uint64_t dist_index);
void search_item_shown_before(struct search_item *item);
/* Step 6, but for the root: the walk at D along results[0..count); appends what is looked up to
 * lookups, which has room for count. ret_count: how many. */
CHECKED struct err search_item_walk(struct search_item *item, const struct prefix_result *results,
                                    size_t count, struct kt_lookup *lookups, size_t *ret_count);
/* Step 7, but for the root: appends what must be looked up at the newest entry; LADDER_MAX at most.
 */
size_t search_item_left(const struct search_item *item, struct kt_lookup *lookups);
/* Step 8, and what is kept. */
CHECKED struct err search_item_end(struct search_item *item, uint64_t newest, uint64_t dist_index);

#endif
