/* The transparency service's door: kt.db behind hearth.v1.Transparency (docs/log.md). Checkpoints,
 * look-ups, monitoring, consistency and tiles are served, and cosignatures taken; Update answers
 * UNIMPLEMENTED: key sets come from the auth service by transparency_append().
 *
 * Everything served is as of the newest signed checkpoint. Reads run on the store's snapshots;
 * epochs are closed by transparency_tick(), which its owner calls often, or has called by
 * transparency_start().
 */
#ifndef SERVER_TRANSPARENCY_H
#define SERVER_TRANSPARENCY_H

#include "server/front/front.h"
#include "server/transparency/kt_log.h"

struct transparency;

/* every_ms: whatever waits is taken in by the next tick. */
#define TRANSPARENCY_AT_ONCE UINT32_MAX

struct transparency_options {
    struct store_options store; /* path, mode, files; schema is set here */
    const struct kt_log *log;   /* borrowed: configuration and keys */
    uint32_t every_ms;          /* an epoch at most so often [1,000]; TRANSPARENCY_AT_ONCE */
    uint32_t heartbeat_ms;      /* and at least so often [900,000] */
    /* Whose cosignatures are taken: NOTE_COSIGNATURE keys. Borrowed with their names. */
    const struct note_key *witnesses;
    size_t witness_count;
};

/* Opens kt.db; makes leaf 0, or checks it (ERR_WRONG_STATE: the configuration was changed). Signs
 * nothing. */
CHECKED struct err transparency_open(struct front_env *env,
                                     const struct transparency_options *options,
                                     struct transparency **ret_transparency);
/* Adds hearth.v1.Transparency to the server. */
CHECKED struct err transparency_add(struct transparency *t, struct hearth_server *server);
/* After the server. Who waits in transparency_append() is told ERR_STORE_STOPPED, at the latest
 * when the front is freed. */
void transparency_close(struct transparency *t);
struct store *transparency_store(struct transparency *t);

/* Ticks on a thread of its own until the end: at once when a version waits and the last epoch is
 * old enough, and when a heartbeat or a window is due. failed is told on that thread what a tick
 * failed with, when it is another error than the time before. Not with STORE_INLINE. */
CHECKED struct err transparency_start(struct transparency *t,
                                      void (*failed)(void *arg, struct err err), void *arg);

/* A checkpoint of this log that somebody outside holds: before the first tick, of each witness and
 * peer that can be reached. ERR_TLOG_SHRUNK (a restored backup), ERR_TLOG_FORK: nothing is signed
 * from then on, and what is to be taken in fails with ERR_TLOG_HELD. Whoever asks for a checkpoint
 * may show one, too. Waits. */
CHECKED struct err transparency_check_outside(struct transparency *t, struct bytes note);

/* Nothing is signed from now on (ERR_TLOG_HELD), since others may have a newer log than this. */
void transparency_hold(struct transparency *t);
/* ERR_OK, or why nothing is signed. */
struct err transparency_held(const struct transparency *t);
/* One run of the expiries: tokens spent on days that are over; values and openings of labels that
 * ended KT_ERASE_AFTER_MS ago. A bounded piece of work, waited for; true: there is more. What was
 * committed to stays. */
bool transparency_expire(struct transparency *t);

/* One piece of removing what trees older than KT_KEEP_MS leave behind (kt_log.h), short enough that
 * epochs do not wait for it; true: there is more. Waits. Where there is nothing, nothing is
 * written. */
bool transparency_sweep(struct transparency *t);

/* Closes an epoch when one is due, commits, signs, and tells those whose versions it has. Waits;
 * not on a thread of the store. ERR_TLOG_FORK and what else holds the log are said ever after.
 * ret_epoch: its number, 0: none was due. */
CHECKED struct err transparency_tick(struct transparency *t, uint64_t *ret_epoch);

/* The newest signed checkpoint with its cosignatures (appended), and the time of its entry. Waits.
 * ERR_NOT_FOUND: nothing is signed yet. */
CHECKED struct err transparency_head(struct transparency *t, struct buf *note, uint64_t *ret_size,
                                     uint64_t *ret_ms);
/* The newest checkpoint that has a cosignature, with them (appended). Waits. ERR_NOT_FOUND. */
CHECKED struct err transparency_cosigned(struct transparency *t, struct buf *note);

/* What a mirror or monitor asks for by HTTP (C2SP tlog-tiles): path is checkpoint, tile/L/N[.p/W]
 * or tile/entries/N[.p/W]; appended to body. ret_forever: it never changes. ERR_NOT_FOUND. Waits,
 * on a reader. */
CHECKED struct err transparency_page(struct transparency *t, const char *path, struct buf *body,
                                     bool *ret_forever);

/* Has anything been taken in since this was asked last? Then a tick may find it due. For owners
 * that tick by themselves. */
bool transparency_woken(struct transparency *t);

/* Values of the homeserver's own labels. Each is the newest version of its label, or becomes it, in
 * an epoch of its own; waits until that is signed. ERR_ARGUMENT: more than
 * TRANSPARENCY_VALUES_MOST. One caller at a time; not on a thread of the store. */
enum { TRANSPARENCY_VALUES_MOST = 16 };
struct transparency_value {
    struct bytes label, value;
};
CHECKED struct err transparency_publish(struct transparency *t,
                                        const struct transparency_value *values, size_t count);

/* What a version's owner is told: an UpdateResponse (tlog/update.h) from the configuration on. Both
 * are empty for a version that was added more than KT_KEEP_MS ago. */
struct transparency_receipt {
    struct bytes checkpoint, proof;
};
/* The log takes this version, or finds that it has it, and calls done once on `loop` when a signed
 * epoch holds it; the receipt lives until done returns. Repeats are harmless. label and value live
 * until done. On failure done says why: ERR_AUTH_LABEL_VERSION, errors of the store. */
void transparency_append(struct transparency *t, struct bytes label, uint32_t version,
                         struct bytes value, struct hearth_loop *loop,
                         void (*done)(void *arg, struct err result,
                                      const struct transparency_receipt *receipt),
                         void *arg);

/* What the log commits to for a version: calls done once on `loop`; label lives until then.
 * ERR_NOT_FOUND: no epoch has it; errors of the store. */
void transparency_commitment(struct transparency *t, struct bytes label, uint32_t version,
                             struct hearth_loop *loop,
                             void (*done)(void *arg, struct err result, struct bytes commitment),
                             void *arg);

#endif
