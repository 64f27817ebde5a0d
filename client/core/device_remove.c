/* TASK_DEVICE_REMOVE: a device leaves the KeySet, its queue is deleted, it leaves all chats; then
 * the keys that it shared are replaced.
 *
 *     SET    RemoveClient with the next KeySet; friends are told
 *     QUEUE  DeleteQueueClient, where we know which is its
 *     CHATS  wishes that remove it
 *     KEYS   when it is out of the chats in which keys are told: new ones
 *
 *     body    struct { opaque uuid[16]; opaque key_set<V>; }
 */
#include "client/core/device_add.h"
#include "client/core/device_set.h"
#include "client/core/devices.h"
#include "client/core/handle.h"
#include "client/core/log_receipt.h"
#include "client/core/task.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum state { SET = 0, QUEUE = 1, CHATS = 2, KEYS = 3 };
enum { LOOK_MS = 1000, PATIENCE_MS = 3600 * 1000 };

struct body {
    struct bytes uuid, key_set;
};

static struct err body_read(const struct task *task, struct body *ret)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    ret->uuid = wire_read_fixed(&r, UUID_BYTES);
    ret->key_set = wire_read_vector(&r);
    return wire_reader_end(&r);
}

static struct err body_set(struct task *task, const uint8_t uuid[UUID_BYTES], struct bytes key_set)
{
    struct buf body = BUF_INIT;
    wire_write_fixed(&body, bytes_of(uuid, UUID_BYTES));
    wire_write_vector(&body, key_set);
    struct err err = buf_check(&body);
    if (!err_is_ok(err)) {
        buf_clear(&body);
        return err;
    }
    buf_clear(&task->body);
    task->body = body;
    return ERR_OK;
}

/* ---- the verb */

struct err device_remove_begin(struct core *c, struct db_txn *t, const struct hearth_id *device,
                               uint64_t *ret_task)
{
    struct buf tbs = BUF_INIT;
    struct task draft = {0};
    if (memcmp(device->bytes, c->account.client_uuid, UUID_BYTES) == 0)
        return ERR(CLIENT_DEVICE);
    static const uint8_t any[32];
    struct err err = device_set_tbs(c, NULL, device->bytes, any, &tbs); /* is it one of ours? */
    buf_clear(&tbs);
    if (err_is_ok(err))
        err = body_set(&draft, device->bytes, bytes_of(NULL, 0));
    if (err_is_ok(err))
        err = task_add(c, t, TASK_DEVICE_REMOVE, NULL, device, buf_view(&draft.body), ret_task);
    buf_clear(&draft.body);
    return err;
}

/* ---- prepare */

static struct err make_set(struct core *c, struct db_txn *t, struct task *task)
{
    struct buf tbs = BUF_INIT, key_set = BUF_INIT;
    uint8_t before[HASH_VALUE_BYTES];
    TRY(log_commitment_before(c, t, buf_view(&c->account.key_set), before));
    struct err err = device_set_tbs(c, NULL, task->subject.bytes, before, &tbs);
    if (err_is_ok(err))
        err = device_set_join(c, buf_view(&tbs), NULL, bytes_of(NULL, 0), &key_set);
    if (err_is_ok(err))
        err = body_set(task, task->subject.bytes, buf_view(&key_set));
    buf_clear(&tbs);
    buf_clear(&key_set);
    return err;
}

static struct err ask_set(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call)
{
    struct body body;
    Hearth__V1__RemoveClientRequest in = HEARTH__V1__REMOVE_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    TRY(body_read(task, &body));
    if (body.key_set.len == 0) {
        TRY(make_set(c, t, task));
        TRY(body_read(task, &body));
    }
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.client_id = core_out(body.uuid);
    in.key_set = core_out(body.key_set);
    return account_request(c, call, "RemoveClient", &in.base);
}

static struct err ask_queue(struct core *c, struct db_txn *t, struct task *task,
                            struct task_call *call, enum task_next *ret_next)
{
    static const uint8_t unknown[UUID_BYTES];
    struct device device;
    Hearth__V1__DeleteQueueClientRequest in = HEARTH__V1__DELETE_QUEUE_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    struct err err = device_get(t, task->subject.bytes, &device);
    bool known = err_is_ok(err) && memcmp(device.queue_client_id, unknown, UUID_BYTES) != 0;
    if (!known) { /* it never told: the queue ends by itself when nobody fetches */
        task->state = CHATS;
        *ret_next = TASK_NEXT_AGAIN;
        return err.code == ERR_NOT_FOUND ? ERR_OK : err;
    }
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.queue_client_id = core_out(bytes_of(device.queue_client_id, UUID_BYTES));
    return queue_user_request(c, call, "DeleteQueueClient", &in.base);
}

static struct err leave_chats(struct core *c, struct db_txn *t, struct task *task,
                              enum task_next *ret_next)
{
    task->state = KEYS;
    *ret_next = TASK_NEXT_AGAIN;
    return device_out_of_chats(c, t, task->subject.bytes);
}

static struct err replace_keys(struct core *c, struct db_txn *t, struct task *task,
                               enum task_next *ret_next)
{
    bool is_in = false;
    TRY(device_is_in_chats(c, t, task->subject.bytes, &is_in));
    if (is_in && core_now_ms(c) < task->made_ms + PATIENCE_MS) {
        task->not_before_ms = core_now_ms(c) + LOOK_MS;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    TRY(db_drop(t, DB_DEVICE, bytes_of(task->subject.bytes, UUID_BYTES)));
    *ret_next = TASK_NEXT_DONE;
    TRY(handles_rotate(c, t));
    return friendship_replace_keys(c, t);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_CALL;
    switch ((enum state)task->state) {
    case SET:
        return ask_set(c, t, task, call);
    case QUEUE:
        return ask_queue(c, t, task, call, ret_next);
    case CHATS:
        return leave_chats(c, t, task, ret_next);
    default:
        return replace_keys(c, t, task, ret_next);
    }
}

/* ---- settle */

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct body body;
    bool gone = task->state == QUEUE && answer->status->code == HEARTH_NOT_FOUND;
    if (answer->status->code != HEARTH_OK && !gone) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_AGAIN;
    if (task->state == QUEUE) {
        task->state = CHATS;
        return ERR_OK;
    }
    TRY(body_read(task, &body));
    const Hearth__V1__RemoveClientResponse *in = (const void *)answer->out;
    if (in != NULL && in->receipt != NULL)
        TRY(log_receipt_take(c, t, body.key_set, core_in(in->receipt->proof)));
    TRY(own_key_set_next(c, t, body.key_set));
    task->state = QUEUE;
    return ERR_OK;
}

const struct task_steps task_steps_DEVICE_REMOVE = {.prepare = prepare, .settle = settle};
