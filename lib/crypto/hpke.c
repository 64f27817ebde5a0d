#include "crypto/hpke.h"

#include "crypto/hpke_kdf.h"

enum { MODE_BASE = 0, MODE_PSK = 1, PSK_MIN_BYTES = 32 };

/* RFC 9180 5.1: VerifyPSKInputs, and the PSK length of 5.1.2 */
static struct err check_psk(const struct hpke_psk *psk)
{
    if (psk != NULL && (psk->psk.len < PSK_MIN_BYTES || psk->psk_id.len == 0))
        return ERR(ARGUMENT);
    return ERR_OK;
}

/* key_schedule_context, RFC 9180 5.1 */
static void schedule_context(const struct hpke_suite *suite, struct bytes_list info,
                             const struct hpke_psk *psk, struct hpke_info *ret_info)
{
    struct hpke_kdf k = hpke_kdf_of_suite(suite);
    struct bytes none = bytes_of(NULL, 0);
    struct secret psk_id_hash, info_hash;
    hpke_labeled_extract(&k, none, "psk_id_hash", BYTES_LIST(psk != NULL ? psk->psk_id : none),
                         &psk_id_hash);
    hpke_labeled_extract(&k, none, "info_hash", info, &info_hash);
    ret_info->suite = suite;
    ret_info->context[0] = psk != NULL ? MODE_PSK : MODE_BASE;
    memcpy(ret_info->context + 1, psk_id_hash.data, psk_id_hash.len);
    memcpy(ret_info->context + 1 + psk_id_hash.len, info_hash.data, info_hash.len);
    ret_info->context_bytes = 1 + psk_id_hash.len + info_hash.len;
}

/* The rest of KeySchedule, RFC 9180 5.1; psk: the key or empty */
static struct err key_schedule(const struct hpke_info *info, const struct secret *shared,
                               struct bytes psk, struct hpke_ctx *ret_ctx)
{
    const struct hpke_suite *suite = info->suite;
    struct hpke_kdf k = hpke_kdf_of_suite(suite);
    struct bytes context = bytes_of(info->context, info->context_bytes);
    struct secret secret;
    hpke_labeled_extract(&k, secret_view(shared), "secret", BYTES_LIST(psk), &secret);
    struct hpke_ctx ctx = {.suite = suite};
    struct err err;
    if (suite->aead->ops != NULL) {
        TRY_OR(hpke_labeled_expand(&k, &secret, "key", context, suite->aead->key_bytes, &ctx.key),
               err, out);
        TRY_OR(hpke_labeled_expand(&k, &secret, "base_nonce", context, AEAD_NONCE_BYTES,
                                   &ctx.base_nonce),
               err, out);
    }
    TRY_OR(hpke_labeled_expand(&k, &secret, "exp", context, suite->kdf->hash->bytes,
                               &ctx.exporter_secret),
           err, out);
    *ret_ctx = ctx;
out:
    hpke_ctx_clear(&ctx);
    secret_clear(&secret);
    return err;
}

static struct bytes psk_key(const struct hpke_psk *psk)
{
    return psk != NULL ? psk->psk : bytes_of(NULL, 0);
}

static struct err setup_send(const struct hpke_info *info, const struct rng *rng,
                             struct bytes public_key, struct bytes psk, struct hpke_ctx *ret_ctx,
                             struct public_key *ret_enc)
{
    struct secret shared = {0};
    struct public_key enc;
    struct err err = kem_encap(info->suite->kem, rng, public_key, &shared, &enc);
    if (err_is_ok(err))
        err = key_schedule(info, &shared, psk, ret_ctx);
    if (err_is_ok(err))
        *ret_enc = enc;
    secret_clear(&shared);
    return err;
}

struct err hpke_setup_send(const struct hpke_suite *suite, const struct rng *rng,
                           struct bytes public_key, struct bytes_list info,
                           const struct hpke_psk *psk, struct hpke_ctx *ret_ctx,
                           struct public_key *ret_enc)
{
    TRY(check_psk(psk));
    struct hpke_info prepared;
    schedule_context(suite, info, psk, &prepared);
    return setup_send(&prepared, rng, public_key, psk_key(psk), ret_ctx, ret_enc);
}

struct err hpke_setup_receive(const struct hpke_suite *suite, struct bytes private_key,
                              struct bytes own_public, struct bytes enc, struct bytes_list info,
                              const struct hpke_psk *psk, struct hpke_ctx *ret_ctx)
{
    TRY(check_psk(psk));
    struct secret shared = {0};
    struct hpke_info prepared;
    struct err err = kem_decap(suite->kem, private_key, own_public, enc, &shared);
    schedule_context(suite, info, psk, &prepared);
    if (err_is_ok(err))
        err = key_schedule(&prepared, &shared, psk_key(psk), ret_ctx);
    secret_clear(&shared);
    return err;
}

void hpke_ctx_clear(struct hpke_ctx *ctx)
{
    bytes_wipe(ctx, sizeof *ctx);
}

/* ComputeNonce, RFC 9180 5.2. The numbers would allow 2^96 messages; 2^64 - 1 is where our counter
 * ends. */
static struct err next_nonce(const struct hpke_ctx *ctx, uint8_t nonce[AEAD_NONCE_BYTES])
{
    if (ctx->suite->aead->ops == NULL)
        return ERR(WRONG_STATE);
    if (ctx->sequence == UINT64_MAX)
        return ERR(CRYPTO_EXHAUSTED);
    memcpy(nonce, ctx->base_nonce.data, AEAD_NONCE_BYTES);
    for (size_t i = 0; i < sizeof ctx->sequence; i++)
        nonce[AEAD_NONCE_BYTES - 1 - i] ^= (uint8_t)(ctx->sequence >> 8 * i);
    return ERR_OK;
}

struct err hpke_ctx_seal(struct hpke_ctx *ctx, struct bytes aad, struct bytes plaintext,
                         uint8_t *ret_ciphertext)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    TRY(next_nonce(ctx, nonce));
    TRY(aead_seal(ctx->suite->aead, &ctx->key, nonce, aad, plaintext, ret_ciphertext));
    ctx->sequence++;
    return ERR_OK;
}

struct err hpke_ctx_open(struct hpke_ctx *ctx, struct bytes aad, struct bytes ciphertext,
                         uint8_t *ret_plaintext)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    TRY(next_nonce(ctx, nonce));
    TRY(aead_open(ctx->suite->aead, &ctx->key, nonce, aad, ciphertext, ret_plaintext));
    ctx->sequence++;
    return ERR_OK;
}

struct err hpke_ctx_export(const struct hpke_ctx *ctx, struct bytes exporter_context, size_t len,
                           struct secret *ret_secret)
{
    struct hpke_kdf k = hpke_kdf_of_suite(ctx->suite);
    return hpke_labeled_expand(&k, &ctx->exporter_secret, "sec", exporter_context, len, ret_secret);
}

void hpke_info_of(const struct hpke_suite *suite, struct bytes_list info,
                  struct hpke_info *ret_info)
{
    schedule_context(suite, info, NULL, ret_info);
}

struct err hpke_seal_with(const struct hpke_info *info, const struct rng *rng,
                          struct bytes public_key, struct bytes aad, struct bytes plaintext,
                          struct public_key *ret_enc, uint8_t *ret_ciphertext)
{
    struct hpke_ctx ctx;
    struct public_key enc;
    TRY(setup_send(info, rng, public_key, bytes_of(NULL, 0), &ctx, &enc));
    struct err err = hpke_ctx_seal(&ctx, aad, plaintext, ret_ciphertext);
    if (err_is_ok(err))
        *ret_enc = enc;
    hpke_ctx_clear(&ctx);
    return err;
}

struct err hpke_seal(const struct hpke_suite *suite, const struct rng *rng, struct bytes public_key,
                     struct bytes_list info, struct bytes aad, struct bytes plaintext,
                     struct public_key *ret_enc, uint8_t *ret_ciphertext)
{
    struct hpke_info prepared;
    schedule_context(suite, info, NULL, &prepared);
    return hpke_seal_with(&prepared, rng, public_key, aad, plaintext, ret_enc, ret_ciphertext);
}

struct err hpke_open(const struct hpke_suite *suite, struct bytes private_key,
                     struct bytes own_public, struct bytes enc, struct bytes_list info,
                     struct bytes aad, struct bytes ciphertext, uint8_t *ret_plaintext)
{
    struct hpke_ctx ctx;
    TRY(hpke_setup_receive(suite, private_key, own_public, enc, info, NULL, &ctx));
    struct err err = hpke_ctx_open(&ctx, aad, ciphertext, ret_plaintext);
    hpke_ctx_clear(&ctx);
    return err;
}
