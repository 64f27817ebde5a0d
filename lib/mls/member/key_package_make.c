/* KeyPackages of our own (RFC 9420 10). */
#include "crypto/labelled.h"
#include "mls/member/group_state.h"
#include "mls/member/welcome_protection.h"

struct err key_package_ref(struct bytes key_package, struct digest *ret_ref)
{
    struct key_package kp;
    TRY(key_package_parse(key_package, &kp));
    const struct suite *suite = suite_find(kp.cipher_suite);
    if (suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    return welcome_key_package_ref(suite, key_package, ret_ref);
}

void key_package_bundle_clear(struct key_package_bundle *bundle)
{
    buf_clear(&bundle->key_package);
    secret_clear(&bundle->init_key);
    secret_clear(&bundle->leaf_key);
}

/* u16 values, big-endian. RFC 9420 13.5: with values that nobody may take exception to, so that
 * peers who would are found out. */
static const uint8_t versions[] = {0, 1};
static const uint8_t suites[] = {0x3a, 0x3a, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7};
static const uint8_t extension_types[] = {0x5a, 0x5a};
static const uint8_t proposal_types[] = {0xaa, 0xaa};
static const uint8_t credentials[] = {0, CREDENTIAL_BASIC, 0, CREDENTIAL_X509, 0xca, 0xca};

struct capabilities capabilities_default(void)
{
    return (struct capabilities){
        .versions = {bytes_of(versions, sizeof versions)},
        .cipher_suites = {bytes_of(suites, sizeof suites)},
        .extensions = {bytes_of(extension_types, sizeof extension_types)},
        .proposals = {bytes_of(proposal_types, sizeof proposal_types)},
        .credentials = {bytes_of(credentials, sizeof credentials)},
    };
}

struct err leaf_make(const struct sig_key *signer, struct leaf_node *leaf, struct bytes group_id,
                     uint32_t leaf_index, struct buf *ret_leaf)
{
    struct buf tbs = BUF_INIT;
    struct signature signature;
    struct err err;
    leaf->signature_key = public_key_view(&signer->public_key);
    leaf->raw = leaf->raw_tbs = bytes_of(NULL, 0);
    leaf_node_write_tbs(&tbs, leaf, group_id, leaf_index);
    TRY_OR(buf_check(&tbs), err, out);
    TRY_OR(labelled_sign(signer, LABEL_MLS, bytes_str("LeafNodeTBS"), buf_view(&tbs), &signature),
           err, out);
    leaf->signature = signature_view(&signature);
    leaf_node_write(ret_leaf, leaf);
    leaf->signature = bytes_of(NULL, 0);
    err = buf_check(ret_leaf);
out:
    buf_clear(&tbs);
    return err;
}

enum { CLOCK_SKEW_SECONDS = 3600 };

struct err leaf_make_first(const struct mls_client *client, const struct leaf_profile *profile,
                           struct bytes encryption_key, uint64_t lifetime_seconds,
                           struct buf *ret_leaf)
{
    uint64_t now = client->policy.now;
    uint64_t from = now > CLOCK_SKEW_SECONDS ? now - CLOCK_SKEW_SECONDS : 0;
    if (client->signer == NULL || lifetime_seconds > UINT64_MAX - now)
        return ERR(ARGUMENT);
    struct leaf_node leaf = {
        .encryption_key = encryption_key,
        .credential = profile->credential,
        .capabilities = profile->capabilities,
        .source = LEAF_SOURCE_KEY_PACKAGE,
        .not_before = from,
        .not_after = now + lifetime_seconds,
        .extensions = profile->extensions,
    };
    return leaf_make(client->signer, &leaf, bytes_of(NULL, 0), 0, ret_leaf);
}

static struct err sign_package(const struct sig_key *signer, const struct key_package *kp,
                               struct buf *ret_package)
{
    struct buf tbs = BUF_INIT;
    struct signature signature;
    struct key_package whole = *kp;
    struct err err;
    key_package_write_tbs(&tbs, kp);
    TRY_OR(buf_check(&tbs), err, out);
    TRY_OR(labelled_sign(signer, LABEL_MLS, bytes_str("KeyPackageTBS"), buf_view(&tbs), &signature),
           err, out);
    whole.signature = signature_view(&signature);
    key_package_write(ret_package, &whole);
    err = buf_check(ret_package);
out:
    buf_clear(&tbs);
    return err;
}

struct err key_package_make(const struct mls_client *client, const struct suite *suite,
                            const struct leaf_profile *profile, uint64_t lifetime_seconds,
                            const struct extensions *extensions,
                            struct key_package_bundle *ret_bundle)
{
    struct key_package_bundle bundle = {0};
    struct public_key init_public;
    struct public_key leaf_public;
    struct buf leaf = BUF_INIT;
    struct err err;
    struct key_package kp = {.version = MLS_VERSION_MLS10, .cipher_suite = suite->id};
    if (extensions != NULL)
        kp.extensions = *extensions;
    TRY_OR(kem_generate(suite->hpke.kem, client->rng, &bundle.init_key, &init_public), err, out);
    TRY_OR(kem_generate(suite->hpke.kem, client->rng, &bundle.leaf_key, &leaf_public), err, out);
    TRY_OR(leaf_make_first(client, profile, public_key_view(&leaf_public), lifetime_seconds, &leaf),
           err, out);
    kp.init_key = public_key_view(&init_public);
    TRY_OR(leaf_node_parse(buf_view(&leaf), &kp.leaf_node), err, out);
    TRY_OR(sign_package(client->signer, &kp, &bundle.key_package), err, out);
    *ret_bundle = bundle;
    bundle = (struct key_package_bundle){0};
out:
    buf_clear(&leaf);
    key_package_bundle_clear(&bundle);
    return err;
}
