/* Accepting a connection: TASK_ACCEPT, in the lane of its chat, which is there from the start.
 *
 *     INFO   GetExternalCommitInfo: who waits must be who asked; an external commit is made that
 *            covers the offer's PSK, and kept
 *     JOIN   JoinConnection; somebody was faster (his further devices): INFO again
 *
 * Afterwards he gets our friendship package and KeySets in the group.
 *
 *     body    struct { uint8 rounds; opaque request<V>; }
 */
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/offer.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "hearth/v1/delivery_rpc.h"
#include "mls/codec/psk_id.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum state { INFO = 0, JOIN = 1 };
enum { ROUNDS_MAX = 8, LEAVES_MAX = 256 };

/* ---- the verb */

static struct err found_chat(struct core *c, struct db_txn *t, struct contact *contact)
{
    struct asks asks = {0};
    struct offer_facts facts;
    struct offer_hashes hashes;
    struct chat chat = {.kind = HEARTH_CHAT_DIRECT,
                        .state = HEARTH_CHAT_STARTING,
                        .notify = HEARTH_NOTIFY_ALL,
                        .contact = contact->id};
    struct mls_group *none = NULL;
    TRY(asks_read(buf_view(&contact->pending), &asks));
    TRY(offer_facts_of(asks.offer, &facts, &hashes));
    bytes_wipe(&hashes, sizeof hashes);
    if (facts.group_id.len > sizeof chat.group_id)
        return ERR(WIRE_VALUE);
    TRY(core_random_id(c, &chat.id));
    TRY(rng_fill(c->rng, chat.user_pseudonym, sizeof chat.user_pseudonym));
    memcpy(chat.group_id, facts.group_id.data, facts.group_id.len);
    chat.group_id_len = facts.group_id.len;
    chat_add_state_key(&chat, facts.state_key, 0);
    memcpy(chat.identity_key, facts.identity_key, sizeof chat.identity_key);
    contact->chat = chat.id;
    struct err err = chat_add(c, t, &chat, &none);
    chat_clear(&chat);
    return err;
}

struct err contact_accept(struct core *c, struct db_txn *t, const struct hearth_id *id,
                          uint64_t *ret_task)
{
    static const struct hearth_id nothing;
    static const uint8_t body[] = {0, 0};
    struct contact contact = {0};
    uint8_t lane[16];
    TRY(contact_get(c, t, id, &contact));
    bool may = contact.state == HEARTH_CONTACT_ASKS && hearth_id_equal(&contact.chat, &nothing);
    struct err err = may ? found_chat(c, t, &contact) : ERR(CLIENT_CONTACT);
    if (err_is_ok(err))
        err = contact_put(c, t, &contact);
    chat_lane(&contact.chat, CHAT_LANE, lane);
    contact_clear(&contact);
    TRY(err);
    return task_add(c, t, TASK_ACCEPT, lane, id, bytes_of(body, sizeof body), ret_task);
}

/* ---- the body */

static struct err body_write(struct task *task, uint8_t rounds, struct bytes request)
{
    struct buf body = BUF_INIT;
    wire_write_u8(&body, rounds);
    wire_write_vector(&body, request);
    struct err err = buf_check(&body);
    if (!err_is_ok(err)) {
        buf_clear(&body);
        return err;
    }
    buf_clear(&task->body);
    task->body = body;
    return ERR_OK;
}

static struct err body_read(const struct task *task, uint8_t *ret_rounds, struct bytes *ret_request)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    *ret_rounds = wire_read_u8(&r);
    *ret_request = wire_read_vector(&r);
    return wire_reader_end(&r);
}

/* ---- prepare */

static struct err open_of(struct core *c, struct db_txn *t, const struct task *task,
                          struct contact *contact, struct open_chat **ret_chat)
{
    TRY(contact_get(c, t, &task->subject, contact));
    struct err err = chat_open(c, t, &contact->chat, ret_chat);
    if (err_is_ok(err) && contact->state != HEARTH_CONTACT_ASKS)
        err = ERR(CLIENT_CONTACT);
    if (err_is_ok(err) && (*ret_chat)->chat.state == HEARTH_CHAT_OVER)
        err = ERR(CLIENT_CHAT_STATE);
    return err;
}

static struct err call_info(struct core *c, const struct chat *chat, struct task_call *call)
{
    struct group_access access;
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    group_access_of(chat, &access);
    in.group = &access.message;
    return group_call_unsigned(c, chat, call, "GetExternalCommitInfo", &in.base);
}

static struct err call_join(const struct task *task, const struct chat *chat,
                            struct task_call *call)
{
    uint8_t rounds;
    struct bytes request, domain = chat_domain(chat);
    TRY(body_read(task, &rounds, &request));
    memcpy(call->domain, domain.data, domain.len);
    memcpy(call->purpose, chat->id.bytes, sizeof call->purpose);
    call->endpoint = api_endpoint("Delivery", "JoinConnection");
    buf_append_bytes(&call->request, request);
    return buf_check(&call->request);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct contact contact = {0};
    struct open_chat *chat;
    struct err err = open_of(c, t, task, &contact, &chat);
    contact_clear(&contact);
    TRY(err);
    *ret_next = TASK_NEXT_CALL;
    return task->state == JOIN ? call_join(task, &chat->chat, call)
                               : call_info(c, &chat->chat, call);
}

/* ---- INFO is here */

static bool is_his(const struct roster_leaf *leaf, const struct contact *contact)
{
    return leaf->state == ROSTER_VERIFIED && leaf->client_id_len > UUID_BYTES &&
           bytes_equal(bytes_of(leaf->client_id, leaf->client_id_len - UUID_BYTES),
                       buf_view(&contact->user_id));
}

/* Who waits there is who asked, and nobody else. chat->group has our leaf in already. */
static struct err check_waiting(struct core *c, struct db_txn *t, struct open_chat *chat,
                                const struct contact *contact,
                                const Hearth__V1__GetExternalCommitInfoResponse *in)
{
    uint32_t own = group_own_leaf(chat->group);
    TRY(group_records(c, t, chat, in->leaves, in->n_leaves, own, UINT32_MAX));
    if (chat->roster->count == 0)
        return ERR(CLIENT_UNVERIFIED);
    for (size_t i = 0; i < chat->roster->count; i++)
        if (!is_his(&chat->roster->leaves[i], contact))
            return ERR(CLIENT_UNVERIFIED);
    return ERR_OK;
}

/* In the group as our commit makes it: a copy, for ours is not accepted yet. */
static struct err look_ahead(struct core *c, struct db_txn *t, struct open_chat *chat,
                             const struct mls_group *pending, const struct contact *contact,
                             const Hearth__V1__GetExternalCommitInfoResponse *in)
{
    struct buf state = BUF_INIT;
    struct mls_group *ahead = NULL;
    struct err err = group_write(pending, &state);
    if (err_is_ok(err))
        err = group_read(&chat->client, buf_view(&state), &ahead);
    if (err_is_ok(err))
        err = group_merge_pending(ahead);
    buf_clear(&state);
    if (!err_is_ok(err)) {
        group_free(ahead);
        return err;
    }
    chat_set_group(chat, &ahead);
    return check_waiting(c, t, chat, contact, in);
}

static struct err make_commit(struct core *c, struct open_chat *chat, struct bytes psk_id,
                              const Hearth__V1__GetExternalCommitInfoResponse *in,
                              const struct own_record *record, struct buf *commit,
                              struct mls_group **ret_group)
{
    struct buf data = BUF_INIT;
    const struct psk_id psk = {.type = PSK_EXTERNAL, .id = psk_id};
    struct mls_group_config config = chat_group_config();
    struct leaf_profile profile = chat_leaf_profile(buf_view(&chat->chat.credential));
    (void)c;
    leaf_keys_write(&data, &record->news, 1);
    struct err err = buf_check(&data);
    if (err_is_ok(err)) {
        struct external_join join = {
            .group_info = bytes_of(in->group_info.data, in->group_info.len),
            .ratchet_tree = bytes_of(in->ratchet_tree.data, in->ratchet_tree.len),
            .psks = &psk,
            .psk_count = 1,
            .authenticated_data = buf_view(&data)};
        err = group_join_external(&chat->client, &config, &join, &profile, commit, ret_group);
    }
    buf_clear(&data);
    return err;
}

static struct err make_request(struct core *c, struct task *task, struct open_chat *chat,
                               const struct own_record *record, struct bytes commit)
{
    uint8_t rounds;
    struct bytes old;
    struct request_id id;
    struct group_access access;
    struct info_parts parts = {0};
    struct buf info = BUF_INIT, packed = BUF_INIT;
    struct own_record own = *record; /* pb wants no const */
    Hearth__V1__JoinConnectionRequest in = HEARTH__V1__JOIN_CONNECTION_REQUEST__INIT;
    TRY(body_read(task, &rounds, &old));
    TRY(task_renew(c, task));
    struct err err = group_make_pending_info(chat->group, &chat->client,
                                             (struct group_info_options){false, true}, &info);
    if (err_is_ok(err))
        err = info_parts_of(buf_view(&info), &parts);
    if (err_is_ok(err)) {
        request_id_of(task, &id);
        group_access_of(&chat->chat, &access);
        own.message.queue_reference = &own.reference;
        own.reference.domain = own.domain;
        in.idempotency = &id.message;
        in.group = &access.message;
        in.commit = pb_of(commit);
        in.group_info = &parts.message;
        in.leaf = &own.message;
        err = core_pack(&in.base, &packed);
    }
    if (err_is_ok(err))
        err = body_write(task, (uint8_t)(rounds + 1), buf_view(&packed));
    info_parts_clear(&parts);
    buf_clear(&info);
    buf_clear(&packed);
    return err;
}

static struct err join_with(struct core *c, struct db_txn *t, struct task *task,
                            struct open_chat *chat, const struct contact *contact,
                            const Hearth__V1__GetExternalCommitInfoResponse *in,
                            struct bytes psk_id)
{
    struct own_record record;
    struct buf commit = BUF_INIT;
    struct mls_group *group = NULL;
    TRY(chat_new_leaf(c, t, &chat->chat));
    TRY(own_record_make(c, &chat->chat, NULL, &record));
    struct err err = make_commit(c, chat, psk_id, in, &record, &commit, &group);
    if (err_is_ok(err)) {
        bool fits = bytes_equal(group_public(group)->context.group_id, chat_group_id(&chat->chat));
        err = fits ? look_ahead(c, t, chat, group, contact, in) : ERR(WIRE_VALUE);
    }
    if (err_is_ok(err))
        chat_set_group(chat, &group);
    if (err_is_ok(err))
        err = make_request(c, task, chat, &record, buf_view(&commit));
    if (err_is_ok(err))
        err = chat_save(c, t, chat);
    group_free(group);
    own_record_clear(&record);
    buf_clear(&commit);
    return err;
}

static struct err settle_info(struct core *c, struct db_txn *t, struct task *task,
                              const struct task_answer *answer, enum task_next *ret_next)
{
    const Hearth__V1__GetExternalCommitInfoResponse *in = (const void *)answer->out;
    struct contact contact = {0};
    struct open_chat *chat;
    struct asks asks = {0};
    struct offer_facts facts;
    struct offer_hashes hashes = {0};
    if (in->n_leaves > LEAVES_MAX)
        return ERR(CLIENT_UNVERIFIED);
    struct err err = open_of(c, t, task, &contact, &chat);
    if (err_is_ok(err))
        err = asks_read(buf_view(&contact.pending), &asks);
    if (err_is_ok(err))
        err = offer_facts_of(asks.offer, &facts, &hashes);
    if (err_is_ok(err))
        err = join_with(c, t, task, chat, &contact, in,
                        bytes_of(hashes.psk_id, sizeof hashes.psk_id));
    bytes_wipe(&hashes, sizeof hashes);
    contact_clear(&contact);
    if (err.code == ERR_NOT_FOUND) { /* keys of our own homeserver are being fetched */
        task->not_before_ms = core_now_ms(c) + 5000;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    TRY(err);
    task->state = JOIN;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

/* ---- JOIN is done */

static struct err we_are_in(struct core *c, struct db_txn *t, struct open_chat *chat,
                            uint64_t accepted_s)
{
    struct own_record record;
    TRY(group_merge_pending(chat->group));
    chat->chat.state = HEARTH_CHAT_OPEN;
    chat->chat.joined_epoch = group_epoch(chat->group);
    TRY(own_record_make(c, &chat->chat, NULL, &record));
    record.news.leaf = group_own_leaf(chat->group);
    struct err err = roster_news(c, t, chat, &record.news, accepted_s);
    own_record_clear(&record);
    TRY(err);
    TRY(receive_new_epoch(c, t, chat));
    TRY(chat_save(c, t, chat));
    return held_replay(c, t, chat);
}

static struct err settle_join(struct core *c, struct db_txn *t, struct task *task,
                              const struct task_answer *answer)
{
    const Hearth__V1__JoinConnectionResponse *in = (const void *)answer->out;
    struct contact contact = {0};
    struct open_chat *chat;
    struct err err = open_of(c, t, task, &contact, &chat);
    struct hearth_id joined = contact.chat;
    if (err_is_ok(err))
        err = we_are_in(c, t, chat, in->accepted_at);
    if (err_is_ok(err))
        err = contact_befriend(c, t, &contact);
    if (err_is_ok(err))
        err = contact_event(c, t, HEARTH_EVENT_CHAT_JOINED, &contact, "");
    if (err_is_ok(err))
        err = chat_open(c, t, &joined, &chat);
    if (err_is_ok(err)) /* what came before the answer did */
        err = held_replay(c, t, chat);
    contact_clear(&contact);
    return err;
}

static struct err refused(struct core *c, struct task *task, const struct task_answer *answer,
                          enum task_next *ret_next)
{
    uint64_t epoch;
    uint8_t rounds;
    struct bytes request;
    TRY(body_read(task, &rounds, &request));
    if (task->state == JOIN && group_answer_of(answer, &epoch) == GROUP_ANSWER_STALE &&
        rounds < ROUNDS_MAX) {
        task->state = INFO;
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    return task_step_refused(c, task, answer, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->status->code != HEARTH_OK)
        return refused(c, task, answer, ret_next);
    if (task->state == INFO)
        return settle_info(c, t, task, answer, ret_next);
    *ret_next = TASK_NEXT_DONE;
    return settle_join(c, t, task, answer);
}

/* He may have withdrawn, or not be who he says. The request stays, to be refused or tried again. */
static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct contact contact = {0};
    struct open_chat *chat;
    (void)error;
    struct err err = contact_get(c, t, &task->subject, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = chat_open(c, t, &contact.chat, &chat);
    if (err_is_ok(err) && chat->chat.state != HEARTH_CHAT_OVER)
        err = group_over(c, t, chat, NULL);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    if (err_is_ok(err) && contact.state == HEARTH_CONTACT_ASKS) {
        contact.chat = (struct hearth_id){0};
        err = contact_put(c, t, &contact);
    }
    contact_clear(&contact);
    return err;
}

const struct task_steps task_steps_ACCEPT = {
    .prepare = prepare,
    .settle = settle,
    .failed = failed,
};
