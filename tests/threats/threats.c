/* Runs them: threats HEARTHD HEARTH ID [--seconds S] [--groups G] [--size N] [--rate R]
 *         [--full|--unhurried]
 *
 * G groups of N people, in each of which one sends R messages a second.
 *
 * ID: of attacks.c, or ME1 (watch.c), ME3ME4 (image.c). Latency is judged by the 99th hundredth
 * (--full) or, in the short form, which runs beside other tests and sends some forty messages, by
 * the median;
 * --unhurried, for sanitizers, does not judge it. The base is the same figure without the attack,
 * before and after it, the worse of the two; 100 ms are asked for where the base is below half of
 * that. A run whose only failure is latency is tried again, twice: other programs pass, an attack
 * does not. */
#include "threats/threats.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hearth/v1/info_rpc.h"
#include "threats/load.h"

enum {
    IDLE_MS = 700,
    IDLE_FULL_MS = 5000,
    RSS_MOST_KIB = 512 * 1024,
    RECOVER_MS = 5000,
    READY_MS = 20000,
    TRIES = 3,
    SHORT_PACE = 3 /* else two seconds would hold four commits */
};

struct settings {
    const char *hearthd, *hearth, *id;
    unsigned seconds, groups, size, rate;
    bool unhurried, full;
};

struct verdict {
    unsigned gains, broken;
    /* before the attack, while it runs, afterwards: median and tail (load_latency_ms) */
    struct latency {
        double ms[2];
    } idle[LOAD_KINDS], attack[LOAD_KINDS], after[LOAD_KINDS];
    uint64_t sent, failed, rss_kib, recover_ms;
    bool settled;
};

/* What residents and their loops hold stays until the process ends, and a second run takes their
 * place: no leak that matters here. The server is another program, and is looked at. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

void attacker_fail(struct attacker *a, const char *what, const char *why)
{
    if (atomic_fetch_add(&a->board->broken, 1) == 0)
        print_message("attacker %u: %s: %s\n", a->number, what, why != NULL ? why : "");
}

/* ---- the server */

static bool is_kept(const char *keep, const char *name, size_t len)
{
    for (const char *at = keep; (at = strstr(at, name)) != NULL; at += len)
        if ((at == keep || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

static unsigned long long shipped(const char *name)
{
#define LIMIT_ROW(row, unit, value, least, most, reason) \
    if (strcmp(name, #row) == 0)                         \
        return (unsigned long long)(value);
#define LIMIT_BUCKET(row, burst, per_hour, reason) \
    if (strcmp(name, #row) == 0)                   \
        return (unsigned long long)(burst);
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
    if (strcmp(name, "per_prefix") == 0)
        return 64;
    return strcmp(name, "new_per_s") == 0 ? 10 : 0;
}

/* Lines `name = value` whose name is kept get what is shipped; the rest is as hearthd_make left it,
 * and `more`. */
static void configure(const struct hearthd *h, const char *keep, unsigned scale, const char *more)
{
    static char text[65536];
    char path[128], kept[256];
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", h->folder);
    (void)snprintf(kept, sizeof kept, "%s%s", keep,
                   is_kept(keep, "connections", 11) ? " per_prefix new_per_s" : "");
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof text - 1, in);
    (void)fclose(in);
    (void)snprintf(text + len, sizeof text - len, "%s", more != NULL ? more : "");
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char name[64] = "";
        if (sscanf(line, "%63[A-Za-z0-9_] =", name) == 1 && is_kept(kept, name, strlen(name)))
            (void)fprintf(out, "%s = %llu\n", name, shipped(name) / (scale > 0 ? scale : 1));
        else
            (void)fprintf(out, "%s\n", line);
    }
    assert_int_equal(fclose(out), 0);
}

/* ---- attackers */

static void sleep_ms(uint64_t ms)
{
    const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static void attack(const struct threat *t, struct attacker *a)
{
    (void)source_start(a->source, a->server->address, NULL, a->address);
    house_visit(&a->house, a->address, a->server->ca_file);
    t->prepare(a);
    atomic_fetch_add(&a->board->ready, 1);
    while (!atomic_load(&a->board->go))
        sleep_ms(1);
    while (!atomic_load(&a->board->stop))
        t->act(a);
}

static pid_t attacker_start(const struct threat *t, const struct settings *s,
                            const struct hearthd *server, const struct hearthd *other,
                            struct board *board, unsigned number)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    struct attacker *a = calloc(1, sizeof *a);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!nice(5);
    if (a == NULL)
        _exit(1);
    *a = (struct attacker){
        .server = server, .other = other, .hearth = s->hearth, .number = number, .board = board};
    (void)snprintf(a->source, sizeof a->source, "127.0.0.%u", 101 + number);
    attack(t, a);
    _exit(0);
}

static void attackers_end(const pid_t *pids, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (int tenth = 0; tenth < 30 && waitpid(pids[i], NULL, WNOHANG) == 0; tenth++)
            sleep_ms(100);
        (void)kill(pids[i], SIGKILL); /* reaped already, or in the midst of a try */
        (void)waitpid(pids[i], NULL, 0);
    }
}

/* ---- one run */

static uint64_t answers_after_ms(struct house *house, uint64_t most_ms)
{
    uint64_t from = clock_monotonic_us(&clock_system);
    for (uint64_t ms = 0; ms < most_ms;) {
        const struct hearth_channel_options options = {.tls = &house->tls};
        struct hearth_channel *channel = hearth_channel_new(house->address, &options);
        Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
        Hearth__V1__GetServerInfoResponse *out = NULL;
        assert_non_null(channel);
        enum hearth_code code = hearth_info_get_server_info(channel, NULL, &in, &out, NULL);
        if (out != NULL)
            protobuf_c_message_free_unpacked(&out->base, NULL);
        hearth_channel_free(channel);
        ms = (clock_monotonic_us(&clock_system) - from) / 1000;
        if (code == HEARTH_OK)
            return ms;
    }
    return most_ms;
}

static void take_latencies(struct load *load, struct latency ret[LOAD_KINDS])
{
    for (unsigned kind = 0; kind < LOAD_KINDS; kind++)
        load_latency_ms(load, kind, ret[kind].ms);
}

static void run(const struct threat *t, const struct settings *s, bool control, struct verdict *v)
{
    static struct load load;
    static struct house house;
    struct hearthd server, other = {0};
    char more[512];
    pid_t pids[ATTACKERS_MOST];
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);
    *v = (struct verdict){0};
    hearthd_make(&server, s->hearthd);
    (void)snprintf(more, sizeof more, "%s", t->conf != NULL ? t->conf : "");
    if (t->other != OTHER_NONE) {
        hearthd_make_beside(&other, &server, OTHER_DOMAIN);
        (void)snprintf(more, sizeof more, "[federation]\nmode = allow\npeer = %s=%s\n",
                       OTHER_DOMAIN, other.address);
    }
    configure(&server, control ? "" : t->keep, t->scale, more);
    hearthd_start(&server);
    if (t->other == OTHER_THERE)
        hearthd_start(&other);
    for (unsigned i = 0; i < t->attackers; i++)
        pids[i] = attacker_start(t, s, &server, &other, board, i);
    house_visit(&house, server.address, server.ca_file);
    load_open_busy(&load, &house, s->groups, s->size, s->full ? 1 : SHORT_PACE);
    for (uint64_t ms = 0; atomic_load(&board->ready) < t->attackers && ms < READY_MS; ms += 10)
        house_run_ms(&house, 10);
    if (atomic_load(&board->ready) < t->attackers)
        atomic_fetch_add(&board->broken, 1);
    const unsigned per_s = s->groups * s->rate, idle_ms = s->full ? IDLE_FULL_MS : IDLE_MS;
    load_run(&load, idle_ms, per_s);
    (void)load_settled(&load);
    take_latencies(&load, v->idle);
    atomic_store(&board->go, true);
    unsigned seconds = s->seconds > t->least_s ? s->seconds : t->least_s;
    load_run(&load, seconds * UINT64_C(1000), per_s);
    v->rss_kib = hearthd_rss_kib(&server);
    take_latencies(&load, v->attack);
    atomic_store(&board->stop, true);
    v->recover_ms = answers_after_ms(&house, RECOVER_MS);
    v->settled = load_settled(&load);
    attackers_end(pids, t->attackers);
    for (unsigned i = 0; i < t->attackers; i++)
        v->gains += atomic_load(&board->gains[i]);
    v->broken = atomic_load(&board->broken);
    load_run(&load, idle_ms, per_s);
    v->settled = load_settled(&load) && v->settled;
    take_latencies(&load, v->after);
    v->sent = load.sent;
    v->failed = load.failed;
    load_hang_up(&load);
    hearthd_kill(&other);
    hearthd_remove(&server);
    (void)munmap(board, sizeof *board);
}

/* ---- judging */

/* Messages are held to the pass rule. Of the rest there is so little, a handful of each in the
 * short form and eighty commits in the long one, that it may take four times as long, or 50 ms
 * more: an attack that keeps people from committing, fetching or searching keeps them for seconds.
 */
static bool late(const struct settings *s, const struct verdict *v, unsigned kind)
{
    const double times = kind == LOAD_SEND ? 2 : 4, more = kind == LOAD_SEND ? 10 : 50;
    double before = v->idle[kind].ms[s->full], after = v->after[kind].ms[s->full],
           now = v->attack[kind].ms[s->full], idle = before > after ? before : after;
    return now > (times * idle > idle + more ? times * idle : idle + more) ||
           (kind == LOAD_SEND && idle <= 50 && now > 100);
}

static const char *who_waited(const struct settings *s, const struct verdict *v)
{
    static const char *const said[LOAD_KINDS] = {"honest people waited", "who commits waited",
                                                 "who fetches KeyPackages waited",
                                                 "who searches the log waited"};
    for (unsigned kind = 0; kind < LOAD_KINDS; kind++)
        if (late(s, v, kind))
            return said[kind];
    return NULL;
}

/* NULL: the rule was kept. */
static const char *breach(const struct verdict *v)
{
    if (v->broken > 0)
        return "an attacker could not do what it was to";
    if (!v->settled)
        return "what was acknowledged has not arrived";
    if (v->failed * 1000 > v->sent)
        return "honest people were refused";
    if (v->rss_kib > RSS_MOST_KIB)
        return "memory";
    return v->recover_ms >= RECOVER_MS ? "no answer 5 s after the attack" : NULL;
}

static void report(const struct threat *t, const char *what, const struct verdict *v, unsigned most)
{
    static const char *const names[LOAD_KINDS] = {"honest", "commits", "fetches", "searches"};
    static const char *const tails[LOAD_KINDS] = {"p99", "p90", "p90", "p90"};
    printf("%-6s %-8s %u done (most %u);", t->id, what, v->gains, most);
    for (unsigned kind = 0; kind < LOAD_KINDS; kind++)
        printf(" %s p50 %.1f %s %.1f ms, idle %.1f and %.1f, afterwards %.1f and %.1f;",
               names[kind], v->attack[kind].ms[0], tails[kind], v->attack[kind].ms[1],
               v->idle[kind].ms[0], v->idle[kind].ms[1], v->after[kind].ms[0],
               v->after[kind].ms[1]);
    printf(" %llu sent, %llu refused, %llu MiB, answers after %llu ms\n",
           (unsigned long long)v->sent, (unsigned long long)v->failed,
           (unsigned long long)v->rss_kib / 1024, (unsigned long long)v->recover_ms);
    (void)fflush(stdout);
}

static int judge(const struct threat *t, const struct settings *s)
{
    struct verdict v;
    unsigned more = s->seconds > 2 ? (s->seconds - 2) * t->per_s : 0, most = t->most + more;
    const char *why = NULL;
    printf("%s: %s\n", t->id, t->title);
    for (int i = 0; i < TRIES; i++) {
        run(t, s, false, &v);
        report(t, "defended", &v, most);
        why = v.gains > most ? "more was done than the limit allows" : breach(&v);
        if (why != NULL || s->unhurried || (why = who_waited(s, &v)) == NULL)
            break;
    }
    if (why == NULL && v.gains == 0)
        why = "the attack did nothing at all";
    if (why != NULL) {
        printf("FAILED %s: %s\n", t->id, why);
        return 1;
    }
    run(t, s, true, &v);
    report(t, "control", &v, most);
    if (v.gains > most)
        return 0;
    printf("FAILED %s: the control was held as well: the test proves nothing\n", t->id);
    return 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", 1, NULL, 's'},   {"groups", 1, NULL, 'g'},
                                            {"size", 1, NULL, 'z'},      {"rate", 1, NULL, 'r'},
                                            {"unhurried", 0, NULL, 'u'}, {"full", 0, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    struct settings s = {.seconds = 2, .groups = 5, .size = 5, .rate = 3};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's')
            s.seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'g')
            s.groups = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'z')
            s.size = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'r')
            s.rate = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'u')
            s.unhurried = true;
        else if (c == 'f')
            s.full = true;
        else
            return 2;
    }
    if (argc - optind != 3 || s.seconds == 0 || s.groups == 0 || s.size < 2 ||
        s.size > RESIDENT_PACKAGES || s.rate == 0) {
        (void)fprintf(stderr,
                      "usage: threats HEARTHD HEARTH ID [--seconds S] [--groups G] [--size N] "
                      "[--rate R] [--full|--unhurried]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    s.hearthd = argv[optind];
    s.hearth = argv[optind + 1];
    s.id = argv[optind + 2];
    for (size_t i = 0; i < threat_count; i++)
        if (strcmp(threats[i].id, s.id) == 0)
            return judge(&threats[i], &s);
    if (strcmp(s.id, "ME1") == 0)
        return watch_run(s.hearthd, s.full ? 200 : 16, s.full ? 100 : 50);
    if (strcmp(s.id, "ME3ME4") == 0) {
        struct hearthd server;
        hearthd_make(&server, s.hearthd);
        int code = image_run(&server);
        hearthd_remove(&server);
        return code;
    }
    (void)fprintf(stderr, "threats: nothing is called %s\n", s.id);
    return 2;
}
