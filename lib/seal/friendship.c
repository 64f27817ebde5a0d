#include "seal/friendship.h"

#include "wire/writer.h"

enum { VERSION = 1 };

void friendship_write(struct buf *b, const struct friendship *friendship)
{
    wire_write_u8(b, VERSION);
    buf_append(b, friendship->queue_user_id, QUEUE_ID_BYTES);
    buf_append(b, friendship->contact_token, CONTACT_TOKEN_BYTES);
    buf_append(b, friendship->friendship_key, FRIENDSHIP_KEY_BYTES);
    buf_append(b, friendship->profile_base_key, PROFILE_KEY_BYTES);
}

static void take(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

void friendship_read(struct wire_reader *r, struct friendship *ret_friendship)
{
    *ret_friendship = (struct friendship){0};
    if (wire_read_u8(r) != VERSION)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    take(r, ret_friendship->queue_user_id, QUEUE_ID_BYTES);
    take(r, ret_friendship->contact_token, CONTACT_TOKEN_BYTES);
    take(r, ret_friendship->friendship_key, FRIENDSHIP_KEY_BYTES);
    take(r, ret_friendship->profile_base_key, PROFILE_KEY_BYTES);
    if (r->failure != ERR_NONE)
        bytes_wipe(ret_friendship, sizeof *ret_friendship);
}

struct err friendship_parse(struct bytes in, struct friendship *ret_friendship)
{
    struct friendship friendship;
    struct wire_reader r = wire_reader_of(in);
    friendship_read(&r, &friendship);
    struct err err = wire_reader_end(&r);
    if (err_is_ok(err))
        *ret_friendship = friendship;
    bytes_wipe(&friendship, sizeof friendship);
    return err;
}
