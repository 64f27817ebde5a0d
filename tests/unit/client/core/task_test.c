/* The engine of tasks, with kinds made for it, against a small server: order, repeats, restarts at
 * every point, streams, ends. */
#include <stdio.h>

#include "net/loop.h" /* before event.h, for a while */

#include "client/core/event.h"
#include "client/core/op.h"
#include "client/core/task.h"
#include "hearth/v1/info_rpc.h"
#include "support/test.h"
#include "support/vfs_fault.h"

enum { KIND_CALL = 1000, KIND_STREAM = 1001, KIND_UNKNOWN = 1002, LOG = 64 };
enum { STEP_CALL = 0, STEP_TWICE = 1, STEP_WAITED = 2 };

static struct {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct vfs_fault *vfs;
    struct hearth_server *server;
    struct core *core;
    /* the server */
    enum hearth_code answers[8]; /* in order, then OK */
    unsigned answered;
    uint32_t retry_after; /* told with the answer when above 0 */
    /* what the kinds heard and say */
    char log[LOG][32];
    size_t logged;
    bool twice, wait, refuse, theirs, ours, wake_others;
    uint64_t wait_ms;
    uint8_t ids[LOG][16];
    size_t id_count;
    void *stream;
    bool stream_stopped;
    bool failed_called;
} w;

static void say(const char *what, uint64_t number)
{
    assert_true(w.logged < LOG);
    (void)snprintf(w.log[w.logged++], sizeof w.log[0], "%s %u", what, (unsigned)number);
}

static void assert_log(const char *const *want, size_t count)
{
    for (size_t i = 0; i < count && i < w.logged; i++)
        assert_string_equal(w.log[i], want[i]);
    assert_int_equal(w.logged, count);
}
#define ASSERT_LOG(...)                            \
    assert_log((const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- the server */

static enum hearth_code get_server_info(struct hearth_call *call,
                                        const Hearth__V1__GetServerInfoRequest *in,
                                        Hearth__V1__GetServerInfoResponse *out, void *self)
{
    (void)in;
    (void)self;
    enum hearth_code code = w.answered < 8 ? w.answers[w.answered] : HEARTH_OK;
    w.answered++;
    out->oldest_version = w.answered;
    if (code == HEARTH_OK)
        return code;
    if (w.retry_after == 0)
        return hearth_call_fail(call, code, "because\tof a test");
    Hearth__V1__RetryAfter detail = HEARTH__V1__RETRY_AFTER__INIT;
    detail.seconds = w.retry_after;
    return hearth_call_fail_detail(call, code, "later", &detail.base);
}

/* ---- a kind that calls */

static struct err call_prepare(struct core *c, struct db_txn *t, struct task *task,
                               struct task_call *call, enum task_next *ret_next)
{
    Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
    say("prepare", task->number);
    memcpy(w.ids[w.id_count++], task->idempotency, 16);
    if (w.theirs)
        return ERR(CREDENTIAL);
    if (w.ours)
        return ERR(STORE_IO);
    if (w.wake_others)
        task_wake(c, NULL);
    if (w.wait && task->state != STEP_WAITED) {
        task->not_before_ms = w.wait_ms;
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    /* what is written here must go with the step that it belongs to */
    TRY(db_put(t, DB_SETTING, bytes_str("prepared"), bytes_of("x", 1)));
    (void)snprintf(call->domain, sizeof call->domain, "a.test");
    call->anonymous = true;
    *ret_next = TASK_NEXT_CALL;
    return task_call_request(call, "Info", "GetServerInfo", &in.base);
}

static struct err call_settle(struct core *c, struct db_txn *t, struct task *task,
                              const struct task_answer *answer, enum task_next *ret_next)
{
    (void)t;
    char text[32];
    (void)snprintf(text, sizeof text, "settle %s", hearth_code_name(answer->status->code));
    say(text, task->number);
    assert_true((answer->out != NULL) == (answer->status->code == HEARTH_OK));
    if (answer->status->code != HEARTH_OK) {
        struct hearth_error error;
        core_error_of_status(answer->status, &error);
        task_fail(c, task, &error);
        *ret_next = TASK_NEXT_FAILED;
        return ERR_OK;
    }
    if (w.twice && task->state == STEP_CALL) {
        task->state = STEP_TWICE;
        buf_append(&task->body, "more", 4);
        *ret_next = TASK_NEXT_AGAIN;
        return ERR_OK;
    }
    *ret_next = TASK_NEXT_DONE;
    return ERR_OK;
}

static struct err call_failed(struct core *c, struct db_txn *t, struct task *task,
                              const struct hearth_error *error)
{
    (void)c;
    (void)t;
    (void)task;
    assert_int_not_equal(error->result, HEARTH_DONE);
    w.failed_called = true;
    return ERR_OK;
}

static const struct task_steps call_kind = {
    .prepare = call_prepare, .settle = call_settle, .failed = call_failed};

/* ---- a kind that streams */

static struct err stream_prepare(struct core *c, struct db_txn *t, struct task *task,
                                 struct task_call *call, enum task_next *ret_next)
{
    (void)c;
    (void)t;
    (void)call;
    say("prepare", task->number);
    *ret_next = TASK_NEXT_STREAM;
    return ERR_OK;
}

static void stream_begin(struct core *c, struct task *task, void **ret_handle)
{
    (void)c;
    say("stream", task->number);
    test_assert_bytes(buf_view(&task->body), bytes_str("body"));
    w.stream = &w;
    *ret_handle = &w;
}

static void stream_stop(struct core *c, void *handle)
{
    (void)c;
    assert_ptr_equal(handle, &w);
    w.stream_stopped = true;
}

static const struct task_steps stream_kind = {.prepare = stream_prepare,
                                              .settle = call_settle,
                                              .stream = stream_begin,
                                              .stream_stop = stream_stop};

/* ---- the world */

static void open_core(bool create)
{
    static const uint8_t key[32] = {1};
    struct core_options options = {
        .db = {.path = "account.db",
               .key = bytes_of(key, sizeof key),
               .create = create,
               .clock = &w.clock,
               .rng = &w.rng,
               .files = "tasks"},
        .api = {.homeservers = "a.test=pipe:a"},
        .loop = w.loop,
    };
    assert_ok(core_open(&options, &w.core));
    tasks_add_kind(w.core, KIND_CALL, &call_kind);
    tasks_add_kind(w.core, KIND_STREAM, &stream_kind);
}

static int begin(void **state)
{
    (void)state;
    static const struct hearth_info_service info = {.get_server_info = get_server_info};
    memset(&w, 0, sizeof w);
    w.fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = UINT64_C(1800000000000)};
    w.clock = clock_of_fake(&w.fake);
    rng_seeded_init(&w.seeded, 1);
    w.rng = rng_of_seeded(&w.seeded);
    w.loop = loop_new_stepped(&w.fake, &w.rng);
    w.vfs = vfs_fault_new("tasks");
    w.server = hearth_server_new(&(struct hearth_server_options){.no_health = true});
    assert_true(hearth_server_add_info(w.server, &info, NULL));
    assert_true(hearth_server_listen(w.server, "pipe:a", NULL));
    assert_true(hearth_server_start_on(w.server, w.loop));
    open_core(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    core_close(w.core);
    hearth_server_free(w.server);
    while (loop_step(w.loop))
        ;
    hearth_loop_free(w.loop);
    vfs_fault_free(w.vfs);
    return 0;
}

static void run_ms(uint64_t ms)
{
    loop_run_until(w.loop, w.fake.now_us + ms * 1000);
}

/* As kill -9 would: nothing is said to anybody, the file is what was written. */
static void restart(void)
{
    core_close(w.core);
    while (loop_step(w.loop))
        ;
    open_core(false);
}

struct adding {
    enum task_kind kind;
    const uint8_t *lane;
    uint64_t number;
    bool fail;
};

static struct err add_run(struct core *c, struct db_txn *t, void *arg)
{
    struct adding *a = arg;
    TRY(task_add(c, t, a->kind, a->lane, NULL, bytes_str("body"), &a->number));
    TRY(task_set_asked(c, t, a->number));
    return a->fail ? ERR(CANCELLED) : ERR_OK;
}

static uint64_t add(uint32_t kind, const uint8_t *lane)
{
    struct adding a = {.kind = (enum task_kind)kind, .lane = lane};
    assert_ok(core_step(w.core, add_run, &a));
    return a.number;
}

struct ending {
    unsigned times;
    struct hearth_error error;
};

static void on_done(const struct hearth_error *result, void *arg)
{
    struct ending *e = arg;
    e->times++;
    e->error = *result;
}

static void watch(uint64_t task, struct ending *e)
{
    struct hearth_op *op;
    assert_ok(op_new(w.core, task, NULL, &op));
    op_on_done(op, on_done, e);
}

static struct err first_event(struct core *c, struct db_txn *t, void *arg)
{
    struct hearth_event *event = arg;
    static char text[512];
    struct buf scratch = BUF_INIT;
    struct err err = event_first(c, t, &scratch, event);
    if (err_is_ok(err)) {
        (void)snprintf(text, sizeof text, "%s", event->text);
        event->text = text;
        err = event_taken(c, t, event->number);
    }
    buf_clear(&scratch);
    return err;
}

/* ---- */

static void test_call_and_end(void **state)
{
    (void)state;
    struct ending e = {0};
    watch(add(KIND_CALL, NULL), &e);
    assert_int_equal(e.times, 0);
    run_ms(100);
    assert_int_equal(e.times, 1);
    assert_int_equal(e.error.result, HEARTH_DONE);
    ASSERT_LOG("prepare 1", "settle OK 1");
    assert_int_equal(tasks_count(w.core), 0);
    struct hearth_event event;
    assert_err(core_step(w.core, first_event, &event), NOT_FOUND);
    /* one that is gone already has nothing left to wait for */
    watch(1, &e);
    run_ms(1);
    assert_int_equal(e.times, 2);
}

static void test_failed_step_adds_nothing(void **state)
{
    (void)state;
    struct adding a = {.kind = (enum task_kind)KIND_CALL, .fail = true};
    assert_err(core_step(w.core, add_run, &a), CANCELLED);
    run_ms(100);
    assert_int_equal(w.logged, 0);
    assert_int_equal(tasks_count(w.core), 0);
    assert_int_equal(add(KIND_CALL, NULL), 1); /* the number was not used */
}

static void test_states_draw_ids_and_restarts_keep_them(void **state)
{
    (void)state;
    w.twice = true;
    (void)add(KIND_CALL, NULL);
    run_ms(100);
    ASSERT_LOG("prepare 1", "settle OK 1", "prepare 1", "settle OK 1");
    assert_memory_not_equal(w.ids[0], w.ids[1], 16);
    /* killed between prepare and settle: asked again with the same id */
    w.logged = w.id_count = 0;
    w.twice = false;
    (void)add(KIND_CALL, NULL);
    while (w.logged < 1)
        (void)loop_step(w.loop);
    restart();
    run_ms(100);
    ASSERT_LOG("prepare 2", "prepare 2", "settle OK 2");
    assert_memory_equal(w.ids[0], w.ids[1], 16);
    struct hearth_event event;
    assert_ok(core_step(w.core, first_event, &event)); /* of task 1, that nobody waited for */
    assert_ok(core_step(w.core, first_event, &event));
    assert_int_equal(event.kind, HEARTH_EVENT_OPERATION);
    assert_int_equal(event.message, 2);
    assert_int_equal(event.result, HEARTH_DONE);
}

static void test_no_answer_is_repeated(void **state)
{
    (void)state;
    w.answers[0] = HEARTH_UNAVAILABLE;
    w.answers[1] = HEARTH_DEADLINE_EXCEEDED;
    w.answers[2] = HEARTH_RESOURCE_EXHAUSTED;
    struct ending e = {0};
    hearth_server_free(w.server); /* nobody there at all */
    w.server = NULL;
    watch(add(KIND_CALL, NULL), &e);
    run_ms(500);
    ASSERT_LOG("prepare 1");
    run_ms(20000);
    assert_true(w.logged >= 3); /* 1 s, 2 s, 4 s, ... */
    assert_true(w.logged <= 8);
    assert_int_equal(e.times, 0);
}

static void test_refusal_is_settled_and_overload_is_not(void **state)
{
    (void)state;
    struct ending e = {0};
    w.answers[0] = HEARTH_RESOURCE_EXHAUSTED;
    w.retry_after = 30;
    watch(add(KIND_CALL, NULL), &e);
    run_ms(29000);
    ASSERT_LOG("prepare 1");
    run_ms(10000);
    ASSERT_LOG("prepare 1", "prepare 1", "settle OK 1");
    assert_int_equal(e.times, 1);
    w.retry_after = 0;
    w.logged = w.answered = 0;
    watch(add(KIND_CALL, NULL), &e);
    run_ms(100);
    ASSERT_LOG("prepare 2", "settle RESOURCE_EXHAUSTED 2");
    assert_int_equal(e.times, 2);
    assert_int_equal(e.error.result, HEARTH_REFUSED);
    assert_int_equal(e.error.grpc, HEARTH_RESOURCE_EXHAUSTED);
    assert_string_equal(e.error.text, "because?of a test"); /* nothing that a terminal obeys */
    assert_true(w.failed_called);
}

static void test_odd_answers_are_believed_in_the_end(void **state)
{
    (void)state;
    struct ending e = {0};
    for (int i = 0; i < 8; i++)
        w.answers[i] = HEARTH_INTERNAL;
    watch(add(KIND_CALL, NULL), &e);
    run_ms(60000);
    ASSERT_LOG("prepare 1", "prepare 1", "prepare 1", "settle INTERNAL 1");
    assert_int_equal(e.times, 1);
}

static void test_lanes_are_in_order_side_by_side(void **state)
{
    (void)state;
    const uint8_t one[16] = {1}, two[16] = {2};
    w.answers[0] = HEARTH_RESOURCE_EXHAUSTED; /* the first of lane one has to come again */
    w.retry_after = 5;
    (void)add(KIND_CALL, one);
    (void)add(KIND_CALL, one);
    while (w.answered == 0)
        (void)loop_step(w.loop);
    (void)add(KIND_CALL, two);
    (void)add(KIND_CALL, one);
    run_ms(100);
    ASSERT_LOG("prepare 1", "prepare 3", "settle OK 3");
    restart(); /* the order is in the rows */
    w.logged = 0;
    run_ms(1000);
    ASSERT_LOG("prepare 1", "settle OK 1", "prepare 2", "settle OK 2", "prepare 4", "settle OK 4");
}

static struct err wake_run(struct core *c, struct db_txn *t, void *arg)
{
    (void)t;
    task_wake(c, arg);
    return ERR_OK;
}

static void test_waiting(void **state)
{
    (void)state;
    const uint8_t one[16] = {1}, two[16] = {2};
    w.wait = true;
    (void)add(KIND_CALL, one);
    run_ms(1000);
    ASSERT_LOG("prepare 1");
    assert_ok(core_step(w.core, wake_run, (void *)(uintptr_t)two));
    run_ms(1000);
    ASSERT_LOG("prepare 1");
    assert_ok(core_step(w.core, wake_run, (void *)(uintptr_t)one));
    run_ms(1000);
    ASSERT_LOG("prepare 1", "prepare 1");
    /* by time, also over a restart */
    w.wait_ms = clock_unix_ms(&w.clock) + 5000;
    assert_ok(core_step(w.core, wake_run, NULL));
    run_ms(1000);
    w.wait = false;
    restart();
    run_ms(3000);
    ASSERT_LOG("prepare 1", "prepare 1", "prepare 1");
    run_ms(2000);
    ASSERT_LOG("prepare 1", "prepare 1", "prepare 1", "prepare 1", "settle OK 1");
}

static void test_waking_from_ones_own_step_is_no_wheel(void **state)
{
    (void)state;
    w.wait = w.wake_others = true;
    (void)add(KIND_CALL, NULL);
    run_ms(1000);
    ASSERT_LOG("prepare 1");
}

static void test_faults(void **state)
{
    (void)state;
    struct ending e = {0};
    w.theirs = true; /* what a hostile answer leads to: the task fails, and the lane goes on */
    const uint8_t one[16] = {1};
    watch(add(KIND_CALL, one), &e);
    run_ms(100);
    assert_int_equal(e.times, 1);
    assert_int_equal(e.error.result, HEARTH_UNVERIFIED);
    assert_string_equal(e.error.name, "CREDENTIAL");
    assert_true(w.failed_called);
    w.theirs = false;
    w.ours = true; /* what may pass is tried again */
    w.logged = 0;
    watch(add(KIND_CALL, one), &e);
    run_ms(30000);
    assert_true(w.logged >= 3);
    w.ours = false;
    run_ms(60000);
    assert_int_equal(e.times, 2);
    assert_int_equal(e.error.result, HEARTH_DONE);
}

static void test_disk_error_in_a_step(void **state)
{
    (void)state;
    struct ending e = {0};
    watch(add(KIND_CALL, NULL), &e);
    vfs_fail(w.vfs, VFS_WRITE, VFS_ERROR, 0, 1);
    run_ms(10000);
    assert_int_equal(e.times, 0);
    restart();
    run_ms(1000);
    assert_int_equal(tasks_count(w.core), 0);
}

static void test_stream(void **state)
{
    (void)state;
    struct ending e = {0};
    uint64_t number = add(KIND_STREAM, NULL);
    watch(number, &e);
    run_ms(100);
    ASSERT_LOG("prepare 1", "stream 1");
    struct hearth_status gone = {.code = HEARTH_UNAVAILABLE};
    task_stream_done(w.core, number, &gone, NULL);
    run_ms(3000);
    ASSERT_LOG("prepare 1", "stream 1", "prepare 1", "stream 1");
    assert_false(w.stream_stopped);
    restart(); /* stopped, and begun anew */
    assert_true(w.stream_stopped);
    task_stream_done(w.core, number, &gone, NULL); /* too late for the old life: nothing */
    w.logged = 0;
    run_ms(10);
    ASSERT_LOG("prepare 1", "stream 1");
    struct hearth_status fine = {.code = HEARTH_OK};
    Hearth__V1__GetServerInfoResponse out;
    hearth__v1__get_server_info_response__init(&out);
    task_stream_done(w.core, number, &fine, &out.base);
    run_ms(10);
    assert_int_equal(tasks_count(w.core), 0);
}

struct dropping {
    const uint8_t *lane;
    bool there;
};

static struct err drop_run(struct core *c, struct db_txn *t, void *arg)
{
    struct dropping *d = arg;
    struct hearth_error error;
    bool there = false;
    core_error_of(ERR(CANCELLED), &error);
    TRY(task_add(c, t, (enum task_kind)KIND_CALL, d->lane, NULL, bytes_str("body"), NULL));
    TRY(task_in_lane(c, t, d->lane, (enum task_kind)KIND_CALL, &there));
    assert_true(there);
    TRY(task_drop_lane(c, t, d->lane, &error));
    TRY(task_in_lane(c, t, d->lane, (enum task_kind)KIND_CALL, &d->there));
    return ERR_OK;
}

static void test_dropped_lane(void **state)
{
    (void)state;
    const uint8_t one[16] = {1}, two[16] = {2};
    struct ending a = {0}, b = {0}, c = {0};
    watch(add(KIND_CALL, one), &a);
    watch(add(KIND_CALL, one), &b);
    w.wait = true;
    watch(add(KIND_CALL, two), &c);
    while (w.logged < 2)
        (void)loop_step(w.loop);
    w.wait = false;
    struct dropping d = {.lane = one, .there = true};
    assert_ok(core_step(w.core, drop_run, &d));
    assert_false(d.there);
    run_ms(1000);
    assert_int_equal(a.times, 1);
    assert_int_equal(b.times, 1);
    assert_string_equal(a.error.name, "CANCELLED");
    assert_int_equal(c.times, 0);
    assert_true(w.failed_called);
    assert_int_equal(tasks_count(w.core), 1);
    restart();
    assert_int_equal(tasks_count(w.core), 1);
}

static void test_unknown_kind_stays(void **state)
{
    (void)state;
    (void)add(KIND_UNKNOWN, NULL);
    (void)add(KIND_CALL, NULL);
    run_ms(1000);
    restart();
    run_ms(1000);
    assert_int_equal(tasks_count(w.core), 1);
    assert_int_equal(w.answered, 1);
}

static void test_detached_op_leaves_an_event(void **state)
{
    (void)state;
    struct hearth_op *op;
    assert_ok(op_new(w.core, add(KIND_CALL, NULL), NULL, &op));
    op_detach(op);
    run_ms(1000);
    struct hearth_event event;
    assert_ok(core_step(w.core, first_event, &event));
    assert_int_equal(event.kind, HEARTH_EVENT_OPERATION);
    assert_null(w.core->ops);
}

static struct err nest_run(struct core *c, struct db_txn *t, void *arg)
{
    (void)t;
    return core_step(c, add_run, arg);
}

static void test_steps_do_not_nest(void **state)
{
    (void)state;
    struct adding a = {.kind = (enum task_kind)KIND_CALL};
    assert_err(core_step(w.core, nest_run, &a), WRONG_STATE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_call_and_end),
        TEST(test_failed_step_adds_nothing),
        TEST(test_states_draw_ids_and_restarts_keep_them),
        TEST(test_no_answer_is_repeated),
        TEST(test_refusal_is_settled_and_overload_is_not),
        TEST(test_odd_answers_are_believed_in_the_end),
        TEST(test_lanes_are_in_order_side_by_side),
        TEST(test_waiting),
        TEST(test_waking_from_ones_own_step_is_no_wheel),
        TEST(test_faults),
        TEST(test_disk_error_in_a_step),
        TEST(test_stream),
        TEST(test_dropped_lane),
        TEST(test_unknown_kind_stays),
        TEST(test_detached_op_leaves_an_event),
        TEST(test_steps_do_not_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
