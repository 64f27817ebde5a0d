#include "seal/fan_out.h"

#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    FORM_MEMBERS = 0,
    FORM_JOINER = 1,
    MEMBERS_OVERHEAD_BYTES = 1 + ENVELOPE_OVERHEAD_BYTES,
    JOINER_OVERHEAD_BYTES = 1 + AEAD_TAG_BYTES, /* and the KEM's output with its length */
};
/* the largest overhead, P-521's, and the heads leave the promised room */
_Static_assert((int)FAN_OUT_BODY_MAX_BYTES + (int)DELIVERY_ITEM_HEAD_BYTES + (int)PAD_HEAD_BYTES +
                       (int)JOINER_OVERHEAD_BYTES + 2 + (int)PUBLIC_KEY_MAX_BYTES <=
                   (int)FAN_OUT_SEALED_MAX_BYTES,
               "FAN_OUT_BODY_MAX_BYTES");

#define JOINER  bytes_str("Joiner")
#define NOTHING bytes_of(NULL, 0)

/* What pad_end takes so that the whole payload is as long as the body of a full queue item. */
static size_t padded_bytes(size_t content_bytes, size_t overhead)
{
    size_t around = QUEUE_ITEM_HEAD_BYTES + overhead;
    size_t bucket = pad_bucket_bytes(content_bytes + around);
    return bucket == 0 ? 0 : bucket - around;
}

/* padded, at the end of b */
static void item_write(struct buf *b, const struct delivery_item *item, size_t overhead)
{
    size_t mark = pad_begin(b);
    wire_write_u8(b, (uint8_t)item->kind);
    wire_write_u64(b, item->accepted_s);
    wire_write_fixed(b, item->body);
    pad_end(b, mark, padded_bytes(pad_content_bytes(b, mark), overhead));
}

struct err delivery_item_parse(struct bytes in, struct delivery_item *ret_item)
{
    struct wire_reader r = wire_reader_of(in);
    struct delivery_item item = {.kind = (enum delivery_kind)wire_read_u8(&r)};
    item.accepted_s = wire_read_u64(&r);
    item.body = wire_read_fixed(&r, wire_reader_left(&r));
    TRY(wire_reader_end(&r));
    *ret_item = item;
    return ERR_OK;
}

static struct err padded_parse(struct bytes padded, struct delivery_item *ret_item)
{
    struct bytes content;
    TRY(pad_read(padded, &content));
    return delivery_item_parse(content, ret_item);
}

static struct err item_check(const struct delivery_item *item)
{
    if (item->body.len > FAN_OUT_BODY_MAX_BYTES)
        return ERR(TOO_LARGE);
    return (unsigned)item->kind > UINT8_MAX ? ERR(ARGUMENT) : ERR_OK;
}

static struct err key_of(const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                         struct secret *ret_key)
{
    return labelled_expand(&kdf_hkdf_sha256, bytes_of(state_key, STATE_KEY_BYTES), LABEL_HEARTH,
                           bytes_str("fan-out"), group_id, ENVELOPE_KEY_BYTES, ret_key);
}

struct err fan_out_seal(struct buf *b, const struct rng *rng,
                        const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                        const struct delivery_item *item)
{
    struct secret key;
    size_t inner;
    size_t mark = b->len;
    TRY(item_check(item));
    TRY(key_of(state_key, group_id, &key));
    wire_write_u8(b, FORM_MEMBERS);
    struct err err = envelope_begin(b, rng, &inner);
    if (err_is_ok(err)) {
        item_write(b, item, MEMBERS_OVERHEAD_BYTES);
        err = envelope_end(b, inner, key.data, NOTHING);
    }
    if (!err_is_ok(err))
        envelope_undo(b, mark);
    secret_clear(&key);
    return err;
}

/* After the form. ERR_WIRE_VALUE when it is another one. */
static struct err form_strip(struct bytes sealed, uint8_t form, struct bytes *ret_rest)
{
    if (sealed.len > FAN_OUT_SEALED_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    if (sealed.len == 0)
        return ERR(WIRE_SHORT);
    if (sealed.data[0] != form)
        return ERR(WIRE_VALUE);
    *ret_rest = bytes_of(sealed.data + 1, sealed.len - 1);
    return ERR_OK;
}

static struct err plaintext_parse(struct buf *scratch, size_t mark, struct delivery_item *ret_item)
{
    struct err err = padded_parse(bytes_of(scratch->data + mark, scratch->len - mark), ret_item);
    if (!err_is_ok(err))
        envelope_undo(scratch, mark);
    return err;
}

struct err fan_out_open(const uint8_t state_key[STATE_KEY_BYTES], struct bytes group_id,
                        struct bytes sealed, struct buf *scratch, struct delivery_item *ret_item)
{
    struct secret key;
    struct bytes rest;
    size_t mark = scratch->len;
    TRY(form_strip(sealed, FORM_MEMBERS, &rest));
    TRY(key_of(state_key, group_id, &key));
    struct err err = envelope_open(scratch, key.data, NOTHING, rest);
    secret_clear(&key);
    TRY(err);
    return plaintext_parse(scratch, mark, ret_item);
}

struct err fan_out_seal_joiner(struct buf *b, const struct rng *rng, const struct hpke_suite *suite,
                               struct bytes init_key, const struct delivery_item *item)
{
    struct buf padded = BUF_INIT;
    struct public_key enc;
    struct err err;
    size_t mark = b->len;
    size_t enc_bytes = suite->kem->public_bytes;
    TRY(item_check(item));
    item_write(&padded, item, JOINER_OVERHEAD_BYTES + wire_varint_size(enc_bytes) + enc_bytes);
    TRY_OR(buf_check(&padded), err, out);
    uint8_t *tag = buf_extend(&padded, AEAD_TAG_BYTES);
    TRY_OR(buf_check(&padded), err, out);
    TRY_OR(labelled_encrypt(suite, rng, init_key, LABEL_HEARTH, JOINER, NOTHING,
                            bytes_of(padded.data, (size_t)(tag - padded.data)), &enc, padded.data),
           err, out);
    wire_write_u8(b, FORM_JOINER);
    wire_write_vector(b, public_key_view(&enc));
    wire_write_fixed(b, buf_view(&padded));
    err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
out:
    buf_clear(&padded);
    return err;
}

struct err fan_out_open_joiner(const struct hpke_suite *suite, struct bytes init_private_key,
                               struct bytes init_public_key, struct bytes sealed,
                               struct buf *scratch, struct delivery_item *ret_item)
{
    struct bytes rest;
    size_t mark = scratch->len;
    TRY(form_strip(sealed, FORM_JOINER, &rest));
    struct wire_reader r = wire_reader_of(rest);
    struct bytes enc = wire_read_vector(&r);
    struct bytes ciphertext = wire_read_fixed(&r, wire_reader_left(&r));
    TRY(wire_reader_end(&r));
    if (ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    uint8_t *room = buf_extend(scratch, ciphertext.len);
    TRY(buf_check(scratch));
    scratch->len -= AEAD_TAG_BYTES;
    struct err err = labelled_decrypt(suite, init_private_key, init_public_key, LABEL_HEARTH,
                                      JOINER, NOTHING, enc, ciphertext, room);
    if (err_is_ok(err))
        return plaintext_parse(scratch, mark, ret_item);
    envelope_undo(scratch, mark);
    return err;
}
