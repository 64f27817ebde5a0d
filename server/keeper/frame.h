/* Messages between the server and the process of its keeper, over a stream socket. Internal to
 * server/keeper.
 *
 *     struct { uint32 length; opaque body[length]; }       length at most FRAME_MAX_BYTES
 *     request: struct { uint8 verb; ... }                  see enum frame_verb
 *     reply:   struct { uint16 code; ... }                 an err_code; what follows only with 0.
 *                                                          Both ends are one program, so numbers
 *                                                          mean the same.
 */
#ifndef SERVER_FRAME_H
#define SERVER_FRAME_H

#include "server/keeper/inside.h"
#include "wire/reader.h"

enum {
    FRAME_MAX_BYTES = 524288,
    FRAME_REFS_MAX = 512, /* references of a request */
};

/* request -> reply */
enum frame_verb {
    FRAME_SIGN = 1,          /* uint8 signer, uint8 mls, label<V>, content<V> -> signature<V> */
    FRAME_PUBLIC = 2,        /* uint8 signer -> key<V> */
    FRAME_CREDENTIAL = 3,    /* uint8 signer -> credential<V> */
    FRAME_ROTATE = 4,        /* uint8 what, uint8 anyway -> */
    FRAME_QUEUE_KEY = 5,     /* -> key<V> */
    FRAME_OPEN_REFS = 6,     /* sealed<V>... to the end -> struct { uint16 code; ref }... */
    FRAME_STORAGE_KEY = 7,   /* uint8 purpose -> opaque key[32] */
    FRAME_EXTERNAL_KEYS = 8, /* -> struct { uint16 scheme; uint8 present; opaque key<V>; }... */
    FRAME_SIGN_EXTERNAL = 9, /* key<V>, label<V>, content<V> -> signature<V> */
    FRAME_TOKEN_KEY = 10,    /* uint8 class, uint32 period, uint8 private -> opaque key[32] */
    FRAME_VOUCHER_WRAP = 11, /* uint8 class, uint32 week, pkcs8<V> -> wrapped<V> */
    FRAME_VOUCHER_SIGN = 12, /* uint8 class, uint32 week, opaque blinded[256], wrapped<V>
                                -> opaque signature[256] */
};

/* Waits as long as the socket does. ERR_KEEPER_GONE when the other end is gone, is too slow or says
 * nonsense. */
CHECKED struct err frame_send(int socket, struct bytes body);
/* Replaces what b held (wiped). */
CHECKED struct err frame_receive(int socket, struct buf *b);

/* Wipes and empties, keeping the memory. */
void frame_reset(struct buf *b);

/* struct { opaque queue_client_id[16]; opaque tag[16]; uint8 has_push_token_key;
 *          opaque push_token_key[32]; opaque signature<V>; } */
void frame_write_ref(struct buf *b, const struct queue_ref *ref);
/* Sticky in the reader. */
void frame_read_ref(struct wire_reader *r, struct queue_ref *ret_ref);

/* Answers one request with the verbs of a keeper: the child's side. Appends the reply. ERR_WIRE_*
 * for what no server of ours sends: then there is no reply. */
CHECKED struct err frame_answer(struct keeper *keeper, struct bytes request, struct buf *reply);

#endif
