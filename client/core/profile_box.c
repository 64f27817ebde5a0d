/* A profile sealed and opened. */
#include "client/core/profile.h"
#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "seal/pad.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };

static struct err derive(const uint8_t key[PROFILE_KEY_BYTES], const char *label,
                         uint8_t ret_out[32])
{
    return labelled_expand_into(&kdf_hkdf_sha256, bytes_of(key, PROFILE_KEY_BYTES), LABEL_HEARTH,
                                bytes_str(label), bytes_of(NULL, 0), 32, ret_out);
}

struct err profile_index(const uint8_t key[PROFILE_KEY_BYTES],
                         uint8_t ret_index[PROFILE_INDEX_BYTES])
{
    return derive(key, "ProfileIndex", ret_index);
}

static struct err seal_with(struct buf *b, const struct rng *rng, const uint8_t seal_key[32],
                            struct bytes index, struct bytes content)
{
    size_t mark, bucket = pad_bucket_bytes(content.len + ENVELOPE_OVERHEAD_BYTES);
    if (bucket == 0)
        return ERR(TOO_LARGE);
    TRY(envelope_begin(b, rng, &mark));
    pad_write(b, content, bucket - ENVELOPE_OVERHEAD_BYTES);
    return envelope_end(b, mark, seal_key, index);
}

struct err profile_seal(struct buf *b, const struct rng *rng, const uint8_t key[PROFILE_KEY_BYTES],
                        const struct profile *profile)
{
    uint8_t index[PROFILE_INDEX_BYTES], seal_key[32];
    struct buf content = BUF_INIT;
    if (profile->name.len > DISPLAY_NAME_MAX_BYTES ||
        profile->picture.len > PROFILE_PICTURE_MAX_BYTES)
        return ERR(TOO_LARGE);
    TRY(profile_index(key, index));
    TRY(derive(key, "ProfileSeal", seal_key));
    wire_write_u8(&content, VERSION);
    wire_write_vector(&content, profile->name);
    wire_write_vector(&content, profile->picture);
    struct err err = buf_check(&content);
    if (err_is_ok(err))
        err = seal_with(b, rng, seal_key, bytes_of(index, sizeof index), buf_view(&content));
    bytes_wipe(seal_key, sizeof seal_key);
    buf_clear(&content);
    return err;
}

struct err profile_open(const uint8_t key[PROFILE_KEY_BYTES], struct bytes sealed,
                        struct buf *scratch, struct profile *ret_profile)
{
    uint8_t index[PROFILE_INDEX_BYTES], seal_key[32];
    struct bytes content;
    struct profile p;
    size_t mark = scratch->len;
    TRY(profile_index(key, index));
    TRY(derive(key, "ProfileSeal", seal_key));
    struct err err = envelope_open(scratch, seal_key, bytes_of(index, sizeof index), sealed);
    bytes_wipe(seal_key, sizeof seal_key);
    TRY(err);
    TRY(pad_read(bytes_of(scratch->data + mark, scratch->len - mark), &content));
    struct wire_reader r = wire_reader_of(content);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    p.name = wire_read_vector(&r);
    p.picture = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (p.name.len > DISPLAY_NAME_MAX_BYTES ||
        (p.name.len > 0 && memchr(p.name.data, 0, p.name.len) != NULL))
        return ERR(WIRE_VALUE);
    *ret_profile = p;
    return ERR_OK;
}
