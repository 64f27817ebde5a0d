#include "pass/voucher.h"

#include "crypto/hash.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    AT_NONCE = 2,
    AT_DIGEST = AT_NONCE + PASS_NONCE_BYTES,
    AT_KEY_ID = AT_DIGEST + PASS_DIGEST_BYTES,
    DOMAIN_MOST_BYTES = 253,
};

static bool is_domain(struct bytes domain)
{
    return domain.len > 0 && domain.len <= DOMAIN_MOST_BYTES;
}

struct err pass_voucher_digest(struct bytes home, struct bytes visited, uint8_t class,
                               uint32_t week, uint8_t ret_digest[PASS_DIGEST_BYTES])
{
    if (class == 0 || class >= PASS_CLASS_END || !is_domain(home) || !is_domain(visited))
        return ERR(ARGUMENT);
    const uint8_t number[] = {(uint8_t)(week >> 24), (uint8_t)(week >> 16), (uint8_t)(week >> 8),
                              (uint8_t)week};
    struct digest context;
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth voucher 1"), bytes_of(&class, 1), bytes_of(number, 4)),
              &context);
    const struct pass_challenge challenge = {PASS_TYPE_VOUCHER, home, digest_view(&context),
                                             visited};
    pass_challenge_digest(&challenge, ret_digest);
    return ERR_OK;
}

static void key_id(const struct blind_rsa_public *key, struct digest *ret_id)
{
    hash_once(&hash_sha256, bytes_of(key->spki, sizeof key->spki), ret_id);
}

struct err pass_voucher_order_init(const struct blind_rsa_public *key,
                                   const uint8_t digest[PASS_DIGEST_BYTES], const struct rng *rng,
                                   struct pass_voucher_order *ret_order)
{
    struct pass_voucher_order order;
    struct digest id;
    key_id(key, &id);
    order.input[0] = PASS_TYPE_VOUCHER >> 8;
    order.input[1] = PASS_TYPE_VOUCHER & 0xff;
    TRY(rng_fill(rng, order.input + AT_NONCE, PASS_NONCE_BYTES));
    memcpy(order.input + AT_DIGEST, digest, PASS_DIGEST_BYTES);
    memcpy(order.input + AT_KEY_ID, id.data, PASS_KEY_ID_BYTES);
    struct err err = blind_rsa_blind(key, bytes_of(order.input, sizeof order.input), rng,
                                     order.inverse, order.blinded);
    if (err_is_ok(err))
        *ret_order = order;
    pass_voucher_order_clear(&order);
    return err;
}

void pass_voucher_order_write(const struct pass_voucher_order *order, struct buf *b)
{
    wire_write_u16(b, PASS_TYPE_VOUCHER);
    wire_write_u8(b, order->input[PASS_INPUT_BYTES - 1]);
    wire_write_fixed(b, bytes_of(order->blinded, sizeof order->blinded));
}

struct err pass_voucher_order_finish(const struct pass_voucher_order *order,
                                     const struct blind_rsa_public *key, struct bytes response,
                                     uint8_t ret_voucher[PASS_VOUCHER_BYTES])
{
    uint8_t signature[BLIND_RSA_BYTES];
    struct wire_reader r = wire_reader_of(response);
    struct bytes blind_signature = wire_read_fixed(&r, BLIND_RSA_BYTES);
    TRY(wire_reader_end(&r));
    TRY(blind_rsa_finalize(key, bytes_of(order->input, sizeof order->input), blind_signature.data,
                           order->inverse, signature));
    memcpy(ret_voucher, order->input, PASS_INPUT_BYTES);
    memcpy(ret_voucher + PASS_INPUT_BYTES, signature, sizeof signature);
    return ERR_OK;
}

void pass_voucher_order_clear(struct pass_voucher_order *order)
{
    bytes_wipe(order, sizeof *order);
}

struct err pass_voucher_request_parse(struct bytes request,
                                      const uint8_t spki[BLIND_RSA_PUBLIC_BYTES],
                                      const uint8_t **ret_blinded)
{
    struct wire_reader r = wire_reader_of(request);
    struct digest id;
    if (wire_read_u16(&r) != PASS_TYPE_VOUCHER)
        wire_reader_fail(&r, ERR_PASS_TYPE);
    uint8_t tag = wire_read_u8(&r);
    struct bytes blinded = wire_read_fixed(&r, BLIND_RSA_BYTES);
    TRY(wire_reader_end(&r));
    hash_once(&hash_sha256, bytes_of(spki, BLIND_RSA_PUBLIC_BYTES), &id);
    if (tag != id.data[PASS_KEY_ID_BYTES - 1])
        return ERR(PASS_KEY);
    *ret_blinded = blinded.data;
    return ERR_OK;
}

struct err pass_voucher_issue(const struct blind_rsa_key *key, struct bytes request,
                              uint8_t ret_response[PASS_VOUCHER_RESPONSE_BYTES])
{
    const uint8_t *blinded = NULL;
    TRY(pass_voucher_request_parse(request, key->public.spki, &blinded));
    return blind_rsa_sign(key, blinded, ret_response);
}

struct err pass_voucher_check(const struct blind_rsa_public *key,
                              const uint8_t digest[PASS_DIGEST_BYTES],
                              const struct pass_token *token)
{
    struct digest id;
    if (token->token_type != PASS_TYPE_VOUCHER)
        return ERR(PASS_TYPE);
    key_id(key, &id);
    if (!bytes_equal(token->key_id, digest_view(&id)) ||
        !bytes_equal(token->challenge_digest, bytes_of(digest, PASS_DIGEST_BYTES)))
        return ERR(PASS_KEY);
    struct err err = blind_rsa_verify(key, token->input, token->authenticator.data);
    return err.code == ERR_CRYPTO_SIGNATURE ? ERR(PASS_TOKEN) : err;
}
