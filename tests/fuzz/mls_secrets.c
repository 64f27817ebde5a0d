/* What comes out of decryption: GroupSecrets, SenderData, PrivateMessageContent. The first byte
 * chooses. */
#include <stdlib.h>

#include "mls/codec/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct buf *b, struct bytes in)
{
    if (!err_is_ok(buf_check(b)) || !bytes_equal(buf_view(b), in))
        abort();
    buf_clear(b);
}

static void private_content(struct bytes in, enum content_type type)
{
    struct arena a;
    struct framed_content content = {0};
    struct content_auth auth;
    struct buf b = BUF_INIT;
    arena_init(&a, 128 * in.len + 65536);
    if (err_is_ok(private_content_parse(in, &a, type, &content, &auth))) {
        private_content_write(&b, &content, &auth, 0);
        private_content_write(&b, &content, &auth, 0);
        size_t unpadded = b.len / 2;
        if (unpadded > in.len)
            abort();
        buf_clear(&b);
        private_content_write(&b, &content, &auth, in.len - unpadded);
        check(&b, in);
    }
    arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    struct group_secrets secrets;
    struct sender_data sender;
    struct buf b = BUF_INIT;
    if (data[0] % 5 == 0 && err_is_ok(group_secrets_parse(in, &secrets))) {
        group_secrets_write(&b, &secrets);
        check(&b, in);
    } else if (data[0] % 5 == 1 && err_is_ok(sender_data_parse(in, &sender))) {
        sender_data_write(&b, &sender);
        check(&b, in);
    } else if (data[0] % 5 >= 2) {
        private_content(in, (enum content_type)(data[0] % 5 - 1));
    }
    return 0;
}
