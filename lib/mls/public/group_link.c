/* Groups that come from groups: reinitialisation and branching (RFC 9420 11.2, 11.3). */
#include <stdlib.h>

#include "mls/codec/proposal.h"
#include "mls/public/public_group.h"

static int by_credential(const void *a, const void *b)
{
    const struct mls_credential *x = a;
    const struct mls_credential *y = b;
    return x->type != y->type ? (x->type > y->type) - (x->type < y->type)
                              : bytes_compare(x->body, y->body);
}

/* The members' credentials, sorted; the caller frees. NULL when out of memory. */
static struct mls_credential *sorted_credentials(const struct tree *tree)
{
    struct mls_credential *list = malloc((tree->member_count + 1) * sizeof *list);
    uint32_t count = 0;
    struct leaf_node leaf;
    for (uint32_t i = 0; list != NULL && i < tree->width; i++) {
        if (tree_leaf(tree, i, &leaf))
            list[count++] = leaf.credential;
    }
    if (list != NULL)
        qsort(list, count, sizeof *list, by_credential);
    return list;
}

/* Has every member of a an equal in b? */
static struct err check_members(const struct tree *a, const struct tree *b, enum err_code code)
{
    struct mls_credential *list = sorted_credentials(b);
    if (list == NULL)
        return ERR(NO_MEMORY);
    struct err err = ERR_OK;
    struct leaf_node leaf;
    for (uint32_t i = 0; i < a->width && err_is_ok(err); i++) {
        if (tree_leaf(a, i, &leaf) &&
            bsearch(&leaf.credential, list, b->member_count, sizeof *list, by_credential) == NULL)
            err = (struct err){code};
    }
    free(list);
    return err;
}

struct err public_group_check_reinit(const struct public_group *closed,
                                     const struct public_group *next)
{
    struct wire_reader r = wire_reader_of(buf_view(&closed->reinit));
    struct reinit reinit;
    reinit_read(&r, &reinit);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(MLS_REINIT_MISMATCH); /* not closed */
    const struct group_context *gc = &next->context;
    /* RFC 9420 11.2, 12.4.3.1: epoch 1, and group_id, version, cipher_suite and extensions match
     * the ReInit */
    if (gc->epoch != 1 || reinit.version != MLS_VERSION_MLS10 ||
        reinit.cipher_suite != gc->cipher_suite || !bytes_equal(reinit.group_id, gc->group_id) ||
        !bytes_equal(reinit.extensions.raw, gc->extensions.raw))
        return ERR(MLS_REINIT_MISMATCH);
    /* RFC 9420 12.4.3.1: all the members of the old group are also members of the new group */
    return check_members(&closed->tree, &next->tree, ERR_MLS_REINIT_MEMBERS);
}

struct err public_group_check_branch(const struct public_group *from,
                                     const struct public_group *next)
{
    /* RFC 9420 11.3, 12.4.3.1: epoch 1, version and cipher suite of the old group */
    if (next->context.epoch != 1 || next->suite != from->suite)
        return ERR(MLS_BRANCH_MISMATCH);
    /* RFC 9420 12.4.3.1: the members of the new group are a subset of those of the old */
    return check_members(&next->tree, &from->tree, ERR_MLS_BRANCH_MEMBERS);
}
