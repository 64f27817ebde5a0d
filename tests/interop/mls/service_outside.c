/* Proposals by who is not a member: external signers, and joiners who add themselves. */
#include "interop/mls/answer.h"

static struct err parse_info(struct bytes message, struct arena *a, struct group_info *ret_info)
{
    struct mls_message m;
    TRY(mls_message_parse(message, a, &m));
    if (m.wire_format != WIRE_FORMAT_GROUP_INFO)
        return ERR(MLS_WIRE_FORMAT);
    *ret_info = m.group_info;
    return ERR_OK;
}

static struct err new_member(struct hearth_call *call, const struct group_context *gc,
                             struct bytes identity, MlsClient__NewMemberAddProposalResponse *out)
{
    struct party *p;
    struct buf proposal = BUF_INIT;
    struct buf message = BUF_INIT;
    TRY(party_new(gc->cipher_suite, identity, false, &p));
    TRY(party_make_key_package(p));
    wire_write_u16(&proposal, PROPOSAL_ADD);
    wire_write_fixed(&proposal, buf_view(&p->bundle.key_package));
    struct err err = buf_check(&proposal);
    if (err_is_ok(err))
        err = outside_propose(&p->key, gc->group_id, gc->epoch,
                              (struct sender){SENDER_NEW_MEMBER_PROPOSAL, 0}, buf_view(&proposal),
                              &message);
    buf_clear(&proposal);
    TRY(err);
    out->transaction_id = p->id;
    TRY(answer_buf(call, &message, &out->proposal));
    TRY(answer_bytes(call, secret_view(&p->bundle.init_key), &out->init_priv));
    TRY(answer_bytes(call, secret_view(&p->bundle.leaf_key), &out->encryption_priv));
    return answer_bytes(call, secret_view(&p->key.private_key), &out->signature_priv);
}

static struct err new_member_add_do(ANSWER_ARGS(NewMemberAddProposalRequest,
                                                NewMemberAddProposalResponse))
{
    struct arena a;
    struct group_info info;
    arena_init(&a, 1 << 20);
    struct err err = parse_info(describe_view(in->group_info), &a, &info);
    if (err_is_ok(err))
        err = new_member(call, &info.group_context, describe_view(in->identity), out);
    arena_clear(&a);
    return err;
}
ANSWER_HANDLER(new_member_add, NewMemberAddProposalRequest, NewMemberAddProposalResponse)

static struct err create_signer_do(ANSWER_ARGS(CreateExternalSignerRequest,
                                               CreateExternalSignerResponse))
{
    struct party *p;
    struct buf sender = BUF_INIT;
    TRY(party_new(in->cipher_suite, describe_view(in->identity), false, &p));
    external_sender_write(&sender, &(struct external_sender){public_key_view(&p->key.public_key),
                                                             p->profile.credential});
    out->signer_id = p->id;
    return answer_buf(call, &sender, &out->external_sender);
}
ANSWER_HANDLER(create_signer, CreateExternalSignerRequest, CreateExternalSignerResponse)

static struct err propose(struct hearth_call *call, const struct party *p,
                          const struct public_group *g,
                          const MlsClient__ExternalSignerProposalRequest *in,
                          MlsClient__ProposalResponse *out)
{
    struct buf proposal = BUF_INIT;
    struct buf message = BUF_INIT;
    if (in->description == NULL)
        return ERR(ARGUMENT);
    struct err err = describe_proposal(g, in->description, &proposal);
    if (err_is_ok(err))
        err = outside_propose(&p->key, g->context.group_id, g->context.epoch,
                              (struct sender){SENDER_EXTERNAL, in->signer_index},
                              buf_view(&proposal), &message);
    buf_clear(&proposal);
    TRY(err);
    return answer_buf(call, &message, &out->proposal);
}

static struct err signer_proposal_do(ANSWER_ARGS(ExternalSignerProposalRequest, ProposalResponse))
{
    struct arena a;
    struct group_info info;
    struct public_group g;
    const struct party *p = party_find(in->signer_id);
    if (p == NULL)
        return ERR(NOT_FOUND);
    arena_init(&a, 1 << 20);
    struct err err = parse_info(describe_view(in->group_info), &a, &info);
    if (err_is_ok(err))
        err = public_group_from_group_info(&info, describe_view(in->ratchet_tree),
                                           &p->client.policy, &g);
    if (err_is_ok(err)) {
        err = propose(call, p, &g, in, out);
        public_group_clear(&g);
    }
    arena_clear(&a);
    return err;
}
ANSWER_HANDLER(signer_proposal, ExternalSignerProposalRequest, ProposalResponse)

void service_outside(struct mls_client_mlsclient_service *service)
{
    service->new_member_add_proposal = new_member_add;
    service->create_external_signer = create_signer;
    service->external_signer_proposal = signer_proposal;
}
