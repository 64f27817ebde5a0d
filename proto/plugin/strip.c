/* A request without its services, field by field over the bytes: nothing else of it changes. */
#include "pb/shape.h"
#include "proto/plugin/plugin.h"

enum {
    REQUEST_PROTO_FILE = 15, /* CodeGeneratorRequest.proto_file */
    FILE_SERVICE = 6,        /* FileDescriptorProto.service */
};

static void put_varint(struct buf *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        buf_append_byte(out, (uint8_t)(value | 0x80));
    buf_append_byte(out, (uint8_t)value);
}

/* The file's fields but for its services. false: not a message. */
static bool strip_file(struct bytes in, struct buf *out)
{
    while (in.len > 0) {
        uint32_t number;
        unsigned wire_type;
        struct bytes contents;
        const uint8_t *begin = in.data;
        if (!shape_field(&in, &number, &wire_type, &contents))
            return false;
        if (number != FILE_SERVICE)
            buf_append(out, begin, (size_t)(in.data - begin));
    }
    return true;
}

static bool strip(struct bytes in, struct buf *file, struct buf *out)
{
    while (in.len > 0) {
        uint32_t number;
        unsigned wire_type;
        struct bytes contents;
        const uint8_t *begin = in.data;
        if (!shape_field(&in, &number, &wire_type, &contents))
            return false;
        if (number != REQUEST_PROTO_FILE || wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            buf_append(out, begin, (size_t)(in.data - begin));
            continue;
        }
        buf_reset_unwiped(file);
        if (!strip_file(contents, file))
            return false;
        put_varint(out, REQUEST_PROTO_FILE << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
        put_varint(out, file->len);
        buf_append_bytes(out, buf_view(file));
    }
    return true;
}

struct err plugin_strip_services(struct bytes request, struct buf *ret_request)
{
    if (request.len > PLUGIN_REQUEST_BYTES)
        return ERR(TOO_LARGE);
    struct buf file = BUF_INIT;
    struct buf out = BUF_INIT;
    struct err err = strip(request, &file, &out) ? ERR_OK : ERR(WIRE_VALUE);
    if (err_is_ok(err))
        err = buf_check(&file);
    if (err_is_ok(err))
        err = buf_check(&out);
    if (err_is_ok(err)) {
        buf_append_bytes(ret_request, buf_view(&out));
        err = buf_check(ret_request);
    }
    buf_clear(&file);
    buf_clear(&out);
    return err;
}
