/* A Welcome opened with the init key, down to signature and confirmation tag of its GroupInfo (RFC
 * 9420 12.4.3.1), and sealed again to the same new member. */
#include "crypto/labelled.h"
#include "mls/codec/message.h"
#include "mls/member/welcome_protection.h"
#include "vectors/vector_case.h"

struct joiner {
    const struct suite *suite;
    struct bytes private_key;
    struct key_package package;
    struct digest ref;
};

static void open_welcome(struct vector_case *c, const struct joiner *j,
                         const struct welcome *welcome, struct group_secrets *secrets,
                         struct group_info *info)
{
    struct secret no_psk;
    secret_set_zero(suite_hash_bytes(j->suite), &no_psk);
    CHECK_OK(welcome_open_secrets(j->suite, welcome, digest_view(&j->ref), j->private_key,
                                  j->package.init_key, &c->arena, secrets));
    CHECK(secrets->psk_count == 0);
    CHECK_OK(welcome_open_group_info(j->suite, welcome, secrets->joiner_secret, &no_psk, &c->arena,
                                     info));
}

static void check_info(struct vector_case *c, const struct joiner *j,
                       const struct group_secrets *secrets, const struct group_info *info)
{
    struct buf tbs = BUF_INIT;
    group_info_write_tbs(&tbs, info);
    CHECK_OK(labelled_verify(j->suite->sig, vector_hex(c, c->json, "signer_pub"), LABEL_MLS,
                             bytes_str("GroupInfoTBS"), vector_take(c, &tbs), info->signature));
    struct secret joiner, no_psk;
    secret_set_zero(suite_hash_bytes(j->suite), &no_psk);
    CHECK_OK(secret_set(secrets->joiner_secret, &joiner));
    struct epoch_secrets epoch;
    CHECK_OK(key_schedule_epoch(j->suite, &joiner, &no_psk, info->group_context.raw, &epoch));
    struct bytes confirmed = info->group_context.confirmed_transcript_hash;
    CHECK_OK(key_schedule_check_confirmation(j->suite, &epoch.confirmation, confirmed,
                                             info->confirmation_tag));
    struct bytes cut = bytes_of(info->confirmation_tag.data, info->confirmation_tag.len - 1);
    CHECK(key_schedule_check_confirmation(j->suite, &epoch.confirmation, confirmed, cut).code ==
          ERR_MLS_CONFIRMATION_TAG);
    epoch_secrets_clear(&epoch);
}

/* The same contents under seals of our own. */
static struct welcome seal_welcome(struct vector_case *c, const struct joiner *j,
                                   const struct group_secrets *secrets,
                                   const struct group_info *info)
{
    struct secret joiner, no_psk, welcome_secret;
    struct welcome own = {.cipher_suite = j->suite->id, .secret_count = 1};
    struct buf text = BUF_INIT, sealed = BUF_INIT, entry = BUF_INIT;
    secret_set_zero(suite_hash_bytes(j->suite), &no_psk);
    group_info_write(&text, info);
    struct bytes info_text = vector_take(c, &text);
    group_secrets_write(&text, secrets);
    struct bytes secrets_text = vector_take(c, &text);
    if (!err_is_ok(secret_set(secrets->joiner_secret, &joiner)) ||
        !err_is_ok(key_schedule_welcome(j->suite, &joiner, &no_psk, &welcome_secret)) ||
        !err_is_ok(welcome_seal_group_info(j->suite, &welcome_secret, info_text, &sealed)))
        vector_fail(c, "group info not sealed");
    own.encrypted_group_info = vector_take(c, &sealed);
    if (!err_is_ok(welcome_seal_secrets(j->suite, &rng_system, digest_view(&j->ref),
                                        j->package.init_key, secrets_text, own.encrypted_group_info,
                                        &entry)))
        vector_fail(c, "secrets not sealed");
    own.secrets = vector_take(c, &entry);
    return own;
}

void vector_welcome(struct vector_case *c)
{
    struct joiner j = {.suite = vector_suite(c)};
    CHECK(j.suite != NULL);
    struct mls_message package, welcome;
    CHECK_OK(mls_message_parse(vector_hex(c, c->json, "key_package"), &c->arena, &package));
    CHECK_OK(mls_message_parse(vector_hex(c, c->json, "welcome"), &c->arena, &welcome));
    CHECK(package.wire_format == WIRE_FORMAT_KEY_PACKAGE &&
          welcome.wire_format == WIRE_FORMAT_WELCOME);
    j.package = package.key_package;
    j.private_key = vector_private_key(c, c->json, "init_priv", j.suite->hpke.kem->private_bytes);
    CHECK_OK(welcome_key_package_ref(j.suite, j.package.raw, &j.ref));
    struct group_secrets secrets;
    struct group_info info;
    open_welcome(c, &j, &welcome.welcome, &secrets, &info);
    if (c->failed)
        return;
    check_info(c, &j, &secrets, &info);
    struct welcome own = seal_welcome(c, &j, &secrets, &info);
    struct group_secrets own_secrets;
    struct group_info own_info;
    open_welcome(c, &j, &own, &own_secrets, &own_info);
    if (!c->failed)
        check_info(c, &j, &own_secrets, &own_info);
    struct digest other = j.ref;
    other.data[0] ^= 1;
    CHECK(welcome_open_secrets(j.suite, &own, digest_view(&other), j.private_key,
                               j.package.init_key, &c->arena, &own_secrets)
              .code == ERR_MLS_WELCOME_NOT_FOR_US);
}
