/* The verifiable log at size: what a search weighs, what it costs client and log, what an epoch
 * costs. Prints a table beside the bars of transparency.md 16: a first search under 15 kB and 10 ms
 * of the client's CPU, a proof under 5 ms, 10,000 leaves into 10^6 under 2 s (here in memory; the
 * server's store adds its own).
 *
 *     tlog_bench [pairs] [epochs]     default 1000000 100000
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kit/tlog/operator.h"
#include "tlog/verify.h"

enum { REPEAT = 40, RMW_MS = 21600000, BATCH = 10000 };

static void must(struct err err, const char *what)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

/* This thread's CPU time: the bars are about CPU, and machines are shared. */
static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, order);
    return times[count / 2];
}

struct world {
    struct kt_operator op;
    struct kt_source source;
    uint64_t now_ms;
};

/* Labels with 1, 2, 6, 21 and 101 versions. */
static const uint32_t versions[] = {0, 1, 5, 20, 100};
enum { LABELS = sizeof versions / sizeof *versions };

static struct bytes label_of(const uint32_t *version)
{
    static char text[LABELS][16];
    size_t i = (size_t)(version - versions);
    int len = snprintf(text[i], sizeof text[i], "\x01user-%u", (unsigned)*version);
    return bytes_of(text[i], (size_t)len);
}

/* One version per epoch, as it is in the world; all of them before the last window begins. */
static void fill(struct world *w, size_t pairs, size_t epochs)
{
    static uint8_t value[300];
    w->now_ms = 1795000000000 / RMW_MS * RMW_MS;
    for (uint32_t v = 0; v <= versions[LABELS - 1]; v++) {
        for (size_t i = 0; i < LABELS; i++) {
            if (v <= versions[i])
                must(operator_add(&w->op, label_of(&versions[i]), bytes_of(value, sizeof value),
                                  NULL),
                     "add");
        }
        must(operator_close(&w->op, w->now_ms += 1000, v == 0 ? pairs : 0), "close");
    }
    for (size_t i = w->op.epoch_count; i < epochs; i++)
        must(operator_close(&w->op, w->now_ms += 60000, 0), "close");
    w->now_ms = (w->now_ms / RMW_MS + 1) * RMW_MS;
    must(operator_close(&w->op, w->now_ms, 0), "close");
    must(operator_close(&w->op, w->now_ms += 60000, 1), "close");
}

/* The operator's cache of proofs, as a server has it: made before they are timed. */
static struct {
    struct bytes label;
    uint32_t version;
    struct kt_pair pair;
} cache[1024];
static size_t cached;

static struct err cached_pair(void *self, struct bytes label, uint32_t version,
                              struct kt_pair *ret_pair)
{
    struct world *w = self;
    for (size_t i = 0; i < cached; i++) {
        if (cache[i].version == version && bytes_equal(cache[i].label, label)) {
            *ret_pair = cache[i].pair;
            return ERR_OK;
        }
    }
    struct kt_source source = operator_source(&w->op);
    TRY(source.pair(source.self, label, version, ret_pair));
    if (cached < sizeof cache / sizeof *cache) {
        cache[cached].label = label;
        cache[cached].version = version;
        cache[cached++].pair = *ret_pair;
    }
    return ERR_OK;
}

#define FORWARD(name, parameters, arguments)          \
    static struct err through_##name parameters {     \
        struct world *w = self;                       \
        struct kt_source s = operator_source(&w->op); \
        self = s.self;                                \
        return s.name arguments;                      \
    }
FORWARD(tree, (void *self, uint64_t epoch, struct prefix_store *ret), (self, epoch, ret))
FORWARD(entry, (void *self, uint64_t epoch, struct log_entry *ret), (self, epoch, ret))
FORWARD(dist, (void *self, uint64_t epoch, uint64_t *ret), (self, epoch, ret))
FORWARD(next_dist, (void *self, uint64_t epoch, uint64_t last, uint64_t *ret),
        (self, epoch, last, ret))
FORWARD(greatest, (void *self, struct bytes label, uint64_t epoch, uint32_t *ret),
        (self, label, epoch, ret))
FORWARD(open, (void *self, struct bytes label, uint32_t version, uint8_t *ret, struct buf *value),
        (self, label, version, ret, value))
FORWARD(checkpoint, (void *self, struct buf *note, uint64_t *ret), (self, note, ret))

static struct kt_source source_of(struct world *w)
{
    return (struct kt_source){.self = w,
                              .config = &w->op.config,
                              .log = memory_log_store(&w->op.log),
                              .tree = through_tree,
                              .entry = through_entry,
                              .dist = through_dist,
                              .next_dist = through_next_dist,
                              .greatest = through_greatest,
                              .pair = cached_pair,
                              .open = through_open,
                              .checkpoint = through_checkpoint};
}

static void bench_search(struct world *w, struct bytes label, uint32_t version)
{
    double prove_ms[REPEAT], verify_ms[REPEAT], again_ms[REPEAT];
    size_t first_bytes = 0, again_bytes = 0;
    static struct kt_result result, repeated;
    struct search_request request = {.last = 1, .label = label};
    struct kt_view fresh, view;
    struct buf b = BUF_INIT;
    must(kt_view_init(buf_view(&w->op.config_bytes), &fresh), "view");
    must(kt_prove_search(&w->source, &request, &b), "prove"); /* fills the cache */
    for (size_t i = 0; i < REPEAT; i++) {
        struct kt_query query = {.label = label, .now_ms = w->now_ms, .opaque_value = true};
        struct buf ask = BUF_INIT;
        view = fresh;
        buf_reset_unwiped(&b);
        double start = cpu_ms();
        must(kt_prove_search(&w->source, &request, &b), "prove");
        prove_ms[i] = cpu_ms() - start;
        first_bytes = b.len;
        start = cpu_ms();
        must(kt_verify_search(&view, &query, buf_view(&b), &result), "verify");
        verify_ms[i] = cpu_ms() - start;
        query.known = &result.known;
        must(kt_search_request(&ask, &view, &query), "ask");
        struct search_request second;
        must(search_request_parse(buf_view(&ask), &second), "ask");
        buf_reset_unwiped(&b);
        must(kt_prove_search(&w->source, &second, &b), "prove");
        again_bytes = b.len;
        start = cpu_ms();
        must(kt_verify_search(&view, &query, buf_view(&b), &repeated), "verify");
        again_ms[i] = cpu_ms() - start;
        buf_clear(&ask);
    }
    printf("search, version %-5u %7zu B %9.3f ms %9.3f ms   again %6zu B %8.3f ms\n", version,
           first_bytes, median(prove_ms, REPEAT), median(verify_ms, REPEAT), again_bytes,
           median(again_ms, REPEAT));
    buf_clear(&b);
}

/* 10,000 new leaves at once, and one, as an epoch: tree, log, checkpoint. */
static void bench_publish(struct world *w, size_t leaves)
{
    double times[9];
    for (size_t i = 0; i < 9; i++) {
        double start = cpu_ms();
        must(operator_close(&w->op, w->now_ms += 1000, leaves), "publish");
        times[i] = cpu_ms() - start;
    }
    printf("publish %6zu leaves %44.3f ms   %.2f us a leaf\n", leaves, median(times, 9),
           median(times, 9) * 1e3 / (double)leaves);
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = {1}, other[32] = {2};
    size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    size_t epochs = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
    static struct world w;
    must(operator_init(&w.op, "hs.example.org/kt/1", RMW_MS, seed, other), "init");
    fill(&w, pairs, epochs);
    w.source = source_of(&w);
    printf("%zu pairs, %zu epochs, values of 300 B; CPU of one thread, medians\n", pairs,
           w.op.epoch_count);
    printf("%-21s %9s %12s %12s\n", "", "bytes", "log", "client");
    for (size_t i = 0; i < LABELS; i++)
        bench_search(&w, label_of(&versions[i]), versions[i]);
    bench_publish(&w, 1);
    bench_publish(&w, 100);
    bench_publish(&w, BATCH);
    operator_clear(&w.op);
    return 0;
}
