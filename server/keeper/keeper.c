/* The door: arguments are checked here, once for both forms. */
#include "server/keeper/keeper.h"

#include "pass/token.h"
#include "server/keeper/inside.h"

static bool is_too_large(struct bytes label, struct bytes content)
{
    return content.len > KEEPER_CONTENT_MAX_BYTES ||
           label.len > KEEPER_CONTENT_MAX_BYTES - content.len;
}

struct err keeper_sign(struct keeper *keeper, enum keeper_signer signer, bool mls,
                       struct bytes label, struct bytes content, struct signature *ret_signature)
{
    if ((unsigned)signer >= KEEPER_SIGNERS || signer == KEEPER_AS_ROOT ||
        (mls && signer != KEEPER_EXTERNAL_SENDER) || (keeper_signs_plain(signer) && label.len > 0))
        return ERR(ARGUMENT);
    if (is_too_large(label, content))
        return ERR(TOO_LARGE);
    return keeper->ops->sign(keeper, signer, mls, label, content, ret_signature);
}

struct err keeper_public(struct keeper *keeper, enum keeper_signer signer,
                         struct public_key *ret_key)
{
    if ((unsigned)signer >= KEEPER_SIGNERS)
        return ERR(ARGUMENT);
    return keeper->ops->public_of(keeper, signer, ret_key);
}

struct err keeper_credential(struct keeper *keeper, enum keeper_signer signer, struct buf *b)
{
    if (signer != KEEPER_AS_ROOT && signer != KEEPER_AS_SIGNING)
        return ERR(ARGUMENT);
    return keeper->ops->credential(keeper, signer, b);
}

struct err keeper_sign_external(struct keeper *keeper, struct bytes public_key, struct bytes label,
                                struct bytes content, struct signature *ret_signature)
{
    if (public_key.len == 0 || public_key.len > PUBLIC_KEY_MAX_BYTES)
        return ERR(NOT_FOUND);
    if (is_too_large(label, content))
        return ERR(TOO_LARGE);
    return keeper->ops->sign_external(keeper, public_key, label, content, ret_signature);
}

struct err keeper_external_keys(struct keeper *keeper,
                                struct keeper_external ret_keys[KEEPER_EXTERNAL_KEYS],
                                size_t *ret_count)
{
    return keeper->ops->external_keys(keeper, ret_keys, ret_count);
}

static struct err rotate(struct keeper *keeper, enum keeper_signer signer, bool anyway)
{
    if ((unsigned)signer >= KEEPER_SIGNERS || signer == KEEPER_AS_ROOT)
        return ERR(ARGUMENT);
    return keeper->ops->rotate(keeper, signer, anyway);
}

struct err keeper_rotate(struct keeper *keeper, enum keeper_signer signer)
{
    return rotate(keeper, signer, false);
}

struct err keeper_rotate_anyway(struct keeper *keeper, enum keeper_signer signer)
{
    return rotate(keeper, signer, true);
}

struct err keeper_queue_key(struct keeper *keeper, struct public_key *ret_key)
{
    return keeper->ops->queue_key(keeper, ret_key);
}

struct err keeper_rotate_queue_key(struct keeper *keeper)
{
    return keeper->ops->rotate(keeper, KEEPER_ROTATE_QUEUE, false);
}

struct err keeper_rotate_queue_key_anyway(struct keeper *keeper)
{
    return keeper->ops->rotate(keeper, KEEPER_ROTATE_QUEUE, true);
}

struct err keeper_open_refs(struct keeper *keeper, const struct bytes *sealed, size_t count,
                            struct queue_ref *ret_refs, struct err *ret_results)
{
    return count == 0 ? ERR_OK
                      : keeper->ops->open_refs(keeper, sealed, count, ret_refs, ret_results);
}

struct err keeper_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                              uint8_t ret_key[KEEPER_KEY_BYTES])
{
    if ((unsigned)purpose >= KEEPER_PURPOSES)
        return ERR(ARGUMENT);
    return keeper->ops->storage_key(keeper, purpose, ret_key);
}

static struct err token_key(struct keeper *keeper, uint8_t class, uint32_t period,
                            bool private_half, uint8_t *ret_key)
{
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(ARGUMENT);
    return keeper->ops->token_key(keeper, class, period, private_half, ret_key);
}

struct err keeper_token_key(struct keeper *keeper, uint8_t class, uint32_t period,
                            uint8_t ret_private[KEEPER_KEY_BYTES])
{
    return token_key(keeper, class, period, true, ret_private);
}

struct err keeper_token_public(struct keeper *keeper, uint8_t class, uint32_t period,
                               uint8_t ret_public[KEEPER_KEY_BYTES])
{
    return token_key(keeper, class, period, false, ret_public);
}

struct err keeper_voucher_wrap(struct keeper *keeper, uint8_t class, uint32_t week,
                               struct bytes pkcs8, struct buf *wrapped)
{
    if (class == 0 || class >= PASS_CLASS_END || pkcs8.len > KEEPER_VOUCHER_MAX_BYTES - 64)
        return ERR(ARGUMENT);
    return keeper->ops->voucher_wrap(keeper, class, week, pkcs8, wrapped);
}

struct err keeper_voucher_sign(struct keeper *keeper, uint8_t class, uint32_t week,
                               struct bytes wrapped, const uint8_t blinded[BLIND_RSA_BYTES],
                               uint8_t ret_signature[BLIND_RSA_BYTES])
{
    if (class == 0 || class >= PASS_CLASS_END || wrapped.len > KEEPER_VOUCHER_MAX_BYTES)
        return ERR(ARGUMENT);
    return keeper->ops->voucher_sign(keeper, class, week, wrapped, blinded, ret_signature);
}

void keeper_close(struct keeper *keeper)
{
    if (keeper != NULL)
        keeper->ops->close(keeper);
}
