/* A log's side of searches, monitoring, updates and audits: makes the answers that verify.h checks
 * (transparency.md 8, 9, 12). What it proves from stands behind callbacks; nothing is changed.
 *
 * Whether the caller may ask (tokens, capabilities; transparency.md 18) is decided before.
 */
#ifndef TLOG_PROVE_H
#define TLOG_PROVE_H

#include "tlog/log_tree.h"
#include "tlog/monitor.h"
#include "tlog/prefix_tree.h"
#include "tlog/search_many.h"
#include "tlog/sight.h"
#include "tlog/update.h"

/* One version of a label, there or not. */
struct kt_pair {
    uint8_t proof[VRF_PROOF_BYTES];
    uint8_t index[INDEX_BYTES];
    bool exists;
    struct hash_value commitment; /* when it exists */
    uint64_t epoch;               /* where it was added */
};

/* A log at one moment: between the first and the last callback of one prove_* nothing may change
 * (a read transaction). Every callback's errors go through. */
struct kt_source {
    void *self;
    const struct kt_config *config;
    struct log_store log;
    /* The prefix tree at the end of an epoch; borrowed until the next call. ERR_TLOG_GONE when
     * it is no longer kept. */
    CHECKED struct err (*tree)(void *self, uint64_t epoch, struct prefix_store *ret_store);
    CHECKED struct err (*entry)(void *self, uint64_t epoch, struct log_entry *ret_entry);
    /* The rightmost distinguished epoch up to this one. */
    CHECKED struct err (*dist)(void *self, uint64_t epoch, uint64_t *ret_epoch);
    /* The leftmost after this one and up to `last`; 0: none. */
    CHECKED struct err (*next_dist)(void *self, uint64_t epoch, uint64_t last, uint64_t *ret_epoch);
    /* The greatest version added up to an epoch; LADDER_NONE: none. */
    CHECKED struct err (*greatest)(void *self, struct bytes label, uint64_t epoch,
                                   uint32_t *ret_version);
    /* Any version, also absent ones: cached proofs, since making one is dear. */
    CHECKED struct err (*pair)(void *self, struct bytes label, uint32_t version,
                               struct kt_pair *ret_pair);
    /* Appends the value. */
    CHECKED struct err (*open)(void *self, struct bytes label, uint32_t version,
                               uint8_t ret_opening[OPENING_BYTES], struct buf *value);
    /* Appends the newest signed checkpoint, which has this size. */
    CHECKED struct err (*checkpoint)(void *self, struct buf *note, uint64_t *ret_size);
};

/* Each appends a whole response, or nothing. ERR_ARGUMENT when a request's size lies beyond the
 * log. */
CHECKED struct err kt_prove_search(const struct kt_source *source,
                                   const struct search_request *request, struct buf *b);
/* To the first of the labels, as many as one PrefixProof and the answer have room for. */
CHECKED struct err kt_prove_many(const struct kt_source *source,
                                 const struct search_many_request *request, struct buf *b);
/* Steps up to OWNER_STEPS_MAX; the owner asks again from the last. */
CHECKED struct err kt_prove_owner(const struct kt_source *source,
                                  const struct owner_request *request, struct buf *b);
/* ERR_NOT_FOUND unless every item's opening is that of its version. */
CHECKED struct err kt_prove_contacts(const struct kt_source *source,
                                     const struct contact_request *request, struct buf *b);
/* ERR_TLOG_GONE when trees of that time are no longer kept. */
CHECKED struct err kt_prove_sight(const struct kt_source *source,
                                  const struct sight_request *request, struct buf *b);
/* What happened to an update that was asked for with `last`. ERR_NOT_FOUND when the version is not
 * in the log yet. */
CHECKED struct err kt_prove_update(const struct kt_source *source, uint64_t last,
                                   struct bytes label, uint32_t version, struct buf *b);
/* A KtProof of the label's greatest version at the distinguished entry `dist`: for the user's own
 * clients, who send it on. ERR_NOT_FOUND when there was none. */
CHECKED struct err kt_prove_member(const struct kt_source *source, struct bytes label,
                                   uint64_t dist, struct buf *b);
/* An AuditorUpdate of leaves that `before` lacks; they are sorted in place. At most
 * PREFIX_LOOKUPS_MAX. */
CHECKED struct err kt_prove_audit(const struct prefix_store *before, uint64_t timestamp,
                                  struct prefix_leaf *added, size_t count, struct buf *b);
/* DistNote of a checkpoint of size old, up to size. */
CHECKED struct err kt_prove_dist_note(const struct kt_source *source, struct bytes note,
                                      uint64_t old, uint64_t size, struct buf *b);

#endif
