#include "seal/connection_package.h"

#include "crypto/argon2.h"
#include "crypto/labelled.h"
#include "seal/names.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, HPKE_KEY_BYTES = 32, LOCAL_LEAST_BYTES = 3, LOCAL_MAX_BYTES = 63 };

static const char *const label = "ConnectionPackage";

struct err connection_package_make(struct buf *b, const struct connection_package *fields,
                                   const struct sig_key *handle_key)
{
    if (fields->hpke_key.len != HPKE_KEY_BYTES || fields->not_before > fields->not_after)
        return ERR(ARGUMENT);
    size_t mark = b->len;
    wire_write_u8(b, VERSION);
    wire_write_vector(b, fields->hpke_key);
    wire_write_u64(b, fields->not_before);
    wire_write_u64(b, fields->not_after);
    buf_append(b, fields->handle_hash, HANDLE_HASH_BYTES);
    wire_write_u8(b, fields->last_resort);
    struct signature signature;
    struct err err = buf_check(b);
    if (err_is_ok(err))
        err = labelled_sign(handle_key, LABEL_HEARTH, bytes_str(label),
                            bytes_of(b->data + mark, b->len - mark), &signature);
    if (err_is_ok(err)) {
        wire_write_vector(b, signature_view(&signature));
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = mark;
    return err;
}

struct err connection_package_read(struct bytes in, struct bytes handle_key,
                                   struct connection_package *ret_package)
{
    if (in.len > CONNECTION_PACKAGE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct connection_package package = {.whole = in};
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    package.hpke_key = wire_read_vector(&r);
    package.not_before = wire_read_u64(&r);
    package.not_after = wire_read_u64(&r);
    package.handle_hash = wire_read_fixed(&r, HANDLE_HASH_BYTES).data;
    package.last_resort = wire_read_present(&r);
    package.tbs = wire_reader_since(&r, from);
    package.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (package.hpke_key.len != HPKE_KEY_BYTES || package.not_before > package.not_after)
        return ERR(WIRE_VALUE);
    TRY(labelled_verify(&sig_ed25519, handle_key, LABEL_HEARTH, bytes_str(label), package.tbs,
                        package.signature));
    *ret_package = package;
    return ERR_OK;
}

void connection_package_hash(struct bytes whole, uint8_t ret_hash[32])
{
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 ConnectionPackageHash"), whole),
              &digest);
    memcpy(ret_hash, digest.data, 32);
}

struct err handle_check(struct bytes local)
{
    if (local.len < LOCAL_LEAST_BYTES || local.len > LOCAL_MAX_BYTES)
        return ERR(ARGUMENT);
    for (size_t i = 0; i < local.len; i++) {
        uint8_t c = local.data[i];
        bool letter = c >= 'a' && c <= 'z';
        bool inside = (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!letter && (i == 0 || !inside))
            return ERR(ARGUMENT);
    }
    return ERR_OK;
}

struct err handle_hash(struct bytes local, struct bytes domain, uint8_t ret_hash[HANDLE_HASH_BYTES])
{
    TRY(handle_check(local));
    TRY(domain_check(domain, true));
    struct digest salt;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 handle"), domain), &salt);
    uint8_t room[LOCAL_MAX_BYTES + 1 + DOMAIN_MAX_BYTES];
    struct buf handle = {.data = room, .cap = sizeof room, .limit = sizeof room};
    buf_append_bytes(&handle, local);
    buf_append_byte(&handle, '@');
    buf_append_bytes(&handle, domain);
    struct err err = argon2id(buf_view(&handle), salt.data, HANDLE_HASH_BYTES, ret_hash);
    bytes_wipe(room, sizeof room);
    return err;
}
