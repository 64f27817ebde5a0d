/* MLSMessage (RFC 9420 6) and the two ways to send content: PublicMessage (6.2) and PrivateMessage
 * (6.3).
 *
 *     struct { FramedContent content;  FramedContentAuthData auth;
 *              select (sender_type) { case member: MAC membership_tag; }; } PublicMessage;
 *     struct { opaque group_id<V>;  uint64 epoch;  ContentType content_type;  opaque
 * authenticated_data<V>; opaque encrypted_sender_data<V>;  opaque ciphertext<V>; } PrivateMessage;
 *     struct { ProtocolVersion version = mls10;  WireFormat wire_format;  select (wire_format)
 * {...}; } MLSMessage;
 */
#ifndef MLS_CODEC_MESSAGE_H
#define MLS_CODEC_MESSAGE_H

#include "mls/codec/framing.h"
#include "mls/codec/group_info.h"
#include "mls/codec/welcome.h"

struct public_message {
    struct authenticated_content content; /* wire_format is WIRE_FORMAT_PUBLIC_MESSAGE */
    struct bytes membership_tag;          /* sender member only */
};

struct private_message {
    struct bytes group_id;
    uint64_t epoch;
    enum content_type content_type;
    struct bytes authenticated_data;
    struct bytes encrypted_sender_data;
    struct bytes ciphertext;
};

struct mls_message {
    uint16_t wire_format;
    union {
        struct public_message public_message;
        struct private_message private_message;
        struct welcome welcome;
        struct group_info group_info;
        struct key_package key_package;
    };
};

/* ERR_MLS_VERSION, ERR_MLS_WIRE_FORMAT, ERR_WIRE_...; nothing may follow the message. */
CHECKED struct err mls_message_parse(struct bytes in, struct arena *a,
                                     struct mls_message *ret_message);
void mls_message_write(struct buf *b, const struct mls_message *message);

/* What a relay wants to know before it spends anything: version and wire format only. */
CHECKED struct err mls_message_peek(struct bytes in, uint16_t *ret_wire_format);

void public_message_read(struct wire_reader *r, struct arena *a, struct public_message *m);
void public_message_write(struct buf *b, const struct public_message *m);
void private_message_read(struct wire_reader *r, struct private_message *m);
void private_message_write(struct buf *b, const struct private_message *m);

/* PrivateContentAAD (RFC 9420 6.3.1) and SenderDataAAD (6.3.2) */
void private_content_aad_write(struct buf *b, const struct private_message *m);
void sender_data_aad_write(struct buf *b, const struct private_message *m);

/* SenderData (RFC 9420 6.3.2): 12 bytes */
enum { SENDER_DATA_BYTES = 12, REUSE_GUARD_BYTES = 4 };
struct sender_data {
    uint32_t leaf_index;
    uint32_t generation;
    uint8_t reuse_guard[REUSE_GUARD_BYTES];
};
CHECKED struct err sender_data_parse(struct bytes in, struct sender_data *ret_data);
void sender_data_write(struct buf *b, const struct sender_data *data);

/* PrivateMessageContent (RFC 9420 6.3.1): the body of content (content->type chooses it), the auth
 * data, and zeros. Parsing fills body and auth; the rest of content is the caller's.
 * ERR_MLS_PADDING when the padding is not zero. */
CHECKED struct err private_content_parse(struct bytes in, struct arena *a, enum content_type type,
                                         struct framed_content *ret_content,
                                         struct content_auth *ret_auth);
void private_content_write(struct buf *b, const struct framed_content *content,
                           const struct content_auth *auth, size_t padding_bytes);

#endif
