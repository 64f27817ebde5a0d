#include "mls/codec/message.h"

void public_message_read(struct wire_reader *r, struct arena *a, struct public_message *m)
{
    const uint8_t *from = r->at;
    m->content.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE;
    framed_content_read(r, a, &m->content.content);
    content_auth_read(r, m->content.content.type, &m->content.auth);
    m->content.raw_content_auth = wire_reader_since(r, from);
    bool is_member = m->content.content.sender.type == SENDER_MEMBER;
    m->membership_tag = is_member ? wire_read_vector(r) : bytes_of(NULL, 0);
}

void public_message_write(struct buf *b, const struct public_message *m)
{
    framed_content_write(b, &m->content.content);
    content_auth_write(b, m->content.content.type, &m->content.auth);
    if (m->content.content.sender.type == SENDER_MEMBER)
        wire_write_vector(b, m->membership_tag);
}

void private_message_read(struct wire_reader *r, struct private_message *m)
{
    m->group_id = wire_read_vector(r);
    m->epoch = wire_read_u64(r);
    uint8_t type = wire_read_u8(r);
    if (type < CONTENT_APPLICATION || type > CONTENT_COMMIT)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    m->content_type = (enum content_type)type;
    m->authenticated_data = wire_read_vector(r);
    m->encrypted_sender_data = wire_read_vector(r);
    m->ciphertext = wire_read_vector(r);
}

void sender_data_aad_write(struct buf *b, const struct private_message *m)
{
    wire_write_vector(b, m->group_id);
    wire_write_u64(b, m->epoch);
    wire_write_u8(b, (uint8_t)m->content_type);
}

void private_content_aad_write(struct buf *b, const struct private_message *m)
{
    sender_data_aad_write(b, m); /* its first three fields are the same */
    wire_write_vector(b, m->authenticated_data);
}

void private_message_write(struct buf *b, const struct private_message *m)
{
    private_content_aad_write(b, m); /* and the message begins with all four */
    wire_write_vector(b, m->encrypted_sender_data);
    wire_write_vector(b, m->ciphertext);
}

struct err mls_message_peek(struct bytes in, uint16_t *ret_wire_format)
{
    struct wire_reader r = wire_reader_of(in);
    uint16_t version = wire_read_u16(&r);
    uint16_t wire_format = wire_read_u16(&r);
    TRY(wire_reader_check(&r));
    if (version != MLS_VERSION_MLS10)
        return ERR(MLS_VERSION);
    if (wire_format < WIRE_FORMAT_PUBLIC_MESSAGE || wire_format > WIRE_FORMAT_KEY_PACKAGE)
        return ERR(MLS_WIRE_FORMAT);
    *ret_wire_format = wire_format;
    return ERR_OK;
}

struct err mls_message_parse(struct bytes in, struct arena *a, struct mls_message *ret_message)
{
    struct mls_message m = {0};
    TRY(mls_message_peek(in, &m.wire_format));
    struct wire_reader r = wire_reader_of(in);
    (void)wire_read_u32(&r); /* version and wire format, just seen */
    switch (m.wire_format) {
    case WIRE_FORMAT_PUBLIC_MESSAGE:
        public_message_read(&r, a, &m.public_message);
        break;
    case WIRE_FORMAT_PRIVATE_MESSAGE:
        private_message_read(&r, &m.private_message);
        break;
    case WIRE_FORMAT_WELCOME:
        welcome_read(&r, &m.welcome);
        break;
    case WIRE_FORMAT_GROUP_INFO:
        group_info_read(&r, &m.group_info);
        break;
    default:
        key_package_read(&r, &m.key_package);
        /* RFC 9420 10: the version inside must be that of the MLSMessage */
        if (m.key_package.version != MLS_VERSION_MLS10)
            wire_reader_fail(&r, ERR_MLS_VERSION);
    }
    TRY(wire_reader_end(&r));
    *ret_message = m;
    return ERR_OK;
}

void mls_message_write(struct buf *b, const struct mls_message *message)
{
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, message->wire_format);
    switch (message->wire_format) {
    case WIRE_FORMAT_PUBLIC_MESSAGE:
        public_message_write(b, &message->public_message);
        break;
    case WIRE_FORMAT_PRIVATE_MESSAGE:
        private_message_write(b, &message->private_message);
        break;
    case WIRE_FORMAT_WELCOME:
        welcome_write(b, &message->welcome);
        break;
    case WIRE_FORMAT_GROUP_INFO:
        group_info_write(b, &message->group_info);
        break;
    default:
        key_package_write(b, &message->key_package);
    }
}

struct err sender_data_parse(struct bytes in, struct sender_data *ret_data)
{
    struct wire_reader r = wire_reader_of(in);
    struct sender_data data = {.leaf_index = wire_read_u32(&r)};
    data.generation = wire_read_u32(&r);
    struct bytes guard = wire_read_fixed(&r, REUSE_GUARD_BYTES);
    TRY(wire_reader_end(&r));
    memcpy(data.reuse_guard, guard.data, REUSE_GUARD_BYTES);
    *ret_data = data;
    return ERR_OK;
}

void sender_data_write(struct buf *b, const struct sender_data *data)
{
    wire_write_u32(b, data->leaf_index);
    wire_write_u32(b, data->generation);
    wire_write_fixed(b, bytes_of(data->reuse_guard, REUSE_GUARD_BYTES));
}

struct err private_content_parse(struct bytes in, struct arena *a, enum content_type type,
                                 struct framed_content *ret_content, struct content_auth *ret_auth)
{
    struct wire_reader r = wire_reader_of(in);
    struct framed_content body = {.type = type};
    struct content_auth auth = {0};
    framed_body_read(&r, a, &body);
    content_auth_read(&r, type, &auth);
    TRY(wire_reader_check(&r));
    /* RFC 9420 6.3.1: whatever remains is padding and MUST be zero. Looked at as a whole: it was
     * secret. */
    uint8_t any = 0;
    for (const uint8_t *p = r.at; p != r.end; p++)
        any = (uint8_t)(any | *p);
    if (any != 0)
        return ERR(MLS_PADDING);
    ret_content->type = type;
    if (type == CONTENT_APPLICATION)
        ret_content->application_data = body.application_data;
    else if (type == CONTENT_PROPOSAL)
        ret_content->proposal = body.proposal;
    else
        ret_content->commit = body.commit;
    *ret_auth = auth;
    return ERR_OK;
}

void private_content_write(struct buf *b, const struct framed_content *content,
                           const struct content_auth *auth, size_t padding_bytes)
{
    framed_body_write(b, content);
    content_auth_write(b, content->type, auth);
    uint8_t *zeros = buf_extend(b, padding_bytes);
    if (zeros != NULL)
        memset(zeros, 0, padding_bytes);
}
