/* What the log commits to for a version: what the next KeySet of the label names. */
#include <stdlib.h>

#include "server/transparency/service.h"

struct asking {
    struct transparency *t; /* a reference */
    struct bytes label;
    uint32_t version;
    struct hash_value commitment;
    void (*done)(void *arg, struct err result, struct bytes commitment);
    void *arg;
};

static struct err run(struct store_txn *txn, void *arg)
{
    struct asking *a = arg;
    const struct kt_log *log = a->t->options.log;
    uint8_t id[AT_REST_ID_BYTES];
    struct kt_version row;
    kt_label_id(log, a->label, id);
    TRY(kt_version_get(log, txn, id, a->version, &row));
    a->commitment = row.pair.commitment;
    buf_clear(&row.value);
    return ERR_OK;
}

static void told(void *arg, struct err result)
{
    struct asking *a = arg;
    a->done(a->arg, result, hash_value_view(&a->commitment));
    transparency_unref(a->t);
    free(a);
}

void transparency_commitment(struct transparency *t, struct bytes label, uint32_t version,
                             struct hearth_loop *loop,
                             void (*done)(void *arg, struct err result, struct bytes commitment),
                             void *arg)
{
    struct inbox *inbox = NULL;
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        done(arg, ERR(NO_MEMORY), bytes_of(NULL, 0));
        return;
    }
    transparency_ref(t);
    *a = (struct asking){.t = t, .label = label, .version = version, .done = done, .arg = arg};
    const struct store_work work = {.cost = 1, .run = run, .done = told, .arg = a};
    struct err err = front_inbox(t->env->front, loop, &inbox);
    if (err_is_ok(err))
        err = store_read(t->store, inbox, &work);
    if (!err_is_ok(err))
        told(a, err);
}
