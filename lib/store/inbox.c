/* Finished jobs on their way back to the loop that asked. */
#include <pthread.h>
#include <stdlib.h>

#include "store/job.h"

struct inbox {
    struct store_post post;
    pthread_mutex_t lock; /* guards the rest */
    struct job_list finished;
    bool posted; /* the loop has been asked to call drain */
};

struct err inbox_new(struct store_post post, struct inbox **ret_inbox)
{
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL)
        return ERR(NO_MEMORY);
    inbox->post = post;
    job_list_init(&inbox->finished);
    if (pthread_mutex_init(&inbox->lock, NULL) != 0) {
        free(inbox);
        return ERR(NO_MEMORY);
    }
    *ret_inbox = inbox;
    return ERR_OK;
}

static void finish(struct job *job)
{
    struct store_work work = job->work;
    struct err result = job->result;
    free(job);
    if (work.done != NULL)
        work.done(work.arg, result);
}

/* On the loop's thread. */
static void drain(void *arg)
{
    struct inbox *inbox = arg;
    (void)pthread_mutex_lock(&inbox->lock);
    struct job *job = inbox->finished.first;
    job_list_init(&inbox->finished);
    inbox->posted = false;
    (void)pthread_mutex_unlock(&inbox->lock);
    while (job != NULL) {
        struct job *next = job->next;
        finish(job);
        job = next;
    }
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    drain(inbox);
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

bool inbox_deliver(struct job *job)
{
    struct inbox *inbox = job->inbox;
    if (inbox == NULL) {
        finish(job);
        return true;
    }
    (void)pthread_mutex_lock(&inbox->lock);
    /* Posting under the lock: the loop can't drain in between, so `posted` and the list agree. */
    if (!inbox->posted)
        inbox->posted = inbox->post.post(inbox->post.self, drain, inbox);
    bool taken = inbox->posted;
    if (taken)
        job_list_add(&inbox->finished, job);
    (void)pthread_mutex_unlock(&inbox->lock);
    return taken;
}

void inbox_leave(struct job *job)
{
    struct inbox *inbox = job->inbox;
    if (inbox_deliver(job))
        return;
    (void)pthread_mutex_lock(&inbox->lock);
    job_list_add(&inbox->finished, job);
    (void)pthread_mutex_unlock(&inbox->lock);
}
