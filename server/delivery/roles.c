#include "server/delivery/roles.h"

#include "server/delivery/server_proposals.h"

struct err suite_check(const struct suite *suite)
{
    /* protocol.md 2; the others (Ed448) are for interoperability of the library */
    static const uint16_t ours[] = {1, 2, 3, 5, 7};
    for (size_t i = 0; suite != NULL && i < sizeof ours / sizeof *ours; i++) {
        if (suite->id == ours[i])
            return ERR_OK;
    }
    return ERR(DELIVERY_SUITE);
}

struct err context_check(const struct delivery *d, const struct suite *suite,
                         const struct extensions *extensions)
{
    struct bytes roles;
    uint32_t index;
    struct public_key key;
    if (extensions->raw.len > CONTEXT_EXTENSION_BYTES)
        return ERR(TOO_LARGE);
    if (!extensions_find(extensions, ROLES_EXTENSION_TYPE, &roles) ||
        !err_is_ok(roles_check(roles)))
        return ERR(DELIVERY_CONTEXT);
    struct err err = server_sender_find(d, suite, extensions, &index, &key);
    return err.code == ERR_NOT_FOUND ? ERR(DELIVERY_CONTEXT) : err;
}

bool context_is_admin(const struct extensions *extensions, struct bytes user_pseudonym)
{
    struct bytes roles;
    return extensions_find(extensions, ROLES_EXTENSION_TYPE, &roles) &&
           roles_is_admin(roles, user_pseudonym.data);
}

/* Who a proposal comes from. */
struct proposer {
    bool server;
    bool admin;
    const struct leaf_entry *leaf; /* NULL for the server */
};

static struct err proposer_of(const struct delivery *d, const struct group_state *state,
                              const struct extensions *extensions, struct sender sender,
                              struct proposer *ret_proposer)
{
    *ret_proposer = (struct proposer){0};
    if (sender.type == SENDER_EXTERNAL) {
        /* only ours are ever stored */
        ret_proposer->server = true;
        return ERR_OK;
    }
    ret_proposer->leaf =
        sender.type == SENDER_MEMBER ? group_state_leaf(state, sender.index) : NULL;
    if (ret_proposer->leaf == NULL)
        return ERR(DELIVERY_PROPOSALS);
    ret_proposer->admin = delivery_off(d, DELIVERY_NO_ROLES) ||
                          context_is_admin(extensions, ret_proposer->leaf->user_pseudonym);
    return ERR_OK;
}

static struct err allow_remove(const struct group_state *state, const struct proposer *by,
                               uint32_t leaf)
{
    const struct leaf_entry *removed = group_state_leaf(state, leaf);
    if (removed == NULL)
        return ERR(DELIVERY_PROPOSALS);
    if (by->server || by->admin || bytes_equal(by->leaf->user_pseudonym, removed->user_pseudonym))
        return ERR_OK;
    return ERR(DELIVERY_ROLE);
}

/* An admin adds anybody; others further clients of their own. That a pseudonym in use is claimed
 * with a countersignature was checked with the record. */
static struct err allow_add(const struct proposer *by, const struct leaf_entry *added)
{
    if (by->admin)
        return ERR_OK;
    return by->leaf != NULL && bytes_equal(by->leaf->user_pseudonym, added->user_pseudonym)
               ? ERR_OK
               : ERR(DELIVERY_ROLE);
}

/* Somebody must be left who can manage the group: an admin of the new extensions who stays. */
static struct err check_new_context(const struct delivery *d, const struct group_state *state,
                                    const struct staged_commit *staged,
                                    const struct extensions *next)
{
    struct leaf_node leaf;
    TRY(context_check(d, state->suite, next));
    for (uint32_t i = 0; i < state->leaf_count; i++) {
        if (context_is_admin(next, state->leaves[i].user_pseudonym) &&
            tree_diff_leaf(&staged->diff, state->leaves[i].index, &leaf) &&
            bytes_equal(leaf.signature_key, state->leaves[i].signature_key))
            return ERR_OK;
    }
    return ERR(DELIVERY_CONTEXT);
}

struct err roles_allow(const struct delivery *d, const struct group_state *state,
                       const struct staged_commit *staged, const struct leaf_entry *added)
{
    const struct extensions *extensions = &staged->group->context.extensions;
    struct proposer by;
    size_t add = 0;
    for (size_t i = 0; i < staged->list_count; i++) {
        const struct listed_proposal *p = &staged->list[i];
        TRY(proposer_of(d, state, extensions, p->sender, &by));
        switch (p->proposal->type) {
        case PROPOSAL_ADD:
            TRY(allow_add(&by, &added[add++]));
            break;
        case PROPOSAL_REMOVE:
            TRY(allow_remove(state, &by, p->proposal->remove));
            break;
        case PROPOSAL_PSK:
            break;
        case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
            if (!by.admin)
                return ERR(DELIVERY_ROLE);
            TRY(check_new_context(d, state, staged, &p->proposal->group_context_extensions));
            break;
        default:
            /* Updates never wait here, and a ReInit would leave a group nobody can use */
            return ERR(DELIVERY_PROPOSALS);
        }
    }
    return ERR_OK;
}
