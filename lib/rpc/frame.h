/* gRPC messages on an HTTP/2 stream: a flag byte (1: compressed), four bytes of length, the
 * message.
 *
 * The reader takes DATA as it comes and gives out one complete message at a time. A length alone
 * allocates nothing; the first byte of a message up to 4 KiB, and from then on at most twice what
 * has arrived, never more than the cap.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include "base/bytes.h"

enum { FRAME_HEAD_BYTES = 5 };

struct frame_reader {
    uint32_t cap_bytes; /* largest message */
    uint8_t head[FRAME_HEAD_BYTES];
    uint8_t head_len;
    bool compressed; /* of the message being read or just completed */
    uint32_t want;   /* its length */
    uint32_t got;
    uint32_t room; /* allocated */
    uint8_t *body;
};

/* From the zero state, or after reset. */
void frame_reader_init(struct frame_reader *f, uint32_t cap_bytes);
/* Wipes; keeps memory of up to 4 KiB for the next use. */
void frame_reader_reset(struct frame_reader *f);
/* Wipes and frees what it holds. */
void frame_reader_clear(struct frame_reader *f);

/* Takes up to len bytes, stops after a message is complete, tells how many it took. *ret_complete:
 * a message is there: frame_reader_message(), then frame_reader_next() before more is fed.
 * ERR_RPC_FRAME for a flag other than 0 or 1, ERR_TOO_LARGE over the cap, ERR_NO_MEMORY. */
CHECKED struct err frame_reader_feed(struct frame_reader *f, const uint8_t *data, size_t len,
                                     size_t *ret_used, bool *ret_complete);
/* Borrowed until frame_reader_next(). */
struct bytes frame_reader_message(const struct frame_reader *f);
void frame_reader_next(struct frame_reader *f);
/* Makes body the complete message in the reader (after decompression); its memory moves over. */
void frame_reader_adopt(struct frame_reader *f, struct buf *body);
/* In the middle of a message: a half-close now is an error. */
static inline bool frame_reader_partial(const struct frame_reader *f)
{
    return f->head_len != 0;
}

void frame_head_write(uint8_t head[FRAME_HEAD_BYTES], bool compressed, uint32_t len);

#endif
