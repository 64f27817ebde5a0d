#include "pass/token.h"

#include "crypto/hash.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { DOMAIN_MOST_BYTES = 253 };

static void put16(uint8_t out[2], size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void put32(uint8_t out[4], uint32_t value)
{
    put16(out, value >> 16);
    put16(out + 2, value & 0xffff);
}

void pass_challenge_write(struct buf *b, const struct pass_challenge *challenge)
{
    wire_write_u16(b, challenge->token_type);
    wire_write_vector16(b, challenge->issuer_name);
    wire_write_vector8(b, challenge->redemption_context);
    wire_write_vector16(b, challenge->origin_info);
}

static void digest32(struct bytes_list data, uint8_t ret_digest[PASS_DIGEST_BYTES])
{
    struct digest digest;
    hash_list(&hash_sha256, data, &digest);
    memcpy(ret_digest, digest.data, PASS_DIGEST_BYTES);
}

void pass_challenge_digest(const struct pass_challenge *challenge,
                           uint8_t ret_digest[PASS_DIGEST_BYTES])
{
    uint8_t type[2], issuer[2], origin[2];
    const uint8_t context = (uint8_t)challenge->redemption_context.len;
    put16(type, challenge->token_type);
    put16(issuer, challenge->issuer_name.len);
    put16(origin, challenge->origin_info.len);
    digest32(BYTES_LIST(bytes_of(type, 2), bytes_of(issuer, 2), challenge->issuer_name,
                        bytes_of(&context, 1), challenge->redemption_context, bytes_of(origin, 2),
                        challenge->origin_info),
             ret_digest);
}

void pass_token_challenge(struct bytes domain, uint8_t class, uint32_t period,
                          const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                          uint8_t ret_context[PASS_DIGEST_BYTES],
                          struct pass_challenge *ret_challenge)
{
    uint8_t day[4];
    put32(day, period);
    digest32(BYTES_LIST(bytes_str("Hearth tok 1"), bytes_of(&class, 1), bytes_of(day, 4),
                        bytes_of(public_key, VOPRF_ELEMENT_BYTES)),
             ret_context);
    *ret_challenge = (struct pass_challenge){PASS_TYPE_TOKEN, domain,
                                             bytes_of(ret_context, PASS_DIGEST_BYTES), domain};
}

struct err pass_public_key_init(struct bytes domain, uint8_t class, uint32_t period,
                                const uint8_t public_key[VOPRF_ELEMENT_BYTES],
                                struct pass_public_key *ret_key)
{
    if (class == 0 || class >= PASS_CLASS_END || domain.len == 0 || domain.len > DOMAIN_MOST_BYTES)
        return ERR(ARGUMENT);
    TRY(voprf_check_element(public_key));
    struct pass_public_key key = {.class = class, .period = period};
    struct pass_challenge challenge;
    uint8_t context[PASS_DIGEST_BYTES];
    memcpy(key.public_key, public_key, sizeof key.public_key);
    digest32(BYTES_LIST(bytes_of(public_key, VOPRF_ELEMENT_BYTES)), key.key_id);
    pass_token_challenge(domain, class, period, public_key, context, &challenge);
    pass_challenge_digest(&challenge, key.challenge_digest);
    *ret_key = key;
    return ERR_OK;
}

void pass_token_input(const struct pass_public_key *key, const uint8_t nonce[PASS_NONCE_BYTES],
                      uint8_t ret_input[PASS_INPUT_BYTES])
{
    put16(ret_input, PASS_TYPE_TOKEN);
    memcpy(ret_input + 2, nonce, PASS_NONCE_BYTES);
    memcpy(ret_input + 2 + PASS_NONCE_BYTES, key->challenge_digest, PASS_DIGEST_BYTES);
    memcpy(ret_input + 2 + PASS_NONCE_BYTES + PASS_DIGEST_BYTES, key->key_id, PASS_KEY_ID_BYTES);
}

struct err pass_token_parse(struct bytes in, struct pass_token *ret_token)
{
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct pass_token token = {.token_type = wire_read_u16(&r)};
    if (token.token_type != PASS_TYPE_TOKEN && token.token_type != PASS_TYPE_VOUCHER)
        wire_reader_fail(&r, ERR_PASS_TYPE);
    token.nonce = wire_read_fixed(&r, PASS_NONCE_BYTES);
    token.challenge_digest = wire_read_fixed(&r, PASS_DIGEST_BYTES);
    token.key_id = wire_read_fixed(&r, PASS_KEY_ID_BYTES);
    token.input = wire_reader_since(&r, from);
    token.authenticator = wire_read_fixed(&r, token.token_type == PASS_TYPE_TOKEN
                                                  ? PASS_TOKEN_BYTES - PASS_INPUT_BYTES
                                                  : PASS_VOUCHER_BYTES - PASS_INPUT_BYTES);
    TRY(wire_reader_end(&r));
    *ret_token = token;
    return ERR_OK;
}

struct err pass_short_parse(struct bytes in, struct pass_short *ret_short)
{
    struct wire_reader r = wire_reader_of(in);
    struct pass_short token = {.class = wire_read_u8(&r), .period = wire_read_u32(&r)};
    token.nonce = wire_read_fixed(&r, PASS_NONCE_BYTES).data;
    token.authenticator = wire_read_fixed(&r, PASS_AUTHENTICATOR_BYTES).data;
    if (token.class == 0 || token.class >= PASS_CLASS_END)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    TRY(wire_reader_end(&r));
    *ret_short = token;
    return ERR_OK;
}

void pass_short_write(struct buf *b, const struct pass_short *token)
{
    wire_write_u8(b, token->class);
    wire_write_u32(b, token->period);
    wire_write_fixed(b, bytes_of(token->nonce, PASS_NONCE_BYTES));
    wire_write_fixed(b, bytes_of(token->authenticator, PASS_AUTHENTICATOR_BYTES));
}
