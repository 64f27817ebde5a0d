/* The text is built and read with jansson; what a field is, its descriptor says. */
#include "client/core/json_message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

/* ---- writing */

static json_t *message_json(const ProtobufCMessage *message, unsigned depth);

static json_t *hex_json(const ProtobufCBinaryData *data)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * data->len + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < data->len; i++) {
        text[2 * i] = digits[data->data[i] >> 4];
        text[2 * i + 1] = digits[data->data[i] & 15];
    }
    json_t *json = json_stringn(text, 2 * data->len);
    free(text);
    return json;
}

static json_t *enum_json(const ProtobufCFieldDescriptor *field, int value)
{
    const ProtobufCEnumValue *named =
        protobuf_c_enum_descriptor_get_value(field->descriptor, value);
    return named != NULL ? json_string(named->name) : json_integer(value);
}

/* One value at `at`, as it lies in the struct. */
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_json(*(ProtobufCMessage *const *)at, depth + 1);
    case PROTOBUF_C_TYPE_BYTES:
        return hex_json(at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(field, *(const int *)at);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    default:
        return json_integer((json_int_t) * (const uint64_t *)at);
    }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    default:
        return 8;
    }
}

static json_t *field_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                          unsigned depth)
{
    const uint8_t *base = (const uint8_t *)message;
    const void *at = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
        const uint8_t *items = *(uint8_t *const *)at;
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            (void)json_array_append_new(list,
                                        value_json(field, items + i * value_bytes(field), depth));
        return list;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id)
        return NULL;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && *(void *const *)at == NULL)
        return NULL;
    return value_json(field, at, depth);
}

static json_t *message_json(const ProtobufCMessage *message, unsigned depth)
{
    json_t *json = json_object();
    if (depth > DEPTH_MAX)
        return json;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        json_t *value = field_json(message, field, depth);
        if (value != NULL)
            (void)json_object_set_new(json, field->name, value);
    }
    return json;
}

struct err json_message_write(const ProtobufCMessage *message, struct buf *b)
{
    json_t *json = message_json(message, 0);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(json);
    if (text == NULL)
        return ERR(NO_MEMORY);
    buf_append_bytes(b, bytes_str(text));
    free(text);
    return buf_check(b);
}

/* ---- reading: to the wire form, which protobuf-c then unpacks and checks */

struct reading {
    char *why;
};

static struct err put_message(struct reading *r, const ProtobufCMessageDescriptor *type,
                              json_t *json, struct buf *b, unsigned depth);

static struct err wrong(struct reading *r, const char *what, const char *name)
{
    (void)snprintf(r->why, 128, "%s: %s", name, what);
    return ERR(ARGUMENT);
}

static void put_varint(struct buf *b, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;
    do {
        bytes[len] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        value >>= 7;
        len++;
    } while (value > 0);
    buf_append_bytes(b, bytes_of(bytes, len));
}

static void put_delimited(struct buf *b, const ProtobufCFieldDescriptor *field, struct bytes value)
{
    put_varint(b, (uint64_t)field->id << 3 | 2);
    put_varint(b, value.len);
    buf_append_bytes(b, value);
}

static struct err hex_bytes(struct reading *r, const char *name, const char *text, struct buf *b)
{
    size_t len = strlen(text);
    if (len % 2 != 0)
        return wrong(r, "hex has two digits a byte", name);
    for (size_t i = 0; i < len; i += 2) {
        unsigned value;
        int used = 0;
        if (sscanf(text + i, "%2x%n", &value, &used) != 1 || used != 2)
            return wrong(r, "not hex", name);
        buf_append_bytes(b, bytes_of(&(uint8_t){(uint8_t)value}, 1));
    }
    return buf_check(b);
}

static struct err put_number(struct reading *r, const ProtobufCFieldDescriptor *field, json_t *json,
                             struct buf *b)
{
    int64_t value = json_integer_value(json);
    if (field->type == PROTOBUF_C_TYPE_ENUM && json_is_string(json)) {
        const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value_by_name(
            field->descriptor, json_string_value(json));
        if (named == NULL)
            return wrong(r, "no such value", field->name);
        value = named->value;
    } else if (json_is_boolean(json)) {
        value = json_is_true(json);
    } else if (!json_is_integer(json)) {
        return wrong(r, "a number is wanted", field->name);
    }
    put_varint(b, (uint64_t)field->id << 3);
    put_varint(b, (uint64_t)value);
    return buf_check(b);
}

static struct err put_value(struct reading *r, const ProtobufCFieldDescriptor *field, json_t *json,
                            struct buf *b, unsigned depth)
{
    struct buf inner = BUF_INIT;
    struct err err = ERR_OK;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        if (!json_is_string(json))
            return wrong(r, "a text is wanted", field->name);
        if (field->type == PROTOBUF_C_TYPE_STRING)
            buf_append_bytes(&inner, bytes_str(json_string_value(json)));
        else
            err = hex_bytes(r, field->name, json_string_value(json), &inner);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        err = put_message(r, field->descriptor, json, &inner, depth + 1);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        return wrong(r, "fields of this type are not used", field->name);
    default:
        return put_number(r, field, json, b);
    }
    if (err_is_ok(err))
        err = buf_check(&inner);
    if (err_is_ok(err))
        put_delimited(b, field, buf_view(&inner));
    buf_clear(&inner);
    return err_is_ok(err) ? buf_check(b) : err;
}

static struct err put_field(struct reading *r, const ProtobufCFieldDescriptor *field, json_t *json,
                            struct buf *b, unsigned depth)
{
    size_t i;
    json_t *item;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return put_value(r, field, json, b, depth);
    if (!json_is_array(json))
        return wrong(r, "a list is wanted", field->name);
    json_array_foreach(json, i, item) TRY(put_value(r, field, item, b, depth));
    return ERR_OK;
}

static struct err put_message(struct reading *r, const ProtobufCMessageDescriptor *type,
                              json_t *json, struct buf *b, unsigned depth)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json) || depth > DEPTH_MAX)
        return wrong(r, "an object is wanted", type->short_name);
    json_object_foreach(json, name, value)
    {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(type, name);
        if (field == NULL)
            return wrong(r, "no such field", name);
        TRY(put_field(r, field, value, b, depth));
    }
    return ERR_OK;
}

struct err json_message_read(const ProtobufCMessageDescriptor *type, const char *text,
                             char ret_why[128], ProtobufCMessage **ret_message)
{
    struct reading r = {.why = ret_why};
    struct buf b = BUF_INIT;
    json_error_t at;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    struct err err = ERR_OK;
    ret_why[0] = '\0';
    if (json == NULL) {
        (void)snprintf(ret_why, 128, "column %d: %.90s", at.column, at.text);
        return ERR(ARGUMENT);
    }
    err = put_message(&r, type, json, &b, 0);
    json_decref(json);
    if (err_is_ok(err)) {
        *ret_message = protobuf_c_message_unpack(type, NULL, b.len, b.data);
        err = *ret_message != NULL ? ERR_OK : ERR(NO_MEMORY);
    }
    buf_clear(&b);
    return err;
}
