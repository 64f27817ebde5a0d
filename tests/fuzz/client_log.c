/* The client's own rows of logs and labels (client/core/log_row.c): the first byte chooses. What
 * was read is written, read and written again: the second is the first. */
#include <stdlib.h>

#include "client/core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void same(struct buf *a, struct buf *b)
{
    if (a->failed || b->failed || !bytes_equal(buf_view(a), buf_view(b)))
        abort();
    buf_clear(a);
    buf_clear(b);
}

static void log_row(struct bytes in)
{
    static struct log log, again;
    struct buf first = BUF_INIT, second = BUF_INIT;
    if (!err_is_ok(log_read(in, &log)))
        return;
    log_write(&first, &log);
    if (!err_is_ok(log_read(buf_view(&first), &again)))
        abort();
    log_write(&second, &again);
    same(&first, &second);
    log_clear(&log);
    log_clear(&again);
}

static void label_row(struct bytes in)
{
    struct log_label *label, *again;
    struct buf first = BUF_INIT, second = BUF_INIT;
    if (!err_is_ok(log_label_read(in, &label)))
        return;
    log_label_write(&first, label);
    if (!err_is_ok(log_label_read(buf_view(&first), &again)))
        abort();
    log_label_write(&second, again);
    same(&first, &second);
    log_label_free(label);
    log_label_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (data[0] % 2 == 0)
        log_row(bytes_of(data + 1, len - 1));
    else
        label_row(bytes_of(data + 1, len - 1));
    return 0;
}
