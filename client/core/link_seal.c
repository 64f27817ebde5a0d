#include "client/core/link_seal.h"

#include "crypto/labelled.h"
#include "seal/sealed_ref.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };

static const struct bytes nothing;

/* ---- keys */

static struct err of_code(const uint8_t code[LINK_CODE_BYTES], const char *label,
                          struct secret *ret_secret)
{
    struct secret prk = {0};
    kdf_extract(&kdf_hkdf_sha256, nothing, BYTES_LIST(bytes_of(code, LINK_CODE_BYTES)), &prk);
    struct err err = labelled_expand(&kdf_hkdf_sha256, secret_view(&prk), LABEL_HEARTH,
                                     bytes_str(label), nothing, 32, ret_secret);
    secret_clear(&prk);
    return err;
}

struct err link_seal_init(struct link_seal *s, bool is_new, const uint8_t code[LINK_CODE_BYTES],
                          const struct rng *rng)
{
    struct digest place;
    *s = (struct link_seal){.is_new = is_new, .letter = {.limit = LINK_LETTER_MAX_BYTES}};
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth 1 LinkRendezvous"), bytes_of(code, LINK_CODE_BYTES)),
              &place);
    memcpy(s->rendezvous, place.data, sizeof s->rendezvous);
    struct err err = of_code(code, "LinkHello", &s->code_key);
    if (err_is_ok(err))
        err = of_code(code, "LinkPsk", &s->psk);
    if (err_is_ok(err) && is_new)
        err = kem_generate(seal_hpke->kem, rng, &s->private_key, &s->public_key);
    if (!err_is_ok(err))
        link_seal_clear(s);
    return err;
}

void link_seal_clear(struct link_seal *s)
{
    hpke_ctx_clear(&s->ctx);
    buf_clear(&s->letter);
    bytes_wipe(s, sizeof *s);
}

/* ---- hello */

static void hello_mac(const struct link_seal *s, struct bytes public_key, struct digest *ret_mac)
{
    hmac_once(&hash_sha256, secret_view(&s->code_key),
              BYTES_LIST(bytes_str("Hearth 1 LinkHello"), public_key), ret_mac);
}

struct err link_hello_write(const struct link_seal *s, struct buf *b)
{
    struct digest mac;
    hello_mac(s, public_key_view(&s->public_key), &mac);
    wire_write_u8(b, VERSION);
    wire_write_fixed(b, public_key_view(&s->public_key));
    wire_write_fixed(b, digest_view(&mac));
    return buf_check(b);
}

/* What both ends export once the context stands. */
static struct err stand(struct link_seal *s)
{
    TRY(hpke_ctx_export(&s->ctx, bytes_str("new key"), seal_hpke->aead->key_bytes, &s->reply_key));
    TRY(hpke_ctx_export(&s->ctx, bytes_str("new nonce"), AEAD_NONCE_BYTES, &s->reply_nonce));
    s->ready = true;
    return ERR_OK;
}

#define LINK_INFO(s, key) \
    BYTES_LIST(bytes_str("Hearth 1 Link"), bytes_of((s)->rendezvous, 32), (key))

struct err link_hello_read(struct link_seal *s, const struct rng *rng, struct bytes hello,
                           struct buf *ret_enc)
{
    struct wire_reader r = wire_reader_of(hello);
    struct digest mac;
    struct public_key enc;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes key = wire_read_fixed(&r, LINK_KEY_BYTES), got = wire_read_fixed(&r, 32);
    TRY(wire_reader_end(&r));
    hello_mac(s, key, &mac);
    if (s->ready || !bytes_equal_ct(digest_view(&mac), got))
        return ERR(CRYPTO_TAG);
    const struct hpke_psk psk = {secret_view(&s->psk), bytes_of(s->rendezvous, 32)};
    TRY(hpke_setup_send(seal_hpke, rng, key, LINK_INFO(s, key), &psk, &s->ctx, &enc));
    buf_append_bytes(ret_enc, public_key_view(&enc));
    TRY(buf_check(ret_enc));
    return stand(s);
}

struct err link_enc_read(struct link_seal *s, struct bytes enc)
{
    const struct hpke_psk psk = {secret_view(&s->psk), bytes_of(s->rendezvous, 32)};
    struct bytes key = public_key_view(&s->public_key);
    if (s->ready || enc.len != LINK_KEY_BYTES)
        return ERR(CLIENT_LINK);
    TRY(hpke_setup_receive(seal_hpke, secret_view(&s->private_key), key, enc, LINK_INFO(s, key),
                           &psk, &s->ctx));
    return stand(s);
}

/* ---- letters */

static void reply_nonce(struct link_seal *s, uint8_t nonce[AEAD_NONCE_BYTES])
{
    memcpy(nonce, s->reply_nonce.data, AEAD_NONCE_BYTES);
    for (int i = 0; i < 8; i++)
        nonce[AEAD_NONCE_BYTES - 1 - i] ^= (uint8_t)(s->replies >> (8 * i));
}

static struct err seal(struct link_seal *s, bool by_new, struct bytes aad, struct bytes plain,
                       uint8_t *ret)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    if (!by_new)
        return hpke_ctx_seal(&s->ctx, aad, plain, ret);
    reply_nonce(s, nonce);
    TRY(aead_seal(seal_hpke->aead, &s->reply_key, nonce, aad, plain, ret));
    s->replies++;
    return ERR_OK;
}

static struct err open_(struct link_seal *s, bool by_new, struct bytes aad, struct bytes sealed,
                        uint8_t *ret)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    if (!by_new)
        return hpke_ctx_open(&s->ctx, aad, sealed, ret);
    reply_nonce(s, nonce);
    TRY(aead_open(seal_hpke->aead, &s->reply_key, nonce, aad, sealed, ret));
    s->replies++;
    return ERR_OK;
}

struct err link_piece_seal(struct link_seal *s, struct bytes rest, struct buf *b, size_t *ret_taken)
{
    size_t taken = rest.len < LINK_PIECE_BYTES ? rest.len : LINK_PIECE_BYTES;
    uint8_t last = taken == rest.len;
    if (!s->ready)
        return ERR(WRONG_STATE);
    wire_write_u8(b, last);
    uint8_t *room = buf_extend(b, taken + AEAD_TAG_BYTES);
    if (room == NULL)
        return buf_check(b);
    TRY(seal(s, s->is_new, bytes_of(&last, 1), bytes_of(rest.data, taken), room));
    *ret_taken = taken;
    return ERR_OK;
}

struct err link_piece_open(struct link_seal *s, struct bytes message, bool *ret_whole)
{
    if (!s->ready || message.len < 1 + AEAD_TAG_BYTES || message.data[0] > 1)
        return ERR(CLIENT_LINK);
    struct bytes sealed = bytes_of(message.data + 1, message.len - 1);
    uint8_t *room = buf_extend(&s->letter, sealed.len - AEAD_TAG_BYTES);
    if (room == NULL && sealed.len > AEAD_TAG_BYTES)
        return buf_check(&s->letter);
    uint8_t none;
    TRY(open_(s, !s->is_new, bytes_of(message.data, 1), sealed, room != NULL ? room : &none));
    *ret_whole = message.data[0] == 1;
    return ERR_OK;
}
