/* kill -9 to a real hearthd, again and again, while clients found groups, change them, send and
 * read; then an oracle: nothing that was acknowledged is lost, nothing comes twice or out of order,
 * no KeyPackage goes to two, each epoch has one commit.
 *
 *     hearthd_crash HEARTHD [--cycles N] [--least N]     at least so many kills during
 * unacknowledged writes [cycles x 3 / 20]
 *
 * Clients are processes of their own; each plays worlds (found, act, calm down, compare) until it
 * is told to stop. Every call is repeated under its idempotency id until the answer is definite, as
 * clients do.
 */
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/house/hearthd.h"
#include "support/house/oracle.h"

enum {
    WORKERS = 3,
    RESIDENTS = 4,
    ACTS = 150,
    PACKAGES = 20,
    LIFE_LEAST_MS = 30,
    LIFE_MOST_MS = 350,
    PATIENCE_S = 300
};

/* What parent and workers share. */
struct board {
    atomic_bool stop;
    struct {
        atomic_uint writing;
        atomic_uint worlds, sent, commits, deliveries, retries;
    } workers[WORKERS];
};

struct play {
    struct house house;
    struct resident residents[RESIDENTS];
    struct oracle oracle;
    struct rng_seeded dice;
    uint32_t messages;
};

static uint64_t roll(struct play *p, uint64_t below)
{
    return rng_seeded_next(&p->dice) % below;
}

/* ---- one world */

static struct membership *membership_of(struct play *p, struct resident *r)
{
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].in && bytes_equal(membership_group_id(&r->groups[i]),
                                           bytes_of(p->oracle.group_id, p->oracle.group_id_len)))
            return &r->groups[i];
    return NULL;
}

/* Whoever is behind is told so; nobody else is refused anything. */
static void allow(const struct membership *m, enum hearth_code code, const char *what)
{
    if (code != HEARTH_OK && code != HEARTH_FAILED_PRECONDITION && code != HEARTH_UNAUTHENTICATED &&
        code != HEARTH_UNKNOWN)
        fail_msg("%s: %s: %s", what, hearth_code_name(code), m->resident->last.message);
}

static void do_send(struct play *p, struct membership *m, size_t worker, struct board *board)
{
    uint32_t message = ++p->messages;
    enum hearth_code code = membership_send(m, message);
    allow(m, code, "send");
    if (code == HEARTH_OK) {
        oracle_sent(&p->oracle, m, message);
        atomic_fetch_add(&board->workers[worker].sent, 1);
    }
}

static void do_commit(struct play *p, struct membership *m, size_t worker, struct board *board)
{
    struct resident *add[1];
    uint32_t remove[1];
    struct commit_wish wish = {.add = add, .remove = remove};
    bool admin = m->resident == &p->residents[0];
    struct resident *other = &p->residents[1 + roll(p, RESIDENTS - 1)];
    if (admin && !oracle_has(&p->oracle, other) && other->taken_count < PACKAGES - 2) {
        add[wish.add_count++] = other;
    } else if (admin && oracle_members(&p->oracle) > 2 && roll(p, 3) == 0) {
        const struct membership *theirs = membership_of(p, other);
        if (theirs != NULL && group_epoch(theirs->group) == p->oracle.epoch)
            remove[wish.remove_count++] = group_own_leaf(theirs->group);
    }
    enum hearth_code code = membership_commit(m, &wish);
    allow(m, code, "commit");
    if (code == HEARTH_OK) {
        oracle_committed(&p->oracle, m, add, wish.add_count);
        atomic_fetch_add(&board->workers[worker].commits, 1);
    }
}

static void act(struct play *p, size_t worker, struct board *board)
{
    struct resident *r = &p->residents[roll(p, RESIDENTS)];
    uint64_t what = roll(p, 100);
    if (what < 40)
        resident_sync(r, (uint32_t)roll(p, 5));
    struct membership *m = membership_of(p, r);
    if (m == NULL || m->broken)
        return;
    if (what < 85)
        do_send(p, m, worker, board);
    else
        do_commit(p, m, worker, board);
}

/* Until everybody has everything: two rounds in which nothing new came, while the server may still
 * be killed. */
static void calm(struct play *p)
{
    size_t before = SIZE_MAX, now = 0;
    for (int quiet = 0, rounds = 0; quiet < 2; rounds++) {
        assert_true(rounds < 200);
        house_run_ms(&p->house, 300);
        now = 0;
        for (size_t i = 0; i < RESIDENTS; i++) {
            resident_sync(&p->residents[i], 0);
            now += p->residents[i].seen;
        }
        quiet = now == before ? quiet + 1 : 0;
        before = now;
    }
}

static void play_world(struct play *p, size_t worker, struct board *board)
{
    struct resident *first[] = {&p->residents[1], &p->residents[2]};
    const struct commit_wish wish = {.add = first, .add_count = 2};
    for (uint32_t i = 0; i < RESIDENTS; i++) {
        resident_init(&p->residents[i], &p->house, i + 1);
        assert_int_equal(resident_publish(&p->residents[i], PACKAGES), HEARTH_OK);
    }
    struct membership *m = resident_found(&p->residents[0]);
    assert_non_null(m);
    oracle_founded(&p->oracle, m);
    assert_int_equal(membership_commit(m, &wish), HEARTH_OK);
    oracle_committed(&p->oracle, m, first, 2);
    for (int i = 0; i < ACTS && !atomic_load(&board->stop); i++)
        act(p, worker, board);
    calm(p);
    atomic_fetch_add(&board->workers[worker].deliveries, (unsigned)oracle_check(&p->oracle));
    for (size_t i = 0; i < RESIDENTS; i++) {
        assert_int_equal(p->residents[i].gaps, 0);
        atomic_fetch_add(&board->workers[worker].retries, p->residents[i].retries);
        resident_clear(&p->residents[i]);
    }
    atomic_fetch_add(&board->workers[worker].worlds, 1);
}

static void work(const struct hearthd *server, size_t worker, struct board *board)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    rng_seeded_init(&p->dice, 77 + worker);
    house_visit(&p->house, server->address, server->ca_file);
    p->house.writing = &board->workers[worker].writing;
    while (!atomic_load(&board->stop)) {
        p->oracle = (struct oracle){0};
        p->messages = 0;
        play_world(p, worker, board);
    }
    house_leave(&p->house);
    free(p);
}

/* ---- the killer */

static void sleep_ms(uint64_t ms)
{
    const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static bool any_ended(const pid_t *workers)
{
    for (int i = 0; i < WORKERS; i++) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)workers[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0)
            return true; /* before its time: it has said why */
    }
    return false;
}

static unsigned kill_often(struct hearthd *server, const struct board *board, const pid_t *workers,
                           unsigned cycles)
{
    struct rng_seeded dice;
    unsigned during = 0;
    rng_seeded_init(&dice, 9);
    for (unsigned i = 0; i < cycles && !any_ended(workers); i++) {
        sleep_ms(LIFE_LEAST_MS + rng_seeded_next(&dice) % (LIFE_MOST_MS - LIFE_LEAST_MS));
        bool writing = false;
        for (int w = 0; w < WORKERS; w++)
            writing |= atomic_load(&board->workers[w].writing) > 0;
        hearthd_kill(server);
        during += writing;
        hearthd_start(server);
    }
    return during;
}

/* The number of workers that failed. */
static int join_workers(const pid_t *workers)
{
    int failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        int status = 0;
        bool ended = false;
        for (int tenth = 0; tenth < PATIENCE_S * 10 && !ended; tenth++) {
            ended = waitpid(workers[i], &status, WNOHANG) == workers[i];
            if (!ended)
                sleep_ms(100);
        }
        if (!ended) {
            (void)fprintf(stderr, "client %d does not end\n", i);
            (void)kill(workers[i], SIGKILL);
            (void)waitpid(workers[i], &status, 0);
        }
        failed += !ended || status != 0;
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"cycles", 1, NULL, 'c'}, {"least", 1, NULL, 'l'}, {NULL, 0, NULL, 0}};
    unsigned cycles = 200, least = 0;
    bool least_given = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return 2;
        *(c == 'c' ? &cycles : &least) = (unsigned)strtoul(optarg, NULL, 10);
        least_given |= c == 'l';
    }
    if (optind >= argc)
        return 2;
    struct hearthd server;
    pid_t workers[WORKERS];
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);
    hearthd_make(&server, argv[optind]);
    hearthd_start(&server);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        assert_true(workers[i] >= 0);
        if (workers[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(&server, i, board);
            _exit(0);
        }
    }
    unsigned during = kill_often(&server, board, workers, cycles);
    atomic_store(&board->stop, true);
    int failed = join_workers(workers);
    unsigned sum[5] = {0};
    for (int i = 0; i < WORKERS; i++) {
        sum[0] += atomic_load(&board->workers[i].worlds);
        sum[1] += atomic_load(&board->workers[i].sent);
        sum[2] += atomic_load(&board->workers[i].commits);
        sum[3] += atomic_load(&board->workers[i].deliveries);
        sum[4] += atomic_load(&board->workers[i].retries);
    }
    printf("%u kills, %u of them during unacknowledged writes; %u worlds, %u messages and %u "
           "commits acknowledged, %u deliveries as they "
           "must be, %u calls repeated\n",
           server.lives - 1, during, sum[0], sum[1], sum[2], sum[3], sum[4]);
    int code = hearthd_stop(&server);
    hearthd_remove(&server);
    bool all = server.lives == cycles + 1;
    bool enough = during >= (least_given ? least : cycles * 3 / 20);
    if (!all)
        printf("FAILED a client ended before its time (above)\n");
    else if (!enough)
        printf("FAILED too few kills in the middle of something\n");
    return failed == 0 && code == 0 && all && enough && sum[3] > 0 ? 0 : 1;
}
