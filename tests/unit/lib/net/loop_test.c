/* The loop: posts from many threads, tasks of a turn's end cancelled in all orders, fairness. */
#include <pthread.h>
#include <stdatomic.h>

#include "net/loop.h"
#include "support/test.h"

enum { THREADS = 6, POSTS = 2000 };

struct counting {
    struct hearth_loop *loop;
    unsigned count; /* on the loop's thread only */
};

static void count_one(void *arg)
{
    struct counting *c = arg;
    if (++c->count == THREADS * POSTS)
        hearth_loop_stop(c->loop);
}

static void *post_many(void *arg)
{
    struct counting *c = arg;
    for (int i = 0; i < POSTS; i++)
        assert_true(hearth_loop_post(c->loop, count_one, c));
    return NULL;
}

static void posts_from_many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct counting c = {.loop = hearth_loop_new(NULL)};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &c), 0);
    hearth_loop_run(c.loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.count, THREADS * POSTS);
    hearth_loop_free(c.loop);
}

enum { TASKS = 4 };

struct one {
    struct loop_task task; /* first */
    struct hearth_loop *loop;
    struct one *all;
    int cancels; /* which others, as bits, when it runs */
    int queues;
    int ran;
};

static void run_one(struct loop_task *task)
{
    struct one *o = (struct one *)(void *)task;
    if (o->ran++ > 0)
        return; /* does its deeds once */
    for (int i = 0; i < TASKS; i++) {
        if ((o->cancels >> i & 1) != 0)
            loop_task_cancel(o->loop, &o->all[i].task);
        if ((o->queues >> i & 1) != 0)
            loop_at_turn_end(o->loop, &o->all[i].task);
    }
}

/* Task `who` cancels the set, after itself the tasks of `again` are queued anew: no task runs that
 * was cancelled before its turn, every other does, and the list stays sound. */
static void tasks_cancelled_in_all_orders(void **state)
{
    (void)state;
    struct clock_fake clock = {.now_us = 1};
    struct hearth_loop *loop = loop_new_stepped(&clock, NULL);
    for (int who = 0; who < TASKS; who++) {
        for (int set = 0; set < 1 << TASKS; set++) {
            for (int again = 0; again < 1 << TASKS; again++) {
                struct one all[TASKS] = {{.queues = 0}};
                for (int i = 0; i < TASKS; i++) {
                    all[i].task.run = run_one;
                    all[i].loop = loop;
                    all[i].all = all;
                }
                all[who].cancels = set;
                all[who].queues = again;
                for (int i = 0; i < TASKS; i++)
                    loop_at_turn_end(loop, &all[i].task);
                while (loop_step(loop))
                    ;
                for (int i = 0; i < TASKS; i++) {
                    bool first = i <= who || (set >> i & 1) == 0;
                    bool second = (again >> i & 1) != 0 && (i <= who || (set >> i & 1) != 0);
                    /* one that is queued still and not cancelled runs once, not twice */
                    if (i == who)
                        second = (again >> i & 1) != 0;
                    assert_int_equal(all[i].ran, (first ? 1 : 0) + (second ? 1 : 0));
                    assert_false(all[i].task.queued);
                }
            }
        }
    }
    hearth_loop_free(loop);
}

static void cancelled_before_the_turn(void **state)
{
    (void)state;
    struct clock_fake clock = {.now_us = 1};
    struct hearth_loop *loop = loop_new_stepped(&clock, NULL);
    for (int set = 0; set < 1 << TASKS; set++) {
        struct one all[TASKS] = {{.queues = 0}};
        for (int i = 0; i < TASKS; i++) {
            all[i].task.run = run_one;
            loop_at_turn_end(loop, &all[i].task);
        }
        for (int i = TASKS - 1; i >= 0; i--) {
            if ((set >> i & 1) != 0)
                loop_task_cancel(loop, &all[i].task);
        }
        loop_task_cancel(loop, &all[0].task); /* the list's end must stay right */
        loop_at_turn_end(loop, &all[0].task);
        while (loop_step(loop))
            ;
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(all[i].ran, i == 0 || (set >> i & 1) == 0);
    }
    hearth_loop_free(loop);
}

static void queue_itself(struct loop_task *task)
{
    struct one *o = (struct one *)(void *)task;
    o->ran++;
    loop_at_turn_end(o->loop, task);
}

static void stop_it(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    hearth_loop_stop(arg);
}

/* A task that queues itself for ever does not keep the others from their turn. */
static void a_busy_task_lets_others_in(void **state)
{
    (void)state;
    struct hearth_loop *loop = hearth_loop_new(NULL);
    struct one busy = {.task.run = queue_itself, .loop = loop};
    struct timeval soon = {0, 20000};
    loop_at_turn_end(loop, &busy.task);
    event_base_once(hearth_loop_base(loop), -1, EV_TIMEOUT, stop_it, loop, &soon);
    hearth_loop_run(loop); /* a hang is the failure */
    assert_true(busy.ran > 1);
    loop_task_cancel(loop, &busy.task);
    hearth_loop_free(loop);
}

static void stop_before_run(void **state)
{
    (void)state;
    struct hearth_loop *loop = hearth_loop_new(NULL);
    hearth_loop_stop(loop);
    hearth_loop_run(loop);
    hearth_loop_free(loop);
}

struct told {
    struct hearth_loop *loop;
    int times;
};

static void note_farewell(void *arg)
{
    struct told *told = arg;
    told->times++;
    assert_true(hearth_loop_post(told->loop, note_farewell, told)); /* still possible, never run */
}

static void watches_are_told_once(void **state)
{
    (void)state;
    struct told told[3];
    struct hearth_loop_watch *watches[3];
    for (int left_out = 0; left_out < 3; left_out++) {
        struct hearth_loop *loop = hearth_loop_new(NULL);
        for (int i = 0; i < 3; i++) {
            told[i] = (struct told){loop, 0};
            watches[i] = hearth_loop_watch_new(loop, note_farewell, &told[i]);
            assert_non_null(watches[i]);
        }
        hearth_loop_watch_free(watches[left_out]);
        hearth_loop_free(loop);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(told[i].times, i != left_out);
            if (i != left_out)
                hearth_loop_watch_free(watches[i]);
        }
    }
    hearth_loop_watch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watches_are_told_once),
        cmocka_unit_test(posts_from_many_threads),
        cmocka_unit_test(tasks_cancelled_in_all_orders),
        cmocka_unit_test(cancelled_before_the_turn),
        cmocka_unit_test(a_busy_task_lets_others_in),
        cmocka_unit_test(stop_before_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
