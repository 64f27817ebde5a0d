/* Batches that come late. */
#include "server/courier/outbox_rows.h"
#include "support/land/land.h"

struct land_stale {
    char domain[16];
    size_t count;
    struct courier_batch_row rows[BATCH_ROWS];
    struct buf bytes[BATCH_ROWS]; /* of reference and payload */
};

void land_stale_free(struct land_stale *s)
{
    for (size_t i = 0; s != NULL && i < s->count; i++)
        buf_clear(&s->bytes[i]);
    free(s);
}

void land_keep(struct land_home *h, struct bytes domain, const struct courier_batch_row *rows,
               size_t count)
{
    struct land_stale *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->domain, domain.data, domain.len);
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        buf_append_bytes(&s->bytes[i], rows[i].sealed_ref);
        buf_append_bytes(&s->bytes[i], rows[i].payload);
        assert_ok(buf_check(&s->bytes[i]));
        s->rows[i] = rows[i];
        s->rows[i].sealed_ref = bytes_of(s->bytes[i].data, rows[i].sealed_ref.len);
        s->rows[i].payload =
            bytes_of(s->bytes[i].data + rows[i].sealed_ref.len, rows[i].payload.len);
    }
    h->stale = s;
}

static void on_replayed(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    (void)result; /* nobody waits for it: the courier was answered long ago */
    (void)outcomes;
    land_stale_free(arg);
}

void land_replay(struct land_home *h)
{
    struct land_stale *s = h->stale;
    h->stale = NULL;
    if (s != NULL && !err_is_ok(h->route.deliver(h->route.self, bytes_str(s->domain), s->rows,
                                                 s->count, NULL, on_replayed, s)))
        land_stale_free(s);
}
