/* A new group (RFC 9420 11). */
#include "mls/member/group_state.h"

enum { LEAF_LIFETIME_DAYS = 90 };

/* RFC 9420 11: the creator's epoch secret is random; what follows is as in any epoch. */
static struct err enter(const struct mls_client *client, struct mls_group *g)
{
    const struct suite *suite = g->public.suite;
    struct secret epoch_secret = {0};
    struct epoch_secrets secrets = {0};
    struct digest tag;
    struct err err;
    TRY_OR(secret_random(client->rng, suite_hash_bytes(suite), &epoch_secret), err, out);
    TRY_OR(key_schedule_from_epoch_secret(suite, &epoch_secret, &secrets), err, out);
    key_schedule_confirmation_tag(suite, &secrets.confirmation,
                                  g->public.context.confirmed_transcript_hash, &tag);
    public_group_set_confirmation_tag(&g->public, digest_view(&tag));
    err = group_enter_first_epoch(g, &secrets);
out:
    secret_clear(&epoch_secret);
    epoch_secrets_clear(&secrets);
    return err;
}

static struct err create(const struct mls_client *client, const struct suite *suite,
                         struct bytes group_id, const struct extensions *extensions,
                         const struct leaf_profile *profile, struct mls_group *g)
{
    struct public_key public_key;
    struct buf leaf = BUF_INIT;
    struct err err;
    uint64_t lifetime = (uint64_t)LEAF_LIFETIME_DAYS * 24 * 3600;
    TRY_OR(kem_generate(suite->hpke.kem, client->rng, &g->keys.leaf, &public_key), err, out);
    TRY_OR(leaf_make_first(client, profile, public_key_view(&public_key), lifetime, &leaf), err,
           out);
    TRY_OR(public_group_create(suite, group_id, extensions, buf_view(&leaf), &client->policy,
                               &g->public),
           err, out);
    err = enter(client, g);
out:
    buf_clear(&leaf);
    return err;
}

struct err group_create(const struct mls_client *client, const struct suite *suite,
                        const struct mls_group_config *config, struct bytes group_id,
                        const struct extensions *extensions, const struct leaf_profile *profile,
                        struct mls_group **ret_group)
{
    struct mls_group *g;
    struct extensions none = {0};
    if (client->signer == NULL || client->signer->alg != suite->sig)
        return ERR(MLS_SIGNER);
    TRY(group_new(config, &g));
    struct err err =
        create(client, suite, group_id, extensions != NULL ? extensions : &none, profile, g);
    if (!err_is_ok(err)) {
        group_free(g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}
