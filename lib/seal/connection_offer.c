/* An offer as bytes, and sealed. Whether it is true: connection_verify.c. */
#include "seal/connection_offer.h"

#include "crypto/labelled.h"
#include "seal/envelope.h"
#include "seal/fan_out.h"
#include "seal/key_set.h"
#include "seal/pad.h"
#include "seal/text.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define LABEL bytes_str("ConnectionOffer")
#define INFO  bytes_str("Hearth 1 ConnectionOffer")

enum {
    VERSION = 1,
    HASH_BYTES = CONNECTION_OFFER_HASH_BYTES,
    /* of all versions together: what the largest of everything else leaves */
    KEY_SETS_MAX_BYTES = 11 * 1024,
    /* around the padded offer: vectors of 32 and of more than 63 bytes, and the tag */
    SEALED_OVERHEAD_BYTES = 1 + CONNECTION_KEY_BYTES + 2 + AEAD_TAG_BYTES,
    WHOLE_MAX_BYTES = CONNECTION_OFFER_LONG_BYTES - SEALED_OVERHEAD_BYTES - PAD_HEAD_BYTES,
    LENGTH_BYTES = 2, /* of a vector's length, for all of these */
    FIXED_BYTES = 1 + STATE_KEY_BYTES + IDENTITY_KEY_BYTES + FRIENDSHIP_BYTES +
                  CONNECTION_KEY_BYTES + HASH_BYTES,
};
_Static_assert((size_t)FIXED_BYTES + 8 * (size_t)LENGTH_BYTES + 2 * (size_t)CREDENTIAL_MAX_BYTES +
                       (size_t)KEY_SETS_MAX_BYTES + (size_t)NAME_MAX_BYTES +
                       (size_t)CONNECTION_HANDLE_MAX_BYTES + (size_t)CONNECTION_NAME_MAX_BYTES +
                       (size_t)CONNECTION_TEXT_MAX_BYTES + (size_t)SIGNATURE_MAX_BYTES <=
                   (size_t)WHOLE_MAX_BYTES,
               "the largest offer fits");
_Static_assert((int)KEY_SETS_MAX_BYTES >= (int)KEY_SET_MAX_BYTES + (int)LENGTH_BYTES, "");

void connection_offer_clear(struct connection_offer *offer)
{
    bytes_wipe(offer, sizeof *offer);
}

static void hash_of(const char *label, struct bytes whole, uint8_t ret_hash[HASH_BYTES])
{
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str(label), whole), &digest);
    memcpy(ret_hash, digest.data, HASH_BYTES);
    bytes_wipe(&digest, sizeof digest);
}

void connection_offer_hashes(struct bytes whole, struct connection_offer_hashes *ret_hashes)
{
    hash_of("Hearth 1 ConnectionOfferPskId", whole, ret_hashes->psk_id);
    hash_of("Hearth 1 ConnectionOfferPskSecret", whole, ret_hashes->psk);
    hash_of("Hearth 1 ConnectionOfferHash", whole, ret_hashes->hash);
}

struct err connection_offer_key_sets_write(struct buf *b, const struct bytes *versions,
                                           size_t count)
{
    if (count == 0)
        return ERR(ARGUMENT);
    size_t first = count, total = 0;
    for (; first > 0 && count - first < CONNECTION_KEY_SETS_MAX; first--) {
        size_t len = versions[first - 1].len;
        if (len > KEY_SET_MAX_BYTES || total + LENGTH_BYTES + len > KEY_SETS_MAX_BYTES)
            break;
        total += LENGTH_BYTES + len;
    }
    if (first == count)
        return ERR(TOO_LARGE);
    size_t mark = b->len;
    for (size_t i = first; i < count; i++)
        wire_write_vector(b, versions[i]);
    struct err err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
    return err;
}

/* ---- form */

static struct bytes read_limited(struct wire_reader *r, size_t most)
{
    struct bytes value = wire_read_vector(r);
    if (value.len > most)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    return value;
}

static struct err check_key_sets(struct bytes list)
{
    struct wire_reader r = wire_reader_of(list);
    size_t count = 0;
    for (; wire_reader_more(&r); count++) {
        if (count == CONNECTION_KEY_SETS_MAX)
            return ERR(WIRE_LIMIT);
        (void)read_limited(&r, KEY_SET_MAX_BYTES);
    }
    TRY(wire_reader_end(&r));
    return count > 0 ? ERR_OK : ERR(WIRE_VALUE);
}

/* local@domain */
static struct err check_handle(struct bytes handle)
{
    const uint8_t *at = handle.len > 0 ? memchr(handle.data, '@', handle.len) : NULL;
    if (handle.len == 0)
        return ERR_OK;
    size_t local = at != NULL ? (size_t)(at - handle.data) : handle.len;
    if (at == NULL || !err_is_ok(handle_check(bytes_of(handle.data, local))) ||
        !err_is_ok(domain_check(bytes_of(at + 1, handle.len - local - 1), true)))
        return ERR(WIRE_VALUE);
    return ERR_OK;
}

static struct err check_values(const struct connection_offer *offer)
{
    struct domain_name group;
    TRY(check_key_sets(offer->key_sets));
    TRY(domain_name_parse(offer->group_id, &group));
    TRY(check_handle(offer->handle));
    TRY(text_check(offer->display_name, false));
    return text_check(offer->text, true);
}

/* Fills *offer as it goes. */
static struct err read_offer(struct bytes whole, struct connection_offer *offer)
{
    struct wire_reader r = wire_reader_of(whole);
    const uint8_t *from = r.at;
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    offer->signing_credential = read_limited(&r, CREDENTIAL_MAX_BYTES);
    offer->client_credential = read_limited(&r, CREDENTIAL_MAX_BYTES);
    offer->key_sets = read_limited(&r, KEY_SETS_MAX_BYTES);
    offer->group_id = read_limited(&r, NAME_MAX_BYTES);
    offer->state_key = wire_read_fixed(&r, STATE_KEY_BYTES).data;
    offer->identity_key = wire_read_fixed(&r, IDENTITY_KEY_BYTES).data;
    friendship_read(&r, &offer->friendship);
    offer->answer_key = wire_read_fixed(&r, CONNECTION_KEY_BYTES).data;
    offer->package_hash = wire_read_fixed(&r, HASH_BYTES).data;
    offer->handle = read_limited(&r, CONNECTION_HANDLE_MAX_BYTES);
    offer->display_name = read_limited(&r, CONNECTION_NAME_MAX_BYTES);
    offer->text = read_limited(&r, CONNECTION_TEXT_MAX_BYTES);
    offer->tbs = wire_reader_since(&r, from);
    offer->signature = read_limited(&r, SIGNATURE_MAX_BYTES);
    offer->whole = whole;
    TRY(wire_reader_end(&r));
    return check_values(offer);
}

struct err connection_offer_parse(struct bytes whole, struct connection_offer *ret_offer)
{
    struct connection_offer offer = {0};
    struct err err = read_offer(whole, &offer);
    if (err_is_ok(err))
        *ret_offer = offer;
    connection_offer_clear(&offer);
    return err;
}

static void tbs_write(struct buf *b, const struct connection_offer *fields,
                      const uint8_t package_hash[HASH_BYTES])
{
    wire_write_u8(b, VERSION);
    wire_write_vector(b, fields->signing_credential);
    wire_write_vector(b, fields->client_credential);
    wire_write_vector(b, fields->key_sets);
    wire_write_vector(b, fields->group_id);
    wire_write_fixed(b, bytes_of(fields->state_key, STATE_KEY_BYTES));
    wire_write_fixed(b, bytes_of(fields->identity_key, IDENTITY_KEY_BYTES));
    friendship_write(b, &fields->friendship);
    wire_write_fixed(b, bytes_of(fields->answer_key, CONNECTION_KEY_BYTES));
    wire_write_fixed(b, bytes_of(package_hash, HASH_BYTES));
    wire_write_vector(b, fields->handle);
    wire_write_vector(b, fields->display_name);
    wire_write_vector(b, fields->text);
}

/* ---- the signature */

static struct err signed_write(struct buf *b, const uint8_t *handle_hash, struct bytes tbs)
{
    wire_write_fixed(b, bytes_of(handle_hash, HANDLE_HASH_BYTES));
    wire_write_vector(b, tbs);
    return buf_check(b);
}

static struct err sign(const struct sig_key *key, const uint8_t *handle_hash, struct bytes tbs,
                       struct signature *ret_signature)
{
    struct buf b = BUF_INIT;
    struct err err = signed_write(&b, handle_hash, tbs);
    if (err_is_ok(err))
        err = labelled_sign(key, LABEL_HEARTH, LABEL, buf_view(&b), ret_signature);
    buf_clear(&b);
    return err;
}

struct err connection_offer_check_signature(const struct connection_offer *offer,
                                            const uint8_t handle_hash[HANDLE_HASH_BYTES],
                                            struct bytes client_key)
{
    struct buf b = BUF_INIT;
    struct err err = signed_write(&b, handle_hash, offer->tbs);
    if (err_is_ok(err))
        err = labelled_verify(&sig_ed25519, client_key, LABEL_HEARTH, LABEL, buf_view(&b),
                              offer->signature);
    buf_clear(&b);
    return err;
}

/* ---- the seal */

/* Around the offer, so that what is sealed has one of two lengths; 0 when it fits neither. */
static size_t padded_bytes(size_t whole)
{
    size_t need = whole + PAD_HEAD_BYTES + SEALED_OVERHEAD_BYTES;
    if (need <= CONNECTION_OFFER_SHORT_BYTES)
        return CONNECTION_OFFER_SHORT_BYTES - SEALED_OVERHEAD_BYTES;
    return need <= CONNECTION_OFFER_LONG_BYTES ? CONNECTION_OFFER_LONG_BYTES - SEALED_OVERHEAD_BYTES
                                               : 0;
}

static struct err seal_whole(struct buf *b, const struct rng *rng, struct bytes package_key,
                             const uint8_t package_hash[HASH_BYTES], struct bytes whole)
{
    struct buf padded = BUF_INIT, sealed = BUF_INIT;
    struct public_key enc;
    struct err err;
    pad_write(&padded, whole, padded_bytes(whole.len));
    uint8_t *ciphertext = buf_extend(&sealed, padded.len + AEAD_TAG_BYTES);
    TRY_OR(buf_check(&padded), err, out);
    TRY_OR(buf_check(&sealed), err, out);
    TRY_OR(hpke_seal(seal_hpke, rng, package_key,
                     BYTES_LIST(INFO, bytes_of(package_hash, HASH_BYTES)), bytes_of(NULL, 0),
                     buf_view(&padded), &enc, ciphertext),
           err, out);
    size_t mark = b->len;
    wire_write_vector(b, public_key_view(&enc));
    wire_write_vector(b, buf_view(&sealed));
    err = buf_check(b);
    if (!err_is_ok(err))
        envelope_undo(b, mark);
out:
    buf_clear(&padded);
    buf_clear(&sealed);
    return err;
}

struct err connection_offer_seal(struct buf *b, const struct rng *rng,
                                 const struct connection_offer *fields,
                                 const struct connection_package *package,
                                 const struct sig_key *client_key,
                                 struct connection_offer_hashes *ret_hashes)
{
    struct buf whole = BUF_INIT;
    struct signature signature;
    struct connection_offer made;
    uint8_t package_hash[HASH_BYTES];
    struct err err;
    connection_package_hash(package->whole, package_hash);
    tbs_write(&whole, fields, package_hash);
    TRY_OR(buf_check(&whole), err, out);
    TRY_OR(sign(client_key, package->handle_hash, buf_view(&whole), &signature), err, out);
    wire_write_vector(&whole, signature_view(&signature));
    TRY_OR(buf_check(&whole), err, out);
    err = connection_offer_parse(buf_view(&whole), &made); /* nothing leaves that nobody reads */
    if (!err_is_ok(err)) {
        err = err.code == ERR_WIRE_LIMIT ? ERR(TOO_LARGE) : ERR(ARGUMENT);
        goto out;
    }
    connection_offer_clear(&made);
    TRY_OR(seal_whole(b, rng, package->hpke_key, package_hash, buf_view(&whole)), err, out);
    connection_offer_hashes(buf_view(&whole), ret_hashes);
out:
    buf_clear(&whole);
    return err;
}

static struct err read_padded(struct bytes padded, struct connection_offer *ret_offer)
{
    struct bytes whole;
    TRY(pad_read(padded, &whole));
    return connection_offer_parse(whole, ret_offer);
}

struct err connection_offer_open(struct bytes private_key, struct bytes public_key,
                                 const uint8_t package_hash[32], struct bytes sealed,
                                 struct buf *scratch, struct connection_offer *ret_offer)
{
    size_t mark = scratch->len;
    if (sealed.len > CONNECTION_OFFER_LONG_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(sealed);
    struct bytes enc = wire_read_vector(&r);
    struct bytes ciphertext = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    /* ME1: nobody of ours makes others */
    if (sealed.len != CONNECTION_OFFER_SHORT_BYTES && sealed.len != CONNECTION_OFFER_LONG_BYTES)
        return ERR(WIRE_VALUE);
    if (ciphertext.len < AEAD_TAG_BYTES)
        return ERR(CRYPTO_TAG);
    uint8_t *padded = buf_extend(scratch, ciphertext.len - AEAD_TAG_BYTES);
    TRY(buf_check(scratch));
    struct err err = hpke_open(seal_hpke, private_key, public_key, enc,
                               BYTES_LIST(INFO, bytes_of(package_hash, HASH_BYTES)),
                               bytes_of(NULL, 0), ciphertext, padded);
    if (err_is_ok(err))
        err = read_padded(bytes_of(padded, ciphertext.len - AEAD_TAG_BYTES), ret_offer);
    if (!err_is_ok(err))
        envelope_undo(scratch, mark);
    return err;
}
