/* Epochs that ended, kept for application messages that come late (RFC 9420 9.2, 15.3). */
#include <stdlib.h>

#include "mls/member/group_state.h"

void past_epoch_clear(struct past_epoch *past)
{
    buf_clear(&past->context);
    secret_clear(&past->sender_data);
    secret_clear(&past->leaf_key);
    secret_tree_free(past->tree);
    for (uint32_t i = 0; past->leaves != NULL && i < past->width; i++)
        tree_node_unref(past->leaves[i]);
    free(past->leaves);
    *past = (struct past_epoch){0};
}

struct err past_epoch_of(const struct mls_group *g, struct past_epoch *ret_past)
{
    const struct tree *tree = &g->public.tree;
    struct past_epoch past = {.epoch = group_epoch(g)};
    buf_append_bytes(&past.context, public_group_context(&g->public));
    TRY(buf_check(&past.context));
    past.leaves = calloc(tree->width, sizeof *past.leaves);
    if (past.leaves == NULL) {
        past_epoch_clear(&past);
        return ERR(NO_MEMORY);
    }
    past.width = tree->width;
    for (uint32_t i = 0; i < past.width; i++)
        past.leaves[i] = tree_node_ref(tree->nodes[(size_t)2 * i]);
    *ret_past = past;
    return ERR_OK;
}
