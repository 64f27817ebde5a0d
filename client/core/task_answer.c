/* Answers of homeservers, and what is none. */
#include "client/core/task_inside.h"
#include "hearth/v1/common.pb-c.h"

enum {
    UNSAID_MS = 500, /* "later", without saying when */
    SAID_MOST_MS = 3600 * 1000,
    ODD_ANSWERS = 3 /* INTERNAL and the like, before they are believed */
};

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
        d.ms = seconds == 0 ? UNSAID_MS : seconds * 1000;
        d.ms = d.ms < SAID_MOST_MS ? d.ms : SAID_MOST_MS;
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
    c->trouble = (struct hearth_error){0};
    if (d.indefinite || d.odd) {
        core_error_of_status(status, &c->trouble);
        struct retry retry = {.number = e->number, .odd = !d.indefinite};
        struct err err = core_step(c, retry_run, &retry);
        (void)err; /* how often it was tried is not that important */
        if (!retry.settle) {
            e->due_us =
                task_now_us(c) + task_delay_us(c, d.said ? d.ms : task_delay_ms(retry.tries));
            c->kick_tasks = true;
            (void)hearth_timer_set(c->soon, 0);
            return;
        }
    }
    struct task_answer answer = {.status = status, .out = status->code == HEARTH_OK ? out : NULL};
    task_turn(e, &answer);
}

void task_on_answer(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct task_entry *e = arg;
    e->under_way = NULL;
    task_entry_stop(e);
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
