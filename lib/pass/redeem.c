#include "pass/redeem.h"

#include "crypto/blake2b.h"

bool pass_issuable(uint32_t period, uint64_t now_s)
{
    uint64_t today = now_s / PASS_DAY_S;
    return period == today || period == today + 1;
}

bool pass_redeemable(uint32_t period, uint64_t now_s)
{
    uint64_t today = now_s / PASS_DAY_S;
    return period == today || (uint64_t)period + 1 == today;
}

static struct err check(const struct pass_issuer_key *key, struct bytes input,
                        const uint8_t *authenticator)
{
    struct err err = voprf_check_output(&key->voprf, input, authenticator);
    return err.code == ERR_CRYPTO_TAG ? ERR(PASS_TOKEN) : err;
}

struct err pass_redeem(const struct pass_issuer_key *key, const struct pass_token *token)
{
    const struct pass_public_key *public = &key->public;
    if (token->token_type != PASS_TYPE_TOKEN)
        return ERR(PASS_TYPE);
    if (!bytes_equal(token->key_id, bytes_of(public->key_id, PASS_KEY_ID_BYTES)) ||
        !bytes_equal(token->challenge_digest,
                     bytes_of(public->challenge_digest, PASS_DIGEST_BYTES)))
        return ERR(PASS_KEY);
    return check(key, token->input, token->authenticator.data);
}

struct err pass_redeem_short(const struct pass_issuer_key *key, const struct pass_short *token)
{
    if (token->class != key->public.class || token->period != key->public.period)
        return ERR(PASS_KEY);
    uint8_t input[PASS_INPUT_BYTES];
    pass_token_input(&key->public, token->nonce, input);
    struct err err = check(key, bytes_of(input, sizeof input), token->authenticator);
    bytes_wipe(input, sizeof input);
    return err;
}

void pass_spent_tag(const uint8_t secret[PASS_SPENT_KEY_BYTES],
                    const uint8_t nonce[PASS_NONCE_BYTES], uint8_t ret_tag[PASS_SPENT_TAG_BYTES])
{
    _Static_assert((int)PASS_SPENT_TAG_BYTES == (int)BLAKE2B_TAG_BYTES, "tag");
    _Static_assert((int)PASS_SPENT_KEY_BYTES == (int)BLAKE2B_KEY_BYTES, "key");
    blake2b_tag(secret, bytes_of(nonce, PASS_NONCE_BYTES), ret_tag);
}
