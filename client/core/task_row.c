/* Rows of DB_TASK, id uint64 number.
 *
 *     struct { uint8 version = 1; uint64 number; uint32 kind; uint32 state; opaque lane[16];
 *              opaque subject[16]; opaque idempotency[16]; uint32 tries; uint64 not_before_ms;
 *              uint64 made_ms; uint8 asked; opaque body<V>; uint8 pay_class; uint8 pay_refusals;
 *              uint32 pay_wanted; opaque pay_call[16]; opaque pay_tokens<V>; }
 *
 * Version 1, which is read, ends with the body.
 */
#include "client/core/task_inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_BEFORE_PAYMENT = 1, ROW_VERSION = 2 };
static const char counter[] = "task number"; /* DB_SETTING: uint64, the last one used */

void task_clear(struct task *task)
{
    buf_clear(&task->body);
    buf_clear(&task->payment.tokens);
    bytes_wipe(task, sizeof *task);
}

void task_write(struct buf *b, const struct task *task)
{
    wire_write_u8(b, ROW_VERSION);
    wire_write_u64(b, task->number);
    wire_write_u32(b, (uint32_t)task->kind);
    wire_write_u32(b, task->state);
    wire_write_fixed(b, bytes_of(task->lane, sizeof task->lane));
    wire_write_fixed(b, bytes_of(task->subject.bytes, sizeof task->subject.bytes));
    wire_write_fixed(b, bytes_of(task->idempotency, sizeof task->idempotency));
    wire_write_u32(b, task->tries);
    wire_write_u64(b, task->not_before_ms);
    wire_write_u64(b, task->made_ms);
    wire_write_u8(b, task->asked ? 1 : 0);
    wire_write_vector(b, buf_view(&task->body));
    const struct task_payment *p = &task->payment;
    wire_write_u8(b, p->class);
    wire_write_u8(b, p->refusals);
    wire_write_u32(b, p->wanted);
    wire_write_fixed(b, bytes_of(p->call_hash, sizeof p->call_hash));
    wire_write_vector(b, buf_view(&p->tokens));
}

static void read_fixed(struct wire_reader *r, uint8_t *out, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(out, view.data, len);
}

static void read_payment(struct wire_reader *r, struct task_payment *p)
{
    p->class = wire_read_u8(r);
    p->refusals = wire_read_u8(r);
    p->wanted = wire_read_u32(r);
    read_fixed(r, p->call_hash, sizeof p->call_hash);
    buf_append_bytes(&p->tokens, wire_read_vector(r));
}

struct err task_read(struct bytes in, struct task *ret_task)
{
    struct wire_reader r = wire_reader_of(in);
    struct task task = {0};
    uint8_t version = wire_read_u8(&r);
    if (version != ROW_VERSION && version != ROW_BEFORE_PAYMENT)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    task.number = wire_read_u64(&r);
    task.kind = (enum task_kind)wire_read_u32(&r);
    task.state = wire_read_u32(&r);
    read_fixed(&r, task.lane, sizeof task.lane);
    read_fixed(&r, task.subject.bytes, sizeof task.subject.bytes);
    read_fixed(&r, task.idempotency, sizeof task.idempotency);
    task.tries = wire_read_u32(&r);
    task.not_before_ms = wire_read_u64(&r);
    task.made_ms = wire_read_u64(&r);
    task.asked = wire_read_u8(&r) != 0;
    struct bytes body = wire_read_vector(&r);
    if (version == ROW_VERSION)
        read_payment(&r, &task.payment);
    if (!err_is_ok(wire_reader_end(&r))) {
        task_clear(&task);
        return ERR(STORE_CORRUPT);
    }
    task.body.limit = TASK_BODY_MAX_BYTES;
    buf_append_bytes(&task.body, body);
    struct err err = buf_check(&task.body);
    if (err_is_ok(err))
        err = buf_check(&task.payment.tokens);
    if (!err_is_ok(err)) {
        task_clear(&task);
        return err;
    }
    *ret_task = task;
    return ERR_OK;
}

static struct bytes id_of(uint64_t number, uint8_t id[8])
{
    for (size_t i = 0; i < 8; i++)
        id[i] = (uint8_t)(number >> (56 - 8 * i));
    return bytes_of(id, 8);
}

struct err task_get(struct db_txn *t, uint64_t number, struct task *ret_task)
{
    uint8_t id[8];
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_TASK, id_of(number, id), &value);
    if (err_is_ok(err))
        err = task_read(buf_view(&value), ret_task);
    buf_clear(&value);
    return err;
}

struct err task_put(struct db_txn *t, const struct task *task)
{
    uint8_t id[8];
    struct buf value = BUF_INIT;
    TRY(buf_check(&task->body));
    if (task->body.len > TASK_BODY_MAX_BYTES)
        return ERR(TOO_LARGE);
    task_write(&value, task);
    struct err err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_TASK, id_of(task->number, id), buf_view(&value));
    buf_clear(&value);
    return err;
}

struct err task_drop(struct db_txn *t, uint64_t number)
{
    uint8_t id[8];
    return db_drop(t, DB_TASK, id_of(number, id));
}

struct err task_next_number(struct db_txn *t, uint64_t *ret_number)
{
    struct buf value = BUF_INIT;
    uint8_t id[8];
    uint64_t number = 0;
    struct err err = db_get(t, DB_SETTING, bytes_str(counter), &value);
    if (err_is_ok(err)) {
        struct wire_reader r = wire_reader_of(buf_view(&value));
        number = wire_read_u64(&r);
        if (!err_is_ok(wire_reader_end(&r)))
            err = ERR(STORE_CORRUPT);
    } else if (err.code == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    buf_clear(&value);
    TRY(err);
    number++;
    TRY(db_put(t, DB_SETTING, bytes_str(counter), id_of(number, id)));
    *ret_number = number;
    return ERR_OK;
}
