/* What the files of the log share among themselves. */
#ifndef CLIENT_CORE_LOG_INSIDE_H
#define CLIENT_CORE_LOG_INSIDE_H

#include "client/core/log.h"

/* The view of somebody who has the configuration alone. */
CHECKED struct err log_config_view(const struct kt_config *config, struct kt_view *ret_view);
/* What was verified of a label goes into its row, which is not written. news: another version. */
CHECKED struct err log_take_result(struct core *c, const struct log *log, struct log_label *label,
                                   const struct kt_result *result, bool *ret_news);
/* A distinguished entry under a signed checkpoint, kept for whoever has to prove it. */
void log_remember_seen(struct log *log, struct bytes checkpoint, const struct dist_entry *dist);
/* Takes over what a search showed of an own label. */
void log_own_learn(struct log_label *label);
/* A label of the homeserver's was found, or it has no log. */
CHECKED struct err log_keys_found(struct core *c, struct db_txn *t, const struct log *log);
/* A person says that they are to be used. */
CHECKED struct err log_keys_accept(struct db_txn *t, const char *domain);
/* A distinguished entry that somebody else was shown, as in struct log_seen. Views. */
struct log_sight {
    struct bytes note, dist;
};
/* Somebody was shown another log; sights: what he says that he saw of it, at most LOG_SEEN_MAX.
 * Distrusted from here on where that convicts. */
CHECKED struct err log_report_view(struct core *c, struct db_txn *t, struct log *log,
                                   const struct log_sight *sights, size_t count);
/* Holds all that is kept of a log and a label (may be NULL) against each other and against what
 * came. ret_number: of the evidence, 0: nothing convicts. */
CHECKED struct err log_court(struct db_txn *t, const struct log *log, const struct log_label *label,
                             const struct log_trouble *trouble, uint64_t *ret_number);
/* ... against what somebody else was shown. */
CHECKED struct err log_court_view(struct db_txn *t, const struct log *log,
                                  const struct log_sight *sights, size_t count,
                                  uint64_t *ret_number);
/* An OwnerMonitorRequest of which the answer shows whether the version after this one is left out
 * below the newest that the log has; what it shows of that (log_skipped.c). Appends. */
CHECKED struct err log_skipped_request(const struct log *log, const struct log_label *label,
                                       uint32_t above, struct buf *b);
CHECKED struct err log_skipped(struct db_txn *t, const struct log *log,
                               const struct log_label *label, uint32_t above, struct bytes response,
                               uint64_t *ret_number);
/* Something is marked bad, distrusted or changed: log_may_send looks closely from now on. */
CHECKED struct err log_troubled(struct core *c, struct db_txn *t);
/* TASK_LOG_WATCH of the homeserver, if there is none: what is due each window. */
CHECKED struct err log_watch_begin(struct core *c, struct db_txn *t, const struct log *log);
/* It looks again at that time, or before. */
CHECKED struct err log_watch_at(struct core *c, struct db_txn *t, const char *domain,
                                uint64_t at_ms);

#endif
