/* The path of a staged commit (RFC 9420 7.5, 12.4.2). */
#include "mls/public/parent_hash.h"
#include "mls/public/staged_commit.h"

/* RFC 9420 12.2: the joiner's leaf meets the criteria of an Update for the leaf it removes. */
static struct err check_resync(const struct staged_commit *s, const struct leaf_node *leaf)
{
    struct leaf_node old;
    if (s->removed.count == 0 || !tree_leaf(&s->group->tree, s->removed.at[0] / 2, &old))
        return ERR_OK;
    if (bytes_equal(leaf->encryption_key, old.encryption_key))
        return ERR(MLS_LEAF_KEY_REUSED);
    /* RFC 9420 12.2: the credential is acceptable for the removed participant. Without the
     * application's knowledge: the same credential or the same signature key. */
    bool same = credential_equal(&leaf->credential, &old.credential) ||
                bytes_equal(leaf->signature_key, old.signature_key);
    return same || s->policy.any_resync ? ERR_OK : ERR(MLS_RESYNC_IDENTITY);
}

struct err staged_commit_join(struct staged_commit *s, struct bytes raw_leaf)
{
    struct leaf_node leaf;
    TRY(leaf_node_parse(raw_leaf, &leaf));
    TRY(check_resync(s, &leaf));
    /* RFC 9420 12.4.2: none of the public keys in the UpdatePath appear in the new tree; looked at
     * before it does */
    if (tree_diff_has_encryption_key(&s->diff, leaf.encryption_key))
        return ERR(MLS_PATH_KEY_REUSED);
    /* RFC 9420 12.4.2, 12.4.3.2: the leftmost blank leaf after the Remove, or a new one */
    return tree_diff_join_leaf(&s->diff, raw_leaf, &s->committer_leaf);
}

struct err staged_commit_shape(struct staged_commit *s)
{
    TRY(tree_diff_rehash(&s->diff));
    tree_filtered_path(&s->diff, s->committer_leaf, &s->path);
    return ERR_OK;
}

/* RFC 9420 12.4.2: keys of the path appear in no node of the new tree, before the path is merged
 * into it. */
static struct err check_new_keys(const struct staged_commit *s, struct bytes leaf_key,
                                 const struct bytes *keys, size_t count)
{
    const struct kem_alg *kem = s->group->suite->hpke.kem;
    struct leaf_node current;
    bool joined = s->committer.type == SENDER_NEW_MEMBER_COMMIT;
    /* RFC 9420 12.4.2: the encryption_key of the LeafNode is different from the committer's current
     * one */
    if (!joined && tree_diff_leaf(&s->diff, s->committer_leaf, &current) &&
        bytes_equal(current.encryption_key, leaf_key))
        return ERR(MLS_LEAF_KEY_REUSED);
    if (!joined && tree_diff_has_encryption_key(&s->diff, leaf_key))
        return ERR(MLS_PATH_KEY_REUSED);
    for (size_t i = 0; i < count; i++) {
        /* RFC 9420 5.1.1: an HPKE public key of the suite */
        TRY(validate_blame(kem_check_public(kem, keys[i]), ERR_MLS_PATH_KEY));
        if (bytes_equal(keys[i], leaf_key) || tree_diff_has_encryption_key(&s->diff, keys[i]))
            return ERR(MLS_PATH_KEY_REUSED);
        for (size_t k = 0; k < i; k++) {
            if (bytes_equal(keys[i], keys[k]))
                return ERR(MLS_PATH_KEY_REUSED);
        }
    }
    return ERR_OK;
}

struct err staged_commit_set_keys(struct staged_commit *s, struct bytes leaf_key,
                                  const struct bytes *keys, size_t count)
{
    if (count != s->path.count)
        return ERR(MLS_PATH_LENGTH);
    TRY(validate_blame(kem_check_public(s->group->suite->hpke.kem, leaf_key),
                       ERR_MLS_LEAF_ENCRYPTION_KEY));
    TRY(check_new_keys(s, leaf_key, keys, count));
    TRY(parent_hash_apply_path(&s->diff, s->committer_leaf, &s->path, keys, &s->leaf_parent_hash));
    memcpy(s->leaf_key.data, leaf_key.data, leaf_key.len); /* kem_check_public bounds it */
    s->leaf_key.len = leaf_key.len;
    s->has_path = true;
    return ERR_OK;
}

struct err staged_commit_set_leaf(struct staged_commit *s, struct bytes raw_leaf)
{
    const struct public_group *g = s->group;
    struct leaf_node leaf;
    TRY(leaf_node_parse(raw_leaf, &leaf));
    if (!s->has_path || !bytes_equal(leaf.encryption_key, public_key_view(&s->leaf_key)))
        return ERR(ARGUMENT);
    TRY(validate_leaf_alone(&leaf, g->suite, LEAF_SOURCE_COMMIT, &s->policy));
    /* RFC 9420 7.5, 7.9.2: parent_hash of the leaf is that of the first node of the filtered direct
     * path */
    if (!bytes_equal(leaf.parent_hash, digest_view(&s->leaf_parent_hash)))
        return ERR(MLS_PATH_PARENT_HASH);
    TRY(validate_leaf_signature(&leaf, g->suite, g->context.group_id, s->committer_leaf));
    return tree_diff_set_leaf(&s->diff, s->committer_leaf, raw_leaf);
}
