/* What removing old nodes (kt_log_sweep) saves and costs: kt.db over days of new versions, beside
 * the same without it. Leaves of nobody, so its other tables are small here. Commits are not
 * durable.
 *
 *     kt_sweep_bench [pairs] [days] [leaves a day]     default 100000 180 480, 96 epochs a day
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "server/transparency/inside.h"
#include "support/store_dir.h"

enum { WINDOW_MS = 6 * 3600 * 1000, EPOCHS_A_DAY = 96, DAY_MS = 24 * 3600 * 1000 };

static struct store *store;
static struct kt_log kt;
static struct sig_key log_key;
static struct vrf_key vrf;
static uint64_t now_ms;

static void must(struct err err, const char *what)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    (void)self;
    return sig_sign(&log_key, text, ret_signature);
}

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&kt, txn);
}

/* An epoch by the same statements as kt_log_close, and its signature. */
static struct err run_epoch(struct store_txn *txn, void *arg)
{
    const size_t count = *(size_t *)arg;
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
    stmt_bind_u64(s, 4,
                  newest.epoch == 0 ||
                      kt_window(&kt.config, now_ms) > kt_window(&kt.config, newest.ms));
    TRY(stmt_run(s, NULL));
    return kt_log_sign(&kt, txn);
}

static struct err run_sweep(struct store_txn *txn, void *arg)
{
    return kt_log_sweep(&kt, txn, KT_KEEP_MS, arg);
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
                                   .window_ms = WINDOW_MS};
    memcpy(kt.config.origin, "a.example/kt/1", 14);
    memcpy(kt.config.signature_key, log_key.public_key.data, 32);
    memcpy(kt.config.vrf_key, vrf.public_key, 32);
}

static double now_s(void)
{
    return (double)clock_monotonic_us(&clock_system) / 1e6;
}

static double mib(const char *path)
{
    struct stat at;
    return stat(path, &at) == 0 ? (double)at.st_size / 1048576 : 0;
}

struct cost {
    double epochs_s, sweep_s, longest_s;
    unsigned long pieces;
};

static void day(bool sweeps, size_t leaves, struct cost *cost)
{
    bool more = sweeps;
    double began = now_s();
    for (int i = 0; i < EPOCHS_A_DAY; i++) {
        now_ms += DAY_MS / EPOCHS_A_DAY;
        must(store_call(store, run_epoch, &leaves), "epoch");
    }
    cost->epochs_s += now_s() - began;
    while (more) {
        began = now_s();
        must(store_call(store, run_sweep, &more), "sweep");
        double took = now_s() - began;
        cost->sweep_s += took;
        cost->longest_s = took > cost->longest_s ? took : cost->longest_s;
        cost->pieces++;
    }
}

static void run(bool sweeps, size_t pairs, unsigned days, size_t leaves)
{
    struct store_dir dir;
    struct cost cost = {0};
    store_dir_make_fast(&dir);
    const struct store_options options = {.path = dir.path,
                                          .schema = &kt_schema,
                                          .mode = STORE_INLINE,
                                          .relaxed = true,
                                          .no_check = true};
    must(store_open(&options, NULL, &store), "open");
    must(store_call(store, run_start, NULL), "start");
    now_ms = 1795000000000;
    must(store_call(store, run_epoch, &pairs), "the first");
    printf("%s", sweeps ? "removing      " : "keeping all   ");
    for (unsigned i = 1; i <= days; i++) {
        day(sweeps, leaves, &cost);
        if (i % 30 == 0) {
            store_close(store); /* what lies beside the file goes into it */
            printf(" %7.1f", mib(dir.path));
            (void)fflush(stdout);
            must(store_open(&options, NULL, &store), "open");
        }
    }
    printf("  MiB; epochs %.1f s, %lu pieces %.1f s, the longest %.1f ms\n", cost.epochs_s,
           cost.pieces, cost.sweep_s, cost.longest_s * 1000);
    store_close(store);
    store_dir_remove(&dir);
}

int main(int argc, char **argv)
{
    size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    unsigned days = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 180;
    size_t leaves = (argc > 3 ? strtoul(argv[3], NULL, 10) : 480) / EPOCHS_A_DAY;
    configure();
    printf("%zu pairs, then %zu leaves in each of %d epochs a day; after 30, 60, ... days\n", pairs,
           leaves, EPOCHS_A_DAY);
    run(false, pairs, days, leaves);
    run(true, pairs, days, leaves);
    return 0;
}
