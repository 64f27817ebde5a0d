/* Sending to one member: sealed to each of his leaves, one call each.
 *
 *     message: struct { uint8 version = 1; uint64 epoch; opaque kem_output<V>; opaque
 * ciphertext<V>; } EncryptWithLabel to the leaf's encryption_key, prefix "Hearth 1 ", label
 * "Targeted", context struct { opaque group_id<V>; uint64 epoch; uint32 sender_leaf,
 * recipient_leaf; } of pad.h around struct { opaque content<V>; opaque signature<V>; } signature:
 * the sender's leaf key, label "TargetedContent", over struct { context; opaque content<V>; }
 *
 * So who sent it is as sure as with a message to all; it has the forward secrecy of the leaf's key,
 * which lasts from one of its commits to the next, and eight epochs more (past_leaf_keys). The
 * server refuses what is sealed in another epoch than the group's, and it is sealed anew.
 *
 *     body: struct { uint8 version = 1; uint64 message; opaque user[16]; opaque content<V>; uint32
 *                    tries; opaque done<V> (uint32 leaves); uint32 leaf; uint64 epoch;
 *                    opaque request<V>; }
 */
#include "client/core/event.h"
#include "client/core/receive.h"
#include "client/core/roster.h"
#include "crypto/labelled.h"
#include "seal/pad.h"
#include "wire/writer.h"

#define LABEL         bytes_str("Targeted")
#define CONTENT_LABEL bytes_str("TargetedContent")

enum targeted_state { ENCRYPT = 0, SENT = 1 };
enum { BODY_VERSION = 1, MESSAGE_VERSION = 1, DONE_MAX = 64, PATIENCE_MS = 5000 };

struct targeted_body {
    uint64_t message;
    uint8_t user[PSEUDONYM_BYTES];
    struct bytes content; /* views into the task's body */
    uint32_t tries, leaf;
    uint32_t done[DONE_MAX];
    size_t done_count;
    uint64_t epoch;
    struct bytes request;
};

static struct err read_body(struct bytes in, struct targeted_body *ret_body)
{
    struct wire_reader r = wire_reader_of(in);
    struct targeted_body b = {0};
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    b.message = wire_read_u64(&r);
    struct bytes user = wire_read_fixed(&r, PSEUDONYM_BYTES);
    if (user.len == PSEUDONYM_BYTES)
        memcpy(b.user, user.data, user.len);
    b.content = wire_read_vector(&r);
    b.tries = wire_read_u32(&r);
    struct wire_reader in_done = wire_read_nested(&r);
    while (wire_reader_more(&in_done) && b.done_count < DONE_MAX)
        b.done[b.done_count++] = wire_read_u32(&in_done);
    wire_reader_join(&r, &in_done);
    b.leaf = wire_read_u32(&r);
    b.epoch = wire_read_u64(&r);
    b.request = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    *ret_body = b;
    return ERR_OK;
}

static void write_body(struct buf *out, const struct targeted_body *b)
{
    wire_write_u8(out, BODY_VERSION);
    wire_write_u64(out, b->message);
    wire_write_fixed(out, bytes_of(b->user, sizeof b->user));
    wire_write_vector(out, b->content);
    wire_write_u32(out, b->tries);
    size_t mark = wire_vector_begin(out);
    for (size_t i = 0; i < b->done_count; i++)
        wire_write_u32(out, b->done[i]);
    wire_vector_end(out, mark);
    wire_write_u32(out, b->leaf);
    wire_write_u64(out, b->epoch);
    wire_write_vector(out, b->request);
}

static struct err put_body(struct task *task, const struct targeted_body *body)
{
    struct buf b = BUF_INIT;
    write_body(&b, body);
    return buf_replace(&task->body, &b);
}

struct err group_send_to(struct core *c, struct db_txn *t, const struct hearth_id *id,
                         const uint8_t user_pseudonym[16], const struct content *content,
                         uint64_t message_number, uint64_t *ret_task)
{
    struct open_chat *chat;
    struct targeted_body body = {.message = message_number};
    struct buf plain = BUF_INIT, out = BUF_INIT;
    bool there = false;
    uint8_t lane[16];
    TRY(chat_open(c, t, id, &chat));
    struct err err = send_ready(c, t, chat);
    bool waits =
        err.code == ERR_NOT_FOUND || (err.code == ERR_CLIENT_MEMBER_LATER && message_number == 0);
    if (!err_is_ok(err) && !waits)
        return err;
    for (size_t i = 0; i < chat->roster->count; i++)
        there |= memcmp(chat->roster->leaves[i].user_pseudonym, user_pseudonym, 16) == 0;
    if (!there)
        return ERR(NOT_FOUND);
    memcpy(body.user, user_pseudonym, sizeof body.user);
    content_write(&plain, content);
    body.content = buf_view(&plain);
    write_body(&out, &body);
    err = buf_check(&plain);
    if (err_is_ok(err))
        err = buf_check(&out);
    chat_lane(id, CHAT_LANE, lane);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_SEND_TARGETED, lane, id, buf_view(&out), ret_task);
    buf_clear(&plain);
    buf_clear(&out);
    return err;
}

/* ---- sealing */

static void write_context(struct buf *b, const struct open_chat *chat, uint64_t epoch,
                          uint32_t from, uint32_t to)
{
    wire_write_vector(b, chat_group_id(&chat->chat));
    wire_write_u64(b, epoch);
    wire_write_u32(b, from);
    wire_write_u32(b, to);
}

static struct err write_plain(const struct open_chat *chat, const struct buf *context,
                              struct bytes content, struct buf *plain)
{
    struct buf tbs = BUF_INIT;
    struct signature signature;
    wire_write_fixed(&tbs, buf_view(context));
    wire_write_vector(&tbs, content);
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_sign(&chat->chat.leaf_key, LABEL_HEARTH, CONTENT_LABEL, buf_view(&tbs),
                            &signature);
    buf_clear(&tbs);
    TRY(err);
    size_t mark = pad_begin(plain);
    wire_write_vector(plain, content);
    wire_write_vector(plain, signature_view(&signature));
    size_t total = pad_bucket_bytes(pad_content_bytes(plain, mark));
    if (total == 0)
        return ERR(TOO_LARGE);
    pad_end(plain, mark, total);
    return buf_check(plain);
}

static struct err seal(struct core *c, const struct open_chat *chat, uint32_t to,
                       struct bytes content, struct buf *message)
{
    uint64_t epoch = group_epoch(chat->group);
    struct leaf_node node;
    struct buf context = BUF_INIT, plain = BUF_INIT, sealed = BUF_INIT;
    struct public_key enc;
    if (!public_group_leaf(group_public(chat->group), to, &node))
        return ERR(NOT_FOUND);
    write_context(&context, chat, epoch, group_own_leaf(chat->group), to);
    struct err err = buf_check(&context);
    if (err_is_ok(err))
        err = write_plain(chat, &context, content, &plain);
    uint8_t *room = err_is_ok(err) ? buf_extend(&sealed, plain.len + AEAD_TAG_BYTES) : NULL;
    if (err_is_ok(err) && room == NULL)
        err = ERR(NO_MEMORY);
    if (err_is_ok(err))
        err = labelled_encrypt(&chat_suite()->hpke, c->rng, node.encryption_key, LABEL_HEARTH,
                               LABEL, buf_view(&context), buf_view(&plain), &enc, room);
    if (err_is_ok(err)) {
        wire_write_u8(message, MESSAGE_VERSION);
        wire_write_u64(message, epoch);
        wire_write_vector(message, public_key_view(&enc));
        wire_write_vector(message, buf_view(&sealed));
        err = buf_check(message);
    }
    buf_clear(&context);
    buf_clear(&plain);
    buf_clear(&sealed);
    return err;
}

static struct err make_request(struct core *c, struct task *task, struct open_chat *chat,
                               struct targeted_body *body)
{
    struct request_id id;
    struct group_access access;
    struct buf message = BUF_INIT, packed = BUF_INIT;
    Hearth__V1__SendTargetedMessageRequest in = HEARTH__V1__SEND_TARGETED_MESSAGE_REQUEST__INIT;
    struct err err = seal(c, chat, body->leaf, body->content, &message);
    request_id_of(task, &id);
    group_access_of(&chat->chat, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.recipient_leaf = body->leaf;
    in.message = pb_of(buf_view(&message));
    in.epoch = group_epoch(chat->group);
    if (err_is_ok(err))
        err = core_pack(&in.base, &packed);
    if (err_is_ok(err)) {
        body->epoch = group_epoch(chat->group);
        body->request = buf_view(&packed);
        task->state = SENT;
        err = put_body(task, body);
    }
    buf_clear(&message);
    buf_clear(&packed);
    return err;
}

/* The next leaf of the user that has not got it. */
static bool next_leaf(const struct open_chat *chat, struct targeted_body *body)
{
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        bool done = memcmp(l->user_pseudonym, body->user, sizeof body->user) != 0 ||
                    l->leaf == group_own_leaf(chat->group);
        for (size_t j = 0; j < body->done_count && !done; j++)
            done = body->done[j] == l->leaf;
        if (!done) {
            body->leaf = l->leaf;
            return true;
        }
    }
    return false;
}

/* ---- steps */

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct targeted_body body;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->group == NULL)
        return task_step_failed(c, task, ERR(CLIENT_CHAT_STATE), ret_next);
    if (task->state == ENCRYPT && body.tries == 0) {
        /* what waits in our queue may hold commits that replaced the keys of his leaves */
        body.tries = 1;
        TRY(put_body(task, &body));
        return group_catch_up(c, task, body.tries, ret_next);
    }
    if (task->state == ENCRYPT && group_waits_on(c, task, chat, body.tries, body.epoch)) {
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    if (task->state == ENCRYPT) {
        struct err err = send_ready(c, t, chat);
        if (err.code == ERR_NOT_FOUND ||
            (err.code == ERR_CLIENT_MEMBER_LATER && body.message == 0)) {
            task->not_before_ms = core_now_ms(c) + PATIENCE_MS;
            *ret_next = TASK_NEXT_WAIT;
            return ERR_OK;
        }
        if (err.code == ERR_CLIENT_UNVERIFIED || err.code == ERR_CLIENT_LOG ||
            err.code == ERR_CLIENT_MEMBER_LATER || err.code == ERR_CLIENT_CHAT_STATE)
            return task_step_failed(c, task, err, ret_next);
        TRY(err);
        if (!next_leaf(chat, &body))
            return task_step_failed(c, task, ERR(NOT_FOUND), ret_next); /* has left meanwhile */
        TRY(make_request(c, task, chat, &body));
        TRY(read_body(buf_view(&task->body), &body));
    }
    *ret_next = TASK_NEXT_CALL;
    return group_call_packed(c, &chat->chat, group_own_leaf(chat->group), &chat->chat.leaf_key,
                             call, "SendTargetedMessage", body.request);
}

static struct err settle_ok(struct core *c, struct db_txn *t, struct task *task,
                            const struct open_chat *chat, struct targeted_body *body,
                            uint64_t accepted_s, enum task_next *ret_next)
{
    if (body->done_count < DONE_MAX)
        body->done[body->done_count++] = body->leaf;
    task->state = ENCRYPT;
    if (chat->group != NULL && body->done_count < DONE_MAX && next_leaf(chat, body)) {
        body->request = bytes_of(NULL, 0);
        body->tries = 1;
        TRY(put_body(task, body));
        *ret_next = TASK_NEXT_AGAIN;
        return task_renew(c, task);
    }
    *ret_next = TASK_NEXT_DONE;
    return body->message == 0 ? ERR_OK
                              : message_set_state(c, t, &task->subject, body->message,
                                                  HEARTH_MESSAGE_SENT, accepted_s);
}

static struct err settle_stale(struct core *c, struct task *task, struct targeted_body *body,
                               enum task_next *ret_next)
{
    body->request = bytes_of(NULL, 0);
    body->tries++;
    task->state = ENCRYPT;
    TRY(put_body(task, body));
    TRY(task_renew(c, task));
    return group_try_again(c, task, body->tries, ret_next);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct open_chat *chat;
    struct targeted_body body;
    uint64_t epoch;
    TRY(chat_open(c, t, &task->subject, &chat));
    TRY(read_body(buf_view(&task->body), &body));
    switch (group_answer_of(answer, &epoch)) {
    case GROUP_ANSWER_OK:
        return settle_ok(
            c, t, task, chat, &body,
            ((const Hearth__V1__SendTargetedMessageResponse *)answer->out)->accepted_at, ret_next);
    case GROUP_ANSWER_STALE:
        return settle_stale(c, task, &body, ret_next);
    default:
        return task_step_refused(c, task, answer, ret_next);
    }
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct targeted_body body;
    (void)error;
    TRY(read_body(buf_view(&task->body), &body));
    return body.message == 0
               ? ERR_OK
               : message_set_state(c, t, &task->subject, body.message, HEARTH_MESSAGE_FAILED, 0);
}

const struct task_steps task_steps_SEND_TARGETED = {
    .prepare = prepare, .settle = settle, .failed = failed};

/* ---- receiving */

/* The group it opens with: as it is, or one of before a resync. */
struct targeted_in {
    const struct open_chat *chat;
    const struct mls_group *group;
    uint32_t sender;
    struct bytes message;
    struct buf context, plain;
};

static struct err open_message(struct targeted_in *in)
{
    struct wire_reader r = wire_reader_of(in->message);
    if (wire_read_u8(&r) != MESSAGE_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    uint64_t epoch = wire_read_u64(&r);
    struct bytes enc = wire_read_vector(&r);
    struct bytes sealed = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (sealed.len < AEAD_TAG_BYTES)
        return ERR(WIRE_SHORT);
    buf_clear(&in->context);
    buf_clear(&in->plain);
    write_context(&in->context, in->chat, epoch, in->sender, group_own_leaf(in->group));
    uint8_t *room = buf_extend(&in->plain, sealed.len - AEAD_TAG_BYTES);
    TRY(buf_check(&in->context));
    TRY(buf_check(&in->plain));
    return group_leaf_decrypt(in->group, LABEL_HEARTH, LABEL, buf_view(&in->context), enc, sealed,
                              room);
}

static struct err check_plain(const struct targeted_in *in, struct bytes *ret_content)
{
    struct bytes inner;
    struct leaf_node node;
    struct buf tbs = BUF_INIT;
    TRY(pad_read(buf_view(&in->plain), &inner));
    struct wire_reader r = wire_reader_of(inner);
    struct bytes content = wire_read_vector(&r);
    struct bytes signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    if (!public_group_leaf(group_public(in->group), in->sender, &node))
        return ERR(MLS_SENDER_LEAF);
    wire_write_fixed(&tbs, buf_view(&in->context));
    wire_write_vector(&tbs, content);
    struct err err = buf_check(&tbs);
    if (err_is_ok(err))
        err = labelled_verify(chat_suite()->sig, node.signature_key, LABEL_HEARTH, CONTENT_LABEL,
                              buf_view(&tbs), signature);
    buf_clear(&tbs);
    TRY(err);
    *ret_content = content;
    return ERR_OK;
}

static struct err open_and_check(struct targeted_in *in, const struct mls_group *group,
                                 struct bytes *ret_content)
{
    in->group = group;
    struct err err = open_message(in);
    return err_is_ok(err) ? check_plain(in, ret_content) : err;
}

static struct err open_targeted(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                struct targeted_in *in, struct bytes *ret_content)
{
    struct err err = open_and_check(in, chat->group, ret_content);
    for (size_t n = 0; n < BEFORE_MAX && !err_is_ok(err) && err.code != ERR_NO_MEMORY; n++) {
        struct mls_group *before = NULL;
        struct err there = before_get(c, t, chat, n, &before);
        if (there.code == ERR_NOT_FOUND)
            break;
        TRY(there);
        err = open_and_check(in, before, ret_content);
        group_free(before);
    }
    return err;
}

struct err receive_targeted(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct delivery_item *item)
{
    struct bytes content = {NULL, 0};
    struct targeted_in in = {.chat = chat};
    struct err err = delivery_targeted_parse(item->body, &in.sender, &in.message);
    if (err_is_ok(err))
        err = open_targeted(c, t, chat, &in, &content);
    bool broken = !err_is_ok(err) && err_class_of(err) != ERR_CLASS_OURS;
    if (err_is_ok(err))
        err = receive_content(c, t, chat, in.sender, group_epoch(chat->group), content,
                              item->accepted_s, true);
    buf_clear(&in.context);
    buf_clear(&in.plain);
    if (broken)
        return receive_event(c, t, chat, HEARTH_EVENT_LOSS, 1,
                             "a message to this device alone could not be opened");
    return err_is_ok(err) ? chat_save(c, t, chat) : err;
}
