/* An account's life, its operations and its waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/door.h"
#include "client/core/event.h"
#include "client/core/task.h"
#include "net/loop.h"

enum { KEY_BYTES = 32 };

/* Option structs grow at their end: what an older caller does not know is zero. */
static bool take_options(const struct hearth_account_options *given,
                         struct hearth_account_options *ret_options)
{
    *ret_options = (struct hearth_account_options){.size = sizeof *ret_options};
    if (given == NULL || given->size < offsetof(struct hearth_account_options, passphrase))
        return false;
    memcpy(ret_options, given,
           given->size < sizeof *ret_options ? given->size : sizeof *ret_options);
    return ret_options->path != NULL &&
           (ret_options->passphrase == NULL) != (ret_options->key == NULL) &&
           (ret_options->loop == NULL || ret_options->base == NULL);
}

static bool open_account(const struct hearth_account_options *given, bool create,
                         struct hearth_account **ret_account, struct hearth_error *ret_error)
{
    struct hearth_account_options o;
    struct hearth_account *a = take_options(given, &o) ? calloc(1, sizeof *a) : NULL;
    struct err err = a != NULL ? ERR_OK : ERR(ARGUMENT);
    if (a != NULL && o.base != NULL && (a->loop = hearth_loop_new(o.base)) == NULL)
        err = ERR(NO_MEMORY);
    const struct core_options options = {
        .db = {.path = o.path,
               .passphrase = o.passphrase != NULL ? bytes_str(o.passphrase) : bytes_of(NULL, 0),
               .key = bytes_of(o.key, o.key != NULL ? KEY_BYTES : 0),
               .create = create,
               .clock = &clock_system,
               .rng = &rng_system},
        .api = {.clock = &clock_system,
                .rng = &rng_system,
                .ca_file = o.ca_file,
                .homeservers = o.homeservers,
                .user_agent = o.user_agent,
                .dns_servers = o.dns_servers},
        .loop = o.loop != NULL ? o.loop : (a != NULL ? a->loop : NULL),
    };
    if (err_is_ok(err))
        err = core_open(&options, &a->core);
    if (!err_is_ok(err)) {
        if (ret_error != NULL)
            core_error_of(err, ret_error);
        if (a != NULL && a->loop != NULL)
            hearth_loop_free(a->loop);
        free(a);
        return false;
    }
    a->core->handle = a;
    *ret_account = a;
    return true;
}

bool hearth_account_create(const struct hearth_account_options *options,
                           struct hearth_account **ret_account, struct hearth_error *ret_error)
{
    return open_account(options, true, ret_account, ret_error);
}

bool hearth_account_open(const struct hearth_account_options *options,
                         struct hearth_account **ret_account, struct hearth_error *ret_error)
{
    return open_account(options, false, ret_account, ret_error);
}

void hearth_account_close(struct hearth_account *a)
{
    if (a == NULL)
        return;
    core_close(a->core);
    if (a->loop != NULL)
        hearth_loop_free(a->loop);
    buf_clear(&a->event_text);
    buf_clear(&a->chat_text);
    buf_clear(&a->contact_text);
    buf_clear(&a->info_text);
    free(a);
}

/* ---- verbs and looks */

void hearth_account_error(struct hearth_account *a, struct hearth_error *ret_error)
{
    *ret_error = a->core->error;
}

struct hearth_op *verb_refuse(struct hearth_account *a, struct err err)
{
    core_error_of(err, &a->core->error);
    return NULL;
}

struct hearth_op *verb_usage(struct hearth_account *a, const char *text, const char *hint)
{
    struct hearth_error *e = &a->core->error;
    *e = (struct hearth_error){.result = HEARTH_USAGE, .name = "USAGE"};
    (void)snprintf(e->text, sizeof e->text, "%s", text);
    (void)snprintf(e->hint, sizeof e->hint, "%s", hint != NULL ? hint : "");
    return NULL;
}

struct verb_step {
    struct err (*step)(struct core *c, struct db_txn *t, void *verb);
    struct verb *verb;
};

static struct err step_verb(struct core *c, struct db_txn *t, void *arg)
{
    struct verb_step *v = arg;
    TRY(v->step(c, t, v->verb));
    return v->verb->task != 0 ? task_set_asked(c, t, v->verb->task) : ERR_OK;
}

struct hearth_op *verb_begin(struct hearth_account *a,
                             struct err (*step)(struct core *c, struct db_txn *t, void *verb),
                             struct verb *verb)
{
    struct hearth_op *op;
    struct verb_step asked = {step, verb};
    struct err err = core_step(a->core, step_verb, &asked);
    if (err_is_ok(err))
        err = op_new(a->core, verb->task, &verb->id, &op);
    return err_is_ok(err) ? op : verb_refuse(a, err);
}

bool door_look(struct hearth_account *a,
               struct err (*look)(struct core *c, struct db_txn *t, void *arg), void *arg)
{
    struct err err = core_step(a->core, look, arg);
    if (!err_is_ok(err))
        core_error_of(err, &a->core->error);
    return err_is_ok(err);
}

const char *door_text(struct buf *b, struct bytes text)
{
    size_t at = b->len;
    buf_append_bytes(b, text);
    buf_append_bytes(b, bytes_of((const uint8_t *)"", 1));
    return b->failed ? "" : (const char *)b->data + at;
}

/* ---- waiting */

static void on_time(void *arg)
{
    bool *over = arg;
    *over = true;
}

/* Turns the loop until *done or the time is over (0: no limit). */
static bool turn_until(struct hearth_account *a, const bool *done, uint32_t timeout_ms)
{
    struct hearth_loop *loop = a->core->loop;
    struct hearth_timer *timer = NULL;
    bool over = false;
    if (timeout_ms > 0) {
        timer = hearth_timer_new(loop, on_time, &over);
        over = timer == NULL || !hearth_timer_set(timer, timeout_ms);
    }
    while (!*done && !over)
        loop_turn(loop);
    hearth_timer_free(timer);
    return *done;
}

enum hearth_result hearth_op_wait(struct hearth_account *a, struct hearth_op *op,
                                  uint32_t timeout_ms, struct hearth_error *ret_error)
{
    struct hearth_error error = {0};
    if (op == NULL) {
        error = a->core->error;
    } else if (turn_until(a, &op->ended, timeout_ms)) {
        error = op->result;
        op_free(op);
    } else {
        op_detach(op);
        error = (struct hearth_error){
            .result = HEARTH_TIMED_OUT,
            .name = "TIMED_OUT",
            .text = "no answer within the time",
            .hint = "the operation goes on the next time the account is online"};
        const struct hearth_error *trouble = &a->core->trouble;
        (void)snprintf(error.cause, sizeof error.cause, "%.120s%s%.70s", trouble->text,
                       trouble->cause[0] != '\0' ? ": " : "", trouble->cause);
    }
    if (ret_error != NULL)
        *ret_error = error;
    return error.result;
}

void hearth_op_on_done(struct hearth_op *op,
                       void (*done)(const struct hearth_error *result, void *arg), void *arg)
{
    op_on_done(op, done, arg);
}

struct hearth_id hearth_op_id(const struct hearth_op *op)
{
    return op->id;
}

void hearth_op_on_progress(struct hearth_op *op,
                           void (*progress)(uint64_t done, uint64_t all, void *arg), void *arg)
{
    op->progress = progress;
    op->progress_arg = arg;
}

void hearth_op_detach(struct hearth_op *op)
{
    op_detach(op);
}

/* ---- events */

struct first_event {
    struct hearth_account *account;
    struct hearth_event event;
};

static struct err look_event(struct core *c, struct db_txn *t, void *arg)
{
    struct first_event *f = arg;
    buf_clear(&f->account->event_text);
    return event_first(c, t, &f->account->event_text, &f->event);
}

bool hearth_event_next(struct hearth_account *a, struct hearth_event *ret_event)
{
    struct first_event first = {.account = a};
    if (!err_is_ok(core_look(a->core, look_event, &first)))
        return false;
    *ret_event = first.event;
    return true;
}

static struct err take_event(struct core *c, struct db_txn *t, void *arg)
{
    const uint64_t *number = arg;
    return event_taken(c, t, *number);
}

bool hearth_event_taken(struct hearth_account *a, uint64_t number)
{
    return door_look(a, take_event, &number);
}

void hearth_account_on_event(struct hearth_account *a,
                             void (*fn)(struct hearth_account *account, void *arg), void *arg)
{
    a->core->on_event = fn;
    a->core->on_event_arg = arg;
}

/* What was told may have been taken since: then the waiting goes on. */
static void wake(struct hearth_account *a, void *arg)
{
    struct hearth_event event;
    (void)arg;
    a->woken = hearth_event_next(a, &event);
}

bool hearth_account_wait(struct hearth_account *a, uint32_t timeout_ms)
{
    struct hearth_event event;
    void (*fn)(struct hearth_account *, void *) = a->core->on_event;
    void *arg = a->core->on_event_arg;
    if (hearth_event_next(a, &event))
        return true;
    a->woken = false;
    hearth_account_on_event(a, wake, NULL);
    (void)turn_until(a, &a->woken, timeout_ms);
    hearth_account_on_event(a, fn, arg);
    return hearth_event_next(a, &event);
}

/* ---- ending well */

static void on_tick(void *arg)
{
    bool *turned = arg;
    *turned = true;
}

bool hearth_account_settle(struct hearth_account *a, uint32_t timeout_ms)
{
    enum { TICK_MS = 20, SOON_MS = 2000 };
    bool over = false, tick = false;
    struct hearth_timer *end = hearth_timer_new(a->core->loop, on_time, &over);
    struct hearth_timer *next = hearth_timer_new(a->core->loop, on_tick, &tick);
    bool good =
        end != NULL && next != NULL && hearth_timer_set(end, timeout_ms > 0 ? timeout_ms : 1);
    while (good && !over && (tasks_due(a->core, SOON_MS) || a->core->kick_tasks)) {
        tick = false;
        good = hearth_timer_set(next, TICK_MS);
        while (good && !tick && !over)
            loop_turn(a->core->loop);
    }
    hearth_timer_free(end);
    hearth_timer_free(next);
    return good && !over;
}
