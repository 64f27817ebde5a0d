/* What a homeserver sees of tokens: who fetched what when, and what was spent when; and attempts to
 * say who spent it. */
#ifndef TESTS_TOKENS_TRANSCRIPT_H
#define TESTS_TOKENS_TRANSCRIPT_H

#include "pass/redeem.h"
#include "pass/request.h"

enum { CLIENTS_MOST = 100, CALLS_MOST = 2000, CALL_TOKENS_MOST = PASS_BATCH_MAX };

/* By name: a signed call. */
struct issuance {
    unsigned client;
    uint64_t at_ms;
    size_t count;           /* of the batch */
    struct buf bytes;       /* request || response */
    size_t key;             /* which key was asked for */
    const uint8_t *blinded; /* count elements, in bytes */
};

/* Nobody's name on it. */
struct spending_seen {
    uint64_t at_ms;
    size_t count;
    uint8_t (*tokens)[PASS_SHORT_BYTES];
};

struct transcript {
    struct issuance issued[CLIENTS_MOST]; /* in the order of time */
    size_t issued_count;
    struct spending_seen calls[CALLS_MOST]; /* in the order of time */
    size_t call_count;
    struct pass_issuer_key *keys; /* the server's own */
    size_t key_count;
};

/* For each call a guess, who it was. truth: of every second call, for those who know other people's
 * by other means; what they say about these is not counted. */
struct classifier {
    const char *name;
    unsigned (*guess)(const struct transcript *t, size_t call, const unsigned *truth);
    bool learns;
};
extern const struct classifier classifiers[];
extern const size_t classifier_count;

/* What chance gets right of n calls, and five standard deviations. */
double chance_bound(size_t n);
/* Tokens of another homeserver, and vouchers for them (abroad.c): prints; false: linked, or a
 * control was not seen. */
bool abroad_unlinked(uint64_t seed);

#endif
