#include "seal/leaf_credential.h"

#include "crypto/labelled.h"
#include "seal/credential_chain.h"
#include "seal/envelope.h"
#include "seal/pad.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define LEAF_BINDING bytes_str("LeafBinding")

_Static_assert((int)WRAPPED_KEY_BYTES == (int)IDENTITY_KEY_BYTES + (int)ENVELOPE_OVERHEAD_BYTES,
               "");
_Static_assert((int)IDENTITY_KEY_BYTES == (int)ENVELOPE_KEY_BYTES, "");

static struct bytes pseudonym_view(const uint8_t *pseudonym)
{
    return bytes_of(pseudonym, PSEUDONYM_BYTES);
}

struct err leaf_credential_parse(struct bytes in, struct leaf_credential *ret_credential)
{
    struct wire_reader r = wire_reader_of(in);
    struct leaf_credential c = {.pseudonym = wire_read_fixed(&r, PSEUDONYM_BYTES).data};
    c.sealed_identity = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (c.sealed_identity.len != SEALED_IDENTITY_SHORT_BYTES &&
        c.sealed_identity.len != SEALED_IDENTITY_LONG_BYTES)
        return ERR(WIRE_VALUE);
    *ret_credential = c;
    return ERR_OK;
}

/* What the client key signs. */
static struct err binding_write(struct buf *b, struct bytes leaf_signature_key,
                                const uint8_t *pseudonym)
{
    wire_write_vector(b, leaf_signature_key);
    wire_write_fixed(b, pseudonym_view(pseudonym));
    return buf_check(b);
}

/* Total of pad.h so that what is sealed has one of two lengths; 0 when it fits neither. */
static size_t padded_bytes(size_t content_bytes)
{
    size_t need = content_bytes + PAD_HEAD_BYTES + ENVELOPE_OVERHEAD_BYTES;
    if (need <= SEALED_IDENTITY_SHORT_BYTES)
        return SEALED_IDENTITY_SHORT_BYTES - ENVELOPE_OVERHEAD_BYTES;
    return need <= SEALED_IDENTITY_LONG_BYTES ? SEALED_IDENTITY_LONG_BYTES - ENVELOPE_OVERHEAD_BYTES
                                              : 0;
}

static struct err identity_seal(struct buf *b, const struct rng *rng, const uint8_t *pseudonym,
                                const uint8_t *identity_key, struct bytes client_credential,
                                const struct signature *binding)
{
    size_t inner;
    size_t mark = b->len;
    size_t padded = padded_bytes(wire_varint_size(client_credential.len) + client_credential.len +
                                 wire_varint_size(binding->len) + binding->len);
    if (client_credential.len > CREDENTIAL_MAX_BYTES || padded == 0)
        return ERR(TOO_LARGE);
    wire_write_fixed(b, pseudonym_view(pseudonym));
    wire_write_varint(b, padded + ENVELOPE_OVERHEAD_BYTES);
    struct err err = envelope_begin(b, rng, &inner);
    if (err_is_ok(err)) {
        size_t content = pad_begin(b);
        wire_write_vector(b, client_credential);
        wire_write_vector(b, signature_view(binding));
        pad_end(b, content, padded);
        err = envelope_end(b, inner, identity_key, pseudonym_view(pseudonym));
    }
    if (!err_is_ok(err))
        envelope_undo(b, mark);
    return err;
}

struct err leaf_credential_make(struct buf *b, const struct rng *rng,
                                const uint8_t pseudonym[PSEUDONYM_BYTES],
                                const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                struct bytes client_credential, const struct sig_key *client_key,
                                struct bytes leaf_signature_key)
{
    struct buf binding = BUF_INIT;
    struct signature signature;
    struct err err = binding_write(&binding, leaf_signature_key, pseudonym);
    if (err_is_ok(err))
        err = labelled_sign(client_key, LABEL_HEARTH, LEAF_BINDING, buf_view(&binding), &signature);
    buf_clear(&binding);
    TRY(err);
    return identity_seal(b, rng, pseudonym, identity_key, client_credential, &signature);
}

/* Under the key of the credential inside. */
static struct err identity_check(struct bytes padded, const uint8_t *pseudonym,
                                 struct bytes leaf_signature_key, struct bytes *ret_credential)
{
    struct bytes content;
    struct credential credential;
    struct buf binding = BUF_INIT;
    TRY(pad_read(padded, &content));
    struct wire_reader r = wire_reader_of(content);
    struct bytes whole = wire_read_vector(&r);
    struct bytes signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    TRY(credential_parse(whole, &credential));
    if (credential.kind != CREDENTIAL_CLIENT)
        return ERR(CREDENTIAL);
    struct err err = binding_write(&binding, leaf_signature_key, pseudonym);
    if (err_is_ok(err))
        err = labelled_verify(&sig_ed25519, credential.public_key, LABEL_HEARTH, LEAF_BINDING,
                              buf_view(&binding), signature);
    buf_clear(&binding);
    if (err_is_ok(err))
        *ret_credential = whole;
    return err;
}

struct err leaf_credential_open(const struct leaf_credential *credential,
                                const uint8_t identity_key[IDENTITY_KEY_BYTES],
                                struct bytes leaf_signature_key, struct buf *scratch,
                                struct bytes *ret_client_credential)
{
    size_t mark = scratch->len;
    TRY(envelope_open(scratch, identity_key, pseudonym_view(credential->pseudonym),
                      credential->sealed_identity));
    struct err err =
        identity_check(bytes_of(scratch->data + mark, scratch->len - mark), credential->pseudonym,
                       leaf_signature_key, ret_client_credential);
    if (!err_is_ok(err))
        envelope_undo(scratch, mark);
    return err;
}

struct err identity_key_wrap(const struct rng *rng, const uint8_t wrapping_key[IDENTITY_KEY_BYTES],
                             const uint8_t pseudonym[PSEUDONYM_BYTES],
                             const uint8_t identity_key[IDENTITY_KEY_BYTES],
                             uint8_t ret_wrapped[WRAPPED_KEY_BYTES])
{
    uint8_t memory[WRAPPED_KEY_BYTES];
    struct buf b = {.data = memory, .cap = sizeof memory, .limit = sizeof memory};
    size_t mark;
    TRY(envelope_begin(&b, rng, &mark));
    buf_append(&b, identity_key, IDENTITY_KEY_BYTES);
    TRY(envelope_end(&b, mark, wrapping_key, pseudonym_view(pseudonym)));
    memcpy(ret_wrapped, memory, sizeof memory);
    return ERR_OK;
}

struct err identity_key_unwrap(const uint8_t wrapping_key[IDENTITY_KEY_BYTES],
                               const uint8_t pseudonym[PSEUDONYM_BYTES], struct bytes wrapped,
                               uint8_t ret_identity_key[IDENTITY_KEY_BYTES])
{
    uint8_t memory[IDENTITY_KEY_BYTES + AEAD_TAG_BYTES] = {0};
    struct buf b = {.data = memory, .cap = sizeof memory, .limit = sizeof memory};
    if (wrapped.len != WRAPPED_KEY_BYTES)
        return ERR(CRYPTO_TAG);
    struct err err = envelope_open(&b, wrapping_key, pseudonym_view(pseudonym), wrapped);
    if (err_is_ok(err))
        memcpy(ret_identity_key, memory, IDENTITY_KEY_BYTES);
    bytes_wipe(memory, sizeof memory);
    return err;
}
