/* The rotated state key to one leaf (fan_out.h). */
#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "seal/fan_out.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define LABEL bytes_str("StateKey")

static struct err context_write(struct buf *context, struct bytes group_id, uint64_t epoch)
{
    wire_write_vector(context, group_id);
    wire_write_u64(context, epoch);
    return buf_check(context);
}

struct err state_key_seal(struct buf *b, const struct rng *rng, const struct hpke_suite *suite,
                          struct bytes encryption_key, struct bytes group_id, uint64_t epoch,
                          const uint8_t state_key[STATE_KEY_BYTES])
{
    uint8_t ciphertext[STATE_KEY_BYTES + AEAD_TAG_BYTES];
    struct public_key enc;
    struct buf context = BUF_INIT;
    size_t mark = b->len;
    struct err err;
    TRY_OR(context_write(&context, group_id, epoch), err, out);
    TRY_OR(labelled_encrypt(suite, rng, encryption_key, LABEL_HEARTH, LABEL, buf_view(&context),
                            bytes_of(state_key, STATE_KEY_BYTES), &enc, ciphertext),
           err, out);
    wire_write_u64(b, epoch);
    wire_write_vector(b, public_key_view(&enc));
    wire_write_vector(b, bytes_of(ciphertext, sizeof ciphertext));
    err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
out:
    buf_clear(&context);
    return err;
}

struct err state_key_epoch(struct bytes body, uint64_t *ret_epoch)
{
    struct wire_reader r = wire_reader_of(body);
    uint64_t epoch = wire_read_u64(&r);
    TRY(wire_reader_check(&r));
    *ret_epoch = epoch;
    return ERR_OK;
}

struct err state_key_open_with(const struct leaf_decrypt *leaf, struct bytes group_id,
                               struct bytes body, uint64_t *ret_epoch,
                               uint8_t ret_state_key[STATE_KEY_BYTES])
{
    uint8_t state_key[STATE_KEY_BYTES];
    struct buf context = BUF_INIT;
    struct wire_reader r = wire_reader_of(body);
    uint64_t epoch = wire_read_u64(&r);
    struct bytes enc = wire_read_vector(&r);
    struct bytes ciphertext = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (ciphertext.len != STATE_KEY_BYTES + AEAD_TAG_BYTES)
        return ERR(WIRE_VALUE);
    struct err err = context_write(&context, group_id, epoch);
    if (err_is_ok(err))
        err = leaf->decrypt(leaf->self, LABEL_HEARTH, LABEL, buf_view(&context), enc, ciphertext,
                            state_key);
    if (err_is_ok(err)) {
        *ret_epoch = epoch;
        memcpy(ret_state_key, state_key, STATE_KEY_BYTES);
    }
    bytes_wipe(state_key, sizeof state_key);
    buf_clear(&context);
    return err;
}

/* A leaf's key that is at hand. */
struct leaf_keys {
    const struct hpke_suite *suite;
    struct bytes private_key, public_key;
};

static struct err decrypt_with_keys(void *self, struct bytes prefix, struct bytes label,
                                    struct bytes context, struct bytes kem_output,
                                    struct bytes ciphertext, uint8_t *ret_plaintext)
{
    const struct leaf_keys *keys = self;
    return labelled_decrypt(keys->suite, keys->private_key, keys->public_key, prefix, label,
                            context, kem_output, ciphertext, ret_plaintext);
}

struct err state_key_open(const struct hpke_suite *suite, struct bytes private_key,
                          struct bytes public_key, struct bytes group_id, struct bytes body,
                          uint64_t *ret_epoch, uint8_t ret_state_key[STATE_KEY_BYTES])
{
    struct leaf_keys keys = {suite, private_key, public_key};
    const struct leaf_decrypt leaf = {decrypt_with_keys, &keys};
    return state_key_open_with(&leaf, group_id, body, ret_epoch, ret_state_key);
}
