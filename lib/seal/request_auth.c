#include "seal/request_auth.h"

#include "crypto/labelled.h"
#include "seal/credential_chain.h"
#include "seal/names.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, PATH_MAX_BYTES = 256, TBS_MAX_BYTES = 1024, REF_LEAST = 32, REF_MOST = 64 };

/* Is this an id as its kind of caller has it? A form that can't be is refused before any look-up.
 */
static bool id_fits(enum request_caller kind, struct bytes id)
{
    struct client_id client;
    struct member_id member;
    switch (kind) {
    case REQUEST_CLIENT:
        return err_is_ok(client_id_parse(id, &client));
    case REQUEST_HANDLE:
        return id.len == 32;
    case REQUEST_QUEUE_USER:
    case REQUEST_QUEUE_CLIENT:
        return id.len == UUID_BYTES;
    case REQUEST_MEMBER:
        return err_is_ok(member_id_parse(id, &member));
    case REQUEST_JOINER: /* RFC 9420 5.2: a hash of the suite */
        return id.len >= REF_LEAST && id.len <= REF_MOST;
    case REQUEST_HOMESERVER:
        return err_is_ok(domain_check(id, true));
    case REQUEST_WITNESS:
        return id.len > 0 && id.len <= REQUEST_ID_MAX_BYTES;
    }
    return false;
}

struct err request_auth_parse(struct bytes in, struct request_auth *ret_auth)
{
    if (in.len > REQUEST_AUTH_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    struct request_auth auth;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    auth.kind = wire_read_u8(&r);
    auth.id = wire_read_vector(&r);
    auth.audience = wire_read_vector(&r);
    auth.time_ms = wire_read_u64(&r);
    auth.nonce = wire_read_fixed(&r, REQUEST_NONCE_BYTES).data;
    auth.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!id_fits(auth.kind, auth.id) || !err_is_ok(domain_check(auth.audience, true)) ||
        auth.signature.len > SIGNATURE_MAX_BYTES)
        return ERR(WIRE_VALUE);
    *ret_auth = auth;
    return ERR_OK;
}

/* What the metadata and the signed bytes have in common. */
static void common_write(struct buf *b, const struct request_auth *auth)
{
    wire_write_u8(b, VERSION);
    wire_write_u8(b, (uint8_t)auth->kind);
    wire_write_vector(b, auth->id);
    wire_write_vector(b, auth->audience);
    wire_write_u64(b, auth->time_ms);
    buf_append(b, auth->nonce, REQUEST_NONCE_BYTES);
}

/* The signed bytes, on the caller's stack: the server makes them for every request. */
static struct err tbs_write(const struct request_auth *auth, struct bytes path,
                            const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                            uint8_t room[TBS_MAX_BYTES], struct bytes *ret_tbs)
{
    if (path.len > PATH_MAX_BYTES || auth->audience.len > DOMAIN_MAX_BYTES ||
        !id_fits(auth->kind, auth->id))
        return ERR(ARGUMENT);
    /* the sizes above fit, so the buffer never grows */
    struct buf b = {.data = room, .cap = TBS_MAX_BYTES, .limit = TBS_MAX_BYTES};
    common_write(&b, auth);
    wire_write_vector(&b, path);
    buf_append(&b, body_hash, REQUEST_BODY_HASH_BYTES);
    *ret_tbs = buf_view(&b);
    return buf_check(&b);
}

struct err request_auth_sign_by(struct buf *b, const struct request_auth *auth, struct bytes path,
                                const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                                const struct credential_signer *signer)
{
    uint8_t room[TBS_MAX_BYTES];
    struct bytes tbs;
    struct signature signature;
    TRY(tbs_write(auth, path, body_hash, room, &tbs));
    TRY(signer->sign(signer->self, bytes_str("Request"), tbs, &signature));
    common_write(b, auth);
    wire_write_vector(b, signature_view(&signature));
    return buf_check(b);
}

struct err request_auth_sign(struct buf *b, const struct request_auth *auth, struct bytes path,
                             const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                             const struct sig_key *key)
{
    const struct credential_signer signer = credential_signer_of(key);
    return request_auth_sign_by(b, auth, path, body_hash, &signer);
}

struct err request_auth_verify(const struct request_auth *auth, struct bytes path,
                               const uint8_t body_hash[REQUEST_BODY_HASH_BYTES],
                               const struct sig_alg *alg, struct bytes public_key)
{
    uint8_t room[TBS_MAX_BYTES];
    struct bytes tbs;
    TRY(tbs_write(auth, path, body_hash, room, &tbs));
    return labelled_verify(alg, public_key, LABEL_HEARTH, bytes_str("Request"), tbs,
                           auth->signature);
}

struct err member_id_parse(struct bytes in, struct member_id *ret_id)
{
    struct wire_reader r = wire_reader_of(in);
    struct member_id id;
    struct domain_name group;
    id.group_id = wire_read_vector(&r);
    id.leaf_index = wire_read_u32(&r);
    TRY(wire_reader_end(&r));
    TRY(domain_name_parse(id.group_id, &group));
    *ret_id = id;
    return ERR_OK;
}

void member_id_write(struct buf *b, const struct member_id *id)
{
    wire_write_vector(b, id->group_id);
    wire_write_u32(b, id->leaf_index);
}
