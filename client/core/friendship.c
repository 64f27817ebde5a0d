/* Friendship packages: sent, renewed, taken back (TASK_FRIENDSHIP).
 *
 * Removing a contact has him lose, in one step: the friendship key (others get a new one), and our
 * KeyPackages under the old one; then his token is revoked at the queue service.
 *
 *     body    struct { uint8 what; opaque value<V>; }
 *     REVOKE  the contact id that is refused from now on
 *     REPLACE a new queue-user key: struct { opaque private<V>; opaque contact_key[32]; }, after a
 *             device was removed, which knew the old ones
 */
#include "seal/friendship.h"

#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/key_package.h"
#include "client/core/offer.h"
#include "hearth/v1/queue_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum what { REVOKE = 1, REPLACE = 2 };
/* Where the answer got lost, the record knows the new key already. */
enum state { BY_THE_OLD = 0, BY_THE_NEW = 1 };

static const uint8_t friendship_lane[16] = "friendship";

/* ---- sending */

static struct err send_content(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                               uint16_t kind, struct bytes body)
{
    uint8_t id[16];
    uint64_t task;
    TRY(rng_fill(c->rng, id, sizeof id));
    const struct content content = {
        .kind = kind, .id = id, .sent_ms = core_now_ms(c), .body = body};
    struct err err = group_send(c, t, chat, &content, 0, &task);
    /* a chat that is over or has somebody unknown in it hears nothing: that is no fault here */
    bool cant = err.code == ERR_CLIENT_CHAT_STATE || err.code == ERR_CLIENT_UNVERIFIED ||
                err.code == ERR_CLIENT_LOG || err.code == ERR_NOT_FOUND;
    return cant ? ERR_OK : err;
}

struct err friendship_send(struct core *c, struct db_txn *t, const struct contact *contact)
{
    struct friendship f = {0};
    struct buf body = BUF_INIT;
    friendship_of_us(c, contact->contact_id, &f);
    friendship_write(&body, &f);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = send_content(c, t, &contact->chat, CONTENT_FRIENDSHIP, buf_view(&body));
    bytes_wipe(&f, sizeof f);
    buf_clear(&body);
    return err;
}

struct telling {
    struct core *c;
    struct db_txn *t;
    uint16_t kind;
    struct bytes body;
};

static struct err tell_one(void *arg, const struct contact *contact)
{
    const struct telling *tell = arg;
    if (contact->state != HEARTH_CONTACT_FRIEND)
        return ERR_OK;
    return tell->kind == CONTENT_FRIENDSHIP
               ? friendship_send(tell->c, tell->t, contact)
               : send_content(tell->c, tell->t, &contact->chat, tell->kind, tell->body);
}

struct err friends_tell(struct core *c, struct db_txn *t, uint16_t kind, struct bytes body)
{
    struct telling tell = {c, t, kind, body};
    return contact_each(c, t, tell_one, &tell);
}

struct err friendship_send_all(struct core *c, struct db_txn *t)
{
    return friends_tell(c, t, CONTENT_FRIENDSHIP, bytes_of(NULL, 0));
}

struct err friendship_rotate(struct core *c, struct db_txn *t)
{
    struct user_secrets *user = &c->account.user;
    memcpy(user->friendship_before, user->friendship_key, sizeof user->friendship_before);
    TRY(rng_fill(c->rng, user->friendship_key, sizeof user->friendship_key));
    TRY(account_write(&c->account, t));
    TRY(key_package_publish(c, t));
    TRY(devices_tell_user(c, t));
    return friendship_send_all(c, t);
}

/* ---- removing */

static struct err leave_chat(struct core *c, struct db_txn *t, const struct contact *contact)
{
    struct open_chat *chat;
    uint64_t task;
    struct err err = chat_open(c, t, &contact->chat, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    return group_we_are_admin(chat) ? group_delete_begin(c, t, &contact->chat, &task)
                                    : group_leave_begin(c, t, &contact->chat, &task);
}

static struct err revoke(struct core *c, struct db_txn *t, const uint8_t contact_id[16],
                         uint64_t *ret_task)
{
    struct buf body = BUF_INIT;
    wire_write_u8(&body, REVOKE);
    wire_write_vector(&body, bytes_of(contact_id, CONTACT_ID_BYTES));
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_FRIENDSHIP, friendship_lane, NULL, buf_view(&body), ret_task);
    buf_clear(&body);
    return err;
}

static struct err remove_friend(struct core *c, struct db_txn *t, struct contact *contact)
{
    contact->state = HEARTH_CONTACT_REMOVED;
    contact->has_package = false;
    bytes_wipe(contact->contact_token, sizeof contact->contact_token);
    bytes_wipe(contact->friendship_key, sizeof contact->friendship_key);
    bytes_wipe(contact->friendship_before, sizeof contact->friendship_before);
    bytes_wipe(contact->profile_key, sizeof contact->profile_key);
    TRY(contact_put(c, t, contact));
    TRY(devices_tell_contact(c, t, contact));
    TRY(leave_chat(c, t, contact));
    return friendship_rotate(c, t);
}

struct err contact_remove(struct core *c, struct db_txn *t, const struct hearth_id *id,
                          uint64_t *ret_task)
{
    struct contact contact = {0};
    static const uint8_t none[CONTACT_ID_BYTES];
    uint8_t contact_id[CONTACT_ID_BYTES], before[CONTACT_ID_BYTES];
    TRY(contact_get(c, t, id, &contact));
    memcpy(contact_id, contact.contact_id, sizeof contact_id);
    memcpy(before, contact.contact_id_before, sizeof before);
    struct err err = ERR_OK;
    if (contact.state == HEARTH_CONTACT_REMOVED)
        err = ERR(CLIENT_CONTACT);
    else if (contact.state == HEARTH_CONTACT_FRIEND)
        err = remove_friend(c, t, &contact);
    else /* who was asked has a token in the offer; who asks, or refused, has nothing */
        err = contact_give_up(c, t, id);
    contact_clear(&contact);
    TRY(err);
    if (memcmp(before, none, sizeof none) != 0)
        TRY(revoke(c, t, before, ret_task));
    return revoke(c, t, contact_id, ret_task);
}

/* ---- keys that a removed device knew */

struct err friendship_replace_keys(struct core *c, struct db_txn *t)
{
    struct sig_key key = {0};
    struct buf body = BUF_INIT;
    uint8_t contact_key[CONTACT_KEY_BYTES];
    uint64_t task;
    TRY(rng_fill(c->rng, contact_key, sizeof contact_key));
    TRY(sig_key_generate(&sig_ed25519, c->rng, &key));
    wire_write_u8(&body, REPLACE);
    size_t mark = wire_vector_begin(&body);
    wire_write_vector(&body, secret_view(&key.private_key));
    wire_write_fixed(&body, bytes_of(contact_key, sizeof contact_key));
    wire_vector_end(&body, mark);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_FRIENDSHIP, friendship_lane, NULL, buf_view(&body), &task);
    sig_key_clear(&key);
    bytes_wipe(contact_key, sizeof contact_key);
    buf_clear(&body);
    return err;
}

struct replaced {
    struct sig_key key;
    struct bytes contact_key;
};

static struct err replaced_read(struct bytes value, struct replaced *ret)
{
    struct wire_reader r = wire_reader_of(value);
    struct bytes private_key = wire_read_vector(&r);
    ret->contact_key = wire_read_fixed(&r, CONTACT_KEY_BYTES);
    TRY(wire_reader_end(&r));
    return sig_key_init(&sig_ed25519, private_key, &ret->key);
}

static struct err take_replaced(struct core *c, struct db_txn *t, struct bytes value)
{
    struct replaced r = {0};
    struct user_secrets *user = &c->account.user;
    TRY(replaced_read(value, &r));
    sig_key_clear(&user->queue_user_key);
    user->queue_user_key = r.key; /* Ed25519: nothing behind a pointer */
    memcpy(user->contact_key, r.contact_key.data, sizeof user->contact_key);
    bytes_wipe(&r, sizeof r);
    return friendship_rotate(c, t); /* writes, and everybody gets a new token */
}

/* ---- the task */

static struct err body_read(const struct task *task, enum what *ret_what, struct bytes *ret_value)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    *ret_what = (enum what)wire_read_u8(&r);
    *ret_value = wire_read_vector(&r);
    return wire_reader_end(&r);
}

static struct err call_as(struct core *c, const struct sig_key *key, struct task_call *call,
                          const char *method, const ProtobufCMessage *in)
{
    const struct user_secrets *user = &c->account.user;
    memcpy(call->domain, c->account.domain, sizeof call->domain);
    memcpy(call->purpose, user->queue_user_id, sizeof call->purpose);
    call->caller = REQUEST_QUEUE_USER;
    buf_append(&call->caller_id, user->queue_user_id, sizeof user->queue_user_id);
    TRY(buf_check(&call->caller_id));
    TRY(sig_key_init(key->alg, secret_view(&key->private_key), &call->caller_key));
    return task_call_request(call, "Queue", method, in);
}

struct err queue_user_request(struct core *c, struct task_call *call, const char *method,
                              const ProtobufCMessage *in)
{
    return call_as(c, &c->account.user.queue_user_key, call, method, in);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    enum what what;
    struct bytes value;
    struct request_id id;
    ProtobufCBinaryData revoked;
    struct replaced r = {0};
    Hearth__V1__UpdateQueueUserRequest in = HEARTH__V1__UPDATE_QUEUE_USER_REQUEST__INIT;
    (void)t;
    TRY(body_read(task, &what, &value));
    request_id_of(task, &id);
    in.idempotency = &id.message;
    if (what == REVOKE) {
        revoked = pb_of(value);
        in.revoked_contact_ids = &revoked;
        in.n_revoked_contact_ids = 1;
    } else {
        TRY(replaced_read(value, &r));
        in.auth_key = pb_of(public_key_view(&r.key.public_key));
        in.contact_key = pb_of(r.contact_key);
    }
    *ret_next = TASK_NEXT_CALL;
    const struct sig_key *key =
        task->state == BY_THE_NEW ? &r.key : &c->account.user.queue_user_key;
    struct err err = call_as(c, key, call, "UpdateQueueUser", &in.base);
    sig_key_clear(&r.key);
    return err;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    enum what what;
    struct bytes value;
    TRY(body_read(task, &what, &value));
    if (answer->status->code == HEARTH_UNAUTHENTICATED && what == REPLACE &&
        task->state == BY_THE_OLD) {
        task->state = BY_THE_NEW;
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_DONE;
    return what == REPLACE ? take_replaced(c, t, value) : ERR_OK;
}

const struct task_steps task_steps_FRIENDSHIP = {.prepare = prepare, .settle = settle};
