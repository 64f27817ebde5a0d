/* Handles: taken, refreshed, given up; offers that come for them. */
#include "client/core/handle.h"

#include <stdio.h>

#include "client/core/event.h"
#include "client/core/handle_inside.h"
#include "client/core/log_receipt.h"
#include "client/core/queue.h"
#include "hearth/v1/auth.pb-c.h"

enum { VERSIONS_MOST = 6 };

/* ---- taking one: its name, its packages */

enum add_state { ADD_CREATE = 0, ADD_PACKAGES = 1 };

static struct err ask_create(const struct task *task, struct handle_row *row,
                             const struct handle_body *body, struct task_call *call)
{
    Hearth__V1__CreateHandleRequest in = HEARTH__V1__CREATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.handle_hash = core_out(bytes_of(body->hash, sizeof body->hash));
    in.key_set = core_out(buf_view(&row->key_set));
    return task_call_request(call, "Auth", "CreateHandle", &in.base);
}

static struct err add_prepare(struct core *c, struct db_txn *t, struct task *task,
                              struct task_call *call, enum task_next *ret_next)
{
    struct handle_body body;
    struct handle_row row = {0};
    TRY(handle_body_read(task, &body));
    struct err err = handle_get(t, body.hash, &row);
    if (err_is_ok(err))
        err = handle_call(c, &row, call);
    if (err_is_ok(err) && task->state == ADD_CREATE)
        err = ask_create(task, &row, &body, call);
    else if (err_is_ok(err))
        err = handle_packages_call(c, t, task, &row, &body.request, call);
    if (err_is_ok(err))
        err = handle_body_set(task, &body);
    handle_row_clear(&row);
    buf_clear(&body.request);
    *ret_next = TASK_NEXT_CALL;
    return err;
}

/* A name that somebody had before goes on in its label's versions, loudly; which is next is not
 * said, so that the first few are tried. */
static struct err next_version(struct core *c, struct db_txn *t, struct task *task,
                               struct handle_row *row, struct handle_body *body)
{
    body->version++;
    buf_clear(&row->key_set);
    TRY(handle_key_set(c, t, row, body->version, true, false, &row->key_set));
    TRY(handle_put(t, row));
    TRY(handle_body_set(task, body));
    return task_renew(c, task);
}

static struct err created(struct core *c, struct db_txn *t, struct task *task,
                          struct handle_row *row)
{
    row->state = HANDLE_OURS;
    task->state = ADD_PACKAGES;
    TRY(handle_put(t, row));
    queue_handles_changed(c);
    return log_own(c, t);
}

static struct err refuse(struct core *c, struct task *task, const struct hearth_status *status,
                         enum task_next *ret_next)
{
    struct hearth_error error;
    core_error_of_status(status, &error);
    task_fail(c, task, &error);
    *ret_next = TASK_NEXT_FAILED;
    return ERR_OK;
}

static struct err add_answer(struct core *c, struct db_txn *t, struct task *task,
                             const struct task_answer *answer, struct handle_row *row,
                             struct handle_body *body, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_AGAIN;
    if (answer->out == NULL && task->state == ADD_CREATE &&
        answer->status->code == HEARTH_FAILED_PRECONDITION && body->version < VERSIONS_MOST)
        return next_version(c, t, task, row, body);
    if (answer->out == NULL)
        return refuse(c, task, answer->status, ret_next);
    if (task->state == ADD_CREATE) {
        const Hearth__V1__CreateHandleResponse *in = (const void *)answer->out;
        if (in->receipt != NULL)
            TRY(log_receipt_take(c, t, buf_view(&row->key_set), core_in(in->receipt->proof)));
        return created(c, t, task, row);
    }
    *ret_next = TASK_NEXT_DONE;
    task_wake(c, NULL); /* who registers waits for it */
    TRY(handle_published(c, t, row));
    return devices_tell_handles(c, t, NULL);
}

static struct err add_settle(struct core *c, struct db_txn *t, struct task *task,
                             const struct task_answer *answer, enum task_next *ret_next)
{
    struct handle_body body;
    struct handle_row row = {0};
    TRY(handle_body_read(task, &body));
    struct err err = handle_get(t, body.hash, &row);
    if (err_is_ok(err))
        err = add_answer(c, t, task, answer, &row, &body, ret_next);
    handle_row_clear(&row);
    buf_clear(&body.request);
    return err;
}

/* A name that we did not get is forgotten; one that lacks packages is ours all the same. */
static struct err add_failed(struct core *c, struct db_txn *t, struct task *task,
                             const struct hearth_error *error)
{
    struct handle_body body;
    (void)error;
    task_wake(c, NULL);
    if (task->state != ADD_CREATE)
        return ERR_OK;
    TRY(handle_body_read(task, &body));
    buf_clear(&body.request);
    return handle_drop(t, body.hash);
}

const struct task_steps task_steps_HANDLE_ADD = {
    .prepare = add_prepare, .settle = add_settle, .failed = add_failed};

/* ---- refreshing: the name and its packages */

enum refresh_state { REFRESH_NAME = 0, REFRESH_PACKAGES = 1 };

static struct err refresh_prepare(struct core *c, struct db_txn *t, struct task *task,
                                  struct task_call *call, enum task_next *ret_next)
{
    Hearth__V1__RefreshHandleRequest in = HEARTH__V1__REFRESH_HANDLE_REQUEST__INIT;
    if (task->state == REFRESH_PACKAGES)
        return add_prepare(c, t, task, call, ret_next);
    struct handle_body body;
    struct handle_row row = {0};
    TRY(handle_body_read(task, &body));
    struct err err = handle_get(t, body.hash, &row);
    if (err_is_ok(err))
        err = handle_call(c, &row, call);
    in.handle_hash = core_out(bytes_of(body.hash, sizeof body.hash));
    if (err_is_ok(err))
        err = task_call_request(call, "Auth", "RefreshHandle", &in.base);
    handle_row_clear(&row);
    buf_clear(&body.request);
    *ret_next = TASK_NEXT_CALL;
    return err;
}

static struct err refresh_settle(struct core *c, struct db_txn *t, struct task *task,
                                 const struct task_answer *answer, enum task_next *ret_next)
{
    if (task->state == REFRESH_PACKAGES)
        return add_settle(c, t, task, answer, ret_next);
    if (answer->out == NULL)
        return refuse(c, task, answer->status, ret_next);
    task->state = REFRESH_PACKAGES;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

const struct task_steps task_steps_HANDLE_PACKAGES = {.prepare = refresh_prepare,
                                                      .settle = refresh_settle};
_Static_assert((int)REFRESH_PACKAGES == (int)ADD_PACKAGES, "they share that state");

/* ---- giving one up */

static struct err remove_prepare(struct core *c, struct db_txn *t, struct task *task,
                                 struct task_call *call, enum task_next *ret_next)
{
    Hearth__V1__DeleteHandleRequest in = HEARTH__V1__DELETE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    struct handle_body body;
    struct handle_row row = {0};
    TRY(handle_body_read(task, &body));
    struct err err = handle_get(t, body.hash, &row);
    if (err_is_ok(err))
        err = handle_call(c, &row, call);
    if (err_is_ok(err) && body.request.len == 0) { /* the last KeySet; a repeat says the same */
        uint32_t version = 0;
        err = handle_version(&row, &version);
        if (err_is_ok(err))
            err = handle_key_set(c, t, &row, version + 1, false, true, &body.request);
        if (err_is_ok(err))
            err = handle_body_set(task, &body);
    }
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.handle_hash = core_out(bytes_of(body.hash, sizeof body.hash));
    in.key_set = core_out(buf_view(&body.request));
    if (err_is_ok(err))
        err = task_call_request(call, "Auth", "DeleteHandle", &in.base);
    handle_row_clear(&row);
    buf_clear(&body.request);
    *ret_next = TASK_NEXT_CALL;
    return err;
}

static struct err forget(struct core *c, struct db_txn *t, const uint8_t *hash)
{
    struct handle_row row;
    char text[HANDLE_TEXT_MAX_BYTES + 1];
    struct err err = handle_get(t, hash, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    handle_text(c, &row, text);
    handle_row_clear(&row);
    TRY(handle_drop(t, hash));
    queue_handles_changed(c);
    return devices_tell_handles(c, t, text);
}

/* The homeserver does not know it any more, or not as ours: then it is gone already. */
static struct err remove_settle(struct core *c, struct db_txn *t, struct task *task,
                                const struct task_answer *answer, enum task_next *ret_next)
{
    struct handle_body body;
    if (answer->out == NULL && answer->status->code != HEARTH_UNAUTHENTICATED &&
        answer->status->code != HEARTH_NOT_FOUND)
        return refuse(c, task, answer->status, ret_next);
    TRY(handle_body_read(task, &body));
    buf_clear(&body.request);
    task_wake(c, NULL);
    *ret_next = TASK_NEXT_DONE;
    return forget(c, t, body.hash);
}

static struct err remove_failed(struct core *c, struct db_txn *t, struct task *task,
                                const struct hearth_error *error)
{
    struct handle_body body;
    struct handle_row row;
    (void)error;
    task_wake(c, NULL);
    TRY(handle_body_read(task, &body));
    buf_clear(&body.request);
    struct err err = handle_get(t, body.hash, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    row.state = HANDLE_OURS;
    err = handle_put(t, &row);
    handle_row_clear(&row);
    queue_handles_changed(c);
    return err;
}

const struct task_steps task_steps_HANDLE_REMOVE = {
    .prepare = remove_prepare, .settle = remove_settle, .failed = remove_failed};

struct err handle_forget(struct core *c, struct db_txn *t, const char *handle)
{
    struct handle_row row;
    const char *at = strchr(handle, '@');
    struct bytes local = bytes_of(handle, at != NULL ? (size_t)(at - handle) : strlen(handle));
    struct err err = local.len > 0 ? handle_find(c, t, local, &row) : ERR(NOT_FOUND);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = handle_drop(t, row.hash);
    handle_row_clear(&row);
    queue_handles_changed(c);
    return err;
}
