#include "support/ways/kept_batch.h"

#include "support/test.h"

void kept_free(struct kept_batch *k)
{
    for (size_t i = 0; k != NULL && i < k->count; i++)
        buf_clear(&k->bytes[i]);
    free(k);
}

struct kept_batch *kept_batch(struct bytes domain, const struct courier_batch_row *rows,
                              size_t count)
{
    struct kept_batch *k = calloc(1, sizeof *k);
    assert_non_null(k);
    memcpy(k->domain, domain.data, domain.len);
    k->count = count;
    for (size_t i = 0; i < count; i++) {
        buf_append_bytes(&k->bytes[i], rows[i].sealed_ref);
        buf_append_bytes(&k->bytes[i], rows[i].payload);
        assert_ok(buf_check(&k->bytes[i]));
        k->rows[i] = rows[i];
        k->rows[i].sealed_ref = bytes_of(k->bytes[i].data, rows[i].sealed_ref.len);
        k->rows[i].payload =
            bytes_of(k->bytes[i].data + rows[i].sealed_ref.len, rows[i].payload.len);
    }
    return k;
}
