/* Receipts, as people are shown them. */
#include <string.h>

#include "client/core/door.h"
#include "client/core/receipt.h"
#include "wire/reader.h"

enum { HOUR_MS = 3600 * 1000 };

struct listing {
    bool (*fn)(const struct hearth_receipt *receipt, void *arg);
    void *arg;
    struct buf domain, method;
};

static struct err list_one(void *arg, const struct receipt_kept *kept)
{
    struct listing *l = arg;
    struct hearth_receipt shown = {
        .domain = door_text(&l->domain, kept->domain),
        .method = door_text(&l->method, kept->method),
        .accepted = kept->status == HEARTH_OK,
        .status = kept->status,
        .kept_ms = kept->kept_ms,
        .hour_ms = (uint64_t)kept->hour * HOUR_MS,
        .receipt = kept->receipt.data,
        .receipt_bytes = kept->receipt.len,
        .signer = kept->signing.data,
        .signer_bytes = kept->signing.len,
    };
    if (kept->request_hash != NULL)
        memcpy(shown.request_hash, kept->request_hash, sizeof shown.request_hash);
    return l->fn(&shown, l->arg) ? ERR_OK : ERR(CANCELLED);
}

static struct err list_all(struct core *c, struct db_txn *t, void *arg)
{
    return receipt_each(c, t, list_one, arg);
}

bool hearth_receipt_each(struct hearth_account *a,
                         bool (*fn)(const struct hearth_receipt *receipt, void *arg), void *arg)
{
    struct listing l = {.fn = fn, .arg = arg};
    bool done = door_look(a, list_all, &l);
    buf_clear(&l.domain);
    buf_clear(&l.method);
    return done;
}
