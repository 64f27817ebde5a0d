/* queue_accept_check() and what follows it, over the queue_accept() that the including file plays:
 * everything is fine with the references, a turn of the loop later. Included once by a program.
 */
#ifndef TESTS_SUPPORT_COURIER_ACCEPT_STEPS_H
#define TESTS_SUPPORT_COURIER_ACCEPT_STEPS_H

#include <stdlib.h>

#include "hearth/rpc.h"
#include "server/queue/queue.h"
#include "support/failing.h"
#include "support/test.h"

static struct hearth_loop *accept_steps_loop(void);

extern unsigned accept_steps_checks; /* so many batches were checked */
unsigned accept_steps_checks;

struct accept {
    struct queue *queue;
    struct bytes origin;
    const struct queue_row *rows;
    size_t count;
    struct inbox *inbox;
    void (*checked)(void *arg, struct err result);
    void *arg;
};

static void accept_steps_checked(void *arg)
{
    const struct accept *a = arg;
    a->checked(a->arg, ERR_OK);
}

struct err queue_accept_check(struct queue *queue, struct bytes origin,
                              const struct queue_row *rows, size_t count, struct inbox *inbox,
                              void (*checked)(void *arg, struct err result), void *arg,
                              struct accept **ret_accept)
{
    accept_steps_checks++;
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
    free(a);
    if (!err_is_ok(err))
        done(arg, err, NULL);
}

void queue_accept_drop(struct accept *a)
{
    free(a);
}

#endif
