#include "pb/shape.h"

bool shape_varint(struct bytes *in, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && in->len > 0; shift += 7) {
        uint8_t byte = *in->data;
        *in = bytes_of(in->data + 1, in->len - 1);
        value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* The contents of a field of this wire type; false when the input ends before it. */
static bool take_field(struct bytes *in, unsigned wire_type, struct bytes *ret_contents)
{
    uint64_t len = 0;
    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        *ret_contents = bytes_of(in->data, 0);
        return shape_varint(in, &len);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        len = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        len = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!shape_varint(in, &len))
            return false;
        break;
    default:
        return false;
    }
    if (len > in->len)
        return false;
    *ret_contents = bytes_of(in->data, (size_t)len);
    *in = bytes_of(in->data + len, in->len - (size_t)len);
    return true;
}

bool shape_field(struct bytes *in, uint32_t *ret_number, unsigned *ret_wire_type,
                 struct bytes *ret_contents)
{
    uint64_t key;
    if (!shape_varint(in, &key) || key >> 3 == 0 || key >> 3 > (1u << 29) - 1)
        return false;
    *ret_number = (uint32_t)(key >> 3);
    *ret_wire_type = (unsigned)(key & 7);
    return take_field(in, *ret_wire_type, ret_contents);
}

bool shape_fits(const ProtobufCMessageDescriptor *type, struct bytes in, unsigned depth)
{
    if (depth == 0)
        return false;
    while (in.len > 0) {
        uint32_t number;
        unsigned wire_type;
        struct bytes contents;
        if (!shape_field(&in, &number, &wire_type, &contents))
            return false;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, number);
        bool message = field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE &&
                       wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        if (message && !shape_fits(field->descriptor, contents, depth - 1))
            return false;
    }
    return true;
}
