#include "mls/member/commit_build.h"

#include <stdlib.h>

/* Proposals by value, path and content of a commit of our own; MLS_MAX_COMMIT_PROPOSALS key
 * packages fit. */
enum { COMMIT_ARENA_BYTES = 256 * 1024 * 1024 };

struct err commit_build_start(struct commit_build *b)
{
    b->staged = calloc(1, sizeof *b->staged);
    if (b->staged == NULL)
        return ERR(NO_MEMORY);
    arena_init(&b->staged->arena, COMMIT_ARENA_BYTES);
    b->staged->epoch = group_epoch(b->group);
    b->staged->own_leaf = b->group->own_leaf;
    return ERR_OK;
}

void commit_build_clear(struct commit_build *b)
{
    mls_staged_free(&b->staged);
    treekem_path_free(&b->path);
    next_epoch_clear(&b->next);
    *b = (struct commit_build){0};
}

static struct err take(struct arena *a, struct buf *b, struct bytes *ret_view)
{
    struct err err = buf_check(b);
    const void *copy = err_is_ok(err) ? arena_copy(a, b->data, b->len) : NULL;
    if (err_is_ok(err) && copy == NULL)
        err = ERR(NO_MEMORY);
    if (err_is_ok(err))
        *ret_view = bytes_of(copy, b->len);
    buf_clear(b);
    return err;
}

static struct err put_leaf(struct commit_build *b, struct leaf_node *leaf)
{
    struct buf raw = BUF_INIT;
    struct bytes view = {0};
    leaf->encryption_key = public_key_view(&b->path->leaf_public);
    leaf->source = LEAF_SOURCE_COMMIT;
    leaf->parent_hash = digest_view(&b->s->leaf_parent_hash);
    struct err err = leaf_make(b->leaf_signer, leaf, b->group->public.context.group_id,
                               b->s->committer_leaf, &raw);
    if (!err_is_ok(err)) {
        buf_clear(&raw);
        return err;
    }
    TRY(take(&b->staged->arena, &raw, &view));
    TRY(leaf_node_parse(view, &b->update.leaf_node));
    return staged_commit_set_leaf(b->s, view);
}

struct err commit_build_path(struct commit_build *b, struct leaf_node *leaf)
{
    struct bytes keys[TREE_MATH_MAX_LEVEL];
    TRY(staged_commit_shape(b->s));
    uint32_t count = b->s->path.count;
    const struct suite *suite = b->group->public.suite;
    if (b->path == NULL) /* an external joiner has it already */
        TRY(treekem_path_new(suite, b->client->rng, &b->path));
    TRY(treekem_path_fill(suite, b->client->rng, count, b->path));
    b->nodes = arena_alloc(&b->staged->arena, (count + 1) * sizeof *b->nodes);
    if (b->nodes == NULL)
        return ERR(NO_MEMORY);
    for (uint32_t i = 0; i < count; i++) {
        const struct public_key *key = &b->path->publics[i];
        const void *copy = arena_copy(&b->staged->arena, key->data, key->len);
        if (copy == NULL)
            return ERR(NO_MEMORY);
        keys[i] = b->nodes[i].encryption_key = bytes_of(copy, key->len);
    }
    TRY(staged_commit_set_keys(b->s, public_key_view(&b->path->leaf_public), keys, count));
    b->update.nodes = b->nodes;
    b->update.node_count = count;
    return put_leaf(b, leaf);
}

/* RFC 9420 7.6: each path secret for the resolution of its copath node */
static struct err encrypt_path(struct commit_build *b)
{
    const struct staged_commit *s = b->s;
    for (uint32_t i = 0; i < s->path.count; i++) {
        struct buf ciphertexts = BUF_INIT;
        struct err err =
            treekem_encrypt(b->group->public.suite, b->client->rng, &s->diff, &b->path->secrets[i],
                            s->path.copath[i], &s->added, buf_view(&s->provisional_context),
                            &ciphertexts, &b->nodes[i].ciphertext_count);
        if (!err_is_ok(err)) {
            buf_clear(&ciphertexts);
            return err;
        }
        TRY(take(&b->staged->arena, &ciphertexts, &b->nodes[i].ciphertexts));
    }
    return ERR_OK;
}

static struct err derive(struct commit_build *b, const struct secret *init_secret)
{
    const struct suite *suite = b->group->public.suite;
    struct secret commit_secret = {0};
    if (b->path != NULL)
        commit_secret = b->path->commit;
    else
        secret_set_zero(suite_hash_bytes(suite), &commit_secret);
    const struct mls_group *g = b->group->active ? b->group : NULL;
    if (b->predecessor != NULL)
        g = b->predecessor;
    struct err err = next_epoch_derive(b->client, g, b->s, init_secret, &commit_secret, &b->next);
    secret_clear(&commit_secret);
    return err;
}

struct err commit_build_finish(struct commit_build *b, const struct secret *init_secret)
{
    TRY(staged_commit_settle(b->s));
    TRY(client_accept_staged(b->client, b->s));
    struct commit commit = {.proposals = b->list, .proposal_count = b->count};
    if (b->path != NULL) {
        TRY(encrypt_path(b));
        commit.path = &b->update;
    }
    b->content.content.commit = commit;
    TRY(frame_sign(b->group, b->message_signer, &b->content, &b->signature));
    TRY(staged_commit_confirm(b->s, &b->content));
    TRY(derive(b, init_secret));
    key_schedule_confirmation_tag(b->group->public.suite, &b->next.secrets.confirmation,
                                  digest_view(&b->s->confirmed_transcript_hash), &b->tag);
    b->content.auth.confirmation_tag = digest_view(&b->tag);
    return staged_commit_set_tag(b->s, digest_view(&b->tag));
}

/* RFC 9420 12.4.1: the committer's own keys after the commit */
static struct err own_keys(const struct commit_build *b, struct treekem_keys *keys)
{
    *keys = b->group->keys;
    treekem_keys_prune(keys, &b->s->diff);
    if (b->path == NULL)
        return ERR_OK;
    keys->leaf = b->path->leaf;
    for (uint32_t i = 0; i < b->path->count; i++)
        TRY(treekem_keys_put(keys, b->s->path.nodes[i], &b->path->keys[i]));
    return ERR_OK;
}

struct err commit_build_seal(struct commit_build *b)
{
    struct buf raw = BUF_INIT;
    authenticated_content_write(&raw, &b->content);
    TRY(take(&b->staged->arena, &raw, &b->staged->content));
    b->staged->own_leaf = b->s->committer_leaf;
    TRY(own_keys(b, &b->staged->keys));
    TRY(mls_staged_fill(b->group, &b->next.secrets, b->staged));
    group_drop_pending(b->group);
    b->group->pending = b->staged;
    b->group->changes++;
    b->staged = NULL;
    return ERR_OK;
}
