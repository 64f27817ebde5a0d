#include "server/front/pay.h"

static struct err parsed(const struct payment *payment, size_t i, struct pass_short *ret_token)
{
    return pass_short_parse(bytes_of(payment->tokens[i], PASS_SHORT_BYTES), ret_token);
}

static struct spending spending_of(const struct payment *payment, const struct pass_short *token)
{
    return (struct spending){token->period, token->nonce, payment->request};
}

/* The i-th value, not among those before it. */
static bool read_token(struct hearth_call *call, uint8_t class, uint64_t now_s, size_t i,
                       struct payment *payment)
{
    const uint8_t *value = NULL;
    size_t len = 0;
    struct pass_short token;
    if (!hearth_call_metadata(call, PAY_METADATA, i, &value, &len) || len != PASS_SHORT_BYTES)
        return false;
    memcpy(payment->tokens[i], value, PASS_SHORT_BYTES);
    if (!err_is_ok(parsed(payment, i, &token)) || token.class != class ||
        !pass_redeemable(token.period, now_s))
        return false;
    for (size_t before = 0; before < i; before++)
        if (memcmp(payment->tokens[before], payment->tokens[i],
                   PASS_SHORT_BYTES - PASS_AUTHENTICATOR_BYTES) == 0)
            return false;
    return true;
}

struct err payment_read(struct hearth_call *call, uint8_t class, uint64_t price,
                        const uint8_t *body_hash, uint64_t now_s, struct payment *ret_payment)
{
    struct payment payment = {.count = 0};
    const uint8_t *more;
    size_t more_len;
    if (price > PAY_TOKENS_MOST)
        return ERR(ARGUMENT);
    for (; payment.count < price; payment.count++)
        if (!read_token(call, class, now_s, payment.count, &payment))
            return ERR(PASS_TOKEN);
    if (hearth_call_metadata(call, PAY_METADATA, payment.count, &more, &more_len))
        return ERR(PASS_TOKEN);
    memcpy(payment.request, body_hash, sizeof payment.request);
    *ret_payment = payment;
    return ERR_OK;
}

static struct err check_token(const struct pass_short *token,
                              struct err (*key)(void *self, uint8_t class, uint32_t period,
                                                struct pass_issuer_key *ret_key),
                              void *self)
{
    struct pass_issuer_key issuer;
    TRY(key(self, token->class, token->period, &issuer));
    struct err err = pass_redeem_short(&issuer, token);
    pass_issuer_key_clear(&issuer);
    return err;
}

struct err payment_check(struct store_txn *txn, const struct spent *spent,
                         const struct payment *payment,
                         struct err (*key)(void *self, uint8_t class, uint32_t period,
                                           struct pass_issuer_key *ret_key),
                         void *self)
{
    struct pass_short token;
    for (size_t i = 0; i < payment->count; i++) { /* all cheap questions first */
        bool repeated;
        TRY(parsed(payment, i, &token));
        const struct spending spending = spending_of(payment, &token);
        TRY(spent_look(txn, spent, &spending, &repeated));
    }
    for (size_t i = 0; i < payment->count; i++) {
        TRY(parsed(payment, i, &token));
        TRY(check_token(&token, key, self));
    }
    return ERR_OK;
}

struct err payment_mark(struct store_txn *txn, const struct spent *spent,
                        const struct payment *payment)
{
    for (size_t i = 0; i < payment->count; i++) {
        struct pass_short token;
        bool repeated = false;
        TRY(parsed(payment, i, &token));
        const struct spending spending = spending_of(payment, &token);
        TRY(spent_mark(txn, spent, &spending, &repeated));
        if (repeated) /* a request that was answered does not come here */
            return ERR(PASS_SPENT);
    }
    return ERR_OK;
}
