/* What members say to each other: the plaintext of application messages.
 *
 *     struct { uint8 version = 1; uint16 kind; opaque id[16]; uint64 sent_ms; opaque body<V>; }
 * Content
 *
 * A kind that is not known is kept as a note, so that old clients say that something came.
 */
#ifndef CLIENT_CORE_CONTENT_H
#define CLIENT_CORE_CONTENT_H

#include "base/bytes.h"

/* Append, never renumber. */
enum content_kind {
    CONTENT_TEXT = 1, /* UTF-8, 1 to 65,536 bytes */
    CONTENT_FILE = 2, /* struct file_keys */
    CONTENT_IDENTITY_KEY =
        3, /* struct { uint64 epoch; opaque key[32]; opaque before[]; }: group identity key from
              here on; those before it, newest first, 32 bytes each */
    CONTENT_KEY_SET = 4,    /* KeySets of the sender's user, oldest first: opaque key_set<V> each */
    CONTENT_FRIENDSHIP = 5, /* friendship package (seal/friendship.h), in direct chats only */
    CONTENT_PROFILE = 6,    /* profile key */
    CONTENT_LOG_HEADS = 8,  /* what the sender was shown of logs (core/log_heads.c) */
    CONTENT_LOG_PROOF = 9,  /* that the sender's keys are in his homeserver's (core/log_proof.h) */
    /* among the devices of one user only */
    CONTENT_DEVICE_NEWS = 32, /* core/devices.h */
};

/* Views. */
struct content {
    uint16_t kind;
    const uint8_t *id; /* 16 */
    uint64_t sent_ms;
    struct bytes body;
};
void content_write(struct buf *b, const struct content *content);
CHECKED struct err content_read(struct bytes in, struct content *ret_content);

/* Where a file lies and how it opens.
 *     struct { opaque domain<V>; opaque attachment_id[16]; opaque capability[32]; opaque key[32];
 *              opaque sha256[32]; uint64 bytes; opaque name<V>; }
 */
struct file_keys {
    struct bytes domain;
    const uint8_t *attachment_id, *capability, *key, *sha256;
    uint64_t bytes;
    struct bytes name;
};
void file_keys_write(struct buf *b, const struct file_keys *keys);
CHECKED struct err file_keys_read(struct bytes in, struct file_keys *ret_keys);

#endif
