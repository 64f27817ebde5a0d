/* A submitted transaction on its way: waiting, running, finished, in an inbox. One owner at a time.
 */
#ifndef STORE_JOB_H
#define STORE_JOB_H

#include "store/sched.h"
#include "store/store.h"

struct job {
    struct sched_entry entry; /* first: a job is what its entry is embedded in */
    struct job *next;
    struct inbox *inbox;
    struct store_work work;
    struct err result;
};

/* A list of jobs, oldest first. The zero state is not valid. */
struct job_list {
    struct job *first, **last;
};

static inline void job_list_init(struct job_list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

static inline void job_list_add(struct job_list *l, struct job *job)
{
    job->next = NULL;
    *l->last = job;
    l->last = &job->next;
}

static inline struct job *job_list_take(struct job_list *l)
{
    struct job *job = l->first;
    if (job != NULL) {
        l->first = job->next;
        if (l->first == NULL)
            l->last = &l->first;
    }
    return job;
}

/* Hands a finished job to its inbox, or calls done where there is none. False: the loop could not
 * be woken, and the job is still the caller's. */
CHECKED bool inbox_deliver(struct job *job);
/* At the end of a store, when waking can't be tried again: the job waits in its inbox for the next
 * to arrive there, or for inbox_free(). */
void inbox_leave(struct job *job);

#endif
