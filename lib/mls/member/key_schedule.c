#include "mls/member/key_schedule.h"

static const struct bytes none;

void epoch_secrets_clear(struct epoch_secrets *secrets)
{
    bytes_wipe(secrets, sizeof *secrets);
}

static struct err derive(const struct suite *suite, const struct secret *from, const char *label,
                         struct secret *ret_secret)
{
    return labelled_derive_secret(suite->hpke.kdf, secret_view(from), LABEL_MLS, bytes_str(label),
                                  ret_secret);
}

struct err key_schedule_joiner(const struct suite *suite, const struct secret *init_secret,
                               const struct secret *commit_secret, struct bytes group_context,
                               struct secret *ret_joiner)
{
    struct secret mixed;
    kdf_extract(suite->hpke.kdf, secret_view(init_secret), BYTES_LIST(secret_view(commit_secret)),
                &mixed);
    struct err err =
        labelled_expand(suite->hpke.kdf, secret_view(&mixed), LABEL_MLS, bytes_str("joiner"),
                        group_context, suite_hash_bytes(suite), ret_joiner);
    secret_clear(&mixed);
    return err;
}

/* KDF.Extract(joiner_secret, psk_secret), from which both the welcome and the epoch secret come */
static void mix_psk(const struct suite *suite, const struct secret *joiner,
                    const struct secret *psk_secret, struct secret *ret_mixed)
{
    kdf_extract(suite->hpke.kdf, secret_view(joiner), BYTES_LIST(secret_view(psk_secret)),
                ret_mixed);
}

struct err key_schedule_welcome(const struct suite *suite, const struct secret *joiner,
                                const struct secret *psk_secret, struct secret *ret_welcome)
{
    struct secret mixed;
    mix_psk(suite, joiner, psk_secret, &mixed);
    struct err err = derive(suite, &mixed, "welcome", ret_welcome);
    secret_clear(&mixed);
    return err;
}

struct err key_schedule_welcome_key(const struct suite *suite, const struct secret *welcome_secret,
                                    struct secret *ret_key, uint8_t ret_nonce[AEAD_NONCE_BYTES])
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct bytes from = secret_view(welcome_secret);
    struct secret key = {0};
    TRY(labelled_expand(kdf, from, LABEL_MLS, bytes_str("key"), none, suite->hpke.aead->key_bytes,
                        &key));
    struct err err = labelled_expand_into(kdf, from, LABEL_MLS, bytes_str("nonce"), none,
                                          AEAD_NONCE_BYTES, ret_nonce);
    if (err_is_ok(err))
        *ret_key = key;
    secret_clear(&key);
    return err;
}

struct err key_schedule_from_epoch_secret(const struct suite *suite,
                                          const struct secret *epoch_secret,
                                          struct epoch_secrets *ret_secrets)
{
    struct epoch_secrets s = {0};
    struct err err;
    /* RFC 9420 8, table 4 */
    TRY_OR(derive(suite, epoch_secret, "init", &s.init), err, out);
    TRY_OR(derive(suite, epoch_secret, "sender data", &s.sender_data), err, out);
    TRY_OR(derive(suite, epoch_secret, "encryption", &s.encryption), err, out);
    TRY_OR(derive(suite, epoch_secret, "exporter", &s.exporter), err, out);
    TRY_OR(derive(suite, epoch_secret, "external", &s.external), err, out);
    TRY_OR(derive(suite, epoch_secret, "confirm", &s.confirmation), err, out);
    TRY_OR(derive(suite, epoch_secret, "membership", &s.membership), err, out);
    TRY_OR(derive(suite, epoch_secret, "resumption", &s.resumption), err, out);
    TRY_OR(derive(suite, epoch_secret, "authentication", &s.authenticator), err, out);
    *ret_secrets = s;
out:
    epoch_secrets_clear(&s);
    return err;
}

struct err key_schedule_epoch(const struct suite *suite, const struct secret *joiner,
                              const struct secret *psk_secret, struct bytes group_context,
                              struct epoch_secrets *ret_secrets)
{
    struct secret mixed, epoch_secret = {0};
    mix_psk(suite, joiner, psk_secret, &mixed);
    struct err err =
        labelled_expand(suite->hpke.kdf, secret_view(&mixed), LABEL_MLS, bytes_str("epoch"),
                        group_context, suite_hash_bytes(suite), &epoch_secret);
    secret_clear(&mixed);
    if (err_is_ok(err))
        err = key_schedule_from_epoch_secret(suite, &epoch_secret, ret_secrets);
    secret_clear(&epoch_secret);
    return err;
}

struct err key_schedule_export(const struct suite *suite, const struct secret *exporter_secret,
                               struct bytes label, struct bytes context, size_t len,
                               uint8_t *ret_out)
{
    const struct kdf_alg *kdf = suite->hpke.kdf;
    struct secret derived = {0};
    TRY(labelled_derive_secret(kdf, secret_view(exporter_secret), LABEL_MLS, label, &derived));
    struct digest hashed;
    hash_once(suite->hash, context, &hashed);
    struct err err =
        labelled_expand_into(kdf, secret_view(&derived), LABEL_MLS, bytes_str("exported"),
                             digest_view(&hashed), len, ret_out);
    secret_clear(&derived);
    return err;
}

struct err key_schedule_external_pair(const struct suite *suite,
                                      const struct secret *external_secret,
                                      struct secret *ret_private, struct public_key *ret_public)
{
    return kem_derive(suite->hpke.kem, secret_view(external_secret), ret_private, ret_public);
}

/* RFC 9420 8.3: the label is exported whole, without a prefix of its own */
static struct err export_init(const struct hpke_ctx *ctx, const struct suite *suite,
                              struct secret *ret_init)
{
    return hpke_ctx_export(ctx, bytes_str("MLS 1.0 external init secret"), suite_hash_bytes(suite),
                           ret_init);
}

struct err key_schedule_external_send(const struct suite *suite, const struct rng *rng,
                                      struct bytes external_public, struct secret *ret_init,
                                      struct public_key *ret_kem_output)
{
    struct hpke_ctx ctx;
    struct public_key kem_output;
    TRY(hpke_setup_send(&suite->hpke, rng, external_public, BYTES_LIST(none), NULL, &ctx,
                        &kem_output));
    struct err err = export_init(&ctx, suite, ret_init);
    if (err_is_ok(err))
        *ret_kem_output = kem_output;
    hpke_ctx_clear(&ctx);
    return err;
}

struct err key_schedule_external_receive(const struct suite *suite,
                                         const struct secret *external_secret,
                                         struct bytes kem_output, struct secret *ret_init)
{
    struct secret private_key = {0};
    struct public_key public_key;
    TRY(key_schedule_external_pair(suite, external_secret, &private_key, &public_key));
    struct hpke_ctx ctx;
    struct err err =
        hpke_setup_receive(&suite->hpke, secret_view(&private_key), public_key_view(&public_key),
                           kem_output, BYTES_LIST(none), NULL, &ctx);
    if (err_is_ok(err)) {
        err = export_init(&ctx, suite, ret_init);
        hpke_ctx_clear(&ctx);
    }
    secret_clear(&private_key);
    return err;
}

void key_schedule_confirmation_tag(const struct suite *suite, const struct secret *confirmation,
                                   struct bytes confirmed_transcript_hash, struct digest *ret_tag)
{
    hmac_once(suite->hash, secret_view(confirmation), BYTES_LIST(confirmed_transcript_hash),
              ret_tag);
}

struct err key_schedule_check_confirmation(const struct suite *suite,
                                           const struct secret *confirmation,
                                           struct bytes confirmed_transcript_hash, struct bytes tag)
{
    struct err err = hmac_verify(suite->hash, secret_view(confirmation),
                                 BYTES_LIST(confirmed_transcript_hash), tag);
    return err_is_ok(err) ? ERR_OK : ERR(MLS_CONFIRMATION_TAG);
}
