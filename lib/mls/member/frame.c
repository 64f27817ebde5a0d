#include "mls/member/frame.h"

#include "crypto/labelled.h"

struct authenticated_content frame_begin(const struct mls_group *g, enum content_type type,
                                         struct bytes authenticated_data)
{
    bool is_public = type != CONTENT_APPLICATION && g->config.public_handshake;
    return (struct authenticated_content){
        .wire_format = is_public ? WIRE_FORMAT_PUBLIC_MESSAGE : WIRE_FORMAT_PRIVATE_MESSAGE,
        .content = {.group_id = g->public.context.group_id,
                    .epoch = group_epoch(g),
                    .sender = {.type = SENDER_MEMBER, .index = g->own_leaf},
                    .authenticated_data = authenticated_data,
                    .type = type},
    };
}

struct err frame_sign(const struct mls_group *g, const struct sig_key *signer,
                      struct authenticated_content *content, struct signature *ret_signature)
{
    struct buf tbs = BUF_INIT;
    framed_content_write_tbs(&tbs, content->wire_format, &content->content,
                             public_group_context(&g->public));
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_sign(signer, LABEL_MLS, bytes_str("FramedContentTBS"), buf_view(&tbs),
                            ret_signature);
    buf_clear(&tbs);
    if (err_is_ok(err))
        content->auth.signature = signature_view(ret_signature);
    return err;
}

/* Zeros up to the next multiple of the block (RFC 9420 6.3.1). */
static struct err padding_for(const struct mls_group *g,
                              const struct authenticated_content *content, size_t *ret_padding)
{
    size_t block = g->config.padding_block;
    *ret_padding = 0;
    if (block == 0)
        return ERR_OK;
    struct buf text = BUF_INIT;
    private_content_write(&text, &content->content, &content->auth, 0);
    struct err err = buf_check(&text);
    if (err_is_ok(err))
        *ret_padding = (block - text.len % block) % block;
    buf_clear(&text);
    return err;
}

static struct err wrap_public(struct mls_group *g, const struct authenticated_content *content,
                              struct buf *b)
{
    struct mls_message m = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE,
                            .public_message = {.content = *content}};
    struct digest tag;
    if (content->content.sender.type == SENDER_MEMBER) {
        TRY(message_membership_tag(g->public.suite, &g->secrets.membership, content,
                                   public_group_context(&g->public), &tag));
        m.public_message.membership_tag = digest_view(&tag);
    }
    mls_message_write(b, &m);
    return buf_check(b);
}

struct err frame_wrap(struct mls_group *g, const struct rng *rng,
                      const struct authenticated_content *content, struct buf *b)
{
    if (content->wire_format == WIRE_FORMAT_PUBLIC_MESSAGE)
        return wrap_public(g, content, b);
    size_t padding;
    TRY(padding_for(g, content, &padding));
    struct message_keys keys = group_message_keys(g);
    /* struct { ProtocolVersion version; WireFormat wire_format; PrivateMessage; } */
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, WIRE_FORMAT_PRIVATE_MESSAGE);
    TRY(buf_check(b));
    return message_seal(&keys, rng, content, padding, b);
}
