/* Joining by external commit (RFC 9420 12.4.3.2). */
#include "mls/member/commit_build.h"

/* What the joiner's commit covers, encoded one after the other: ExternalInit, perhaps the Remove of
 * a former leaf, PSKs. */
static struct err write_list(const struct commit_build *b, const struct external_join *join,
                             struct bytes kem_output, struct buf *out, size_t *ret_count)
{
    struct proposal p = {.type = PROPOSAL_EXTERNAL_INIT, .external_init = kem_output};
    proposal_write(out, &p);
    *ret_count = 1 + join->resync + join->psk_count;
    if (join->resync) {
        p = (struct proposal){.type = PROPOSAL_REMOVE, .remove = join->former_leaf};
        proposal_write(out, &p);
    }
    for (size_t i = 0; i < join->psk_count; i++) {
        struct secret nonce;
        TRY(secret_random(b->client->rng, suite_hash_bytes(b->group->public.suite), &nonce));
        p = (struct proposal){.type = PROPOSAL_PSK, .psk = join->psks[i]};
        p.psk.nonce = secret_view(&nonce);
        proposal_write(out, &p);
    }
    return buf_check(out);
}

static struct err read_list(struct commit_build *b, struct bytes encoded, size_t count)
{
    struct arena *a = &b->staged->arena;
    struct proposal_or_ref *list = arena_alloc(a, count * sizeof *list);
    const void *copy = arena_copy(a, encoded.data, encoded.len);
    if (list == NULL || copy == NULL)
        return ERR(NO_MEMORY);
    struct wire_reader r = wire_reader_of(bytes_of(copy, encoded.len));
    for (size_t i = 0; i < count; i++) {
        list[i].type = PROPOSAL_BY_VALUE;
        proposal_read(&r, a, &list[i].proposal);
    }
    b->list = list;
    b->count = count;
    return wire_reader_end(&r);
}

static struct err make_list(struct commit_build *b, const struct external_join *join,
                            struct bytes kem_output)
{
    struct buf encoded = BUF_INIT;
    size_t count = 0;
    struct err err = join->psk_count > MLS_MAX_PSKS ? ERR(WIRE_LIMIT) : ERR_OK;
    if (err_is_ok(err))
        err = write_list(b, join, kem_output, &encoded, &count);
    if (err_is_ok(err))
        err = read_list(b, buf_view(&encoded), count);
    buf_clear(&encoded);
    return err;
}

static struct err take_public(const struct mls_client *client, const struct external_join *join,
                              struct arena *a, struct mls_group *g, struct bytes *ret_external_pub)
{
    struct mls_message m;
    struct bytes data;
    TRY(mls_message_parse(join->group_info, a, &m));
    if (m.wire_format != WIRE_FORMAT_GROUP_INFO)
        return ERR(MLS_WIRE_FORMAT);
    if (!extensions_find(&m.group_info.extensions, EXTENSION_EXTERNAL_PUB, &data))
        return ERR(MLS_EXTERNAL_PUB_MISSING);
    TRY(public_group_from_group_info(&m.group_info, join->ratchet_tree, &client->policy,
                                     &g->public));
    TRY(client_accept_all(client, &g->public));
    return external_pub_parse(data, ret_external_pub);
}

/* A leaf takes its place, with its key and a signature that does not matter: the path makes the
 * real one. */
static struct err take_place(struct commit_build *b, struct leaf_node *leaf)
{
    struct buf raw = BUF_INIT;
    TRY(treekem_path_new(b->group->public.suite, b->client->rng, &b->path));
    leaf->source = LEAF_SOURCE_COMMIT;
    leaf->signature_key = public_key_view(&b->leaf_signer->public_key);
    leaf->encryption_key = public_key_view(&b->path->leaf_public);
    leaf_node_write(&raw, leaf);
    struct err err = buf_check(&raw);
    if (err_is_ok(err))
        err = staged_commit_join(b->s, buf_view(&raw));
    buf_clear(&raw);
    return err;
}

static struct err build(struct commit_build *b, const struct external_join *join,
                        const struct leaf_profile *profile, struct bytes kem_output,
                        const struct secret *init_secret, struct buf *commit)
{
    struct mls_group *g = b->group;
    struct staged_options none = {0};
    struct leaf_node leaf = {.credential = profile->credential,
                             .capabilities = profile->capabilities,
                             .extensions = profile->extensions};
    TRY(commit_build_start(b));
    TRY(make_list(b, join, kem_output));
    TRY(staged_commit_begin(&g->public, (struct sender){SENDER_NEW_MEMBER_COMMIT, 0}, b->list,
                            b->count, &b->client->policy, &none, &b->staged->public));
    b->s = b->staged->public;
    TRY(take_place(b, &leaf));
    TRY(commit_build_path(b, &leaf));
    b->content = frame_begin(g, CONTENT_COMMIT, join->authenticated_data);
    /* RFC 9420 12.4.3.2: a PublicMessage, signed with the key of the leaf in the path */
    b->content.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE;
    b->content.content.sender = (struct sender){SENDER_NEW_MEMBER_COMMIT, 0};
    TRY(commit_build_finish(b, init_secret));
    TRY(frame_wrap(g, b->client->rng, &b->content, commit));
    return commit_build_seal(b);
}

static struct err join_external(const struct mls_client *client, const struct external_join *join,
                                const struct leaf_profile *profile, struct arena *a,
                                struct mls_group *g, struct buf *commit)
{
    struct commit_build b = {.group = g,
                             .client = client,
                             .message_signer = client->signer,
                             .leaf_signer = client->signer};
    struct bytes external_pub;
    struct secret init_secret = {0};
    struct public_key kem_output;
    TRY(take_public(client, join, a, g, &external_pub));
    if (client->signer == NULL || client->signer->alg != g->public.suite->sig)
        return ERR(MLS_SIGNER);
    TRY(key_schedule_external_send(g->public.suite, client->rng, external_pub, &init_secret,
                                   &kem_output));
    struct err err = build(&b, join, profile, public_key_view(&kem_output), &init_secret, commit);
    secret_clear(&init_secret);
    commit_build_clear(&b);
    return err;
}

struct err group_join_external(const struct mls_client *client,
                               const struct mls_group_config *config,
                               const struct external_join *join, const struct leaf_profile *profile,
                               struct buf *ret_commit, struct mls_group **ret_group)
{
    struct mls_group *g = NULL;
    struct buf commit = BUF_INIT;
    struct arena a;
    enum { ARENA_BYTES = 1024 * 1024 }; /* a GroupInfo is views; this is room to spare */
    arena_init(&a, ARENA_BYTES);
    struct err err = group_new(config, &g);
    if (err_is_ok(err))
        err = join_external(client, join, profile, &a, g, &commit);
    arena_clear(&a);
    if (!err_is_ok(err)) {
        buf_clear(&commit);
        group_free(g);
        return err;
    }
    *ret_commit = commit;
    *ret_group = g;
    return ERR_OK;
}
