/* What a client does in its groups. */
#include "mls/codec/message.h"
#include "seal/leaf_credential.h"
#include "seal/welcome_keys.h"
#include "support/house/resident_inside.h"

#include <stdio.h>
#include <stdlib.h>

enum { ADDS_MAX = 16, PROPOSALS_MAX = 32 };

struct mls_group_config membership_config(void)
{
    struct mls_group_config config = MLS_GROUP_CONFIG_DEFAULT;
    config.public_handshake = true;
    /* own commits are merged when they are accepted, while messages of before may still wait in the
     * queue; what others send comes in order (G3) */
    config.past_epochs = 8;
    return config;
}

struct bytes membership_group_id(const struct membership *m)
{
    return bytes_of(m->group_id, m->group_id_len);
}

void membership_clear(struct membership *m)
{
    group_free(m->group);
    for (size_t i = 0; i < RESIDENT_BEFORE; i++)
        group_free(m->before[i]);
    own_package_clear(&m->self);
    buf_clear(&m->parts);
    if (m->resident != NULL)
        caller_clear(&m->caller);
    *m = (struct membership){0};
}

struct membership *membership_new(struct resident *r)
{
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].resident == NULL) {
            r->groups[i].resident = r;
            caller_init(&r->groups[i].caller, REQUEST_MEMBER, bytes_of(NULL, 0), "",
                        &r->house->clock, &r->house->rng);
            return &r->groups[i];
        }
    fail_msg("more groups than a resident can be in");
    return NULL;
}

void membership_name(struct membership *m, struct bytes group_id)
{
    struct domain_name name;
    assert_ok(domain_name_parse(group_id, &name));
    assert_true(group_id.len <= sizeof m->group_id);
    memcpy(m->group_id, group_id.data, group_id.len);
    m->group_id_len = group_id.len;
    m->owner = house_of(m->resident->house, name.domain);
    (void)snprintf(m->caller.audience, sizeof m->caller.audience, "%s", m->owner->domain);
}

enum hearth_code membership_call(struct membership *m, struct caller *caller, const char *method,
                                 const ProtobufCMessage *in, ProtobufCMessage **out)
{
    return resident_call_at(m->resident, m->owner, caller, &hearth_delivery_descriptor, method, in,
                            out);
}

void membership_key(struct membership *m, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch)
{
    for (size_t i = 0; i < m->key_count; i++)
        if (memcmp(m->keys[i], key, STATE_KEY_BYTES) == 0)
            return;
    size_t at = m->key_count > 0 && epoch < m->key_epoch ? 1 : 0;
    if (m->key_count == RESIDENT_STATE_KEYS)
        m->key_count--;
    memmove(m->keys[at + 1], m->keys[at], (m->key_count - at) * STATE_KEY_BYTES);
    memcpy(m->keys[at], key, STATE_KEY_BYTES);
    m->key_count++;
    if (at == 0)
        m->key_epoch = epoch;
}

void membership_caller(struct membership *m)
{
    struct buf id = BUF_INIT;
    struct member_id member = {membership_group_id(m), group_own_leaf(m->group)};
    member_id_write(&id, &member);
    caller_set_id(&m->caller, buf_view(&id));
    buf_clear(&id);
    sig_key_clear(&m->caller.key);
    m->caller.key = m->self.leaf_key; /* Ed25519: nothing behind a pointer */
}

struct membership *resident_in(struct resident *r, const struct membership *group)
{
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].in &&
            bytes_equal(membership_group_id(&r->groups[i]), membership_group_id(group)))
            return &r->groups[i];
    return NULL;
}

/* ---- founding */

static void context_extensions(struct membership *m, struct buf *list)
{
    struct buf roles = BUF_INIT, sender = BUF_INIT, senders = BUF_INIT;
    uint8_t admins[1][PSEUDONYM_BYTES];
    memcpy(admins[0], m->user_pseudonym, PSEUDONYM_BYTES);
    roles_write(&roles, (const uint8_t(*)[PSEUDONYM_BYTES])admins, 1);
    external_sender_write(
        &sender,
        &(struct external_sender){.signature_key = public_key_view(house_sender_key(m->owner)),
                                  .credential = {CREDENTIAL_BASIC, bytes_str(m->owner->domain)}});
    wire_write_vector(&senders, buf_view(&sender));
    extension_write(list, EXTENSION_EXTERNAL_SENDERS, buf_view(&senders));
    extension_write(list, ROLES_EXTENSION_TYPE, buf_view(&roles));
    buf_clear(&roles);
    buf_clear(&sender);
    buf_clear(&senders);
}

static enum hearth_code create_group(struct membership *m, struct bytes reservation)
{
    struct resident_id id;
    struct access access;
    struct record record;
    struct buf info = BUF_INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    Hearth__V1__CreateGroupRequest in = HEARTH__V1__CREATE_GROUP_REQUEST__INIT;
    assert_ok(group_make_info(m->group, &client, (struct group_info_options){true, true}, &info));
    resident_id(m->resident, &id);
    access_of(m, &access);
    record_own(m, &record);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.reservation = resident_data(reservation);
    in.group_info = resident_data(buf_view(&info));
    in.creator = &record.message;
    enum hearth_code code = membership_call(m, &m->caller, "CreateGroup", &in.base, NULL);
    buf_clear(&info);
    return code;
}

struct membership *resident_found_at(struct resident *r, struct house *owner)
{
    struct membership *m = membership_new(r);
    Hearth__V1__ReserveGroupIdRequest in = HEARTH__V1__RESERVE_GROUP_ID_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    if (resident_call_at(r, owner, NULL, &hearth_delivery_descriptor, "ReserveGroupId", &in.base,
                         &out) != HEARTH_OK) {
        membership_clear(m);
        return NULL;
    }
    const Hearth__V1__ReserveGroupIdResponse *reserved = (const void *)out;
    uint8_t key[STATE_KEY_BYTES];
    membership_name(m, bytes_of(reserved->group_id.data, reserved->group_id.len));
    assert_ptr_equal(m->owner, owner);
    resident_random(r, key, sizeof key);
    membership_key(m, key, 0);
    resident_random(r, m->identity_key, sizeof m->identity_key);
    resident_random(r, m->user_pseudonym, sizeof m->user_pseudonym);
    own_package_keys(r, &m->self);
    struct buf list = BUF_INIT;
    context_extensions(m, &list);
    struct extensions extensions = {buf_view(&list)};
    struct mls_client client = own_package_client(r, &m->self);
    struct leaf_profile profile = own_package_profile(&m->self);
    struct mls_group_config config = membership_config();
    assert_ok(group_create(&client, resident_suite(), &config, membership_group_id(m), &extensions,
                           &profile, &m->group));
    buf_clear(&list);
    membership_caller(m);
    enum hearth_code code =
        create_group(m, bytes_of(reserved->reservation.data, reserved->reservation.len));
    protobuf_c_message_free_unpacked(out, NULL);
    m->in = code == HEARTH_OK;
    if (!m->in)
        membership_clear(m);
    return code == HEARTH_OK ? m : NULL;
}

struct membership *resident_found(struct resident *r)
{
    return resident_found_at(r, r->house);
}

/* ---- commits */

/* Somebody who is added. */
struct adding {
    struct resident *resident;
    ProtobufCMessage *fetched;
    const Hearth__V1__KeyPackageBundle *bundle;
    struct bytes key_package; /* without MLSMessage around */
    struct digest ref;
    struct record record;
    uint8_t signature_key[32];
    struct buf secrets;
    Hearth__V1__JoinerPart part;
};

struct committing {
    struct membership *m;
    struct adding adds[ADDS_MAX];
    size_t add_count;
    struct buf proposals[PROPOSALS_MAX];
    struct bytes views[PROPOSALS_MAX];
    size_t proposal_count;
    struct buf authenticated_data;
    struct commit_output output;
    struct parts parts;
    struct arena arena;
    Hearth__V1__JoinerPart *joiners[ADDS_MAX];
    struct resident_request request;
};

/* One bundle, if any; noted as taken (K1). */
static enum hearth_code ask_package(struct resident *by, struct resident *who,
                                    ProtobufCMessage **ret_out, struct bytes *ret_key_package,
                                    struct digest *ret_ref)
{
    struct resident_id id;
    uint8_t token[48];
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    resident_id(by, &id);
    resident_token(who, by->number, token);
    in.idempotency = &id.message;
    in.queue_user_id = resident_data(bytes_of(who->user_id, 16));
    in.contact_token = resident_data(bytes_of(token, sizeof token));
    enum hearth_code code = resident_call_at(by, who->house, NULL, &hearth_queue_descriptor,
                                             "GetKeyPackages", &in.base, ret_out);
    if (code != HEARTH_OK)
        return code;
    const Hearth__V1__GetKeyPackagesResponse *out = (const void *)*ret_out;
    assert_int_equal(out->n_bundles, 1);
    const ProtobufCBinaryData message = out->bundles[0]->key_package;
    *ret_key_package = bytes_of(message.data + 4, message.len - 4);
    assert_ok(key_package_ref(*ret_key_package, ret_ref));
    resident_taken(by, who, ret_ref);
    return HEARTH_OK;
}

enum hearth_code resident_take_package(struct resident *by, struct resident *who,
                                       struct digest *ret_ref)
{
    ProtobufCMessage *out = NULL;
    struct bytes key_package;
    enum hearth_code code = ask_package(by, who, &out, &key_package, ret_ref);
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    return code;
}

static enum hearth_code fetch_package(struct committing *c, struct resident *who)
{
    struct adding *a = &c->adds[c->add_count];
    *a = (struct adding){.resident = who};
    enum hearth_code code = ask_package(c->m->resident, who, &a->fetched, &a->key_package, &a->ref);
    if (code != HEARTH_OK)
        return code;
    c->add_count++;
    a->bundle = ((const Hearth__V1__GetKeyPackagesResponse *)(const void *)a->fetched)->bundles[0];
    return HEARTH_OK;
}

/* The record that lies beside a new leaf: the identity key is wrapped for the group. */
static void fill_added(struct committing *c, struct adding *a)
{
    struct key_package kp;
    struct leaf_credential credential;
    uint8_t identity_key[32], user_pseudonym[16];
    assert_ok(key_package_parse(a->key_package, &kp));
    assert_ok(leaf_credential_parse(kp.leaf_node.credential.body, &credential));
    assert_ok(identity_key_unwrap(
        a->resident->friendship_key, credential.pseudonym,
        bytes_of(a->bundle->wrapped_identity_key.data, a->bundle->wrapped_identity_key.len),
        identity_key));
    assert_int_equal(kp.leaf_node.signature_key.len, sizeof a->signature_key);
    memcpy(a->signature_key, kp.leaf_node.signature_key.data, sizeof a->signature_key);
    resident_random(c->m->resident, user_pseudonym, sizeof user_pseudonym);
    record_fill(c->m, credential.pseudonym, identity_key, user_pseudonym, &a->record);
    a->record.reference = *a->bundle->queue_reference;
}

static void add_proposal(struct committing *c, const struct adding *a, uint32_t remove)
{
    assert_true(c->proposal_count < PROPOSALS_MAX);
    struct buf *b = &c->proposals[c->proposal_count];
    if (a != NULL) {
        wire_write_u16(b, PROPOSAL_ADD);
        wire_write_fixed(b, a->key_package);
    } else {
        proposal_write(b, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = remove});
    }
    assert_ok(buf_check(b));
    c->views[c->proposal_count++] = buf_view(b);
}

/* The Welcome cut into one part for each joiner. */
static void cut_welcome(struct committing *c, Hearth__V1__CommitRequest *in)
{
    struct mls_message m;
    struct encrypted_group_secrets secrets;
    size_t n = 0;
    if (c->add_count == 0)
        return;
    assert_ok(mls_message_parse(buf_view(&c->output.welcome), &c->arena, &m));
    struct wire_reader it = welcome_begin(&m.welcome);
    while (welcome_next(&it, &secrets)) {
        size_t i = 0;
        while (i < c->add_count && !bytes_equal(digest_view(&c->adds[i].ref), secrets.new_member))
            i++;
        assert_true(i < c->add_count && n < c->add_count);
        struct adding *a = &c->adds[i];
        encrypted_group_secrets_write(&a->secrets, &secrets);
        hearth__v1__joiner_part__init(&a->part);
        a->part.encrypted_group_secrets = resident_data(buf_view(&a->secrets));
        a->part.leaf = &a->record.message;
        c->joiners[i] = &a->part; /* in the order of the Adds */
        n++;
    }
    assert_int_equal(n, c->add_count);
    in->joiners = c->joiners;
    in->n_joiners = n;
    in->welcome_group_info = resident_data(m.welcome.encrypted_group_info);
}

static void introduce(const struct adding *a)
{
    struct resident *r = a->resident;
    assert_true(r->introduction_count < RESIDENT_PACKAGES);
    struct introduction *i = &r->introductions[r->introduction_count++];
    *i = (struct introduction){.ref = a->ref};
    memcpy(i->signature_key, a->signature_key, sizeof i->signature_key);
}

/* What joiners need beside MLS: in their Welcome alone. */
static void joiners_keys(const struct membership *m, struct buf *extensions)
{
    struct welcome_keys keys;
    struct buf data = BUF_INIT;
    memcpy(keys.state_key, m->keys[0], STATE_KEY_BYTES);
    memcpy(keys.identity_key, m->identity_key, IDENTITY_KEY_BYTES);
    welcome_keys_write(&data, &keys);
    extension_write(extensions, WELCOME_KEYS_EXTENSION_TYPE, buf_view(&data));
    buf_clear(&data);
    bytes_wipe(&keys, sizeof keys);
}

static void send_commit(struct committing *c)
{
    struct membership *m = c->m;
    struct resident_id id;
    struct access access;
    Hearth__V1__CommitRequest in = HEARTH__V1__COMMIT_REQUEST__INIT;
    resident_id(m->resident, &id);
    access_of(m, &access);
    parts_of(buf_view(&c->output.group_info), &c->parts);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = resident_data(buf_view(&c->output.commit));
    in.group_info = &c->parts.message;
    cut_welcome(c, &in);
    resident_begin(m->resident, m->owner, &m->caller, &hearth_delivery_descriptor, "Commit",
                   &in.base, &c->request);
}

static enum hearth_code take_answer(struct committing *c)
{
    struct membership *m = c->m;
    ProtobufCMessage *out = NULL;
    enum hearth_code code = resident_end(&c->request, &out);
    if (code != HEARTH_OK) {
        group_drop_pending(m->group);
        return code;
    }
    assert_ok(group_merge_pending(m->group));
    for (size_t i = 0; i < c->add_count; i++)
        introduce(&c->adds[i]);
    const Hearth__V1__CommitResponse *answer = (const void *)out;
    if (answer->state_key.len > 0) {
        assert_int_equal(answer->state_key.len, STATE_KEY_BYTES);
        membership_key(m, answer->state_key.data, group_epoch(m->group));
    }
    protobuf_c_message_free_unpacked(out, NULL);
    return HEARTH_OK;
}

/* By value, or by reference where that waits to be covered already: of two Removes of one leaf a
 * commit has room for one (RFC 9420 12.2), and the server asks for that which waits. */
static bool must_propose(const struct membership *m, uint32_t remove)
{
    return !public_group_remove_pending(group_public(m->group), remove);
}

/* False: it can't be made. */
static bool make_commit(struct committing *c, const struct commit_wish *wish)
{
    struct membership *m = c->m;
    struct leaf_news news[ADDS_MAX];
    for (size_t i = 0; i < wish->add_count; i++) {
        if (fetch_package(c, wish->add[i]) != HEARTH_OK)
            return false;
        fill_added(c, &c->adds[i]);
        news[i] = record_news(&c->adds[i].record);
        add_proposal(c, &c->adds[i], 0);
    }
    for (size_t i = 0; i < wish->remove_count; i++)
        if (must_propose(m, wish->remove[i]))
            add_proposal(c, NULL, wish->remove[i]);
    leaf_keys_write(&c->authenticated_data, news, c->add_count);
    struct mls_client client = own_package_client(m->resident, &m->self);
    struct buf told = BUF_INIT;
    if (wish->add_count > 0)
        joiners_keys(m, &told);
    const struct commit_options options = {.proposals = c->views,
                                           .welcome_extensions = buf_view(&told),
                                           .proposal_count = c->proposal_count,
                                           .authenticated_data = buf_view(&c->authenticated_data),
                                           .force_path = wish->add_count == 0,
                                           .tree_beside = true,
                                           .external_pub = true};
    struct err err = group_commit(m->group, &client, &options, &c->output);
    buf_clear(&told);
    if (!err_is_ok(err)) {
        print_message("group_commit: %s\n", err_name(err));
        return false;
    }
    send_commit(c);
    return true;
}

static void committing_free(struct committing *c)
{
    for (size_t i = 0; i < c->add_count; i++) {
        protobuf_c_message_free_unpacked(c->adds[i].fetched, NULL);
        buf_clear(&c->adds[i].secrets);
    }
    for (size_t i = 0; i < c->proposal_count; i++)
        buf_clear(&c->proposals[i]);
    buf_clear(&c->authenticated_data);
    commit_output_clear(&c->output);
    parts_clear(&c->parts);
    arena_clear(&c->arena);
    free(c);
}

struct committing *membership_commit_begin(struct membership *m, const struct commit_wish *wish)
{
    struct committing *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_true(wish->add_count <= ADDS_MAX);
    c->m = m;
    arena_init(&c->arena, 1 << 22);
    if (make_commit(c, wish))
        return c;
    committing_free(c);
    return NULL;
}

bool membership_commit_answered(const struct committing *c)
{
    return c->request.done;
}

enum hearth_code membership_commit_end(struct committing *c)
{
    enum hearth_code code = take_answer(c);
    committing_free(c);
    return code;
}

enum hearth_code membership_commit(struct membership *m, const struct commit_wish *wish)
{
    struct committing *c = membership_commit_begin(m, wish);
    return c != NULL ? membership_commit_end(c) : HEARTH_UNKNOWN;
}

/* ---- messages */

void membership_send_begin(struct membership *m, uint32_t message, struct resident_request *q)
{
    struct resident_id id;
    struct access access;
    struct buf text = BUF_INIT, sealed = BUF_INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    Hearth__V1__SendMessageRequest in = HEARTH__V1__SEND_MESSAGE_REQUEST__INIT;
    wire_write_u32(&text, message);
    wire_write_u32(&text, m->resident->number);
    assert_ok(group_protect(m->group, &client, buf_view(&text), bytes_of(NULL, 0), &sealed));
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.message = resident_data(buf_view(&sealed));
    in.notify = !m->unmarked;
    in.mentioned_leaves = m->mentioned;
    in.n_mentioned_leaves = m->mentioned_count;
    resident_begin(m->resident, m->owner, &m->caller, &hearth_delivery_descriptor, "SendMessage",
                   &in.base, q);
    buf_clear(&text);
    buf_clear(&sealed);
}

enum hearth_code membership_send(struct membership *m, uint32_t message)
{
    struct resident_request q;
    membership_send_begin(m, message, &q);
    return resident_end(&q, NULL);
}

enum hearth_code membership_send_targeted(struct membership *m, uint32_t leaf)
{
    struct resident_id id;
    struct access access;
    Hearth__V1__SendTargetedMessageRequest in = HEARTH__V1__SEND_TARGETED_MESSAGE_REQUEST__INIT;
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.recipient_leaf = leaf;
    in.message = resident_data(bytes_str("for you"));
    in.epoch = group_epoch(m->group);
    return membership_call(m, &m->caller, "SendTargetedMessage", &in.base, NULL);
}

enum hearth_code membership_policy(struct membership *m, Hearth__V1__NotificationPolicy policy)
{
    struct resident_id id;
    struct access access;
    Hearth__V1__UpdateQueueReferenceRequest in = HEARTH__V1__UPDATE_QUEUE_REFERENCE_REQUEST__INIT;
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.notification_policy = policy;
    return membership_call(m, &m->caller, "UpdateQueueReference", &in.base, NULL);
}

enum hearth_code membership_leave(struct membership *m)
{
    struct resident_id id;
    struct access access;
    struct buf proposal = BUF_INIT, message = BUF_INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    Hearth__V1__ProposeSelfRemoveRequest in = HEARTH__V1__PROPOSE_SELF_REMOVE_REQUEST__INIT;
    proposal_write(&proposal,
                   &(struct proposal){.type = PROPOSAL_REMOVE, .remove = group_own_leaf(m->group)});
    assert_ok(
        group_propose(m->group, &client, buf_view(&proposal), bytes_of(NULL, 0), &message, NULL));
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.proposal = resident_data(buf_view(&message));
    enum hearth_code code = membership_call(m, &m->caller, "ProposeSelfRemove", &in.base, NULL);
    m->leaving = m->leaving || code == HEARTH_OK;
    buf_clear(&proposal);
    buf_clear(&message);
    return code;
}

static void remove_others(const struct membership *m, struct buf *proposals, size_t *count)
{
    const struct public_group *p = group_public(m->group);
    struct leaf_node leaf;
    for (uint32_t i = 0; i < p->tree.width; i++)
        if (i != group_own_leaf(m->group) && public_group_leaf(p, i, &leaf) && must_propose(m, i)) {
            assert_true(*count < PROPOSALS_MAX);
            proposal_write(&proposals[(*count)++],
                           &(struct proposal){.type = PROPOSAL_REMOVE, .remove = i});
        }
}

enum hearth_code membership_delete(struct membership *m)
{
    struct resident_id id;
    struct access access;
    struct commit_output output = {0};
    struct buf proposals[PROPOSALS_MAX] = {0};
    struct bytes views[PROPOSALS_MAX];
    size_t count = 0;
    Hearth__V1__DeleteGroupRequest in = HEARTH__V1__DELETE_GROUP_REQUEST__INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    remove_others(m, proposals, &count);
    for (size_t i = 0; i < count; i++)
        views[i] = buf_view(&proposals[i]);
    const struct commit_options options = {
        .proposals = views, .proposal_count = count, .force_path = true};
    assert_ok(group_commit(m->group, &client, &options, &output));
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = resident_data(buf_view(&output.commit));
    enum hearth_code code = membership_call(m, &m->caller, "DeleteGroup", &in.base, NULL);
    group_drop_pending(m->group);
    commit_output_clear(&output);
    for (size_t i = 0; i < count; i++)
        buf_clear(&proposals[i]);
    return code;
}

/* ---- resync */

struct resyncing {
    struct membership *m;
    ProtobufCMessage *info; /* of the group as it was when it was asked for */
    struct mls_group *joining;
    struct resident_request request;
};

static void send_resync(struct resyncing *s, struct bytes commit, const struct record *record)
{
    struct membership *m = s->m;
    struct resident_id id;
    struct access access;
    struct parts parts;
    struct buf info = BUF_INIT;
    struct record own = *record;
    Hearth__V1__ResyncRequest in = HEARTH__V1__RESYNC_REQUEST__INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    assert_ok(group_make_pending_info(s->joining, &client, (struct group_info_options){false, true},
                                      &info));
    parts_of(buf_view(&info), &parts);
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = resident_data(commit);
    in.group_info = &parts.message;
    in.leaf = &own.message;
    resident_begin(m->resident, m->owner, &m->caller, &hearth_delivery_descriptor, "Resync",
                   &in.base, &s->request);
    parts_clear(&parts);
    buf_clear(&info);
}

void membership_resync_begin(struct resyncing *s)
{
    struct membership *m = s->m;
    const Hearth__V1__GetExternalCommitInfoResponse *answer = (const void *)s->info;
    struct record *record = calloc(1, sizeof *record);
    struct buf data = BUF_INIT, commit = BUF_INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    struct leaf_profile profile = own_package_profile(&m->self);
    struct mls_group_config config = membership_config();
    assert_non_null(record);
    record_own(m, record);
    struct leaf_news news = record_news(record);
    leaf_keys_write(&data, &news, 1);
    struct external_join join = {
        .group_info = bytes_of(answer->group_info.data, answer->group_info.len),
        .ratchet_tree = bytes_of(answer->ratchet_tree.data, answer->ratchet_tree.len),
        .resync = true,
        .former_leaf = group_own_leaf(m->group),
        .authenticated_data = buf_view(&data)};
    assert_ok(group_join_external(&client, &config, &join, &profile, &commit, &s->joining));
    send_resync(s, buf_view(&commit), record);
    buf_clear(&data);
    buf_clear(&commit);
    free(record);
}

enum hearth_code membership_resync_end(struct resyncing *s)
{
    struct membership *m = s->m;
    enum hearth_code code = resident_end(&s->request, NULL);
    if (code == HEARTH_OK) {
        assert_ok(group_merge_pending(s->joining));
        group_free(m->before[RESIDENT_BEFORE - 1]);
        memmove(m->before + 1, m->before, (RESIDENT_BEFORE - 1) * sizeof *m->before);
        m->before[0] = m->group;
        m->group = s->joining;
        m->broken = m->deaf = m->leaving = false;
        membership_caller(m);
    } else {
        group_free(s->joining);
    }
    protobuf_c_message_free_unpacked(s->info, NULL);
    free(s);
    return code;
}

static enum hearth_code external_info(struct membership *m, ProtobufCMessage **out)
{
    struct access access;
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    access_of(m, &access);
    in.group = &access.message;
    return membership_call(m, NULL, "GetExternalCommitInfo", &in.base, out);
}

enum hearth_code membership_look(struct membership *m)
{
    return external_info(m, NULL);
}

struct resyncing *membership_resync_prepare(struct membership *m, enum hearth_code *ret_code)
{
    struct resyncing *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->m = m;
    *ret_code = external_info(m, &s->info);
    if (*ret_code == HEARTH_OK)
        return s;
    free(s);
    return NULL;
}

enum hearth_code membership_resync(struct membership *m)
{
    enum hearth_code code;
    struct resyncing *s = membership_resync_prepare(m, &code);
    if (s == NULL)
        return code;
    membership_resync_begin(s);
    return membership_resync_end(s);
}
