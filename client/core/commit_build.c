/* A commit from a wish: proposals, records, the Welcome in parts, and the packed request. */
#include <stdlib.h>

#include "client/core/commit_body.h"
#include "client/core/group_data.h"
#include "client/core/roster.h"
#include "mls/codec/message.h"
#include "seal/welcome_keys.h"
#include "wire/writer.h"

enum { PROPOSALS_MAX = 512, WELCOME_DECODE_BYTES = 1 << 24 };

struct building {
    struct core *core;
    struct db_txn *txn;
    struct open_chat *chat;
    struct commit_body *body;
    struct chat keys; /* the group's identity keys from the commit on */
    struct commit_adds adds;
    struct buf proposals[PROPOSALS_MAX];
    struct bytes views[PROPOSALS_MAX];
    size_t proposal_count;
    bool removes; /* somebody, by value or by a reference */
    struct own_record own;
    bool has_own;
    struct buf authenticated_data, welcome_extensions, context;
    struct commit_output output;
    struct info_parts parts;
    struct arena arena;
};

static void building_free(struct building *b)
{
    commit_adds_clear(&b->adds);
    for (size_t i = 0; i < b->proposal_count; i++)
        buf_clear(&b->proposals[i]);
    own_record_clear(&b->own);
    buf_clear(&b->authenticated_data);
    buf_clear(&b->welcome_extensions);
    buf_clear(&b->context);
    commit_output_clear(&b->output);
    info_parts_clear(&b->parts);
    arena_clear(&b->arena);
    bytes_wipe(&b->keys, sizeof b->keys);
    free(b);
}

/* ---- proposals */

static struct err next_proposal(struct building *b, struct buf **ret_buf)
{
    if (b->proposal_count == PROPOSALS_MAX)
        return ERR(TOO_LARGE);
    *ret_buf = &b->proposals[b->proposal_count++];
    return ERR_OK;
}

static struct err propose_remove(struct building *b, uint32_t leaf)
{
    struct buf *out;
    if (leaf == group_own_leaf(b->chat->group))
        return ERR_OK;
    b->removes = true;
    if (public_group_remove_pending(group_public(b->chat->group), leaf))
        return ERR_OK; /* covered by reference, for a commit has room for one Remove of a leaf */
    TRY(next_proposal(b, &out));
    proposal_write(out, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = leaf});
    return buf_check(out);
}

static bool wants_removed(const struct commit_body *body, const struct roster_leaf *l)
{
    for (size_t i = 0; i < body->remove_count; i++)
        if (memcmp(l->user_pseudonym, body->remove[i], 16) == 0)
            return true;
    for (size_t i = 0; i < body->remove_client_count && l->own_user && l->client_id_len > 16; i++)
        if (memcmp(l->client_id + l->client_id_len - 16, body->remove_clients[i], 16) == 0)
            return true;
    return false;
}

static struct err propose_removes(struct building *b)
{
    const struct roster *r = b->chat->roster;
    for (size_t i = 0; i < r->count; i++)
        if (wants_removed(b->body, &r->leaves[i]))
            TRY(propose_remove(b, r->leaves[i].leaf));
    return ERR_OK;
}

static bool removes_pending(const struct building *b)
{
    const struct proposal_store *pending = &group_public(b->chat->group)->proposals;
    for (uint32_t i = 0; i < pending->count; i++)
        if (pending->entries[i]->proposal.type == PROPOSAL_REMOVE)
            return true;
    return false;
}

static struct err propose_context(struct building *b)
{
    const struct commit_body *body = b->body;
    struct buf *out, list = BUF_INIT;
    bool promote = body->promotes && !group_is_admin(b->chat, body->promote);
    bool demote = body->demotes && group_is_admin(b->chat, body->demote);
    if (!promote && !demote && !body->renames)
        return ERR_OK;
    struct err err = group_context_next(b->core, b->chat, promote ? body->promote : NULL,
                                        demote ? body->demote : NULL,
                                        body->renames ? body->rename : NULL, &list);
    if (err_is_ok(err))
        err = next_proposal(b, &out);
    if (err_is_ok(err)) {
        struct proposal p = {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                             .group_context_extensions = {buf_view(&list)}};
        proposal_write(out, &p);
        err = buf_check(out);
    }
    buf_clear(&list);
    return err;
}

static struct err propose_adds(struct building *b)
{
    for (size_t i = 0; i < b->adds.count; i++) {
        struct buf *out;
        TRY(next_proposal(b, &out));
        wire_write_u16(out, PROPOSAL_ADD);
        wire_write_fixed(out, b->adds.at[i].key_package);
        TRY(buf_check(out));
    }
    return ERR_OK;
}

/* ---- keys */

/* A removal begins a new group identity key, so who is gone can't read who comes. */
static struct err choose_identity_key(struct building *b)
{
    const struct chat *chat = &b->chat->chat;
    memcpy(b->keys.identity_key, chat->identity_key, sizeof chat->identity_key);
    memcpy(b->keys.identity_before, chat->identity_before, sizeof chat->identity_before);
    b->keys.identity_before_count = chat->identity_before_count;
    b->keys.identity_epoch = chat->identity_epoch;
    b->body->rotates = b->removes || removes_pending(b);
    if (!b->body->rotates)
        return ERR_OK;
    TRY(rng_fill(b->core->rng, b->body->identity_key, sizeof b->body->identity_key));
    chat_add_identity_key(&b->keys, b->body->identity_key, group_epoch(b->chat->group) + 1);
    return ERR_OK;
}

static struct err fresh_leaf(struct building *b, bool *ret_waits)
{
    struct commit_body *body = b->body;
    *ret_waits = false;
    b->has_own = body->update;
    if (!body->update)
        return ERR_OK;
    struct chat *leaf = &body->leaf;
    chat_clear(leaf);
    memcpy(leaf->user_pseudonym, b->chat->chat.user_pseudonym, sizeof leaf->user_pseudonym);
    struct err err = chat_new_leaf(b->core, b->txn, leaf);
    if (err.code == ERR_NOT_FOUND) {
        *ret_waits = true;
        return ERR_OK;
    }
    TRY(err);
    body->fresh_leaf = true;
    memcpy(leaf->group_id, b->chat->chat.group_id, b->chat->chat.group_id_len);
    leaf->group_id_len = b->chat->chat.group_id_len;
    memcpy(leaf->identity_key, b->keys.identity_key, sizeof leaf->identity_key);
    return own_record_make(b->core, leaf, &b->chat->chat.leaf_key, &b->own);
}

static struct err write_keys(struct building *b)
{
    size_t count = b->adds.count + (b->has_own ? 1 : 0);
    struct leaf_news *news = calloc(count + 1, sizeof *news);
    if (news == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < b->adds.count; i++)
        news[i] = b->adds.at[i].news;
    if (b->has_own)
        news[b->adds.count] = b->own.news;
    leaf_keys_write(&b->authenticated_data, news, count);
    free(news);
    return buf_check(&b->authenticated_data);
}

static struct err write_welcome_extensions(struct building *b)
{
    struct welcome_keys keys;
    struct buf data = BUF_INIT, history = BUF_INIT;
    if (b->adds.count == 0)
        return ERR_OK;
    memcpy(keys.state_key, b->chat->chat.state_keys[0], sizeof keys.state_key);
    memcpy(keys.identity_key, b->keys.identity_key, sizeof keys.identity_key);
    welcome_keys_write(&data, &keys);
    identity_history_write(&b->keys, &history);
    extension_write(&b->welcome_extensions, WELCOME_KEYS_EXTENSION_TYPE, buf_view(&data));
    extension_write(&b->welcome_extensions, IDENTITY_HISTORY_EXTENSION_TYPE, buf_view(&history));
    struct err err = buf_check(&data);
    if (err_is_ok(err))
        err = buf_check(&history);
    bytes_wipe(&keys, sizeof keys);
    buf_clear(&data);
    buf_clear(&history);
    return err_is_ok(err) ? buf_check(&b->welcome_extensions) : err;
}

/* ---- the commit */

static struct err make_commit(struct building *b)
{
    const struct commit_body *body = b->body;
    struct leaf_profile profile = chat_leaf_profile(buf_view(&body->leaf.credential));
    const struct commit_options options = {
        .proposals = b->views,
        .proposal_count = b->proposal_count,
        .force_path = b->adds.count == 0 || body->update,
        .authenticated_data = buf_view(&b->authenticated_data),
        .tree_beside = true,
        .external_pub = true,
        .welcome_extensions = buf_view(&b->welcome_extensions),
        .new_signer = body->fresh_leaf ? &body->leaf.leaf_key : NULL,
        .profile = body->fresh_leaf ? &profile : NULL,
    };
    for (size_t i = 0; i < b->proposal_count; i++)
        b->views[i] = buf_view(&b->proposals[i]);
    return group_commit(b->chat->group, &b->chat->client, &options, &b->output);
}

/* The Welcome cut into one part for each joiner, in the order of the Adds. */
static struct err cut_welcome(struct building *b, Hearth__V1__JoinerPart **joiners,
                              Hearth__V1__CommitRequest *in)
{
    struct mls_message m;
    struct encrypted_group_secrets secrets;
    size_t n = 0;
    if (b->adds.count == 0)
        return ERR_OK;
    TRY(mls_message_parse(buf_view(&b->output.welcome), &b->arena, &m));
    struct wire_reader it = welcome_begin(&m.welcome);
    while (welcome_next(&it, &secrets)) {
        size_t i = 0;
        while (i < b->adds.count &&
               !bytes_equal(digest_view(&b->adds.at[i].ref), secrets.new_member))
            i++;
        if (i == b->adds.count || joiners[i] != NULL)
            return ERR(INTERNAL);
        struct commit_add *a = &b->adds.at[i];
        encrypted_group_secrets_write(&a->secrets, &secrets);
        TRY(buf_check(&a->secrets));
        hearth__v1__joiner_part__init(&a->part);
        a->part.encrypted_group_secrets = pb_of(buf_view(&a->secrets));
        a->part.leaf = &a->record;
        joiners[i] = &a->part;
        n++;
    }
    if (n != b->adds.count)
        return ERR(INTERNAL);
    in->joiners = joiners;
    in->n_joiners = n;
    in->welcome_group_info = pb_of(m.welcome.encrypted_group_info);
    return ERR_OK;
}

static struct err pack(const ProtobufCMessage *in, struct buf *out)
{
    buf_clear(out);
    return core_pack(in, out);
}

static struct err make_request(struct building *b, const struct task *task)
{
    struct request_id id;
    struct group_access access;
    Hearth__V1__CommitRequest in = HEARTH__V1__COMMIT_REQUEST__INIT;
    Hearth__V1__JoinerPart **joiners = calloc(b->adds.count + 1, sizeof(Hearth__V1__JoinerPart *));
    if (joiners == NULL)
        return ERR(NO_MEMORY);
    request_id_of(task, &id);
    group_access_of(&b->chat->chat, &access);
    struct err err = info_parts_of(buf_view(&b->output.group_info), &b->parts);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = pb_of(buf_view(&b->output.commit));
    in.group_info = &b->parts.message;
    in.own_leaf = b->has_own ? &b->own.message : NULL;
    if (err_is_ok(err))
        err = cut_welcome(b, joiners, &in);
    if (err_is_ok(err))
        err = pack(&in.base, &b->body->request);
    free(joiners);
    return err;
}

/* ---- all of it */

static struct err build(struct building *b, const struct task *task, enum commit_built *ret_built)
{
    struct commit_body *body = b->body;
    bool waits;
    uint32_t pending = group_public(b->chat->group)->proposals.count;
    TRY(propose_removes(b));
    TRY(propose_context(b));
    TRY(choose_identity_key(b));
    TRY(commit_adds_make(b->core, b->txn, b->chat, body, b->keys.identity_key, &b->adds));
    *ret_built = COMMIT_WAITS;
    if (b->adds.wanted[0] != '\0')
        return ERR_OK;
    TRY(fresh_leaf(b, &waits));
    if (waits)
        return ERR_OK;
    TRY(propose_adds(b));
    *ret_built = b->adds.refused > 0 ? COMMIT_UNMAKABLE : COMMIT_NOTHING;
    if (b->proposal_count == 0 && !body->update && !b->removes && !(body->cover && pending > 0))
        return ERR_OK;
    TRY(write_keys(b));
    TRY(write_welcome_extensions(b));
    TRY(make_commit(b));
    TRY(make_request(b, task));
    body->epoch = group_epoch(b->chat->group);
    *ret_built = COMMIT_BUILT;
    return ERR_OK;
}

struct err commit_build(struct core *c, struct db_txn *t, const struct task *task,
                        struct open_chat *chat, struct commit_body *body,
                        enum commit_built *ret_built)
{
    struct building *b = calloc(1, sizeof *b);
    if (b == NULL)
        return ERR(NO_MEMORY);
    b->core = c;
    b->txn = t;
    b->chat = chat;
    b->body = body;
    arena_init(&b->arena, WELCOME_DECODE_BYTES);
    struct err err = build(b, task, ret_built);
    building_free(b);
    return err;
}
