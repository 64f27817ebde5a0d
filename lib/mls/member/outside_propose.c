/* Proposals from outside the group (RFC 9420 12.1.8). */
#include "crypto/labelled.h"
#include "mls/member/group.h"

static struct err sign_and_write(const struct sig_key *signer,
                                 const struct authenticated_content *content, struct buf *message)
{
    struct buf tbs = BUF_INIT;
    struct signature signature;
    /* RFC 9420 6.1: these senders sign without the GroupContext */
    framed_content_write_tbs(&tbs, content->wire_format, &content->content, bytes_of(NULL, 0));
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_sign(signer, LABEL_MLS, bytes_str("FramedContentTBS"), buf_view(&tbs),
                            &signature);
    buf_clear(&tbs);
    TRY(err);
    struct mls_message whole = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
                                .public_message = {.content = *content}};
    whole.public_message.content.auth.signature = signature_view(&signature);
    mls_message_write(message, &whole);
    return buf_check(message);
}

struct err outside_propose(const struct sig_key *signer, struct bytes group_id, uint64_t epoch,
                           struct sender sender, struct bytes proposal, struct buf *ret_message)
{
    struct buf message = BUF_INIT;
    struct arena a;
    struct authenticated_content content = {
        .wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
        .content = {.group_id = group_id,
                    .epoch = epoch,
                    .sender = sender,
                    .type = CONTENT_PROPOSAL},
    };
    if (sender.type != SENDER_EXTERNAL && sender.type != SENDER_NEW_MEMBER_PROPOSAL)
        return ERR(ARGUMENT);
    enum { ARENA_BYTES = 64 * 1024 }; /* structures over the proposal, which is not copied */
    arena_init(&a, ARENA_BYTES);
    struct err err = proposal_parse(proposal, &a, &content.content.proposal);
    if (err_is_ok(err))
        err = sign_and_write(signer, &content, &message);
    arena_clear(&a);
    if (err_is_ok(err))
        *ret_message = message;
    else
        buf_clear(&message);
    return err;
}
