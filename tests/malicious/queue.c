/* replace-item: what is for a queue is chained as ever, and an empty item stands in its place. */
#include "malicious/malice.h"
#include "seal/queue_ratchet.h"

struct err __real_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b);
struct err __wrap_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b);

struct err __wrap_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b)
{
    const struct queue_item nothing = {.kind = QUEUE_ITEM_DUMMY, .hour = item->hour};
    struct queue_ratchet state = *r;
    struct buf queued = BUF_INIT;
    if (item->kind != QUEUE_ITEM_DELIVERY || !malice_on("replace-item"))
        return __real_queue_ratchet_seal(r, item, b);
    struct err err = __real_queue_ratchet_seal(&state, item, &queued);
    if (err_is_ok(err))
        err = __real_queue_ratchet_seal(r, &nothing, b);
    if (err_is_ok(err))
        *r = state; /* what follows is about what was queued */
    buf_clear(&queued);
    return err;
}
