/* Proposals of a member. */
#include "interop/mls/answer.h"

/* Sends an encoded proposal; clears the buffer it is in. */
static struct err send_proposal(struct hearth_call *call, struct party *p, struct err made,
                                struct buf *proposal, MlsClient__ProposalResponse *out)
{
    struct buf message = BUF_INIT;
    struct err err = made;
    if (err_is_ok(err))
        err = party_propose(p, buf_view(proposal), &message);
    if (err_is_ok(err))
        err = answer_buf(call, &message, &out->proposal);
    buf_clear(proposal);
    return err;
}

static struct err add_do(ANSWER_ARGS(AddProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    return send_proposal(call, p, describe_add(describe_view(in->key_package), &b), &b, out);
}
ANSWER_HANDLER(add, AddProposalRequest, ProposalResponse)

static struct err update_do(ANSWER_ARGS(UpdateProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf message = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    TRY(party_propose_update(p, &message));
    return answer_buf(call, &message, &out->proposal);
}
ANSWER_HANDLER(update, UpdateProposalRequest, ProposalResponse)

static struct err removal_do(ANSWER_ARGS(RemoveProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct err err =
        describe_remove(&group_public(p->group)->tree, describe_view(in->removed_id), &b);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(removal, RemoveProposalRequest, ProposalResponse)

static struct err external_psk_do(ANSWER_ARGS(ExternalPSKProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct err err =
        describe_external_psk(group_public(p->group)->suite, describe_view(in->psk_id), &b);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(external_psk, ExternalPSKProposalRequest, ProposalResponse)

static struct err resumption_psk_do(ANSWER_ARGS(ResumptionPSKProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    const struct public_group *g = group_public(p->group);
    struct err err = describe_resumption_psk(g->suite, g->context.group_id, in->epoch_id, &b);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(resumption_psk, ResumptionPSKProposalRequest, ProposalResponse)

static struct err context_extensions_do(ANSWER_ARGS(GroupContextExtensionsProposalRequest,
                                                    ProposalResponse))
{
    struct party *p;
    struct buf list = BUF_INIT;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct err err = describe_extensions(in->extensions, in->n_extensions, &list);
    if (err_is_ok(err))
        err = describe_context_extensions(buf_view(&list), &b);
    buf_clear(&list);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(context_extensions, GroupContextExtensionsProposalRequest, ProposalResponse)

static struct err reinit_do(ANSWER_ARGS(ReInitProposalRequest, ProposalResponse))
{
    struct party *p;
    struct buf list = BUF_INIT;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct err err = describe_extensions(in->extensions, in->n_extensions, &list);
    if (err_is_ok(err))
        err = describe_reinit(describe_view(in->group_id), in->cipher_suite, buf_view(&list), &b);
    buf_clear(&list);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(reinit, ReInitProposalRequest, ProposalResponse)

/* The group's extensions with one more external sender. */
static struct err with_sender(const struct public_group *g, struct bytes sender, struct buf *list)
{
    struct buf senders = BUF_INIT;
    struct extension x;
    struct bytes data;
    size_t mark = wire_vector_begin(&senders);
    if (extensions_find(&g->context.extensions, EXTENSION_EXTERNAL_SENDERS, &data)) {
        struct wire_reader r = wire_reader_of(data);
        wire_write_fixed(&senders, wire_read_vector(&r));
    }
    wire_write_fixed(&senders, sender);
    wire_vector_end(&senders, mark);
    struct wire_reader it = extensions_begin(&g->context.extensions);
    while (extensions_next(&it, &x)) {
        if (x.type != EXTENSION_EXTERNAL_SENDERS)
            extension_write(list, x.type, x.data);
    }
    extension_write(list, EXTENSION_EXTERNAL_SENDERS, buf_view(&senders));
    struct err err = buf_check(&senders);
    buf_clear(&senders);
    return err_is_ok(err) ? buf_check(list) : err;
}

static struct err add_signer_do(ANSWER_ARGS(AddExternalSignerRequest, ProposalResponse))
{
    struct party *p;
    struct buf list = BUF_INIT;
    struct buf b = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct err err = with_sender(group_public(p->group), describe_view(in->external_sender), &list);
    if (err_is_ok(err))
        err = describe_context_extensions(buf_view(&list), &b);
    buf_clear(&list);
    return send_proposal(call, p, err, &b, out);
}
ANSWER_HANDLER(add_signer, AddExternalSignerRequest, ProposalResponse)

void service_proposals(struct mls_client_mlsclient_service *service)
{
    service->add_proposal = add;
    service->update_proposal = update;
    service->remove_proposal = removal;
    service->external_pskproposal = external_psk;
    service->resumption_pskproposal = resumption_psk;
    service->group_context_extensions_proposal = context_extensions;
    service->re_init_proposal = reinit;
    service->add_external_signer = add_signer;
}
