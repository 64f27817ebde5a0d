/* One proposal applied to a tree (RFC 9420 12.1.1 to 12.1.3): the tree and its hash before and
 * after. */
#include "mls/codec/proposal.h"
#include "mls/public/tree_diff.h"
#include "vectors/vector_case.h"

static struct err apply(struct tree_diff *d, const struct proposal *p, uint32_t sender)
{
    uint32_t leaf;
    if (p->type == PROPOSAL_ADD)
        TRY(tree_diff_add_leaf(d, p->add->leaf_node.raw, &leaf));
    else if (p->type == PROPOSAL_UPDATE)
        TRY(tree_diff_update_leaf(d, sender, p->update->raw));
    else if (p->type == PROPOSAL_REMOVE)
        TRY(tree_diff_remove_leaf(d, p->remove));
    else
        return ERR(ARGUMENT);
    return tree_diff_rehash(d);
}

static void check(struct vector_case *c, struct tree *tree, struct tree_diff *d)
{
    struct tree_merge merge;
    struct buf b = BUF_INIT;
    struct proposal p;
    CHECK_BYTES(tree_root_hash(tree), vector_hex(c, c->json, "tree_hash_before"));
    CHECK_OK(proposal_parse(vector_hex(c, c->json, "proposal"), &c->arena, &p));
    tree_diff_init(d, tree);
    CHECK_OK(apply(d, &p, (uint32_t)vector_uint(c, c->json, "proposal_sender")));
    CHECK_BYTES(tree_diff_root_hash(d), vector_hex(c, c->json, "tree_hash_after"));
    CHECK_OK(tree_merge_prepare(d, &merge));
    tree_merge(tree, d, &merge);
    CHECK_BYTES(tree_root_hash(tree), vector_hex(c, c->json, "tree_hash_after"));
    tree_write(&b, tree);
    CHECK_BYTES(vector_take(c, &b), vector_hex(c, c->json, "tree_after"));
}

void vector_tree_operations(struct vector_case *c)
{
    struct tree tree = {0};
    struct tree_diff d = {0};
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    CHECK_OK(tree_load(suite->hash, vector_hex(c, c->json, "tree_before"), &tree));
    check(c, &tree, &d);
    tree_diff_clear(&d);
    tree_clear(&tree);
}
