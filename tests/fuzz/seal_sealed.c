/* What is sealed, from outside and from inside: byte 0 chooses the decoder; for those behind an
 * AEAD the upper half of its values takes the rest as plaintext and seals it first, so that the
 * parsers behind the tag are reached. Failing moves nothing and leaves nothing behind. */
#include <stdlib.h>

#include "crypto/labelled.h"
#include "seal/at_rest.h"
#include "seal/contact_token.h"
#include "seal/envelope.h"
#include "seal/fan_out.h"
#include "seal/leaf_credential.h"
#include "seal/pad.h"
#include "seal/queue_ratchet.h"
#include "seal/sealed_ref.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t key[32] = {1};
static const uint8_t nonce_zero[AEAD_NONCE_BYTES];
static struct secret private_key;
static struct public_key public_key;
static struct rng_seeded seeded;
static struct rng rng;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void set_up(void)
{
    rng_seeded_init(&seeded, 1);
    rng = rng_of_seeded(&seeded);
    must(err_is_ok(kem_generate(&kem_x25519, &rng, &private_key, &public_key)));
}

static void pads(struct bytes in)
{
    struct bytes content;
    if (!err_is_ok(pad_read(in, &content)))
        return;
    struct buf b = BUF_INIT;
    pad_write(&b, content, in.len);
    must(bytes_equal(buf_view(&b), in));
    buf_clear(&b);
}

static void queue_item(struct bytes in, bool seal)
{
    struct queue_ratchet r = {.sequence = 1}, before = r;
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct queue_item item;
    struct secret message;
    static const uint8_t number[8] = {[7] = 1};
    if (seal) {
        must(err_is_ok(labelled_expand(&kdf_hkdf_sha256, bytes_of(r.chain, 32), LABEL_HEARTH,
                                       bytes_str("queue message"), bytes_of(NULL, 0), 32,
                                       &message)));
        wire_write_u8(&b, 0);
        wire_write_fixed(&b, in);
        must(err_is_ok(
            envelope_aead(&b, 0, 1, &aead_aes256_gcm, &message, nonce_zero, bytes_of(number, 8))));
        in = buf_view(&b);
    }
    struct err err = queue_ratchet_open(&r, secret_view(&private_key), public_key_view(&public_key),
                                        in, &scratch, &item);
    if (err_is_ok(err))
        must(r.sequence == 2 && (item.body.len == 0 || item.body.data >= scratch.data));
    else
        must(memcmp(&r, &before, sizeof r) == 0 && scratch.len == 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

static void fan_out(struct bytes in, bool seal)
{
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct delivery_item item;
    struct fan_out_part part;
    struct secret under;
    size_t mark;
    if (seal) {
        must(err_is_ok(labelled_expand(&kdf_hkdf_sha256, bytes_of(key, 32), LABEL_HEARTH,
                                       bytes_str("fan-out"), bytes_str("group"), 32, &under)));
        wire_write_u8(&b, 0);
        must(err_is_ok(envelope_begin(&b, &rng, &mark)));
        wire_write_fixed(&b, in);
        must(err_is_ok(envelope_end(&b, mark, under.data, bytes_of(NULL, 0))));
        in = buf_view(&b);
    }
    struct err err = fan_out_open(key, bytes_str("group"), in, &scratch, &item);
    must(err_is_ok(err) || scratch.len == 0);
    if (err_is_ok(err) && item.kind == DELIVERY_PART)
        (void)!fan_out_part_parse(item.body, &part).code;
    buf_clear(&b);
    buf_clear(&scratch);
}

static void joiner(struct bytes in, bool seal)
{
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct delivery_item item;
    if (seal && in.len <= FAN_OUT_SEALED_MAX_BYTES) {
        struct public_key enc;
        uint8_t *ciphertext = malloc(in.len + AEAD_TAG_BYTES);
        must(ciphertext != NULL &&
             err_is_ok(labelled_encrypt(seal_hpke, &rng, public_key_view(&public_key), LABEL_HEARTH,
                                        bytes_str("Joiner"), bytes_of(NULL, 0), in, &enc,
                                        ciphertext)));
        wire_write_u8(&b, 1);
        wire_write_vector(&b, public_key_view(&enc));
        wire_write_fixed(&b, bytes_of(ciphertext, in.len + AEAD_TAG_BYTES));
        free(ciphertext);
        in = buf_view(&b);
    }
    struct err err = fan_out_open_joiner(seal_hpke, secret_view(&private_key),
                                         public_key_view(&public_key), in, &scratch, &item);
    must(err_is_ok(err) || scratch.len == 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

static void reference(struct bytes in, bool seal)
{
    struct buf b = BUF_INIT;
    struct queue_ref ref;
    if (seal && in.len <= SEALED_REF_MAX_BYTES) {
        struct public_key enc;
        uint8_t ciphertext[SEALED_REF_MAX_BYTES + AEAD_TAG_BYTES];
        must(err_is_ok(
            hpke_seal(seal_hpke, &rng, public_key_view(&public_key),
                      BYTES_LIST(bytes_str("Hearth 1 QueueReference"), bytes_str("a.example")),
                      bytes_of(NULL, 0), in, &enc, ciphertext)));
        wire_write_vector(&b, public_key_view(&enc));
        wire_write_vector(&b, bytes_of(ciphertext, in.len + AEAD_TAG_BYTES));
        in = buf_view(&b);
    }
    if (err_is_ok(sealed_ref_open(secret_view(&private_key), public_key_view(&public_key),
                                  bytes_str("a.example"), in, &ref)))
        must(!err_is_ok(queue_ref_verify(&ref, public_key_view(&public_key))));
    buf_clear(&b);
}

static void leaf(struct bytes in, bool seal)
{
    static const uint8_t pseudonym[PSEUDONYM_BYTES] = {2};
    struct buf b = BUF_INIT, scratch = BUF_INIT;
    struct leaf_credential credential;
    struct bytes client;
    size_t mark;
    if (seal) {
        must(err_is_ok(envelope_begin(&b, &rng, &mark)));
        wire_write_fixed(&b, in);
        must(err_is_ok(envelope_end(&b, mark, key, bytes_of(pseudonym, sizeof pseudonym))));
        credential = (struct leaf_credential){pseudonym, buf_view(&b)};
    } else if (!err_is_ok(leaf_credential_parse(in, &credential))) {
        return;
    }
    struct err err = leaf_credential_open(&credential, key, bytes_str("leaf"), &scratch, &client);
    must(err_is_ok(err) || scratch.len == 0);
    buf_clear(&b);
    buf_clear(&scratch);
}

static void others(struct bytes in)
{
    struct buf scratch = BUF_INIT;
    uint64_t epoch;
    uint8_t out[32];
    (void)!roles_check(in).code;
    must(!roles_is_admin(in, key) || err_is_ok(roles_check(in)));
    must(!err_is_ok(state_key_open(seal_hpke, secret_view(&private_key),
                                   public_key_view(&public_key), bytes_str("group"), in, &epoch,
                                   out)));
    must(!err_is_ok(identity_key_unwrap(key, key, in, out)));
    must(!err_is_ok(at_rest_open(&scratch, key, bytes_of(NULL, 0), in)));
    must(scratch.len == 0);
    buf_clear(&scratch);
    must(in.len < CONTACT_TOKEN_BYTES || !err_is_ok(contact_token_verify(key, in.data)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (public_key.len == 0)
        set_up();
    if (len == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, len - 1);
    bool seal = data[0] >= 128;
    switch (data[0] % 8) {
    case 0:
        pads(in);
        break;
    case 1:
        queue_item(in, seal);
        break;
    case 2:
        fan_out(in, seal);
        break;
    case 3:
        joiner(in, seal);
        break;
    case 4:
        reference(in, seal);
        break;
    case 5:
        leaf(in, seal);
        break;
    default:
        others(in);
    }
    return 0;
}
