#include "seal/server_key.h"

#include "crypto/labelled.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };

static bool fields_fit(const struct server_key *key, const struct credential *signing)
{
    return signing->kind == CREDENTIAL_AS_SIGNING && key->not_before <= key->not_after &&
           key->not_before >= signing->not_before && key->not_after <= signing->not_after &&
           bytes_equal(key->domain, signing->subject) && key->public_key.len > 0;
}

struct err server_key_make(struct buf *b, const struct server_key *fields,
                           const struct credential *signing, const struct credential_signer *sign)
{
    if (!fields_fit(fields, signing))
        return ERR(CREDENTIAL);
    size_t mark = b->len;
    wire_write_u8(b, VERSION);
    wire_write_u8(b, fields->use);
    wire_write_u16(b, fields->algorithm);
    wire_write_u64(b, fields->not_before);
    wire_write_u64(b, fields->not_after);
    wire_write_vector(b, fields->domain);
    wire_write_vector(b, fields->public_key);
    return credential_sign_tail(b, mark, sign, bytes_str("ServerKey"));
}

struct err server_key_read(struct bytes in, const struct credential *signing,
                           struct server_key *ret_key)
{
    if (in.len > SERVER_KEY_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct server_key key;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    key.use = wire_read_u8(&r);
    key.algorithm = wire_read_u16(&r);
    key.not_before = wire_read_u64(&r);
    key.not_after = wire_read_u64(&r);
    key.domain = wire_read_vector(&r);
    key.public_key = wire_read_vector(&r);
    key.tbs = wire_reader_since(&r, from);
    key.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!fields_fit(&key, signing))
        return ERR(CREDENTIAL);
    TRY(labelled_verify(&sig_ed25519, signing->public_key, LABEL_HEARTH, bytes_str("ServerKey"),
                        key.tbs, key.signature));
    *ret_key = key;
    return ERR_OK;
}
