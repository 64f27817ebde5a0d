/* A group's beginning, end and what can be asked of it. */
#include "mls/member/group.h"

#include <stdlib.h>

#include "mls/member/group_state.h"
#include "mls/member/message_protection.h"

struct err group_new(const struct mls_group_config *config, struct mls_group **ret_group)
{
    if (config->padding_block > MLS_PADDING_MAX || config->past_epochs > MLS_PAST_EPOCHS_MAX ||
        config->resumptions < 1 || config->resumptions > MLS_RESUMPTIONS_MAX)
        return ERR(ARGUMENT);
    struct mls_group *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR(NO_MEMORY);
    g->config = *config;
    g->changes = 1;
    /* one more of each, so that shifting has room */
    g->past = calloc(config->past_epochs + 1, sizeof *g->past);
    g->resumptions = calloc(config->resumptions + 1, sizeof *g->resumptions);
    if (g->past == NULL || g->resumptions == NULL) {
        group_free(g);
        return ERR(NO_MEMORY);
    }
    *ret_group = g;
    return ERR_OK;
}

void group_free(struct mls_group *g)
{
    if (g == NULL)
        return;
    mls_staged_free(&g->pending);
    public_group_clear(&g->public);
    secret_tree_free(g->tree);
    for (uint32_t i = 0; i < g->past_count; i++)
        past_epoch_clear(&g->past[i]);
    if (g->resumptions != NULL)
        bytes_wipe(g->resumptions, (g->config.resumptions + 1) * sizeof *g->resumptions);
    if (g->updates != NULL)
        bytes_wipe(g->updates, OWN_UPDATES_MAX * sizeof *g->updates);
    free(g->past);
    free(g->resumptions);
    free(g->updates);
    bytes_wipe(g, sizeof *g);
    free(g);
}

const struct public_group *group_public(const struct mls_group *g)
{
    return &g->public;
}

uint32_t group_own_leaf(const struct mls_group *g)
{
    return g->own_leaf;
}

bool group_is_active(const struct mls_group *g)
{
    return g->active;
}

bool group_has_pending(const struct mls_group *g)
{
    return g->pending != NULL;
}

const struct staged_commit *group_pending(const struct mls_group *g)
{
    return g->pending == NULL ? NULL : g->pending->public;
}

uint64_t group_epoch(const struct mls_group *g)
{
    return public_group_epoch(&g->public);
}

struct bytes group_epoch_authenticator(const struct mls_group *g)
{
    return secret_view(&g->secrets.authenticator);
}

struct err group_check_open(const struct mls_group *g)
{
    if (!g->active)
        return ERR(MLS_GROUP_INACTIVE);
    /* RFC 9420 11.2: after a ReInit no more messages are sent in the group */
    return public_group_is_closed(&g->public) ? ERR(MLS_GROUP_CLOSED) : ERR_OK;
}

struct err group_check_signer(const struct mls_group *g, const struct mls_client *client)
{
    struct leaf_node leaf;
    if (client->signer == NULL || client->signer->alg != g->public.suite->sig ||
        !tree_leaf(&g->public.tree, g->own_leaf, &leaf) ||
        !bytes_equal(leaf.signature_key, public_key_view(&client->signer->public_key)))
        return ERR(MLS_SIGNER);
    return ERR_OK;
}

struct message_keys group_message_keys(const struct mls_group *g)
{
    return (struct message_keys){g->public.suite, &g->secrets.sender_data, g->tree};
}

struct err group_export(const struct mls_group *g, struct bytes label, struct bytes context,
                        size_t len, uint8_t *ret_out)
{
    if (!g->active)
        return ERR(MLS_GROUP_INACTIVE);
    return key_schedule_export(g->public.suite, &g->secrets.exporter, label, context, len, ret_out);
}

struct err group_resumption_psk(const struct mls_group *g, uint64_t epoch, struct secret *ret_psk)
{
    for (uint32_t i = 0; i < g->resumption_count; i++) {
        if (g->resumptions[i].epoch == epoch) {
            *ret_psk = g->resumptions[i].psk;
            return ERR_OK;
        }
    }
    return ERR(MLS_PSK_UNKNOWN);
}

struct err group_ratchet_tree(const struct mls_group *g, struct buf *b)
{
    tree_write(b, &g->public.tree);
    return buf_check(b);
}
