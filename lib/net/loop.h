/* hearth_loop from the inside: an event_base, a door for other threads, timers, and a turn's end.
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
#include "rpc/env.h"

/* Embedded in whoever wants a turn's end; queued at most once. */
struct loop_task {
    struct loop_task *next;
    bool queued;
    void (*run)(struct loop_task *self);
};

struct loop_post {
    struct loop_post *next;
    void (*fn)(void *arg);
    void *arg;
};

enum { LOOP_BUFFER_BYTES = 64 * 1024 + 16 * 1024 };

struct hearth_loop {
    struct rpc_env env; /* timers run from timer_event */
    struct event_base *base;
    bool owns_base;
    int wake_fd;
    struct event wake_event;
    struct event timer_event;
    uint64_t timer_due_us; /* for which timer_event is armed; UINT64_MAX: not */
    struct event turn_event;
    struct loop_task *turn_first, **turn_last;
    struct loop_task *running_next; /* the rest of the turn's end that is running */
    pthread_mutex_t lock;           /* guards posts, stop */
    struct loop_post *post_first, **post_last;
    bool stop;
    uint8_t *in;  /* scratch of LOOP_BUFFER_BYTES for reading: one per loop, not per connection */
    uint8_t *out; /* the same for writing */
};

/* Runs task->run before the loop sleeps again. */
void loop_at_turn_end(struct hearth_loop *loop, struct loop_task *task);
void loop_task_cancel(struct hearth_loop *loop, struct loop_task *task);
/* Timers of env were changed outside of a timer or an event of this loop: usually not needed, every
 * callback of the loop ends with it. */
void loop_timers_changed(struct hearth_loop *loop);
/* One turn: waits for events at most until the next is due. */
void loop_turn(struct hearth_loop *loop);
/* The same without waiting. */
void loop_turn_at_once(struct hearth_loop *loop);

#endif
