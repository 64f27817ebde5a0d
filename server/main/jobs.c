#include "server/main/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/main/node_inside.h"

/* A piece of work is followed by the next at once only so often: others have to get their turn. */
enum { PIECES_MOST = 100, FIRST_S = 10 };

static bool job_auth(struct node *n)
{
    bool more = auth_expire(n->auth);
    if (!more && auth_vouchers_changed(n->auth))
        front_log(n->front, err_is_ok(info_refresh(n->info))
                                ? "level=info event=voucher_keys"
                                : "level=error event=info_refresh_failed");
    return more;
}

static bool job_queue(struct node *n)
{
    return queue_expire(n->queue);
}

static bool job_delivery(struct node *n)
{
    return delivery_expire(n->delivery);
}

static bool job_attachment(struct node *n)
{
    return attachment_expire(n->attachment);
}

static bool job_transparency(struct node *n)
{
    return transparency_expire(n->transparency);
}

static bool job_sweep(struct node *n)
{
    return transparency_sweep(n->transparency);
}

static bool job_federation(struct node *n)
{
    return federation_expire(n->federation);
}

static bool job_peer_logs(struct node *n)
{
    federation_watch_logs(n->federation);
    return false;
}

/* The statements about our keys are good for INFO_KEY_DAYS. */
static bool job_info(struct node *n)
{
    struct err err = info_refresh(n->info);
    if (err.code != ERR_NONE)
        front_log(n->front, "level=error event=info_refresh_failed");
    return false;
}

static bool job_limits(struct node *n)
{
    node_save_limits(n);
    return false;
}

/* S1: a store that has stopped takes nothing more in this life, nor is there another keeper in it.
 * The process ends with a failure, and who supervises it starts it again. */
static bool job_stores(struct node *n)
{
    enum { GRACE_S = 1 }; /* what could still be answered is answered with an error */
    struct err err = node_health(n);
    if (err_is_ok(err))
        return false;
    front_log(n->front, err.code == ERR_KEEPER_GONE ? "level=error event=keeper_gone"
                                                    : "level=error event=store_stopped");
    node_end(n, GRACE_S);
    return false;
}

/* Key sets that a crash, or a log that could not take them, left waiting. */
static bool job_log(struct node *n)
{
    (void)hearth_loop_post(n->back, node_resume_log, n);
    return false;
}

static const struct job_row {
    const char *name;
    unsigned every_s;
    bool (*run)(struct node *n);
} rows[] = {
#define JOB(name, every_s, function) {#name, every_s, function},
#include "server/main/jobs.def"
#undef JOB
};
enum { ROWS = sizeof rows / sizeof rows[0] };

struct jobs {
    struct node *node;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stopped;
    bool stop;
    uint64_t runs[ROWS];
    time_t due[ROWS]; /* monotonic; the thread's own */
};

static time_t now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool is_stopped(struct jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    bool stop = jobs->stop;
    (void)pthread_mutex_unlock(&jobs->lock);
    return stop;
}

static void run(struct jobs *jobs, size_t at)
{
    for (unsigned piece = 0; piece < PIECES_MOST && !is_stopped(jobs) && rows[at].run(jobs->node);
         piece++)
        continue;
    jobs->due[at] = now_s() + (time_t)rows[at].every_s;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->runs[at]++;
    (void)pthread_mutex_unlock(&jobs->lock);
}

static void *work(void *arg)
{
    struct jobs *jobs = arg;
    for (size_t i = 0; i < ROWS; i++)
        jobs->due[i] = now_s() + FIRST_S + (time_t)i;
    for (;;) {
        time_t next = jobs->due[0];
        for (size_t i = 0; i < ROWS; i++) {
            if (now_s() >= jobs->due[i])
                run(jobs, i);
            next = jobs->due[i] < next ? jobs->due[i] : next;
        }
        struct timespec until = {.tv_sec = next};
        (void)pthread_mutex_lock(&jobs->lock);
        while (!jobs->stop && now_s() < next)
            (void)pthread_cond_timedwait(&jobs->stopped, &jobs->lock, &until);
        bool stop = jobs->stop;
        (void)pthread_mutex_unlock(&jobs->lock);
        if (stop)
            return NULL;
    }
}

struct err jobs_start(struct node *node, struct jobs **ret_jobs)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL)
        return ERR(NO_MEMORY);
    jobs->node = node;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&jobs->stopped, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&jobs->lock, NULL);
    if (pthread_create(&jobs->thread, NULL, work, jobs) != 0) {
        free(jobs);
        return ERR(NO_MEMORY);
    }
    *ret_jobs = jobs;
    return ERR_OK;
}

void jobs_stop(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stop = true;
    (void)pthread_cond_signal(&jobs->stopped);
    (void)pthread_mutex_unlock(&jobs->lock);
    (void)pthread_join(jobs->thread, NULL);
    (void)pthread_mutex_destroy(&jobs->lock);
    (void)pthread_cond_destroy(&jobs->stopped);
    free(jobs);
}

void jobs_each(struct jobs *jobs, void (*say)(void *to, const char *name, uint64_t runs), void *to)
{
    for (size_t i = 0; jobs != NULL && i < ROWS; i++) {
        (void)pthread_mutex_lock(&jobs->lock);
        uint64_t runs = jobs->runs[i];
        (void)pthread_mutex_unlock(&jobs->lock);
        say(to, rows[i].name, runs);
    }
}
