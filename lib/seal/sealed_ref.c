#include "seal/sealed_ref.h"

#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "wire/reader.h"
#include "wire/writer.h"

static const struct hpke_suite own_suite = {&kem_x25519, &kdf_hkdf_sha256, &aead_aes128_gcm};
const struct hpke_suite *const seal_hpke = &own_suite;

enum {
    VERSION = 1,
    WHERE_BYTES = 1 + QUEUE_ID_BYTES + QUEUE_TAG_BYTES + 1 + PUSH_TOKEN_KEY_BYTES,
    INSIDE_MAX_BYTES = WHERE_BYTES + 2 + SIGNATURE_MAX_BYTES,
};

#define INFO   bytes_str("Hearth 1 QueueReference")
#define INSIDE bytes_str("QueueReferenceInside")

/* A buffer over memory of the caller's that holds whatever is written to it. */
static struct buf buf_over(uint8_t *memory, size_t len)
{
    return (struct buf){.data = memory, .cap = len, .limit = len};
}

static void where_write(struct buf *b, const struct queue_ref *ref)
{
    static const uint8_t none[PUSH_TOKEN_KEY_BYTES];
    wire_write_u8(b, VERSION);
    wire_write_fixed(b, bytes_of(ref->queue_client_id, QUEUE_ID_BYTES));
    wire_write_fixed(b, bytes_of(ref->tag, QUEUE_TAG_BYTES));
    wire_write_present(b, ref->has_push_token_key);
    wire_write_fixed(
        b, bytes_of(ref->has_push_token_key ? ref->push_token_key : none, PUSH_TOKEN_KEY_BYTES));
}

static struct err inside_parse(struct bytes in, struct queue_ref *ret_ref)
{
    static const uint8_t none[PUSH_TOKEN_KEY_BYTES];
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes id = wire_read_fixed(&r, QUEUE_ID_BYTES);
    struct bytes tag = wire_read_fixed(&r, QUEUE_TAG_BYTES);
    bool has_key = wire_read_present(&r);
    struct bytes key = wire_read_fixed(&r, PUSH_TOKEN_KEY_BYTES);
    struct bytes signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (signature.len > SIGNATURE_MAX_BYTES ||
        (!has_key && !bytes_equal_ct(key, bytes_of(none, sizeof none))))
        return ERR(WIRE_VALUE);
    struct queue_ref ref = {.has_push_token_key = has_key, .signature.len = signature.len};
    memcpy(ref.queue_client_id, id.data, id.len);
    memcpy(ref.tag, tag.data, tag.len);
    memcpy(ref.push_token_key, key.data, key.len);
    if (signature.len > 0)
        memcpy(ref.signature.data, signature.data, signature.len);
    *ret_ref = ref;
    bytes_wipe(&ref, sizeof ref);
    return ERR_OK;
}

struct err sealed_ref_seal(struct buf *b, const struct rng *rng, struct bytes service_key,
                           struct bytes domain, const struct queue_ref *ref,
                           const struct sig_key *queue_client_key)
{
    uint8_t memory[INSIDE_MAX_BYTES];
    uint8_t ciphertext[INSIDE_MAX_BYTES + AEAD_TAG_BYTES];
    struct buf inside = buf_over(memory, sizeof memory);
    struct signature signature;
    struct public_key enc;
    struct err err;
    size_t mark = b->len;
    where_write(&inside, ref);
    TRY_OR(labelled_sign(queue_client_key, LABEL_HEARTH, INSIDE, buf_view(&inside), &signature),
           err, out);
    wire_write_vector(&inside, signature_view(&signature));
    TRY_OR(hpke_seal(seal_hpke, rng, service_key, BYTES_LIST(INFO, domain), bytes_of(NULL, 0),
                     buf_view(&inside), &enc, ciphertext),
           err, out);
    wire_write_vector(b, public_key_view(&enc));
    wire_write_vector(b, bytes_of(ciphertext, inside.len + AEAD_TAG_BYTES));
    err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
out:
    bytes_wipe(memory, sizeof memory);
    return err;
}

struct err sealed_ref_open(struct bytes service_private_key, struct bytes service_public_key,
                           struct bytes domain, struct bytes sealed, struct queue_ref *ret_ref)
{
    if (sealed.len > SEALED_REF_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(sealed);
    struct bytes enc = wire_read_vector(&r);
    struct bytes ciphertext = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    uint8_t inside[SEALED_REF_MAX_BYTES];
    struct err err = hpke_open(seal_hpke, service_private_key, service_public_key, enc,
                               BYTES_LIST(INFO, domain), bytes_of(NULL, 0), ciphertext, inside);
    if (err_is_ok(err))
        err = inside_parse(bytes_of(inside, ciphertext.len - AEAD_TAG_BYTES), ret_ref);
    bytes_wipe(inside, sizeof inside);
    return err;
}

struct err queue_ref_verify(const struct queue_ref *ref, struct bytes queue_client_key)
{
    uint8_t memory[WHERE_BYTES];
    struct buf where = buf_over(memory, sizeof memory);
    where_write(&where, ref);
    struct err err = labelled_verify(&sig_ed25519, queue_client_key, LABEL_HEARTH, INSIDE,
                                     buf_view(&where), signature_view(&ref->signature));
    bytes_wipe(memory, sizeof memory);
    return err;
}

static void outside_write(struct buf *b, struct bytes domain, struct bytes sealed)
{
    wire_write_vector(b, domain);
    wire_write_vector(b, sealed);
}

struct err sealed_ref_sign(const struct sig_key *leaf_key, struct bytes domain, struct bytes sealed,
                           struct signature *ret_signature)
{
    struct buf b = BUF_INIT;
    outside_write(&b, domain, sealed);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = labelled_sign(leaf_key, LABEL_HEARTH, bytes_str("QueueReference"), buf_view(&b),
                            ret_signature);
    buf_clear(&b);
    return err;
}

struct err sealed_ref_verify(const struct sig_alg *alg, struct bytes leaf_key, struct bytes domain,
                             struct bytes sealed, struct bytes signature)
{
    struct buf b = BUF_INIT;
    outside_write(&b, domain, sealed);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = labelled_verify(alg, leaf_key, LABEL_HEARTH, bytes_str("QueueReference"),
                              buf_view(&b), signature);
    buf_clear(&b);
    return err;
}
