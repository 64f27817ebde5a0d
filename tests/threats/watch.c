/* ME1: who watches the wire, and wants to know to whom a message went that he saw somebody send.
 *
 * Groups of two, one who talks and one who listens; the listeners' connections go through processes
 * that note when how many bytes came from the server, and nothing else. After each message three
 * classifiers name the listener who got it: by the most bytes, by the earliest and by the latest
 * sight until the next message. With the privacy
 * profile they may do no better than chance and five standard deviations; the control is the same
 * with the same ticks and records, but no cover. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threats/load.h"
#include "threats/threats.h"

enum { LISTENERS = 8, SENDS_MOST = 1000, CONTROL_HUNDREDTHS = 100 };
enum { BY_BYTES, BY_FIRST, BY_LAST, CLASSIFIERS };
static const char *const names[CLASSIFIERS] = {"bytes", "first sight", "last sight"};

struct sent {
    uint64_t us, until_us;
    size_t to;
};

/* What came on one connection after a message. */
struct view {
    double by[CLASSIFIERS];
    double bytes;
};

static void look(const struct tape *tape, uint64_t from_us, uint64_t until_us, struct view *ret)
{
    uint64_t first = until_us - from_us, last = 0;
    *ret = (struct view){0};
    for (size_t i = 0; i < atomic_load(&tape->count); i++) {
        uint64_t at = tape->sights[i].us;
        if (at < from_us || at >= until_us)
            continue;
        at -= from_us;
        first = at < first ? at : first;
        last = at > last ? at : last;
        ret->bytes += (double)tape->sights[i].bytes;
    }
    ret->by[BY_BYTES] = ret->bytes;
    ret->by[BY_FIRST] = -(double)first;
    ret->by[BY_LAST] = (double)last;
}

/* Who stands out most; who is the same as others is found by nobody, so ties go round. */
static size_t guess(const struct view *views, int by, size_t turn)
{
    size_t best = turn % LISTENERS;
    for (size_t i = 0; i < LISTENERS; i++) {
        size_t at = (turn + i) % LISTENERS;
        if (views[at].by[by] > views[best].by[by])
            best = at;
    }
    return best;
}

static void classify(const struct tape *tapes, const struct sent *sent, unsigned sends,
                     unsigned ret_right[CLASSIFIERS])
{
    memset(ret_right, 0, CLASSIFIERS * sizeof *ret_right);
    for (unsigned n = 0; n < sends; n++) {
        struct view views[LISTENERS];
        for (size_t i = 0; i < LISTENERS; i++)
            look(&tapes[i], sent[n].us, sent[n].until_us, &views[i]);
        for (int by = 0; by < CLASSIFIERS; by++)
            ret_right[by] += guess(views, by, n * 3 + 1) == sent[n].to;
    }
}

static void configure(const struct hearthd *h, bool cover, unsigned tick_ms)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", h->folder);
    FILE *conf = fopen(path, "ae");
    assert_non_null(conf);
    (void)fprintf(conf, "[privacy]\ntick_ms = %u\nrecord_bytes = 512\ncover = %s\n", tick_ms,
                  cover ? "yes" : "no");
    assert_int_equal(fclose(conf), 0);
}

static unsigned watch(const char *hearthd, bool cover, unsigned sends, unsigned tick_ms)
{
    static struct load load;
    static struct house house;
    static struct sent sent[SENDS_MOST];
    struct hearthd server;
    unsigned right[CLASSIFIERS], most = 0;
    bool settled = true;
    struct tape *tapes = mmap(NULL, LISTENERS * sizeof *tapes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tapes != MAP_FAILED && sends <= SENDS_MOST);
    hearthd_make(&server, hearthd);
    configure(&server, cover, tick_ms);
    hearthd_start(&server);
    house_visit(&house, server.address, server.ca_file);
    load_open_watched(&load, &house, tapes, LISTENERS);
    house_run_ms(&house, 1000);
    for (unsigned n = 0; n < sends; n++) {
        uint8_t coins[2];
        resident_random(&load.residents[0], coins, sizeof coins);
        sent[n].to = coins[0] % LISTENERS;
        house_run_ms(&house, coins[1] % tick_ms); /* not in step with the ticks */
        sent[n].us = clock_monotonic_us(&clock_system);
        load_send(&load, sent[n].to);
        house_run_ms(&house, tick_ms);
        settled = load_settled(&load) && settled; /* where it takes longer */
        /* between two ticks, so that the end of a window says nothing: it must not come with the
         * very tick that brought the message */
        house_run_ms(&house, tick_ms * 3 / 2);
        sent[n].until_us = clock_monotonic_us(&clock_system);
    }
    classify(tapes, sent, sends, right);
    printf("ME1    %-8s of %u messages to one of %d, found by", cover ? "covered" : "control",
           sends, LISTENERS);
    for (int by = 0; by < CLASSIFIERS; by++) {
        printf(" %s %.0f %%,", names[by], 100.0 * right[by] / sends);
        most = right[by] > most ? right[by] : most;
    }
    printf(" chance is %.1f %%; %zu sights of one listener, %llu messages\n", 100.0 / LISTENERS,
           atomic_load(&tapes[0].count), (unsigned long long)load.sent);
    load_hang_up(&load);
    hearthd_remove(&server);
    (void)munmap(tapes, LISTENERS * sizeof *tapes);
    if (!settled || load.failed > 0) {
        printf("FAILED ME1: messages were lost\n");
        (void)fflush(stdout);
        _exit(1);
    }
    return most;
}

int watch_run(const char *hearthd, unsigned sends, unsigned tick_ms)
{
    double chance = sends * (1.0 / LISTENERS);
    double bar = chance + 5 * sqrt(chance * (1 - 1.0 / LISTENERS));
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork(); /* the control, beside: a homeserver of its own */
    assert_true(pid >= 0);
    if (pid == 0) {
        unsigned right = watch(hearthd, false, sends, tick_ms);
        (void)fflush(stdout);
        _exit((int)(right * CONTROL_HUNDREDTHS / sends));
    }
    unsigned covered = watch(hearthd, true, sends, tick_ms);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (covered > bar) {
        printf("FAILED ME1: %u are more than chance\n", covered);
        return 1;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) < 90 ||
        WEXITSTATUS(status) > CONTROL_HUNDREDTHS) {
        printf("FAILED ME1: the control hides as well: the test proves nothing\n");
        return 1;
    }
    return 0;
}
