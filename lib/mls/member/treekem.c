#include "mls/member/treekem.h"

#include <stdlib.h>

#include "mls/public/validate_leaf.h"

void treekem_keys_clear(struct treekem_keys *keys)
{
    bytes_wipe(keys, sizeof *keys);
}

const struct secret *treekem_keys_find(const struct treekem_keys *keys, uint32_t leaf_index,
                                       uint32_t node)
{
    if (node == 2 * leaf_index)
        return &keys->leaf;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): takes &keys->leaf for a possible NULL */
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys->at[i].node == node)
            return &keys->at[i].private_key;
    }
    return NULL;
}

void treekem_keys_prune(struct treekem_keys *keys, const struct tree_diff *d)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct tree_node *old = tree_at(d->base, keys->at[i].node);
        const struct tree_node *now = tree_diff_at(d, keys->at[i].node);
        if (old != NULL && now != NULL &&
            bytes_equal(tree_node_encryption_key(old), tree_node_encryption_key(now)))
            keys->at[kept++] = keys->at[i];
    }
    bytes_wipe(keys->at + kept, (keys->count - kept) * sizeof *keys->at);
    keys->count = kept;
}

struct err treekem_keys_put(struct treekem_keys *keys, uint32_t node,
                            const struct secret *private_key)
{
    uint32_t i = 0;
    while (i < keys->count && keys->at[i].node != node)
        i++;
    if (i == TREE_MATH_MAX_LEVEL)
        return ERR(INTERNAL);
    keys->at[i] = (struct treekem_key){node, *private_key};
    if (i == keys->count)
        keys->count++;
    return ERR_OK;
}

struct err treekem_pair(const struct suite *suite, const struct secret *path_secret,
                        struct secret *ret_private, struct public_key *ret_public)
{
    struct secret node_secret = {0};
    TRY(labelled_derive_secret(suite->hpke.kdf, secret_view(path_secret), LABEL_MLS,
                               bytes_str("node"), &node_secret));
    struct err err =
        kem_derive(suite->hpke.kem, secret_view(&node_secret), ret_private, ret_public);
    secret_clear(&node_secret);
    return err;
}

struct err treekem_next(const struct suite *suite, const struct secret *path_secret,
                        struct secret *ret_next)
{
    return labelled_derive_secret(suite->hpke.kdf, secret_view(path_secret), LABEL_MLS,
                                  bytes_str("path"), ret_next);
}

struct err treekem_path_fill(const struct suite *suite, const struct rng *rng, uint32_t count,
                             struct treekem_path *path)
{
    if (count > TREE_MATH_MAX_LEVEL)
        return ERR(INTERNAL);
    /* RFC 9420 7.4: a fresh path secret for the first node */
    struct secret secret = {0};
    TRY(secret_random(rng, suite_hash_bytes(suite), &secret));
    struct err err = ERR_OK;
    for (uint32_t i = 0; i < count; i++) {
        path->secrets[i] = secret;
        TRY_OR(treekem_pair(suite, &secret, &path->keys[i], &path->publics[i]), err, out);
        TRY_OR(treekem_next(suite, &secret, &secret), err, out);
    }
    path->count = count;
    path->commit = secret;
out:
    secret_clear(&secret);
    return err;
}

struct err treekem_path_new(const struct suite *suite, const struct rng *rng,
                            struct treekem_path **ret_path)
{
    struct treekem_path *path = calloc(1, sizeof *path);
    if (path == NULL)
        return ERR(NO_MEMORY);
    /* RFC 9420 7.5: the leaf's key pair has nothing to do with the path secrets */
    struct err err = kem_generate(suite->hpke.kem, rng, &path->leaf, &path->leaf_public);
    if (!err_is_ok(err)) {
        treekem_path_free(&path);
        return err;
    }
    *ret_path = path;
    return ERR_OK;
}

void treekem_path_free(struct treekem_path **path)
{
    if (*path != NULL)
        bytes_wipe(*path, sizeof **path);
    free(*path);
    *path = NULL;
}

struct err treekem_encrypt(const struct suite *suite, const struct rng *rng,
                           const struct tree_diff *d, const struct secret *path_secret,
                           uint32_t copath, const struct node_list *added, struct bytes context,
                           struct buf *ciphertexts, uint32_t *ret_count)
{
    struct node_list resolution = {0};
    uint32_t count = 0;
    struct err err;
    TRY_OR(tree_resolution(d, copath, &resolution), err, out);
    for (uint32_t i = 0; i < resolution.count; i++) {
        uint32_t node = resolution.at[i];
        /* RFC 9420 7.6, 12.4.2: new leaves get their secrets by Welcome */
        if (node_list_has_sorted(added, node))
            continue;
        struct public_key enc;
        uint8_t sealed[SECRET_MAX_BYTES + AEAD_TAG_BYTES];
        TRY_OR(labelled_encrypt(&suite->hpke, rng, tree_node_encryption_key(tree_diff_at(d, node)),
                                LABEL_MLS, bytes_str("UpdatePathNode"), context,
                                secret_view(path_secret), &enc, sealed),
               err, out);
        struct hpke_ciphertext c = {public_key_view(&enc),
                                    bytes_of(sealed, path_secret->len + AEAD_TAG_BYTES)};
        hpke_ciphertext_write(ciphertexts, &c);
        count++;
    }
    err = buf_check(ciphertexts);
    *ret_count = count;
out:
    node_list_clear(&resolution);
    return err;
}

/* Which ciphertext of a path node is for us, and with which of our keys. */
struct match {
    uint32_t index; /* among the ciphertexts */
    uint32_t node;
    const struct secret *key;
};

/* The first node of the resolution for which we hold a key. */
static struct err find_ciphertext(const struct treekem_received *received, uint32_t n,
                                  uint32_t own_leaf, const struct treekem_keys *keys,
                                  struct match *ret_match)
{
    struct node_list resolution = {0};
    uint32_t index = 0;
    struct err err;
    TRY_OR(tree_resolution(received->diff, received->path->copath[n], &resolution), err, out);
    err = ERR(INTERNAL);
    for (uint32_t i = 0; i < resolution.count; i++) {
        uint32_t node = resolution.at[i];
        if (node_list_has_sorted(received->added, node))
            continue;
        const struct secret *key = treekem_keys_find(keys, own_leaf, node);
        if (key != NULL) {
            *ret_match = (struct match){index, node, key};
            err = ERR_OK;
            break;
        }
        index++;
    }
out:
    node_list_clear(&resolution);
    return err;
}

static struct err decrypt(const struct suite *suite, const struct treekem_received *received,
                          uint32_t n, uint32_t own_leaf, const struct treekem_keys *keys,
                          struct secret *ret_path_secret)
{
    struct match match = {0};
    TRY(find_ciphertext(received, n, own_leaf, keys, &match));
    struct hpke_ciphertext c = update_path_node_ciphertext(&received->nodes[n], match.index);
    /* staged_commit_process checked this for every ciphertext (RFC 9420 7.6) */
    if (c.ciphertext.len != suite_hash_bytes(suite) + AEAD_TAG_BYTES)
        return ERR(MLS_PATH_SECRET);
    struct secret secret = {.len = suite_hash_bytes(suite)};
    struct err err = labelled_decrypt(
        &suite->hpke, secret_view(match.key),
        tree_node_encryption_key(tree_diff_at(received->diff, match.node)), LABEL_MLS,
        bytes_str("UpdatePathNode"), received->context, c.kem_output, c.ciphertext, secret.data);
    if (err_is_ok(err))
        *ret_path_secret = secret;
    secret_clear(&secret);
    return validate_blame(err, ERR_MLS_PATH_SECRET);
}

struct err treekem_receive(const struct suite *suite, const struct treekem_received *received,
                           uint32_t own_leaf, struct treekem_keys *keys, struct secret *ret_commit)
{
    const struct filtered_path *path = received->path;
    uint32_t n = 0;
    while (n < path->count && !tree_math_covers_leaf(path->copath[n], own_leaf))
        n++;
    if (n == path->count)
        return ERR(INTERNAL);
    struct secret secret = {0};
    TRY(decrypt(suite, received, n, own_leaf, keys, &secret));
    struct err err =
        treekem_climb(suite, received->diff, path->nodes[n], &secret, keys, ret_commit);
    secret_clear(&secret);
    return err;
}

static struct err enter(const struct suite *suite, const struct tree_node *in_tree, uint32_t node,
                        const struct secret *path_secret, struct treekem_keys *keys)
{
    struct secret private_key = {0};
    struct public_key public_key;
    TRY(treekem_pair(suite, path_secret, &private_key, &public_key));
    struct err err;
    /* RFC 9420 12.4.2, 12.4.3.1: the derived public keys are those in the path or tree */
    if (bytes_equal(public_key_view(&public_key), tree_node_encryption_key(in_tree)))
        err = treekem_keys_put(keys, node, &private_key);
    else
        err = ERR(MLS_PATH_SECRET);
    secret_clear(&private_key);
    return err;
}

struct err treekem_climb(const struct suite *suite, const struct tree_diff *d, uint32_t node,
                         const struct secret *path_secret, struct treekem_keys *keys,
                         struct secret *ret_commit)
{
    struct secret secret = *path_secret;
    uint32_t root = tree_math_root(d->width);
    struct err err = ERR_OK;
    /* A committer's path fills its filtered direct path and blanks the rest, so the nodes that are
     * not blank are those of the path. */
    for (;;) {
        const struct tree_node *in_tree = tree_diff_at(d, node);
        if (in_tree != NULL) {
            TRY_OR(enter(suite, in_tree, node, &secret, keys), err, out);
            TRY_OR(treekem_next(suite, &secret, &secret), err, out);
        }
        if (node == root)
            break;
        node = tree_math_parent(node);
    }
    *ret_commit = secret;
out:
    secret_clear(&secret);
    return err;
}
