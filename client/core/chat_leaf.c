/* Our leaves: what they say, and fresh ones. */
#include "client/core/chat.h"
#include "client/core/homeserver.h"
#include "seal/leaf_credential.h"
#include "seal/sealed_ref.h"

const struct suite *chat_suite(void)
{
    return suite_find(1);
}

struct mls_group_config chat_group_config(void)
{
    struct mls_group_config config = MLS_GROUP_CONFIG_DEFAULT;
    config.public_handshake = true;
    /* own commits are merged when they are accepted, while messages of before may still wait in the
     * queue; what others send comes in order (G3) */
    config.past_epochs = 8;
    config.padding_block = 0;     /* head.c pads what is said to few sizes */
    config.past_leaf_keys = true; /* so with what is sealed to our leaf */
    return config;
}

struct leaf_profile chat_leaf_profile(struct bytes leaf_credential)
{
    static const uint8_t extensions[] = {ROLES_EXTENSION_TYPE >> 8, ROLES_EXTENSION_TYPE & 255,
                                         GROUP_DATA_EXTENSION_TYPE >> 8,
                                         GROUP_DATA_EXTENSION_TYPE & 255};
    static const uint8_t credentials[] = {LEAF_CREDENTIAL_TYPE >> 8, LEAF_CREDENTIAL_TYPE & 255};
    struct leaf_profile profile = {
        .credential = {LEAF_CREDENTIAL_TYPE, leaf_credential},
        .capabilities = capabilities_default(),
    };
    profile.capabilities.extensions.raw = bytes_of(extensions, sizeof extensions);
    profile.capabilities.credentials.raw = bytes_of(credentials, sizeof credentials);
    return profile;
}

static struct err make_credential(struct core *c, struct chat *leaf)
{
    TRY(sig_key_generate(chat_suite()->sig, c->rng, &leaf->leaf_key));
    TRY(rng_fill(c->rng, leaf->tag, sizeof leaf->tag));
    TRY(rng_fill(c->rng, leaf->pseudonym, sizeof leaf->pseudonym));
    TRY(rng_fill(c->rng, leaf->leaf_identity_key, sizeof leaf->leaf_identity_key));
    return leaf_credential_make(&leaf->credential, c->rng, leaf->pseudonym, leaf->leaf_identity_key,
                                buf_view(&c->account.credential), &c->account.client_key,
                                public_key_view(&leaf->leaf_key.public_key));
}

static struct err make_reference(struct core *c, const struct homeserver *home, struct chat *leaf)
{
    struct queue_ref ref = {.has_push_token_key = false};
    struct bytes domain = bytes_str(c->account.domain);
    struct signature signature;
    memcpy(ref.queue_client_id, c->account.queue_client_id, sizeof ref.queue_client_id);
    memcpy(ref.tag, leaf->tag, sizeof ref.tag);
    TRY(sealed_ref_seal(&leaf->reference, c->rng, public_key_view(&home->queue_key), domain, &ref,
                        &c->account.queue_client_key));
    TRY(sealed_ref_sign(&leaf->leaf_key, domain, buf_view(&leaf->reference), &signature));
    buf_append_bytes(&leaf->reference_signature, signature_view(&signature));
    return buf_check(&leaf->reference_signature);
}

struct err chat_new_leaf(struct core *c, struct db_txn *t, struct chat *chat)
{
    struct homeserver home = {0};
    struct chat leaf = {0};
    struct err err = homeserver_get(c, t, c->account.domain, &home);
    if (err.code == ERR_NOT_FOUND) {
        TRY(homeserver_want(c, t, c->account.domain));
        return ERR(NOT_FOUND);
    }
    TRY(err);
    err = make_credential(c, &leaf);
    if (err_is_ok(err))
        err = make_reference(c, &home, &leaf);
    if (err_is_ok(err)) {
        memcpy(leaf.user_pseudonym, chat->user_pseudonym, sizeof leaf.user_pseudonym);
        chat_leaf_move(chat, &leaf);
    }
    chat_clear(&leaf);
    homeserver_clear(&home);
    return err;
}
