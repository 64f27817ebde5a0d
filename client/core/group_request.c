/* Pieces of requests to the delivery service, and what its answers mean (group.h). */
#include "client/core/group.h"
#include "client/core/queue.h"
#include "client/core/roster.h"
#include "mls/codec/message.h"
#include "seal/request_auth.h"

enum { INFO_DECODE_BYTES = 1 << 20, CATCH_UP_MS = 1000, CATCH_UP_MAX_MS = 20000 };

ProtobufCBinaryData pb_of(struct bytes view)
{
    /* protobuf-c has no const; nobody writes through these */
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

void request_id_of(const struct task *task, struct request_id *ret_id)
{
    hearth__v1__idempotency__init(&ret_id->message);
    ret_id->message.id = pb_of(bytes_of(task->idempotency, sizeof task->idempotency));
}

void group_access_of(const struct chat *chat, struct group_access *ret_access)
{
    hearth__v1__group_access__init(&ret_access->message);
    ret_access->message.group_id = pb_of(chat_group_id(chat));
    ret_access->message.state_key = pb_of(bytes_of(chat->state_keys[0], STATE_KEY_BYTES));
}

/* ---- our record */

void own_record_clear(struct own_record *record)
{
    buf_clear(&record->wrapped_profile);
    bytes_wipe(record, sizeof *record);
}

/* The profile key is wrapped like an identity key: 32 bytes under the group identity key. */
static struct err wrap_keys(struct core *c, const struct chat *chat, struct own_record *r)
{
    static const uint8_t none[PROFILE_KEY_BYTES];
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    TRY(identity_key_wrap(c->rng, chat->identity_key, chat->pseudonym, chat->leaf_identity_key,
                          r->wrapped));
    if (memcmp(c->account.user.profile_key, none, sizeof none) == 0)
        return ERR_OK;
    TRY(identity_key_wrap(c->rng, chat->identity_key, chat->pseudonym, c->account.user.profile_key,
                          wrapped));
    buf_append(&r->wrapped_profile, wrapped, sizeof wrapped);
    return buf_check(&r->wrapped_profile);
}

static void fill_record(const struct chat *chat, struct own_record *r)
{
    hearth__v1__queue_reference__init(&r->reference);
    r->reference.domain = r->domain;
    r->reference.sealed = pb_of(buf_view(&chat->reference));
    r->reference.signature = pb_of(buf_view(&chat->reference_signature));
    hearth__v1__leaf_record__init(&r->message);
    r->message.wrapped_identity_key = pb_of(bytes_of(r->wrapped, sizeof r->wrapped));
    r->message.wrapped_profile_key = pb_of(buf_view(&r->wrapped_profile));
    r->message.queue_reference = &r->reference;
    r->message.user_pseudonym = pb_of(bytes_of(chat->user_pseudonym, PSEUDONYM_BYTES));
    r->message.pseudonym_signature = pb_of(signature_view(&r->countersignature));
    r->news = (struct leaf_news){.user_pseudonym = chat->user_pseudonym,
                                 .wrapped_identity_key = bytes_of(r->wrapped, sizeof r->wrapped),
                                 .wrapped_profile_key = buf_view(&r->wrapped_profile),
                                 .pseudonym_signature = signature_view(&r->countersignature)};
}

struct err own_record_make(struct core *c, const struct chat *chat, const struct sig_key *before,
                           struct own_record *ret_record)
{
    struct own_record *r = ret_record;
    *r = (struct own_record){0};
    struct err err = wrap_keys(c, chat, r);
    if (err_is_ok(err) && before != NULL)
        err =
            user_pseudonym_sign(before, chat_group_id(chat), chat->user_pseudonym,
                                public_key_view(&chat->leaf_key.public_key), &r->countersignature);
    if (!err_is_ok(err)) {
        own_record_clear(r);
        return err;
    }
    memcpy(r->domain, c->account.domain, sizeof r->domain);
    fill_record(chat, r);
    return ERR_OK;
}

/* ---- GroupInfo */

struct err info_parts_of(struct bytes group_info, struct info_parts *ret_parts)
{
    struct mls_message m;
    struct info_parts *p = ret_parts;
    *p = (struct info_parts){0};
    arena_init(&p->arena, INFO_DECODE_BYTES);
    struct err err = mls_message_parse(group_info, &p->arena, &m);
    if (err_is_ok(err) && m.wire_format != WIRE_FORMAT_GROUP_INFO)
        err = ERR(MLS_WIRE_FORMAT);
    if (err_is_ok(err)) {
        extensions_write(&p->extensions, &m.group_info.extensions);
        err = buf_check(&p->extensions);
    }
    if (!err_is_ok(err)) {
        info_parts_clear(p);
        return err;
    }
    hearth__v1__group_info_parts__init(&p->message);
    p->message.extensions = pb_of(buf_view(&p->extensions));
    p->message.confirmation_tag = pb_of(m.group_info.confirmation_tag);
    p->message.signature = pb_of(m.group_info.signature);
    return ERR_OK;
}

void info_parts_clear(struct info_parts *parts)
{
    buf_clear(&parts->extensions);
    arena_clear(&parts->arena);
    *parts = (struct info_parts){0};
}

/* ---- calls */

static struct err to_chat(const struct chat *chat, struct task_call *call)
{
    struct bytes domain = chat_domain(chat);
    if (domain.len == 0 || domain.len > DOMAIN_MAX_BYTES)
        return ERR(CLIENT_CHAT_STATE);
    memcpy(call->domain, domain.data, domain.len);
    call->domain[domain.len] = '\0';
    return ERR_OK;
}

static struct err sign_as(const struct chat *chat, uint32_t leaf, const struct sig_key *key,
                          struct task_call *call)
{
    struct member_id member = {chat_group_id(chat), leaf};
    memcpy(call->purpose, chat->id.bytes, sizeof call->purpose);
    call->caller = REQUEST_MEMBER;
    member_id_write(&call->caller_id, &member);
    TRY(buf_check(&call->caller_id));
    if (key->parsed != NULL)
        return sig_key_init(key->alg, secret_view(&key->private_key), &call->caller_key);
    call->caller_key = *key; /* Ed25519: nothing behind a pointer */
    return ERR_OK;
}

struct err group_call(struct core *c, const struct open_chat *chat, struct task_call *call,
                      const char *method, const ProtobufCMessage *in)
{
    (void)c;
    TRY(to_chat(&chat->chat, call));
    TRY(sign_as(&chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key, call));
    return task_call_request(call, "Delivery", method, in);
}

struct err group_call_unsigned(struct core *c, const struct chat *chat, struct task_call *call,
                               const char *method, const ProtobufCMessage *in)
{
    (void)c;
    TRY(to_chat(chat, call));
    memcpy(call->purpose, chat->id.bytes, sizeof call->purpose);
    return task_call_request(call, "Delivery", method, in);
}

struct err group_call_packed(struct core *c, const struct chat *chat, uint32_t leaf,
                             const struct sig_key *leaf_key, struct task_call *call,
                             const char *method, struct bytes request)
{
    (void)c;
    TRY(to_chat(chat, call));
    TRY(sign_as(chat, leaf, leaf_key, call));
    call->endpoint = api_endpoint("Delivery", method);
    if (call->endpoint == NULL)
        return ERR(INTERNAL);
    buf_append_bytes(&call->request, request);
    return buf_check(&call->request);
}

/* ---- answers */

enum group_answer group_answer_of(const struct task_answer *answer, uint64_t *ret_epoch)
{
    *ret_epoch = 0;
    switch (answer->status->code) {
    case HEARTH_OK:
        return GROUP_ANSWER_OK;
    case HEARTH_FAILED_PRECONDITION: {
        Hearth__V1__WrongEpoch *detail = (Hearth__V1__WrongEpoch *)hearth_status_find(
            answer->status, &hearth__v1__wrong_epoch__descriptor);
        if (detail != NULL) {
            *ret_epoch = detail->current_epoch;
            protobuf_c_message_free_unpacked(&detail->base, NULL);
        }
        return GROUP_ANSWER_STALE;
    }
    case HEARTH_NOT_FOUND:       /* an unknown group and a wrong state key answer alike (P5) */
    case HEARTH_UNAUTHENTICATED: /* another leaf is at our place, after a commit that we have not */
    case HEARTH_ABORTED:
        return GROUP_ANSWER_STALE;
    default:
        return GROUP_ANSWER_REFUSED;
    }
}

bool group_waits_on(struct core *c, const struct task *task, const struct open_chat *chat,
                    uint32_t tries, uint64_t epoch)
{
    return tries > 1 && chat->group != NULL && group_epoch(chat->group) == epoch &&
           task->not_before_ms > core_now_ms(c);
}

struct err group_catch_up(struct core *c, struct task *task, uint32_t tries,
                          enum task_next *ret_next)
{
    uint64_t wait_ms = (uint64_t)CATCH_UP_MS << (tries < 8 ? tries : 8);
    task->not_before_ms = core_now_ms(c) + (wait_ms < CATCH_UP_MAX_MS ? wait_ms : CATCH_UP_MAX_MS);
    *ret_next = TASK_NEXT_WAIT;
    return queue_drain_then_wake(c, task->lane);
}

struct err group_try_again(struct core *c, struct task *task, uint32_t tries,
                           enum task_next *ret_next)
{
    return tries < GROUP_STALE_MAX ? group_catch_up(c, task, tries, ret_next)
                                   : task_step_failed(c, task, ERR(CLIENT_LOST_STEP), ret_next);
}

/* ---- records */

struct err group_records(struct core *c, struct db_txn *t, struct open_chat *chat,
                         Hearth__V1__PublicLeafRecord *const *records, size_t count, uint32_t own,
                         uint32_t former)
{
    const struct public_group *g = group_public(chat->group);
    uint32_t width = former != UINT32_MAX && former >= g->tree.width ? former + 1 : g->tree.width;
    struct leaf_node node;
    size_t n = 0;
    for (uint32_t i = 0; i < width; i++) {
        if (i != former && (i == own || !public_group_leaf(g, i, &node)))
            continue;
        if (n == count || records[n]->user_pseudonym.len != PSEUDONYM_BYTES)
            return ERR(WIRE_VALUE);
        const Hearth__V1__PublicLeafRecord *r = records[n++];
        if (i == former)
            continue;
        struct leaf_news news = {
            .leaf = i,
            .user_pseudonym = r->user_pseudonym.data,
            .wrapped_identity_key =
                bytes_of(r->wrapped_identity_key.data, r->wrapped_identity_key.len),
            .wrapped_profile_key =
                bytes_of(r->wrapped_profile_key.data, r->wrapped_profile_key.len),
        };
        TRY(roster_news(c, t, chat, &news, core_now_ms(c) / 1000));
        roster_from_outside(chat, i); /* for all that we know */
    }
    return n == count ? ERR_OK : ERR(WIRE_VALUE);
}
