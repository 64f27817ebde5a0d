/* MLSMessage: whatever is read is written back byte for byte. */
#include <stdlib.h>

#include "mls/codec/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena a;
    struct mls_message m;
    arena_init(&a, 128 * len + 65536);
    if (err_is_ok(mls_message_parse(bytes_of(data, len), &a, &m))) {
        struct buf b = BUF_INIT;
        mls_message_write(&b, &m);
        if (!err_is_ok(buf_check(&b)) || !bytes_equal(buf_view(&b), bytes_of(data, len)))
            abort();
        buf_clear(&b);
    }
    arena_clear(&a);
    return 0;
}
