/* The keys that GetKeys hands out as values of system labels (seal/system_keys.h). Made from the
 * very bytes that are handed out. */
#include "crypto/hash.h"
#include "seal/server_key.h"
#include "seal/system_keys.h"
#include "server/info/inside.h"
#include "wire/reader.h"

_Static_assert((int)KEYS_MOST <= (int)SYSTEM_KEYS_MOST, "system_keys.h");

enum { LABELS_MOST = 8 };

/* Our own statement, as it was made: nothing to verify. */
static struct err statement_key(struct bytes statement, struct system_key *key)
{
    struct wire_reader r = wire_reader_of(statement);
    (void)wire_read_u8(&r); /* version */
    (void)wire_read_u8(&r); /* use */
    key->algorithm = wire_read_u16(&r);
    (void)wire_read_u64(&r);
    (void)wire_read_u64(&r);
    (void)wire_read_vector(&r);
    key->key = wire_read_vector(&r);
    return wire_reader_check(&r);
}

static struct err write_row(struct bytes row, Hearth__V1__KeyUse use, struct buf *value)
{
    struct system_key key = {.use = (uint8_t)use};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    if (use == HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT ||
        use == HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING) {
        credential_fingerprint(row, fingerprint);
        key.key = bytes_of(fingerprint, sizeof fingerprint);
    } else if (use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS) {
        struct wire_reader r = wire_reader_of(row);
        (void)wire_read_vector(&r); /* the statement about it */
        key.key = wire_read_vector(&r);
        TRY(wire_reader_check(&r));
    } else {
        TRY(statement_key(row, &key));
    }
    system_key_write(value, &key);
    return buf_check(value);
}

static struct err write_value(const struct keys *keys, const char *name, struct buf *value)
{
    for (size_t i = 0; i < keys->count; i++) {
        const char *label = system_label_of(keys->rows[i].use);
        struct bytes row = bytes_of(keys->bytes.data + keys->rows[i].from, keys->rows[i].len);
        if (label == name)
            TRY(write_row(row, keys->rows[i].use, value));
    }
    return ERR_OK;
}

struct err keys_publish(const struct keys *keys, const struct info_options *options)
{
    struct info_value values[LABELS_MOST] = {[0] = {.name = NULL}};
    struct buf bytes[LABELS_MOST] = {[0] = BUF_INIT};
    struct err err = ERR_OK;
    size_t count = 0;
    for (; count < LABELS_MOST && system_labels[count] != NULL && err_is_ok(err); count++) {
        err = write_value(keys, system_labels[count], &bytes[count]);
        values[count] = (struct info_value){system_labels[count], buf_view(&bytes[count])};
    }
    if (err_is_ok(err))
        err = options->publish(options->publish_self, values, count);
    for (size_t i = 0; i < count; i++)
        buf_clear(&bytes[i]);
    return err;
}
