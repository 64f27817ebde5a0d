/* The attachment service's door (F18): sealed blobs by capability, without an outside store. Owns
 * attachment.db. Knows no user, no group, and nothing of what is inside.
 *
 * A blob lies in blocks of ATTACHMENT_BLOCK_BYTES, each a row, sealed under a key that takes the
 * download capability, which only the uploader was told: database and keeper's keys together do not
 * open it. Ids lie as PRF values, capabilities as hashes, times as days. (Why rows and not files:
 * docs/decisions/0008-attachments.md.)
 *
 * Upload: the head says the size, which is padded (Padmé, so that a size says little); then so many
 * bytes, then half-close. Each block is one durable commit, and the sender waits for it, so an
 * upload holds at most three blocks of memory. It shows only when all of it is there: what is cut
 * short, by whichever end or by a crash, is removed. The head's idempotency id, the client's
 * secret, gives id and capabilities: a repeat of an upload whose answer was lost gets the same
 * answer, if its bytes are the same (else ERR_ONCE_OTHER_BODY), and stores nothing; of two under
 * way the newer goes on (ERR_ATTACHMENT_REPLACED).
 *
 * Download: from any offset, a block at a time as the reader takes them, within the bandwidth of
 * its source and of all. Delete: nothing is readable from the answer on; the bytes go soon after,
 * in pieces; repeated, it answers the same until the blob's last day.
 *
 * Unknown ids, wrong capabilities, deleted and expired blobs answer alike: ERR_NOT_FOUND.
 */
#ifndef SERVER_ATTACHMENT_H
#define SERVER_ATTACHMENT_H

#include "server/front/front.h"

struct attachment;

enum {
    ATTACHMENT_BLOCK_BYTES = 65536,
    ATTACHMENT_LEAST_BYTES = 256, /* smallest padded size */
    ATTACHMENT_ID_BYTES = 16,
    ATTACHMENT_CAPABILITY_BYTES = 32,
};

struct attachment_options {
    struct store_options store; /* path, mode, files; schema is set here */
    bool control;               /* tests, control runs: no quota, and nothing is ever removed */
};

/* What an earlier run left unfinished is given up here. */
CHECKED struct err attachment_open(struct front_env *env, const struct attachment_options *options,
                                   struct attachment **ret_attachment);
/* Adds hearth.v1.Attachment to the server. */
CHECKED struct err attachment_add(struct attachment *attachment, struct hearth_server *server);
/* After the server. Calls whose jobs are still in an inbox end with it. NULL is fine. */
void attachment_close(struct attachment *attachment);
struct store *attachment_store(struct attachment *attachment); /* for backup, turns */
/* One run of the expiries (F4). A bounded piece of work; true: there is more. Blocks; not on a loop
 * that has work to do. */
bool attachment_expire(struct attachment *attachment);

/* Is it a size that pads what is in it? */
bool attachment_size_fits(uint64_t bytes);

#endif
