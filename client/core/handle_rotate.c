/* TASK_HANDLE_ROTATE: a handle gets another key, in the lane of the handle.
 *
 * The new key is written down before anybody hears of it. The request is signed by the key that the
 * homeserver has: the one before, or, where the answer to an attempt got lost, the new one. Where
 * it takes neither, another of our devices was quicker, or somebody who should not have had the
 * key: then the log shows a version that we did not make, which is told if no device of ours says
 * that it did.
 *
 *     body    struct { uint8 version = 1; opaque hash[32]; opaque key<V>; opaque key_set<V>;
 *                      opaque request<V>; uint8 by_new; }      key empty: not made yet
 */
#include "client/core/handle_inside.h"
#include "client/core/log_receipt.h"
#include "client/core/queue.h"
#include "hearth/v1/auth.pb-c.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROTATE_BODY_VERSION = 1 };

struct rotation {
    uint8_t hash[HANDLE_HASH_BYTES];
    struct bytes key, key_set, request; /* views into the body */
    bool by_new;
};

static struct err body_read(const struct task *task, struct rotation *ret)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    if (wire_read_u8(&r) != ROTATE_BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes hash = wire_read_fixed(&r, HANDLE_HASH_BYTES);
    ret->key = wire_read_vector(&r);
    ret->key_set = wire_read_vector(&r);
    ret->request = wire_read_vector(&r);
    ret->by_new = wire_read_present(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(ret->hash, hash.data, sizeof ret->hash);
    return ERR_OK;
}

static struct err body_set(struct task *task, const struct rotation *rotation)
{
    struct buf body = BUF_INIT;
    wire_write_u8(&body, ROTATE_BODY_VERSION);
    wire_write_fixed(&body, bytes_of(rotation->hash, sizeof rotation->hash));
    wire_write_vector(&body, rotation->key);
    wire_write_vector(&body, rotation->key_set);
    wire_write_vector(&body, rotation->request);
    wire_write_present(&body, rotation->by_new);
    struct err err = buf_check(&body);
    if (!err_is_ok(err)) {
        buf_clear(&body);
        return err;
    }
    buf_clear(&task->body);
    task->body = body;
    return ERR_OK;
}

/* ---- the verbs */

static struct err begin(struct core *c, struct db_txn *t, const uint8_t *hash, uint64_t *ret_task)
{
    uint8_t lane[16];
    struct task draft = {0};
    struct rotation rotation = {.by_new = false};
    memcpy(rotation.hash, hash, sizeof rotation.hash);
    handle_lane(hash, lane);
    struct err err = body_set(&draft, &rotation);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_HANDLE_ROTATE, lane, NULL, buf_view(&draft.body), ret_task);
    buf_clear(&draft.body);
    return err;
}

struct err handle_rotate_begin(struct core *c, struct db_txn *t, const char *local,
                               uint64_t *ret_task)
{
    struct handle_row row;
    if (local[0] == '\0')
        return ERR(NOT_FOUND);
    TRY(handle_find(c, t, bytes_str(local), &row));
    struct err err = row.state == HANDLE_OURS ? begin(c, t, row.hash, ret_task) : ERR(WRONG_STATE);
    handle_row_clear(&row);
    return err;
}

struct rotating {
    struct core *core;
    struct db_txn *t;
};

static struct err rotate_one(void *arg, const struct handle_row *row)
{
    const struct rotating *all = arg;
    uint8_t lane[16];
    bool there = false;
    if (row->state != HANDLE_OURS)
        return ERR_OK;
    handle_lane(row->hash, lane);
    TRY(task_in_lane(all->core, all->t, lane, TASK_HANDLE_ROTATE, &there));
    return there ? ERR_OK : begin(all->core, all->t, row->hash, NULL);
}

struct err handles_rotate(struct core *c, struct db_txn *t)
{
    struct rotating all = {c, t};
    return handle_each(c, t, rotate_one, &all);
}

/* ---- prepare */

static struct err build_request(const struct task *task, const struct rotation *rotation,
                                struct handle_packages *packages, struct bytes key_set,
                                struct task_call *call)
{
    Hearth__V1__RotateHandleRequest in = HEARTH__V1__ROTATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.handle_hash = core_out(bytes_of(rotation->hash, sizeof rotation->hash));
    in.key_set = core_out(key_set);
    in.packages = packages->rows;
    in.n_packages = HANDLE_PACKAGES_ALL;
    return task_call_request(call, "Auth", "RotateHandle", &in.base);
}

/* The new key, its KeySet and its packages: once, so that a repeat says the same. */
static struct err make(struct core *c, struct db_txn *t, struct task *task,
                       const struct handle_row *row, struct rotation *rotation,
                       struct task_call *call)
{
    struct sig_key next = {0};
    struct buf key_set = BUF_INIT;
    struct handle_packages packages = {.all = BUF_INIT};
    struct err err = sig_key_generate(&sig_ed25519, c->rng, &next);
    if (err_is_ok(err))
        err = handle_next_set(c, t, row, &next, &key_set);
    if (err_is_ok(err))
        err = handle_packages_make(c, t, row, &next, &packages);
    if (err_is_ok(err))
        err = build_request(task, rotation, &packages, buf_view(&key_set), call);
    if (err_is_ok(err)) {
        rotation->key = secret_view(&next.private_key);
        rotation->key_set = buf_view(&key_set);
        rotation->request = buf_view(&call->request);
        err = body_set(task, rotation);
    }
    buf_clear(&packages.all);
    buf_clear(&key_set);
    sig_key_clear(&next);
    return err;
}

static struct err say_again(const struct rotation *rotation, struct task_call *call)
{
    call->endpoint = api_endpoint("Auth", "RotateHandle");
    buf_append_bytes(&call->request, rotation->request);
    TRY(buf_check(&call->request));
    if (!rotation->by_new)
        return ERR_OK;
    sig_key_clear(&call->caller_key);
    return sig_key_init(&sig_ed25519, rotation->key, &call->caller_key);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    struct rotation rotation;
    struct handle_row row;
    TRY(body_read(task, &rotation));
    *ret_next = TASK_NEXT_DONE;
    struct err err = handle_get(t, rotation.hash, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* given up meanwhile */
    TRY(err);
    if (row.state == HANDLE_OURS) {
        *ret_next = TASK_NEXT_CALL;
        err = handle_call(c, &row, call);
        if (err_is_ok(err))
            err = rotation.request.len == 0 ? make(c, t, task, &row, &rotation, call)
                                            : say_again(&rotation, call);
    }
    handle_row_clear(&row);
    return err;
}

/* ---- settle */

static struct err take_key(struct core *c, struct db_txn *t, const struct rotation *rotation,
                           struct handle_row *row)
{
    sig_key_clear(&row->key);
    TRY(sig_key_init(&sig_ed25519, rotation->key, &row->key));
    row->key_set.len = 0;
    buf_append_bytes(&row->key_set, rotation->key_set);
    TRY(buf_check(&row->key_set));
    TRY(handle_published(c, t, row));
    queue_handles_changed(c); /* it listens under the new key */
    TRY(devices_tell_handles(c, t, NULL));
    return log_own(c, t);
}

static struct err rotated(struct core *c, struct db_txn *t, const struct task *task,
                          const Hearth__V1__RotateHandleResponse *in)
{
    struct rotation rotation;
    struct handle_row row;
    TRY(body_read(task, &rotation));
    struct err err = handle_get(t, rotation.hash, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (in->receipt != NULL)
        err = log_receipt_take(c, t, rotation.key_set, core_in(in->receipt->proof));
    if (err_is_ok(err))
        err = take_key(c, t, &rotation, &row);
    handle_row_clear(&row);
    return err;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    struct rotation rotation;
    TRY(body_read(task, &rotation));
    if (answer->out != NULL) {
        *ret_next = TASK_NEXT_DONE;
        return rotated(c, t, task, (const void *)answer->out);
    }
    if (answer->status->code != HEARTH_UNAUTHENTICATED || rotation.by_new)
        return task_step_refused(c, task, answer, ret_next);
    rotation.by_new = true;
    *ret_next = TASK_NEXT_AGAIN;
    return body_set(task, &rotation);
}

const struct task_steps task_steps_HANDLE_ROTATE = {.prepare = prepare, .settle = settle};
