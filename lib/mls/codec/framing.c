#include "mls/codec/framing.h"

static void sender_read(struct wire_reader *r, struct sender *sender)
{
    uint8_t type = wire_read_u8(r);
    sender->index = 0;
    if (type == SENDER_MEMBER || type == SENDER_EXTERNAL)
        sender->index = wire_read_u32(r);
    else if (type != SENDER_NEW_MEMBER_PROPOSAL && type != SENDER_NEW_MEMBER_COMMIT)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    sender->type = (enum sender_type)type;
}

static void sender_write(struct buf *b, const struct sender *sender)
{
    wire_write_u8(b, (uint8_t)sender->type);
    if (sender->type == SENDER_MEMBER || sender->type == SENDER_EXTERNAL)
        wire_write_u32(b, sender->index);
}

void framed_body_read(struct wire_reader *r, struct arena *a, struct framed_content *content)
{
    switch (content->type) {
    case CONTENT_APPLICATION:
        content->application_data = wire_read_vector(r);
        break;
    case CONTENT_PROPOSAL:
        proposal_read(r, a, &content->proposal);
        break;
    case CONTENT_COMMIT:
        commit_read(r, a, &content->commit);
        break;
    default:
        wire_reader_fail(r, ERR_WIRE_VALUE);
    }
}

void framed_body_write(struct buf *b, const struct framed_content *content)
{
    switch (content->type) {
    case CONTENT_APPLICATION:
        wire_write_vector(b, content->application_data);
        break;
    case CONTENT_PROPOSAL:
        proposal_write(b, &content->proposal);
        break;
    case CONTENT_COMMIT:
        commit_write(b, &content->commit);
        break;
    }
}

void framed_content_read(struct wire_reader *r, struct arena *a, struct framed_content *content)
{
    const uint8_t *from = r->at;
    *content = (struct framed_content){.group_id = wire_read_vector(r)};
    content->epoch = wire_read_u64(r);
    sender_read(r, &content->sender);
    content->authenticated_data = wire_read_vector(r);
    content->type = (enum content_type)wire_read_u8(r);
    framed_body_read(r, a, content);
    content->raw = wire_reader_since(r, from);
}

void framed_content_write(struct buf *b, const struct framed_content *content)
{
    wire_write_vector(b, content->group_id);
    wire_write_u64(b, content->epoch);
    sender_write(b, &content->sender);
    wire_write_vector(b, content->authenticated_data);
    wire_write_u8(b, (uint8_t)content->type);
    framed_body_write(b, content);
}

static void write_as_received(struct buf *b, const struct framed_content *content)
{
    if (content->raw.len > 0)
        wire_write_fixed(b, content->raw);
    else
        framed_content_write(b, content);
}

void content_auth_read(struct wire_reader *r, enum content_type type, struct content_auth *auth)
{
    auth->signature = wire_read_vector(r);
    auth->confirmation_tag = type == CONTENT_COMMIT ? wire_read_vector(r) : bytes_of(NULL, 0);
}

void content_auth_write(struct buf *b, enum content_type type, const struct content_auth *auth)
{
    wire_write_vector(b, auth->signature);
    if (type == CONTENT_COMMIT)
        wire_write_vector(b, auth->confirmation_tag);
}

struct err authenticated_content_parse(struct bytes in, struct arena *a,
                                       struct authenticated_content *ret_content)
{
    struct wire_reader r = wire_reader_of(in);
    struct authenticated_content content = {.wire_format = wire_read_u16(&r)};
    const uint8_t *from = r.at;
    framed_content_read(&r, a, &content.content);
    content_auth_read(&r, content.content.type, &content.auth);
    content.raw_content_auth = wire_reader_since(&r, from);
    TRY(wire_reader_end(&r));
    *ret_content = content;
    return ERR_OK;
}

void authenticated_content_write(struct buf *b, const struct authenticated_content *content)
{
    wire_write_u16(b, content->wire_format);
    if (content->raw_content_auth.len > 0) {
        wire_write_fixed(b, content->raw_content_auth);
        return;
    }
    write_as_received(b, &content->content);
    content_auth_write(b, content->content.type, &content->auth);
}

void framed_content_write_tbs(struct buf *b, uint16_t wire_format,
                              const struct framed_content *content, struct bytes context)
{
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, wire_format);
    write_as_received(b, content);
    if (content->sender.type == SENDER_MEMBER || content->sender.type == SENDER_NEW_MEMBER_COMMIT)
        wire_write_fixed(b, context);
}

void confirmed_transcript_input_write(struct buf *b, const struct authenticated_content *content)
{
    wire_write_u16(b, content->wire_format);
    write_as_received(b, &content->content);
    wire_write_vector(b, content->auth.signature);
}

void framed_content_write_tbm(struct buf *b, const struct authenticated_content *content,
                              struct bytes context)
{
    framed_content_write_tbs(b, content->wire_format, &content->content, context);
    content_auth_write(b, content->content.type, &content->auth);
}
