/* Proposals of our own (RFC 9420 12.1): signed, kept for a commit by reference, and sent. */
#include <stdlib.h>

#include "mls/member/frame.h"

/* Signs, wraps, and stores last: a proposal that was not sent must not be referred to. */
static struct err send_proposal(struct mls_group *g, const struct mls_client *client,
                                struct authenticated_content *content, struct buf *message,
                                struct digest *ref)
{
    struct signature signature;
    TRY(frame_sign(g, client->signer, content, &signature));
    TRY(proposal_ref(g->public.suite->hash, content, ref));
    TRY(frame_wrap(g, client->rng, content, message));
    g->changes++;
    return public_group_add_proposal(&g->public, content, &client->policy);
}

static struct err propose(struct mls_group *g, const struct mls_client *client,
                          struct bytes proposal, struct bytes authenticated_data,
                          struct buf *ret_message, struct digest *ret_ref)
{
    struct authenticated_content content = frame_begin(g, CONTENT_PROPOSAL, authenticated_data);
    struct buf message = BUF_INIT;
    struct digest ref;
    struct arena a;
    enum { ARENA_BYTES = 64 * 1024 }; /* structures over the proposal, which is not copied */
    arena_init(&a, ARENA_BYTES);
    struct err err = proposal_parse(proposal, &a, &content.content.proposal);
    if (err_is_ok(err))
        err = send_proposal(g, client, &content, &message, &ref);
    arena_clear(&a);
    if (!err_is_ok(err)) {
        buf_clear(&message);
        return err;
    }
    *ret_message = message;
    if (ret_ref != NULL)
        *ret_ref = ref;
    return ERR_OK;
}

struct err group_propose(struct mls_group *g, const struct mls_client *client,
                         struct bytes proposal, struct bytes authenticated_data,
                         struct buf *ret_message, struct digest *ret_ref)
{
    struct wire_reader r = wire_reader_of(proposal);
    TRY(group_check_open(g));
    TRY(group_check_signer(g, client));
    /* an Update needs its private key kept: group_propose_update */
    if (wire_read_u16(&r) == PROPOSAL_UPDATE)
        return ERR(ARGUMENT);
    return propose(g, client, proposal, authenticated_data, ret_message, ret_ref);
}

struct err leaf_make_next(const struct mls_group *g, const struct sig_key *signer,
                          const struct leaf_profile *profile, enum leaf_source source,
                          struct bytes encryption_key, struct bytes parent_hash,
                          struct buf *ret_leaf)
{
    struct leaf_node leaf;
    if (!tree_leaf(&g->public.tree, g->own_leaf, &leaf))
        return ERR(INTERNAL);
    if (profile != NULL) {
        leaf.credential = profile->credential;
        leaf.capabilities = profile->capabilities;
        leaf.extensions = profile->extensions;
    }
    leaf.encryption_key = encryption_key;
    leaf.source = source;
    leaf.parent_hash = parent_hash;
    return leaf_make(signer, &leaf, g->public.context.group_id, g->own_leaf, ret_leaf);
}

static struct err reserve_update(struct mls_group *g)
{
    if (g->update_count == OWN_UPDATES_MAX)
        return ERR(MLS_TOO_MANY_PROPOSALS);
    if (g->updates == NULL)
        g->updates = calloc(OWN_UPDATES_MAX, sizeof *g->updates);
    return g->updates != NULL ? ERR_OK : ERR(NO_MEMORY);
}

struct err group_propose_update(struct mls_group *g, const struct mls_client *client,
                                const struct sig_key *new_signer,
                                const struct leaf_profile *profile, struct bytes authenticated_data,
                                struct buf *ret_message, struct digest *ret_ref)
{
    struct own_update update = {0};
    struct buf proposal = BUF_INIT;
    struct err err;
    TRY(group_check_open(g));
    TRY(group_check_signer(g, client));
    TRY(reserve_update(g));
    TRY(kem_generate(g->public.suite->hpke.kem, client->rng, &update.private_key,
                     &update.public_key));
    wire_write_u16(&proposal, PROPOSAL_UPDATE);
    TRY_OR(leaf_make_next(g, new_signer != NULL ? new_signer : client->signer, profile,
                          LEAF_SOURCE_UPDATE, public_key_view(&update.public_key),
                          bytes_of(NULL, 0), &proposal),
           err, out);
    TRY_OR(propose(g, client, buf_view(&proposal), authenticated_data, ret_message, ret_ref), err,
           out);
    g->updates[g->update_count++] = update;
    g->changes++;
out:
    bytes_wipe(&update, sizeof update);
    buf_clear(&proposal);
    return err;
}
