#include "server/front/pay.h"

#include <stdlib.h>

#include "crypto/hash.h"
#include "server/front/front.h"

void payment_clear(struct payment *payment)
{
    free(payment->tokens);
    *payment = (struct payment){0};
}

static const uint8_t *token_at(const struct payment *payment, size_t i)
{
    return payment->tokens + i * PASS_SHORT_BYTES;
}

static struct err parsed(const struct payment *payment, size_t i, struct pass_short *ret_token)
{
    return pass_short_parse(bytes_of(token_at(payment, i), PASS_SHORT_BYTES), ret_token);
}

static struct spending spending_of(const struct payment *payment, const struct pass_short *token)
{
    return (struct spending){token->period, token->nonce, payment->request};
}

/* ---- reading */

static int by_token(const void *a, const void *b)
{
    return memcmp(a, b, PASS_SHORT_BYTES - PASS_AUTHENTICATOR_BYTES);
}

/* The method, too: requests of two may be alike, byte for byte. */
static void request_of(struct hearth_call *call, uint8_t ret_request[SPENT_REQUEST_BYTES])
{
    struct digest request;
    const struct bytes hash = bytes_of(front_caller(call)->body_hash, REQUEST_BODY_HASH_BYTES);
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_str("Hearth 1 paid request"),
                         bytes_str(hearth_call_endpoint(call)->path), hash),
              &request);
    memcpy(ret_request, request.data, SPENT_REQUEST_BYTES);
}

/* Takes the tokens, sorted: that brings out which one is there twice, also in long lists. */
static struct err judge(struct payment *payment, uint8_t class, uint64_t now_s)
{
    bool good = true;
    if (payment->count > 1)
        qsort(payment->tokens, payment->count, PASS_SHORT_BYTES, by_token);
    for (size_t i = 0; i < payment->count && good; i++) {
        struct pass_short token;
        good = err_is_ok(parsed(payment, i, &token)) && token.class == class &&
               pass_redeemable(token.period, now_s) &&
               (i == 0 || by_token(token_at(payment, i - 1), token_at(payment, i)) != 0);
    }
    return good ? ERR_OK : ERR(PASS_TOKEN);
}

static struct err take(struct payment *payment, struct hearth_call *call, uint8_t class,
                       uint64_t now_s, struct payment *ret_payment)
{
    struct err err = judge(payment, class, now_s);
    if (!err_is_ok(err)) {
        payment_clear(payment);
        return err;
    }
    if (payment->count > 0)
        request_of(call, payment->request);
    *ret_payment = *payment;
    return ERR_OK;
}

struct err payment_read(struct hearth_call *call, uint8_t class, uint64_t now_s,
                        struct payment *ret_payment)
{
    struct payment payment = {0};
    const uint8_t *value;
    size_t len;
    while (hearth_call_metadata(call, PAY_METADATA, payment.count, &value, &len)) {
        if (payment.tokens == NULL)
            payment.tokens = malloc((size_t)PAY_TOKENS_MOST * PASS_SHORT_BYTES);
        if (payment.tokens == NULL)
            return ERR(NO_MEMORY);
        if (payment.count == PAY_TOKENS_MOST || len != PASS_SHORT_BYTES) {
            payment_clear(&payment);
            return ERR(PASS_TOKEN);
        }
        memcpy(payment.tokens + payment.count++ * PASS_SHORT_BYTES, value, PASS_SHORT_BYTES);
    }
    return take(&payment, call, class, now_s, ret_payment);
}

struct err payment_read_list(struct hearth_call *call, struct bytes list, uint8_t class,
                             uint64_t now_s, struct payment *ret_payment)
{
    struct payment payment = {.count = list.len / PASS_SHORT_BYTES};
    if (list.len % PASS_SHORT_BYTES != 0 || payment.count > PAY_LIST_MOST)
        return ERR(PASS_TOKEN);
    if (list.len > 0) {
        payment.tokens = malloc(list.len);
        if (payment.tokens == NULL)
            return ERR(NO_MEMORY);
        memcpy(payment.tokens, list.data, list.len);
    }
    return take(&payment, call, class, now_s, ret_payment);
}

/* ---- are they good */

static struct err check_token(const struct pass_short *token, const struct payee *payee)
{
    struct pass_issuer_key issuer;
    TRY(token_keys_get(payee->keys, payee->keeper, payee->domain, token->class, token->period,
                       &issuer));
    struct err err = pass_redeem_short(&issuer, token);
    pass_issuer_key_clear(&issuer);
    return err;
}

struct err payment_check(struct store_txn *txn, const struct spent *spent, struct payment *payment,
                         const struct payee *payee)
{
    struct pass_short token;
    payment->good = 0;
    for (size_t i = 0; i < payment->count; i++) { /* all cheap questions first */
        bool repeated;
        TRY(parsed(payment, i, &token));
        const struct spending spending = spending_of(payment, &token);
        TRY(spent_look(txn, spent, &spending, &repeated));
    }
    for (size_t i = 0; i < payment->count; i++) {
        TRY(parsed(payment, i, &token));
        TRY(check_token(&token, payee));
        payment->good++;
    }
    return ERR_OK;
}

struct err payment_mark(struct store_txn *txn, const struct spent *spent,
                        const struct payment *payment, bool repeats, size_t *ret_fresh)
{
    size_t fresh = 0;
    for (size_t i = 0; i < payment->count; i++) {
        struct pass_short token;
        bool repeated = false;
        TRY(parsed(payment, i, &token));
        const struct spending spending = spending_of(payment, &token);
        TRY(spent_mark(txn, spent, &spending, &repeated));
        if (repeated && !repeats) /* a request that was answered does not come here */
            return ERR(PASS_SPENT);
        fresh += !repeated;
    }
    *ret_fresh = fresh;
    return ERR_OK;
}
