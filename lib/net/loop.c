#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- timers: one libevent timer for the whole heap ---- */

void loop_timers_changed(struct hearth_loop *loop)
{
    uint64_t due_us = timers_next_due_us(&loop->env.timers);
    if (due_us >= loop->timer_due_us || loop->base == NULL)
        return; /* armed for something sooner or equal: it looks again when it fires */
    uint64_t now_us = rpc_env_now_us(&loop->env);
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    struct timeval wait = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};
    event_add(&loop->timer_event, &wait);
    loop->timer_due_us = due_us;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct hearth_loop *loop = arg;
    (void)fd;
    (void)what;
    loop->timer_due_us = UINT64_MAX;
    loop_enter(loop);
    timers_run(&loop->env.timers, rpc_env_now_us(&loop->env), 0);
    loop_leave(loop);
}

void loop_enter(struct hearth_loop *loop)
{
    loop->depth++;
}

void loop_leave(struct hearth_loop *loop)
{
    loop->depth--;
    loop_timers_changed(loop);
}

/* ---- the end of a turn ---- */

/* Runs what is queued now; what that queues anew is left. */
static void run_turn_list(struct hearth_loop *loop)
{
    struct loop_task *task = loop->turn_first;
    loop->turn_first = NULL;
    loop->turn_last = &loop->turn_first;
    while (task != NULL) {
        loop->running_next = task->next;
        task->queued = false;
        task->run(task);
        task = loop->running_next;
    }
    loop->running_next = NULL;
}

/* What a task queues runs in the same end of the turn, but not for ever: a connection that always
 * has more to say must let the others read. */
static void on_turn_end(evutil_socket_t fd, short what, void *arg)
{
    enum { ROUNDS_MOST = 8 };
    static const struct timeval at_once = {0, 0};
    struct hearth_loop *loop = arg;
    (void)fd;
    (void)what;
    loop_enter(loop);
    loop->in_turn = true;
    for (int round = 0; round < ROUNDS_MOST && loop->turn_first != NULL; round++)
        run_turn_list(loop);
    loop->in_turn = false;
    if (loop->turn_first != NULL)
        event_add(&loop->turn_event, &at_once);
    loop_leave(loop);
}

void loop_at_turn_end(struct hearth_loop *loop, struct loop_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    if (loop->turn_first == NULL && !loop->in_turn && loop->base != NULL)
        event_active(&loop->turn_event, EV_TIMEOUT, 0);
    *loop->turn_last = task;
    loop->turn_last = &task->next;
}

void loop_task_cancel(struct hearth_loop *loop, struct loop_task *task)
{
    if (!task->queued)
        return;
    task->queued = false;
    if (loop->running_next == task) {
        loop->running_next = task->next;
        return;
    }
    for (struct loop_task *t = loop->running_next; t != NULL; t = t->next) {
        if (t->next == task) {
            t->next = task->next;
            return;
        }
    }
    for (struct loop_task **at = &loop->turn_first; *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            if (task->next == NULL)
                loop->turn_last = at;
            return;
        }
    }
}

/* ---- the door for other threads ---- */

/* True if there were any. */
static bool run_posts(struct hearth_loop *loop, bool *ret_stop)
{
    pthread_mutex_lock(&loop->lock);
    struct loop_post *post = loop->post_first;
    loop->post_first = NULL;
    loop->post_last = &loop->post_first;
    *ret_stop = loop->stop;
    loop->stop = false;
    pthread_mutex_unlock(&loop->lock);
    bool any = post != NULL;
    while (post != NULL) {
        struct loop_post *next = post->next;
        post->fn(post->arg);
        free(post);
        post = next;
    }
    return any;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct hearth_loop *loop = arg;
    uint64_t count;
    bool stop;
    (void)what;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    loop_enter(loop);
    (void)run_posts(loop, &stop);
    if (stop)
        event_base_loopbreak(loop->base);
    loop_leave(loop);
}

static void wake(struct hearth_loop *loop)
{
    uint64_t one = 1;
    while (loop->wake_fd >= 0 && write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ; /* EAGAIN: the counter is full, so it is awake already */
}

bool hearth_loop_post(struct hearth_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_post *post = malloc(sizeof *post);
    if (post == NULL)
        return false;
    *post = (struct loop_post){NULL, fn, arg};
    pthread_mutex_lock(&loop->lock);
    *loop->post_last = post;
    loop->post_last = &post->next;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
    return true;
}

void hearth_loop_stop(struct hearth_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

/* ---- life ---- */

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* one thread at a time by contract: no locks inside libevent; other threads come through the
     * wake fd */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static struct hearth_loop *make_loop(void)
{
    struct hearth_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->env = (struct rpc_env){.clock = &clock_system, .rng = &rng_system, .loop = loop};
    loop->wake_fd = -1;
    loop->in = malloc(LOOP_BUFFER_BYTES);
    loop->out = malloc(LOOP_BUFFER_BYTES);
    loop->turn_last = &loop->turn_first;
    loop->post_last = &loop->post_first;
    loop->timer_due_us = UINT64_MAX;
    pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

static void free_rest(struct hearth_loop *loop)
{
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->owns_base && loop->base != NULL)
        event_base_free(loop->base);
    pthread_mutex_destroy(&loop->lock);
    free(loop->in);
    free(loop->out);
    free(loop);
}

struct hearth_loop *hearth_loop_new(struct event_base *base)
{
    struct hearth_loop *loop = make_loop();
    if (loop == NULL)
        return NULL;
    loop->owns_base = base == NULL;
    loop->base = base != NULL ? base : make_base();
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->base == NULL || loop->wake_fd < 0 || loop->in == NULL || loop->out == NULL)
        goto fail;
    event_assign(&loop->wake_event, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    event_assign(&loop->timer_event, loop->base, -1, 0, on_timer, loop);
    event_assign(&loop->turn_event, loop->base, -1, 0, on_turn_end, loop);
    if (event_add(&loop->wake_event, NULL) != 0)
        goto fail;
    return loop;
fail:
    free_rest(loop);
    return NULL;
}

struct hearth_loop *loop_new_stepped(struct clock_fake *clock, const struct rng *rng)
{
    struct hearth_loop *loop = make_loop();
    if (loop == NULL)
        return NULL;
    loop->fake = clock;
    loop->fake_door = clock_of_fake(clock);
    loop->env.clock = &loop->fake_door;
    if (rng != NULL)
        loop->env.rng = rng;
    if (loop->in != NULL && loop->out != NULL)
        return loop;
    free_rest(loop);
    return NULL;
}

void hearth_loop_free(struct hearth_loop *loop)
{
    if (loop == NULL)
        return;
    loop_say_farewell(loop);
    /* who was freed inside a callback waits for the turn's end to go */
    while (loop->turn_first != NULL)
        run_turn_list(loop);
    if (loop->base != NULL) {
        event_del(&loop->wake_event);
        event_del(&loop->timer_event);
        event_del(&loop->turn_event);
    }
    while (loop->post_first != NULL) {
        struct loop_post *post = loop->post_first;
        loop->post_first = post->next;
        free(post);
    }
    rpc_env_clear(&loop->env);
    free_rest(loop);
}

/* ---- turning ---- */

bool loop_step(struct hearth_loop *loop)
{
    bool stop;
    loop_enter(loop);
    bool did = run_posts(loop, &stop);
    if (timers_next_due_us(&loop->env.timers) <= rpc_env_now_us(&loop->env)) {
        timers_run(&loop->env.timers, rpc_env_now_us(&loop->env), 0);
        did = true;
    }
    if (loop->turn_first != NULL) {
        run_turn_list(loop);
        did = true;
    }
    loop->depth--;
    if (stop) { /* for hearth_loop_run(), whose business it is */
        pthread_mutex_lock(&loop->lock);
        loop->stop = true;
        pthread_mutex_unlock(&loop->lock);
    }
    return did;
}

/* False: nothing can happen before until_us. */
static bool step_or_move(struct hearth_loop *loop, uint64_t until_us)
{
    if (loop_step(loop))
        return true;
    uint64_t due_us = timers_next_due_us(&loop->env.timers);
    if (due_us == UINT64_MAX || due_us > until_us)
        return false;
    loop->fake->now_us = due_us;
    return loop_step(loop);
}

void loop_run_until(struct hearth_loop *loop, uint64_t until_us)
{
    while (step_or_move(loop, until_us))
        ;
    if (loop->fake->now_us < until_us)
        loop->fake->now_us = until_us;
}

void loop_turn(struct hearth_loop *loop)
{
    if (loop->base == NULL) {
        if (!step_or_move(loop, UINT64_MAX))
            abort(); /* whoever waits would wait for ever */
        return;
    }
    loop_timers_changed(loop);
    event_base_loop(loop->base, EVLOOP_ONCE);
}

void loop_turn_now(struct hearth_loop *loop)
{
    if (loop->base == NULL) {
        (void)loop_step(loop);
        return;
    }
    loop_timers_changed(loop);
    event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static bool take_stop(struct hearth_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool stop = loop->stop;
    loop->stop = false;
    pthread_mutex_unlock(&loop->lock);
    return stop;
}

void hearth_loop_run(struct hearth_loop *loop)
{
    loop_timers_changed(loop);
    if (loop->base != NULL)
        event_base_dispatch(loop->base);
    else
        while (!take_stop(loop) && step_or_move(loop, UINT64_MAX))
            ;
}

struct event_base *hearth_loop_base(struct hearth_loop *loop)
{
    return loop->base;
}
