/* hearth_loop from the inside: an event_base, a door for other threads, timers, and a turn's end.
 *
 * A stepped loop has no event_base, no descriptors and a fake clock: its owner turns it, and time
 * moves only when nothing else can happen. On it run pipes (net/pipe.h) only.
 *
 * Connections with output queue themselves here and are flushed once per turn, so that everything a
 * turn of the loop produced for a peer leaves in one write.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>

#include "hearth/rpc.h"
#include "net/loop_task.h"
#include "net/pipe.h"
#include "rpc/env.h"

struct loop_post {
    struct loop_post *next;
    void (*fn)(void *arg);
    void *arg;
};

enum { LOOP_BUFFER_BYTES = 64 * 1024 + 16 * 1024 };

struct hearth_loop {
    struct rpc_env env;      /* timers run from timer_event */
    struct event_base *base; /* NULL: stepped */
    bool owns_base;
    int wake_fd;
    struct event wake_event;
    struct event timer_event;
    uint64_t timer_due_us; /* for which timer_event is armed; UINT64_MAX: not */
    struct event turn_event;
    struct loop_task *turn_first, **turn_last;
    bool in_turn;                   /* inside the turn's end */
    unsigned depth;                 /* inside a callback of this loop */
    struct loop_task *running_next; /* the rest of the turn's end that is running */
    pthread_mutex_t lock;           /* guards posts, stop */
    struct loop_post *post_first, **post_last;
    struct hearth_loop_watch *watches; /* under lock */
    bool stop;
    struct pipe_net pipes;
    struct clock_fake *fake; /* stepped only */
    struct clock fake_door;
    uint8_t *in;  /* scratch of LOOP_BUFFER_BYTES for reading: one per loop, not per connection */
    uint8_t *out; /* the same for writing */
};

/* Tells whoever watches that the loop goes. */
void loop_say_farewell(struct hearth_loop *loop);
/* Runs task->run before the loop sleeps again. */
void loop_at_turn_end(struct hearth_loop *loop, struct loop_task *task);
void loop_task_cancel(struct hearth_loop *loop, struct loop_task *task);
/* Around everything the event_base calls: callbacks know by depth that they are inside, and timers
 * that were armed meanwhile are seen. */
void loop_enter(struct hearth_loop *loop);
void loop_leave(struct hearth_loop *loop);
/* Timers of env were changed outside of loop_enter() and loop_leave(). */
void loop_timers_changed(struct hearth_loop *loop);
/* One turn: waits for events at most until the next is due. A stepped loop moves its clock instead
 * of waiting; it aborts when nothing can ever happen, since its caller would wait for ever. */
void loop_turn(struct hearth_loop *loop);
/* One turn that doesn't wait. */
void loop_turn_now(struct hearth_loop *loop);

/* clock and rng (NULL: the system's) are borrowed. The clock must not start at 0, which means
 * "never" in many places. NULL when out of memory. */
struct hearth_loop *loop_new_stepped(struct clock_fake *clock, const struct rng *rng);
/* Runs what can run without time moving on, one round of it. False: there was nothing. */
bool loop_step(struct hearth_loop *loop);
/* Steps until nothing is left to do at that time, moving the clock from timer to timer. */
void loop_run_until(struct hearth_loop *loop, uint64_t until_us);

#endif
