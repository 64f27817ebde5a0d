/* Own messages: signed, then wrapped as PublicMessage or PrivateMessage (RFC 9420 6). Internal to
 * lib/mls/member. */
#ifndef MLS_MEMBER_FRAME_H
#define MLS_MEMBER_FRAME_H

#include "mls/member/group_state.h"
#include "mls/member/message_protection.h"

/* Content of the current epoch from us, in the wire format that the config asks for. */
struct authenticated_content frame_begin(const struct mls_group *g, enum content_type type,
                                         struct bytes authenticated_data);
/* FramedContentTBS under the signer; the signature goes to ret_signature, and content->auth views
 * it. */
CHECKED struct err frame_sign(const struct mls_group *g, const struct sig_key *signer,
                              struct authenticated_content *content,
                              struct signature *ret_signature);
/* Appends the MLSMessage. A PrivateMessage uses up a generation. */
CHECKED struct err frame_wrap(struct mls_group *g, const struct rng *rng,
                              const struct authenticated_content *content, struct buf *b);

#endif
