/* Who is told when a loop goes. */
#include <stdlib.h>

#include "net/loop.h"

struct hearth_loop_watch {
    struct hearth_loop *loop; /* NULL: gone */
    struct hearth_loop_watch *next, *prev;
    void (*fn)(void *arg);
    void *arg;
};

struct hearth_loop_watch *hearth_loop_watch_new(struct hearth_loop *loop, void (*fn)(void *arg),
                                                void *arg)
{
    struct hearth_loop_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->loop = loop;
    watch->fn = fn;
    watch->arg = arg;
    pthread_mutex_lock(&loop->lock);
    watch->next = loop->watches;
    if (watch->next != NULL)
        watch->next->prev = watch;
    loop->watches = watch;
    pthread_mutex_unlock(&loop->lock);
    return watch;
}

/* Under the loop's lock. */
static void unlink_watch(struct hearth_loop_watch *watch)
{
    if (watch->prev != NULL)
        watch->prev->next = watch->next;
    else
        watch->loop->watches = watch->next;
    if (watch->next != NULL)
        watch->next->prev = watch->prev;
}

void hearth_loop_watch_free(struct hearth_loop_watch *watch)
{
    if (watch == NULL)
        return;
    struct hearth_loop *loop = watch->loop;
    if (loop != NULL) {
        pthread_mutex_lock(&loop->lock);
        unlink_watch(watch);
        pthread_mutex_unlock(&loop->lock);
    }
    free(watch);
}

void loop_say_farewell(struct hearth_loop *loop)
{
    for (;;) {
        pthread_mutex_lock(&loop->lock);
        struct hearth_loop_watch *watch = loop->watches;
        if (watch != NULL)
            unlink_watch(watch);
        pthread_mutex_unlock(&loop->lock);
        if (watch == NULL)
            return;
        watch->loop = NULL;
        /* not under the lock: whoever is told may hold one of its own while it posts */
        watch->fn(watch->arg);
    }
}
