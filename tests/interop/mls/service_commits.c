/* Commits, one's own and others'. */
#include <stdlib.h>

#include "interop/mls/answer.h"

struct lists {
    struct bytes *references;
    struct digest *refs;
    struct buf *buffers;
    struct bytes *values;
};

static struct err fill(struct lists *l, struct party *p, const MlsClient__CommitRequest *in)
{
    if (l->references == NULL || l->refs == NULL || l->buffers == NULL || l->values == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < in->n_by_reference; i++) {
        TRY(party_learn(p, describe_view(in->by_reference[i]), &l->refs[i]));
        l->references[i] = digest_view(&l->refs[i]);
    }
    for (size_t i = 0; i < in->n_by_value; i++) {
        TRY(describe_proposal(group_public(p->group), in->by_value[i], &l->buffers[i]));
        l->values[i] = buf_view(&l->buffers[i]);
    }
    return ERR_OK;
}

static struct err give(struct hearth_call *call, struct party *p, bool external_tree,
                       struct commit_output *made, MlsClient__CommitResponse *out)
{
    TRY(answer_buf(call, &made->commit, &out->commit));
    TRY(answer_buf(call, &made->welcome, &out->welcome));
    if (!external_tree)
        return ERR_OK;
    struct buf tree = BUF_INIT;
    tree_diff_write(&tree, &group_pending(p->group)->diff);
    return answer_buf(call, &tree, &out->ratchet_tree);
}

struct err make_commit(ANSWER_ARGS(CommitRequest, CommitResponse))
{
    struct party *p;
    struct commit_output made = {0};
    TRY(answer_state(in->state_id, &p));
    struct lists l = {
        .references = calloc(in->n_by_reference + 1, sizeof *l.references),
        .refs = calloc(in->n_by_reference + 1, sizeof *l.refs),
        .buffers = calloc(in->n_by_value + 1, sizeof *l.buffers),
        .values = calloc(in->n_by_value + 1, sizeof *l.values),
    };
    struct err err = fill(&l, p, in);
    struct commit_options options = {
        .proposals = l.values,
        .proposal_count = in->n_by_value,
        .some_references = true,
        .references = l.references,
        .reference_count = in->n_by_reference,
        .force_path = in->force_path,
        .tree_beside = in->external_tree,
    };
    if (err_is_ok(err))
        err = group_commit(p->group, &p->client, &options, &made);
    if (err_is_ok(err))
        err = give(call, p, in->external_tree, &made, out);
    commit_output_clear(&made);
    for (size_t i = 0; l.buffers != NULL && i < in->n_by_value; i++)
        buf_clear(&l.buffers[i]);
    free(l.references);
    free(l.refs);
    free(l.buffers);
    free(l.values);
    return err;
}

static enum hearth_code commit(ANSWER_ARGS(CommitRequest, CommitResponse), void *self)
{
    (void)self;
    return answer(call, make_commit(call, in, out));
}

struct err take_commit(const MlsClient__HandleCommitRequest *in, struct party **ret_party)
{
    struct party *p;
    struct digest ref;
    TRY(answer_state(in->state_id, &p));
    for (size_t i = 0; i < in->n_proposal; i++)
        TRY(party_learn(p, describe_view(in->proposal[i]), &ref));
    TRY(party_handle_commit(p, describe_view(in->commit)));
    *ret_party = p;
    return ERR_OK;
}

static struct err handle_commit_do(ANSWER_ARGS(HandleCommitRequest, HandleCommitResponse))
{
    struct party *p;
    TRY(take_commit(in, &p));
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}
ANSWER_HANDLER(handle_commit, HandleCommitRequest, HandleCommitResponse)

static struct err handle_pending_do(ANSWER_ARGS(HandlePendingCommitRequest, HandleCommitResponse))
{
    struct party *p;
    TRY(answer_state(in->state_id, &p));
    TRY(party_merge_pending(p));
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}
ANSWER_HANDLER(handle_pending, HandlePendingCommitRequest, HandleCommitResponse)

void service_commits(struct mls_client_mlsclient_service *service)
{
    service->commit = commit;
    service->handle_commit = handle_commit;
    service->handle_pending_commit = handle_pending;
}
