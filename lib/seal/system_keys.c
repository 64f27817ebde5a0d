#include "seal/system_keys.h"

#include <string.h>

#include "wire/reader.h"
#include "wire/writer.h"

enum { AS_ROOT = 1, AS_SIGNING, QUEUE_SEALING, FEDERATION, EXTERNAL_SENDER = 7 };

enum { CREDENTIALS, SEALING, FEDERATION_KEYS, EXTERNAL_SENDERS, TOKEN_KEYS };
const char *const system_labels[] = {
    [CREDENTIALS] = "credentials",    [SEALING] = "sealing",
    [FEDERATION_KEYS] = "federation", [EXTERNAL_SENDERS] = "external-senders",
    [TOKEN_KEYS] = "token-keys",      NULL};

const char *system_label_of(unsigned use)
{
    switch (use) {
    case AS_ROOT:
    case AS_SIGNING:
        return system_labels[CREDENTIALS];
    case QUEUE_SEALING:
        return system_labels[SEALING];
    case FEDERATION:
        return system_labels[FEDERATION_KEYS];
    case EXTERNAL_SENDER:
        return system_labels[EXTERNAL_SENDERS];
    case SYSTEM_USE_TOKENS:
        return system_labels[TOKEN_KEYS];
    default:
        return NULL;
    }
}

void system_label_write(struct buf *b, const char *name)
{
    wire_write_u8(b, SYSTEM_LABEL_KIND);
    wire_write_fixed(b, bytes_str(name));
}

void system_key_write(struct buf *b, const struct system_key *key)
{
    wire_write_u8(b, key->use);
    wire_write_u16(b, key->algorithm);
    wire_write_vector(b, key->key);
}

struct err system_keys_parse(struct bytes value, struct system_key ret_keys[SYSTEM_KEYS_MOST],
                             size_t *ret_count)
{
    struct wire_reader r = wire_reader_of(value);
    size_t count = 0;
    while (wire_reader_left(&r) > 0) {
        if (count == SYSTEM_KEYS_MOST)
            return ERR(WIRE_LIMIT);
        struct system_key *key = &ret_keys[count++];
        key->use = wire_read_u8(&r);
        key->algorithm = wire_read_u16(&r);
        key->key = wire_read_vector(&r);
        TRY(wire_reader_check(&r));
    }
    TRY(wire_reader_end(&r));
    *ret_count = count;
    return ERR_OK;
}

struct err system_keys_find(struct bytes value, const struct system_key *key)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    size_t count = 0;
    TRY(system_keys_parse(value, keys, &count));
    for (size_t i = 0; i < count; i++)
        if (keys[i].use == key->use && keys[i].algorithm == key->algorithm &&
            bytes_equal(keys[i].key, key->key))
            return ERR_OK;
    return ERR(NOT_FOUND);
}
