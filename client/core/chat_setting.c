/* What our leaf says to the delivery service beside commits: where its messages go, which of them
 * wake us, our wrapped profile key. One call each.
 *
 *     body: struct { uint8 what; uint8 notify; opaque leaf<V>; opaque request<V>; }
 *     leaf: with SET_REFERENCE, struct { opaque tag[16]; opaque reference<V>, signature<V>; }
 */
#include "client/core/homeserver.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "seal/sealed_ref.h"
#include "wire/writer.h"

enum setting { SET_NOTIFY = 1, SET_REFERENCE = 2, SET_PROFILE_KEY = 3 };
enum setting_state { BUILD = 0, SENT = 1 };

struct setting_body {
    enum setting what;
    enum hearth_notify notify;
    struct bytes leaf, request; /* views into the task's body */
    uint32_t tries;
};

static struct err read_body(struct bytes in, struct setting_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct setting_body body = {.what = (enum setting)wire_read_u8(&r)};
    body.notify = (enum hearth_notify)wire_read_u8(&r);
    body.leaf = wire_read_vector(&r);
    body.request = wire_read_vector(&r);
    body.tries = wire_read_u32(&r);
    TRY(wire_reader_end(&r));
    *ret_body = body;
    return ERR_OK;
}

static struct err put_body(struct buf *out, const struct setting_body *body)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, (uint8_t)body->what);
    wire_write_u8(&b, (uint8_t)body->notify);
    wire_write_vector(&b, body->leaf);
    wire_write_vector(&b, body->request);
    wire_write_u32(&b, body->tries);
    return buf_replace(out, &b);
}

static struct err begin(struct core *c, struct db_txn *t, const struct hearth_id *id,
                        const struct setting_body *body, uint64_t *ret_task)
{
    struct open_chat *chat;
    struct buf b = BUF_INIT;
    uint8_t lane[16];
    TRY(chat_open(c, t, id, &chat));
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR(CLIENT_CHAT_STATE);
    if (body->what == SET_NOTIFY) {
        chat->chat.notify = body->notify; /* ours at once; the server's when it answers */
        TRY(chat_save(c, t, chat));
    }
    struct err err = put_body(&b, body);
    chat_lane(id, CHAT_LANE, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_CHAT_SETTING, lane, id, buf_view(&b), ret_task);
    buf_clear(&b);
    return err;
}

struct err group_notify_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                              enum hearth_notify notify, uint64_t *ret_task)
{
    if (notify < HEARTH_NOTIFY_ALL || notify > HEARTH_NOTIFY_NONE)
        return ERR(ARGUMENT);
    return begin(c, t, chat, &(struct setting_body){.what = SET_NOTIFY, .notify = notify},
                 ret_task);
}

struct err group_reference_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                 uint64_t *ret_task)
{
    return begin(c, t, chat, &(struct setting_body){.what = SET_REFERENCE}, ret_task);
}

struct err group_profile_key_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                   uint64_t *ret_task)
{
    return begin(c, t, chat, &(struct setting_body){.what = SET_PROFILE_KEY}, ret_task);
}

/* ---- requests */

static Hearth__V1__NotificationPolicy policy_of(enum hearth_notify notify)
{
    switch (notify) {
    case HEARTH_NOTIFY_NONE:
        return HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_NONE;
    case HEARTH_NOTIFY_DIRECT:
        return HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED;
    default:
        return HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_ALL;
    }
}

static struct err make_reference(struct core *c, const struct homeserver *home,
                                 const struct open_chat *chat, struct buf *reference,
                                 struct signature *ret_signature, uint8_t ret_tag[QUEUE_TAG_BYTES])
{
    struct queue_ref ref = {.has_push_token_key = false};
    struct bytes domain = bytes_str(c->account.domain);
    TRY(rng_fill(c->rng, ret_tag, QUEUE_TAG_BYTES));
    memcpy(ref.queue_client_id, c->account.queue_client_id, sizeof ref.queue_client_id);
    memcpy(ref.tag, ret_tag, sizeof ref.tag);
    TRY(sealed_ref_seal(reference, c->rng, public_key_view(&home->queue_key), domain, &ref,
                        &c->account.queue_client_key));
    return sealed_ref_sign(&chat->chat.leaf_key, domain, buf_view(reference), ret_signature);
}

static struct err build_reference(struct core *c, struct db_txn *t,
                                  Hearth__V1__UpdateQueueReferenceRequest *in,
                                  const struct open_chat *chat, struct buf *leaf,
                                  struct buf *packed)
{
    struct homeserver home = {0};
    struct buf reference = BUF_INIT;
    struct signature signature;
    uint8_t tag[QUEUE_TAG_BYTES];
    Hearth__V1__QueueReference message;
    TRY(homeserver_get(c, t, c->account.domain, &home));
    hearth__v1__queue_reference__init(&message);
    struct err err = make_reference(c, &home, chat, &reference, &signature, tag);
    homeserver_clear(&home);
    if (err_is_ok(err)) {
        message.domain = c->account.domain;
        message.sealed = pb_of(buf_view(&reference));
        message.signature = pb_of(signature_view(&signature));
        in->queue_reference = &message;
        err = core_pack(&in->base, packed);
        in->queue_reference = NULL; /* it goes with this function */
        wire_write_fixed(leaf, bytes_of(tag, sizeof tag));
        wire_write_vector(leaf, buf_view(&reference));
        wire_write_vector(leaf, signature_view(&signature));
    }
    buf_clear(&reference);
    return err_is_ok(err) ? buf_check(leaf) : err;
}

static struct err build_profile_key(struct core *c, const struct request_id *id,
                                    const struct group_access *access, const struct open_chat *chat,
                                    struct buf *packed)
{
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct group_access group = *access;
    struct request_id idempotency = *id;
    Hearth__V1__UpdateProfileKeyRequest in = HEARTH__V1__UPDATE_PROFILE_KEY_REQUEST__INIT;
    TRY(identity_key_wrap(c->rng, chat->chat.identity_key, chat->chat.pseudonym,
                          c->account.user.profile_key, wrapped));
    in.idempotency = &idempotency.message;
    in.group = &group.message;
    in.wrapped_profile_key = pb_of(bytes_of(wrapped, sizeof wrapped));
    return core_pack(&in.base, packed);
}

static struct err build(struct core *c, struct db_txn *t, struct task *task, struct open_chat *chat,
                        struct setting_body *body)
{
    struct request_id id;
    struct group_access access;
    struct buf packed = BUF_INIT, leaf = BUF_INIT;
    Hearth__V1__UpdateQueueReferenceRequest in = HEARTH__V1__UPDATE_QUEUE_REFERENCE_REQUEST__INIT;
    struct err err;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    if (body->what == SET_PROFILE_KEY) {
        err = build_profile_key(c, &id, &access, chat, &packed);
    } else if (body->what == SET_NOTIFY) {
        in.notification_policy = policy_of(body->notify);
        err = core_pack(&in.base, &packed);
    } else {
        err = build_reference(c, t, &in, chat, &leaf, &packed);
    }
    if (err_is_ok(err)) {
        body->request = buf_view(&packed);
        body->leaf = buf_view(&leaf);
        task->state = SENT;
        if (leaf.len >= QUEUE_TAG_BYTES) {
            memcpy(chat->chat.tag_next, leaf.data, QUEUE_TAG_BYTES);
            err = chat_save(c, t, chat);
        }
    }
    if (err_is_ok(err))
        err = put_body(&task->body, body);
    buf_clear(&packed);
    buf_clear(&leaf);
    return err;
}

/* ---- steps */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct setting_body body;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    *ret_next = TASK_NEXT_WAIT;
    task->not_before_ms = 0;
    /* a commit may bring another tag and leaf: one after the other */
    if (chat->group == NULL || (task->state == BUILD && chat->chat.commit_task != 0))
        return ERR_OK;
    if (task->state == BUILD) {
        struct err err = build(c, t, task, chat, &body);
        if (err.code == ERR_NOT_FOUND)
            return homeserver_want(c, t, c->account.domain);
        TRY(err);
        TRY(read_body(buf_view(&task->body), &body));
    }
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(
        c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key, call,
        body.what == SET_PROFILE_KEY ? "UpdateProfileKey" : "UpdateQueueReference", body.request);
}

static struct err take_reference(struct core *c, struct db_txn *t, struct open_chat *chat,
                                 struct bytes leaf)
{
    struct wire_reader r = wire_reader_of(leaf);
    struct bytes tag = wire_read_fixed(&r, QUEUE_TAG_BYTES);
    struct bytes reference = wire_read_vector(&r);
    struct bytes signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    chat_retire_tag(&chat->chat);
    memcpy(chat->chat.tag, tag.data, tag.len);
    memset(chat->chat.tag_next, 0, sizeof chat->chat.tag_next);
    buf_clear(&chat->chat.reference);
    buf_clear(&chat->chat.reference_signature);
    buf_append_bytes(&chat->chat.reference, reference);
    buf_append_bytes(&chat->chat.reference_signature, signature);
    TRY(buf_check(&chat->chat.reference));
    TRY(buf_check(&chat->chat.reference_signature));
    return chat_save(c, t, chat);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct setting_body body;
    uint64_t epoch;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    *ret_next = TASK_NEXT_DONE;
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        return body.what == SET_REFERENCE ? take_reference(c, t, chat, body.leaf) : ERR_OK;
    case GROUP_ANSWER_STALE:
        body.request = body.leaf = bytes_of(NULL, 0);
        body.tries++;
        task->state = BUILD;
        TRY(put_body(&task->body, &body));
        TRY(task_renew(c, task));
        return group_try_again(c, task, body.tries, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
}

const struct task_steps task_steps_CHAT_SETTING = {.prepare = prepare, .settle = settle};
