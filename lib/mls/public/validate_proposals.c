#include "mls/public/validate_proposals.h"

#include <stdlib.h>

static struct err check_sender(const struct proposal *p, struct sender sender)
{
    /* RFC 9420 12.1.8: only these types may be sent by an external sender; others are malformed */
    if (sender.type == SENDER_EXTERNAL && p->type != PROPOSAL_ADD && p->type != PROPOSAL_REMOVE &&
        p->type != PROPOSAL_PSK && p->type != PROPOSAL_REINIT &&
        p->type != PROPOSAL_GROUP_CONTEXT_EXTENSIONS)
        return ERR(MLS_EXTERNAL_PROPOSAL_TYPE);
    /* RFC 9420 6.1: new_member_proposal sends an Add and nothing else */
    if (sender.type == SENDER_NEW_MEMBER_PROPOSAL && p->type != PROPOSAL_ADD)
        return ERR(MLS_NEW_MEMBER_PROPOSAL_TYPE);
    /* RFC 9420 12.1.2: an Update replaces its sender's leaf */
    if (p->type == PROPOSAL_UPDATE && sender.type != SENDER_MEMBER)
        return ERR(MLS_UPDATE_SENDER);
    return ERR_OK;
}

static struct err check_update(const struct proposal_scope *scope, const struct leaf_node *leaf,
                               uint32_t index)
{
    struct leaf_node old;
    if (!tree_leaf(scope->tree, index, &old))
        return ERR(MLS_UPDATE_SENDER);
    TRY(validate_leaf_alone(leaf, scope->suite, LEAF_SOURCE_UPDATE, scope->policy));
    /* RFC 9420 7.3, 12.1.2: encryption_key differs from that of the leaf being replaced */
    if (bytes_equal(leaf->encryption_key, old.encryption_key))
        return ERR(MLS_LEAF_KEY_REUSED);
    return validate_leaf_signature(leaf, scope->suite, scope->group_id, index);
}

static struct err check_psk(const struct proposal_scope *scope, const struct psk_id *psk)
{
    /* RFC 9420 12.1.4, 11.2, 11.3: resumption PSKs with usage reinit or branch only while doing
     * that */
    if (psk->type == PSK_RESUMPTION && psk->usage != PSK_USAGE_APPLICATION &&
        (int)psk->usage != scope->psk_usage)
        return ERR(MLS_PSK_USAGE);
    /* RFC 9420 12.1.4: psk_nonce has length KDF.Nh */
    if (psk->nonce.len != suite_hash_bytes(scope->suite))
        return ERR(MLS_PSK_NONCE);
    return ERR_OK;
}

struct err validate_proposal(const struct proposal_scope *scope, const struct proposal *p,
                             struct sender sender)
{
    TRY(check_sender(p, sender));
    struct group_rules rules;
    switch (p->type) {
    case PROPOSAL_ADD:
        /* RFC 9420 12.1.1: an Add is invalid if its KeyPackage is */
        return validate_key_package(p->add, scope->suite, scope->policy);
    case PROPOSAL_UPDATE:
        return check_update(scope, p->update, sender.index);
    case PROPOSAL_REMOVE:
        /* RFC 9420 12.1.3: removed identifies a non-blank leaf */
        return p->remove < scope->tree->width && tree_at(scope->tree, 2 * p->remove) != NULL
                   ? ERR_OK
                   : ERR(MLS_REMOVE_BLANK);
    case PROPOSAL_PSK:
        return check_psk(scope, &p->psk);
    case PROPOSAL_REINIT:
        /* RFC 9420 12.1.5: version is not less than the group's */
        if (p->reinit.version < MLS_VERSION_MLS10)
            return ERR(MLS_REINIT_VERSION);
        return group_rules_read(&p->reinit.extensions, &rules);
    case PROPOSAL_EXTERNAL_INIT:
        /* RFC 9420 8.3: the KEM output of the suite */
        return validate_blame(kem_check_public(scope->suite->hpke.kem, p->external_init),
                              ERR_MLS_KEM_OUTPUT);
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return group_rules_read(&p->group_context_extensions, &rules);
    default:
        return ERR_OK;
    }
}

bool validate_path_required(const struct listed_proposal *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (list[i].proposal->type) {
        case PROPOSAL_UPDATE:
        case PROPOSAL_REMOVE:
        case PROPOSAL_EXTERNAL_INIT:
        case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
            return true;
        default:
            break;
        }
    }
    return count == 0;
}

static int by_bytes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorts; are two the same? */
static bool has_twins(struct bytes *list, size_t count)
{
    if (count > 1)
        qsort(list, count, sizeof *list, by_bytes);
    for (size_t i = 1; i < count; i++) {
        if (bytes_equal(list[i - 1], list[i]))
            return true;
    }
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Room for a sorted copy of whatever the list holds of one kind. */
struct list_scratch {
    struct bytes *views;
    uint32_t *leaves; /* changed by Update or Remove, sorted */
    size_t leaf_count;
};

static struct err check_changed_leaves(const struct listed_proposal *list, size_t count,
                                       uint32_t committer, struct list_scratch *s)
{
    for (size_t i = 0; i < count; i++) {
        const struct proposal *p = list[i].proposal;
        if (p->type == PROPOSAL_UPDATE) {
            /* RFC 9420 12.2: an Update generated by the committer */
            if (list[i].sender.index == committer)
                return ERR(MLS_UPDATE_BY_COMMITTER);
            s->leaves[s->leaf_count++] = list[i].sender.index;
        } else if (p->type == PROPOSAL_REMOVE) {
            /* RFC 9420 12.2: a Remove that removes the committer */
            if (p->remove == committer)
                return ERR(MLS_REMOVE_COMMITTER);
            s->leaves[s->leaf_count++] = p->remove;
        }
    }
    if (s->leaf_count > 1)
        qsort(s->leaves, s->leaf_count, sizeof *s->leaves, by_number);
    /* RFC 9420 12.2: multiple Update and/or Remove proposals for one leaf */
    for (size_t i = 1; i < s->leaf_count; i++) {
        if (s->leaves[i - 1] == s->leaves[i])
            return ERR(MLS_LEAF_CHANGED_TWICE);
    }
    return ERR_OK;
}

static bool removes(const struct listed_proposal *list, size_t count, uint32_t leaf)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].proposal->type == PROPOSAL_REMOVE && list[i].proposal->remove == leaf)
            return true;
    }
    return false;
}

/* One client is one signature key; whether two keys are one client is for the application. */
static struct err check_adds(const struct proposal_scope *scope, const struct listed_proposal *list,
                             size_t count, struct list_scratch *s)
{
    size_t adds = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].proposal->type != PROPOSAL_ADD)
            continue;
        struct bytes key = list[i].proposal->add->leaf_node.signature_key;
        s->views[adds++] = key;
        /* RFC 9420 12.2: an Add of a client already in the group, unless the list removes it. A
         * changed leaf is looked for only in the rare case that the key is there, so this stays n
         * log n. */
        uint32_t leaf;
        if (tree_find_signature_key(scope->tree, key, &leaf) &&
            (bsearch(&leaf, s->leaves, s->leaf_count, sizeof leaf, by_number) == NULL ||
             !removes(list, count, leaf)))
            return ERR(MLS_ADD_EXISTING);
    }
    /* RFC 9420 12.2: multiple Adds of the same client */
    return has_twins(s->views, adds) ? ERR(MLS_ADD_TWICE) : ERR_OK;
}

static struct err check_psks(const struct listed_proposal *list, size_t count,
                             struct list_scratch *s)
{
    size_t psks = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].proposal->type == PROPOSAL_PSK)
            s->views[psks++] = list[i].proposal->raw;
    }
    if (psks > MLS_MAX_PSKS)
        return ERR(WIRE_LIMIT);
    /* RFC 9420 12.2: multiple PreSharedKey proposals with the same PreSharedKeyID */
    return has_twins(s->views, psks) ? ERR(MLS_PSK_TWICE) : ERR_OK;
}

static struct err check_single(const struct listed_proposal *list, size_t count)
{
    size_t context_extensions = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t type = list[i].proposal->type;
        /* RFC 9420 12.2: multiple GroupContextExtensions proposals */
        if (type == PROPOSAL_GROUP_CONTEXT_EXTENSIONS && ++context_extensions > 1)
            return ERR(MLS_CONTEXT_EXTENSIONS_TWICE);
        /* RFC 9420 12.2: a ReInit together with any other proposal */
        if (type == PROPOSAL_REINIT && count > 1)
            return ERR(MLS_REINIT_NOT_ALONE);
        /* RFC 9420 12.2: an ExternalInit in a regular commit */
        if (type == PROPOSAL_EXTERNAL_INIT)
            return ERR(MLS_EXTERNAL_INIT);
    }
    return ERR_OK;
}

/* RFC 9420 12.2, 13.2: all members who process the commit support it: those of the old tree who are
 * not removed. */
static struct err check_support(const struct proposal_scope *scope,
                                const struct listed_proposal *list, size_t count, uint16_t type)
{
    struct leaf_node leaf;
    for (uint32_t i = 0; i < scope->tree->width; i++) {
        if (tree_leaf(scope->tree, i, &leaf) &&
            !capabilities_has_proposal(&leaf.capabilities, type) && !removes(list, count, i))
            return ERR(MLS_PROPOSAL_UNSUPPORTED);
    }
    return ERR_OK;
}

static struct err check_unknown(const struct proposal_scope *scope,
                                const struct listed_proposal *list, size_t count)
{
    enum { MOST_TYPES = 16 };
    uint16_t seen[MOST_TYPES];
    size_t seen_count = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t type = list[i].proposal->type;
        if (type > 0 && type <= PROPOSAL_LAST_DEFAULT)
            continue;
        size_t k = 0;
        while (k < seen_count && seen[k] != type)
            k++;
        if (k < seen_count)
            continue;
        if (seen_count == MOST_TYPES)
            return ERR(WIRE_LIMIT);
        seen[seen_count++] = type;
        TRY(check_support(scope, list, count, type));
    }
    return ERR_OK;
}

struct err validate_list(const struct proposal_scope *scope, const struct listed_proposal *list,
                         size_t count, uint32_t committer)
{
    TRY(check_single(list, count));
    struct list_scratch s = {
        .views = malloc((count + 1) * sizeof *s.views),
        .leaves = malloc((count + 1) * sizeof *s.leaves),
    };
    struct err err = ERR(NO_MEMORY);
    if (s.views == NULL || s.leaves == NULL)
        goto out;
    TRY_OR(check_changed_leaves(list, count, committer, &s), err, out);
    TRY_OR(check_adds(scope, list, count, &s), err, out);
    TRY_OR(check_psks(list, count, &s), err, out);
    TRY_OR(check_unknown(scope, list, count), err, out);
out:
    free(s.views);
    free(s.leaves);
    return err;
}

struct err validate_external_list(const struct listed_proposal *list, size_t count)
{
    size_t inits = 0;
    size_t removed = 0;
    for (size_t i = 0; i < count; i++) {
        /* RFC 9420 12.4.3.2: no proposals by reference */
        if (list[i].by_reference)
            return ERR(MLS_EXTERNAL_COMMIT_REFERENCE);
        switch (list[i].proposal->type) {
        case PROPOSAL_EXTERNAL_INIT:
            inits++;
            break;
        case PROPOSAL_REMOVE:
            /* RFC 9420 12.2: at most one Remove */
            if (++removed > 1)
                return ERR(MLS_EXTERNAL_COMMIT_REMOVE);
            break;
        case PROPOSAL_PSK:
            break;
        default:
            /* RFC 9420 12.2: no other proposals */
            return ERR(MLS_EXTERNAL_COMMIT_PROPOSAL);
        }
    }
    /* RFC 9420 12.2: exactly one ExternalInit */
    if (inits != 1)
        return ERR(MLS_EXTERNAL_COMMIT_INIT);
    struct list_scratch s = {.views = malloc((count + 1) * sizeof *s.views)};
    if (s.views == NULL)
        return ERR(NO_MEMORY);
    struct err err = check_psks(list, count, &s);
    free(s.views);
    return err;
}
