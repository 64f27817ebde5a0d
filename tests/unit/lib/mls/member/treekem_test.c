/* Path secrets that lie: encrypted rightly to a member, but not those of the keys in the path. */
#include "mls/member/group_state.h"
#include "mls/public/parent_hash.h"
#include "support/test.h"
#include "world/world.h"

static struct world w;

/* A path of member 0 over the tree of its group, with the ciphertexts that `secret_of` chooses;
 * what member `to` makes of it. */
struct forged {
    uint32_t wrong; /* the path node whose ciphertexts hold another secret; UINT32_MAX: none */
    bool swapped;   /* and there the secret of the next node instead of a random one */
};

static struct err receive(const struct world_client *from, const struct world_client *to,
                          const struct forged *f)
{
    struct tree_diff d;
    struct filtered_path path;
    struct treekem_path *own = NULL;
    struct bytes keys[MLS_MAX_PATH_NODES];
    struct update_path_node nodes[MLS_MAX_PATH_NODES];
    struct buf ciphertexts[MLS_MAX_PATH_NODES] = {{0}};
    struct node_list nobody = {0};
    struct digest parent_hash;
    struct secret commit_secret = {0};
    struct bytes context = bytes_str("context");
    tree_diff_init(&d, &group_public(from->group)->tree);
    tree_filtered_path(&d, group_own_leaf(from->group), &path);
    assert_ok(treekem_path_new(w.suite, &w.rng, &own));
    assert_ok(treekem_path_fill(w.suite, &w.rng, path.count, own));
    for (uint32_t i = 0; i < path.count; i++)
        keys[i] = public_key_view(&own->publics[i]);
    assert_ok(parent_hash_apply_path(&d, group_own_leaf(from->group), &path, keys, &parent_hash));
    for (uint32_t i = 0; i < path.count; i++) {
        struct secret secret = own->secrets[i];
        if (i == f->wrong && f->swapped)
            assert_ok(treekem_next(w.suite, &secret, &secret));
        else if (i == f->wrong)
            assert_ok(secret_random(&w.rng, secret.len, &secret));
        nodes[i].encryption_key = keys[i];
        assert_ok(treekem_encrypt(w.suite, &w.rng, &d, &secret, path.copath[i], &nobody, context,
                                  &ciphertexts[i], &nodes[i].ciphertext_count));
        nodes[i].ciphertexts = buf_view(&ciphertexts[i]);
    }
    struct treekem_received received = {&d, &path, nodes, &nobody, context};
    struct treekem_keys held = to->group->keys;
    treekem_keys_prune(&held, &d);
    struct err err =
        treekem_receive(w.suite, &received, group_own_leaf(to->group), &held, &commit_secret);
    if (err_is_ok(err))
        assert_true(secret_equal(&commit_secret, &own->commit));
    for (uint32_t i = 0; i < path.count; i++)
        buf_clear(&ciphertexts[i]);
    treekem_path_free(&own);
    tree_diff_clear(&d);
    return err;
}

static void lying_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        world_init(&w, &suite_table[i], 20 + i, true);
        world_grow(&w, 4);
        struct world_client *c = w.clients;
        /* members 0 and 1 are siblings: path node 0 is for 1, path node 1 for 2 and 3 */
        assert_ok(receive(&c[0], &c[1], &(struct forged){UINT32_MAX, false}));
        assert_ok(receive(&c[0], &c[3], &(struct forged){UINT32_MAX, false}));
        assert_err(receive(&c[0], &c[1], &(struct forged){0, false}), MLS_PATH_SECRET);
        assert_err(receive(&c[0], &c[1], &(struct forged){0, true}), MLS_PATH_SECRET);
        assert_err(receive(&c[0], &c[2], &(struct forged){1, false}), MLS_PATH_SECRET);
        assert_err(receive(&c[0], &c[3], &(struct forged){1, true}), MLS_PATH_SECRET);
        /* what is not for us we can't judge */
        assert_ok(receive(&c[0], &c[2], &(struct forged){0, false}));
        world_clear(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lying_secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
