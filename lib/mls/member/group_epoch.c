/* From one epoch to the next: secrets derived, staged, taken over (RFC 9420 8, 9.2, 12.4.2). */
#include <stdlib.h>

#include "mls/member/group_state.h"

void next_epoch_clear(struct next_epoch *next)
{
    bytes_wipe(next, sizeof *next);
}

struct err next_epoch_derive(const struct mls_client *client, const struct mls_group *g,
                             const struct staged_commit *s, const struct secret *init_secret,
                             const struct secret *commit_secret, struct next_epoch *ret_next)
{
    const struct suite *suite = s->group->suite;
    struct bytes context = buf_view(&s->context);
    struct next_epoch next = {0};
    struct err err;
    TRY_OR(psk_secret_of_staged(g, client, s, &next.psk), err, out);
    TRY_OR(key_schedule_joiner(suite, init_secret, commit_secret, context, &next.joiner), err, out);
    TRY_OR(key_schedule_epoch(suite, &next.joiner, &next.psk, context, &next.secrets), err, out);
    *ret_next = next;
out:
    next_epoch_clear(&next);
    return err;
}

struct err mls_staged_fill(const struct mls_group *g, struct epoch_secrets *secrets,
                           struct mls_staged *staged)
{
    TRY(secret_tree_new(g->public.suite, staged->public->diff.width, &secrets->encryption,
                        g->config.limits, &staged->tree));
    /* RFC 9420 9.2: spent on the tree */
    secret_clear(&secrets->encryption);
    if (g->active && g->config.past_epochs > 0)
        TRY(past_epoch_of(g, &staged->outgoing));
    staged->secrets = *secrets;
    return ERR_OK;
}

void mls_staged_free(struct mls_staged **staged)
{
    struct mls_staged *s = *staged;
    *staged = NULL;
    if (s == NULL)
        return;
    staged_commit_free(&s->public);
    secret_tree_free(s->tree);
    past_epoch_clear(&s->outgoing);
    arena_clear(&s->arena);
    bytes_wipe(s, sizeof *s);
    free(s);
}

const struct staged_commit *mls_staged_view(const struct mls_staged *staged)
{
    return staged->public;
}

bool mls_staged_removes_us(const struct mls_staged *staged)
{
    return staged->removes_us;
}

static void forget_updates(struct mls_group *g)
{
    if (g->updates != NULL)
        bytes_wipe(g->updates, OWN_UPDATES_MAX * sizeof *g->updates);
    free(g->updates);
    g->updates = NULL;
    g->update_count = 0;
}

/* Everything secret of the current epoch, and what depends on being a member. */
static void leave(struct mls_group *g)
{
    g->active = false;
    epoch_secrets_clear(&g->secrets);
    treekem_keys_clear(&g->keys);
    secret_tree_free(g->tree);
    g->tree = NULL;
}

/* The epoch that ends becomes the newest of the past ones; the oldest is forgotten. */
static void keep_past(struct mls_group *g, struct past_epoch *outgoing,
                      const struct secret *next_leaf_key)
{
    uint32_t most = g->config.past_epochs;
    if (most == 0 || outgoing->leaves == NULL)
        return;
    if (g->past_count == most)
        past_epoch_clear(&g->past[--g->past_count]);
    memmove(g->past + 1, g->past, g->past_count * sizeof *g->past);
    g->past[0] = *outgoing;
    g->past[0].tree = g->tree;
    g->past[0].sender_data = g->secrets.sender_data;
    /* RFC 9420 9.2: the commit's own key is used up now, and no other handshake message of that
     * epoch is read any more */
    secret_tree_end_handshake(g->past[0].tree);
    if (g->config.past_leaf_keys &&
        !bytes_equal_ct(secret_view(&g->keys.leaf), secret_view(next_leaf_key)))
        g->past[0].leaf_key = g->keys.leaf;
    g->past_count++;
    g->tree = NULL;
    *outgoing = (struct past_epoch){0};
}

static void keep_resumption(struct mls_group *g)
{
    uint32_t most = g->config.resumptions;
    if (g->resumption_count == most)
        g->resumption_count--;
    memmove(g->resumptions + 1, g->resumptions, g->resumption_count * sizeof *g->resumptions);
    g->resumptions[0] = (struct resumption){group_epoch(g), g->secrets.resumption};
    g->resumption_count++;
}

struct err group_enter_first_epoch(struct mls_group *g, struct epoch_secrets *secrets)
{
    TRY(secret_tree_new(g->public.suite, g->public.tree.width, &secrets->encryption,
                        g->config.limits, &g->tree));
    secret_clear(&secrets->encryption);
    g->secrets = *secrets;
    g->active = true;
    keep_resumption(g);
    return ERR_OK;
}

/* Can't fail: all memory was set aside when staging. */
static void merge(struct mls_group *g, struct mls_staged *s)
{
    keep_past(g, &s->outgoing, &s->keys.leaf);
    forget_updates(g);
    leave(g);
    public_group_merge(&g->public, &s->public);
    if (s->removes_us)
        return;
    g->secrets = s->secrets;
    g->keys = s->keys;
    g->tree = s->tree;
    s->tree = NULL;
    g->own_leaf = s->own_leaf;
    g->active = true;
    keep_resumption(g);
}

struct err group_merge(struct mls_group *g, struct mls_staged **staged)
{
    if (*staged == NULL || (*staged)->public->group != &g->public ||
        (*staged)->epoch != group_epoch(g))
        return ERR(WRONG_STATE);
    if (*staged != g->pending)
        group_drop_pending(g);
    merge(g, *staged);
    g->changes++;
    mls_staged_free(staged);
    return ERR_OK;
}

struct err group_merge_pending(struct mls_group *g)
{
    return group_merge(g, &g->pending);
}

void group_drop_pending(struct mls_group *g)
{
    if (g->pending != NULL)
        g->changes++;
    mls_staged_free(&g->pending);
}
