/* TASK_DEVICE_ADD.
 *
 *     ADD     AddClient
 *     QUEUE   CreateQueueClient, with the keys of the new device; then it gets everything over the
 *             relay (link.c)
 *     SEE     GetQueueUser, now and again, until its queue has KeyPackages
 *
 *     body    struct { opaque uuid[16]; opaque name<V>; opaque request<V>; opaque key_set<V>;
 *                      opaque queue_auth_key<V>; opaque queue_key<V>; opaque credential<V>;
 *                      opaque signing<V>; }     the last two: from ADD on
 */
#include "client/core/device_add.h"
#include "client/core/log_receipt.h"

#include "client/core/devices.h"
#include "client/core/task.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum state { ADD = 0, QUEUE = 1, SEE = 2 };
enum { LOOK_MS = 2000, GIVE_UP_MS = 15 * 60 * 1000 };

struct body {
    struct bytes uuid, name, request, key_set, queue_auth_key, queue_key, credential, signing;
};

static void body_write(struct buf *b, const struct body *body)
{
    wire_write_fixed(b, body->uuid);
    wire_write_vector(b, body->name);
    wire_write_vector(b, body->request);
    wire_write_vector(b, body->key_set);
    wire_write_vector(b, body->queue_auth_key);
    wire_write_vector(b, body->queue_key);
    wire_write_vector(b, body->credential);
    wire_write_vector(b, body->signing);
}

static struct err body_read(const struct task *task, struct body *ret)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    ret->uuid = wire_read_fixed(&r, UUID_BYTES);
    ret->name = wire_read_vector(&r);
    ret->request = wire_read_vector(&r);
    ret->key_set = wire_read_vector(&r);
    ret->queue_auth_key = wire_read_vector(&r);
    ret->queue_key = wire_read_vector(&r);
    ret->credential = wire_read_vector(&r);
    ret->signing = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    return ret->name.len <= DEVICE_NAME_MAX_BYTES ? ERR_OK : ERR(WIRE_VALUE);
}

struct err device_add_begin(struct core *c, struct db_txn *t, const struct device_add *add,
                            uint64_t *ret_task)
{
    const struct body body = {.uuid = bytes_of(add->uuid, UUID_BYTES),
                              .name = bytes_str(add->name),
                              .request = add->credential_request,
                              .key_set = add->key_set,
                              .queue_auth_key = add->queue_auth_key,
                              .queue_key = add->queue_key};
    struct buf b = BUF_INIT;
    body_write(&b, &body);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_DEVICE_ADD, NULL, NULL, buf_view(&b), ret_task);
    buf_clear(&b);
    return err;
}

/* ---- prepare */

static struct err ask_client(struct core *c, const struct body *body, Hearth__V1__Idempotency *id,
                             struct task_call *call)
{
    Hearth__V1__AddClientRequest in = HEARTH__V1__ADD_CLIENT_REQUEST__INIT;
    in.idempotency = id;
    in.credential_request = core_out(body->request);
    in.key_set = core_out(body->key_set);
    return account_request(c, call, "AddClient", &in.base);
}

static struct err ask_queue(struct core *c, const struct body *body, Hearth__V1__Idempotency *id,
                            struct task_call *call)
{
    Hearth__V1__CreateQueueClientRequest in = HEARTH__V1__CREATE_QUEUE_CLIENT_REQUEST__INIT;
    Hearth__V1__QueueClientSettings settings = HEARTH__V1__QUEUE_CLIENT_SETTINGS__INIT;
    settings.auth_key = core_out(body->queue_auth_key);
    settings.queue_key = core_out(body->queue_key);
    in.idempotency = id;
    in.client = &settings;
    return queue_user_request(c, call, "CreateQueueClient", &in.base);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    Hearth__V1__GetQueueUserRequest look = HEARTH__V1__GET_QUEUE_USER_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    (void)t;
    TRY(body_read(task, &body));
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    *ret_next = TASK_NEXT_CALL;
    switch ((enum state)task->state) {
    case ADD:
        return ask_client(c, &body, &id, call);
    case QUEUE:
        return ask_queue(c, &body, &id, call);
    default:
        return queue_user_request(c, call, "GetQueueUser", &look.base);
    }
}

/* ---- settle */

static struct err added(struct core *c, struct db_txn *t, struct task *task,
                        const Hearth__V1__AddClientResponse *in)
{
    struct body body;
    struct buf b = BUF_INIT;
    struct device device = {.added_ms = core_now_ms(c)};
    TRY(body_read(task, &body));
    memcpy(device.uuid, body.uuid.data, sizeof device.uuid);
    if (body.name.len > 0)
        memcpy(device.name, body.name.data, body.name.len);
    TRY(device_put(t, &device));
    if (in->receipt != NULL)
        TRY(log_receipt_take(c, t, body.key_set, core_in(in->receipt->proof)));
    TRY(own_key_set_next(c, t, body.key_set));
    TRY(devices_chat_begin(c, t));
    body.credential = core_in(in->credential);
    body.signing = core_in(in->signing_credential);
    body_write(&b, &body);
    struct err err = buf_check(&b);
    if (!err_is_ok(err)) {
        buf_clear(&b);
        return err;
    }
    buf_clear(&task->body);
    task->body = b;
    task->state = QUEUE;
    return ERR_OK;
}

static struct err queued(struct core *c, struct db_txn *t, struct task *task,
                         const Hearth__V1__CreateQueueClientResponse *in)
{
    struct body body;
    struct device device;
    TRY(body_read(task, &body));
    if (in->queue_client_id.len != UUID_BYTES)
        return ERR(WIRE_VALUE);
    TRY(device_get(t, body.uuid.data, &device));
    memcpy(device.queue_client_id, in->queue_client_id.data, UUID_BYTES);
    TRY(device_put(t, &device));
    TRY(device_tell(c, t, &device));
    link_granted(c, task->number, body.credential, body.signing, device.queue_client_id);
    task->state = SEE;
    return ERR_OK;
}

static bool has_packages(const Hearth__V1__GetQueueUserResponse *in, struct bytes queue_client_id)
{
    for (size_t i = 0; i < in->n_clients; i++)
        if (bytes_equal(core_in(in->clients[i]->queue_client_id), queue_client_id))
            return in->clients[i]->key_packages > 0;
    return false;
}

static struct err seen(struct core *c, struct db_txn *t, struct task *task,
                       const Hearth__V1__GetQueueUserResponse *in, enum task_next *ret_next)
{
    struct device device;
    TRY(device_get(t, task->body.data, &device)); /* the body begins with the uuid */
    if (has_packages(in, bytes_of(device.queue_client_id, UUID_BYTES))) {
        *ret_next = TASK_NEXT_DONE;
        return devices_into_chats(c, t);
    }
    if (core_now_ms(c) > task->made_ms + GIVE_UP_MS)
        return ERR(CLIENT_LINK);
    task->not_before_ms = core_now_ms(c) + LOOK_MS;
    *ret_next = TASK_NEXT_WAIT;
    return ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->status->code != HEARTH_OK) {
        return task_step_refused(c, task, answer, ret_next);
    }
    *ret_next = TASK_NEXT_AGAIN;
    switch ((enum state)task->state) {
    case ADD:
        return added(c, t, task, (const void *)answer->out);
    case QUEUE:
        return queued(c, t, task, (const void *)answer->out);
    default:
        return seen(c, t, task, (const void *)answer->out, ret_next);
    }
}

/* It never came: its key does not stay among ours. */
static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    struct body body;
    struct hearth_id id;
    uint64_t removing;
    link_not_granted(c, task->number, error);
    if (task->state == ADD)
        return ERR_OK;
    TRY(body_read(task, &body));
    memcpy(id.bytes, body.uuid.data, sizeof id.bytes);
    struct err err = device_remove_begin(c, t, &id, &removing);
    return err.code == ERR_CLIENT_DEVICE ? ERR_OK : err;
}

const struct task_steps task_steps_DEVICE_ADD = {
    .prepare = prepare, .settle = settle, .failed = failed};
