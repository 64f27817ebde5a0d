/* Reinitialisation and branching (RFC 9420 11.2, 11.3). */
#include <stdlib.h>

#include "interop/mls/answer.h"

static enum hearth_code reinit_commit(ANSWER_ARGS(CommitRequest, CommitResponse), void *self)
{
    (void)self;
    return answer(call, make_commit(call, in, out));
}

/* A party for the group to come, of the suite that the ReInit names. */
static struct err prepare(struct hearth_call *call, const struct party *old,
                          MlsClient__HandleReInitCommitResponse *out)
{
    const struct public_group *g = group_public(old->group);
    struct wire_reader r = wire_reader_of(buf_view(&g->reinit));
    struct reinit reinit;
    struct buf kp = BUF_INIT;
    struct party *p;
    if (!public_group_is_closed(g))
        return ERR(WRONG_STATE);
    reinit_read(&r, &reinit);
    TRY(wire_reader_end(&r));
    TRY(party_new(reinit.cipher_suite, old->profile.credential.body, !old->config.public_handshake,
                  &p));
    p->predecessor = old->id;
    TRY(party_make_key_package(p));
    TRY(party_key_package(p, &kp));
    out->reinit_id = p->id;
    TRY(answer_buf(call, &kp, &out->key_package));
    return answer_authenticator(call, old->group, &out->epoch_authenticator);
}

static struct err handle_reinit_pending_do(ANSWER_ARGS(HandlePendingCommitRequest,
                                                       HandleReInitCommitResponse))
{
    struct party *p;
    TRY(answer_state(in->state_id, &p));
    TRY(party_merge_pending(p));
    return prepare(call, p, out);
}
ANSWER_HANDLER(handle_reinit_pending, HandlePendingCommitRequest, HandleReInitCommitResponse)

static struct err handle_reinit_commit_do(ANSWER_ARGS(HandleCommitRequest,
                                                      HandleReInitCommitResponse))
{
    struct party *p;
    TRY(take_commit(in, &p));
    return prepare(call, p, out);
}
ANSWER_HANDLER(handle_reinit_commit, HandleCommitRequest, HandleReInitCommitResponse)

/* KeyPackages out of their MLSMessages. */
static struct err unwrap(const ProtobufCBinaryData *messages, size_t count, struct bytes *packages)
{
    struct mls_message m;
    struct arena a;
    arena_init(&a, 4096);
    for (size_t i = 0; i < count; i++) {
        TRY(mls_message_parse(describe_view(messages[i]), &a, &m));
        if (m.wire_format != WIRE_FORMAT_KEY_PACKAGE)
            return ERR(MLS_WIRE_FORMAT);
        packages[i] = m.key_package.raw;
    }
    arena_clear(&a);
    return ERR_OK;
}

static struct err give(struct hearth_call *call, struct party *p, struct commit_output *made,
                       bool external_tree, MlsClient__CreateSubgroupResponse *out)
{
    TRY(group_merge_pending(p->group));
    out->state_id = p->id;
    TRY(answer_buf(call, &made->welcome, &out->welcome));
    if (external_tree)
        TRY(answer_tree(call, p->group, &out->ratchet_tree));
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}

static struct err succeed(struct hearth_call *call, const struct party *old, struct party *p,
                          struct successor *successor, const ProtobufCBinaryData *messages,
                          bool is_branch, MlsClient__CreateSubgroupResponse *out)
{
    struct commit_output made = {0};
    struct bytes *packages = calloc(successor->count + 1, sizeof *packages);
    if (packages == NULL)
        return ERR(NO_MEMORY);
    successor->key_packages = packages;
    successor->profile = &p->profile;
    successor->config = &p->config;
    struct err err = unwrap(messages, successor->count, packages);
    if (err_is_ok(err))
        err = is_branch ? group_branch(old->group, &p->client, successor, &made, &p->group)
                        : group_reinit(old->group, &p->client, successor, &made, &p->group);
    if (err_is_ok(err))
        err = give(call, p, &made, successor->tree_beside, out);
    commit_output_clear(&made);
    free(packages);
    return err;
}

static struct err find_reinit(uint32_t id, struct party **ret_old, struct party **ret_party)
{
    struct party *p = party_find(id);
    if (p == NULL || p->predecessor == 0)
        return ERR(NOT_FOUND);
    *ret_party = p;
    return answer_state(p->predecessor, ret_old);
}

static struct err reinit_welcome_do(ANSWER_ARGS(ReInitWelcomeRequest, CreateSubgroupResponse))
{
    struct party *old;
    struct party *p;
    TRY(find_reinit(in->reinit_id, &old, &p));
    struct successor successor = {
        .count = in->n_key_package, .force_path = in->force_path, .tree_beside = in->external_tree};
    return succeed(call, old, p, &successor, in->key_package, false, out);
}
ANSWER_HANDLER(reinit_welcome, ReInitWelcomeRequest, CreateSubgroupResponse)

static struct err handle_reinit_welcome_do(ANSWER_ARGS(HandleReInitWelcomeRequest,
                                                       JoinGroupResponse))
{
    struct party *old;
    struct party *p;
    TRY(find_reinit(in->reinit_id, &old, &p));
    TRY(group_join(&p->client, &p->config, &p->bundle, describe_view(in->welcome),
                   describe_view(in->ratchet_tree), old->group, &p->group));
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}
ANSWER_HANDLER(handle_reinit_welcome, HandleReInitWelcomeRequest, JoinGroupResponse)

static struct err create_branch_do(ANSWER_ARGS(CreateBranchRequest, CreateSubgroupResponse))
{
    struct party *old;
    struct party *p;
    struct buf list = BUF_INIT;
    TRY(answer_state(in->state_id, &old));
    TRY(party_new(old->suite->id, old->profile.credential.body, !old->config.public_handshake, &p));
    struct err err = describe_extensions(in->extensions, in->n_extensions, &list);
    struct extensions extensions = {buf_view(&list)};
    struct successor successor = {.count = in->n_key_packages,
                                  .force_path = in->force_path,
                                  .tree_beside = in->external_tree,
                                  .group_id = describe_view(in->group_id),
                                  .extensions = &extensions};
    if (err_is_ok(err))
        err = succeed(call, old, p, &successor, in->key_packages, true, out);
    buf_clear(&list);
    return err;
}
ANSWER_HANDLER(create_branch, CreateBranchRequest, CreateSubgroupResponse)

static struct err handle_branch_do(ANSWER_ARGS(HandleBranchRequest, HandleBranchResponse))
{
    struct party *old;
    struct party *p = party_find(in->transaction_id);
    TRY(answer_state(in->state_id, &old));
    if (p == NULL || p->bundle.key_package.len == 0 || p->group != NULL)
        return ERR(NOT_FOUND);
    party_encrypt(p, !old->config.public_handshake);
    TRY(group_join(&p->client, &p->config, &p->bundle, describe_view(in->welcome),
                   describe_view(in->ratchet_tree), old->group, &p->group));
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}
ANSWER_HANDLER(handle_branch, HandleBranchRequest, HandleBranchResponse)

void service_successors(struct mls_client_mlsclient_service *service)
{
    service->re_init_commit = reinit_commit;
    service->handle_pending_re_init_commit = handle_reinit_pending;
    service->handle_re_init_commit = handle_reinit_commit;
    service->re_init_welcome = reinit_welcome;
    service->handle_re_init_welcome = handle_reinit_welcome;
    service->create_branch = create_branch;
    service->handle_branch = handle_branch;
}
