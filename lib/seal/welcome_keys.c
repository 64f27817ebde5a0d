#include "seal/welcome_keys.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };

void welcome_keys_write(struct buf *b, const struct welcome_keys *keys)
{
    wire_write_u8(b, VERSION);
    wire_write_fixed(b, bytes_of(keys->state_key, STATE_KEY_BYTES));
    wire_write_fixed(b, bytes_of(keys->identity_key, IDENTITY_KEY_BYTES));
}

struct err welcome_keys_read(struct bytes data, struct welcome_keys *ret_keys)
{
    struct wire_reader r = wire_reader_of(data);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes state_key = wire_read_fixed(&r, STATE_KEY_BYTES);
    struct bytes identity_key = wire_read_fixed(&r, IDENTITY_KEY_BYTES);
    TRY(wire_reader_end(&r));
    memcpy(ret_keys->state_key, state_key.data, state_key.len);
    memcpy(ret_keys->identity_key, identity_key.data, identity_key.len);
    return ERR_OK;
}
