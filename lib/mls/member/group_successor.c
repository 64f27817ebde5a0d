/* Groups that follow a reinitialised one or branch off a living one (RFC 9420 11.2, 11.3). */
#include "mls/member/group_state.h"

struct err group_check_successor(const struct mls_group *old, const struct psk_id *psk,
                                 const struct public_group *g)
{
    if (old == NULL)
        return ERR_OK;
    /* who expects a successor must get one: a Welcome without the PSK proves nothing */
    if (psk == NULL)
        return ERR(MLS_SUCCESSOR);
    /* RFC 9420 11.2, 11.3: the PSK is the old group's, of its last epoch when it was
     * reinitialised */
    struct secret known = {0};
    if (!bytes_equal(psk->group_id, old->public.context.group_id) ||
        !err_is_ok(group_resumption_psk(old, psk->epoch, &known)))
        return ERR(MLS_SUCCESSOR);
    secret_clear(&known);
    if (psk->usage == PSK_USAGE_BRANCH)
        return public_group_check_branch(&old->public, g);
    if (psk->epoch != group_epoch(old))
        return ERR(MLS_SUCCESSOR);
    return public_group_check_reinit(&old->public, g);
}
