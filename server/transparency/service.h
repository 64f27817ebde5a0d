/* What the files of the service share. */
#ifndef SERVER_TRANSPARENCY_SERVICE_H
#define SERVER_TRANSPARENCY_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/v1/transparency_rpc.h"
#include "server/transparency/inside.h"
#include "server/transparency/transparency.h"

struct append;

struct transparency {
    struct front_env *env;
    struct transparency_options options;
    struct store *store;
    atomic_uint refs; /* one, and one for each who waits in append.c */
    atomic_uint held; /* enum err_code: why nothing is signed any more */
    uint8_t spent_key[PASS_SPENT_KEY_BYTES];
    pthread_mutex_t ticks;  /* one at a time */
    pthread_mutex_t lock;   /* guards what follows */
    struct append *waiting; /* taken in, not in a signed epoch yet */
    uint64_t signatures;    /* that those who wait were woken for */
    bool closing;
    struct sequencer {
        pthread_t thread;
        bool started;
        pthread_cond_t wake; /* with the lock */
        bool woken;          /* something came since it looked last */
        void (*failed)(void *arg, struct err err);
        void *arg;
    } sequencer;
};

void transparency_ref(struct transparency *t);
void transparency_unref(struct transparency *t);
/* Of what looking at an outside checkpoint came to. */
void transparency_judge(struct transparency *t, struct err err);
/* A tick that closes an epoch even if the last one is young. */
CHECKED struct err transparency_tick_now(struct transparency *t, uint64_t *ret_epoch);
/* append.c: after a signature, and at the end, asks for the receipts of all who wait. */
void append_wake(struct transparency *t);

/* sequencer.c: the thread that ticks. */
void sequencer_init(struct transparency *t);
void sequencer_clear(struct transparency *t);
/* Something waits: an epoch is closed as soon as one may be. */
void sequencer_wake(struct transparency *t);
/* After t->closing is set. */
void sequencer_stop(struct transparency *t);

/* cosign.c: appends the note of a signed size with the cosignatures there are. ERR_NOT_FOUND. */
CHECKED struct err kt_note(struct store_txn *txn, uint64_t size, struct buf *note);
enum hearth_code transparency_add_cosignature(struct hearth_call *call,
                                              const Hearth__V1__AddCosignatureRequest *in,
                                              Hearth__V1__AddCosignatureResponse *out, void *self);

/* calls.c: the handlers. */
extern const struct hearth_transparency_service transparency_calls;

#endif
