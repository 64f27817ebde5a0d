/* TASK_REGISTER. */
#include "client/core/register.h"

#include <stdio.h>

#include "client/core/handle.h"
#include "client/core/homeserver.h"
#include "client/core/log_receipt.h"
#include "client/core/publish.h"
#include "client/core/queue.h"
#include "client/core/register_inside.h"
#include "client/core/token.h"
#include "hearth/v1/auth.pb-c.h"
#include "hearth/v1/info.pb-c.h"
#include "hearth/v1/queue.pb-c.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"

/* ---- requests */

static void call_on(struct core *c, struct task_call *call, const char *purpose)
{
    (void)snprintf(call->domain, sizeof call->domain, "%s", c->account.domain);
    core_purpose(purpose, bytes_of(NULL, 0), call->purpose);
}

static struct err ask_keys(struct task_call *call)
{
    Hearth__V1__GetKeysRequest in = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    call->anonymous = true;
    return task_call_request(call, "Info", "GetKeys", &in.base);
}

static struct err ask_challenge(struct core *c, struct task_call *call)
{
    Hearth__V1__GetRegistrationChallengeRequest in;
    hearth__v1__get_registration_challenge_request__init(&in);
    in.client_key = core_out(public_key_view(&c->account.client_key.public_key));
    return task_call_request(call, "Auth", "GetRegistrationChallenge", &in.base);
}

static struct err ask_user(struct core *c, struct task *task, struct task_call *call)
{
    const struct account *a = &c->account;
    struct register_body body;
    struct buf request = BUF_INIT;
    Hearth__V1__RegisterUserRequest in;
    Hearth__V1__RegistrationPermit permit;
    Hearth__V1__PuzzleSolution solution;
    Hearth__V1__Idempotency id;
    TRY(register_body_read(buf_view(&task->body), &body));
    TRY(credential_request_make(&request, buf_view(&a->client_id), &a->client_key));
    hearth__v1__register_user_request__init(&in);
    hearth__v1__registration_permit__init(&permit);
    hearth__v1__puzzle_solution__init(&solution);
    hearth__v1__idempotency__init(&id);
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    if (body.invited) {
        permit.permit_case = HEARTH__V1__REGISTRATION_PERMIT__PERMIT_INVITATION;
        permit.invitation = core_out(bytes_of(body.code, sizeof body.code));
    } else {
        permit.permit_case = HEARTH__V1__REGISTRATION_PERMIT__PERMIT_SOLUTION;
        permit.solution = &solution;
        solution.challenge = core_out(body.challenge);
        solution.solution = core_out(body.solution);
    }
    in.idempotency = &id;
    in.permit = &permit;
    in.credential_request = core_out(buf_view(&request));
    in.key_set = core_out(buf_view(&a->key_set));
    struct err err = task_call_request(call, "Auth", "RegisterUser", &in.base);
    buf_clear(&request);
    return err;
}

static struct err ask_queue(struct core *c, struct task *task, struct task_call *call)
{
    const struct account *a = &c->account;
    Hearth__V1__CreateQueueUserRequest in;
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__Idempotency id;
    hearth__v1__create_queue_user_request__init(&in);
    hearth__v1__queue_client_settings__init(&settings);
    hearth__v1__idempotency__init(&id);
    id.id = core_out(bytes_of(task->idempotency, sizeof task->idempotency));
    settings.auth_key = core_out(public_key_view(&a->queue_client_key.public_key));
    settings.queue_key = core_out(public_key_view(&a->queue_public));
    in.idempotency = &id;
    in.auth_key = core_out(public_key_view(&a->user.queue_user_key.public_key));
    in.contact_key = core_out(bytes_of(a->user.contact_key, sizeof a->user.contact_key));
    in.client = &settings;
    return task_call_request(call, "Queue", "CreateQueueUser", &in.base);
}

/* KeyPackages and the handle are tasks of their own, which go on in peace when they fail. */
static struct err leave_tasks(struct core *c, struct db_txn *t, struct task *task,
                              enum task_next *ret_next)
{
    struct register_body body;
    char local[64];
    TRY(register_body_read(buf_view(&task->body), &body));
    TRY(key_package_publish(c, t));
    TRY(log_own(c, t));
    if (body.handle.len > 0 && body.handle.len < sizeof local) {
        (void)snprintf(local, sizeof local, "%.*s", (int)body.handle.len,
                       (const char *)body.handle.data);
        TRY(handle_add_begin(c, t, local, NULL));
    }
    task->state = REGISTER_WAIT;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

static struct err wait_for_tasks(struct core *c, struct db_txn *t, struct task *task,
                                 enum task_next *ret_next)
{
    struct register_body body;
    bool publishing = false, taking = false, taken = true;
    TRY(register_body_read(buf_view(&task->body), &body));
    TRY(key_package_publishing(c, t, &publishing));
    if (body.handle.len > 0)
        TRY(handle_state(c, t, body.handle, &taking, &taken));
    *ret_next = publishing || taking ? TASK_NEXT_WAIT : TASK_NEXT_DONE;
    if (*ret_next == TASK_NEXT_DONE && !taken) {
        struct hearth_error error = {.result = HEARTH_FAILED,
                                     .name = "HANDLE",
                                     .text = "registered, but the handle was refused",
                                     .cause = "somebody has it, or the homeserver gives none now",
                                     .hint = "take another one"};
        task_fail(c, task, &error);
        *ret_next = TASK_NEXT_FAILED;
    }
    return ERR_OK;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    *ret_next = TASK_NEXT_CALL;
    call_on(c, call, task->state == REGISTER_QUEUE ? "queue" : "account");
    switch ((enum register_state)task->state) {
    case REGISTER_KEYS:
        return ask_keys(call);
    case REGISTER_CHALLENGE:
        return ask_challenge(c, call);
    case REGISTER_SOLVE:
        *ret_next = TASK_NEXT_STREAM;
        return ERR_OK;
    case REGISTER_USER:
        return ask_user(c, task, call);
    case REGISTER_QUEUE:
        return ask_queue(c, task, call);
    case REGISTER_PACKAGES:
        return leave_tasks(c, t, task, ret_next);
    case REGISTER_WAIT:
        return wait_for_tasks(c, t, task, ret_next);
    default:
        return ERR(INTERNAL);
    }
}

/* ---- answers */

static struct err take_keys(struct core *c, struct db_txn *t, struct task *task,
                            const ProtobufCMessage *out)
{
    struct register_body body;
    TRY(register_body_read(buf_view(&task->body), &body));
    TRY(homeserver_take(c, t, c->account.domain, out));
    if (c->account.credential.len != 0)
        task->state = REGISTER_QUEUE; /* of an earlier try */
    else
        task->state = body.invited ? REGISTER_USER : REGISTER_CHALLENGE;
    return ERR_OK;
}

static struct err take_challenge(struct core *c, struct task *task, const ProtobufCMessage *out,
                                 enum task_next *ret_next)
{
    const Hearth__V1__GetRegistrationChallengeResponse *in = (const void *)out;
    struct register_body body;
    TRY(register_body_read(buf_view(&task->body), &body));
    if (in->challenge.len == 0 || in->challenge.len > 512 || in->bits > PUZZLE_BITS_MOST) {
        struct hearth_error error = {.result = HEARTH_REFUSED,
                                     .grpc = HEARTH_PERMISSION_DENIED,
                                     .name = "AUTH_PERMIT",
                                     .text = "this homeserver wants an invitation",
                                     .hint = "ask its operator, or somebody who is there, for one"};
        if (in->challenge.len != 0)
            (void)snprintf(error.text, sizeof error.text,
                           "this homeserver's puzzle is too hard to be honest");
        task_fail(c, task, &error);
        *ret_next = TASK_NEXT_FAILED;
        return ERR_OK;
    }
    body.challenge = core_in(in->challenge);
    body.bits = in->bits;
    body.solution = bytes_of(NULL, 0);
    task->state = REGISTER_SOLVE;
    return register_body_set(task, &body);
}

static struct err take_solution(struct task *task, const ProtobufCMessage *out)
{
    const Hearth__V1__PuzzleSolution *in = (const void *)out;
    struct register_body body;
    TRY(register_body_read(buf_view(&task->body), &body));
    body.solution = core_in(in->solution);
    task->state = REGISTER_USER;
    return register_body_set(task, &body);
}

static struct err take_user(struct core *c, struct db_txn *t, struct task *task,
                            const ProtobufCMessage *out)
{
    const Hearth__V1__RegisterUserResponse *in = (const void *)out;
    TRY(account_take_credential(c, t, &c->account, core_in(in->credential),
                                core_in(in->signing_credential)));
    if (in->receipt != NULL)
        TRY(log_receipt_take(c, t, buf_view(&c->account.key_set), core_in(in->receipt->proof)));
    task->state = REGISTER_QUEUE;
    TRY(token_plan(c, t)); /* the first ones, at once: the queue may cost some */
    return account_write(&c->account, t);
}

static struct err take_queue(struct core *c, struct db_txn *t, struct task *task,
                             const ProtobufCMessage *out)
{
    const Hearth__V1__CreateQueueUserResponse *in = (const void *)out;
    struct account *a = &c->account;
    if (in->queue_user_id.len != UUID_BYTES || in->queue_client_id.len != UUID_BYTES)
        return ERR(WIRE_VALUE);
    memcpy(a->user.queue_user_id, in->queue_user_id.data, UUID_BYTES);
    memcpy(a->queue_client_id, in->queue_client_id.data, UUID_BYTES);
    a->registered = true;
    TRY(queue_begin(c, t));
    task->state = REGISTER_PACKAGES;
    return account_write(a, t);
}

/* A puzzle may have become too old while it was solved: another one, some times. */
static struct err refused(struct core *c, struct task *task, const struct hearth_status *status,
                          enum task_next *ret_next)
{
    struct register_body body;
    struct hearth_error error;
    TRY(register_body_read(buf_view(&task->body), &body));
    *ret_next = TASK_NEXT_FAILED;
    core_error_of_status(status, &error);
    task_fail(c, task, &error);
    if (task->state != REGISTER_USER || body.invited || status->code != HEARTH_PERMISSION_DENIED ||
        ++body.rounds >= REGISTER_ROUNDS)
        return ERR_OK;
    *ret_next = TASK_NEXT_AGAIN;
    task->state = REGISTER_CHALLENGE;
    return register_body_set(task, &body);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    if (answer->status->code != HEARTH_OK || answer->out == NULL)
        return refused(c, task, answer->status, ret_next);
    *ret_next = TASK_NEXT_AGAIN;
    switch ((enum register_state)task->state) {
    case REGISTER_KEYS:
        return take_keys(c, t, task, answer->out);
    case REGISTER_CHALLENGE:
        return take_challenge(c, task, answer->out, ret_next);
    case REGISTER_SOLVE:
        return take_solution(task, answer->out);
    case REGISTER_USER:
        return take_user(c, t, task, answer->out);
    case REGISTER_QUEUE:
        return take_queue(c, t, task, answer->out);
    case REGISTER_PACKAGES:
    case REGISTER_WAIT:
    default:
        return ERR(INTERNAL);
    }
}

/* Nothing of it is there any more, unless the homeserver has the user already. */
static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    (void)task;
    (void)error;
    if (c->account.credential.len != 0)
        return ERR_OK;
    TRY(homeserver_unpin(t, c->account.domain));
    account_clear(&c->account);
    return db_drop(t, DB_ACCOUNT, bytes_of(NULL, 0));
}

const struct task_steps task_steps_REGISTER = {
    .prepare = prepare,
    .settle = settle,
    .stream = register_solve,
    .stream_stop = register_solve_stop,
    .failed = failed,
};
