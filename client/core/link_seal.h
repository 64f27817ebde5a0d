/* The sealed conversation of two devices, as bytes (link.h describes it). No I/O. */
#ifndef CLIENT_CORE_LINK_SEAL_H
#define CLIENT_CORE_LINK_SEAL_H

#include "client/core/link.h"
#include "crypto/hpke.h"

enum {
    LINK_KEY_BYTES = 32,
    LINK_HELLO_BYTES = 1 + LINK_KEY_BYTES + 32,
    LINK_PIECE_BYTES = 60000,      /* of a letter in one message */
    LINK_LETTER_MAX_BYTES = 900000 /* the relay carries a mebibyte both ways together */
};

/* One end. The zero state is nobody's; clear it. */
struct link_seal {
    uint8_t rendezvous[32];
    struct secret code_key, psk;
    /* the new device */
    struct secret private_key;
    struct public_key public_key;
    struct hpke_ctx ctx;
    struct secret reply_key, reply_nonce;
    uint64_t replies;
    bool is_new, ready;
    struct buf letter; /* what came of the letter that is coming */
};
CHECKED struct err link_seal_init(struct link_seal *s, bool is_new,
                                  const uint8_t code[LINK_CODE_BYTES], const struct rng *rng);
void link_seal_clear(struct link_seal *s);

/* New: the first message. */
CHECKED struct err link_hello_write(const struct link_seal *s, struct buf *b);
/* Old: takes it, appends the answer; ready from here on. ERR_CRYPTO_TAG: not by who shows the code.
 */
CHECKED struct err link_hello_read(struct link_seal *s, const struct rng *rng, struct bytes hello,
                                   struct buf *ret_enc);
/* New: takes the answer; ready. */
CHECKED struct err link_enc_read(struct link_seal *s, struct bytes enc);

/* The next message of a letter of which `rest` is left; *ret_taken bytes of it are in. Appends. */
CHECKED struct err link_piece_seal(struct link_seal *s, struct bytes rest, struct buf *b,
                                   size_t *ret_taken);
/* A message that came. true: s->letter is whole (the caller empties it by buf_clear). */
CHECKED struct err link_piece_open(struct link_seal *s, struct bytes message, bool *ret_whole);

#endif
