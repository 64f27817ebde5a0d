/* Which proposals a commit of ours covers (RFC 9420 12.2, 12.4). */
#include <stdlib.h>

#include "mls/member/commit_build.h"

/* The list as it grows, and what it holds already. */
struct selection {
    const struct mls_group *group;
    struct group_rules rules;     /* of the group as it is */
    struct proposal_or_ref *list; /* in the staged object's arena */
    size_t count;
    uint8_t *removed;   /* by leaf index: 1 is removed, 2 is updated */
    struct bytes *keys; /* signature keys of Adds, sorted */
    size_t key_count;
    const struct proposal **psks;
    size_t psk_count;
    bool has_context_extensions;
    bool has_reinit;
};

enum { LEAF_REMOVED = 1, LEAF_UPDATED = 2 };

static size_t place_of_key(const struct selection *s, struct bytes key)
{
    size_t low = 0;
    size_t high = s->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(s->keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_key(const struct selection *s, struct bytes key)
{
    size_t place = place_of_key(s, key);
    return place < s->key_count && bytes_equal(s->keys[place], key);
}

static bool has_psk(const struct selection *s, const struct proposal *p)
{
    for (size_t i = 0; i < s->psk_count; i++) {
        if (bytes_equal(s->psks[i]->raw, p->raw))
            return true;
    }
    return false;
}

static bool leaf_fits(const struct selection *s, const struct leaf_node *leaf)
{
    return err_is_ok(validate_leaf_in_group(leaf, &s->rules)) &&
           err_is_ok(validate_leaf_credentials(leaf, &s->group->public.tree.credentials));
}

static bool add_fits(const struct selection *s, const struct leaf_node *leaf)
{
    uint32_t twin;
    if (has_key(s, leaf->signature_key) || !leaf_fits(s, leaf))
        return false;
    return !tree_find_signature_key(&s->group->public.tree, leaf->signature_key, &twin) ||
           s->removed[twin] == LEAF_REMOVED;
}

/* RFC 9420 12.2: can a stored proposal stand beside what is in the list? Removes come before the
 * rest, so that an Update of a removed leaf is left out. */
static bool fits(const struct selection *s, const struct stored_proposal *stored)
{
    const struct proposal *p = &stored->proposal;
    switch (p->type) {
    case PROPOSAL_ADD:
        return add_fits(s, &p->add->leaf_node);
    case PROPOSAL_UPDATE:
        return stored->sender.index != s->group->own_leaf &&
               s->removed[stored->sender.index] == 0 && leaf_fits(s, p->update);
    case PROPOSAL_REMOVE:
        return p->remove != s->group->own_leaf && s->removed[p->remove] == 0;
    case PROPOSAL_PSK:
        return s->psk_count < MLS_MAX_PSKS && !has_psk(s, p);
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return !s->has_context_extensions;
    case PROPOSAL_REINIT:
        /* RFC 9420 12.2: other proposals are preferred to a ReInit */
        return s->count == 0 && s->group->public.proposals.count == 1;
    default:
        /* we make nothing of types we do not know, so we do not commit them either */
        return false;
    }
}

static void note(struct selection *s, const struct proposal *p, struct sender sender)
{
    size_t place;
    switch (p->type) {
    case PROPOSAL_ADD:
        place = place_of_key(s, p->add->leaf_node.signature_key);
        memmove(s->keys + place + 1, s->keys + place, (s->key_count - place) * sizeof *s->keys);
        s->keys[place] = p->add->leaf_node.signature_key;
        s->key_count++;
        break;
    case PROPOSAL_UPDATE:
        s->removed[sender.index] = LEAF_UPDATED;
        break;
    case PROPOSAL_REMOVE:
        if (p->remove < s->group->public.tree.width)
            s->removed[p->remove] = LEAF_REMOVED;
        break;
    case PROPOSAL_PSK:
        s->psks[s->psk_count++] = p;
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        s->has_context_extensions = true;
        break;
    case PROPOSAL_REINIT:
        s->has_reinit = true;
        break;
    default:
        break;
    }
}

static struct err put_values(struct selection *s, struct arena *a,
                             const struct commit_options *options)
{
    struct sender us = {SENDER_MEMBER, s->group->own_leaf};
    for (size_t i = 0; i < options->proposal_count; i++) {
        struct proposal_or_ref *to = &s->list[s->count++];
        struct bytes given = options->proposals[i];
        const void *copy = arena_copy(a, given.data, given.len);
        if (copy == NULL)
            return ERR(NO_MEMORY);
        to->type = PROPOSAL_BY_VALUE;
        TRY(proposal_parse(bytes_of(copy, given.len), a, &to->proposal));
        /* RFC 9420 12.2: the committer's Update is the path */
        if (to->proposal.type == PROPOSAL_UPDATE)
            return ERR(MLS_UPDATE_BY_COMMITTER);
        note(s, &to->proposal, us);
    }
    return ERR_OK;
}

static void put_reference(struct selection *s, struct bytes ref)
{
    s->list[s->count++] = (struct proposal_or_ref){.type = PROPOSAL_BY_REFERENCE, .reference = ref};
}

static int pass_of(uint16_t type)
{
    return type == PROPOSAL_REMOVE ? 0 : type == PROPOSAL_UPDATE ? 1 : 2;
}

/* RFC 9420 12.2, 12.4: all valid proposals received in the epoch. Removes first, since they are
 * preferred to Updates; then Updates, of which the last of a leaf counts; then the rest in the
 * order received. */
static void put_stored(struct selection *s)
{
    const struct proposal_store *store = &s->group->public.proposals;
    for (int pass = 0; pass < 3; pass++) {
        for (uint32_t i = 0; i < store->count && !s->has_reinit; i++) {
            const struct stored_proposal *stored =
                store->entries[pass == 1 ? store->count - 1 - i : i];
            if (pass_of(stored->proposal.type) != pass || !fits(s, stored))
                continue;
            put_reference(s, digest_view(&stored->ref));
            note(s, &stored->proposal, stored->sender);
        }
    }
}

static struct err select_into(struct selection *s, struct arena *a,
                              const struct commit_options *options)
{
    TRY(group_rules_read(&s->group->public.context.extensions, &s->rules));
    TRY(put_values(s, a, options));
    if (!options->some_references) {
        put_stored(s);
        return ERR_OK;
    }
    for (size_t i = 0; i < options->reference_count; i++) {
        struct bytes given = options->references[i];
        const void *copy = arena_copy(a, given.data, given.len);
        if (copy == NULL)
            return ERR(NO_MEMORY);
        put_reference(s, bytes_of(copy, given.len));
    }
    return ERR_OK;
}

struct err commit_select(struct commit_build *b, const struct commit_options *options)
{
    struct arena *a = &b->staged->arena;
    size_t stored = b->group->public.proposals.count;
    size_t most = options->proposal_count +
                  (options->some_references ? options->reference_count : stored) + 1;
    if (options->proposal_count > MLS_MAX_COMMIT_PROPOSALS ||
        options->reference_count > MLS_MAX_COMMIT_PROPOSALS)
        return ERR(WIRE_LIMIT);
    struct selection s = {
        .group = b->group,
        .list = arena_alloc(a, most * sizeof *s.list),
        .removed = calloc(b->group->public.tree.width, 1),
        .keys = calloc(most, sizeof *s.keys),
        .psks = calloc(most, sizeof *s.psks),
    };
    struct err err = ERR(NO_MEMORY);
    if (s.list != NULL && s.removed != NULL && s.keys != NULL && s.psks != NULL)
        err = select_into(&s, a, options);
    free(s.removed);
    free(s.keys);
    free(s.psks);
    b->list = s.list;
    b->count = s.count;
    return err;
}
