/* Attempts to say who spent a token. Each has a world (unlinkability.c) in which it succeeds. */
#include <stdlib.h>
#include <string.h>

#include "crypto/ristretto.h"
#include "tokens/transcript.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* Who spends in the order in which they fetched? */
static unsigned by_order(const struct transcript *t, size_t call, const unsigned *truth)
{
    (void)truth;
    return t->issued[call * t->issued_count / t->call_count].client;
}

/* Who fetched just before? */
static unsigned by_nearness(const struct transcript *t, size_t call, const unsigned *truth)
{
    size_t i = 0;
    (void)truth;
    while (i + 1 < t->issued_count && t->issued[i + 1].at_ms <= t->calls[call].at_ms)
        i++;
    return t->issued[i].client;
}

/* Who fetches at this time of the day? */
static unsigned by_hour(const struct transcript *t, size_t call, const unsigned *truth)
{
    size_t best = 0;
    uint64_t least = UINT64_MAX;
    (void)truth;
    for (size_t i = 0; i < t->issued_count; i++) {
        uint64_t a = t->issued[i].at_ms % DAY_MS, b = t->calls[call].at_ms % DAY_MS;
        uint64_t apart = a > b ? a - b : b - a;
        apart = apart < DAY_MS - apart ? apart : DAY_MS - apart;
        if (apart < least) {
            least = apart;
            best = i;
        }
    }
    return t->issued[best].client;
}

/* Under which key does it verify, and who was given tokens under that? */
static unsigned by_key(const struct transcript *t, size_t call, const unsigned *truth)
{
    struct pass_short token;
    (void)truth;
    if (!err_is_ok(pass_short_parse(bytes_of(t->calls[call].tokens[0], PASS_SHORT_BYTES), &token)))
        abort();
    for (size_t i = 0; i < t->issued_count; i++)
        if ((t->key_count == 1 || err_is_ok(pass_redeem_short(&t->keys[t->issued[i].key], &token))))
            return t->issued[(i + (t->key_count == 1 ? call : 0)) % t->issued_count].client;
    return 0;
}

/* Whose batch is as large as what is spent here? */
static unsigned by_size(const struct transcript *t, size_t call, const unsigned *truth)
{
    size_t best = 0, least = SIZE_MAX;
    (void)truth;
    for (size_t i = 0; i < t->issued_count; i++) {
        size_t a = t->issued[i].count, b = t->calls[call].count;
        size_t apart = a > b ? a - b : b - a;
        if (apart < least) {
            least = apart;
            best = i;
        }
    }
    return t->issued[best].client;
}

/* In bits; len is a multiple of 8. */
static unsigned distance(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned bits = 0;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        bits += (unsigned)__builtin_popcountll(x ^ y);
    }
    return bits;
}

/* Which place of which batch is it: the same element, or else the most similar one? */
static unsigned by_position(const struct transcript *t, size_t call, const unsigned *truth)
{
    uint8_t input[PASS_INPUT_BYTES], element[RISTRETTO_BYTES];
    struct pass_short token;
    unsigned least = UINT32_MAX, best = 0;
    (void)truth;
    if (!err_is_ok(pass_short_parse(bytes_of(t->calls[call].tokens[0], PASS_SHORT_BYTES), &token)))
        abort();
    pass_token_input(&t->keys[0].public, token.nonce, input);
    ristretto_hash_to_group(BYTES_LIST(bytes_of(input, sizeof input)), element);
    for (size_t i = 0; i < t->issued_count; i++)
        for (size_t k = 0; k < t->issued[i].count; k++) {
            const uint8_t *blinded = t->issued[i].blinded + k * VOPRF_ELEMENT_BYTES;
            unsigned apart = distance(blinded, element, VOPRF_ELEMENT_BYTES);
            if (apart < least) {
                least = apart;
                best = t->issued[i].client;
            }
        }
    return best;
}

/* The owner of the call that is most alike, among those whose owner is known: nonces, and when. */
static unsigned by_likeness(const struct transcript *t, size_t call, const unsigned *truth)
{
    unsigned least = UINT32_MAX, best = 0;
    for (size_t i = 0; i < t->call_count; i += 2) {
        unsigned apart = UINT32_MAX;
        for (size_t piece = 0; piece < PASS_SHORT_BYTES - 5; piece += 8) {
            unsigned here = distance(t->calls[i].tokens[0] + 5 + piece,
                                     t->calls[call].tokens[0] + 5 + piece, 8);
            apart = here < apart ? here : apart;
        }
        if (apart < least) {
            least = apart;
            best = truth[i];
        }
    }
    return best;
}

const struct classifier classifiers[] = {
    {"order", by_order, false},      {"nearness", by_nearness, false},
    {"hour", by_hour, false},        {"key", by_key, false},
    {"size", by_size, false},        {"position", by_position, false},
    {"likeness", by_likeness, true},
};
const size_t classifier_count = sizeof classifiers / sizeof *classifiers;
