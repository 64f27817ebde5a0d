#include "rpc/metadata.h"

#include "rpc/base64.h"

static struct err append(struct metadata *m, struct arena *arena, struct bytes name,
                         struct bytes value)
{
    struct metadata_entry *entry = arena_alloc(arena, sizeof *entry);
    char *name_copy = arena_strndup(arena, (const char *)name.data, name.len);
    char *value_copy = arena_strndup(arena, (const char *)value.data, value.len);
    if (entry == NULL || name_copy == NULL || value_copy == NULL)
        return ERR(TOO_LARGE);
    entry->name = bytes_of(name_copy, name.len);
    entry->value = bytes_of(value_copy, value.len);
    if (m->last != NULL)
        m->last->next = entry;
    else
        m->first = entry;
    m->last = entry;
    m->count++;
    return ERR_OK;
}

static struct err append_decoded(struct metadata *m, struct arena *arena, struct bytes name,
                                 struct bytes text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    uint8_t *raw = arena_alloc(arena, text.len / 4 * 3 + 3);
    if (raw == NULL)
        return ERR(TOO_LARGE);
    size_t raw_len = 0;
    TRY(base64_decode(text, raw, &raw_len));
    return append(m, arena, name, bytes_of(raw, raw_len));
}

struct err metadata_add_wire(struct metadata *m, struct arena *arena, struct bytes name,
                             struct bytes value)
{
    if (!metadata_is_bin(name))
        return append(m, arena, name, value);
    for (;;) {
        const uint8_t *comma = value.len > 0 ? memchr(value.data, ',', value.len) : NULL;
        if (comma == NULL)
            return append_decoded(m, arena, name, value);
        size_t head = (size_t)(comma - value.data);
        TRY(append_decoded(m, arena, name, bytes_of(value.data, head)));
        value = bytes_of(comma + 1, value.len - head - 1);
    }
}

/* Whitespace around a value is not part of it (RFC 9113 8.2.1 refuses it). */
static struct bytes trim(struct bytes text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* What the runtime sends itself, and what HTTP/2 forbids (RFC 9113 8.2.2). */
static bool is_reserved(struct bytes name)
{
    static const char *const names[] = {
        "connection", "content-length",    "content-type", "host",       "keep-alive",
        "te",         "transfer-encoding", "upgrade",      "user-agent", "proxy-connection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (bytes_equal(name, bytes_str(names[i])))
            return true;
    }
    return false;
}

static bool name_is_good(struct bytes name)
{
    if (name.len == 0 || (name.len >= 5 && memcmp(name.data, "grpc-", 5) == 0))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool good =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

struct err metadata_add(struct metadata *m, struct arena *arena, struct bytes name,
                        struct bytes value)
{
    if (!name_is_good(name))
        return ERR(ARGUMENT);
    if (is_reserved(name))
        return ERR(ARGUMENT);
    if (!metadata_is_bin(name)) {
        value = trim(value);
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] < 0x20 || value.data[i] > 0x7e)
                return ERR(ARGUMENT);
        }
    }
    return append(m, arena, name, value);
}

const struct metadata_entry *metadata_find(const struct metadata *m, struct bytes name, size_t n)
{
    for (const struct metadata_entry *e = m->first; e != NULL; e = e->next) {
        if (bytes_equal(e->name, name) && n-- == 0)
            return e;
    }
    return NULL;
}

struct bytes metadata_wire_value(const struct metadata_entry *entry, struct arena *arena)
{
    if (!metadata_is_bin(entry->name))
        return entry->value;
    size_t len = base64_size(entry->value.len);
    char *text = arena_alloc(arena, len);
    if (text == NULL)
        return bytes_of(NULL, 0);
    base64_encode(entry->value, text);
    return bytes_of(text, len);
}
