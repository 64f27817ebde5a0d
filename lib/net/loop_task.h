/* A task for the end of a turn of the loop (net/loop.h). */
#ifndef NET_LOOP_TASK_H
#define NET_LOOP_TASK_H

#include <stdbool.h>

/* Embedded in whoever wants a turn's end; queued at most once. */
struct loop_task {
    struct loop_task *next;
    bool queued;
    void (*run)(struct loop_task *self);
};

#endif
