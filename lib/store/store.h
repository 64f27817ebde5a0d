/* A store: one database, one writer thread that groups all waiting transactions into one durable
 * commit, and readers on snapshots. It knows no table and no event loop.
 *
 * A transaction is a plain synchronous function. Submitting it returns at once; it runs on a thread
 * of the store; then, for a write after the commit is on the disk, `done` is called on the loop
 * that asked, by way of its inbox. Q1: what `done` was told is OK survives kill -9 and power loss.
 * A transaction that fails is rolled back alone; its neighbours in the group do not notice, unless
 * the engine itself gives up the group (no memory, disk full): then all of it fail with that error.
 *
 * S1: when a commit, or anything else of the writer, fails to read or write, the store stops: the
 * group is told STORE_UNCERTAIN, everything waiting or coming STORE_STOPPED. It never tries a sync
 * again; open it anew, in practice by starting the process again.
 *
 * S2: below low_disk_bytes of free space only transactions marked `frees` and reads run, the others
 * fail with STORE_LOW_DISK; the ballast file is given up so that freeing has room to work.
 *
 * Order: per principal as submitted; among principals by deficit round robin (store/sched.h).
 *
 * Threads: every function may be called from any thread unless it says otherwise; `run` and `done`
 * may submit. Errors beside those named: driver.h.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/clock.h"
#include "store/driver.h"
#include "store/stmt.h"

struct store;

/* ---- schema: rows of the service that owns the tables */

struct store_migration {
    unsigned version; /* 1, 2, 3, ... */
    const char *sql;  /* one or more statements */
};

/* Borrowed for the life of the store. */
struct store_schema {
    const struct store_migration *migrations;
    unsigned migration_count;
    const struct stmt_row *statements;
    unsigned statement_count;
};

/* ---- open and close */

enum store_mode {
    STORE_THREADS,
    STORE_INLINE, /* no thread: everything happens inside store_turn() and store_call() */
};

/* Zero means the default in brackets. Everything is copied but schema and clock. */
struct store_options {
    const char *path;                  /* NULL: in memory, gone when closed; INLINE only */
    const char *files;                 /* tests: an SQLite VFS [the machine's files] */
    const struct store_driver *driver; /* [SQLite] */
    const struct store_schema *schema;
    const struct clock *clock; /* [clock_system] */
    enum store_mode mode;
    unsigned readers;          /* threads [2]; INLINE has none */
    uint32_t queue_jobs;       /* transactions and reads waiting, each [8192] */
    uint32_t principal_jobs;   /* of one principal [a quarter of queue_jobs] */
    uint32_t group_rows;       /* a group has so many, or threads.c [1024] */
    uint32_t checkpoint_bytes; /* size of the log at which it is moved [4 MiB] */
    uint32_t log_keep_ms;      /* a deleted row is gone from the log after that [20,000] */
    uint32_t log_idle_ms;      /* or after that much silence [1,000] */
    uint64_t low_disk_bytes;   /* S2 [0: never low] */
    uint64_t ballast_bytes;    /* kept in path-ballast, given up when low [0: none] */
    unsigned cache_kib;        /* page cache per connection [8192] */
    unsigned writer_cache_kib; /* of the writer's; a transaction that dirties more writes twice
                                * [cache_kib] */
    bool foreign_keys;
    bool no_check;  /* skip the integrity check at start-up, which reads the whole file */
    bool no_backup; /* no copy before a migration */
    bool relaxed;   /* commits are NOT durable: control runs of tests */
    uint64_t (*free_bytes)(void *self); /* tests: free disk space [statvfs of path] */
    void *free_bytes_self;
};

/* Opens, checks (STORE_CORRUPT), makes durable what an earlier process left in the log (STORE_IO:
 * it could not), migrates forward after a copy to path-before-N (STORE_SCHEMA, STORE_SCHEMA_NEWER),
 * prepares all statements (STORE_SQL). ret_bad_statement may be NULL; names the statement at fault,
 * else NULL. STORE_IN_USE while another process has it, STORE_PERMISSIONS when the file is open to
 * others. */
CHECKED struct err store_open(const struct store_options *options, const char **ret_bad_statement,
                              struct store **ret_store);
/* Waiting transactions are told STORE_STOPPED, running ones end as they do; truncates the log
 * unless the store has stopped; frees. Not from one of its own threads, nor while others may still
 * call. Inboxes outlive the stores that use them. */
void store_close(struct store *store);

/* ---- where completions go */

/* The door to a loop: makes it call fn(arg) soon, on its thread. false: can't now (no memory); it
 * is tried again. Must not call fn itself. hearth_loop_post() has this shape. */
struct store_post {
    bool (*post)(void *self, void (*fn)(void *arg), void *arg);
    void *self;
};

/* One per loop; several stores may share it. A loop is woken once for all that is finished. */
struct inbox;
CHECKED struct err inbox_new(struct store_post post, struct inbox **ret_inbox);
/* On the loop's thread, after the stores are closed and the loop has run or dropped what was
 * posted. Calls the `done`s that are left. NULL is fine. */
void inbox_free(struct inbox *inbox);

/* ---- work */

/* Largest cost of one job: owners of larger ones cut them into chunks. */
enum { STORE_COST_MAX = 256 };

struct store_work {
    uint64_t principal; /* who pays, for fair order among writes, and among reads */
    uint32_t cost;      /* rows it will touch, about; 1 to STORE_COST_MAX */
    bool frees;         /* deletes or acknowledges: allowed when the disk is low */
    /* The transaction: on a thread of the store, must not block on anything else. An error rolls
     * it back. */
    struct err (*run)(struct store_txn *txn, void *arg);
    /* Exactly once per accepted job, also when it never ran. May be NULL. There is no cancel: arg
     * lives until done, so it belongs to the job, and done looks whether anybody is still there. */
    void (*done)(void *arg, struct err result);
    void *arg;
};

/* Queues a write. inbox NULL: done is called on the store's thread. Errors (done is not called):
 * STORE_QUEUE_FULL, STORE_STOPPED, STORE_LOW_DISK, NO_MEMORY, ARGUMENT. work is copied. */
CHECKED struct err store_submit(struct store *store, struct inbox *inbox,
                                const struct store_work *work);
/* The same for a read, on a snapshot that holds everything committed before it began. */
CHECKED struct err store_read(struct store *store, struct inbox *inbox,
                              const struct store_work *work);
/* Submits a write or a read and waits: tests, tools, start-up. Not on a thread of the store. A
 * write counts as one that frees; store_call_growing() is refused when the disk is low (S2). */
CHECKED struct err store_call(struct store *store, struct err (*run)(struct store_txn *, void *),
                              void *arg);
CHECKED struct err store_call_growing(struct store *store,
                                      struct err (*run)(struct store_txn *, void *), void *arg);
CHECKED struct err store_call_read(struct store *store,
                                   struct err (*run)(struct store_txn *, void *), void *arg);

/* INLINE mode, one thread at a time: one group, the waiting reads and the upkeep that is due. True
 * when there was something to do. Completions go through inboxes as ever. */
bool store_turn(struct store *store);

/* ---- upkeep */

/* ME3: empties the log now rather than within log_keep_ms. Readers in the way are waited for, then
 * held back, then cut off (STORE_INTERRUPTED) after log_keep_ms more. */
void store_truncate_log(struct store *store);
/* Another low_disk_bytes from now on, 0: never low. What store_open() laid as ballast stays. Not in
 * memory, where there is no disk. */
void store_set_low_disk(struct store *store, uint64_t low_disk_bytes);
/* A consistent, checked, synced copy under a name that must not exist (STORE_EXISTS), while the
 * store goes on working. Blocks. Not in memory. */
CHECKED struct err store_backup(struct store *store, const char *to);
/* Puts a copy in the place of a database that nobody uses (STORE_IN_USE). The copy is checked
 * first; the old database stays as path-replaced (STORE_EXISTS when that is there already). */
CHECKED struct err store_restore(const char *backup, const char *path);

struct store_stats {
    uint64_t submitted;    /* writes accepted */
    uint64_t refused;      /* writes and reads refused: queue full, low disk, stopped */
    uint64_t groups;       /* durable commits */
    uint64_t transactions; /* that were committed */
    uint64_t failed;       /* that were rolled back */
    uint64_t rows;         /* cost of those committed */
    uint64_t reads;
    uint64_t checkpoints;
    uint64_t truncations;
    uint64_t interrupted;    /* reads told to end */
    uint64_t commit_us;      /* time spent in commits, all together */
    uint64_t commit_most_us; /* the longest */
    uint64_t log_bytes;      /* now */
    uint32_t waiting;        /* writes, now */
    uint32_t waiting_most;
    bool low_disk;
    bool stopped;
};
struct store_stats store_stats(struct store *store);
/* ERR_OK, or why the store has stopped. */
CHECKED struct err store_health(struct store *store);

#endif
