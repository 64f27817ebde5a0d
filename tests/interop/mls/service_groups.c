/* Becoming a member, and what a member can be asked. */
#include "interop/mls/answer.h"

static enum hearth_code name(ANSWER_ARGS(NameRequest, NameResponse), void *self)
{
    static char text[] = "Hearth";
    (void)call;
    (void)in;
    (void)self;
    out->name = text;
    return HEARTH_OK;
}

static struct err suites_do(ANSWER_ARGS(SupportedCiphersuitesRequest,
                                        SupportedCiphersuitesResponse))
{
    (void)in;
    out->ciphersuites = hearth_call_alloc(call, SUITE_COUNT * sizeof *out->ciphersuites);
    if (out->ciphersuites == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < SUITE_COUNT; i++)
        out->ciphersuites[out->n_ciphersuites++] = suite_table[i].id;
    return ERR_OK;
}
ANSWER_HANDLER(suites, SupportedCiphersuitesRequest, SupportedCiphersuitesResponse)

static struct err create_group_do(ANSWER_ARGS(CreateGroupRequest, CreateGroupResponse))
{
    struct party *p;
    (void)call;
    TRY(party_new(in->cipher_suite, describe_view(in->identity), in->encrypt_handshake, &p));
    struct err err = group_create(&p->client, p->suite, &p->config, describe_view(in->group_id),
                                  NULL, &p->profile, &p->group);
    out->state_id = p->id;
    if (!err_is_ok(err))
        party_free(p->id);
    return err;
}
ANSWER_HANDLER(create_group, CreateGroupRequest, CreateGroupResponse)

static struct err create_key_package_do(ANSWER_ARGS(CreateKeyPackageRequest,
                                                    CreateKeyPackageResponse))
{
    struct party *p;
    struct buf kp = BUF_INIT;
    TRY(party_new(in->cipher_suite, describe_view(in->identity), false, &p));
    TRY(party_make_key_package(p));
    out->transaction_id = p->id;
    TRY(party_key_package(p, &kp));
    TRY(answer_buf(call, &kp, &out->key_package));
    TRY(answer_bytes(call, secret_view(&p->bundle.init_key), &out->init_priv));
    TRY(answer_bytes(call, secret_view(&p->bundle.leaf_key), &out->encryption_priv));
    return answer_bytes(call, secret_view(&p->key.private_key), &out->signature_priv);
}
ANSWER_HANDLER(create_key_package, CreateKeyPackageRequest, CreateKeyPackageResponse)

static struct err join_group_do(ANSWER_ARGS(JoinGroupRequest, JoinGroupResponse))
{
    struct party *p = party_find(in->transaction_id);
    if (p == NULL || p->bundle.key_package.len == 0 || p->group != NULL)
        return ERR(NOT_FOUND);
    party_encrypt(p, in->encrypt_handshake);
    TRY(group_join(&p->client, &p->config, &p->bundle, describe_view(in->welcome),
                   describe_view(in->ratchet_tree), NULL, &p->group));
    key_package_bundle_clear(&p->bundle);
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}
ANSWER_HANDLER(join_group, JoinGroupRequest, JoinGroupResponse)

/* Where the former leaf of this identity is: needs the tree before joining. */
static struct err find_former(const struct party *p, struct external_join *join)
{
    struct arena a;
    struct mls_message m;
    struct public_group g;
    arena_init(&a, 1 << 20);
    struct err err = mls_message_parse(join->group_info, &a, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_GROUP_INFO)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err))
        err =
            public_group_from_group_info(&m.group_info, join->ratchet_tree, &p->client.policy, &g);
    if (err_is_ok(err)) {
        err = party_leaf_of(&g.tree, p->profile.credential.body, &join->former_leaf);
        public_group_clear(&g);
    }
    arena_clear(&a);
    return err;
}

static struct err suite_of_info(struct bytes group_info, uint32_t *ret_suite)
{
    struct arena a;
    struct mls_message m;
    arena_init(&a, 1 << 20);
    struct err err = mls_message_parse(group_info, &a, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_GROUP_INFO)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err))
        *ret_suite = m.group_info.group_context.cipher_suite;
    arena_clear(&a);
    return err;
}

static struct err external_join(struct hearth_call *call, const MlsClient__ExternalJoinRequest *in,
                                struct party *p, MlsClient__ExternalJoinResponse *out)
{
    struct psk_id psks[PARTY_PSKS_MAX] = {{0}};
    struct buf commit = BUF_INIT;
    struct external_join join = {.group_info = describe_view(in->group_info),
                                 .ratchet_tree = describe_view(in->ratchet_tree),
                                 .resync = in->remove_prior,
                                 .psks = psks};
    if (in->n_psks > PARTY_PSKS_MAX)
        return ERR(TOO_LARGE);
    for (size_t i = 0; i < in->n_psks; i++) {
        struct bytes id = describe_view(in->psks[i]->psk_id);
        TRY(party_store_psk(p, id, describe_view(in->psks[i]->psk_secret)));
        psks[join.psk_count++] = (struct psk_id){.type = PSK_EXTERNAL, .id = id};
    }
    if (in->remove_prior)
        TRY(find_former(p, &join));
    TRY(group_join_external(&p->client, &p->config, &join, &p->profile, &commit, &p->group));
    TRY(answer_buf(call, &commit, &out->commit));
    /* this service has no step for a joiner to learn that it was accepted */
    TRY(group_merge_pending(p->group));
    out->state_id = p->id;
    return answer_authenticator(call, p->group, &out->epoch_authenticator);
}

static struct err external_join_rpc_do(ANSWER_ARGS(ExternalJoinRequest, ExternalJoinResponse))
{
    uint32_t suite;
    struct party *p;
    TRY(suite_of_info(describe_view(in->group_info), &suite));
    TRY(party_new(suite, describe_view(in->identity), in->encrypt_handshake, &p));
    struct err err = external_join(call, in, p, out);
    if (!err_is_ok(err))
        party_free(p->id);
    return err;
}
ANSWER_HANDLER(external_join_rpc, ExternalJoinRequest, ExternalJoinResponse)

static struct err group_info_do(ANSWER_ARGS(GroupInfoRequest, GroupInfoResponse))
{
    struct party *p;
    struct buf info = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    struct group_info_options options = {.ratchet_tree = !in->external_tree, .external_pub = true};
    TRY(group_make_info(p->group, &p->client, options, &info));
    TRY(answer_buf(call, &info, &out->group_info));
    return in->external_tree ? answer_tree(call, p->group, &out->ratchet_tree) : ERR_OK;
}
ANSWER_HANDLER(group_info, GroupInfoRequest, GroupInfoResponse)

static struct err state_auth_do(ANSWER_ARGS(StateAuthRequest, StateAuthResponse))
{
    struct party *p;
    TRY(answer_state(in->state_id, &p));
    return answer_authenticator(call, p->group, &out->state_auth_secret);
}
ANSWER_HANDLER(state_auth, StateAuthRequest, StateAuthResponse)

static struct err export_do(ANSWER_ARGS(ExportRequest, ExportResponse))
{
    struct party *p;
    TRY(answer_state(in->state_id, &p));
    uint8_t *secret = hearth_call_alloc(call, in->key_length);
    if (secret == NULL)
        return ERR(NO_MEMORY);
    TRY(group_export(p->group, bytes_str(in->label), describe_view(in->context), in->key_length,
                     secret));
    out->exported_secret = (ProtobufCBinaryData){in->key_length, secret};
    return ERR_OK;
}
ANSWER_HANDLER(export, ExportRequest, ExportResponse)

static struct err protect_do(ANSWER_ARGS(ProtectRequest, ProtectResponse))
{
    struct party *p;
    struct buf message = BUF_INIT;
    TRY(answer_state(in->state_id, &p));
    TRY(group_protect(p->group, &p->client, describe_view(in->plaintext),
                      describe_view(in->authenticated_data), &message));
    return answer_buf(call, &message, &out->ciphertext);
}
ANSWER_HANDLER(protect, ProtectRequest, ProtectResponse)

static struct err unprotect_do(ANSWER_ARGS(UnprotectRequest, UnprotectResponse))
{
    struct party *p;
    struct mls_received received;
    TRY(answer_state(in->state_id, &p));
    TRY(group_process(p->group, &p->client, describe_view(in->ciphertext), &received));
    struct err err = received.type == MLS_RECEIVED_APPLICATION ? ERR_OK : ERR(ARGUMENT);
    if (err_is_ok(err))
        err = answer_bytes(call, received.application_data, &out->plaintext);
    if (err_is_ok(err))
        err = answer_bytes(call, received.authenticated_data, &out->authenticated_data);
    mls_received_clear(&received);
    return err;
}
ANSWER_HANDLER(unprotect, UnprotectRequest, UnprotectResponse)

static struct err store_psk_do(ANSWER_ARGS(StorePSKRequest, StorePSKResponse))
{
    struct party *p = party_find(in->state_or_transaction_id);
    (void)call;
    (void)out;
    if (p == NULL)
        return ERR(NOT_FOUND);
    return party_store_psk(p, describe_view(in->psk_id), describe_view(in->psk_secret));
}
ANSWER_HANDLER(store_psk, StorePSKRequest, StorePSKResponse)

static struct err forget_do(ANSWER_ARGS(FreeRequest, FreeResponse))
{
    (void)call;
    (void)out;
    if (party_find(in->state_id) == NULL)
        return ERR(NOT_FOUND);
    party_free(in->state_id);
    return ERR_OK;
}
ANSWER_HANDLER(forget, FreeRequest, FreeResponse)

void service_groups(struct mls_client_mlsclient_service *service)
{
    service->name = name;
    service->supported_ciphersuites = suites;
    service->create_group = create_group;
    service->create_key_package = create_key_package;
    service->join_group = join_group;
    service->external_join = external_join_rpc;
    service->group_info = group_info;
    service->state_auth = state_auth;
    service->export_ = export;
    service->protect = protect;
    service->unprotect = unprotect;
    service->store_psk = store_psk;
    service->free = forget;
}
