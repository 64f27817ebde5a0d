/* queue_vouch(): the check of accepting, for one reference, without the effect. */
#include "server/queue/accept.h"
#include "server/queue/job.h"

struct vouching {
    struct accept accept; /* of one row */
    struct accept_row row;
    struct queue_row in;
    uint8_t sealed[SEALED_REF_MAX_BYTES];
    void (*done)(void *arg, struct err result);
    void *arg;
};

static struct err run(struct store_txn *txn, void *arg)
{
    struct vouching *v = arg;
    const struct accept_row *row = &v->row;
    TRY(accept_check(txn, &v->accept));
    if (row->outcome != 0)
        return ERR(NOT_FOUND);
    if (row->tag.used && !bytes_equal_ct(bytes_of(row->tag.origin, sizeof row->tag.origin),
                                         bytes_of(v->accept.origin, sizeof v->accept.origin)))
        return ERR(NOT_FOUND);
    /* else one reference could name any number of domains */
    return limit_take(v->accept.q->limits, LIMIT_VOUCHED, bytes_of(row->tag.id, sizeof row->tag.id),
                      1, NULL);
}

static void on_done(void *arg, struct err result)
{
    struct vouching *v = arg;
    struct queue *q = v->accept.q;
    v->done(v->arg, result);
    accept_drop_pushes(&v->accept);
    free(v);
    queue_unref(q);
}

struct err queue_vouch(struct queue *q, struct bytes origin, struct bytes sealed_ref,
                       struct inbox *inbox, void (*done)(void *arg, struct err result), void *arg)
{
    if (sealed_ref.len > SEALED_REF_MAX_BYTES)
        return ERR(NOT_FOUND);
    struct vouching *v = calloc(1, sizeof *v);
    if (v == NULL)
        return ERR(NO_MEMORY);
    memcpy(v->sealed, sealed_ref.data, sealed_ref.len);
    v->in.sealed_ref = bytes_of(v->sealed, sealed_ref.len);
    v->row.in = &v->in;
    v->done = done;
    v->arg = arg;
    v->accept = (struct accept){.q = q, .rows = &v->row, .count = 1, .vouching = true};
    queue_prf(q, "origin", origin, bytes_of(NULL, 0), v->accept.origin);
    /* all strangers are one: they take turns among themselves */
    const struct store_work work = {.principal = queue_principal(q, "strangers", bytes_str("")),
                                    .cost = 1,
                                    .run = run,
                                    .done = on_done,
                                    .arg = v};
    queue_ref(q);
    struct err err = queue_read(q, inbox, &work);
    if (!err_is_ok(err)) {
        free(v);
        queue_unref(q);
    }
    return err;
}
