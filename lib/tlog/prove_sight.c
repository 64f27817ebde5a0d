/* What one of the homeserver's own labels showed at an entry of before. */
#include "tlog/prove_inside.h"

/* The last epoch that is not later than at_ms; 1 where all are. Times never decrease. */
static struct err epoch_at(const struct kt_source *source, uint64_t newest, uint64_t at_ms,
                           uint64_t *ret_epoch)
{
    uint64_t from = 1, to = newest;
    while (from < to) {
        const uint64_t middle = to - (to - from) / 2;
        struct log_entry entry;
        TRY(source->entry(source->self, middle, &entry));
        if (entry.timestamp <= at_ms)
            from = middle;
        else
            to = middle - 1;
    }
    *ret_epoch = from;
    return ERR_OK;
}

/* That epoch may be the last of its window, whose first one is meant. */
static struct err run(struct answer *a, const struct sight_request *q, struct buf *proof,
                      struct sight_response *r)
{
    const struct kt_source *source = a->source;
    uint64_t epoch = 0, dist = 0;
    TRY(epoch_at(source, a->size - 1, q->at_ms, &epoch));
    TRY(source->dist(source->self, epoch, &dist));
    TRY(answer_dist(a, dist, &r->dist));
    struct err err = kt_prove_member(source, q->label, dist, proof);
    r->has_proof = err_is_ok(err);
    r->proof = buf_view(proof);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err kt_prove_sight(const struct kt_source *source, const struct sight_request *request,
                          struct buf *b)
{
    FILLED_LATER struct answer a;
    struct sight_response response;
    struct buf proof = BUF_INIT;
    const size_t before = b->len;
    struct err err = answer_begin(&a, source, request->last);
    if (err_is_ok(err))
        err = run(&a, request, &proof, &response);
    if (err_is_ok(err)) {
        response.checkpoint = buf_view(&a.note);
        response.consistency = log_proof_run(&a.consistency);
        sight_response_write(b, &response);
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = before;
    buf_clear(&proof);
    answer_clear(&a);
    return err;
}
