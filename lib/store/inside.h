/* struct store from the inside: what store.c, group.c, read.c, upkeep.c and threads.c share. */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <pthread.h>

#include "store/conn.h"
#include "store/disk.h"
#include "store/job.h"

enum { STORE_READERS_MAX = 16 };

struct reader {
    struct store *store;
    struct conn conn;
    pthread_t thread;
    bool started;
};

struct store {
    struct store_options options; /* defaults filled in */
    char *path, *files;           /* owned; options point here */
    const struct store_driver *driver;
    const struct clock *clock;
    struct driver_db *db;
    struct conn writer; /* the writer thread's, or store_turn's */
    struct reader readers[STORE_READERS_MAX];
    unsigned reader_count;
    pthread_t writer_thread;
    bool writer_started;
    bool has_lock;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t writer_wake, reader_wake;
    struct sched writes;
    struct sched reads;
    uint64_t commit_us; /* likewise: a commit alone */
    uint64_t row_ns;    /* what a row takes to write, without the commit; 0: not known yet */
    unsigned reading;   /* reader threads inside a transaction */
    bool gate;          /* no read may begin: the log is to be truncated */
    bool closing;
    struct err stopped;          /* why */
    struct job_list undelivered; /* their loops could not be woken yet */
    struct store_stats stats;

    /* The log: upkeep.c */
    bool truncate_asked;
    uint64_t asked_us;     /* when */
    uint64_t log_since_us; /* of its oldest row; 0: the log is empty */
    uint64_t last_commit_us;
    uint64_t next_try_us;     /* truncation is not tried again before */
    uint64_t checkpointed_at; /* its bytes at the last checkpoint */
    struct disk disk;         /* writer only, but for low */
    uint64_t next_disk_us;
};

/* The engine's failures after which nothing it says can be believed (S1). */
static inline bool store_is_fatal(struct err err)
{
    return err.code == ERR_STORE_IO || err.code == ERR_STORE_CORRUPT || err.code == ERR_INTERNAL;
}

static inline void store_lock(struct store *s)
{
    (void)pthread_mutex_lock(&s->lock);
}

static inline void store_unlock(struct store *s)
{
    (void)pthread_mutex_unlock(&s->lock);
}

/* group.c: runs jobs as one durable commit and sets their results. The error is the one that has to
 * stop the store. Without the lock. */
struct group_outcome {
    struct err fatal;
    bool disk_full;
    bool committed;
    uint32_t kept, failed;
    uint64_t rows;
    uint64_t commit_us;
};
void group_run(struct conn *c, const struct clock *clock, struct job *jobs,
               struct group_outcome *ret_outcome);

/* threads.c, lock held on entry and exit; they let go of it in between. */
bool store_turn_locked(struct store *s);
void store_stop_locked(struct store *s, struct err why);
/* Without the lock. */
void store_deliver(struct store *s, struct job_list *jobs);
void *store_writer_main(void *store);
void *store_reader_main(void *reader);

/* upkeep.c, the same. True when something was done. */
bool upkeep_turn(struct store *s);
/* When upkeep_turn wants to be called next; UINT64_MAX: when something happens. */
uint64_t upkeep_due_us(const struct store *s);
void upkeep_committed(struct store *s);
void upkeep_disk_full(struct store *s);

/* migrate.c: before any thread runs. */
CHECKED struct err migrate_run(const struct store_driver *driver, struct driver_conn *conn,
                               const struct store_options *options);

#endif
