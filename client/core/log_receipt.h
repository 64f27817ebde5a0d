/* LogReceipts of our own changes: with each answer to a change comes the proof that the log has it
 * (tlog/update.h), which is the operator's promise that it will show everybody the same. Kept with
 * the label, the newest alone, and held against the log until that has shown it: what was promised
 * and is not there convicts (transparency.md 9). One that does not hold promises nothing, and is
 * told as an alarm; none at all is what a homeserver without a log gives.
 *
 * Connect's receipts are not looked at: no handle's key is used before a search has shown it.
 */
#ifndef CLIENT_CORE_LOG_RECEIPT_H
#define CLIENT_CORE_LOG_RECEIPT_H

#include "client/core/log.h"

enum { LOG_RECEIPT_MAX_BYTES = 32768 };

/* key_set was accepted, with this UpdateResponse (may be empty). Of our own homeserver. */
CHECKED struct err log_receipt_take(struct core *c, struct db_txn *t, struct bytes key_set,
                                    struct bytes proof);

/* About 50 kB: on the heap. Views into the label. */
struct log_receipt {
    struct update_response response;
    struct kt_view view; /* of whoever knows the configuration and this receipt */
    struct kt_result result;
};
/* Verifies the label's receipt. ERR_NOT_FOUND: there is none; else as kt_verify_update. */
CHECKED struct err log_receipt_read(const struct log *log, const struct log_label *label,
                                    struct log_receipt *ret_receipt);

/* The view of whoever knows the configuration and the receipt, which was verified before: without
 * its proofs of indices, which take most of the time. ERR_NOT_FOUND. */
CHECKED struct err log_receipt_view(const struct log *log, const struct log_label *label,
                                    struct kt_view *ret_view);

/* A search was verified. May the log be asked, from the receipt on, for what it promised? A receipt
 * that does not hold is dropped and told; the label is written then. */
CHECKED struct err log_receipt_due(struct core *c, struct db_txn *t, const struct log *log,
                                   struct log_label *label, bool *ret_due);

#endif
