/* The end of staging: the new tree as a whole, its context, its transcript (RFC
 * 9420 12.4.1, 12.4.2, 8.2). */
#include "mls/public/staged_commit.h"
#include "mls/public/transcript.h"

static struct err check_leaf(const struct staged_commit *s, uint32_t node_index)
{
    struct leaf_node leaf;
    if (!tree_diff_leaf(&s->diff, node_index / 2, &leaf))
        return ERR(INTERNAL);
    TRY(validate_leaf_in_group(&leaf, &s->rules));
    return validate_leaf_credentials(&leaf, &s->diff.credentials);
}

static bool uses_type(const struct credential_uses *uses, uint16_t type)
{
    for (uint32_t i = 0; i < uses->count; i++) {
        if (uses->at[i].type == type)
            return true;
    }
    return false;
}

/* Did credential types come into use that were not? Only then all members have to be asked for
 * them. */
static bool has_new_credential_type(const struct staged_commit *s)
{
    for (uint32_t i = 0; i < s->diff.credentials.count; i++) {
        if (!uses_type(&s->group->tree.credentials, s->diff.credentials.at[i].type))
            return true;
    }
    return false;
}

static struct err check_all_leaves(const struct staged_commit *s)
{
    struct leaf_node leaf;
    for (uint32_t i = 0; i < s->diff.width; i++) {
        if (!tree_diff_leaf(&s->diff, i, &leaf))
            continue;
        /* RFC 9420 12.1.7, 11.1: all members, those added included, support what the new extensions
         * require */
        if (s->new_extensions && !err_is_ok(validate_leaf_in_group(&leaf, &s->rules)))
            return ERR(MLS_CONTEXT_EXTENSIONS_UNSUPPORTED);
        TRY(validate_leaf_credentials(&leaf, &s->diff.credentials));
    }
    return ERR_OK;
}

/* RFC 9420 7.3, 12.2: after processing, no leaf is invalid. Leaves that did not change were valid
 * and still are, but for what others' changes ask of them: new extensions, new credential types. */
static struct err check_leaves(const struct staged_commit *s)
{
    for (uint32_t i = 0; i < s->added.count; i++)
        TRY(check_leaf(s, s->added.at[i]));
    for (uint32_t i = 0; i < s->updated.count; i++)
        TRY(check_leaf(s, s->updated.at[i]));
    if (s->has_path)
        TRY(check_leaf(s, 2 * s->committer_leaf));
    if (s->new_extensions || has_new_credential_type(s))
        return check_all_leaves(s);
    return ERR_OK;
}

static struct err write_context(const struct staged_commit *s, struct bytes confirmed,
                                struct buf *b)
{
    struct group_context gc = s->group->context;
    gc.epoch++;
    gc.tree_hash = tree_diff_root_hash(&s->diff);
    gc.confirmed_transcript_hash = confirmed;
    gc.extensions = s->extensions;
    buf_clear(b);
    group_context_write(b, &gc);
    return buf_check(b);
}

struct err staged_commit_settle(struct staged_commit *s)
{
    /* RFC 9420 12.4 */
    if (s->path_required && !s->has_path)
        return ERR(MLS_PATH_REQUIRED);
    TRY(check_leaves(s));
    TRY(tree_diff_rehash(&s->diff));
    tree_merge_clear(&s->merge);
    TRY(tree_merge_prepare(&s->diff, &s->merge));
    /* RFC 9420 12.4.1: new epoch, tree and extensions, old confirmed transcript hash */
    return write_context(s, s->group->context.confirmed_transcript_hash, &s->provisional_context);
}

struct err staged_commit_confirm(struct staged_commit *s,
                                 const struct authenticated_content *content)
{
    const struct public_group *g = s->group;
    TRY(transcript_confirmed(g->suite->hash, digest_view(&g->interim_transcript_hash), content,
                             &s->confirmed_transcript_hash));
    TRY(write_context(s, digest_view(&s->confirmed_transcript_hash), &s->context));
    TRY(group_context_parse(buf_view(&s->context), &s->next_context));
    TRY(group_rules_read(&s->next_context.extensions, &s->next_rules));
    const struct reinit *reinit = staged_commit_reinit(s);
    if (reinit != NULL)
        reinit_write(&s->reinit, reinit);
    return buf_check(&s->reinit);
}

struct err staged_commit_set_tag(struct staged_commit *s, struct bytes tag)
{
    const struct hash_alg *hash = s->group->suite->hash;
    /* RFC 9420 6.1: a MAC of full length */
    if (tag.len != hash->bytes)
        return ERR(MLS_CONFIRMATION_TAG_LENGTH);
    memcpy(s->confirmation_tag.data, tag.data, tag.len);
    s->confirmation_tag.len = tag.len;
    transcript_interim(hash, digest_view(&s->confirmed_transcript_hash), tag,
                       &s->interim_transcript_hash);
    s->ready = true;
    return ERR_OK;
}
