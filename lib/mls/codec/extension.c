#include "mls/codec/extension.h"

struct wire_reader extensions_begin(const struct extensions *e)
{
    return wire_reader_of(e->raw);
}

bool extensions_next(struct wire_reader *it, struct extension *ret_x)
{
    if (!wire_reader_more(it))
        return false;
    ret_x->type = wire_read_u16(it);
    ret_x->data = wire_read_vector(it);
    return it->failure == ERR_NONE;
}

void extensions_read(struct wire_reader *r, struct extensions *e)
{
    e->raw = wire_read_vector(r);
    struct wire_reader it = extensions_begin(e);
    struct extension x;
    size_t count = 0;
    while (extensions_next(&it, &x)) {
        if (++count > MLS_MAX_EXTENSIONS)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
    }
    wire_reader_join(r, &it);
    if (r->failure != ERR_NONE)
        e->raw = bytes_of(NULL, 0);
}

void extensions_write(struct buf *b, const struct extensions *e)
{
    wire_write_vector(b, e->raw);
}

void extension_write(struct buf *b, uint16_t type, struct bytes data)
{
    wire_write_u16(b, type);
    wire_write_vector(b, data);
}

bool extensions_find(const struct extensions *e, uint16_t type, struct bytes *ret_data)
{
    struct wire_reader it = extensions_begin(e);
    struct extension x;
    while (extensions_next(&it, &x)) {
        if (x.type == type) {
            *ret_data = x.data;
            return true;
        }
    }
    return false;
}

bool extensions_unique(const struct extensions *e)
{
    /* at most MLS_MAX_EXTENSIONS, so comparing with the ones before is cheap */
    uint16_t seen[MLS_MAX_EXTENSIONS];
    size_t count = 0;
    struct wire_reader it = extensions_begin(e);
    struct extension x;
    while (extensions_next(&it, &x) && count < MLS_MAX_EXTENSIONS) {
        for (size_t i = 0; i < count; i++) {
            if (seen[i] == x.type)
                return false;
        }
        seen[count++] = x.type;
    }
    return true;
}

struct err required_capabilities_parse(struct bytes data,
                                       struct required_capabilities *ret_required)
{
    struct wire_reader r = wire_reader_of(data);
    struct required_capabilities required;
    u16_list_read(&r, MLS_MAX_REQUIRED, &required.extension_types);
    u16_list_read(&r, MLS_MAX_REQUIRED, &required.proposal_types);
    u16_list_read(&r, MLS_MAX_REQUIRED, &required.credential_types);
    TRY(wire_reader_end(&r));
    *ret_required = required;
    return ERR_OK;
}

void required_capabilities_write(struct buf *b, const struct required_capabilities *required)
{
    u16_list_write(b, &required->extension_types);
    u16_list_write(b, &required->proposal_types);
    u16_list_write(b, &required->credential_types);
}

struct err external_pub_parse(struct bytes data, struct bytes *ret_key)
{
    struct wire_reader r = wire_reader_of(data);
    struct bytes key = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_key = key;
    return ERR_OK;
}

static void external_sender_read(struct wire_reader *r, struct external_sender *sender)
{
    sender->signature_key = wire_read_vector(r);
    credential_read(r, &sender->credential);
}

struct err external_senders_check(struct bytes data)
{
    struct wire_reader r = wire_reader_of(data);
    struct wire_reader it = wire_read_nested(&r);
    struct external_sender sender;
    for (size_t count = 0; wire_reader_more(&it); count++) {
        if (count == MLS_MAX_EXTERNAL_SENDERS)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
        external_sender_read(&it, &sender);
    }
    wire_reader_join(&r, &it);
    return wire_reader_end(&r);
}

struct err external_senders_at(struct bytes data, uint32_t index,
                               struct external_sender *ret_sender)
{
    struct wire_reader r = wire_reader_of(data);
    struct wire_reader it = wire_read_nested(&r);
    struct external_sender sender;
    for (uint32_t i = 0; wire_reader_more(&it) && i < MLS_MAX_EXTERNAL_SENDERS; i++) {
        external_sender_read(&it, &sender);
        if (i == index && it.failure == ERR_NONE) {
            *ret_sender = sender;
            return ERR_OK;
        }
    }
    TRY(wire_reader_check(&it));
    return ERR(NOT_FOUND);
}

void external_sender_write(struct buf *b, const struct external_sender *sender)
{
    wire_write_vector(b, sender->signature_key);
    credential_write(b, &sender->credential);
}
