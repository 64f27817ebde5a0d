/* Groups that follow a reinitialised one or branch off a living one (RFC 9420 11.2, 11.3). */
#include "mls/member/group_state.h"

/* RFC 9420 11.2: the new group is the one that the ReInit described. */
static struct err check_reinit(const struct mls_group *old, const struct psk_id *psk,
                               const struct public_group *g)
{
    if (!public_group_is_closed(&old->public) ||
        !bytes_equal(psk->group_id, old->public.context.group_id) || psk->epoch != group_epoch(old))
        return ERR(MLS_SUCCESSOR);
    struct wire_reader r = wire_reader_of(buf_view(&old->public.reinit));
    struct reinit reinit;
    reinit_read(&r, &reinit);
    TRY(wire_reader_end(&r));
    /* every GroupContext we read has version mls10 */
    if (reinit.version != MLS_VERSION_MLS10 || reinit.cipher_suite != g->suite->id ||
        !bytes_equal(reinit.group_id, g->context.group_id) ||
        !bytes_equal(reinit.extensions.raw, g->context.extensions.raw))
        return ERR(MLS_SUCCESSOR);
    return ERR_OK;
}

static struct err check_branch(const struct mls_group *old, const struct psk_id *psk,
                               const struct public_group *g)
{
    struct secret known = {0};
    if (!bytes_equal(psk->group_id, old->public.context.group_id) || g->suite != old->public.suite)
        return ERR(MLS_SUCCESSOR);
    TRY(group_resumption_psk(old, psk->epoch, &known));
    secret_clear(&known);
    /* RFC 9420 11.3: each leaf of the subgroup belongs to a member of the old group; the same
     * credential or key is what can be told without the application */
    struct leaf_node leaf;
    struct leaf_node other;
    for (uint32_t i = 0; i < g->tree.width; i++) {
        uint32_t k = 0;
        if (!tree_leaf(&g->tree, i, &leaf) ||
            tree_find_signature_key(&old->public.tree, leaf.signature_key, &k))
            continue;
        for (k = 0; k < old->public.tree.width; k++) {
            if (tree_leaf(&old->public.tree, k, &other) &&
                credential_equal(&leaf.credential, &other.credential))
                break;
        }
        if (k == old->public.tree.width)
            return ERR(MLS_SUCCESSOR);
    }
    return ERR_OK;
}

struct err group_check_successor(const struct mls_group *old, const struct psk_id *psk,
                                 const struct public_group *g)
{
    if (old == NULL)
        return ERR_OK;
    /* who expects a successor must get one: a Welcome without the PSK proves nothing */
    if (psk == NULL)
        return ERR(MLS_SUCCESSOR);
    /* RFC 9420 11.2, 11.3: the Welcome is of the new group's first commit */
    if (public_group_epoch(g) != 1)
        return ERR(MLS_SUCCESSOR);
    return psk->usage == PSK_USAGE_REINIT ? check_reinit(old, psk, g) : check_branch(old, psk, g);
}
