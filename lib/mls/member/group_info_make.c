/* GroupInfo (RFC 9420 12.4.3), of the current epoch and of one to come. */
#include "crypto/labelled.h"
#include "mls/member/commit_build.h"

static struct err write_extensions(const struct suite *suite, struct bytes tree,
                                   const struct secret *external_secret, struct bytes more,
                                   struct buf *b)
{
    if (tree.len > 0)
        extension_write(b, EXTENSION_RATCHET_TREE, tree);
    if (external_secret != NULL) {
        struct secret private_key = {0};
        struct public_key public_key;
        struct buf data = BUF_INIT;
        TRY(key_schedule_external_pair(suite, external_secret, &private_key, &public_key));
        secret_clear(&private_key);
        wire_write_vector(&data, public_key_view(&public_key));
        extension_write(b, EXTENSION_EXTERNAL_PUB, buf_view(&data));
        struct err err = buf_check(&data);
        buf_clear(&data);
        TRY(err);
    }
    buf_append_bytes(b, more);
    return buf_check(b);
}

struct err group_info_sign(const struct sig_key *signer, const struct suite *suite,
                           const struct group_context *context, struct bytes tag,
                           uint32_t leaf_index, struct bytes tree,
                           const struct secret *external_secret, struct bytes more,
                           struct buf *ret_info)
{
    struct group_info info = {
        .group_context = *context, .confirmation_tag = tag, .signer = leaf_index};
    struct buf extensions = BUF_INIT;
    struct buf tbs = BUF_INIT;
    struct signature signature;
    struct err err;
    TRY_OR(write_extensions(suite, tree, external_secret, more, &extensions), err, out);
    info.extensions.raw = buf_view(&extensions);
    group_info_write_tbs(&tbs, &info);
    TRY_OR(buf_check(&tbs), err, out);
    TRY_OR(labelled_sign(signer, LABEL_MLS, bytes_str("GroupInfoTBS"), buf_view(&tbs), &signature),
           err, out);
    info.signature = signature_view(&signature);
    group_info_write(ret_info, &info);
    err = buf_check(ret_info);
out:
    buf_clear(&extensions);
    buf_clear(&tbs);
    return err;
}

static void begin_message(struct buf *b)
{
    wire_write_u16(b, MLS_VERSION_MLS10);
    wire_write_u16(b, WIRE_FORMAT_GROUP_INFO);
}

/* The whole message, of a group and an epoch; tree: encoded or empty. */
static struct err message_of(const struct sig_key *signer, const struct suite *suite,
                             const struct group_context *context, const struct digest *tag,
                             uint32_t leaf_index, struct bytes tree,
                             const struct secret *external_secret, struct buf *ret_info)
{
    struct buf b = BUF_INIT;
    begin_message(&b);
    struct err err = group_info_sign(signer, suite, context, digest_view(tag), leaf_index, tree,
                                     external_secret, (struct bytes){0}, &b);
    if (err_is_ok(err))
        *ret_info = b;
    else
        buf_clear(&b);
    return err;
}

struct err group_make_info(const struct mls_group *g, const struct mls_client *client,
                           struct group_info_options options, struct buf *ret_info)
{
    if (!g->active)
        return ERR(MLS_GROUP_INACTIVE);
    TRY(group_check_signer(g, client));
    struct buf tree = BUF_INIT;
    struct err err = ERR_OK;
    if (options.ratchet_tree)
        err = group_ratchet_tree(g, &tree);
    if (err_is_ok(err))
        err = message_of(client->signer, g->public.suite, &g->public.context,
                         &g->public.confirmation_tag, g->own_leaf, buf_view(&tree),
                         options.external_pub ? &g->secrets.external : NULL, ret_info);
    buf_clear(&tree);
    return err;
}

/* RFC 9420 12.4.3: signed with the key of the leaf in the epoch that the GroupInfo describes */
static struct err check_pending_signer(const struct staged_commit *s,
                                       const struct mls_client *client)
{
    struct leaf_node leaf;
    if (!tree_diff_leaf(&s->diff, s->committer_leaf, &leaf))
        return ERR(INTERNAL);
    if (client->signer == NULL || client->signer->alg != s->group->suite->sig ||
        !bytes_equal(leaf.signature_key, public_key_view(&client->signer->public_key)))
        return ERR(MLS_SIGNER);
    return ERR_OK;
}

struct err group_make_pending_info(const struct mls_group *g, const struct mls_client *client,
                                   struct group_info_options options, struct buf *ret_info)
{
    const struct mls_staged *p = g->pending;
    if (p == NULL)
        return ERR(WRONG_STATE);
    const struct staged_commit *s = p->public;
    TRY(check_pending_signer(s, client));
    struct buf tree = BUF_INIT;
    if (options.ratchet_tree)
        tree_diff_write(&tree, &s->diff);
    struct err err = buf_check(&tree);
    if (err_is_ok(err))
        err = message_of(client->signer, g->public.suite, &s->next_context, &s->confirmation_tag,
                         s->committer_leaf, buf_view(&tree),
                         options.external_pub ? &p->secrets.external : NULL, ret_info);
    buf_clear(&tree);
    return err;
}

struct err commit_group_info(const struct commit_build *b, struct group_info_options options,
                             struct bytes more, struct buf *ret_info)
{
    struct buf tree = BUF_INIT;
    if (options.ratchet_tree)
        tree_diff_write(&tree, &b->s->diff);
    struct err err = buf_check(&tree);
    if (err_is_ok(err))
        err = group_info_sign(b->leaf_signer, b->group->public.suite, &b->s->next_context,
                              digest_view(&b->tag), b->s->committer_leaf, buf_view(&tree),
                              options.external_pub ? &b->next.secrets.external : NULL, more,
                              ret_info);
    buf_clear(&tree);
    return err;
}
