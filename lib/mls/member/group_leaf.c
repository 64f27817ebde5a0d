/* What is sealed to our leaf alone. */
#include "crypto/labelled.h"
#include "mls/member/group_state.h"

struct leaf_ciphertext {
    struct bytes prefix, label, context, kem_output, ciphertext;
};

static struct err open_with(const struct mls_group *g, const struct secret *private_key,
                            struct bytes public_key, const struct leaf_ciphertext *c,
                            uint8_t *ret_plaintext)
{
    return labelled_decrypt(&g->public.suite->hpke, secret_view(private_key), public_key, c->prefix,
                            c->label, c->context, c->kem_output, c->ciphertext, ret_plaintext);
}

static struct err open_any(const struct mls_group *g, const struct leaf_ciphertext *c,
                           uint8_t *ret_plaintext)
{
    struct err err = ERR(CRYPTO_TAG);
    struct leaf_node leaf;
    if (g->active) {
        if (!tree_leaf(&g->public.tree, g->own_leaf, &leaf))
            return ERR(INTERNAL);
        err = open_with(g, &g->keys.leaf, leaf.encryption_key, c, ret_plaintext);
    }
    for (uint32_t i = 0; i < g->update_count && err.code == ERR_CRYPTO_TAG; i++)
        err = open_with(g, &g->updates[i].private_key, public_key_view(&g->updates[i].public_key),
                        c, ret_plaintext);
    /* its public half is worked out: rarely needed */
    if (g->pending != NULL && err.code == ERR_CRYPTO_TAG)
        err = open_with(g, &g->pending->keys.leaf, bytes_of(NULL, 0), c, ret_plaintext);
    for (uint32_t i = 0; i < g->past_count && err.code == ERR_CRYPTO_TAG; i++) {
        if (g->past[i].leaf_key.len > 0)
            err = open_with(g, &g->past[i].leaf_key, bytes_of(NULL, 0), c, ret_plaintext);
    }
    return err;
}

struct err group_leaf_decrypt(const struct mls_group *g, struct bytes prefix, struct bytes label,
                              struct bytes context, struct bytes kem_output,
                              struct bytes ciphertext, uint8_t *ret_plaintext)
{
    const struct leaf_ciphertext c = {prefix, label, context, kem_output, ciphertext};
    if (!g->active && g->pending == NULL)
        return ERR(MLS_GROUP_INACTIVE);
    return open_any(g, &c, ret_plaintext);
}
