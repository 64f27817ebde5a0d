#include "seal/credential_chain.h"

#include "crypto/labelled.h"
#include "seal/names.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, SUITE = 1 };

static const uint8_t no_signer[CREDENTIAL_FINGERPRINT_BYTES];

static struct bytes label_of(enum credential_kind kind)
{
    switch (kind) {
    case CREDENTIAL_AS_ROOT:
        return bytes_str("AsCredential");
    case CREDENTIAL_AS_SIGNING:
        return bytes_str("AsSigningCredential");
    case CREDENTIAL_CLIENT:
        return bytes_str("ClientCredential");
    }
    return bytes_of(NULL, 0);
}

/* The subject's domain; false when the subject is not one of its kind. */
static bool subject_domain(enum credential_kind kind, struct bytes subject,
                           struct bytes *ret_domain)
{
    struct client_id id;
    if (kind != CREDENTIAL_CLIENT) {
        *ret_domain = subject;
        return err_is_ok(domain_check(subject, true));
    }
    if (!err_is_ok(client_id_parse(subject, &id)))
        return false;
    *ret_domain = id.user.domain;
    return true;
}

static bool fields_fit(const struct credential *c)
{
    struct bytes domain;
    return c->kind >= CREDENTIAL_AS_ROOT && c->kind <= CREDENTIAL_CLIENT &&
           c->not_before <= c->not_after && c->public_key.len == CREDENTIAL_KEY_BYTES &&
           subject_domain(c->kind, c->subject, &domain);
}

static bool is_root_signer(const uint8_t signer[CREDENTIAL_FINGERPRINT_BYTES])
{
    return memcmp(signer, no_signer, CREDENTIAL_FINGERPRINT_BYTES) == 0;
}

struct err credential_parse(struct bytes in, struct credential *ret_credential)
{
    if (in.len > CREDENTIAL_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct credential c = {.whole = in};
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    c.kind = wire_read_u8(&r);
    if (wire_read_u16(&r) != SUITE)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    c.not_before = wire_read_u64(&r);
    c.not_after = wire_read_u64(&r);
    c.signer = wire_read_fixed(&r, CREDENTIAL_FINGERPRINT_BYTES).data;
    c.subject = wire_read_vector(&r);
    c.public_key = wire_read_vector(&r);
    c.tbs = wire_reader_since(&r, from);
    c.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!fields_fit(&c) || (c.kind == CREDENTIAL_AS_ROOT) != is_root_signer(c.signer))
        return ERR(CREDENTIAL);
    *ret_credential = c;
    return ERR_OK;
}

void credential_fingerprint(struct bytes whole,
                            uint8_t ret_fingerprint[CREDENTIAL_FINGERPRINT_BYTES])
{
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 Credential"), whole), &digest);
    memcpy(ret_fingerprint, digest.data, CREDENTIAL_FINGERPRINT_BYTES);
}

/* May this signer sign such a child? Everything but the signature and the fingerprint. */
static bool link_fits(const struct credential *child, const struct credential *signer)
{
    struct bytes of_child, of_signer;
    return signer->kind + 1 == child->kind && child->not_before >= signer->not_before &&
           child->not_after <= signer->not_after &&
           subject_domain(child->kind, child->subject, &of_child) &&
           subject_domain(signer->kind, signer->subject, &of_signer) &&
           bytes_equal(of_child, of_signer);
}

static struct err sign_with_key(void *self, struct bytes label, struct bytes content,
                                struct signature *ret_signature)
{
    const struct sig_key *key = self;
    return labelled_sign(key, LABEL_HEARTH, label, content, ret_signature);
}

struct credential_signer credential_signer_of(const struct sig_key *key)
{
    union {
        const struct sig_key *given;
        void *self;
    } door = {.given = key}; /* only read behind it */
    return (struct credential_signer){sign_with_key, door.self};
}

struct err credential_sign_tail(struct buf *b, size_t mark, const struct credential_signer *sign,
                                struct bytes label)
{
    struct signature signature;
    struct err err = buf_check(b);
    if (err_is_ok(err))
        err = sign->sign(sign->self, label, bytes_of(b->data + mark, b->len - mark), &signature);
    if (err_is_ok(err)) {
        wire_write_vector(b, signature_view(&signature));
        err = buf_check(b);
    }
    if (!err_is_ok(err))
        b->len = mark;
    return err;
}

struct err credential_make(struct buf *b, const struct credential *fields,
                           const struct credential *signer, const struct credential_signer *sign)
{
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES] = {0};
    bool fits = fields_fit(fields) &&
                (signer != NULL ? link_fits(fields, signer) : fields->kind == CREDENTIAL_AS_ROOT);
    if (!fits)
        return ERR(CREDENTIAL);
    if (signer != NULL)
        credential_fingerprint(signer->whole, fingerprint);
    size_t mark = b->len;
    wire_write_u8(b, VERSION);
    wire_write_u8(b, (uint8_t)fields->kind);
    wire_write_u16(b, SUITE);
    wire_write_u64(b, fields->not_before);
    wire_write_u64(b, fields->not_after);
    buf_append(b, fingerprint, sizeof fingerprint);
    wire_write_vector(b, fields->subject);
    wire_write_vector(b, fields->public_key);
    return credential_sign_tail(b, mark, sign, label_of(fields->kind));
}

struct err credential_verify(const struct credential *credential, const struct credential *signer)
{
    if (signer == NULL) {
        if (credential->kind != CREDENTIAL_AS_ROOT)
            return ERR(CREDENTIAL);
        signer = credential;
    } else {
        uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
        credential_fingerprint(signer->whole, fingerprint);
        if (!link_fits(credential, signer) ||
            memcmp(fingerprint, credential->signer, sizeof fingerprint) != 0)
            return ERR(CREDENTIAL);
    }
    return labelled_verify(&sig_ed25519, signer->public_key, LABEL_HEARTH,
                           label_of(credential->kind), credential->tbs, credential->signature);
}

static bool valid_at(const struct credential *c, uint64_t now)
{
    return c->not_before <= now && now <= c->not_after;
}

struct err credential_chain_verify(const struct credential *root, const struct credential *signing,
                                   const struct credential *client, uint64_t now)
{
    TRY(credential_verify(root, NULL));
    TRY(credential_verify(signing, root));
    if (client != NULL)
        TRY(credential_verify(client, signing));
    bool valid =
        valid_at(root, now) && valid_at(signing, now) && (client == NULL || valid_at(client, now));
    return valid ? ERR_OK : ERR(CREDENTIAL_TIME);
}

static const char *const request_label = "ClientCredentialRequest";

static bool request_fits(struct bytes client_id, struct bytes public_key)
{
    struct client_id id;
    return public_key.len == CREDENTIAL_KEY_BYTES && err_is_ok(client_id_parse(client_id, &id));
}

struct err credential_request_make(struct buf *b, struct bytes client_id, const struct sig_key *key)
{
    struct bytes public_key = public_key_view(&key->public_key);
    if (!request_fits(client_id, public_key))
        return ERR(CREDENTIAL);
    struct credential_signer sign = credential_signer_of(key);
    size_t mark = b->len;
    wire_write_u8(b, VERSION);
    wire_write_u16(b, SUITE);
    wire_write_vector(b, client_id);
    wire_write_vector(b, public_key);
    return credential_sign_tail(b, mark, &sign, bytes_str(request_label));
}

struct err credential_request_read(struct bytes in, struct credential_request *ret_request)
{
    if (in.len > CREDENTIAL_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct credential_request request;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    if (wire_read_u16(&r) != SUITE)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    request.client_id = wire_read_vector(&r);
    request.public_key = wire_read_vector(&r);
    request.tbs = wire_reader_since(&r, from);
    request.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!request_fits(request.client_id, request.public_key))
        return ERR(CREDENTIAL);
    TRY(labelled_verify(&sig_ed25519, request.public_key, LABEL_HEARTH, bytes_str(request_label),
                        request.tbs, request.signature));
    *ret_request = request;
    return ERR_OK;
}

static const uint8_t *entry_at(struct bytes list, size_t i)
{
    return list.data + i * CREDENTIAL_FINGERPRINT_BYTES;
}

static bool list_fits(struct bytes list)
{
    size_t count = list.len / CREDENTIAL_FINGERPRINT_BYTES;
    if (list.len % CREDENTIAL_FINGERPRINT_BYTES != 0 || count > REVOCATIONS_MAX)
        return false;
    for (size_t i = 1; i < count; i++) {
        if (memcmp(entry_at(list, i - 1), entry_at(list, i), CREDENTIAL_FINGERPRINT_BYTES) >= 0)
            return false;
    }
    return true;
}

struct err revocations_make(struct buf *b, const struct revocations *fields,
                            const struct credential_signer *sign)
{
    if (!list_fits(fields->list) || !err_is_ok(domain_check(fields->domain, true)))
        return ERR(CREDENTIAL);
    size_t mark = b->len;
    wire_write_u8(b, VERSION);
    wire_write_u64(b, fields->number);
    wire_write_u64(b, fields->time);
    wire_write_vector(b, fields->domain);
    wire_write_vector(b, fields->list);
    return credential_sign_tail(b, mark, sign, bytes_str("Revocations"));
}

struct err revocations_read(struct bytes in, const struct credential *signing,
                            struct revocations *ret_revocations)
{
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    struct revocations list;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    list.number = wire_read_u64(&r);
    list.time = wire_read_u64(&r);
    list.domain = wire_read_vector(&r);
    list.list = wire_read_vector(&r);
    list.tbs = wire_reader_since(&r, from);
    list.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (signing->kind != CREDENTIAL_AS_SIGNING || !bytes_equal(list.domain, signing->subject) ||
        !list_fits(list.list))
        return ERR(CREDENTIAL);
    TRY(labelled_verify(&sig_ed25519, signing->public_key, LABEL_HEARTH, bytes_str("Revocations"),
                        list.tbs, list.signature));
    *ret_revocations = list;
    return ERR_OK;
}

bool revocations_has(const struct revocations *r,
                     const uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES])
{
    size_t low = 0, high = r->list.len / CREDENTIAL_FINGERPRINT_BYTES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(entry_at(r->list, middle), fingerprint, CREDENTIAL_FINGERPRINT_BYTES);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
