/* queue_accept_check() and what follows it, over the queue_accept() that the including file plays:
 * everything is fine with the references, a turn of the loop later, unless accept_faults says
 * otherwise. Included once by a program.
 */
#ifndef TESTS_SUPPORT_COURIER_ACCEPT_STEPS_H
#define TESTS_SUPPORT_COURIER_ACCEPT_STEPS_H

#include <stdlib.h>

#include "hearth/rpc.h"
#include "server/queue/queue.h"
#include "support/courier/accept_faults.h"
#include "support/failing.h"
#include "support/test.h"

static struct hearth_loop *accept_steps_loop(void);

unsigned accept_steps_checks, accept_steps_live;
struct accept_faults accept_faults;

static bool accept_steps_draw(unsigned percent)
{
    return accept_faults.rng != NULL && rng_seeded_next(accept_faults.rng) % 100 < percent;
}

struct accept {
    struct queue *queue;
    struct bytes origin;
    const struct queue_row *rows;
    size_t count;
    struct inbox *inbox;
    void (*checked)(void *arg, struct err result);
    void *arg;
};

static void accept_steps_end(struct accept *a)
{
    accept_steps_live--;
    free(a);
}

static void accept_steps_checked(void *arg)
{
    struct accept *a = arg;
    void (*checked)(void *, struct err) = a->checked;
    void *told = a->arg;
    if (accept_steps_draw(accept_faults.slow)) {
        assert_true(hearth_loop_post(accept_steps_loop(), accept_steps_checked, a));
        return;
    }
    bool fails = accept_steps_draw(accept_faults.fail);
    if (fails)
        accept_steps_end(a);
    checked(told, fails ? ERR(TIMEOUT) : ERR_OK);
}

struct err queue_accept_check(struct queue *queue, struct bytes origin,
                              const struct queue_row *rows, size_t count, struct inbox *inbox,
                              void (*checked)(void *arg, struct err result), void *arg,
                              struct accept **ret_accept)
{
    if (accept_steps_draw(accept_faults.wont_start))
        return ERR(STORE_QUEUE_FULL);
    accept_steps_checks++;
    accept_steps_live++;
    test_pause_failing();
    struct accept *a = malloc(sizeof *a);
    assert_non_null(a);
    *a = (struct accept){queue, origin, rows, count, inbox, checked, arg};
    assert_true(hearth_loop_post(accept_steps_loop(), accept_steps_checked, a));
    test_resume_failing();
    *ret_accept = a;
    return ERR_OK;
}

void queue_accept_append(struct accept *a,
                         void (*done)(void *arg, struct err result,
                                      const enum queue_outcome *outcomes),
                         void *arg)
{
    struct err err = queue_accept(a->queue, a->origin, a->rows, a->count, a->inbox, done, arg);
    accept_steps_end(a);
    if (!err_is_ok(err))
        done(arg, err, NULL);
}

void queue_accept_drop(struct accept *a)
{
    accept_steps_end(a);
}

#endif
