/* Update paths over a tree (RFC 9420 7.5, 7.6, 7.9): keys and hashes of the public ring; path
 * secrets and commit secrets as each member finds them; and a path of our own that all of them can
 * read. */
#include "mls/member/treekem.h"
#include "mls/codec/group_context.h"
#include "mls/public/parent_hash.h"
#include "mls/public/validate_tree.h"
#include "vectors/vector_case.h"

struct treekem_case {
    struct vector_case *c;
    const struct suite *suite;
    struct tree tree;
    struct bytes context;
};

/* A member's private keys: its leaf's and those the path secrets give, checked against the tree. */
static void load_keys(const struct treekem_case *t, const json_t *json, struct treekem_keys *keys)
{
    struct vector_case *c = t->c;
    struct tree_diff d;
    tree_diff_init(&d, &t->tree);
    CHECK_OK(secret_set(
        vector_private_key(c, json, "encryption_priv", t->suite->hpke.kem->private_bytes),
        &keys->leaf));
    const json_t *secrets = vector_field(c, json, "path_secrets");
    for (size_t i = 0; i < json_array_size(secrets) && !c->failed; i++) {
        const json_t *entry = json_array_get(secrets, i);
        uint32_t node = (uint32_t)vector_uint(c, entry, "node");
        struct secret path_secret;
        struct secret private_key;
        struct public_key public_key;
        CHECK_OK(secret_set(vector_hex(c, entry, "path_secret"), &path_secret));
        CHECK_OK(treekem_pair(t->suite, &path_secret, &private_key, &public_key));
        CHECK_BYTES(public_key_view(&public_key), tree_node_encryption_key(tree_diff_at(&d, node)));
        CHECK_OK(treekem_keys_put(keys, node, &private_key));
    }
}

/* Each member but the sender decrypts the path and finds the path secret and commit secret that it
 * should. */
static void check_receivers(const struct treekem_case *t, const struct treekem_received *received,
                            uint32_t sender, struct bytes commit_secret, const json_t *path_secrets)
{
    struct vector_case *c = t->c;
    const json_t *members = vector_field(c, c->json, "leaves_private");
    for (size_t i = 0; i < json_array_size(members) && !c->failed; i++) {
        const json_t *member = json_array_get(members, i);
        uint32_t index = (uint32_t)vector_uint(c, member, "index");
        struct treekem_keys keys = {0};
        struct secret commit;
        load_keys(t, member, &keys);
        if (index == sender || c->failed)
            continue;
        treekem_keys_prune(&keys, received->diff);
        CHECK_OK(treekem_receive(t->suite, received, index, &keys, &commit));
        CHECK_BYTES(secret_view(&commit), commit_secret);
        if (path_secrets == NULL)
            continue;
        /* the secret of the node above both gives the key that we now hold for it */
        struct secret path_secret;
        struct secret private_key;
        struct public_key public_key;
        uint32_t node = tree_math_common_ancestor(2 * index, 2 * sender);
        CHECK_OK(secret_set(vector_hex_of(c, json_array_get(path_secrets, index)), &path_secret));
        CHECK_OK(treekem_pair(t->suite, &path_secret, &private_key, &public_key));
        const struct secret *held = treekem_keys_find(&keys, index, node);
        CHECK(held != NULL && secret_equal(held, &private_key));
    }
}

static struct bytes context_of(const struct treekem_case *t, struct bytes tree_hash)
{
    struct group_context gc = {
        .cipher_suite = t->suite->id,
        .group_id = vector_hex(t->c, t->c->json, "group_id"),
        .epoch = vector_uint(t->c, t->c->json, "epoch"),
        .tree_hash = tree_hash,
        .confirmed_transcript_hash = vector_hex(t->c, t->c->json, "confirmed_transcript_hash"),
    };
    struct buf b = BUF_INIT;
    group_context_write(&b, &gc);
    return vector_take(t->c, &b);
}

/* A path of our own from the same sender, put into the tree and read by all others. */
static void check_own_path(struct treekem_case *t, uint32_t sender, struct tree_diff *d)
{
    struct vector_case *c = t->c;
    struct filtered_path path;
    struct treekem_path *own = NULL;
    struct bytes keys[MLS_MAX_PATH_NODES];
    struct update_path_node nodes[MLS_MAX_PATH_NODES];
    struct node_list nobody = {0};
    struct digest parent_hash;
    tree_diff_init(d, &t->tree);
    tree_filtered_path(d, sender, &path);
    CHECK_OK(treekem_path_new(t->suite, &rng_system, &own));
    CHECK_OK(treekem_path_fill(t->suite, &rng_system, path.count, own));
    for (uint32_t i = 0; i < path.count; i++)
        keys[i] = public_key_view(&own->publics[i]);
    struct bytes commit_secret =
        bytes_of(arena_copy(&c->arena, own->commit.data, own->commit.len), own->commit.len);
    struct err err = parent_hash_apply_path(d, sender, &path, keys, &parent_hash);
    for (uint32_t i = 0; i < path.count && err_is_ok(err); i++) {
        struct buf b = BUF_INIT;
        err = treekem_encrypt(t->suite, &rng_system, d, &own->secrets[i], path.copath[i], &nobody,
                              t->context, &b, &nodes[i].ciphertext_count);
        nodes[i].ciphertexts = vector_take(c, &b);
    }
    treekem_path_free(&own);
    CHECK_OK(err);
    struct treekem_received received = {d, &path, nodes, &nobody, t->context};
    check_receivers(t, &received, sender, commit_secret, NULL);
}

static void check_path(struct treekem_case *t, const json_t *json, struct tree_diff *d)
{
    struct vector_case *c = t->c;
    struct wire_reader r = wire_reader_of(vector_hex(c, json, "update_path"));
    uint32_t sender = (uint32_t)vector_uint(c, json, "sender");
    struct update_path update;
    struct node_list nobody = {0};
    update_path_read(&r, &c->arena, &update);
    CHECK_OK(wire_reader_end(&r));
    struct filtered_path path;
    tree_diff_init(d, &t->tree);
    tree_filtered_path(d, sender, &path);
    CHECK(path.count == update.node_count);
    struct bytes keys[MLS_MAX_PATH_NODES];
    for (uint32_t i = 0; i < path.count; i++) {
        keys[i] = update.nodes[i].encryption_key;
        CHECK(update.nodes[i].ciphertext_count == tree_resolution_count(d, path.copath[i], NULL));
    }
    struct digest parent_hash;
    CHECK_OK(parent_hash_apply_path(d, sender, &path, keys, &parent_hash));
    CHECK_BYTES(update.leaf_node.parent_hash, digest_view(&parent_hash));
    CHECK_OK(validate_leaf_signature(&update.leaf_node, t->suite,
                                     vector_hex(c, c->json, "group_id"), sender));
    CHECK_OK(tree_diff_set_leaf(d, sender, update.leaf_node.raw));
    CHECK_OK(tree_diff_rehash(d));
    CHECK_BYTES(tree_diff_root_hash(d), vector_hex(c, json, "tree_hash_after"));
    CHECK_OK(parent_hash_check_tree(d));
    t->context = context_of(t, tree_diff_root_hash(d));
    struct treekem_received received = {d, &path, update.nodes, &nobody, t->context};
    check_receivers(t, &received, sender, vector_hex(c, json, "commit_secret"),
                    vector_field(c, json, "path_secrets"));
}

void vector_treekem(struct vector_case *c)
{
    struct treekem_case t = {.c = c, .suite = vector_suite(c)};
    CHECK(t.suite != NULL);
    CHECK_OK(tree_load(t.suite->hash, vector_hex(c, c->json, "ratchet_tree"), &t.tree));
    const json_t *paths = vector_field(c, c->json, "update_paths");
    for (size_t i = 0; i < json_array_size(paths) && !c->failed; i++) {
        const json_t *json = json_array_get(paths, i);
        struct tree_diff d = {0};
        check_path(&t, json, &d);
        tree_diff_clear(&d);
        if (!c->failed)
            check_own_path(&t, (uint32_t)vector_uint(c, json, "sender"), &d);
        tree_diff_clear(&d);
    }
    tree_clear(&t.tree);
}
