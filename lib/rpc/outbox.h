/* Framed messages of one stream that wait to be sent; shared by both sides of a call.
 */
#ifndef RPC_OUTBOX_H
#define RPC_OUTBOX_H

#include "base/bytes.h"
#include "hearth/rpc.h"

struct outbox {
    uint8_t *data;
    uint32_t len, off, cap; /* bytes: written, sent, allocated */
};

static inline uint32_t outbox_waiting(const struct outbox *o)
{
    return o->len - o->off;
}

/* Packs the message behind its frame head; compress: gzip. size is its packed size. ERR_NO_MEMORY.
 */
CHECKED struct err outbox_append(struct outbox *o, const ProtobufCMessage *message, size_t size,
                                 bool compress);
/* Bytes as they are, no frame head. */
CHECKED struct err outbox_append_raw(struct outbox *o, struct bytes raw);
/* Moves up to len bytes to buf. */
size_t outbox_take(struct outbox *o, uint8_t *buf, size_t len);
/* Wipes; keeps memory of up to 4 KiB for the next use. */
void outbox_reset(struct outbox *o);
/* Wipes and frees. */
void outbox_clear(struct outbox *o);

#endif
