#include "mls/member/psk.h"

#include "crypto/labelled.h"
#include "wire/writer.h"

/* struct { PreSharedKeyID id; uint16 index; uint16 count; } PSKLabel */
static struct err write_label(struct bytes id, size_t index, size_t count, struct buf *label)
{
    buf_reset_unwiped(label);
    wire_write_fixed(label, id);
    wire_write_u16(label, (uint16_t)index);
    wire_write_u16(label, (uint16_t)count);
    return buf_check(label);
}

/* psk_input[i] = ExpandWithLabel(KDF.Extract(0, psk[i]), "derived psk", PSKLabel, Nh), and
 * psk_secret[i+1] = KDF.Extract(psk_input[i], psk_secret[i]) */
static struct err mix(const struct suite *suite, struct bytes psk, struct bytes label,
                      struct secret *secret)
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct secret extracted, input = {0};
    kdf_extract(kdf, bytes_of(NULL, 0), BYTES_LIST(psk), &extracted);
    struct err err =
        labelled_expand(kdf, secret_view(&extracted), LABEL_MLS, bytes_str("derived psk"), label,
                        suite_hash_bytes(suite), &input);
    if (err_is_ok(err)) {
        struct secret mixed;
        kdf_extract(kdf, secret_view(&input), BYTES_LIST(secret_view(secret)), &mixed);
        *secret = mixed;
        secret_clear(&mixed);
    }
    secret_clear(&extracted);
    secret_clear(&input);
    return err;
}

struct err psk_secret_derive(const struct suite *suite, const struct psk_input *inputs,
                             size_t count, struct secret *ret_secret)
{
    if (count > PSK_INPUTS_MAX)
        return ERR(TOO_LARGE);
    struct secret secret;
    secret_set_zero(suite_hash_bytes(suite), &secret);
    struct buf label = BUF_INIT;
    struct err err = ERR_OK;
    for (size_t i = 0; i < count; i++) {
        TRY_OR(write_label(inputs[i].id, i, count, &label), err, out);
        TRY_OR(mix(suite, inputs[i].psk, buf_view(&label), &secret), err, out);
    }
    *ret_secret = secret;
out:
    buf_clear(&label);
    secret_clear(&secret);
    return err;
}
