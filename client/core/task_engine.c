/* The engine: whose turn it is, calls, answers, repeats. */
#include <stdlib.h>

#include "client/core/task_inside.h"
#include "hearth/v1/common.pb-c.h"

enum {
    IDLE_MS = 3600 * 1000,
    DELAY_FIRST_MS = 1000,
    DELAY_MOST_MS = 60 * 1000,
    DELAY_SAID_MOST_MS = 3600 * 1000,
    ODD_ANSWERS = 3, /* INTERNAL and the like, before they are believed */
    FAULTS_MOST = 5  /* steps that fail for no reason that could pass */
};

static void settle(struct task_entry *e, const struct hearth_status *status,
                   const ProtobufCMessage *out);

static uint64_t now_us(const struct core *c)
{
    return clock_monotonic_us(c->clock);
}

/* ---- the entries */

static struct task_lane *lane_of(struct tasks *tasks, struct task_entry *e)
{
    static const uint8_t zeros[16];
    if (memcmp(e->lane, zeros, 16) != 0)
        for (struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
            if (memcmp(l->id, e->lane, 16) == 0)
                return l;
    struct task_lane *l = e->room;
    e->room = NULL;
    memcpy(l->id, e->lane, 16);
    l->last = &l->first;
    l->next = tasks->lanes;
    tasks->lanes = l;
    return l;
}

/* By number: rows are read in no order. */
static void put_in_lane(struct tasks *tasks, struct task_entry *e)
{
    struct task_lane *l = lane_of(tasks, e);
    struct task_entry **at = &l->first;
    free(e->room);
    e->room = NULL;
    if (l->newest < e->number)
        at = l->last;
    while (*at != NULL && (*at)->number < e->number)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    if (e->next == NULL)
        l->last = &e->next;
    l->newest = e->number > l->newest ? e->number : l->newest;
}

struct task_entry *task_entry_new(struct core *c, const struct task *task)
{
    struct task_entry *e = calloc(1, sizeof *e);
    struct task_lane *room = calloc(1, sizeof *room);
    if (e == NULL || room == NULL) {
        free(e);
        free(room);
        return NULL;
    }
    e->number = task->number;
    e->kind = (uint32_t)task->kind;
    memcpy(e->lane, task->lane, sizeof e->lane);
    e->core = c;
    e->room = room;
    return e;
}

static void entry_stop(struct task_entry *e)
{
    if (e->under_way != NULL)
        api_cancel(e->under_way);
    e->under_way = NULL;
    if (e->run == RUN_STREAM && e->stream != NULL) {
        const struct task_steps *steps = task_steps_of(e->core->tasks, e->kind);
        if (steps != NULL && steps->stream_stop != NULL)
            steps->stream_stop(e->core, e->stream);
    }
    e->stream = NULL;
    task_call_free(e->call);
    e->call = NULL;
    e->run = RUN_READY;
}

void task_entry_free(struct task_entry *e)
{
    entry_stop(e);
    free(e->room);
    free(e);
}

/* Takes those that fit out of their lanes, and empty lanes away. */
static void sweep(struct tasks *tasks, bool (*is)(const struct task_entry *e, const void *arg),
                  const void *arg, struct task_entry **ret_taken)
{
    for (struct task_lane **l = &tasks->lanes; *l != NULL;) {
        struct task_lane *lane = *l;
        lane->last = &lane->first;
        while (*lane->last != NULL) {
            struct task_entry *e = *lane->last;
            if (!is(e, arg)) {
                lane->last = &e->next;
                continue;
            }
            *lane->last = e->next;
            e->next = *ret_taken;
            *ret_taken = e;
        }
        if (lane->first == NULL) {
            *l = lane->next;
            free(lane);
        } else {
            l = &lane->next;
        }
    }
}

static bool is_dropped(const struct task_entry *e, const void *arg)
{
    (void)arg;
    return e->dropped;
}

static bool is_any(const struct task_entry *e, const void *arg)
{
    (void)arg;
    return e != NULL;
}

struct task_entry *task_find(const struct tasks *tasks, uint64_t number)
{
    for (const struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
        for (struct task_entry *e = l->first; e != NULL; e = e->next)
            if (e->number == number)
                return e;
    return NULL;
}

bool tasks_has(const struct core *c, uint64_t number)
{
    return task_find(c->tasks, number) != NULL;
}

bool tasks_due(const struct core *c, uint32_t within_ms)
{
    uint64_t until = now_us(c) + (uint64_t)within_ms * 1000;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (l->first != NULL && (l->first->run != RUN_READY || l->first->due_us <= until))
            return true;
    return false;
}

uint32_t tasks_count(const struct core *c)
{
    uint32_t count = 0;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        for (const struct task_entry *e = l->first; e != NULL; e = e->next)
            count++;
    return count;
}

bool tasks_busy(const struct core *c)
{
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (l->first != NULL && !l->first->waiting)
            return true;
    return false;
}

void tasks_step_ended(struct core *c, bool ok)
{
    struct tasks *tasks = c->tasks;
    struct task_entry *added = tasks->added, *gone = NULL;
    tasks->added = NULL;
    while (added != NULL) {
        struct task_entry *e = added;
        added = e->next;
        if (ok)
            put_in_lane(tasks, e);
        else
            task_entry_free(e);
    }
    if (!ok) {
        for (struct task_lane *l = tasks->lanes; l != NULL; l = l->next)
            for (struct task_entry *e = l->first; e != NULL; e = e->next)
                e->dropped = false;
        return;
    }
    sweep(tasks, is_dropped, NULL, &gone);
    while (gone != NULL) {
        struct task_entry *e = gone;
        gone = e->next;
        ops_end_of(c, e->number, &e->dropped_error);
        task_entry_free(e);
    }
}

void task_call_free(struct task_call *call)
{
    if (call == NULL)
        return;
    buf_clear(&call->caller_id);
    sig_key_clear(&call->caller_key);
    buf_clear(&call->request);
    bytes_wipe(call, sizeof *call);
    free(call);
}

/* ---- a turn: one step of one task */

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

static struct err ask(struct core *c, struct db_txn *t, struct turn *turn,
                      const struct task_steps *steps)
{
    if (turn->fail) {
        turn->next = TASK_NEXT_FAILED;
        return ERR_OK;
    }
    turn->task.not_before_ms = 0;
    c->tasks->failing = (struct hearth_error){0};
    struct err err = turn->answer == NULL
                         ? steps->prepare(c, t, &turn->task, turn->call, &turn->next)
                         : steps->settle(c, t, &turn->task, turn->answer, &turn->next);
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
static uint64_t delay_us(struct core *c, uint64_t ms)
{
    uint8_t coin = 0;
    struct err err = rng_fill(c->rng, &coin, 1);
    (void)err; /* then there is no jitter */
    return (ms + ms * coin / 1024) * 1000;
}

static uint64_t delay_ms_of(unsigned tries)
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
    e->due_us = now_us(c) + delay_us(c, delay_ms_of(e->faults));
}

static void on_answer(const struct hearth_status *status, const ProtobufCMessage *out, void *arg);

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
    };
    ProtobufCMessage *in = protobuf_c_message_unpack(call->endpoint->request, NULL,
                                                     call->request.len, call->request.data);
    struct err err = ERR(NO_MEMORY);
    e->run = RUN_CALL;
    e->call = call;
    e->stream = NULL;
    if (in != NULL) {
        err = api_start(c->api, &to, call->endpoint, in, on_answer, e, &e->under_way);
        protobuf_c_message_free_unpacked(in, NULL);
    }
    if (!err_is_ok(err)) {
        e->under_way = NULL;
        entry_stop(e);
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
        e->due_us = until == 0 ? UINT64_MAX : now_us(c) + (until > now ? (until - now) * 1000 : 0);
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

static void take_turn(struct task_entry *e, const struct task_answer *answer)
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

/* ---- answers */

struct delay {
    bool indefinite;
    bool odd; /* believed after a few times */
    bool said;
    uint64_t ms;
};

/* Is that no answer? Whoever says when to come again has not decided anything. */
static struct delay delay_of(const struct hearth_status *status)
{
    struct delay d = {0};
    switch (status->code) {
    case HEARTH_OK:
        return d;
    case HEARTH_UNAVAILABLE:
    case HEARTH_DEADLINE_EXCEEDED:
    case HEARTH_CANCELLED:
        d.indefinite = true;
        break;
    case HEARTH_INTERNAL:
    case HEARTH_UNKNOWN:
    case HEARTH_DATA_LOSS:
        d.odd = true;
        break;
    default:
        break;
    }
    ProtobufCMessage *detail = hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    if (detail != NULL) {
        uint64_t seconds = ((const Hearth__V1__RetryAfter *)(const void *)detail)->seconds;
        protobuf_c_message_free_unpacked(detail, NULL);
        d.indefinite = d.said = true;
        d.ms = seconds == 0 ? DELAY_FIRST_MS / 2 : seconds * 1000;
        d.ms = d.ms < DELAY_SAID_MOST_MS ? d.ms : DELAY_SAID_MOST_MS;
    }
    return d;
}

struct retry {
    uint64_t number;
    uint32_t tries;
    bool odd, settle;
};

static struct err retry_run(struct core *c, struct db_txn *t, void *arg)
{
    struct retry *retry = arg;
    struct task task;
    (void)c;
    TRY(task_get(t, retry->number, &task));
    if (retry->odd && task.tries + 1 >= ODD_ANSWERS) {
        retry->settle = true;
        task_clear(&task);
        return ERR_OK;
    }
    retry->tries = task.tries++;
    struct err err = task_put(t, &task);
    task_clear(&task);
    return err;
}

static void settle(struct task_entry *e, const struct hearth_status *status,
                   const ProtobufCMessage *out)
{
    struct core *c = e->core;
    struct delay d = delay_of(status);
    e->run = RUN_READY;
    if (d.indefinite || d.odd) {
        struct retry retry = {.number = e->number, .odd = !d.indefinite};
        struct err err = core_step(c, retry_run, &retry);
        (void)err; /* how often it was tried is not that important */
        if (!retry.settle) {
            e->due_us = now_us(c) + delay_us(c, d.said ? d.ms : delay_ms_of(retry.tries));
            c->kick_tasks = true;
            (void)hearth_timer_set(c->soon, 0);
            return;
        }
    }
    struct task_answer answer = {.status = status, .out = status->code == HEARTH_OK ? out : NULL};
    take_turn(e, &answer);
}

static void on_answer(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct task_entry *e = arg;
    e->under_way = NULL;
    entry_stop(e);
    settle(e, status, out);
}

void task_stream_done(struct core *c, uint64_t number, const struct hearth_status *status,
                      const ProtobufCMessage *out)
{
    struct task_entry *e = task_find(c->tasks, number);
    if (e == NULL || e->run != RUN_STREAM)
        return;
    e->stream = NULL;
    settle(e, status, out);
}

/* ---- whose turn it is */

static struct task_entry *next_of(const struct core *c, uint64_t now)
{
    size_t under_way = 0;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        under_way += l->first != NULL && l->first->run != RUN_READY;
    if (under_way >= TASKS_AT_ONCE)
        return NULL;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next) {
        struct task_entry *e = l->first;
        if (e != NULL && e->run == RUN_READY && e->due_us <= now && e->round != c->tasks->round)
            return e;
    }
    return NULL;
}

static void set_timer(struct core *c)
{
    uint64_t now = now_us(c), due = now + (uint64_t)IDLE_MS * 1000;
    for (const struct task_lane *l = c->tasks->lanes; l != NULL; l = l->next)
        if (l->first != NULL && l->first->run == RUN_READY && l->first->due_us < due)
            due = l->first->due_us;
    (void)hearth_timer_set(c->tasks->timer, due <= now ? 0 : (uint32_t)((due - now + 999) / 1000));
}

void tasks_kick(struct core *c)
{
    struct task_entry *e;
    c->tasks->round++;
    while ((e = next_of(c, now_us(c))) != NULL) {
        e->round = c->tasks->round;
        if (task_steps_of(c->tasks, e->kind) == NULL)
            e->due_us = UINT64_MAX; /* of a newer program */
        else
            take_turn(e, NULL);
    }
    c->kick_tasks = false;
    set_timer(c);
}

static void on_timer(void *arg)
{
    struct core *c = arg;
    (void)hearth_timer_set(c->tasks->timer, IDLE_MS); /* stays set, so that setting it can't fail */
    tasks_kick(c);
}

/* ---- open and close */

static struct err open_one(void *arg, struct bytes id, struct bytes value)
{
    struct core *c = arg;
    struct task task;
    (void)id;
    TRY(task_read(value, &task));
    struct task_entry *e = task_entry_new(c, &task);
    if (e != NULL) {
        uint64_t now = core_now_ms(c);
        e->waiting = task.not_before_ms > now;
        e->due_us = e->waiting ? now_us(c) + (task.not_before_ms - now) * 1000 : 0;
        put_in_lane(c->tasks, e);
    }
    task_clear(&task);
    return e != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static struct err open_all(struct db_txn *t, void *arg)
{
    return db_each(t, DB_TASK, open_one, arg);
}

struct err tasks_open(struct core *c)
{
    c->tasks = calloc(1, sizeof *c->tasks);
    if (c->tasks == NULL)
        return ERR(NO_MEMORY);
    c->tasks->timer = hearth_timer_new(c->loop, on_timer, c);
    if (c->tasks->timer == NULL || !hearth_timer_set(c->tasks->timer, 0))
        return ERR(NO_MEMORY);
    return db_step(c->db, open_all, c);
}

void tasks_close(struct core *c)
{
    if (c->tasks == NULL)
        return;
    struct task_entry *all = NULL;
    sweep(c->tasks, is_any, NULL, &all);
    while (all != NULL) {
        struct task_entry *e = all;
        all = e->next;
        task_entry_free(e);
    }
    hearth_timer_free(c->tasks->timer);
    free(c->tasks);
    c->tasks = NULL;
}
