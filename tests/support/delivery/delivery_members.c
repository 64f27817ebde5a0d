/* What members do. */
#include <stdio.h>

#include "mls/member/group_state.h"
#include "support/delivery/delivery_world.h"

#define DW_PSK bytes_str("the offer's hash")

static struct err find_psk(void *self, struct bytes psk_id, struct buf *psk)
{
    (void)self;
    buf_append_bytes(psk, psk_id);
    buf_append_bytes(psk, psk_id);
    return ERR_OK;
}
static const struct mls_client_ops ops = {.psk = find_psk};

static struct bytes take(struct dworld *w, struct buf *b)
{
    assert_ok(buf_check(b));
    void *copy = arena_copy(&w->arena, b->data, b->len);
    assert_non_null(copy);
    struct bytes view = bytes_of(copy, b->len);
    buf_clear(b);
    return view;
}

static void *room(struct dworld *w, size_t len)
{
    void *memory = arena_alloc(&w->arena, len);
    assert_non_null(memory);
    return memory;
}

/* ---- clients */

static struct u16_list list(struct dworld *w, size_t count, const uint16_t *values)
{
    return u16_list_of(&w->arena, values, count);
}

static void make_credential(struct member *m)
{
    struct dworld *w = m->w;
    uint8_t identity_key[IDENTITY_KEY_BYTES];
    uint8_t group_key[IDENTITY_KEY_BYTES] = {1};
    assert_ok(rng_fill(&w->rng, m->pseudonym, sizeof m->pseudonym));
    assert_ok(rng_fill(&w->rng, identity_key, sizeof identity_key));
    buf_clear(&m->credential);
    assert_ok(leaf_credential_make(&m->credential, &w->rng, m->pseudonym, identity_key,
                                   bytes_str("a client credential"), &m->client_key,
                                   public_key_view(&m->key.public_key)));
    assert_ok(identity_key_wrap(&w->rng, group_key, m->pseudonym, identity_key, m->wrapped_key));
    m->profile.credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, buf_view(&m->credential)};
}

void dw_renew(struct member *m)
{
    make_credential(m);
}

struct member *dw_member(struct dworld *w, const struct member *user)
{
    assert_true(w->member_count < DW_MEMBERS);
    struct member *m = &w->members[w->member_count++];
    *m = (struct member){.w = w, .domain = DW_DOMAIN, .mood = QUEUE_OK};
    assert_ok(sig_key_generate(w->suite->sig, &w->rng, &m->key));
    assert_ok(sig_key_generate(&sig_ed25519, &w->rng, &m->client_key));
    assert_ok(rng_fill(&w->rng, m->ref, sizeof m->ref));
    if (user != NULL)
        memcpy(m->user_pseudonym, user->user_pseudonym, sizeof m->user_pseudonym);
    else
        assert_ok(rng_fill(&w->rng, m->user_pseudonym, sizeof m->user_pseudonym));
    m->profile.capabilities = (struct capabilities){
        .versions = list(w, 1, (const uint16_t[]){MLS_VERSION_MLS10}),
        .cipher_suites = list(w, 1, &w->suite->id),
        .extensions =
            list(w, 2, (const uint16_t[]){ROLES_EXTENSION_TYPE, GROUP_DATA_EXTENSION_TYPE}),
        .proposals = list(w, 0, NULL),
        .credentials = list(w, 2, (const uint16_t[]){LEAF_CREDENTIAL_TYPE, CREDENTIAL_BASIC}),
    };
    make_credential(m);
    m->client = (struct mls_client){
        .rng = &w->rng,
        .signer = &m->key,
        .policy = mls_policy_at(clock_unix_ms(&w->clock) / 1000),
        .ops = &ops,
        .self = m,
    };
    m->client.policy.any_resync = true;
    return m;
}

struct bytes dw_package(struct member *m)
{
    key_package_bundle_clear(&m->bundle);
    m->client.policy.now = clock_unix_ms(&m->w->clock) / 1000;
    assert_ok(key_package_make(&m->client, m->w->suite, &m->profile, (uint64_t)30 * 24 * 3600, NULL,
                               &m->bundle));
    assert_ok(key_package_ref(buf_view(&m->bundle.key_package), &m->package_ref));
    return buf_view(&m->bundle.key_package);
}

uint32_t dw_leaf(const struct member *m)
{
    return group_own_leaf(m->group);
}

struct dsigner dw_signer(struct member *m)
{
    struct buf id = BUF_INIT;
    member_id_write(
        &id, &(struct member_id){buf_view(&m->w->group_id), m->group != NULL ? dw_leaf(m) : 0});
    return (struct dsigner){.kind = REQUEST_MEMBER, .id = take(m->w, &id), .key = &m->key};
}

/* ---- fields */

ProtobufCBinaryData dw_bytes(struct dworld *w, struct bytes view)
{
    return (ProtobufCBinaryData){view.len, arena_copy(&w->arena, view.data, view.len)};
}

Hearth__V1__GroupAccess *dw_access(struct dworld *w, const uint8_t state_key[STATE_KEY_BYTES])
{
    Hearth__V1__GroupAccess *a = room(w, sizeof *a);
    hearth__v1__group_access__init(a);
    a->group_id = dw_bytes(w, buf_view(&w->group_id));
    a->state_key = dw_bytes(w, bytes_of(state_key, STATE_KEY_BYTES));
    return a;
}

Hearth__V1__Idempotency *dw_once(struct dworld *w)
{
    Hearth__V1__Idempotency *once = room(w, sizeof *once);
    uint8_t id[16];
    assert_ok(rng_fill(&w->rng, id, sizeof id));
    hearth__v1__idempotency__init(once);
    once->id = dw_bytes(w, bytes_of(id, sizeof id));
    return once;
}

Hearth__V1__QueueReference *dw_reference(struct member *m)
{
    struct dworld *w = m->w;
    struct signature signature;
    Hearth__V1__QueueReference *r = room(w, sizeof *r);
    hearth__v1__queue_reference__init(r);
    assert_ok(sealed_ref_sign(&m->key, bytes_str(m->domain), bytes_of(m->ref, sizeof m->ref),
                              &signature));
    r->domain = arena_strndup(&w->arena, m->domain, strlen(m->domain));
    r->sealed = dw_bytes(w, bytes_of(m->ref, sizeof m->ref));
    r->signature = dw_bytes(w, signature_view(&signature));
    return r;
}

Hearth__V1__LeafRecord *dw_record(struct member *m)
{
    struct dworld *w = m->w;
    Hearth__V1__LeafRecord *r = room(w, sizeof *r);
    hearth__v1__leaf_record__init(r);
    r->wrapped_identity_key = dw_bytes(w, bytes_of(m->wrapped_key, sizeof m->wrapped_key));
    r->queue_reference = dw_reference(m);
    r->notification_policy = m->policy;
    r->user_pseudonym = dw_bytes(w, bytes_of(m->user_pseudonym, sizeof m->user_pseudonym));
    r->pseudonym_signature = dw_bytes(w, signature_view(&m->countersignature));
    return r;
}

static struct leaf_news news_of(struct member *m)
{
    return (struct leaf_news){
        .user_pseudonym = m->user_pseudonym,
        .wrapped_identity_key = bytes_of(m->wrapped_key, sizeof m->wrapped_key),
    };
}

static struct bytes binding(struct dworld *w, struct member *const *members, size_t count,
                            struct member *own)
{
    struct leaf_news news[DW_MEMBERS];
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        news[i] = news_of(members[i]);
    if (own != NULL)
        news[count++] = news_of(own);
    leaf_keys_write(&b, news, count);
    return take(w, &b);
}

Hearth__V1__GroupInfoParts *dw_parts(struct dworld *w, struct bytes group_info)
{
    struct mls_message m;
    struct buf extensions = BUF_INIT;
    Hearth__V1__GroupInfoParts *p = room(w, sizeof *p);
    hearth__v1__group_info_parts__init(p);
    assert_ok(mls_message_parse(group_info, &w->arena, &m));
    extensions_write(&extensions, &m.group_info.extensions);
    p->extensions = dw_bytes(w, take(w, &extensions));
    p->confirmation_tag = dw_bytes(w, m.group_info.confirmation_tag);
    p->signature = dw_bytes(w, m.group_info.signature);
    return p;
}

/* ---- founding */

void dw_sender_key(struct dworld *w, const struct sig_alg *alg, struct public_key *ret_key)
{
    struct keeper_external keys[KEEPER_EXTERNAL_KEYS];
    size_t count = 0;
    assert_ok(keeper_external_keys(w->keeper, keys, &count));
    for (size_t i = 0; i < count; i++) {
        if (keys[i].present && keys[i].scheme == alg->scheme) {
            *ret_key = keys[i].key;
            return;
        }
    }
    *ret_key = keys[0].key; /* a suite that is not ours: none fits */
}

struct extensions dw_context(struct dworld *w, struct member *const *admins, size_t count)
{
    uint8_t sorted[DW_MEMBERS][PSEUDONYM_BYTES];
    struct public_key key;
    struct buf roles = BUF_INIT;
    struct buf senders = BUF_INIT;
    struct buf all = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && memcmp(sorted[at - 1], admins[i]->user_pseudonym, PSEUDONYM_BYTES) > 0;
             at--)
            memcpy(sorted[at], sorted[at - 1], PSEUDONYM_BYTES);
        memcpy(sorted[at], admins[i]->user_pseudonym, PSEUDONYM_BYTES);
    }
    roles_write(&roles, (const uint8_t(*)[PSEUDONYM_BYTES])sorted, count);
    dw_sender_key(w, w->suite->sig, &key);
    size_t mark = wire_vector_begin(&senders);
    external_sender_write(
        &senders,
        &(struct external_sender){public_key_view(&key), {CREDENTIAL_BASIC, bytes_str(DW_DOMAIN)}});
    wire_vector_end(&senders, mark);
    extension_write(&all, ROLES_EXTENSION_TYPE, take(w, &roles));
    extension_write(&all, EXTENSION_EXTERNAL_SENDERS, take(w, &senders));
    return (struct extensions){take(w, &all)};
}

static struct mls_group_config config(void)
{
    struct mls_group_config c = MLS_GROUP_CONFIG_DEFAULT;
    c.public_handshake = true;
    return c;
}

static void reserve_id(struct dworld *w)
{
    Hearth__V1__ReserveGroupIdRequest reserve;
    hearth__v1__reserve_group_id_request__init(&reserve);
    assert_int_equal(dw_call(w, "ReserveGroupId", NULL, &reserve.base), HEARTH_OK);
    const Hearth__V1__ReserveGroupIdResponse *reserved = (void *)w->out;
    buf_clear(&w->group_id);
    buf_append(&w->group_id, reserved->group_id.data, reserved->group_id.len);
    size_t len = reserved->reservation.len;
    w->reservation = bytes_of(arena_copy(&w->arena, reserved->reservation.data, len), len);
}

Hearth__V1__CreateGroupRequest *dw_found_request(struct dworld *w, struct member *m,
                                                 const struct extensions *extensions)
{
    Hearth__V1__CreateGroupRequest *in = room(w, sizeof *in);
    hearth__v1__create_group_request__init(in);
    if (!w->same_id)
        reserve_id(w);
    in->reservation = dw_bytes(w, w->reservation);
    assert_ok(rng_fill(&w->rng, m->state_key, sizeof m->state_key));
    struct mls_group_config c = config();
    group_free(m->group);
    m->client.policy.now = clock_unix_ms(&w->clock) / 1000;
    assert_ok(group_create(&m->client, w->suite, &c, buf_view(&w->group_id), extensions,
                           &m->profile, &m->group));
    struct buf info = BUF_INIT;
    assert_ok(group_make_info(
        m->group, &m->client,
        (struct group_info_options){.ratchet_tree = true, .external_pub = true}, &info));
    in->idempotency = dw_once(w);
    in->group = dw_access(w, m->state_key);
    in->group_info = dw_bytes(w, take(w, &info));
    in->creator = dw_record(m);
    return in;
}

void dw_found(struct dworld *w, struct member *m)
{
    struct extensions extensions = dw_context(w, &m, 1);
    Hearth__V1__CreateGroupRequest *in = dw_found_request(w, m, &extensions);
    struct dsigner signer = dw_signer(m);
    if (dw_call(w, "CreateGroup", &signer, &in->base) != HEARTH_OK)
        fail_msg("CreateGroup: %s", w->message);
}

/* ---- commits */

static struct bytes proposal_add(struct dworld *w, struct bytes package)
{
    struct buf b = BUF_INIT;
    wire_write_u16(&b, PROPOSAL_ADD);
    wire_write_fixed(&b, package);
    return take(w, &b);
}

static struct bytes proposal_bytes(struct dworld *w, const struct proposal *p)
{
    struct buf b = BUF_INIT;
    proposal_write(&b, p);
    return take(w, &b);
}

static void fill_welcome(struct member *m, const struct dcommit *commit, struct bytes welcome,
                         Hearth__V1__CommitRequest *in)
{
    struct dworld *w = m->w;
    struct mls_message message;
    struct encrypted_group_secrets secrets;
    assert_ok(mls_message_parse(welcome, &w->arena, &message));
    in->welcome_group_info = dw_bytes(w, message.welcome.encrypted_group_info);
    in->n_joiners = commit->add_count;
    in->joiners = room(w, (commit->add_count + 1) * sizeof *in->joiners);
    for (size_t i = 0; i < commit->add_count; i++) {
        struct wire_reader it = welcome_begin(&message.welcome);
        struct buf b = BUF_INIT;
        Hearth__V1__JoinerPart *part = room(w, sizeof *part);
        while (welcome_next(&it, &secrets)) {
            if (bytes_equal(secrets.new_member, digest_view(&commit->adds[i]->package_ref)))
                encrypted_group_secrets_write(&b, &secrets);
        }
        hearth__v1__joiner_part__init(part);
        part->encrypted_group_secrets = dw_bytes(w, take(w, &b));
        part->leaf = dw_record(commit->adds[i]);
        in->joiners[i] = part;
    }
}

Hearth__V1__CommitRequest *dw_commit_request(struct member *m, const struct dcommit *commit)
{
    struct dworld *w = m->w;
    struct bytes proposals[2 * DW_MEMBERS];
    size_t count = 0;
    for (size_t i = 0; i < commit->add_count; i++)
        proposals[count++] = proposal_add(w, dw_package(commit->adds[i]));
    for (size_t i = 0; i < commit->remove_count; i++)
        proposals[count++] = proposal_bytes(
            w, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = commit->removes[i]});
    if (commit->extensions != NULL)
        proposals[count++] =
            proposal_bytes(w, &(struct proposal){.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                                 .group_context_extensions = *commit->extensions});
    struct commit_options options = {
        .proposals = proposals,
        .proposal_count = count,
        .some_references = commit->no_references,
        .force_path = true,
        .tree_beside = true,
        .external_pub = true,
        .profile = commit->new_record ? &m->profile : NULL,
    };
    if (!commit->no_binding)
        options.authenticated_data =
            binding(w, commit->adds, commit->add_count, commit->new_record ? m : NULL);
    struct commit_output out = {0};
    m->client.policy.now = clock_unix_ms(&w->clock) / 1000;
    group_drop_pending(m->group);
    assert_ok(group_commit(m->group, &m->client, &options, &out));
    Hearth__V1__CommitRequest *in = room(w, sizeof *in);
    hearth__v1__commit_request__init(in);
    in->idempotency = dw_once(w);
    in->group = dw_access(w, m->state_key);
    in->commit = dw_bytes(w, buf_view(&out.commit));
    in->group_info = dw_parts(w, take(w, &out.group_info));
    if (commit->add_count > 0)
        fill_welcome(m, commit, take(w, &out.welcome), in);
    if (commit->new_record)
        in->own_leaf = dw_record(m);
    commit_output_clear(&out);
    return in;
}

static void set_state_key(struct member *m, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch)
{
    if (epoch < m->state_epoch)
        return;
    memcpy(m->old_state_key, m->state_key, STATE_KEY_BYTES);
    memcpy(m->state_key, key, STATE_KEY_BYTES);
    m->state_epoch = epoch;
}

static void accept_commit(struct member *m)
{
    const Hearth__V1__CommitResponse *out = (void *)m->w->out;
    assert_ok(group_merge_pending(m->group));
    if (out->state_key.len > 0) {
        assert_int_equal(out->state_key.len, STATE_KEY_BYTES);
        set_state_key(m, out->state_key.data, group_epoch(m->group));
    }
}

enum hearth_code dw_commit_send(struct member *m, Hearth__V1__CommitRequest *in)
{
    struct dsigner signer = dw_signer(m);
    enum hearth_code code = dw_call(m->w, "Commit", &signer, &in->base);
    if (code == HEARTH_OK)
        accept_commit(m);
    return code;
}

enum hearth_code dw_commit(struct member *m, const struct dcommit *commit)
{
    return dw_commit_send(m, dw_commit_request(m, commit));
}

void dw_add(struct dworld *w, struct member *by, struct member *const *joiners, size_t count)
{
    uint8_t key[STATE_KEY_BYTES];
    memcpy(key, by->state_key, sizeof key);
    if (dw_commit(by, &(struct dcommit){.adds = joiners, .add_count = count}) != HEARTH_OK)
        fail_msg("Commit: %s", w->message);
    for (size_t i = 0; i < count; i++)
        dw_join(joiners[i], key, group_epoch(by->group));
    dw_receive_all(w);
    dw_agree(w);
}

void dw_join(struct member *m, const uint8_t state_key[STATE_KEY_BYTES], uint64_t epoch)
{
    struct dworld *w = m->w;
    struct delivery_item item = {0};
    struct buf scratch = BUF_INIT;
    struct public_key init;
    struct key_package kp;
    Hearth__V1__GetWelcomeInfoRequest in;
    assert_true(m->read < m->item_count);
    assert_ok(key_package_parse(buf_view(&m->bundle.key_package), &kp));
    memcpy(init.data, kp.init_key.data, kp.init_key.len);
    init.len = kp.init_key.len;
    assert_ok(fan_out_open_joiner(&w->suite->hpke, secret_view(&m->bundle.init_key),
                                  public_key_view(&init), buf_view(&m->items[m->read].sealed),
                                  &scratch, &item));
    m->read++;
    assert_int_equal(item.kind, DELIVERY_WELCOME);
    hearth__v1__get_welcome_info_request__init(&in);
    in.group = dw_access(w, state_key);
    in.epoch = epoch;
    struct dsigner signer = {
        .kind = REQUEST_JOINER, .id = digest_view(&m->package_ref), .key = &m->key};
    if (dw_call(w, "GetWelcomeInfo", &signer, &in.base) != HEARTH_OK)
        fail_msg("GetWelcomeInfo: %s", w->message);
    const Hearth__V1__GetWelcomeInfoResponse *info = (void *)w->out;
    struct mls_group_config c = config();
    group_free(m->group);
    m->group = NULL;
    assert_ok(group_join(&m->client, &c, &m->bundle, item.body,
                         bytes_of(info->ratchet_tree.data, info->ratchet_tree.len), NULL,
                         &m->group));
    assert_int_equal(info->n_leaves, public_group_member_count(group_public(m->group)));
    m->state_epoch = epoch;
    memcpy(m->state_key, state_key, STATE_KEY_BYTES);
    buf_clear(&scratch);
}

/* ---- external commits */

/* The group as GetExternalCommitInfo shows it; joins m into it, not merged. */
static struct bytes external_commit(struct member *m, const uint8_t key[STATE_KEY_BYTES],
                                    bool resync, struct bytes *ret_info)
{
    struct dworld *w = m->w;
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = DW_PSK};
    struct mls_group_config c = config();
    struct buf commit = BUF_INIT;
    struct buf info = BUF_INIT;
    struct mls_group *group = NULL;
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(w, key);
    if (dw_call(w, "GetExternalCommitInfo", NULL, &in.base) != HEARTH_OK)
        fail_msg("GetExternalCommitInfo: %s", w->message);
    const Hearth__V1__GetExternalCommitInfoResponse *got = (void *)w->out;
    struct external_join join = {
        .group_info = bytes_of(got->group_info.data, got->group_info.len),
        .ratchet_tree = bytes_of(got->ratchet_tree.data, got->ratchet_tree.len),
        .resync = resync,
        .former_leaf = resync ? dw_leaf(m) : 0,
        .psks = &psk,
        .psk_count = resync ? 0 : 1,
        .authenticated_data = binding(w, NULL, 0, m),
    };
    m->client.policy.now = clock_unix_ms(&w->clock) / 1000;
    assert_ok(group_join_external(&m->client, &c, &join, &m->profile, &commit, &group));
    /* the GroupInfo of the epoch it begins: of a copy that has merged */
    struct buf copy = BUF_INIT;
    struct mls_group *merged = NULL;
    assert_ok(group_write(group, &copy));
    assert_ok(group_read(&m->client, buf_view(&copy), &merged));
    assert_ok(group_merge_pending(merged));
    assert_ok(group_make_info(merged, &m->client, (struct group_info_options){.external_pub = true},
                              &info));
    group_free(merged);
    buf_clear(&copy);
    *ret_info = take(w, &info);
    if (m->group != NULL)
        group_free(m->group);
    m->group = group;
    return take(w, &commit);
}

Hearth__V1__ResyncRequest *dw_resync_request(struct member *m, const struct member *info_of)
{
    struct dworld *w = m->w;
    struct bytes info;
    Hearth__V1__ResyncRequest *in = room(w, sizeof *in);
    hearth__v1__resync_request__init(in);
    in->commit = dw_bytes(w, external_commit(m, info_of->state_key, true, &info));
    in->idempotency = dw_once(w);
    in->group = dw_access(w, info_of->state_key);
    in->group_info = dw_parts(w, info);
    in->leaf = dw_record(m);
    return in;
}

Hearth__V1__JoinConnectionRequest *dw_connect_request(struct member *m, const struct member *host)
{
    struct dworld *w = m->w;
    struct bytes info;
    Hearth__V1__JoinConnectionRequest *in = room(w, sizeof *in);
    hearth__v1__join_connection_request__init(in);
    in->commit = dw_bytes(w, external_commit(m, host->state_key, false, &info));
    in->idempotency = dw_once(w);
    in->group = dw_access(w, host->state_key);
    in->group_info = dw_parts(w, info);
    in->leaf = dw_record(m);
    memcpy(m->state_key, host->state_key, STATE_KEY_BYTES);
    return in;
}

/* ---- messages */

Hearth__V1__SendMessageRequest *dw_say_request(struct member *m, const char *text)
{
    struct dworld *w = m->w;
    struct buf message = BUF_INIT;
    Hearth__V1__SendMessageRequest *in = room(w, sizeof *in);
    hearth__v1__send_message_request__init(in);
    assert_ok(group_protect(m->group, &m->client, bytes_str(text), bytes_of(NULL, 0), &message));
    in->idempotency = dw_once(w);
    in->group = dw_access(w, m->state_key);
    in->message = dw_bytes(w, take(w, &message));
    in->notify = true;
    return in;
}

enum hearth_code dw_say(struct member *m, const char *text)
{
    Hearth__V1__SendMessageRequest *in = dw_say_request(m, text);
    struct dsigner signer = dw_signer(m);
    return dw_call(m->w, "SendMessage", &signer, &in->base);
}

enum hearth_code dw_leave(struct member *m)
{
    struct dworld *w = m->w;
    struct buf message = BUF_INIT;
    Hearth__V1__ProposeSelfRemoveRequest in;
    hearth__v1__propose_self_remove_request__init(&in);
    assert_ok(group_propose(
        m->group, &m->client,
        proposal_bytes(w, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = dw_leaf(m)}),
        bytes_of(NULL, 0), &message, NULL));
    in.idempotency = dw_once(w);
    in.group = dw_access(w, m->state_key);
    in.proposal = dw_bytes(w, take(w, &message));
    struct dsigner signer = dw_signer(m);
    return dw_call(w, "ProposeSelfRemove", &signer, &in.base);
}

/* ---- receiving */

bool dw_opens(struct member *m, size_t item, const uint8_t state_key[STATE_KEY_BYTES])
{
    struct buf scratch = BUF_INIT;
    struct delivery_item opened;
    struct err err = fan_out_open(state_key, buf_view(&m->w->group_id),
                                  buf_view(&m->items[item].sealed), &scratch, &opened);
    buf_clear(&scratch);
    return err_is_ok(err);
}

static void process(struct member *m, struct bytes message)
{
    struct mls_received received = {0};
    m->client.policy.now = clock_unix_ms(&m->w->clock) / 1000;
    assert_ok(group_process(m->group, &m->client, message, &received));
    if (received.type == MLS_RECEIVED_COMMIT)
        assert_ok(group_merge(m->group, &received.staged));
    if (received.type == MLS_RECEIVED_APPLICATION) {
        buf_clear(&m->text);
        buf_append_bytes(&m->text, received.application_data);
    }
    mls_received_clear(&received);
}

static void take_state_key(struct member *m, struct bytes body)
{
    uint64_t epoch;
    uint8_t key[STATE_KEY_BYTES];
    struct leaf_node leaf;
    assert_true(tree_leaf(&group_public(m->group)->tree, dw_leaf(m), &leaf));
    struct err err =
        state_key_open(&m->w->suite->hpke, secret_view(&m->group->keys.leaf), leaf.encryption_key,
                       buf_view(&m->w->group_id), body, &epoch, key);
    if (err_is_ok(err) && memcmp(key, m->state_key, sizeof key) != 0)
        set_state_key(m, key, epoch);
}

static void handle(struct member *m, const struct delivery_item *item)
{
    struct bytes message, hash, leaves;
    enum delivery_reason reason;
    assert_true(item->kind <= DELIVERY_PART);
    m->seen[item->kind]++;
    switch (item->kind) {
    case DELIVERY_MESSAGE:
        process(m, item->body);
        return;
    case DELIVERY_COMMIT:
        assert_ok(delivery_commit_parse(item->body, &message, &hash, &leaves));
        process(m, message);
        return;
    case DELIVERY_PROPOSAL:
        assert_ok(delivery_proposal_parse(item->body, &reason, &message));
        process(m, message);
        break;
    case DELIVERY_STATE_KEY:
        take_state_key(m, item->body);
        return;
    default:
        break;
    }
    buf_clear(&m->last_body);
    buf_append_bytes(&m->last_body, item->body);
}

static void handle_part(struct member *m, const struct delivery_item *item)
{
    struct fan_out_part part;
    struct delivery_item whole;
    assert_ok(fan_out_part_parse(item->body, &part));
    if (part.index == 0)
        buf_clear(&m->parts);
    buf_append_bytes(&m->parts, part.piece);
    if (part.index + 1 < part.count)
        return;
    assert_ok(delivery_item_parse(buf_view(&m->parts), &whole));
    handle(m, &whole);
}

void dw_receive(struct member *m)
{
    while (m->group != NULL && m->read < m->item_count) {
        struct buf scratch = BUF_INIT;
        struct delivery_item item;
        struct bytes sealed = buf_view(&m->items[m->read].sealed);
        if (fan_out_is_joiner(sealed))
            return; /* dw_join's */
        struct bytes group_id = buf_view(&m->w->group_id);
        struct err err = fan_out_open(m->state_key, group_id, sealed, &scratch, &item);
        if (!err_is_ok(err)) /* our own rotation was known from the answer */
            err = fan_out_open(m->old_state_key, group_id, sealed, &scratch, &item);
        m->read++;
        assert_ok(err);
        if (item.kind == DELIVERY_PART)
            handle_part(m, &item);
        else
            handle(m, &item);
        buf_clear(&scratch);
    }
}

void dw_receive_all(struct dworld *w)
{
    dw_settle(w);
    for (unsigned i = 0; i < w->member_count; i++)
        dw_receive(&w->members[i]);
}

void dw_agree(struct dworld *w)
{
    const struct mls_group *first = NULL;
    for (unsigned i = 0; i < w->member_count; i++) {
        const struct mls_group *g = w->members[i].group;
        if (g == NULL || !group_is_active(g))
            continue;
        if (first == NULL)
            first = g;
        assert_int_equal(group_epoch(g), group_epoch(first));
        test_assert_bytes(group_epoch_authenticator(g), group_epoch_authenticator(first));
    }
}
