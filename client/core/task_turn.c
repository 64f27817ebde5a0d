/* A turn: one step of one task, and what it leads to. */
#include <stdlib.h>

#include "client/core/task_inside.h"
#include "client/core/token_pay.h"

enum {
    DELAY_FIRST_MS = 1000,
    DELAY_MOST_MS = 60 * 1000,
    LOG_LOOK_MS = 2000,
    FAULTS_MOST = 5 /* steps that fail for no reason that could pass */
};

struct turn {
    struct task_entry *entry;
    struct task task; /* after it; kept for streams */
    struct task_call *call;
    const struct task_answer *answer; /* NULL: prepare */
    enum task_next next;
    struct hearth_error error; /* NEXT_FAILED */
    bool fail;                 /* no question: it has failed with error */
};

/* Keeps what the task has become, if that is something else than before. */
static struct err keep(struct core *c, struct db_txn *t, struct turn *turn,
                       const struct buf *before, uint32_t state, const uint8_t *idempotency)
{
    struct task *task = &turn->task;
    if (task->state != state) {
        task->tries = 0;
        if (turn->next != TASK_NEXT_CALL && memcmp(task->idempotency, idempotency, 16) == 0)
            TRY(task_renew(c, task));
    }
    struct buf after = BUF_INIT;
    task_write(&after, task);
    struct err err = buf_check(&after);
    if (err_is_ok(err) && !bytes_equal(buf_view(&after), buf_view(before)))
        err = task_put(t, task);
    buf_clear(&after);
    return err;
}

static struct err end(struct core *c, struct db_txn *t, struct turn *turn,
                      const struct task_steps *steps)
{
    if (turn->next == TASK_NEXT_FAILED) {
        if (turn->error.result == HEARTH_DONE)
            core_error_of(ERR(INTERNAL), &turn->error);
        if (steps->failed != NULL)
            TRY(steps->failed(c, t, &turn->task, &turn->error));
    } else {
        turn->error = (struct hearth_error){.result = HEARTH_DONE};
    }
    TRY(task_drop(t, turn->task.number));
    return task_end_event(c, t, &turn->task, &turn->error);
}

static struct err prepare(struct core *c, struct db_txn *t, struct turn *turn,
                          const struct task_steps *steps)
{
    TRY(steps->prepare(c, t, &turn->task, turn->call, &turn->next));
    if (turn->next != TASK_NEXT_CALL && turn->next != TASK_NEXT_STREAM)
        return ERR_OK;
    turn->task.not_before_ms = 0;
    return token_pay(c, t, &turn->task, turn->call, &turn->next);
}

static struct err settle(struct core *c, struct db_txn *t, struct turn *turn,
                         const struct task_steps *steps)
{
    TRY(receipt_take(c, t, &turn->entry->ask, turn->answer->status));
    if (token_demanded(&turn->task, turn->answer->status)) {
        turn->next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    return steps->settle(c, t, &turn->task, turn->answer, &turn->next);
}

static struct err ask(struct core *c, struct db_txn *t, struct turn *turn,
                      const struct task_steps *steps)
{
    if (turn->fail) {
        turn->next = TASK_NEXT_FAILED;
        return ERR_OK;
    }
    if (turn->task.not_before_ms <= core_now_ms(c)) /* else woken early: prepare may mind */
        turn->task.not_before_ms = 0;
    c->tasks->failing = (struct hearth_error){0};
    struct err err = turn->answer == NULL ? prepare(c, t, turn, steps) : settle(c, t, turn, steps);
    turn->error = c->tasks->failing;
    return err;
}

static struct err turn_run(struct core *c, struct db_txn *t, void *arg)
{
    struct turn *turn = arg;
    const struct task_steps *steps = task_steps_of(c->tasks, turn->entry->kind);
    struct buf before = BUF_INIT;
    uint8_t idempotency[16];
    TRY(task_get(t, turn->entry->number, &turn->task));
    task_write(&before, &turn->task);
    uint32_t state = turn->task.state;
    memcpy(idempotency, turn->task.idempotency, sizeof idempotency);
    struct err err = buf_check(&before);
    if (err_is_ok(err))
        err = ask(c, t, turn, steps);
    if (err_is_ok(err) && turn->next == TASK_NEXT_CALL && turn->answer == NULL &&
        turn->call->endpoint == NULL)
        err = ERR(INTERNAL);
    if (err_is_ok(err)) {
        if (turn->next == TASK_NEXT_DONE || turn->next == TASK_NEXT_FAILED)
            err = end(c, t, turn, steps);
        else
            err = keep(c, t, turn, &before, state, idempotency);
    }
    buf_clear(&before);
    return err;
}

/* Jitter of a quarter, so that not all come again at once. */
uint64_t task_delay_us(struct core *c, uint64_t ms)
{
    uint8_t coin = 0;
    struct err err = rng_fill(c->rng, &coin, 1);
    (void)err; /* then there is no jitter */
    return (ms + ms * coin / 1024) * 1000;
}

uint64_t task_delay_ms(unsigned tries)
{
    return tries >= 6 ? DELAY_MOST_MS : (uint64_t)DELAY_FIRST_MS << tries;
}

/* A fault that may pass, or not ours: say which. */
static bool is_theirs(struct err err)
{
    enum err_class class = err_class_of(err);
    return class == ERR_CLASS_CALLER || class == ERR_CLASS_PEER;
}

static void turn_failed(struct task_entry *e, struct err err)
{
    struct core *c = e->core;
    e->run = RUN_READY;
    if (err.code == ERR_CLIENT_LOG_LATER) { /* nobody's fault; woken by the log's answer */
        e->waiting = true;
        e->due_us = task_now_us(c) + (uint64_t)LOG_LOOK_MS * 1000;
        return;
    }
    e->faults++;
    if (!err_retry(err) && (is_theirs(err) || e->faults >= FAULTS_MOST)) {
        struct turn turn = {.entry = e, .fail = true};
        core_error_of(err, &turn.error);
        c->tasks->current = e;
        struct err again = core_step(c, turn_run, &turn);
        c->tasks->current = NULL;
        task_clear(&turn.task);
        if (err_is_ok(again)) {
            ops_end_of(c, e->number, &turn.error);
            e->dropped = true;
            tasks_step_ended(c, true);
            return;
        }
    }
    e->due_us = task_now_us(c) + task_delay_us(c, task_delay_ms(e->faults));
}

static void start_call(struct task_entry *e, struct task_call *call)
{
    struct core *c = e->core;
    struct api_to to = {
        .domain = call->domain,
        .purpose = call->anonymous ? NULL : call->purpose,
        .caller = {.kind = call->caller,
                   .id = buf_view(&call->caller_id),
                   .key = &call->caller_key},
        .deadline_ms = call->deadline_ms,
        .tokens = buf_view(&call->tokens),
        .receipt = true,
        .receipt_always = receipt_of_changes(call->endpoint->path),
    };
    ProtobufCMessage *in = protobuf_c_message_unpack(call->endpoint->request, NULL,
                                                     call->request.len, call->request.data);
    struct err err = ERR(NO_MEMORY);
    e->run = RUN_CALL;
    e->call = call;
    receipt_ask(&e->ask, call->domain, call->endpoint->path, buf_view(&call->request));
    e->stream = NULL;
    if (in != NULL) {
        err = api_start(c->api, &to, call->endpoint, in, task_on_answer, e, &e->under_way);
        protobuf_c_message_free_unpacked(in, NULL);
    }
    if (!err_is_ok(err)) {
        e->under_way = NULL;
        task_entry_stop(e);
        turn_failed(e, err);
    }
}

static void start_stream(struct task_entry *e, struct task *task)
{
    struct core *c = e->core;
    const struct task_steps *steps = task_steps_of(c->tasks, e->kind);
    uint64_t number = e->number;
    void *handle = NULL;
    e->run = RUN_STREAM;
    e->stream = NULL;
    steps->stream(c, task, &handle);
    e = task_find(c->tasks, number); /* it may have ended in there */
    if (e != NULL && e->run == RUN_STREAM)
        e->stream = handle;
}

static void turn_done(struct turn *turn)
{
    struct task_entry *e = turn->entry;
    struct core *c = e->core;
    e->faults = 0;
    switch (turn->next) {
    case TASK_NEXT_CALL:
        if (turn->answer == NULL) {
            struct task_call *call = turn->call;
            turn->call = NULL;
            start_call(e, call);
            return;
        }
        break; /* settle can't say that: as AGAIN */
    case TASK_NEXT_STREAM:
        if (turn->answer == NULL) {
            start_stream(e, &turn->task);
            return;
        }
        break;
    case TASK_NEXT_WAIT: {
        uint64_t until = turn->task.not_before_ms, now = core_now_ms(c);
        e->waiting = true;
        e->due_us =
            until == 0 ? UINT64_MAX : task_now_us(c) + (until > now ? (until - now) * 1000 : 0);
        return;
    }
    case TASK_NEXT_DONE:
    case TASK_NEXT_FAILED:
        ops_end_of(c, e->number, &turn->error);
        e->dropped = true;
        tasks_step_ended(c, true);
        return;
    case TASK_NEXT_AGAIN:
    default:
        break;
    }
    e->due_us = 0;
}

void task_turn(struct task_entry *e, const struct task_answer *answer)
{
    struct core *c = e->core;
    struct turn turn = {.entry = e, .answer = answer, .next = TASK_NEXT_AGAIN};
    struct err err = ERR_OK;
    e->waiting = false;
    if (answer == NULL) {
        turn.call = calloc(1, sizeof *turn.call);
        if (turn.call == NULL)
            err = ERR(NO_MEMORY);
    }
    c->tasks->current = e;
    if (err_is_ok(err))
        err = core_step(c, turn_run, &turn);
    c->tasks->current = NULL;
    if (!err_is_ok(err))
        turn_failed(e, err);
    else
        turn_done(&turn);
    task_call_free(turn.call);
    task_clear(&turn.task);
    c->kick_tasks = true;
    (void)hearth_timer_set(c->soon, 0);
}
