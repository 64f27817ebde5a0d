/* The log in kt.db: what publishing costs into many pairs, and how long a proof takes from SQLite.
 * Bars: 10,000 leaves into 10^6 in under 2 s; 99 of 100 proofs in under 5 ms. Commits are durable;
 * the folder is below $TMPDIR or /tmp.
 *
 *     kt_bench [pairs] [labels]     default 1000000 1000
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/transparency/inside.h"
#include "support/store_dir.h"
#include "tlog/verify.h"

enum { LEAVES = 10000, LOOKUPS = 4000, ROUNDS = 5 };

static struct store *store;
static struct kt_log kt;
static struct sig_key log_key;
static struct vrf_key vrf;
static uint64_t now_ms = 1795000000000;

static void must(struct err err, const char *what)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

static double wall_ms(void)
{
    return (double)clock_monotonic_us(&clock_system) / 1e3;
}

static double cpu_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    (void)self;
    return sig_sign(&log_key, text, ret_signature);
}

/* An epoch of leaves that belong to nobody, by the same statements as kt_log_close. */
static struct err run_leaves(struct store_txn *txn, void *arg)
{
    size_t count = *(size_t *)arg;
    struct kt_newest newest;
    TRY(kt_newest(txn, &newest));
    struct kt_log_at at = {&kt, txn, newest.epoch + 1};
    struct prefix_store nodes = kt_nodes(&at);
    struct log_store hashes = kt_hashes(txn);
    struct log_entry entry = {.timestamp = now_ms};
    struct hash_value leaf;
    struct prefix_leaf *leaves = calloc(count, sizeof *leaves);
    if (leaves == NULL)
        return ERR(NO_MEMORY);
    struct err err = rng_fill(&rng_system, leaves, count * sizeof *leaves);
    if (err_is_ok(err))
        err = prefix_insert(&nodes, leaves, count, &entry.prefix_root);
    free(leaves);
    TRY(err);
    log_entry_hash(&entry, &leaf);
    TRY(log_append(&hashes, at.epoch, &leaf));
    struct stmt *s = stmt_use(txn, EPOCH_PUT);
    stmt_bind_u64(s, 1, at.epoch);
    stmt_bind_u64(s, 2, now_ms);
    stmt_bind_blob(s, 3, hash_value_view(&entry.prefix_root));
    stmt_bind_u64(s, 4, at.epoch == 1);
    return stmt_run(s, NULL);
}

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&kt, txn);
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    return kt_log_close(&kt, txn, now_ms, arg);
}

static struct err run_sign(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_sign(&kt, txn);
}

static struct bytes label_of(size_t i, char text[32])
{
    int len = snprintf(text, 32, "\x01user-%zu", i);
    return bytes_of(text, (size_t)len);
}

static struct err run_offers(struct store_txn *txn, void *arg)
{
    static const uint8_t value[300];
    size_t labels = *(size_t *)arg;
    for (size_t i = 0; i < labels; i++) {
        char text[32];
        uint64_t epoch;
        TRY(kt_log_offer(&kt, txn, label_of(i, text), 0, bytes_of(value, sizeof value), &epoch));
    }
    return ERR_OK;
}

struct lookup {
    struct search_request request;
    struct buf answer;
};

static struct err run_lookup(struct store_txn *txn, void *arg)
{
    struct lookup *l = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(&kt, txn, &at);
    return kt_prove_search(&source, &l->request, &l->answer);
}

static void bench_publish(size_t leaves)
{
    double times[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        double start = wall_ms();
        now_ms += 1000;
        must(store_call(store, run_leaves, &leaves), "leaves");
        times[i] = wall_ms() - start;
    }
    qsort(times, ROUNDS, sizeof *times, order);
    printf("publish %6zu leaves, durable      %10.2f ms   (%.2f to %.2f)\n", leaves,
           times[ROUNDS / 2], times[0], times[ROUNDS - 1]);
}

static double times[LOOKUPS];

static size_t look_up(size_t i, size_t labels)
{
    char text[32];
    struct lookup l = {.request = {.last = 1}};
    l.request.label = label_of((i * 7919) % labels, text);
    double start = wall_ms();
    must(store_call_read(store, run_lookup, &l), "lookup");
    times[i] = wall_ms() - start;
    size_t bytes = l.answer.len;
    buf_clear(&l.answer);
    return bytes;
}

static void say_lookups(const char *what, size_t count)
{
    qsort(times, count, sizeof *times, order);
    printf("%s %10.2f ms p50, %.2f ms p99, %zu of them\n", what, times[count / 2],
           times[count * 99 / 100], count);
}

static void bench_lookups(size_t labels)
{
    size_t bytes = 0;
    double cpu = cpu_ms();
    for (size_t i = 0; i < LOOKUPS; i++)
        bytes += look_up(i, labels);
    cpu = cpu_ms() - cpu;
    say_lookups("proof of a search, version 0     ", LOOKUPS);
    printf("    %zu B; %.0f searches a second and core\n", bytes / LOOKUPS, LOOKUPS / cpu * 1e3);
}

/* Some two hundred a second, beside somebody who publishes. */
static atomic_bool publishing;

static void *search_on(void *arg)
{
    static size_t count;
    const struct timespec pause = {.tv_nsec = 5000000};
    size_t labels = *(size_t *)arg;
    for (count = 0; count < LOOKUPS && atomic_load(&publishing); count++) {
        (void)look_up(count, labels);
        (void)nanosleep(&pause, NULL);
    }
    return &count;
}

static void bench_beside(size_t labels, size_t leaves, int epochs)
{
    pthread_t thread;
    void *count;
    char what[64];
    atomic_store(&publishing, true);
    if (pthread_create(&thread, NULL, search_on, &labels) != 0)
        exit(1);
    double start = wall_ms();
    for (int i = 0; i < epochs; i++) {
        now_ms += 1000;
        must(store_call(store, run_leaves, &leaves), "leaves");
        must(store_call(store, run_sign, NULL), "sign");
    }
    double took = wall_ms() - start;
    atomic_store(&publishing, false);
    (void)pthread_join(thread, &count);
    (void)snprintf(what, sizeof what, "beside %d epochs of %5zu leaves  ", epochs, leaves);
    say_lookups(what, *(size_t *)count);
    printf("    those took %.0f ms each, signed\n", took / epochs);
}

static void configure(void)
{
    static const uint8_t seed[32] = {1}, other[32] = {2};
    must(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &log_key), "key");
    must(vrf_key_init(bytes_of(other, 32), &vrf), "vrf");
    kt = (struct kt_log){.vrf = &vrf, .rng = &rng_system, .sign = sign};
    kt.config = (struct kt_config){.mode = KT_MODE_CONTACT,
                                   .origin_len = 14,
                                   .max_ahead_ms = 60000,
                                   .max_behind_ms = 3600000,
                                   .window_ms = 21600000};
    memcpy(kt.config.origin, "a.example/kt/1", 14);
    memcpy(kt.config.signature_key, log_key.public_key.data, 32);
    memcpy(kt.config.vrf_key, vrf.public_key, 32);
}

int main(int argc, char **argv)
{
    size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    size_t labels = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    struct store_dir dir;
    if (labels == 0 || labels > KT_EPOCH_MOST)
        return 2;
    configure();
    store_dir_make(&dir);
    const struct store_options options = {.path = dir.path,
                                          .schema = &kt_schema,
                                          .cache_kib = KT_CACHE_KIB,
                                          .writer_cache_kib = KT_WRITER_CACHE_KIB,
                                          .checkpoint_bytes = KT_CHECKPOINT_BYTES};
    must(store_open(&options, NULL, &store), "open");
    must(store_call(store, run_start, NULL), "start");
    double start = wall_ms();
    must(store_call(store, run_leaves, &pairs), "fill");
    printf("%zu pairs in kt.db, made in %.1f s\n", pairs, (wall_ms() - start) / 1e3);
    must(store_call(store, run_offers, &labels), "offers");
    uint64_t epoch;
    now_ms += 1000;
    start = wall_ms();
    must(store_call(store, run_close, &epoch), "close");
    printf("epoch of %zu new versions, VRF proofs of them and of what is above them: %.0f ms\n",
           labels, wall_ms() - start);
    now_ms += 21600000; /* so that searches show two trees */
    bench_publish(1);
    bench_publish(100);
    bench_publish(LEAVES);
    must(store_call(store, run_sign, NULL), "sign");
    bench_lookups(labels);
    bench_beside(labels, 1000, 20);
    bench_beside(labels, LEAVES, 5);
    store_close(store);
    store_dir_remove(&dir);
    sig_key_clear(&log_key);
    vrf_key_clear(&vrf);
    return 0;
}
