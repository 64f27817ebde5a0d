/* TASK_UNREGISTER. Others are told first, as far as that goes within some seconds: a homeserver
 * that is down must not keep anybody. */
#include "client/core/unregister.h"

#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/log.h"
#include "client/core/queue.h"
#include "client/core/task.h"
#include "hearth/v1/auth.pb-c.h"
#include "hearth/v1/queue.pb-c.h"
#include "seal/key_set.h"
#include "wire/writer.h"

enum { PATIENCE_MS = 15 * 1000, LOOK_MS = 500 };
enum unregister_state {
    UNREGISTER_LEAVE = 0,
    UNREGISTER_WAIT = 1,
    UNREGISTER_QUEUE = 2, /* DeleteQueueUser */
    UNREGISTER_USER = 3,  /* DeleteUser; the body is the last KeySet */
};

static const uint8_t unregister_lane[16] = "unregister";

/* ---- saying goodbye */

struct goodbye {
    struct core *core;
    struct db_txn *t;
    bool left;
};

static struct err give_up(void *arg, const struct handle_row *row)
{
    struct goodbye *g = arg;
    if (row->state == HANDLE_GOING)
        return ERR_OK;
    return handle_remove_begin(g->core, g->t, row->local, NULL);
}

static struct err is_left(void *arg, const struct handle_row *row)
{
    struct goodbye *g = arg;
    g->left |= row->state == HANDLE_GOING;
    return ERR_OK;
}

static struct err leave(struct core *c, struct db_txn *t, struct task *task,
                        enum task_next *ret_next)
{
    struct goodbye g = {.core = c, .t = t};
    TRY(handle_each(c, t, give_up, &g));
    TRY(unregister_leave(c, t));
    task->state = UNREGISTER_WAIT;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

static struct err wait_for_goodbye(struct core *c, struct db_txn *t, struct task *task,
                                   enum task_next *ret_next)
{
    struct goodbye g = {.core = c, .t = t};
    uint64_t now = core_now_ms(c);
    TRY(handle_each(c, t, is_left, &g));
    if ((g.left || task_anywhere(c, TASK_LEAVE)) && now < task->made_ms + PATIENCE_MS) {
        task->not_before_ms = now + LOOK_MS;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    task->state = UNREGISTER_QUEUE;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

/* ---- the homeserver */

static struct err ask_queue(struct core *c, struct task *task, struct task_call *call)
{
    Hearth__V1__DeleteQueueUserRequest in = HEARTH__V1__DELETE_QUEUE_USER_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    TRY(call_as_queue_user(&c->account, call));
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    return task_call_request(call, "Queue", "DeleteQueueUser", &in.base);
}

/* The last KeySet: nobody is in it. */
static struct err last_key_set(struct core *c, struct db_txn *t, struct buf *b)
{
    const struct account *a = &c->account;
    struct key_set before;
    uint8_t commitment[HASH_VALUE_BYTES];
    const struct sig_key *key = &a->client_key;
    const struct bytes id = bytes_of(a->client_uuid, sizeof a->client_uuid);
    TRY(key_set_parse(buf_view(&a->key_set), &before));
    TRY(log_commitment_before(c, t, buf_view(&a->key_set), commitment));
    struct key_set set = {.version = before.version + 1, .created_ms = core_now_ms(c)};
    set.label = before.label;
    set.prev_commitment = bytes_of(commitment, sizeof commitment);
    return key_set_make(b, &set, &key, &id, 1);
}

static struct err ask_user(struct core *c, struct db_txn *t, struct task *task,
                           struct task_call *call)
{
    Hearth__V1__DeleteUserRequest in = HEARTH__V1__DELETE_USER_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    if (task->body.len == 0)
        TRY(last_key_set(c, t, &task->body));
    TRY(call_as_client(&c->account, call));
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    in.idempotency = &id;
    in.key_set = core_out(buf_view(&task->body));
    return task_call_request(call, "Auth", "DeleteUser", &in.base);
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_CALL;
    switch ((enum unregister_state)task->state) {
    case UNREGISTER_LEAVE:
        return leave(c, t, task, ret_next);
    case UNREGISTER_WAIT:
        return wait_for_goodbye(c, t, task, ret_next);
    case UNREGISTER_QUEUE:
        return ask_queue(c, task, call);
    case UNREGISTER_USER:
        return ask_user(c, t, task, call);
    default:
        return ERR(INTERNAL);
    }
}

/* Nothing stays but the file and its passphrase. */
static struct err erase(struct core *c, struct db_txn *t)
{
    struct hearth_error error = {
        .result = HEARTH_FAILED, .name = "UNREGISTERED", .text = "the account was deleted"};
    tasks_drop_all(c, &error);
    TRY(db_erase(t));
    account_clear(&c->account);
    return ERR_OK;
}

/* Deleted already, by an answer that we did not hear, or by another device: it does not know us. */
static bool is_gone(const struct task_answer *answer)
{
    return answer->out != NULL || answer->status->code == HEARTH_UNAUTHENTICATED ||
           answer->status->code == HEARTH_NOT_FOUND;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    if (!is_gone(answer)) {
        return task_step_refused(c, task, answer, ret_next);
    }
    if (task->state == UNREGISTER_QUEUE) {
        task->state = UNREGISTER_USER;
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    *ret_next = TASK_NEXT_DONE;
    return erase(c, t);
}

const struct task_steps task_steps_UNREGISTER = {.prepare = prepare, .settle = settle};

struct err unregister_begin(struct core *c, struct db_txn *t, uint64_t *ret_task)
{
    bool there = false;
    TRY(task_in_lane(c, t, unregister_lane, TASK_UNREGISTER, &there));
    if (there || !c->account.registered)
        return ERR(WRONG_STATE);
    return task_add(c, t, TASK_UNREGISTER, unregister_lane, NULL, bytes_of(NULL, 0), ret_task);
}
