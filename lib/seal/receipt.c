#include "seal/receipt.h"

#include "crypto/labelled.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1 };
#define LABEL bytes_str("Receipt")

struct err receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                        const struct credential_signer *sign)
{
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    size_t from = b->len;
    credential_fingerprint(signing, fingerprint);
    wire_write_u8(b, VERSION);
    wire_write_u16(b, fields->status);
    wire_write_u32(b, fields->hour);
    wire_write_fixed(b, bytes_of(fields->request_hash, RECEIPT_HASH_BYTES));
    wire_write_vector(b, fields->domain);
    wire_write_vector(b, fields->method);
    wire_write_fixed(b, bytes_of(fingerprint, sizeof fingerprint));
    struct err err = credential_sign_tail(b, from, sign, LABEL);
    if (err_is_ok(err) && b->len - from > RECEIPT_MAX_BYTES) {
        b->len = from;
        err = ERR(TOO_LARGE);
    }
    return err;
}

struct err receipt_read(struct bytes in, struct bytes signing, struct receipt *ret_receipt)
{
    struct wire_reader r = wire_reader_of(in);
    struct receipt got = {0};
    struct credential signer;
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    got.status = wire_read_u16(&r);
    got.hour = wire_read_u32(&r);
    got.request_hash = wire_read_fixed(&r, RECEIPT_HASH_BYTES).data;
    got.domain = wire_read_vector(&r);
    got.method = wire_read_vector(&r);
    got.signer = wire_read_fixed(&r, CREDENTIAL_FINGERPRINT_BYTES).data;
    struct bytes tbs = wire_reader_since(&r, in.data);
    struct bytes signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    TRY(credential_parse(signing, &signer));
    credential_fingerprint(signing, fingerprint);
    if (signer.kind != CREDENTIAL_AS_SIGNING || !bytes_equal(signer.subject, got.domain) ||
        memcmp(fingerprint, got.signer, sizeof fingerprint) != 0)
        return ERR(CREDENTIAL);
    TRY(labelled_verify(&sig_ed25519, signer.public_key, LABEL_HEARTH, LABEL, tbs, signature));
    *ret_receipt = got;
    return ERR_OK;
}
