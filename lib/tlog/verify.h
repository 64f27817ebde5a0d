/* A client's side of the log: asking, and verifying the answers (transparency.md 8 to 10).
 *
 * What a search promises when it succeeds: at the newest entry of a log that extends everything
 * this client saw of it, the label's greatest version is the one shown, with this value; and at the
 * last distinguished entry there was none above it. If the version was not yet there, the result is
 * `pending` until a contact check has held at a later distinguished entry.
 */
#ifndef TLOG_VERIFY_H
#define TLOG_VERIFY_H

#include "tlog/monitor.h"
#include "tlog/search_many.h"
#include "tlog/sight.h"
#include "tlog/update.h"
#include "tlog/view.h"

/* How a value stands to the one known before (transparency.md 4). */
enum kt_continuity {
    KT_NO_RULES, /* a value that is not a KeySet */
    KT_FIRST,    /* nothing was known before: trust on first use */
    KT_SAME,     /* the version known */
    KT_CHAINED,  /* the next version, signed by an authorising key of the one known */
    KT_RESET, /* the next version, and it says so: shown to the user as a changed safety number */
    KT_GAP,   /* versions between were not seen: shown like a reset */
};

struct kt_query {
    struct bytes label;
    uint64_t now_ms;
    const struct kt_known *known; /* verified before; NULL: nothing */
    struct bytes known_value;     /* value of known's version, for KT_CHAINED; may be empty */
    bool opaque_value;            /* a KeySet is not expected, whatever the label's kind */
};

struct kt_result {
    struct kt_known known;
    struct bytes value;             /* a view into the response */
    uint8_t opening[OPENING_BYTES]; /* for contact checks later */
    struct hash_value commitment;
    enum kt_continuity continuity;
};

/* Appends a SearchRequest. Give verify the same view and query. */
CHECKED struct err kt_search_request(struct buf *b, const struct kt_view *view,
                                     const struct kt_query *query);
/* Besides the errors of the steps in view.h and of the parsers:
 *   CRYPTO_VRF               an index is not the label's
 *   TLOG_LADDER              lookups are not those asked for
 *   TLOG_VERSION             a version lacks below, or one stands above; or fewer than known
 *   TLOG_COMMITMENT          a version known has another commitment
 *   TLOG_PREFIX_PROOF        the lookups do not lead to the entry's root
 *   TLOG_DISTINGUISHED       not the rightmost distinguished entry
 *   KEY_SET, CRYPTO_SIGNATURE   the value does not follow (transparency.md 4) */
CHECKED struct err kt_verify_search(struct kt_view *view, const struct kt_query *query,
                                    struct bytes response, struct kt_result *ret_result);

/* The same of several labels at once (search_many.h); queries[0].now_ms counts for all. Appends a
 * SearchManyRequest. ERR_ARGUMENT: more than SEARCH_MANY_MAX, or none. */
CHECKED struct err kt_many_request(struct buf *b, const struct kt_view *view,
                                   const struct kt_query *queries, size_t count);
/* ret_results has room for count; the first *ret_count, one at least, are answered, and the others
 * are to be asked for again, with the view as it is then. Errors as of kt_verify_search: one wrong
 * answer fails all, since nobody knows which. */
CHECKED struct err kt_verify_many(struct kt_view *view, const struct kt_query *queries,
                                  size_t count, struct bytes response,
                                  struct kt_result *ret_results, size_t *ret_count);

/* An own label: every version and absent version whose index was ever learned. */
struct kt_own {
    struct bytes label;
    const struct kt_lookup *lookups; /* present ones with epoch and commitment */
    size_t count;
};

/* The version that the owner had at a distinguished entry; LADDER_NONE: none. */
uint32_t kt_own_version_at(const struct kt_own *own, uint64_t index);
CHECKED struct err kt_owner_request(struct buf *b, const struct kt_view *view,
                                    const struct kt_own *own, const struct kt_dist *from);
/* Every distinguished entry after `from` (index 0: from the first on), none left out. ret_to is the
 * last, from where the next monitoring goes on; *from itself when there is none newer.
 * TLOG_UNEXPECTED: a version that the owner did not make. TLOG_VERSION: one of the owner's is gone.
 * TLOG_STEPS. TLOG_PREFIX_PROOF: also when a commitment was replaced. TLOG_UNKNOWN: an index needed
 * was never learned; search first. */
CHECKED struct err kt_verify_owner(struct kt_view *view, const struct kt_own *own,
                                   const struct kt_dist *from, struct bytes response,
                                   struct kt_dist *ret_to);

/* The same for an owner of several devices, who learns of the others' versions after they were
 * made: epochs of lookups are at the latest ones, and each version after `from` is taken to be new
 * where an entry first shows it; lookups get these epochs, on success alone. Every entry must show
 * one of the owner's versions as its newest, never an older one than the entry before. An entry at
 * which a version between two that the owner knows may have been the newest, whose ladder was never
 * learned (a search shows that of the newest alone), is passed over: the device that made it has
 * watched it, and it is in the owner's chain of signatures. count: at most KT_LATE_MOST. */
enum { KT_LATE_MOST = 128 };
CHECKED struct err kt_verify_owner_late(struct kt_view *view, struct bytes label,
                                        struct kt_lookup *lookups, size_t count,
                                        const struct kt_dist *from, struct bytes response,
                                        struct kt_dist *ret_to);

/* One of the homeserver's own labels at a distinguished entry of before: a new client can't have
 * been there. Nothing is said of what lies between: searches and `known` do that. */
struct kt_sight {
    uint64_t index; /* of the entry; 1: the log's first, whatever was asked for */
    uint64_t at_ms; /* its time */
    bool exists;    /* false: the label had no version then, or none is shown */
    uint32_t version;
    struct bytes value; /* a view into the response */
};

/* Appends a SightRequest. ERR_ARGUMENT: no label. */
CHECKED struct err kt_sight_request(struct buf *b, const struct kt_view *view, struct bytes label,
                                    uint64_t at_ms);
/* At an entry that is not later than at_ms, or the log's first. TLOG_DISTINGUISHED: later, or not
 * distinguished. Errors of kt_verify_proof. */
CHECKED struct err kt_verify_sight(struct kt_view *view, struct bytes label, uint64_t at_ms,
                                   struct bytes response, struct kt_sight *ret_sight);

struct kt_contact {
    struct bytes label;
    const struct kt_known *known; /* pending */
    const uint8_t *opening;       /* OPENING_BYTES, of its version */
};

CHECKED struct err kt_contact_request(struct buf *b, const struct kt_view *view,
                                      const struct kt_contact *contacts, size_t count);
/* All are there still, at a distinguished entry that is not older than any: they are no longer
 * pending. ret_index is that entry's. TLOG_VERSION: one was taken out again. */
CHECKED struct err kt_verify_contacts(struct kt_view *view, const struct kt_contact *contacts,
                                      size_t count, struct bytes response, uint64_t *ret_index);

/* An update of an own label has happened as asked: `value` is version `version`, it was not there
 * the epoch before, and nothing stands above. ret_known is the new state; lookups of `own` may be
 * replaced by those of ret_known, whose own version has its epoch. */
CHECKED struct err kt_verify_update(struct kt_view *view, const struct kt_own *own,
                                    uint32_t version, struct bytes value, uint64_t now_ms,
                                    struct bytes response, struct kt_result *ret_result);

/* A KtProof that a member sent about her own label; its distinguished entry is one that the view
 * holds (TLOG_UNKNOWN). query->now_ms is not looked at. */
CHECKED struct err kt_verify_proof(const struct kt_view *view, const struct kt_query *query,
                                   struct bytes proof, struct kt_result *ret_result);

#endif
