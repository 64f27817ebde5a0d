/* Extensions, which protobuf-c keeps as unknown fields. */
#include "pb/shape.h"
#include "proto/plugin/model.h"

struct err option_find(const ProtobufCMessage *options, uint32_t number, struct arena *arena,
                       bool *ret_found, struct bytes *ret_value)
{
    *ret_found = false;
    *ret_value = bytes_of(NULL, 0);
    size_t total = 0;
    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields; i++)
        if (options->unknown_fields[i].tag == number)
            total += options->unknown_fields[i].len;
    if (total == 0)
        return ERR_OK;
    uint8_t *joined = arena_alloc(arena, total);
    if (joined == NULL)
        return ERR(NO_MEMORY);
    size_t len = 0;
    for (unsigned i = 0; i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *unknown = &options->unknown_fields[i];
        if (unknown->tag != number)
            continue;
        /* data holds the length as sent, then the contents */
        struct bytes data = bytes_of(unknown->data, unknown->len);
        uint64_t value_len;
        if (unknown->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED ||
            !shape_varint(&data, &value_len) || value_len != data.len)
            return ERR(WIRE_VALUE);
        if (data.len > 0)
            memcpy(joined + len, data.data, data.len);
        len += data.len;
    }
    *ret_found = true;
    *ret_value = bytes_of(joined, len);
    return ERR_OK;
}

struct err option_is_protobuf_c(const ProtobufCMessage *options, struct arena *arena, bool *ret_is)
{
    enum { PROTOBUF_C_OPTION = 1019 }; /* the registered number of all of them */
    struct bytes unused;
    return option_find(options, PROTOBUF_C_OPTION, arena, ret_is, &unused);
}
