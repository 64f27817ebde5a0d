/* Durable transactions a second for 1, 10 and 100 callers who each wait for their answer; rows a
 * second into append-only and random-key tables. Argument: the folder to work in (the disk decides
 * nearly everything), seconds per line. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/rng.h"
#include "bench/bench.h"
#include "store/store.h"
#include "support/store_dir.h"

enum { CALLERS_MOST = 100, SAMPLES_MOST = 1 << 20, CHUNK_ROWS = 64, FILL_ROWS = 300000 };

enum { APPEND, RANDOM, GET };
static const struct stmt_row statements[] = {
    [APPEND] = {"append", "INSERT INTO appended (seq, body) VALUES ($1, $2)"},
    [RANDOM] = {"random", "INSERT INTO random (id, body) VALUES ($1, $2)"},
    [GET] = {"get", "SELECT body FROM appended WHERE seq = $1"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE appended (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);"
        "CREATE TABLE random (id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID"},
};
static const struct store_schema schema = {migrations, 1, statements, 3};

static struct rng_seeded rng;
static uint64_t seq;

static struct err insert(struct store_txn *txn, unsigned which, uint64_t rows)
{
    uint8_t body[200];
    memset(body, 7, sizeof body);
    for (uint64_t i = 0; i < rows; i++) {
        struct stmt *s = stmt_use(txn, which);
        uint64_t id[2] = {rng_seeded_next(&rng), rng_seeded_next(&rng)};
        if (which == APPEND)
            stmt_bind_u64(s, 1, ++seq);
        else
            stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
        stmt_bind_blob(s, 2, bytes_of(body, sizeof body));
        TRY(stmt_run(s, NULL));
    }
    return ERR_OK;
}

static struct err append_one(struct store_txn *txn, void *arg)
{
    (void)arg;
    return insert(txn, APPEND, 1);
}

static struct err map_body(struct stmt *row, void *arg)
{
    *(size_t *)arg = stmt_blob(row, 0).len;
    return stmt_row_check(row);
}

static struct err get_one(struct store_txn *txn, void *arg)
{
    (void)arg;
    static _Thread_local uint64_t at;
    size_t len = 0;
    struct stmt *s = stmt_use(txn, GET);
    stmt_bind_u64(s, 1, 1 + (at += 7919) % 1000);
    return stmt_first(s, map_body, &len);
}

/* Closed loop: each caller asks again as soon as it is answered, from the store's own thread. */
struct caller {
    struct store *store;
    uint64_t asked_us, until_us;
    pthread_mutex_t *lock; /* guards the rest */
    pthread_cond_t *wake;
    unsigned *running;
    double *samples;
    size_t *sample_count;
    uint64_t principal;
    bool reads;
};

static void ask(struct caller *c);

static void answered(void *arg, struct err result)
{
    struct caller *c = arg;
    bench_must(result, "transaction");
    uint64_t now = clock_monotonic_us(&clock_system);
    bool more = now < c->until_us;
    (void)pthread_mutex_lock(c->lock);
    if (*c->sample_count < SAMPLES_MOST)
        c->samples[(*c->sample_count)++] = (double)(now - c->asked_us);
    *c->running -= !more;
    (void)pthread_cond_signal(c->wake);
    (void)pthread_mutex_unlock(c->lock);
    if (more)
        ask(c);
}

static void ask(struct caller *c)
{
    c->asked_us = clock_monotonic_us(&clock_system);
    struct store_work work = {.principal = c->principal,
                              .cost = 1,
                              .run = c->reads ? get_one : append_one,
                              .done = answered,
                              .arg = c};
    bench_must(c->reads ? store_read(c->store, NULL, &work) : store_submit(c->store, NULL, &work),
               "submit");
}

static void callers(struct store *s, unsigned count, double seconds, bool reads)
{
    static struct caller all[CALLERS_MOST];
    static double samples[SAMPLES_MOST];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    unsigned running = count;
    size_t sample_count = 0;
    struct store_stats before = store_stats(s);
    uint64_t from = clock_monotonic_us(&clock_system);
    for (unsigned i = 0; i < count; i++)
        all[i] = (struct caller){.store = s,
                                 .until_us = from + (uint64_t)(seconds * 1e6),
                                 .lock = &lock,
                                 .wake = &wake,
                                 .running = &running,
                                 .samples = samples,
                                 .sample_count = &sample_count,
                                 .principal = i,
                                 .reads = reads};
    for (unsigned i = 0; i < count; i++)
        ask(&all[i]);
    (void)pthread_mutex_lock(&lock);
    while (running != 0)
        (void)pthread_cond_wait(&wake, &lock);
    (void)pthread_mutex_unlock(&lock);
    double took = (double)(clock_monotonic_us(&clock_system) - from) / 1e6;
    struct store_stats after = store_stats(s);
    qsort(samples, sample_count, sizeof *samples, bench_order);
    uint64_t groups = after.groups - before.groups;
    printf("%7u %14.0f %12.0f %12.1f %11.3f %11.3f\n", count, (double)sample_count / took,
           (double)groups / took, groups == 0 ? 0 : (double)sample_count / (double)groups,
           samples[sample_count / 2] / 1000, samples[sample_count * 99 / 100] / 1000);
}

struct fill {
    unsigned which;
    uint64_t rows;
};

static struct err fill(struct store_txn *txn, void *arg)
{
    const struct fill *f = arg;
    return insert(txn, f->which, f->rows);
}

/* Rows in chunks of 64, 16 of them to a durable commit, as fan-out makes them. */
static double rows_per_second(struct store *s, unsigned which)
{
    struct fill f = {which, (uint64_t)CHUNK_ROWS * 16};
    uint64_t from = 0;
    uint64_t timed = 0;
    for (uint64_t done = 0; done < FILL_ROWS; done += f.rows) {
        if (done >= FILL_ROWS / 2 && from == 0)
            from = clock_monotonic_us(&clock_system); /* the table has a size by now */
        bench_must(store_call(s, fill, &f), "fill");
        timed += from == 0 ? 0 : f.rows;
    }
    return (double)timed * 1e6 / (double)(clock_monotonic_us(&clock_system) - from);
}

static double sync_ms(const char *path)
{
    static double samples[200];
    char block[4096] = {0};
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    for (size_t i = 0; i < 200; i++) {
        uint64_t from = clock_monotonic_us(&clock_system);
        if (fd < 0 || write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
            exit(1);
        samples[i] = (double)(clock_monotonic_us(&clock_system) - from) / 1000;
    }
    (void)close(fd);
    qsort(samples, 200, sizeof *samples, bench_order);
    return samples[100];
}

int main(int argc, char **argv)
{
    if (argc > 1)
        (void)setenv("TMPDIR", argv[1], 1);
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    struct store_dir dir;
    store_dir_make(&dir);
    struct utsname machine;
    (void)uname(&machine);
    char probe[128];
    (void)snprintf(probe, sizeof probe, "%s/probe", dir.folder);
    printf("%s %s, %ld cores; a 4 KiB write and fdatasync takes %.2f ms (median)\n\n",
           machine.sysname, machine.machine, sysconf(_SC_NPROCESSORS_ONLN), sync_ms(probe));
    rng_seeded_init(&rng, 1);
    struct store_options o = {.path = dir.path, .schema = &schema};
    struct store *s;
    bench_must(store_open(&o, NULL, &s), "open");
    printf("callers  transactions/s    commits/s   per commit      p50 ms      p99 ms\n");
    static const unsigned counts[] = {1, 10, CALLERS_MOST};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        callers(s, counts[i], seconds, false);
    printf("\npoint reads, 1,000 rows, 2 reader threads\n"
           "callers         reads/s            -            -      p50 ms      p99 ms\n");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        callers(s, counts[i], seconds, true);
    double append = rows_per_second(s, APPEND), random = rows_per_second(s, RANDOM);
    printf("\ntable             rows/s (200 B, %d to a commit, second half of %d)\n",
           CHUNK_ROWS * 16, FILL_ROWS);
    printf("append-only %12.0f\nrandom key  %12.0f   (%.1f times slower)\n", append, random,
           append / random);
    store_close(s);
    store_dir_remove(&dir);
    return 0;
}
