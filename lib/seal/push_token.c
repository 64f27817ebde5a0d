#include "seal/push_token.h"

#include "wire/reader.h"

enum { HEAD_BYTES = 2, PADDED_BYTES = HEAD_BYTES + PUSH_TOKEN_MAX_BYTES };

static struct bytes label(void)
{
    return bytes_str("push token");
}

struct err push_token_seal(struct buf *b, const struct rng *rng,
                           const uint8_t key[PUSH_TOKEN_KEY_BYTES], struct bytes token)
{
    uint8_t padded[PADDED_BYTES] = {(uint8_t)(token.len >> 8), (uint8_t)token.len};
    if (token.len > PUSH_TOKEN_MAX_BYTES)
        return ERR(TOO_LARGE);
    if (token.len > 0)
        memcpy(padded + HEAD_BYTES, token.data, token.len);
    struct err err = at_rest_seal(b, key, rng, label(), bytes_of(padded, sizeof padded));
    bytes_wipe(padded, sizeof padded);
    return err;
}

struct err push_token_open(struct buf *b, const uint8_t key[PUSH_TOKEN_KEY_BYTES],
                           struct bytes sealed)
{
    struct buf padded = {.limit = PADDED_BYTES + AT_REST_OVERHEAD_BYTES};
    struct err err = at_rest_open(&padded, key, label(), sealed);
    if (err.code == ERR_NONE) {
        struct wire_reader r = wire_reader_of(buf_view(&padded));
        struct bytes token = wire_read_vector16(&r);
        err = wire_reader_check(&r);
        if (err.code == ERR_NONE && padded.len != PADDED_BYTES)
            err = ERR(WIRE_VALUE);
        if (err.code == ERR_NONE) {
            buf_append_bytes(b, token);
            err = buf_check(b);
        }
    }
    buf_clear(&padded);
    return err;
}
