/* Messages of other members: tags and decryption here, the rest in the public ring. */
#include <stdlib.h>

#include "mls/member/group_state.h"
#include "mls/member/message_protection.h"
#include "mls/public/validate_leaf.h"

void mls_received_clear(struct mls_received *received)
{
    mls_staged_free(&received->staged); /* looks into the arena */
    arena_clear(&received->arena);
    *received = (struct mls_received){0};
}

/* ---- commits ---- */

static bool is_removed(const struct staged_commit *s, uint32_t own_leaf)
{
    for (uint32_t i = 0; i < s->removed.count; i++) {
        if (s->removed.at[i] == 2 * own_leaf)
            return true;
    }
    return false;
}

/* Our private keys after the proposals: pruned, and our Update's key if one was covered. */
static struct err keys_after_proposals(const struct mls_group *g, const struct staged_commit *s,
                                       struct treekem_keys *keys)
{
    *keys = g->keys;
    treekem_keys_prune(keys, &s->diff);
    struct leaf_node old;
    struct leaf_node now;
    if (!tree_leaf(&g->public.tree, g->own_leaf, &old) ||
        !tree_diff_leaf(&s->diff, g->own_leaf, &now))
        return ERR(INTERNAL);
    if (bytes_equal(old.encryption_key, now.encryption_key))
        return ERR_OK;
    for (uint32_t i = 0; i < g->update_count; i++) {
        if (bytes_equal(now.encryption_key, public_key_view(&g->updates[i].public_key))) {
            keys->leaf = g->updates[i].private_key;
            return ERR_OK;
        }
    }
    return ERR(INTERNAL);
}

static struct err receive_path(const struct mls_group *g, const struct staged_commit *s,
                               const struct update_path *update, struct treekem_keys *keys,
                               struct secret *ret_commit)
{
    if (update == NULL) {
        /* RFC 9420 12.4.2: zeros in the place of a commit secret */
        secret_set_zero(suite_hash_bytes(g->public.suite), ret_commit);
        return ERR_OK;
    }
    struct treekem_received received = {
        .diff = &s->diff,
        .path = &s->path,
        .nodes = update->nodes,
        .added = &s->added,
        .context = buf_view(&s->provisional_context),
    };
    return treekem_receive(g->public.suite, &received, g->own_leaf, keys, ret_commit);
}

/* RFC 9420 8.3: an external commit brings its own init secret */
static struct err init_secret_of(const struct mls_group *g, const struct staged_commit *s,
                                 struct secret *ret_init)
{
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type == PROPOSAL_EXTERNAL_INIT)
            return validate_blame(key_schedule_external_receive(g->public.suite,
                                                                &g->secrets.external,
                                                                p->external_init, ret_init),
                                  ERR_MLS_KEM_OUTPUT);
    }
    *ret_init = g->secrets.init;
    return ERR_OK;
}

static struct err stage_secrets(const struct mls_group *g, const struct mls_client *client,
                                const struct update_path *update, struct mls_staged *staged)
{
    const struct staged_commit *s = staged->public;
    struct secret commit_secret = {0};
    struct secret init_secret = {0};
    struct next_epoch next = {0};
    struct err err;
    TRY_OR(keys_after_proposals(g, s, &staged->keys), err, out);
    TRY_OR(receive_path(g, s, update, &staged->keys, &commit_secret), err, out);
    TRY_OR(init_secret_of(g, s, &init_secret), err, out);
    TRY_OR(next_epoch_derive(client, g, s, &init_secret, &commit_secret, &next), err, out);
    /* RFC 9420 12.4.2: the confirmation tag proves that we derived the same */
    TRY_OR(key_schedule_check_confirmation(g->public.suite, &next.secrets.confirmation,
                                           digest_view(&s->confirmed_transcript_hash),
                                           digest_view(&s->confirmation_tag)),
           err, out);
    err = mls_staged_fill(g, &next.secrets, staged);
out:
    secret_clear(&commit_secret);
    secret_clear(&init_secret);
    next_epoch_clear(&next);
    return err;
}

static struct err stage_commit(const struct mls_group *g, const struct mls_client *client,
                               const struct authenticated_content *content,
                               struct mls_staged *staged)
{
    staged->epoch = group_epoch(g);
    staged->own_leaf = g->own_leaf;
    TRY(staged_commit_process(&g->public, content, &client->policy, &staged->public));
    TRY(client_accept_staged(client, staged->public));
    staged->removes_us = is_removed(staged->public, g->own_leaf);
    if (staged->removes_us)
        return ERR_OK;
    return stage_secrets(g, client, content->content.commit.path, staged);
}

static struct err receive_commit(const struct mls_group *g, const struct mls_client *client,
                                 const struct authenticated_content *content,
                                 struct mls_received *received)
{
    struct mls_staged *staged = calloc(1, sizeof *staged);
    if (staged == NULL)
        return ERR(NO_MEMORY);
    struct err err = stage_commit(g, client, content, staged);
    if (!err_is_ok(err)) {
        mls_staged_free(&staged);
        return err;
    }
    received->type = MLS_RECEIVED_COMMIT;
    received->staged = staged;
    return ERR_OK;
}

/* ---- proposals ---- */

static struct err accept_proposal(const struct mls_group *g, const struct mls_client *client,
                                  const struct authenticated_content *content)
{
    const struct proposal *p = &content->content.proposal;
    struct leaf_node old;
    switch (p->type) {
    case PROPOSAL_ADD:
        return client_accept(client, &p->add->leaf_node.credential, p->add->leaf_node.signature_key,
                             NULL);
    case PROPOSAL_UPDATE:
        if (!tree_leaf(&g->public.tree, content->content.sender.index, &old))
            return ERR(MLS_UPDATE_SENDER);
        return client_accept(client, &p->update->credential, p->update->signature_key, &old);
    default:
        return ERR_OK;
    }
}

static struct err receive_proposal(struct mls_group *g, const struct mls_client *client,
                                   const struct authenticated_content *content,
                                   struct mls_received *received)
{
    TRY(proposal_ref(g->public.suite->hash, content, &received->proposal_ref));
    TRY(accept_proposal(g, client, content));
    received->type = MLS_RECEIVED_PROPOSAL;
    g->changes++;
    return public_group_add_proposal(&g->public, content, &client->policy);
}

static struct err receive_handshake(struct mls_group *g, const struct mls_client *client,
                                    const struct authenticated_content *content,
                                    struct mls_received *received)
{
    struct leaf_node leaf;
    TRY(public_group_verify(&g->public, content));
    received->epoch = content->content.epoch;
    received->sender = content->content.sender;
    received->authenticated_data = content->content.authenticated_data;
    if (content->content.sender.type == SENDER_MEMBER &&
        tree_leaf(&g->public.tree, content->content.sender.index, &leaf)) {
        const void *copy = arena_copy(&received->arena, leaf.raw.data, leaf.raw.len);
        if (copy == NULL)
            return ERR(NO_MEMORY);
        received->sender_leaf = bytes_of(copy, leaf.raw.len);
    }
    if (content->content.type == CONTENT_PROPOSAL)
        return receive_proposal(g, client, content, received);
    return receive_commit(g, client, content, received);
}

static struct err receive_public(struct mls_group *g, const struct mls_client *client,
                                 const struct public_message *message,
                                 struct mls_received *received)
{
    const struct framed_content *c = &message->content.content;
    TRY(group_check_open(g));
    if (!bytes_equal(c->group_id, g->public.context.group_id))
        return ERR(MLS_GROUP_ID);
    if (c->epoch != group_epoch(g))
        return ERR(MLS_EPOCH);
    if (c->sender.type == SENDER_MEMBER) {
        if (c->sender.index == g->own_leaf)
            return ERR(MLS_OWN_MESSAGE);
        /* RFC 9420 6.2: full length, constant time */
        TRY(message_check_membership(g->public.suite, &g->secrets.membership, &message->content,
                                     public_group_context(&g->public), message->membership_tag));
    }
    return receive_handshake(g, client, &message->content, received);
}

/* ---- private messages ---- */

/* The epoch a message belongs to: the current one, or for application data a past one. */
struct epoch_view {
    struct message_keys keys;
    struct bytes context;
    const struct past_epoch *past; /* NULL: the current one */
};

static struct err find_epoch(const struct mls_group *g, const struct private_message *message,
                             struct epoch_view *ret_view)
{
    if (message->epoch == group_epoch(g)) {
        TRY(group_check_open(g));
        *ret_view =
            (struct epoch_view){group_message_keys(g), public_group_context(&g->public), NULL};
        return ERR_OK;
    }
    if (message->epoch > group_epoch(g) || message->content_type != CONTENT_APPLICATION)
        return ERR(MLS_EPOCH);
    for (uint32_t i = 0; i < g->past_count; i++) {
        const struct past_epoch *past = &g->past[i];
        if (past->epoch != message->epoch)
            continue;
        *ret_view = (struct epoch_view){
            {g->public.suite, &past->sender_data, past->tree}, buf_view(&past->context), past};
        return ERR_OK;
    }
    return ERR(MLS_EPOCH_GONE);
}

/* RFC 9420 6.1, 6.3.2: resolved in the tree of the message's epoch */
static const struct tree_node *leaf_of(const struct mls_group *g, const struct epoch_view *view,
                                       uint32_t leaf_index)
{
    uint32_t width = view->past == NULL ? g->public.tree.width : view->past->width;
    if (leaf_index >= width)
        return NULL;
    return view->past == NULL ? tree_at(&g->public.tree, 2 * leaf_index)
                              : view->past->leaves[leaf_index];
}

static struct err receive_application(const struct mls_group *g, const struct epoch_view *view,
                                      const struct authenticated_content *content,
                                      const struct tree_node *leaf, struct mls_received *received)
{
    /* RFC 9420 6.1: in the epoch of the message, by its leaf */
    TRY(public_group_verify_signature(g->public.suite, content, view->context,
                                      tree_node_signature_key(leaf)));
    const void *copy = arena_copy(&received->arena, leaf->raw, leaf->len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    received->type = MLS_RECEIVED_APPLICATION;
    received->epoch = content->content.epoch;
    received->sender = content->content.sender;
    received->authenticated_data = content->content.authenticated_data;
    received->application_data = content->content.application_data;
    received->sender_leaf = bytes_of(copy, leaf->len);
    return ERR_OK;
}

static struct err receive_private(struct mls_group *g, const struct mls_client *client,
                                  const struct private_message *message,
                                  struct mls_received *received)
{
    if (!bytes_equal(message->group_id, g->public.context.group_id))
        return ERR(MLS_GROUP_ID);
    struct epoch_view view;
    TRY(find_epoch(g, message, &view));
    struct sender_data sender;
    TRY(message_open_sender(&view.keys, message, &sender));
    const struct tree_node *leaf = leaf_of(g, &view, sender.leaf_index);
    if (leaf == NULL)
        return ERR(MLS_SENDER_LEAF);
    /* our place does not change while we are a member */
    if (sender.leaf_index == g->own_leaf)
        return ERR(MLS_OWN_MESSAGE);
    struct authenticated_content content;
    TRY(message_open_content(&view.keys, message, &sender, &received->arena, &content));
    if (message->content_type == CONTENT_APPLICATION) {
        TRY(receive_application(g, &view, &content, leaf, received));
        return message_done(&view.keys, message, &sender);
    }
    uint32_t stored = g->public.proposals.count;
    TRY(receive_handshake(g, client, &content, received));
    /* A commit ends the epoch, and with it this ratchet, when it is merged; until then it may be
     * dropped and looked at again. The merge, which can't fail, finds the ratchet open. */
    if (content.content.type == CONTENT_COMMIT)
        return secret_tree_open_leaf(view.keys.tree, sender.leaf_index);
    struct err err = message_done(&view.keys, message, &sender);
    if (!err_is_ok(err) && g->public.proposals.count > stored)
        proposal_store_drop_last(&g->public.proposals);
    return err;
}

static struct err process(struct mls_group *g, const struct mls_client *client,
                          struct bytes message, struct mls_received *received)
{
    struct mls_message m;
    TRY(mls_message_parse(message, &received->arena, &m));
    if (m.wire_format == WIRE_FORMAT_PUBLIC_MESSAGE)
        return receive_public(g, client, &m.public_message, received);
    if (m.wire_format == WIRE_FORMAT_PRIVATE_MESSAGE)
        return receive_private(g, client, &m.private_message, received);
    return ERR(MLS_WIRE_FORMAT);
}

/* As in public_group_process: a Remove of 7 bytes becomes an array element. */
enum { ARENA_FACTOR = 96, ARENA_FLOOR_BYTES = 64 * 1024 };

struct err group_process(struct mls_group *g, const struct mls_client *client, struct bytes message,
                         struct mls_received *ret_received)
{
    struct mls_received received = {0};
    arena_init(&received.arena, message.len * ARENA_FACTOR + ARENA_FLOOR_BYTES);
    const void *copy = arena_copy(&received.arena, message.data, message.len);
    struct err err = ERR(NO_MEMORY);
    if (copy != NULL)
        err = process(g, client, bytes_of(copy, message.len), &received);
    if (!err_is_ok(err)) {
        mls_received_clear(&received);
        return err;
    }
    *ret_received = received;
    return ERR_OK;
}
