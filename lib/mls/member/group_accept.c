/* Asking the application about credentials (RFC 9420 5.3.1). */
#include "mls/member/group_state.h"

struct err client_accept(const struct mls_client *client, const struct mls_credential *credential,
                         struct bytes signature_key, const struct leaf_node *replaced)
{
    if (client->ops == NULL || client->ops->accept == NULL)
        return ERR_OK;
    return client->ops->accept(client->self, credential, signature_key, replaced);
}

static struct err accept_external_senders(const struct mls_client *client,
                                          const struct extensions *extensions)
{
    struct bytes data;
    if (!extensions_find(extensions, EXTENSION_EXTERNAL_SENDERS, &data))
        return ERR_OK;
    struct external_sender sender;
    for (uint32_t i = 0; err_is_ok(external_senders_at(data, i, &sender)); i++)
        TRY(client_accept(client, &sender.credential, sender.signature_key, NULL));
    return ERR_OK;
}

/* replaced: the leaf index in the old tree whose place the new one takes, if it has one */
static struct err accept_leaf(const struct mls_client *client, const struct staged_commit *s,
                              uint32_t leaf_index, bool replaces, uint32_t replaced)
{
    struct leaf_node leaf;
    struct leaf_node old;
    if (!tree_diff_leaf(&s->diff, leaf_index, &leaf))
        return ERR(INTERNAL);
    bool has_old = replaces && tree_leaf(&s->group->tree, replaced, &old);
    return client_accept(client, &leaf.credential, leaf.signature_key, has_old ? &old : NULL);
}

struct err client_accept_staged(const struct mls_client *client, const struct staged_commit *s)
{
    for (uint32_t i = 0; i < s->added.count; i++)
        TRY(accept_leaf(client, s, s->added.at[i] / 2, false, 0));
    for (uint32_t i = 0; i < s->updated.count; i++)
        TRY(accept_leaf(client, s, s->updated.at[i] / 2, true, s->updated.at[i] / 2));
    if (s->has_path && s->committer.type == SENDER_MEMBER)
        TRY(accept_leaf(client, s, s->committer_leaf, true, s->committer_leaf));
    else if (s->has_path)
        TRY(accept_leaf(client, s, s->committer_leaf, s->removed.count > 0,
                        s->removed.count > 0 ? s->removed.at[0] / 2 : 0));
    /* RFC 9420 12.1.8.1: external senders of new extensions */
    if (s->new_extensions)
        TRY(accept_external_senders(client, &s->extensions));
    return ERR_OK;
}

struct err client_accept_all(const struct mls_client *client, const struct public_group *g)
{
    if (client->ops == NULL || client->ops->accept == NULL)
        return ERR_OK;
    struct leaf_node leaf;
    for (uint32_t i = 0; i < g->tree.width; i++) {
        if (tree_leaf(&g->tree, i, &leaf))
            TRY(client_accept(client, &leaf.credential, leaf.signature_key, NULL));
    }
    return accept_external_senders(client, &g->context.extensions);
}
