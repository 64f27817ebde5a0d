/* The key schedule over some epochs, exporter and external key included (RFC 9420 8). */
#include "mls/member/key_schedule.h"
#include "mls/codec/group_context.h"
#include "vectors/vector_case.h"

static struct secret secret_field(struct vector_case *c, const json_t *object, const char *name)
{
    struct secret s = {0};
    if (!err_is_ok(secret_set(vector_hex(c, object, name), &s)))
        vector_fail(c, "%s is too long", name);
    return s;
}

static void check_secrets(struct vector_case *c, const json_t *e, const struct epoch_secrets *s)
{
    CHECK_BYTES(secret_view(&s->init), vector_hex(c, e, "init_secret"));
    CHECK_BYTES(secret_view(&s->sender_data), vector_hex(c, e, "sender_data_secret"));
    CHECK_BYTES(secret_view(&s->encryption), vector_hex(c, e, "encryption_secret"));
    CHECK_BYTES(secret_view(&s->exporter), vector_hex(c, e, "exporter_secret"));
    CHECK_BYTES(secret_view(&s->external), vector_hex(c, e, "external_secret"));
    CHECK_BYTES(secret_view(&s->confirmation), vector_hex(c, e, "confirmation_key"));
    CHECK_BYTES(secret_view(&s->membership), vector_hex(c, e, "membership_key"));
    CHECK_BYTES(secret_view(&s->resumption), vector_hex(c, e, "resumption_psk"));
    CHECK_BYTES(secret_view(&s->authenticator), vector_hex(c, e, "epoch_authenticator"));
}

static void check_exports(struct vector_case *c, const struct suite *suite, const json_t *e,
                          const struct epoch_secrets *s)
{
    const json_t *exporter = vector_field(c, e, "exporter");
    const char *label = json_string_value(vector_field(c, exporter, "label"));
    size_t len = (size_t)vector_uint(c, exporter, "length");
    uint8_t out[256];
    CHECK(label != NULL && len <= sizeof out);
    CHECK_OK(key_schedule_export(suite, &s->exporter, bytes_str(label),
                                 vector_hex(c, exporter, "context"), len, out));
    CHECK_BYTES(bytes_of(out, len), vector_hex(c, exporter, "secret"));

    struct secret private_key, init, init_received;
    struct public_key public_key, kem_output;
    CHECK_OK(key_schedule_external_pair(suite, &s->external, &private_key, &public_key));
    CHECK_BYTES(public_key_view(&public_key), vector_hex(c, e, "external_pub"));
    /* 8.3 has no official numbers: both sides must come to the same */
    CHECK_OK(key_schedule_external_send(suite, &rng_system, public_key_view(&public_key), &init,
                                        &kem_output));
    CHECK_OK(key_schedule_external_receive(suite, &s->external, public_key_view(&kem_output),
                                           &init_received));
    CHECK(init.len == suite_hash_bytes(suite) && secret_equal(&init, &init_received));
}

static struct bytes context_of(struct vector_case *c, const json_t *e, size_t epoch)
{
    struct group_context gc = {
        .cipher_suite = (uint16_t)vector_uint(c, c->json, "cipher_suite"),
        .group_id = vector_hex(c, c->json, "group_id"),
        .epoch = epoch,
        .tree_hash = vector_hex(c, e, "tree_hash"),
        .confirmed_transcript_hash = vector_hex(c, e, "confirmed_transcript_hash"),
    };
    struct buf b = BUF_INIT;
    group_context_write(&b, &gc);
    return vector_take(c, &b);
}

static void check_epoch(struct vector_case *c, const struct suite *suite, const json_t *e,
                        size_t epoch, struct secret *init)
{
    struct bytes context = vector_hex(c, e, "group_context");
    CHECK_BYTES(context_of(c, e, epoch), context);
    struct secret commit_secret = secret_field(c, e, "commit_secret");
    struct secret psk_secret = secret_field(c, e, "psk_secret");
    struct secret joiner, welcome;
    CHECK_OK(key_schedule_joiner(suite, init, &commit_secret, context, &joiner));
    CHECK_BYTES(secret_view(&joiner), vector_hex(c, e, "joiner_secret"));
    CHECK_OK(key_schedule_welcome(suite, &joiner, &psk_secret, &welcome));
    CHECK_BYTES(secret_view(&welcome), vector_hex(c, e, "welcome_secret"));
    struct epoch_secrets secrets;
    CHECK_OK(key_schedule_epoch(suite, &joiner, &psk_secret, context, &secrets));
    check_secrets(c, e, &secrets);
    check_exports(c, suite, e, &secrets);
    *init = secrets.init;
    epoch_secrets_clear(&secrets);
}

void vector_key_schedule(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct secret init = secret_field(c, c->json, "initial_init_secret");
    const json_t *epochs = vector_field(c, c->json, "epochs");
    CHECK(json_array_size(epochs) > 0);
    for (size_t i = 0; i < json_array_size(epochs) && !c->failed; i++)
        check_epoch(c, suite, json_array_get(epochs, i), i, &init);
}
