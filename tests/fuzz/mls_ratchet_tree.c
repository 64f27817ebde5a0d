/* ratchet_tree: the walk writes back byte for byte; so does a tree loaded from it, and its checks
 * hold on to nothing outside. */
#include <stdlib.h>

#include "crypto/suite.h"
#include "mls/public/parent_hash.h"
#include "mls/public/validate_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct buf *b, struct bytes in)
{
    if (!err_is_ok(buf_check(b)) || !bytes_equal(buf_view(b), in))
        abort();
    buf_clear(b);
}

static void walk(struct bytes in)
{
    struct ratchet_tree_walk w = ratchet_tree_walk_of(in);
    struct tree_entry entry;
    struct buf b = BUF_INIT;
    size_t mark = wire_vector_begin(&b);
    while (ratchet_tree_next(&w, &entry))
        tree_entry_write(&b, &entry);
    wire_vector_end(&b, mark);
    if (err_is_ok(ratchet_tree_walk_end(&w)))
        check(&b, in);
    buf_clear(&b);
}

static void validate(const struct tree *tree)
{
    struct mls_policy policy = mls_policy_at(1800000000);
    struct group_rules rules = {0};
    struct tree_diff d;
    tree_diff_init(&d, tree);
    (void)!err_is_ok(validate_tree(&d, suite_find(1), bytes_str("group"), &rules, &policy));
    if (err_is_ok(validate_parents(&d, suite_find(1))))
        (void)!err_is_ok(parent_hash_check_tree(&d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    walk(in);
    struct tree tree;
    if (!err_is_ok(tree_load(&hash_sha256, in, &tree)))
        return 0;
    struct buf b = BUF_INIT;
    tree_write(&b, &tree);
    check(&b, in);
    validate(&tree);
    tree_clear(&tree);
    return 0;
}
