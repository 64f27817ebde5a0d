/* How a public group comes to be, ends, and moves to the next epoch. */
#include "mls/public/public_group.h"

#include <assert.h>

#include "mls/public/info_check.h"
#include "mls/public/staged_commit.h"
#include "mls/public/transcript.h"
#include "mls/public/validate_tree.h"

void public_group_clear(struct public_group *g)
{
    tree_clear(&g->tree);
    buf_clear(&g->context_bytes);
    buf_clear(&g->reinit);
    proposal_store_clear(&g->proposals);
    *g = (struct public_group){0};
}

struct err public_group_adopt_context(struct public_group *g, struct bytes context)
{
    buf_clear(&g->context_bytes);
    buf_append_bytes(&g->context_bytes, context);
    TRY(buf_check(&g->context_bytes));
    TRY(group_context_parse(buf_view(&g->context_bytes), &g->context));
    g->suite = suite_find(g->context.cipher_suite);
    if (g->suite == NULL)
        return ERR(MLS_SUITE_UNKNOWN);
    return group_rules_read(&g->context.extensions, &g->rules);
}

static void set_tag(struct public_group *g, struct bytes tag)
{
    memcpy(g->confirmation_tag.data, tag.data, tag.len);
    g->confirmation_tag.len = tag.len;
    transcript_interim(g->suite->hash, g->context.confirmed_transcript_hash, tag,
                       &g->interim_transcript_hash);
}

void public_group_set_confirmation_tag(struct public_group *g, struct bytes tag)
{
    assert(g->context.epoch == 0 && tag.len == g->suite->hash->bytes);
    set_tag(g, tag);
}

static struct err validate(const struct public_group *g, const struct mls_policy *policy)
{
    struct tree_diff d;
    tree_diff_init(&d, &g->tree);
    return validate_tree(&d, g->suite, g->context.group_id, &g->rules, policy);
}

static struct err from_group_info(struct public_group *g, const struct group_info *info,
                                  struct bytes ratchet_tree, const struct mls_policy *policy)
{
    TRY(public_group_adopt_context(g, info->group_context.raw));
    TRY(info_check_form(info, g->suite));
    /* RFC 9420 12.4.3.3: the tree is in the extension, or comes from elsewhere */
    if (ratchet_tree.len == 0 &&
        !extensions_find(&info->extensions, EXTENSION_RATCHET_TREE, &ratchet_tree))
        return ERR(MLS_TREE_MISSING);
    TRY(tree_load(g->suite->hash, ratchet_tree, &g->tree));
    /* RFC 9420 12.4.3.1: the tree hash matches the tree_hash field */
    if (!bytes_equal(tree_root_hash(&g->tree), g->context.tree_hash))
        return ERR(MLS_TREE_HASH);
    struct leaf_node signer;
    /* RFC 9420 12.4.3.1: the signer is a leaf of the tree, and not blank */
    if (!tree_leaf(&g->tree, info->signer, &signer))
        return ERR(MLS_GROUP_INFO_SIGNER);
    TRY(info_check_signature(info, g->suite, signer.signature_key));
    TRY(validate(g, policy));
    set_tag(g, info->confirmation_tag);
    return ERR_OK;
}

struct err public_group_from_group_info(const struct group_info *info, struct bytes ratchet_tree,
                                        const struct mls_policy *policy,
                                        struct public_group *ret_group)
{
    struct public_group g = {0};
    struct err err = from_group_info(&g, info, ratchet_tree, policy);
    if (!err_is_ok(err)) {
        public_group_clear(&g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}

static struct err create(struct public_group *g, struct group_context *gc, struct bytes raw_leaf,
                         const struct mls_policy *policy, struct buf *scratch)
{
    struct leaf_node leaf;
    TRY(leaf_node_parse(raw_leaf, &leaf));
    size_t mark = wire_vector_begin(scratch);
    tree_entry_write(scratch, &(struct tree_entry){.type = NODE_LEAF, .leaf = leaf});
    wire_vector_end(scratch, mark);
    TRY(buf_check(scratch));
    const struct suite *suite = suite_find(gc->cipher_suite);
    TRY(tree_load(suite->hash, buf_view(scratch), &g->tree));
    gc->tree_hash = tree_root_hash(&g->tree);
    buf_reset_unwiped(scratch);
    group_context_write(scratch, gc);
    TRY(buf_check(scratch));
    TRY(public_group_adopt_context(g, buf_view(scratch)));
    return validate(g, policy);
}

struct err public_group_create(const struct suite *suite, struct bytes group_id,
                               const struct extensions *extensions, struct bytes raw_leaf,
                               const struct mls_policy *policy, struct public_group *ret_group)
{
    struct group_context gc = {
        .cipher_suite = suite->id, .group_id = group_id, .extensions = *extensions};
    struct public_group g = {0};
    struct buf scratch = BUF_INIT;
    struct err err = create(&g, &gc, raw_leaf, policy, &scratch);
    buf_clear(&scratch);
    if (!err_is_ok(err)) {
        public_group_clear(&g);
        return err;
    }
    *ret_group = g;
    return ERR_OK;
}

void public_group_merge(struct public_group *g, struct staged_commit **staged)
{
    struct staged_commit *s = *staged;
    assert(s->group == g && s->ready);
    tree_merge(&g->tree, &s->diff, &s->merge);
    buf_clear(&g->context_bytes);
    /* the buffers move with their memory, so the views into them stay good */
    g->context_bytes = s->context;
    s->context = BUF_INIT;
    g->context = s->next_context;
    g->rules = s->next_rules;
    g->interim_transcript_hash = s->interim_transcript_hash;
    g->confirmation_tag = s->confirmation_tag;
    buf_clear(&g->reinit);
    g->reinit = s->reinit;
    s->reinit = BUF_INIT;
    /* after what may look into it: the list of s has views into the store, but freeing does not
     * look */
    proposal_store_clear(&g->proposals);
    staged_commit_free(staged);
}
