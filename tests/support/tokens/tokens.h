/* Tokens for tests, made as a client and a homeserver make them together, without the rpc. */
#ifndef TESTS_SUPPORT_TOKENS_H
#define TESTS_SUPPORT_TOKENS_H

#include "hearth/rpc.h"
#include "pass/token.h"
#include "server/keeper/keeper.h"

enum { TOKENS_MOST = 100 };

struct tokens {
    uint8_t bytes[TOKENS_MOST][PASS_SHORT_BYTES];
    struct hearth_metadata metadata[TOKENS_MOST]; /* hearth-token-bin, one for each */
    size_t count;
};

/* Fills t with count of them, of the class and the day of now_s. */
void tokens_draw(struct tokens *t, struct keeper *keeper, const char *domain, uint8_t class,
                 uint64_t now_s, size_t count, const struct rng *rng);
/* What a refused call says of its price: TokensRequired.tokens; 0: it has no such detail. */
uint32_t tokens_wanted(const struct hearth_status *status);

#endif
