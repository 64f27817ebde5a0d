/* The kit's messages: framing, signatures, paths. */
#include "crypto/labelled.h"
#include "kit/kit_sign.h"

struct bytes kit_sign(struct kit *k, const struct sig_key *key, const char *label,
                      struct bytes content)
{
    struct signature signature;
    KIT_MUST(labelled_sign(key, LABEL_MLS, bytes_str(label), content, &signature));
    struct buf b = BUF_INIT;
    buf_append_bytes(&b, signature_view(&signature));
    return kit_take(k, &b);
}

/* Signs and wraps as PublicMessage. tag: the confirmation tag of a commit. */
static struct bytes frame(struct kit *k, struct framed_content *content, const struct sig_key *key,
                          struct bytes tag)
{
    size_t mac_bytes = k->suite->hash->bytes;
    struct public_message pm = {.content = {.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE}};
    if (k->hooks.content != NULL)
        k->hooks.content(k, content);
    struct buf tbs = BUF_INIT;
    framed_content_write_tbs(&tbs, WIRE_FORMAT_PUBLIC_MESSAGE, content,
                             public_group_context(&k->group));
    pm.content.content = *content;
    pm.content.auth.signature = kit_sign(k, key, "FramedContentTBS", kit_take(k, &tbs));
    pm.content.auth.confirmation_tag = tag;
    pm.membership_tag = kit_random(k, mac_bytes);
    if (k->hooks.message != NULL)
        k->hooks.message(k, &pm);
    struct buf b = BUF_INIT;
    mls_message_write(
        &b, &(struct mls_message){.wire_format = WIRE_FORMAT_PUBLIC_MESSAGE, .public_message = pm});
    return kit_take(k, &b);
}

static struct framed_content content_of(struct kit *k, struct sender sender, enum content_type type)
{
    return (struct framed_content){
        .group_id = k->group.context.group_id,
        .epoch = k->group.context.epoch,
        .sender = sender,
        .type = type,
    };
}

struct bytes kit_proposal_message(struct kit *k, struct sender sender, const struct sig_key *key,
                                  struct bytes proposal)
{
    struct framed_content content = content_of(k, sender, CONTENT_PROPOSAL);
    KIT_MUST(proposal_parse(proposal, &k->arena, &content.proposal));
    return frame(k, &content, key, bytes_of(NULL, 0));
}

struct bytes kit_member_proposal(struct kit *k, uint32_t leaf_index, struct bytes proposal)
{
    return kit_proposal_message(k, (struct sender){SENDER_MEMBER, leaf_index},
                                &kit_at(k, leaf_index)->key, proposal);
}

/* Ciphertexts for one node: random, but as many and as long as they must be. */
static void fill_ciphertexts(struct kit *k, const struct staged_commit *s, uint32_t copath,
                             struct update_path_node *node)
{
    size_t secret_bytes = suite_hash_bytes(k->suite) + AEAD_TAG_BYTES;
    struct buf b = BUF_INIT;
    uint32_t count = tree_resolution_count(&s->diff, copath, &s->added);
    struct bytes kem_output = kit_random(k, k->suite->hpke.kem->public_bytes);
    for (uint32_t i = 0; i < count; i++)
        hpke_ciphertext_write(&b,
                              &(struct hpke_ciphertext){kem_output, kit_random(k, secret_bytes)});
    node->ciphertexts = kit_take(k, &b);
    node->ciphertext_count = count;
}

static struct update_path *make_path(struct kit *k, struct staged_commit *s, uint32_t client)
{
    struct update_path *path = arena_alloc(&k->arena, sizeof *path);
    struct update_path_node *nodes = arena_alloc(&k->arena, MLS_MAX_PATH_NODES * sizeof *nodes);
    struct bytes leaf_key = kit_kem_key(k);
    struct bytes keys[MLS_MAX_PATH_NODES];
    if (s->committer.type == SENDER_NEW_MEMBER_COMMIT) {
        /* takes its place before it is complete; its index is not known before either */
        struct kit_hooks hooks = k->hooks;
        k->hooks.leaf = NULL;
        KIT_MUST(staged_commit_join(
            s, kit_leaf(k, client, LEAF_SOURCE_COMMIT, leaf_key, bytes_of(NULL, 0), 0)));
        k->hooks = hooks;
    }
    KIT_MUST(staged_commit_shape(s));
    for (uint32_t i = 0; i < s->path.count; i++) {
        keys[i] = nodes[i].encryption_key = kit_kem_key(k);
        fill_ciphertexts(k, s, s->path.copath[i], &nodes[i]);
    }
    KIT_MUST(staged_commit_set_keys(s, leaf_key, keys, s->path.count));
    struct buf ph = BUF_INIT;
    buf_append_bytes(&ph, digest_view(&s->leaf_parent_hash));
    struct bytes leaf =
        kit_leaf(k, client, LEAF_SOURCE_COMMIT, leaf_key, kit_take(k, &ph), s->committer_leaf);
    KIT_MUST(leaf_node_parse(leaf, &path->leaf_node));
    path->nodes = nodes;
    path->node_count = s->path.count;
    if (k->hooks.path != NULL)
        k->hooks.path(k, path, nodes);
    return path;
}

static struct bytes commit_by(struct kit *k, struct sender sender, uint32_t client,
                              const struct proposal_or_ref *list, size_t count, bool with_path)
{
    struct framed_content content = content_of(k, sender, CONTENT_COMMIT);
    content.commit = (struct commit){.proposals = list, .proposal_count = count};
    if (with_path) {
        struct staged_commit *s = NULL;
        KIT_MUST(staged_commit_begin(&k->group, sender, list, count, &k->policy,
                                     &(struct staged_options){0}, &s));
        content.commit.path = make_path(k, s, client);
        staged_commit_free(&s);
    }
    return frame(k, &content, &k->clients[client].key, kit_random(k, k->suite->hash->bytes));
}

struct bytes kit_commit(struct kit *k, uint32_t committer, const struct proposal_or_ref *list,
                        size_t count, bool with_path)
{
    return commit_by(k, (struct sender){SENDER_MEMBER, committer}, k->client_of_leaf[committer],
                     list, count, with_path);
}

struct bytes kit_external_commit(struct kit *k, uint32_t client, const struct proposal_or_ref *list,
                                 size_t count)
{
    struct proposal_or_ref *whole = arena_alloc(&k->arena, (count + 1) * sizeof *whole);
    struct proposal init = {.type = PROPOSAL_EXTERNAL_INIT, .external_init = kit_kem_key(k)};
    whole[0] = kit_by_value(k, kit_proposal(k, &init));
    for (size_t i = 0; i < count; i++)
        whole[i + 1] = list[i];
    return commit_by(k, (struct sender){SENDER_NEW_MEMBER_COMMIT, 0}, client, whole, count + 1,
                     true);
}

struct bytes kit_group_info(struct kit *k, uint32_t signer, struct bytes ratchet_tree)
{
    struct group_info info = {.group_context = k->group.context, .signer = signer};
    struct buf b = BUF_INIT;
    struct tree tree = {0};
    if (ratchet_tree.len == 0) {
        tree_write(&b, &k->group.tree);
        ratchet_tree = kit_take(k, &b);
    } else if (err_is_ok(tree_load(k->suite->hash, ratchet_tree, &tree))) {
        buf_append_bytes(&b, tree_root_hash(&tree));
        info.group_context.tree_hash = kit_take(k, &b);
        tree_clear(&tree);
    }
    info.extensions = kit_extension(k, EXTENSION_RATCHET_TREE, ratchet_tree);
    info.confirmation_tag = digest_view(&k->group.confirmation_tag);
    if (k->hooks.group_info != NULL)
        k->hooks.group_info(k, &info);
    struct buf tbs = BUF_INIT;
    group_info_write_tbs(&tbs, &info);
    info.signature = kit_sign(k, &kit_at(k, info.signer < k->leaf_room ? info.signer : 0)->key,
                              "GroupInfoTBS", kit_take(k, &tbs));
    mls_message_write(
        &b, &(struct mls_message){.wire_format = WIRE_FORMAT_GROUP_INFO, .group_info = info});
    return kit_take(k, &b);
}
