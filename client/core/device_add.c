/* TASK_DEVICE_ADD.
 *
 *     ADD   AddClient; the credential goes to the new device over the relay (link.c)
 *     SEE   GetQueueUser, now and again, until as many clients as there are devices have
 * KeyPackages
 *
 *     body    struct { opaque uuid[16]; opaque name<V>; opaque request<V>; opaque key_set<V>; }
 */
#include "client/core/device_add.h"

#include <stdio.h>

#include "client/core/devices.h"
#include "client/core/task.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum state { ADD = 0, SEE = 1 };
enum { LOOK_MS = 2000, GIVE_UP_MS = 15 * 60 * 1000 };

struct body {
    struct bytes uuid, name, request, key_set;
};

static struct err body_read(const struct task *task, struct body *ret)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    ret->uuid = wire_read_fixed(&r, UUID_BYTES);
    ret->name = wire_read_vector(&r);
    ret->request = wire_read_vector(&r);
    ret->key_set = wire_read_vector(&r);
    return wire_reader_end(&r);
}

struct err device_add_begin(struct core *c, struct db_txn *t, const struct device_add *add,
                            uint64_t *ret_task)
{
    struct buf body = BUF_INIT;
    wire_write_fixed(&body, bytes_of(add->uuid, UUID_BYTES));
    wire_write_vector(&body, bytes_str(add->name));
    wire_write_vector(&body, add->credential_request);
    wire_write_vector(&body, add->key_set);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_DEVICE_ADD, NULL, NULL, buf_view(&body), ret_task);
    buf_clear(&body);
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct body body;
    Hearth__V1__AddClientRequest in = HEARTH__V1__ADD_CLIENT_REQUEST__INIT;
    Hearth__V1__GetQueueUserRequest look = HEARTH__V1__GET_QUEUE_USER_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    (void)t;
    *ret_next = TASK_NEXT_CALL;
    if (task->state == SEE)
        return queue_user_request(c, call, "GetQueueUser", &look.base);
    TRY(body_read(task, &body));
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.credential_request = core_out(body.request);
    in.key_set = core_out(body.key_set);
    return account_request(c, call, "AddClient", &in.base);
}

static struct err added(struct core *c, struct db_txn *t, struct task *task,
                        const Hearth__V1__AddClientResponse *in)
{
    struct body body;
    struct device device = {.added_ms = core_now_ms(c)};
    TRY(body_read(task, &body));
    if (body.name.len > DEVICE_NAME_MAX_BYTES)
        return ERR(WIRE_VALUE);
    memcpy(device.uuid, body.uuid.data, sizeof device.uuid);
    if (body.name.len > 0)
        memcpy(device.name, body.name.data, body.name.len);
    TRY(device_put(t, &device));
    TRY(device_tell(c, t, &device));
    TRY(own_key_set_next(c, t, body.key_set));
    TRY(devices_chat_begin(c, t));
    link_granted(c, task->number, core_in(in->credential), core_in(in->signing_credential));
    task->state = SEE;
    return ERR_OK;
}

struct known {
    struct db_txn *t;
    const struct core *c;
    struct bytes id;
    bool is;
};

static bool is_known(const struct hearth_device *shown, void *arg)
{
    struct known *k = arg;
    struct device device;
    const uint8_t *id = shown->self ? k->c->account.queue_client_id : NULL;
    if (id == NULL && err_is_ok(device_get(k->t, shown->id.bytes, &device)))
        id = device.queue_client_id;
    k->is |= id != NULL && bytes_equal(bytes_of(id, UUID_BYTES), k->id);
    return true;
}

/* Its queue is the one that is nobody else's. Where there are several, none is believed. */
static struct err note_queue(struct core *c, struct db_txn *t, const struct task *task,
                             const Hearth__V1__GetQueueUserResponse *in)
{
    struct device device;
    struct bytes found = bytes_of(NULL, 0);
    size_t unknown = 0;
    for (size_t i = 0; i < in->n_clients; i++) {
        struct known k = {t, c, core_in(in->clients[i]->queue_client_id), false};
        TRY(devices_each(c, t, is_known, &k));
        if (!k.is && k.id.len == UUID_BYTES) {
            found = k.id;
            unknown++;
        }
    }
    if (unknown != 1)
        return ERR_OK;
    TRY(device_get(t, task->body.data, &device)); /* the body begins with the uuid */
    memcpy(device.queue_client_id, found.data, UUID_BYTES);
    TRY(device_put(t, &device));
    return device_tell(c, t, &device);
}

static struct err seen(struct core *c, struct db_txn *t, struct task *task,
                       const Hearth__V1__GetQueueUserResponse *in, enum task_next *ret_next)
{
    size_t ready = 0;
    for (size_t i = 0; i < in->n_clients; i++)
        ready += in->clients[i]->key_packages > 0;
    if (ready >= devices_count(c)) {
        *ret_next = TASK_NEXT_DONE;
        TRY(note_queue(c, t, task, in));
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
    struct hearth_error error;
    if (answer->status->code != HEARTH_OK) {
        core_error_of_status(answer->status, &error);
        task_fail(c, task, &error);
        *ret_next = TASK_NEXT_FAILED;
        return ERR_OK;
    }
    *ret_next = TASK_NEXT_AGAIN;
    return task->state == ADD ? added(c, t, task, (const void *)answer->out)
                              : seen(c, t, task, (const void *)answer->out, ret_next);
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
