/* kill -9 under a store: a child runs transactions and acknowledges each through a pipe once the
 * store has said that it holds; the parent kills it at a random moment, opens the database again
 * and asks the oracle: nothing acknowledged is lost, nothing single-use is used twice, order is
 * dense.
 *
 *   store_crash [--cycles N] [--seed N] [--control]
 *
 * Prints the cycles and how many kills hit requests without an answer; fails when it was less than
 * 15 in 100 of the cycles (30 of 200), because then it tested little. One database lives through
 * all cycles, so that recovery works on what recovery left. With --control the child acknowledges
 * before the commit, and the oracle must notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "kit/store/store_kit.h"
#include "support/store_dir.h"

enum { BURST_MOST = 24, TICKETS = 200000, CALLERS = 5, REQUESTS_MOST = 1 << 16 };

/* What the child tells before it asks and after it was answered. */
struct news {
    uint64_t number, ticket, item;
    uint32_t asked;  /* 1: about to ask; 0: answered */
    uint32_t result; /* enum err_code */
};

static bool control; /* set once, before the first fork */

static void die(const char *what)
{
    (void)fprintf(stderr, "store_crash: %s\n", what);
    exit(1);
}

static void must(struct err err, const char *what)
{
    if (err_is_ok(err))
        return;
    (void)fprintf(stderr, "store_crash: %s: %s\n", what, err_name(err));
    exit(1);
}

/* ---- the child */

struct request {
    struct kit_job job;
    int pipe;
    pthread_mutex_t *lock; /* guards left */
    pthread_cond_t *wake;
    unsigned *left;
};

static void tell(int pipe, const struct news *news)
{
    /* shorter than PIPE_BUF: arrives whole or not at all */
    if (write(pipe, news, sizeof *news) != (ssize_t)sizeof *news)
        _exit(2);
}

static void tell_answer(const struct request *r, struct err result)
{
    struct news news = {.number = r->job.number,
                        .ticket = r->job.ticket,
                        .item = r->job.item,
                        .result = (uint32_t)result.code};
    tell(r->pipe, &news);
}

static void answered(void *arg, struct err result)
{
    struct request *r = arg;
    if (!control)
        tell_answer(r, result);
    (void)pthread_mutex_lock(r->lock);
    --*r->left;
    (void)pthread_cond_signal(r->wake);
    (void)pthread_mutex_unlock(r->lock);
}

static struct err run_request(struct store_txn *txn, void *arg)
{
    struct request *r = arg;
    struct err err = kit_run(txn, &r->job);
    if (control) /* too early: not committed yet */
        tell_answer(r, err);
    return err;
}

static void burst(struct store *s, struct request *requests, unsigned count, uint64_t *number,
                  struct rng_seeded *rng)
{
    *requests[0].left = count;
    for (unsigned i = 0; i < count; i++) {
        struct request *r = &requests[i];
        r->job = (struct kit_job){.number = ++*number};
        if (rng_seeded_next(rng) % 2 == 0)
            r->job.ticket = 1 + rng_seeded_next(rng) % TICKETS;
        r->job.fails = rng_seeded_next(rng) % 16 == 0;
        struct news news = {.number = r->job.number, .ticket = r->job.ticket, .asked = 1};
        tell(r->pipe, &news);
        struct store_work work = {
            .principal = i % CALLERS, .cost = 2, .run = run_request, .done = answered, .arg = r};
        must(store_submit(s, NULL, &work), "submit");
    }
    (void)pthread_mutex_lock(requests[0].lock);
    while (*requests[0].left != 0)
        (void)pthread_cond_wait(requests[0].wake, requests[0].lock);
    (void)pthread_mutex_unlock(requests[0].lock);
}

static struct store_options options(const char *path)
{
    return (struct store_options){.path = path,
                                  .schema = &kit_schema,
                                  .checkpoint_bytes = 64 * 1024,
                                  .log_keep_ms = 40,
                                  .log_idle_ms = 5};
}

static void child(const char *path, int pipe, uint64_t first, uint64_t seed)
{
    static struct request requests[BURST_MOST];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    unsigned left = 0;
    for (unsigned i = 0; i < BURST_MOST; i++)
        requests[i] = (struct request){.pipe = pipe, .lock = &lock, .wake = &wake, .left = &left};
    struct rng_seeded rng;
    rng_seeded_init(&rng, seed);
    struct store_options o = options(path);
    struct store *s;
    must(store_open(&o, NULL, &s), "open in the child");
    uint64_t number = first;
    for (;;) {
        burst(s, requests, 1 + (unsigned)(rng_seeded_next(&rng) % BURST_MOST), &number, &rng);
        if (rng_seeded_next(&rng) % 8 == 0) /* lets upkeep come in between */
            (void)usleep((useconds_t)(rng_seeded_next(&rng) % 8000));
    }
}

/* ---- the parent */

struct oracle {
    struct news *news; /* of the current cycle */
    unsigned count;
    uint64_t last_number; /* over all cycles */
    uint64_t items_least; /* that must be there */
    uint8_t *ticket_used; /* acknowledged as taken, over all cycles */
    unsigned cycles, unanswered_kills;
    uint64_t acked, unanswered, lost;
};

static void read_news(struct oracle *o, int pipe)
{
    o->count = 0;
    for (;;) {
        struct news *at = &o->news[o->count];
        ssize_t got = read(pipe, at, sizeof *at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            return;
        if (got != (ssize_t)sizeof *at)
            die("news came in pieces");
        if (++o->count == REQUESTS_MOST)
            die("more news than expected");
    }
}

/* Every answer against the database. */
static void check_answers(struct oracle *o, struct store *s)
{
    unsigned asked = 0, done = 0;
    for (unsigned i = 0; i < o->count; i++) {
        const struct news *n = &o->news[i];
        if (n->asked) {
            asked++;
            o->last_number = n->number;
            continue;
        }
        done++;
        if (n->result == ERR_CANCELLED || n->result == ERR_NOT_FOUND)
            continue; /* refused by the request itself */
        if (n->result != ERR_NONE)
            die("a request failed for another reason than its own");
        struct kit_job job = {.number = n->number, .ticket = n->ticket, .item = n->item};
        struct err found = store_call_read(s, kit_find, &job);
        if (control && !err_is_ok(found)) {
            o->lost++;
            continue;
        }
        must(found, "an acknowledged item is not there");
        if (n->ticket != 0 && o->ticket_used[n->ticket]++)
            die("a ticket was acknowledged twice");
        o->acked++;
        if (n->item > o->items_least)
            o->items_least = n->item;
    }
    o->unanswered += asked - done;
    o->unanswered_kills += asked > done;
}

/* Three kills of four come while requests run, however slow the machine; the fourth comes any time
 * from the start on and may hit recovery. */
static void wait_before_kill(int pipe, struct rng_seeded *rng)
{
    struct pollfd first = {.fd = pipe, .events = POLLIN};
    if (rng_seeded_next(rng) % 4 != 0 && poll(&first, 1, 30000) != 1)
        die("the child never asked");
    struct timespec until_kill = {.tv_nsec = (long)(rng_seeded_next(rng) % 30000000)};
    (void)nanosleep(&until_kill, NULL);
}

static void cycle(struct oracle *o, const char *path, struct rng_seeded *rng)
{
    int ends[2];
    if (pipe(ends) != 0)
        die("pipe");
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* so that the child never waits for us */
    uint64_t seed = rng_seeded_next(rng);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        (void)close(ends[0]);
        child(path, ends[1], o->last_number, seed);
    }
    (void)close(ends[1]);
    wait_before_kill(ends[0], rng);
    if (kill(pid, SIGKILL) != 0)
        die("kill");
    read_news(o, ends[0]);
    (void)close(ends[0]);
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        die("the child ended by itself");

    struct store_options options_now = options(path);
    options_now.log_keep_ms = 0; /* the default: the oracle reads longer than the child's 40 ms */
    struct store *s;
    must(store_open(&options_now, NULL, &s), "open after the kill");
    check_answers(o, s);
    uint64_t items;
    must(store_call_read(s, kit_check, &items), "order, counter or tickets are broken");
    if (items < o->items_least)
        die("fewer items than were acknowledged");
    store_close(s);
    o->cycles++;
}

static void set_up(const char *path)
{
    struct store_options o = options(path);
    struct store *s;
    must(store_open(&o, NULL, &s), "first open");
    uint64_t tickets = TICKETS;
    must(store_call(s, kit_add_tickets, &tickets), "tickets");
    store_close(s);
}

int main(int argc, char **argv)
{
    unsigned cycles = 200;
    uint64_t seed = (uint64_t)getpid();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--control") == 0)
            control = true;
        else if (i + 1 < argc && strcmp(argv[i], "--cycles") == 0)
            cycles = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else
            die("usage: store_crash [--cycles N] [--seed N] [--control]");
    }
    struct store_dir dir;
    store_dir_make(&dir);
    set_up(dir.path);
    struct oracle o = {.news = calloc(REQUESTS_MOST, sizeof *o.news),
                       .ticket_used = calloc(TICKETS + 1, 1)};
    if (o.news == NULL || o.ticket_used == NULL)
        die("no memory");
    struct rng_seeded rng;
    rng_seeded_init(&rng, seed);
    while (o.cycles < cycles)
        cycle(&o, dir.path, &rng);
    printf("seed %llu: %u kills, %u of them with requests unanswered (%llu requests); "
           "%llu acknowledged and there, %llu lost%s\n",
           (unsigned long long)seed, o.cycles, o.unanswered_kills, (unsigned long long)o.unanswered,
           (unsigned long long)o.acked, (unsigned long long)o.lost,
           control ? " (control: acknowledged too early)" : "");
    store_dir_remove(&dir);
    free(o.news);
    free(o.ticket_used);
    if (!control && (uint64_t)o.unanswered_kills * 100 < (uint64_t)cycles * 15)
        die("too few kills hit unanswered requests");
    if (control && o.lost == 0)
        die("the control lost nothing: the oracle is blind");
    return 0;
}
