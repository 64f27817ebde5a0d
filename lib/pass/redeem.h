/* Spending. Cheap questions first: is there a key of this class, period and id, and was the token
 * spent? Only then is it worth 0.07 ms to find out whether it is one. Whoever asks marks it spent
 * in the transaction of its effect:
 *
 *     parse -> pass_redeemable -> key of (class, period) -> look up pass_spent_tag -> pass_redeem
 *     -> INSERT the tag, with a hash of the request
 */
#ifndef PASS_REDEEM_H
#define PASS_REDEEM_H

#include "pass/issue.h"

enum {
    PASS_DAY_S = 86400,
    PASS_SPENT_TAG_BYTES = 16,
    PASS_SPENT_KEY_BYTES = 32,
};

/* The period of a moment: its UTC day number. Before 1970 there is none; now_s is unix time. */
static inline uint32_t pass_period_at(uint64_t now_s)
{
    uint64_t day = now_s / PASS_DAY_S;
    return day < UINT32_MAX ? (uint32_t)day : UINT32_MAX;
}
/* Tokens of a period are issued on the day before and on its own day, ... */
bool pass_issuable(uint32_t period, uint64_t now_s);
/* ... and spent on its own day and the day after. */
bool pass_redeemable(uint32_t period, uint64_t now_s);

/* ERR_PASS_KEY: a token of another class, period, key or challenge than key's. ERR_PASS_TOKEN: the
 * authenticator is not ours. Compared in constant time. */
CHECKED struct err pass_redeem(const struct pass_issuer_key *key, const struct pass_token *token);
CHECKED struct err pass_redeem_short(const struct pass_issuer_key *key,
                                     const struct pass_short *token);

/* What a spent table keeps instead of the nonce: a keyed hash, so that rows are short and nobody
 * chooses where in the table they fall. secret is the server's own, constant over a period. */
void pass_spent_tag(const uint8_t secret[PASS_SPENT_KEY_BYTES],
                    const uint8_t nonce[PASS_NONCE_BYTES], uint8_t ret_tag[PASS_SPENT_TAG_BYTES]);

#endif
