/* welcome.json: a Welcome opened, its GroupInfo's signature and confirmation tag checked. There is
 * no tree, so it can't be joined. */
#include "mls/member/welcome_open.h"
#include "vectors/vector_case.h"

static void check_opened(struct vector_case *c, const struct welcome_opened *o)
{
    struct buf tbs = BUF_INIT;
    group_info_write_tbs(&tbs, &o->info);
    struct bytes signed_bytes = vector_take(c, &tbs);
    CHECK_OK(labelled_verify(o->suite->sig, vector_hex(c, c->json, "signer_pub"), LABEL_MLS,
                             bytes_str("GroupInfoTBS"), signed_bytes, o->info.signature));
    struct epoch_secrets secrets;
    CHECK_OK(
        key_schedule_epoch(o->suite, &o->joiner, &o->psk, o->info.group_context.raw, &secrets));
    CHECK_OK(key_schedule_check_confirmation(o->suite, &secrets.confirmation,
                                             o->info.group_context.confirmed_transcript_hash,
                                             o->info.confirmation_tag));
    epoch_secrets_clear(&secrets);
}

void vector_welcome(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct mls_message m;
    CHECK_OK(mls_message_parse(vector_hex(c, c->json, "key_package"), &c->arena, &m));
    CHECK(m.wire_format == WIRE_FORMAT_KEY_PACKAGE);
    struct key_package_bundle bundle = {0};
    buf_append_bytes(&bundle.key_package, m.key_package.raw);
    CHECK_OK(secret_set(vector_private_key(c, c->json, "init_priv", suite->hpke.kem->private_bytes),
                        &bundle.init_key));
    struct mls_client client = {.rng = &rng_system};
    struct welcome_opened opened;
    struct err err =
        welcome_open(&client, &bundle, NULL, vector_hex(c, c->json, "welcome"), &opened);
    if (err_is_ok(err)) {
        check_opened(c, &opened);
        welcome_opened_clear(&opened);
    }
    key_package_bundle_clear(&bundle);
    CHECK_OK(err);
}
