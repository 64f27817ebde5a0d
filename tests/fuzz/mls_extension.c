/* Contents of the extensions we know. The first byte chooses. */
#include <stdlib.h>

#include "mls/codec/extension.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct buf *b, struct bytes in)
{
    if (!err_is_ok(buf_check(b)) || !bytes_equal(buf_view(b), in))
        abort();
    buf_clear(b);
}

static void senders(struct bytes in)
{
    struct buf b = BUF_INIT;
    struct external_sender sender;
    size_t mark = wire_vector_begin(&b);
    for (uint32_t i = 0; err_is_ok(external_senders_at(in, i, &sender)); i++)
        external_sender_write(&b, &sender);
    wire_vector_end(&b, mark);
    if (err_is_ok(external_senders_check(in)))
        check(&b, in);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    struct required_capabilities required;
    struct bytes key;
    struct buf b = BUF_INIT;
    if (data[0] % 3 == 0 && err_is_ok(required_capabilities_parse(in, &required))) {
        required_capabilities_write(&b, &required);
        check(&b, in);
    } else if (data[0] % 3 == 1 && err_is_ok(external_pub_parse(in, &key))) {
        wire_write_vector(&b, key);
        check(&b, in);
    } else if (data[0] % 3 == 2) {
        senders(in);
    }
    return 0;
}
