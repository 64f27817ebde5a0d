/* Who wants to know when a loop goes. */
#include <stdlib.h>

#include "net/loop.h"

struct hearth_loop_end *hearth_loop_on_free(struct hearth_loop *loop, void (*fn)(void *arg),
                                            void *arg)
{
    struct hearth_loop_end *end = calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    pthread_mutex_lock(&loop->lock);
    *end = (struct hearth_loop_end){.loop = loop, .next = loop->ends, .fn = fn, .arg = arg};
    if (end->next != NULL)
        end->next->prev = end;
    loop->ends = end;
    pthread_mutex_unlock(&loop->lock);
    return end;
}

static void unlink_end(struct hearth_loop_end *end)
{
    if (end->prev != NULL)
        end->prev->next = end->next;
    else
        end->loop->ends = end->next;
    if (end->next != NULL)
        end->next->prev = end->prev;
}

void hearth_loop_on_free_cancel(struct hearth_loop_end *end)
{
    if (end == NULL)
        return;
    struct hearth_loop *loop = end->loop;
    pthread_mutex_lock(&loop->lock);
    unlink_end(end);
    pthread_mutex_unlock(&loop->lock);
    free(end);
}

static struct hearth_loop_end *take_end(struct hearth_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct hearth_loop_end *end = loop->ends;
    if (end != NULL)
        unlink_end(end);
    pthread_mutex_unlock(&loop->lock);
    return end;
}

void loop_tell_end(struct hearth_loop *loop)
{
    struct hearth_loop_end *end;
    while ((end = take_end(loop)) != NULL) {
        end->fn(end->arg);
        free(end);
    }
}
