/* Messages to a public group: framing rules and signatures (RFC 9420 6), then proposals and
 * commits. */
#include "crypto/labelled.h"
#include "mls/public/public_group.h"
#include "mls/public/staged_commit.h"

/* RFC 9420 6.1: which sender may send what, and how. */
static struct err check_matrix(const struct authenticated_content *content)
{
    enum content_type type = content->content.type;
    enum sender_type sender = content->content.sender.type;
    /* RFC 9420 6: application data MUST be sent as PrivateMessage */
    if (type == CONTENT_APPLICATION && content->wire_format != WIRE_FORMAT_PRIVATE_MESSAGE)
        return ERR(MLS_APPLICATION_PUBLIC);
    if (sender == SENDER_MEMBER)
        return ERR_OK;
    /* RFC 9420 6, 12.1.8: senders who are not members have no keys for a PrivateMessage */
    if (content->wire_format != WIRE_FORMAT_PUBLIC_MESSAGE)
        return ERR(MLS_EXTERNAL_PRIVATE);
    enum content_type allowed =
        sender == SENDER_NEW_MEMBER_COMMIT ? CONTENT_COMMIT : CONTENT_PROPOSAL;
    return type == allowed ? ERR_OK : ERR(MLS_CONTENT_SENDER);
}

static struct err external_sender_key(const struct public_group *g, uint32_t index,
                                      struct bytes *ret_key)
{
    struct bytes data;
    struct external_sender sender;
    /* RFC 9420 6.1, 12.1.8: the key at sender_index of the external_senders extension, which must
     * be there */
    if (!extensions_find(&g->context.extensions, EXTENSION_EXTERNAL_SENDERS, &data))
        return ERR(MLS_EXTERNAL_SENDER);
    TRY(validate_blame(external_senders_at(data, index, &sender), ERR_MLS_EXTERNAL_SENDER));
    *ret_key = sender.signature_key;
    return ERR_OK;
}

struct err public_group_sender_key(const struct public_group *g,
                                   const struct authenticated_content *content,
                                   struct bytes *ret_key)
{
    const struct framed_content *c = &content->content;
    struct leaf_node leaf;
    switch (c->sender.type) {
    case SENDER_MEMBER:
        /* RFC 9420 6.1, 12.4.2: a leaf inside the tree that is not blank */
        if (!tree_leaf(&g->tree, c->sender.index, &leaf))
            return ERR(MLS_SENDER_LEAF);
        *ret_key = leaf.signature_key;
        return ERR_OK;
    case SENDER_EXTERNAL:
        return external_sender_key(g, c->sender.index, ret_key);
    case SENDER_NEW_MEMBER_PROPOSAL:
        /* RFC 9420 6.1: an Add, signed by the key in its KeyPackage */
        if (c->proposal.type != PROPOSAL_ADD)
            return ERR(MLS_NEW_MEMBER_PROPOSAL_TYPE);
        *ret_key = c->proposal.add->leaf_node.signature_key;
        return ERR_OK;
    default:
        /* RFC 9420 12.4.3.2: an external commit MUST contain a path; its leaf's key signs */
        if (c->commit.path == NULL)
            return ERR(MLS_PATH_REQUIRED);
        *ret_key = c->commit.path->leaf_node.signature_key;
        return ERR_OK;
    }
}

struct err public_group_verify_signature(const struct suite *suite,
                                         const struct authenticated_content *content,
                                         struct bytes context, struct bytes key)
{
    struct buf tbs = BUF_INIT;
    framed_content_write_tbs(&tbs, content->wire_format, &content->content, context);
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_verify(suite->sig, key, LABEL_MLS, bytes_str("FramedContentTBS"),
                              buf_view(&tbs), content->auth.signature);
    buf_clear(&tbs);
    /* RFC 9420 6.1: recipients MUST verify the signature */
    return validate_blame(err, ERR_MLS_MESSAGE_SIGNATURE);
}

struct err public_group_verify(const struct public_group *g,
                               const struct authenticated_content *content)
{
    const struct framed_content *c = &content->content;
    /* RFC 9420 12.4.2: after a ReInit the group MUST NOT be used to send messages */
    if (public_group_is_closed(g))
        return ERR(MLS_GROUP_CLOSED);
    /* RFC 9420 6: of this group and, for handshake messages (12.1, 12.4.2), of this epoch */
    if (!bytes_equal(c->group_id, g->context.group_id))
        return ERR(MLS_GROUP_ID);
    if (c->epoch != g->context.epoch)
        return ERR(MLS_EPOCH);
    TRY(check_matrix(content));
    /* RFC 9420 6.1: a MAC of full length */
    if (c->type == CONTENT_COMMIT && content->auth.confirmation_tag.len != g->suite->hash->bytes)
        return ERR(MLS_CONFIRMATION_TAG_LENGTH);
    struct bytes key;
    TRY(public_group_sender_key(g, content, &key));
    return public_group_verify_signature(g->suite, content, public_group_context(g), key);
}

bool public_group_remove_pending(const struct public_group *g, uint32_t leaf_index)
{
    for (uint32_t i = 0; i < g->proposals.count; i++) {
        const struct proposal *p = &g->proposals.entries[i]->proposal;
        if (p->type == PROPOSAL_REMOVE && p->remove == leaf_index)
            return true;
    }
    return false;
}

struct err public_group_add_proposal(struct public_group *g,
                                     const struct authenticated_content *content,
                                     const struct mls_policy *policy)
{
    if (content->content.type != CONTENT_PROPOSAL)
        return ERR(ARGUMENT);
    struct proposal_scope scope = {
        .suite = g->suite,
        .tree = &g->tree,
        .group_id = g->context.group_id,
        .policy = policy,
    };
    const struct proposal *p = &content->content.proposal;
    /* RFC 9420 12.2: only an external commit carries an ExternalInit, and by value */
    if (p->type == PROPOSAL_EXTERNAL_INIT)
        return ERR(MLS_EXTERNAL_INIT);
    TRY(validate_proposal(&scope, p, content->content.sender));
    return proposal_store_add(&g->proposals, g->suite->hash, content);
}

static struct err process(struct public_group *g, struct bytes message, struct arena *a,
                          const struct mls_policy *policy, struct staged_commit **ret_staged)
{
    struct mls_message m;
    TRY(mls_message_parse(message, a, &m));
    if (m.wire_format != WIRE_FORMAT_PUBLIC_MESSAGE)
        return ERR(MLS_WIRE_FORMAT);
    const struct public_message *pm = &m.public_message;
    const struct framed_content *c = &pm->content.content;
    /* RFC 9420 6.2: a MAC of full length; whether it is right only members can tell */
    if (c->sender.type == SENDER_MEMBER && pm->membership_tag.len != g->suite->hash->bytes)
        return ERR(MLS_MEMBERSHIP_TAG_LENGTH);
    TRY(public_group_verify(g, &pm->content));
    if (c->type == CONTENT_PROPOSAL) {
        *ret_staged = NULL;
        return public_group_add_proposal(g, &pm->content, policy);
    }
    return staged_commit_process(g, &pm->content, policy, ret_staged);
}

/* Decoded structures take at most this many times the bytes they came from: a Remove of 7 bytes
 * becomes an element of an array that may be half empty and was moved as it grew. */
enum { ARENA_FACTOR = 96, ARENA_FLOOR_BYTES = 64 * 1024 };

struct err public_group_process(struct public_group *g, struct bytes message,
                                const struct mls_policy *policy, struct staged_commit **ret_staged)
{
    struct arena a;
    arena_init(&a, message.len * ARENA_FACTOR + ARENA_FLOOR_BYTES);
    const void *copy = arena_copy(&a, message.data, message.len);
    struct staged_commit *staged = NULL;
    struct err err = ERR(NO_MEMORY);
    if (copy != NULL)
        err = process(g, bytes_of(copy, message.len), &a, policy, &staged);
    if (!err_is_ok(err) || staged == NULL) {
        arena_clear(&a);
        TRY(err);
    } else {
        staged->message_arena = a; /* moves: what it handed out stays where it is */
    }
    *ret_staged = staged;
    return ERR_OK;
}
