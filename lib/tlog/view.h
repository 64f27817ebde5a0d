/* What a client keeps of one log, and of labels in it (transparency.md 15). Plain values without
 * pointers: copy by assignment, store as they are.
 *
 * Every verify_* works on a copy and writes the view at its end, when everything has held. After an
 * error the view is as it was, and the response that failed is worth keeping (evidence.h).
 */
#ifndef TLOG_VIEW_H
#define TLOG_VIEW_H

#include "tlog/heads.h"

enum {
    KT_DISTS = 8,
    KT_NOTE_MAX_BYTES = 1024, /* of a checkpoint with the log's own signature alone */
};

/* A log keeps the trees of this time before its newest entry, so that whoever was away for less
 * finds each distinguished one of it; of those before it may say that they are gone. */
#define KT_KEPT_MS (UINT64_C(60) * 24 * 3600 * 1000)

/* A distinguished entry. */
struct kt_dist {
    uint64_t index;
    struct log_entry entry;
    bool has_log_root;
    struct hash_value log_root; /* of size index + 1 */
};

/* About 2.3 kB. */
struct kt_view {
    struct kt_config config;
    uint64_t size; /* of the newest verified checkpoint; 1: the configuration alone */
    struct hash_value root;
    uint64_t last_ms;               /* timestamp of the newest entry seen */
    struct kt_dist dists[KT_DISTS]; /* the newest, oldest first */
    size_t dist_count;
    size_t note_len;
    uint8_t note[KT_NOTE_MAX_BYTES]; /* the newest checkpoint, as checkpoint_keep has it */
};

/* One version of a label as the log shows it. */
struct kt_lookup {
    uint32_t version;
    bool present;
    uint8_t index[INDEX_BYTES];
    struct hash_value commitment; /* when present */
    uint64_t epoch;               /* of an own version: where it was added; else 0 */
};

/* What is kept of a label whose greatest version was verified: 5.7 kB at most. */
struct kt_known {
    bool exists; /* false: the log has no version of it */
    uint32_t version;
    uint64_t epoch;      /* where this was verified: the newest entry then */
    uint64_t dist_index; /* the rightmost distinguished entry then */
    bool pending;        /* not yet there at a distinguished entry: a contact check is due */
    size_t count;
    struct kt_lookup lookups[LADDER_MAX]; /* base_ladder(version) */
};

/* The view of someone who has only the configuration: what the homeserver's Info said, or a pinned
 * one. Errors of kt_config_parse; ERR_TLOG_CONFIG: a window under a second or over a week, or
 * bounds of time over a day ahead or a week behind, by which nobody could watch it. */
CHECKED struct err kt_view_init(struct bytes config, struct kt_view *ret_view);
const struct kt_dist *kt_view_newest_dist(const struct kt_view *view); /* NULL: none */
const struct kt_dist *kt_view_find_dist(const struct kt_view *view, uint64_t index);
/* No distinguished entry newer than a window and an hour: the log stands still, or is hidden. */
bool kt_view_overdue(const struct kt_view *view, uint64_t now_ms);
const struct kt_lookup *kt_known_find(const struct kt_known *known, uint32_t version);

/* As bytes, and back: for rows of our own, which nobody else has written. Appends. Wire errors,
 * those of kt_view_init. */
void kt_view_write(struct buf *b, const struct kt_view *view);
CHECKED struct err kt_view_read(struct bytes in, struct kt_view *ret_view);
void kt_dist_write(struct buf *b, const struct kt_dist *dist);
void kt_dist_read(struct wire_reader *r, struct kt_dist *ret_dist);

/* ---- steps that the verify_* share; each changes *next alone, which is scratch after an error */

/* A checkpoint of this log that extends the view's. ERR_TLOG_SHRUNK, ERR_TLOG_FORK,
 * ERR_TLOG_CONSISTENCY, errors of checkpoint_open. */
CHECKED struct err kt_view_head(struct kt_view *next, struct bytes checkpoint,
                                const struct hash_run *consistency);
/* The newest entry: in the tree, fresh, not older than one seen. ERR_TLOG_INCLUSION,
 * ERR_TLOG_STALE, ERR_TLOG_FUTURE, ERR_TLOG_TIME. */
CHECKED struct err kt_view_entry(struct kt_view *next, const struct log_entry *entry,
                                 const struct hash_run *inclusion, uint64_t now_ms);
CHECKED struct err kt_view_fresh(const struct kt_view *view, uint64_t timestamp_ms,
                                 uint64_t now_ms);
/* A verified distinguished entry. ERR_TLOG_FORK when another is held under its index,
 * ERR_TLOG_DISTINGUISHED when it is newer and of no later window than the newest held. */
CHECKED struct err kt_view_add_dist(struct kt_view *next, uint64_t index,
                                    const struct log_entry *entry);
/* The same of one that was verified under the view's newest checkpoint, whose log root its
 * inclusion proof tells. ERR_TLOG_FORK also when another root is held. */
CHECKED struct err kt_view_see_dist(struct kt_view *next, const struct dist_entry *dist);

/* ---- comparing views */

/* DistNote of a held distinguished entry: its log root, in place. Also ERR_TLOG_UNKNOWN. */
CHECKED struct err kt_view_dist_note(struct kt_view *view, struct bytes dist_note);
/* The head to send about held entry i of the view; false when its log root is not known. The origin
 * is a view into it; the note is left empty. */
bool kt_view_head_of(const struct kt_view *view, size_t i, struct kt_head *ret_head);
/* A head that somebody sent: ERR_NONE when it agrees or can't be compared (ret_compared tells),
 * ERR_TLOG_FORK when it shows that the two of us were shown different logs. */
CHECKED struct err kt_view_compare(const struct kt_view *view, const struct kt_head *head,
                                   bool *ret_compared);

#endif
