/* A group in pieces: what changes seldom apart from what changes with every message. */
#include "mls/member/group_save.h"

#include "mls/member/group_state.h"

_Static_assert(GROUP_PLACE_TREE == SECRET_TREE_PLACE_NODES, "one name for both");

/* The epochs that have a secret tree, oldest first: those past, then the current one. */
static uint32_t epoch_count(const struct mls_group *g)
{
    return g->past_count + (g->active ? 1 : 0);
}

static uint64_t epoch_at(const struct mls_group *g, uint32_t i)
{
    /* newest first there */
    return i < g->past_count ? g->past[g->past_count - 1 - i].epoch : group_epoch(g);
}

static struct secret_tree **tree_at_epoch(struct mls_group *g, uint32_t i)
{
    return i < g->past_count ? &g->past[g->past_count - 1 - i].tree : &g->tree;
}

static const struct secret_tree *tree_view(const struct mls_group *g, uint32_t i)
{
    return i < g->past_count ? g->past[g->past_count - 1 - i].tree : g->tree;
}

/* ---- saving */

static struct err save_ratchets(const struct secret_tree *tree, uint64_t epoch,
                                enum group_save_what what, const struct group_sink *sink,
                                struct buf *b)
{
    size_t count = secret_tree_pieces(tree);
    for (size_t i = 0; i < count; i++) {
        uint32_t place;
        if (what == GROUP_SAVE_CHANGED && !secret_tree_piece_changed(tree, i))
            continue;
        buf_reset_unwiped(b); /* overwritten, and wiped at the end */
        secret_tree_piece_write(b, tree, i, &place);
        TRY(buf_check(b));
        TRY(sink->ratchet(sink->self, epoch, place, buf_view(b)));
    }
    return ERR_OK;
}

/* Ratchets of epochs that are no longer kept, then the state. */
static struct err save_state(const struct mls_group *g, enum group_save_what what,
                             const struct group_sink *sink, struct buf *b)
{
    uint32_t count = epoch_count(g);
    uint64_t from = 1, to = 0;
    if (what == GROUP_SAVE_CHANGED && count > 0) {
        from = epoch_at(g, 0);
        to = epoch_at(g, count - 1);
    }
    TRY(sink->drop(sink->self, from, to));
    TRY(group_pack_write(g, GROUP_TREES_APART, b));
    return sink->state(sink->self, buf_view(b));
}

struct err group_save(const struct mls_group *g, enum group_save_what what,
                      const struct group_sink *sink)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_OK;
    if (g->saved == 0) /* what is stored, if anything, is of another group */
        what = GROUP_SAVE_ALL;
    if (what == GROUP_SAVE_ALL || g->changes != g->saved)
        err = save_state(g, what, sink, &b);
    for (uint32_t i = 0; i < epoch_count(g) && err_is_ok(err); i++)
        err = save_ratchets(tree_view(g, i), epoch_at(g, i), what, sink, &b);
    buf_clear(&b);
    return err;
}

void group_saved(struct mls_group *g)
{
    for (uint32_t i = 0; i < epoch_count(g); i++)
        secret_tree_saved(*tree_at_epoch(g, i));
    g->saved = g->changes;
}

uint64_t group_changes(const struct mls_group *g)
{
    return g->changes;
}

/* ---- loading */

/* Takes the pieces of one epoch off the front of the list. */
static struct err load_tree(const struct mls_group *g, uint64_t epoch,
                            const struct group_ratchet_piece **pieces, size_t *count,
                            struct secret_tree **ret_tree)
{
    struct secret_tree *tree;
    TRY(secret_tree_start(g->public.suite, g->config.limits, &tree));
    struct err err = ERR_OK;
    for (; err_is_ok(err) && *count > 0 && (*pieces)->epoch == epoch; ++*pieces, --*count)
        err = secret_tree_take(tree, (*pieces)->place, (*pieces)->bytes);
    if (err_is_ok(err))
        err = secret_tree_complete(tree);
    if (err_is_ok(err))
        *ret_tree = tree;
    else
        secret_tree_free(tree);
    return err;
}

static struct err load_trees(struct mls_group *g, const struct group_ratchet_piece *pieces,
                             size_t count)
{
    for (uint32_t i = 0; i < epoch_count(g); i++)
        TRY(load_tree(g, epoch_at(g, i), &pieces, &count, tree_at_epoch(g, i)));
    return count == 0 ? ERR_OK : ERR(MLS_GROUP_STATE);
}

struct err group_load(const struct mls_client *client, struct bytes state,
                      const struct group_ratchet_piece *pieces, size_t count,
                      struct mls_group **ret_group)
{
    struct mls_group *g;
    TRY(group_pack_read(client, GROUP_TREES_APART, state, &g));
    struct err err = load_trees(g, pieces, count);
    if (!err_is_ok(err)) {
        group_free(g);
        return group_pack_blame(err);
    }
    g->saved = g->changes;
    *ret_group = g;
    return ERR_OK;
}
