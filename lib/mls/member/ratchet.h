/* One sender ratchet of the secret tree (RFC 9420 9.1). Internal to secret_tree*.c; see there for
 * the rules. */
#ifndef MLS_MEMBER_RATCHET_H
#define MLS_MEMBER_RATCHET_H

#include "mls/member/secret_tree.h"
#include "wire/writer.h"

/* A key that was jumped over. */
struct ratchet_kept {
    uint32_t generation;
    uint8_t key[AEAD_KEY_MAX_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
};

/* Embedded; the zero state is safe to clear. */
struct ratchet {
    uint32_t next;             /* generation that `secret` belongs to; UINT32_MAX is never used */
    struct secret secret;      /* ratchet_secret of generation `next` */
    struct ratchet_kept *kept; /* ascending, all below `next`; owned */
    uint32_t kept_count;
};

void ratchet_clear(struct ratchet *r);
/* Wiped, and every generation used. */
void ratchet_end(struct ratchet *r, const struct suite *suite);
/* ERR_MLS_GENERATION_USED, ERR_MLS_GENERATION_FAR. */
CHECKED struct err ratchet_peek(const struct ratchet *r, const struct suite *suite,
                                const struct secret_tree_limits *limits, uint32_t generation,
                                struct message_key *ret_key);
/* The same and ERR_NO_MEMORY. */
CHECKED struct err ratchet_consume(struct ratchet *r, const struct suite *suite,
                                   const struct secret_tree_limits *limits, uint32_t generation);
/* ERR_MLS_RATCHET_END */
CHECKED struct err ratchet_next(struct ratchet *r, const struct suite *suite,
                                struct message_key *ret_key);

void ratchet_write(struct buf *b, const struct ratchet *r, const struct suite *suite);
/* Fails the reader on values that ratchet_write does not write; ERR_NO_MEMORY otherwise. Clear r in
 * any case. */
CHECKED struct err ratchet_read(struct wire_reader *in, const struct suite *suite,
                                struct ratchet *r);

#endif
