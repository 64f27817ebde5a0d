#include "server/keeper/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/writer.h"

enum { HEAD_BYTES = 4 };

static struct err send_all(int socket, struct bytes data)
{
    while (data.len > 0) {
        ssize_t put = send(socket, data.data, data.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ERR(KEEPER_GONE);
        data = bytes_of(data.data + put, data.len - (size_t)put);
    }
    return ERR_OK;
}

static struct err receive_all(int socket, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(socket, out, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR(KEEPER_GONE);
        out += got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

void frame_reset(struct buf *b)
{
    bytes_wipe(b->data, b->len);
    buf_reset_unwiped(b);
}

struct err frame_send(int socket, struct bytes body)
{
    uint8_t head[HEAD_BYTES];
    if (body.len > FRAME_MAX_BYTES)
        return ERR(TOO_LARGE);
    for (size_t i = 0; i < HEAD_BYTES; i++)
        head[i] = (uint8_t)(body.len >> (24 - 8 * i));
    /* small ones in one system call, for the sake of one wake-up at the other end */
    uint8_t whole[HEAD_BYTES + 1024];
    if (body.len > sizeof whole - HEAD_BYTES) {
        TRY(send_all(socket, bytes_of(head, HEAD_BYTES)));
        return send_all(socket, body);
    }
    memcpy(whole, head, HEAD_BYTES);
    if (body.len > 0)
        memcpy(whole + HEAD_BYTES, body.data, body.len);
    struct err err = send_all(socket, bytes_of(whole, HEAD_BYTES + body.len));
    bytes_wipe(whole, HEAD_BYTES + body.len);
    return err;
}

struct err frame_receive(int socket, struct buf *b)
{
    uint8_t head[HEAD_BYTES];
    size_t len = 0;
    frame_reset(b);
    TRY(receive_all(socket, head, sizeof head));
    for (size_t i = 0; i < HEAD_BYTES; i++)
        len = len << 8 | head[i];
    if (len > FRAME_MAX_BYTES)
        return ERR(KEEPER_GONE);
    uint8_t *room = buf_extend(b, len);
    TRY(buf_check(b));
    return receive_all(socket, room, len);
}

void frame_write_ref(struct buf *b, const struct queue_ref *ref)
{
    wire_write_fixed(b, bytes_of(ref->queue_client_id, QUEUE_ID_BYTES));
    wire_write_fixed(b, bytes_of(ref->tag, QUEUE_TAG_BYTES));
    wire_write_present(b, ref->has_push_token_key);
    wire_write_fixed(b, bytes_of(ref->push_token_key, PUSH_TOKEN_KEY_BYTES));
    wire_write_vector(b, signature_view(&ref->signature));
}

void frame_read_ref(struct wire_reader *r, struct queue_ref *ret_ref)
{
    struct bytes id = wire_read_fixed(r, QUEUE_ID_BYTES);
    struct bytes tag = wire_read_fixed(r, QUEUE_TAG_BYTES);
    bool has_key = wire_read_present(r);
    struct bytes key = wire_read_fixed(r, PUSH_TOKEN_KEY_BYTES);
    struct bytes signature = wire_read_vector(r);
    if (signature.len > SIGNATURE_MAX_BYTES)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    if (!err_is_ok(wire_reader_check(r)))
        return;
    *ret_ref = (struct queue_ref){.has_push_token_key = has_key, .signature.len = signature.len};
    memcpy(ret_ref->queue_client_id, id.data, id.len);
    memcpy(ret_ref->tag, tag.data, tag.len);
    memcpy(ret_ref->push_token_key, key.data, key.len);
    if (signature.len > 0)
        memcpy(ret_ref->signature.data, signature.data, signature.len);
}
