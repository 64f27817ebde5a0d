/* The issuer's half (structures in request.h): parse, charge the caller's allowance, evaluate. The
 * issuer learns how many tokens of which class and period somebody took, and nothing else. */
#ifndef PASS_ISSUE_H
#define PASS_ISSUE_H

#include "pass/token.h"

/* A type-5 key with both halves, 165 bytes. Wipe with pass_issuer_key_clear. */
struct pass_issuer_key {
    struct pass_public_key public;
    struct voprf_key voprf;
};

/* Takes a copy of key. ERR_ARGUMENT as pass_public_key_init. */
CHECKED struct err pass_issuer_key_init(struct bytes domain, uint8_t class, uint32_t period,
                                        const struct voprf_key *key,
                                        struct pass_issuer_key *ret_key);
void pass_issuer_key_clear(struct pass_issuer_key *key);
/* The last byte of its id, by which a request names its key. */
static inline uint8_t pass_issuer_key_tag(const struct pass_issuer_key *key)
{
    return key->public.key_id[PASS_KEY_ID_BYTES - 1];
}

/* A request, parsed: its form alone. Elements are looked at by pass_issue. */
struct pass_request {
    uint8_t key_tag;
    size_t count;           /* 1 to PASS_BATCH_MAX */
    const uint8_t *blinded; /* count elements; borrowed */
};
/* ERR_PASS_TYPE, ERR_PASS_BATCH, wire errors. */
CHECKED struct err pass_request_parse(struct bytes in, struct pass_request *ret_request);

/* Evaluates all, proves it, appends the response: 0.12 ms a token in batches of 100. ERR_PASS_KEY
 * when the request names another key, ERR_CRYPTO_ELEMENT, ERR_IO without randomness, those of the
 * buffer; nothing is appended then. */
CHECKED struct err pass_issue(const struct pass_issuer_key *key, const struct rng *rng,
                              const struct pass_request *request, struct buf *response);

#endif
