/* Joining by Welcome (RFC 9420 12.4.3.1). */
#include "mls/member/welcome_open.h"

/* RFC 9420 12.4.3.1: our leaf, exactly as in the KeyPackage, stands in the tree. */
static struct err find_own_leaf(const struct welcome_opened *j, struct mls_group *g)
{
    uint32_t node;
    if (!tree_find_encryption_key(&g->public.tree, j->key_package.leaf_node.encryption_key,
                                  &node) ||
        !tree_math_is_leaf(node) ||
        !bytes_equal(tree_node_raw(tree_at(&g->public.tree, node)), j->key_package.leaf_node.raw))
        return ERR(MLS_WELCOME_LEAF);
    g->own_leaf = node / 2;
    g->keys.leaf = j->bundle->leaf_key;
    return ERR_OK;
}

static struct err climb_path(const struct welcome_opened *j, struct mls_group *g)
{
    if (!j->secrets.has_path_secret)
        return ERR_OK;
    if (j->info.signer == g->own_leaf)
        return ERR(MLS_GROUP_INFO_SIGNER);
    struct tree_diff d;
    tree_diff_init(&d, &g->public.tree);
    uint32_t node = tree_math_common_ancestor(2 * g->own_leaf, 2 * j->info.signer);
    struct secret path_secret = {0};
    struct secret commit_secret = {0};
    struct err err = secret_set(j->secrets.path_secret, &path_secret);
    /* RFC 9420 12.4.3.1: the secret is that of the lowest node above both; it must be there */
    if (err_is_ok(err) && tree_diff_at(&d, node) == NULL)
        err = ERR(MLS_PATH_SECRET);
    if (err_is_ok(err))
        err = treekem_climb(j->suite, &d, node, &path_secret, &g->keys, &commit_secret);
    secret_clear(&path_secret);
    secret_clear(&commit_secret);
    return err;
}

static struct err enter(const struct welcome_opened *j, struct mls_group *g)
{
    struct epoch_secrets secrets = {0};
    struct err err;
    TRY_OR(key_schedule_epoch(j->suite, &j->joiner, &j->psk, public_group_context(&g->public),
                              &secrets),
           err, out);
    /* RFC 9420 12.4.3.1: verify the confirmation tag with the key of the epoch */
    TRY_OR(key_schedule_check_confirmation(j->suite, &secrets.confirmation,
                                           g->public.context.confirmed_transcript_hash,
                                           j->info.confirmation_tag),
           err, out);
    err = group_enter_first_epoch(g, &secrets);
out:
    epoch_secrets_clear(&secrets);
    return err;
}

static struct err take_group(const struct welcome_opened *j, struct bytes ratchet_tree,
                             struct mls_group *g)
{
    TRY(public_group_from_group_info(&j->info, ratchet_tree, &j->client->policy, &g->public));
    TRY(group_check_successor(j->predecessor, j->has_successor_psk ? &j->successor_psk : NULL,
                              &g->public));
    TRY(find_own_leaf(j, g));
    TRY(climb_path(j, g));
    TRY(enter(j, g));
    return client_accept_all(j->client, &g->public);
}

struct err group_join(const struct mls_client *client, const struct mls_group_config *config,
                      const struct key_package_bundle *bundle, struct bytes welcome,
                      struct bytes ratchet_tree, const struct mls_group *predecessor,
                      struct mls_group **ret_group)
{
    struct welcome_opened opened;
    struct mls_group *g = NULL;
    TRY(welcome_open(client, bundle, predecessor, welcome, &opened));
    struct err err = group_new(config, &g);
    if (err_is_ok(err))
        err = take_group(&opened, ratchet_tree, g);
    welcome_opened_clear(&opened);
    if (!err_is_ok(err)) {
        group_free(g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}
