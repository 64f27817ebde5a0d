/* A server frees its loops while stores still work: what they finish then must reach whoever asked,
 * once, and not the loop that is gone. For AddressSanitizer above all. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "server/front/front.h"
#include "support/store_dir.h"
#include "support/test.h"

static const struct stmt_row statements[] = {{"put", "INSERT INTO t (k) VALUES ($1)"}};
static const struct store_migration migrations[] = {{1, "CREATE TABLE t (k INTEGER PRIMARY KEY)"}};
static const struct store_schema schema = {migrations, 1, statements, 1};

static struct front_env env = {.domain = "a.test", .clock = &clock_system, .rng = &rng_system};
static struct front *front;
static struct store *store;
static struct store_dir dir;
static sem_t go, began;

struct job {
    uint64_t key;
    _Atomic unsigned done;
    struct err result;
    pthread_t thread; /* that was told */
};

static struct err slow_put(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    (void)sem_post(&began);
    (void)sem_wait(&go);
    struct stmt *s = stmt_use(txn, 0);
    stmt_bind_u64(s, 1, job->key);
    return stmt_run(s, NULL);
}

static void on_done(void *arg, struct err result)
{
    struct job *job = arg;
    job->result = result;
    job->thread = pthread_self();
    job->done++;
}

static int setup(void **state)
{
    (void)state;
    store_dir_make_fast(&dir);
    (void)sem_init(&go, 0, 0);
    (void)sem_init(&began, 0, 0);
    assert_ok(front_new(&env, NULL, &front));
    struct store_options options = {.path = dir.path, .schema = &schema};
    assert_ok(store_open(&options, NULL, &store));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    front_free(front);
    store_dir_remove(&dir);
    return 0;
}

static void submit(struct hearth_loop *loop, struct job *job)
{
    struct inbox *inbox;
    assert_ok(front_inbox(front, loop, &inbox));
    struct store_work work = {
        .principal = 1, .cost = 1, .run = slow_put, .done = on_done, .arg = job};
    assert_ok(store_submit(store, inbox, &work));
}

static void finished_after_the_loop_went(void **state)
{
    (void)state;
    struct job job = {.key = 1};
    struct hearth_loop *loop = hearth_loop_new(NULL);
    submit(loop, &job);
    (void)sem_wait(&began);
    hearth_loop_free(loop);
    (void)sem_post(&go);
    store_close(store);
    assert_int_equal(job.done, 0);
    front_free(front);
    front = NULL;
    assert_int_equal(job.done, 1);
    assert_ok(job.result);
    assert_true(pthread_equal(job.thread, pthread_self()));
}

static void finished_before_and_not_taken_yet(void **state)
{
    (void)state;
    struct job job = {.key = 1};
    struct hearth_loop *loop = hearth_loop_new(NULL);
    (void)sem_post(&go);
    submit(loop, &job);
    (void)sem_wait(&began);
    store_close(store); /* by now it is in the inbox, and the loop never ran */
    assert_int_equal(job.done, 0);
    hearth_loop_free(loop);
    front_free(front);
    front = NULL;
    assert_int_equal(job.done, 1);
    assert_true(pthread_equal(job.thread, pthread_self()));
}

static void submitted_for_a_loop_that_went(void **state)
{
    (void)state;
    struct job job = {.key = 1}, job2 = {.key = 2};
    struct hearth_loop *loop = hearth_loop_new(NULL);
    struct inbox *inbox;
    assert_ok(front_inbox(front, loop, &inbox));
    hearth_loop_free(loop);
    struct store_work work = {
        .principal = 1, .cost = 1, .run = slow_put, .done = on_done, .arg = &job};
    (void)sem_post(&go);
    assert_ok(store_submit(store, inbox, &work));
    (void)sem_wait(&began);
    /* another loop, perhaps at the same address, is another loop */
    struct hearth_loop *next = hearth_loop_new(NULL);
    struct inbox *next_inbox;
    assert_ok(front_inbox(front, next, &next_inbox));
    assert_ptr_not_equal(next_inbox, inbox);
    (void)sem_post(&go);
    submit(next, &job2);
    store_close(store);
    hearth_loop_free(next);
    front_free(front);
    front = NULL;
    assert_int_equal(job.done, 1);
    assert_int_equal(job2.done, 1);
}

static void the_front_goes_first(void **state)
{
    (void)state;
    struct hearth_loop *loop = hearth_loop_new(NULL);
    struct inbox *inbox;
    store_close(store);
    assert_ok(front_inbox(front, loop, &inbox));
    front_free(front);
    hearth_loop_free(loop); /* tells nobody */
    front = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finished_after_the_loop_went, setup, teardown),
        cmocka_unit_test_setup_teardown(finished_before_and_not_taken_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(submitted_for_a_loop_that_went, setup, teardown),
        cmocka_unit_test_setup_teardown(the_front_goes_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
