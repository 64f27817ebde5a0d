/* Sending to all: the message is a row, then a PrivateMessage in the task's body together with the
 * ratchet that it used up, then a call; in another epoch it is encrypted anew.
 *
 * A group identity key has to be told, or nobody will ever know who came under it: that task waits
 * and tries again where others fail, until the chat is over.
 *
 *     body: struct { uint8 version = 1; uint64 message; opaque content<V>; uint32 tries;
 *                    uint64 epoch; opaque request<V>; }
 */
#include "client/core/event.h"
#include "client/core/head.h"
#include "client/core/log_gate.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "wire/writer.h"

enum send_state { ENCRYPT = 0, SENT = 1 };
enum {
    BODY_VERSION = 1,
    SEND_PATIENCE_MS = 5000,
    KEYS_AGAIN_MS = 60000,
    CONTENT_MAX_BYTES = 70000
};

struct send_body {
    uint64_t message;
    struct bytes content; /* views into the task's body */
    uint32_t tries;
    uint64_t epoch;
    struct bytes request;
};

static struct err read_body(struct bytes in, struct send_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct send_body body = {0};
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    body.message = wire_read_u64(&r);
    body.content = wire_read_vector(&r);
    body.tries = wire_read_u32(&r);
    body.epoch = wire_read_u64(&r);
    body.request = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_body = body;
    return ERR_OK;
}

static void write_body(struct buf *b, const struct send_body *body)
{
    wire_write_u8(b, BODY_VERSION);
    wire_write_u64(b, body->message);
    wire_write_vector(b, body->content);
    wire_write_u32(b, body->tries);
    wire_write_u64(b, body->epoch);
    wire_write_vector(b, body->request);
}

/* body's views may point into the task's body as it is. */
static struct err put_body(struct task *task, const struct send_body *body)
{
    struct buf b = BUF_INIT;
    write_body(&b, body);
    return buf_replace(&task->body, &b);
}

/* ---- may it be sent? */

struct err send_ready(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->chat.leaving)
        return ERR(CLIENT_CHAT_STATE);
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL)
        return ERR(NOT_FOUND);
    if (roster_pending(chat->roster) > 0) {
        TRY(roster_retry(c, t, chat));
        TRY(chat_save(c, t, chat));
    }
    if (roster_unverified(chat->roster) > 0)
        return ERR(CLIENT_UNVERIFIED);
    TRY(log_may_send(c, t, chat));
    if (roster_late(c, chat->roster) > 0)
        return ERR(CLIENT_MEMBER_LATER);
    return roster_pending(chat->roster) > 0 ? ERR(NOT_FOUND) : ERR_OK;
}

static bool is_kind(const struct send_body *body, enum content_kind kind)
{
    struct content content;
    return err_is_ok(content_read(body->content, &content)) && content.kind == kind;
}

/* Our own proof goes to those who are verified but for the log's word: they wait for it, as we do
 * for theirs (log_proof.h). */
static struct err proof_ready(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct err err = send_ready(c, t, chat);
    bool waits = err.code == ERR_NOT_FOUND || err.code == ERR_CLIENT_MEMBER_LATER;
    return waits && chat->chat.state == HEARTH_CHAT_OPEN && chat->group != NULL &&
                   roster_opened(c, t, chat)
               ? ERR_OK
               : err;
}

/* A pending leaf may wait for this very key, or its key for ours: two removals that crossed. */
static struct err keys_ready(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR(CLIENT_CHAT_STATE);
    if (chat->chat.state != HEARTH_CHAT_OPEN || chat->group == NULL || chat->chat.leaving)
        return ERR(NOT_FOUND);
    if (!roster_may_hear_keys(chat->roster)) {
        TRY(roster_retry(c, t, chat));
        TRY(chat_save(c, t, chat));
    }
    if (!roster_may_hear_keys(chat->roster))
        return ERR(NOT_FOUND);
    struct err err = log_may_send(c, t, chat);
    return err.code == ERR_CLIENT_LOG ? ERR(NOT_FOUND) : err; /* until a person decides */
}

struct err send_in_lane(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                        enum chat_lane lane, const struct content *content, uint64_t message_number,
                        uint64_t *ret_task)
{
    struct buf plain = BUF_INIT, body = BUF_INIT;
    uint8_t name[16];
    content_write(&plain, content);
    struct err err = plain.len <= CONTENT_MAX_BYTES ? buf_check(&plain) : ERR(TOO_LARGE);
    write_body(&body, &(struct send_body){.message = message_number, .content = buf_view(&plain)});
    if (err_is_ok(err))
        err = buf_check(&body);
    chat_lane(chat, lane, name);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_SEND, name, chat, buf_view(&body), ret_task);
    buf_clear(&plain);
    buf_clear(&body);
    return err;
}

struct err group_send(struct core *c, struct db_txn *t, const struct hearth_id *id,
                      const struct content *content, uint64_t message_number, uint64_t *ret_task)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, id, &chat));
    struct err err = send_ready(c, t, chat);
    bool waits =
        err.code == ERR_NOT_FOUND || (err.code == ERR_CLIENT_MEMBER_LATER && message_number == 0);
    if (!err_is_ok(err) && !waits)
        return err; /* what is only not yet so is waited for by the task */
    return send_in_lane(c, t, id, CHAT_LANE, content, message_number, ret_task);
}

/* ---- prepare */

static struct err pack_request(const struct task *task, const struct open_chat *chat,
                               const struct buf *message, struct buf *packed)
{
    struct request_id id;
    struct group_access access;
    Hearth__V1__SendMessageRequest in = HEARTH__V1__SEND_MESSAGE_REQUEST__INIT;
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.message = pb_of(buf_view(message));
    in.notify = true;
    return core_pack(&in.base, packed);
}

static struct err encrypt(struct core *c, struct db_txn *t, struct task *task,
                          struct open_chat *chat, struct send_body *body)
{
    struct buf plain = BUF_INIT, message = BUF_INIT, packed = BUF_INIT;
    struct err err = head_wrap(c, t, chat, task->lane, body->content, &plain);
    if (err_is_ok(err))
        err = group_protect(chat->group, &chat->client, buf_view(&plain), bytes_of(NULL, 0),
                            &message);
    if (err_is_ok(err))
        err = pack_request(task, chat, &message, &packed);
    if (err_is_ok(err)) {
        body->epoch = group_epoch(chat->group);
        body->request = buf_view(&packed);
        task->state = SENT;
        err = put_body(task, body);
    }
    if (err_is_ok(err))
        err = chat_save(c, t, chat);
    buf_clear(&plain);
    buf_clear(&message);
    buf_clear(&packed);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct send_body body;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    if (task->state == ENCRYPT && group_waits_on(c, task, chat, body.tries, body.epoch)) {
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    if (task->state == ENCRYPT) {
        bool is_proof = is_kind(&body, CONTENT_LOG_PROOF);
        struct err err = is_kind(&body, CONTENT_IDENTITY_KEY) ? keys_ready(c, t, chat)
                         : is_proof                           ? proof_ready(c, t, chat)
                                                              : send_ready(c, t, chat);
        if (is_proof && (err.code == ERR_NOT_FOUND || err.code == ERR_CLIENT_MEMBER_LATER)) {
            *ret_next = TASK_NEXT_DONE; /* a group identity key may wait behind it */
            return ERR_OK;
        }
        if (err.code == ERR_NOT_FOUND ||
            (err.code == ERR_CLIENT_MEMBER_LATER && body.message == 0)) {
            task->not_before_ms = core_now_ms(c) + SEND_PATIENCE_MS;
            *ret_next = TASK_NEXT_WAIT;
            return ERR_OK;
        }
        if (err.code == ERR_CLIENT_UNVERIFIED || err.code == ERR_CLIENT_LOG ||
            err.code == ERR_CLIENT_MEMBER_LATER || err.code == ERR_CLIENT_CHAT_STATE)
            return task_step_failed(c, task, err, ret_next);
        TRY(err);
        TRY(encrypt(c, t, task, chat, &body));
        TRY(read_body(buf_view(&task->body), &body));
    }
    if (chat->group == NULL)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "SendMessage", body.request);
}

/* ---- settle */

static struct err keys_later(struct core *c, struct task *task, struct send_body *body,
                             enum task_next *ret_next)
{
    body->tries = 0;
    body->request = bytes_of(NULL, 0);
    task->state = ENCRYPT;
    TRY(put_body(task, body));
    TRY(task_renew(c, task));
    task->not_before_ms = core_now_ms(c) + KEYS_AGAIN_MS;
    *ret_next = TASK_NEXT_WAIT;
    return ERR_OK;
}

static struct err settle_stale(struct core *c, struct db_txn *t, struct task *task,
                               struct open_chat *chat, struct send_body *body,
                               enum task_next *ret_next)
{
    bool moved = chat->group != NULL && group_epoch(chat->group) > body->epoch;
    uint64_t resync;
    body->tries = moved ? 0 : body->tries + 1;
    body->request = bytes_of(NULL, 0);
    task->state = ENCRYPT;
    TRY(put_body(task, body));
    TRY(task_renew(c, task));
    *ret_next = TASK_NEXT_AGAIN;
    if (moved)
        return ERR_OK;
    if (body->tries < GROUP_STALE_MAX)
        return group_catch_up(c, task, body->tries, ret_next);
    if (chat->group != NULL)
        TRY(group_resync_begin(c, t, &chat->chat.id, &resync));
    TRY(read_body(buf_view(&task->body), body));
    if (is_kind(body, CONTENT_IDENTITY_KEY))
        return keys_later(c, task, body, ret_next);
    return task_step_failed(c, task, ERR(CLIENT_LOST_STEP), ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct send_body body;
    uint64_t epoch;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        *ret_next = TASK_NEXT_DONE;
        TRY(head_sent(c, t, chat, task->lane, body.epoch, body.content));
        return body.message == 0
                   ? ERR_OK
                   : message_set_state(
                         c, t, &task->subject, body.message, HEARTH_MESSAGE_SENT,
                         ((const Hearth__V1__SendMessageResponse *)answer->out)->accepted_at);
    case GROUP_ANSWER_STALE:
        return settle_stale(c, t, task, chat, &body, ret_next);
    default:
        if (is_kind(&body, CONTENT_IDENTITY_KEY) && chat->chat.state != HEARTH_CHAT_OVER)
            return keys_later(c, task, &body, ret_next);
        return task_step_refused(c, task, answer, ret_next);
    }
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct send_body body;
    (void)error;
    TRY(read_body(buf_view(&task->body), &body));
    return body.message == 0
               ? ERR_OK
               : message_set_state(c, t, &task->subject, body.message, HEARTH_MESSAGE_FAILED, 0);
}

const struct task_steps task_steps_SEND = {.prepare = prepare, .settle = settle, .failed = failed};
