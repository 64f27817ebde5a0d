/* Framing (RFC 9420 6): what surrounds proposals, commits and application data.
 *
 *     struct { SenderType sender_type;  select { member: uint32 leaf_index;  external: uint32
 * sender_index; }; } Sender; struct { opaque group_id<V>;  uint64 epoch;  Sender sender;  opaque
 * authenticated_data<V>; ContentType content_type; select { application: opaque
 * application_data<V>;  proposal: Proposal;  commit: Commit; }; } FramedContent; struct { opaque
 * signature<V>;  select { commit: MAC confirmation_tag; }; } FramedContentAuthData; struct {
 * WireFormat;  FramedContent;  FramedContentAuthData; } AuthenticatedContent;
 *
 * PublicMessage and PrivateMessage are message.h. Arrays lie in the arena.
 */
#ifndef MLS_CODEC_FRAMING_H
#define MLS_CODEC_FRAMING_H

#include "mls/codec/commit.h"
#include "mls/codec/group_context.h"

enum content_type { CONTENT_APPLICATION = 1, CONTENT_PROPOSAL = 2, CONTENT_COMMIT = 3 };

enum sender_type {
    SENDER_MEMBER = 1,
    SENDER_EXTERNAL = 2,
    SENDER_NEW_MEMBER_PROPOSAL = 3,
    SENDER_NEW_MEMBER_COMMIT = 4,
};

struct sender {
    enum sender_type type;
    uint32_t index; /* member: leaf index; external: index into external_senders; else 0 */
};

struct framed_content {
    struct bytes group_id;
    uint64_t epoch;
    struct sender sender;
    struct bytes authenticated_data;
    enum content_type type;
    union {
        struct bytes application_data;
        struct proposal proposal;
        struct commit commit;
    };
    struct bytes raw; /* as read; empty in one that was made */
};

struct content_auth {
    struct bytes signature;
    struct bytes confirmation_tag; /* commit only */
};

struct authenticated_content {
    uint16_t wire_format;
    struct framed_content content;
    struct content_auth auth;
    struct bytes raw_content_auth; /* content and auth as read, without wire_format; empty in one
                                      that was made */
};

/* ERR_WIRE_VALUE for a sender or content type the RFC does not know. */
void framed_content_read(struct wire_reader *r, struct arena *a, struct framed_content *content);
void framed_content_write(struct buf *b, const struct framed_content *content);
/* FramedContentAuthData; the content type decides its shape. */
void content_auth_read(struct wire_reader *r, enum content_type type, struct content_auth *auth);
void content_auth_write(struct buf *b, enum content_type type, const struct content_auth *auth);

CHECKED struct err authenticated_content_parse(struct bytes in, struct arena *a,
                                               struct authenticated_content *ret_content);
/* What ProposalRef hashes (RFC 9420 5.2): the bytes received when there are some. */
void authenticated_content_write(struct buf *b, const struct authenticated_content *content);

/* FramedContentTBS (RFC 9420 6.1). context is the encoded GroupContext of the current epoch; it
 * goes in for senders member and new_member_commit only and may be empty for the others. */
void framed_content_write_tbs(struct buf *b, uint16_t wire_format,
                              const struct framed_content *content, struct bytes context);
/* ConfirmedTranscriptHashInput (RFC 9420 8.2) */
void confirmed_transcript_input_write(struct buf *b, const struct authenticated_content *content);
/* AuthenticatedContentTBM (RFC 9420 6.2): the TBS and the auth data */
void framed_content_write_tbm(struct buf *b, const struct authenticated_content *content,
                              struct bytes context);

/* The content's body alone, as in PrivateMessageContent. */
void framed_body_read(struct wire_reader *r, struct arena *a, struct framed_content *content);
void framed_body_write(struct buf *b, const struct framed_content *content);

#endif
