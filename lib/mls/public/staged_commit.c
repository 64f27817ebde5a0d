/* The list of a commit: resolved, validated (RFC 9420 12.2), applied (12.3); and the whole walk for
 * a received one. */
#include "mls/public/staged_commit.h"

#include <stdlib.h>

void staged_commit_free(struct staged_commit **staged)
{
    struct staged_commit *s = *staged;
    *staged = NULL;
    if (s == NULL)
        return;
    tree_merge_clear(&s->merge);
    tree_diff_clear(&s->diff);
    node_list_clear(&s->added);
    node_list_clear(&s->removed);
    node_list_clear(&s->updated);
    buf_clear(&s->provisional_context);
    buf_clear(&s->context);
    buf_clear(&s->reinit);
    arena_clear(&s->message_arena);
    free(s->list);
    free(s);
}

const struct reinit *staged_commit_reinit(const struct staged_commit *s)
{
    /* a ReInit stands alone */
    return s->list_count == 1 && s->list[0].proposal->type == PROPOSAL_REINIT
               ? &s->list[0].proposal->reinit
               : NULL;
}

bool staged_commit_has_psk(const struct staged_commit *s, struct bytes psk_id)
{
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type == PROPOSAL_PSK && p->psk.type == PSK_EXTERNAL &&
            bytes_equal(p->psk.id, psk_id))
            return true;
    }
    return false;
}

bool staged_commit_covers_pending(const struct staged_commit *s)
{
    return s->covered_count == s->group->proposals.count;
}

/* seen: a flag for each pending proposal, so that one named twice (which only types we do not know
 * can be) counts once among those covered. */
static struct err resolve_each(struct staged_commit *s, const struct proposal_or_ref *proposals,
                               size_t count, bool *seen)
{
    bool is_external = s->committer.type == SENDER_NEW_MEMBER_COMMIT;
    for (size_t i = 0; i < count; i++) {
        struct listed_proposal *p = &s->list[i];
        if (proposals[i].type == PROPOSAL_BY_VALUE) {
            if (proposals[i].proposal.raw.len == 0)
                return ERR(ARGUMENT); /* made and never read: leaves of it would have no bytes */
            *p = (struct listed_proposal){.proposal = &proposals[i].proposal,
                                          .sender = s->committer};
            continue;
        }
        /* RFC 9420 12.4: a reference identifies a proposal received in this epoch */
        const struct stored_proposal *stored =
            proposal_store_find(&s->group->proposals, proposals[i].reference);
        if (stored == NULL)
            return is_external ? ERR(MLS_EXTERNAL_COMMIT_REFERENCE) : ERR(MLS_PROPOSAL_REF_UNKNOWN);
        *p = (struct listed_proposal){&stored->proposal, stored->sender, true, true};
        s->covered_count += !seen[stored->number];
        seen[stored->number] = true;
    }
    s->list_count = count;
    return ERR_OK;
}

static struct err resolve(struct staged_commit *s, const struct proposal_or_ref *proposals,
                          size_t count)
{
    if (count > MLS_MAX_COMMIT_PROPOSALS)
        return ERR(WIRE_LIMIT);
    s->list = calloc(count + 1, sizeof *s->list);
    bool *seen = calloc(s->group->proposals.count + (size_t)1, sizeof *seen);
    struct err err = ERR(NO_MEMORY);
    if (s->list != NULL && seen != NULL)
        err = resolve_each(s, proposals, count, seen);
    free(seen);
    return err;
}

static struct err validate(struct staged_commit *s, const struct staged_options *options)
{
    const struct public_group *g = s->group;
    struct proposal_scope scope = {
        .suite = g->suite,
        .tree = &g->tree,
        .group_id = g->context.group_id,
        .policy = &s->policy,
        .psk_usage = options->psk_usage,
    };
    /* the list first: it costs no signature */
    if (s->committer.type == SENDER_NEW_MEMBER_COMMIT)
        TRY(validate_external_list(s->list, s->list_count));
    else
        TRY(validate_list(&scope, s->list, s->list_count, s->committer.index));
    for (size_t i = 0; i < s->list_count; i++) {
        if (!s->list[i].verified)
            TRY(validate_proposal(&scope, s->list[i].proposal, s->list[i].sender));
    }
    return ERR_OK;
}

/* RFC 9420 12.3: GroupContextExtensions, then Updates, then Removes, then Adds in order. */
static struct err apply(struct staged_commit *s)
{
    for (size_t i = 0; i < s->list_count; i++) {
        if (s->list[i].proposal->type != PROPOSAL_GROUP_CONTEXT_EXTENSIONS)
            continue;
        s->extensions = s->list[i].proposal->group_context_extensions;
        s->new_extensions = true;
    }
    TRY(group_rules_read(&s->extensions, &s->rules));
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_UPDATE)
            continue;
        TRY(tree_diff_update_leaf(&s->diff, s->list[i].sender.index, p->update->raw));
        TRY(node_list_add(&s->updated, 2 * s->list[i].sender.index));
    }
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_REMOVE)
            continue;
        TRY(tree_diff_remove_leaf(&s->diff, p->remove));
        TRY(node_list_add(&s->removed, 2 * p->remove));
    }
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_ADD)
            continue;
        uint32_t leaf;
        TRY(tree_diff_add_leaf(&s->diff, p->add->leaf_node.raw, &leaf));
        TRY(node_list_add(&s->added,
                          2 * leaf)); /* each further right than the one before, so sorted */
    }
    return ERR_OK;
}

static struct err begin(struct staged_commit *s, const struct proposal_or_ref *proposals,
                        size_t count, const struct staged_options *options)
{
    const struct public_group *g = s->group;
    /* RFC 9420 11.2, 12.4.2: after a ReInit the group is not used any more */
    if (public_group_is_closed(g))
        return ERR(MLS_GROUP_CLOSED);
    if (g->context.epoch == UINT64_MAX)
        return ERR(MLS_EPOCH);
    struct leaf_node leaf;
    if (s->committer.type == SENDER_MEMBER && !tree_leaf(&g->tree, s->committer.index, &leaf))
        return ERR(MLS_SENDER_LEAF);
    if (s->committer.type != SENDER_MEMBER && s->committer.type != SENDER_NEW_MEMBER_COMMIT)
        return ERR(MLS_CONTENT_SENDER);
    TRY(resolve(s, proposals, count));
    TRY(validate(s, options));
    s->path_required = validate_path_required(s->list, s->list_count);
    s->committer_leaf = s->committer.index;
    s->extensions = g->context.extensions;
    tree_diff_init(&s->diff, &g->tree);
    return apply(s);
}

struct err staged_commit_begin(const struct public_group *g, struct sender committer,
                               const struct proposal_or_ref *proposals, size_t count,
                               const struct mls_policy *policy,
                               const struct staged_options *options,
                               struct staged_commit **ret_staged)
{
    struct staged_commit *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    s->group = g;
    s->policy = *policy;
    s->committer = committer;
    struct err err = begin(s, proposals, count, options);
    if (!err_is_ok(err)) {
        staged_commit_free(&s);
        return err;
    }
    *ret_staged = s;
    return ERR_OK;
}

/* RFC 9420 7.6: as many ciphertexts as the resolution of the copath node has nodes without the
 * leaves added now, each an encapsulated key and a path secret of Nh bytes under the AEAD. */
static struct err check_ciphertexts(const struct staged_commit *s, const struct update_path *path)
{
    const struct suite *suite = s->group->suite;
    size_t ciphertext_bytes = suite_hash_bytes(suite) + AEAD_TAG_BYTES;
    for (uint32_t i = 0; i < s->path.count; i++) {
        const struct update_path_node *node = &path->nodes[i];
        if (node->ciphertext_count != tree_resolution_count(&s->diff, s->path.copath[i], &s->added))
            return ERR(MLS_PATH_CIPHERTEXT_COUNT);
        struct wire_reader it = wire_reader_of(node->ciphertexts);
        while (wire_reader_more(&it)) {
            struct hpke_ciphertext c;
            hpke_ciphertext_read(&it, &c);
            if (c.kem_output.len != suite->hpke.kem->public_bytes ||
                c.ciphertext.len != ciphertext_bytes)
                return ERR(MLS_PATH_CIPHERTEXT_FORM);
        }
    }
    return ERR_OK;
}

static struct err process_path(struct staged_commit *s, const struct update_path *path)
{
    if (s->committer.type == SENDER_NEW_MEMBER_COMMIT)
        TRY(staged_commit_join(s, path->leaf_node.raw));
    TRY(staged_commit_shape(s));
    /* RFC 9420 7.5, 12.4.2: one UpdatePathNode for each node of the filtered direct path */
    if (path->node_count != s->path.count)
        return ERR(MLS_PATH_LENGTH);
    TRY(check_ciphertexts(s, path));
    struct bytes keys[MLS_MAX_PATH_NODES];
    for (size_t i = 0; i < path->node_count; i++)
        keys[i] = path->nodes[i].encryption_key;
    TRY(staged_commit_set_keys(s, path->leaf_node.encryption_key, keys, path->node_count));
    return staged_commit_set_leaf(s, path->leaf_node.raw);
}

static struct err process(struct staged_commit *s, const struct authenticated_content *content)
{
    const struct commit *commit = &content->content.commit;
    /* RFC 9420 12.4, 17.4: an empty list, update, remove, external_init and
     * group_context_extensions need a path */
    if (s->path_required && commit->path == NULL)
        return ERR(MLS_PATH_REQUIRED);
    if (commit->path != NULL)
        TRY(process_path(s, commit->path));
    TRY(staged_commit_settle(s));
    TRY(staged_commit_confirm(s, content));
    return staged_commit_set_tag(s, content->auth.confirmation_tag);
}

struct err staged_commit_process(const struct public_group *g,
                                 const struct authenticated_content *content,
                                 const struct mls_policy *policy, struct staged_commit **ret_staged)
{
    return staged_commit_process_with(g, content, policy, &(struct staged_options){0}, ret_staged);
}

struct err staged_commit_process_with(const struct public_group *g,
                                      const struct authenticated_content *content,
                                      const struct mls_policy *policy,
                                      const struct staged_options *options,
                                      struct staged_commit **ret_staged)
{
    if (content->content.type != CONTENT_COMMIT)
        return ERR(ARGUMENT);
    const struct commit *commit = &content->content.commit;
    struct staged_commit *s = NULL;
    TRY(staged_commit_begin(g, content->content.sender, commit->proposals, commit->proposal_count,
                            policy, options, &s));
    struct err err = process(s, content);
    if (!err_is_ok(err)) {
        staged_commit_free(&s);
        return err;
    }
    *ret_staged = s;
    return ERR_OK;
}
