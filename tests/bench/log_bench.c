/* What tests/bench/log_bench.py can't do in Python: a log of many pairs in the folder of a real
 * homeserver that is not running, made by the sequencer's own functions and with its keys; versions
 * for a running one to take in; and what a client's verification of its answers costs.
 *
 *     log_bench fill FOLDER DOMAIN PAIRS    a day in five windows: leaves of nobody, and labels
 *                                           bench-T-I with versions up to T, LABELS of each
 *     log_bench epochs FOLDER DOMAIN COUNT WINDOW_S   one leaf of nobody in each, for
 *                                           tests/server/log_pages.py
 *     log_bench queue FOLDER DOMAIN COUNT   new labels, waiting with their VRF proofs as append.c
 *                                           leaves them, in FOLDER/queue.db
 *     log_bench verify CONFIG ANSWERS       struct { opaque label<1..2^8-1>; opaque
 *                                           answer<0..2^32-1>; } each, to first searches
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/transparency/inside.h"
#include "server/transparency/keys.h"
#include "tlog/verify.h"

enum { LABELS = 100, VALUE_BYTES = 300, WINDOWS = 4, FILE_MAX_BYTES = 64 * 1024 * 1024 };
static const uint32_t greatest[] = {0, 1, 5, 20};
enum { KINDS = sizeof greatest / sizeof *greatest };
static const uint8_t value[VALUE_BYTES];

static struct front_env env = {.clock = &clock_system, .rng = &rng_system};
static struct kt_keys keys;
static struct store *store;
static uint64_t now_ms;

static void must(struct err err, const char *what)
{
    if (!err_is_ok(err)) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

static struct bytes label_of(char text[64], const char *kind, uint32_t t, size_t i)
{
    int len = snprintf(text, 64, "%cbench-%s-%" PRIu32 "-%zu", 2, kind, t, i);
    return bytes_of(text, (size_t)len);
}

/* ---- writing */

static struct err run_start(struct store_txn *txn, void *arg)
{
    (void)arg;
    return kt_log_start(&keys.log, txn);
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    uint64_t epoch;
    (void)arg;
    return kt_log_close(&keys.log, txn, now_ms, &epoch);
}

/* An epoch of leaves that belong to nobody, by the same statements as kt_log_close. */
static struct err run_leaves(struct store_txn *txn, void *arg)
{
    const size_t count = *(size_t *)arg;
    struct kt_newest newest;
    TRY(kt_newest(txn, &newest));
    struct kt_log_at at = {&keys.log, txn, newest.epoch + 1};
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
                      kt_window(&keys.log.config, now_ms) > kt_window(&keys.log.config, newest.ms));
    return stmt_run(s, NULL);
}

/* Of every label that goes so far, this version. */
static struct err run_versions(struct store_txn *txn, void *arg)
{
    const uint32_t version = *(uint32_t *)arg;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < LABELS && version <= greatest[k]; i++) {
            char text[64];
            uint64_t epoch;
            TRY(kt_log_offer(&keys.log, txn, label_of(text, "v", greatest[k], i), version,
                             bytes_of(value, sizeof value), &epoch));
        }
    }
    return ERR_OK;
}

static struct err run_queue(struct store_txn *txn, void *arg)
{
    const size_t count = *(size_t *)arg;
    for (size_t i = 0; i < count; i++) {
        char text[64];
        uint64_t epoch;
        struct kt_ready ready;
        struct bytes label = label_of(text, "q", (uint32_t)(now_ms / 1000), i);
        TRY(kt_log_offer(&keys.log, txn, label, 0, bytes_of(value, sizeof value), &epoch));
        TRY(kt_ready_make(&keys.log, txn, label, 0, &ready));
        TRY(kt_ready_put(&keys.log, txn, label, &ready));
    }
    return ERR_OK;
}

static void open_folder(const char *folder, const char *domain, const char *database,
                        uint64_t window_ms)
{
    char path[512];
    env.domain = domain;
    (void)snprintf(path, sizeof path, "%s/keys/keyring", folder);
    must(keeper_open(path, bytes_str(domain), env.clock, env.rng, &env.keeper), path);
    must(kt_keys_open(&env, 1, window_ms, &keys), "keys");
    (void)snprintf(path, sizeof path, "%s/%s", folder, database);
    const struct store_options options = {
        .path = path, .schema = &kt_schema, .cache_kib = 8 * KT_CACHE_KIB};
    must(store_open(&options, NULL, &store), path);
    now_ms = clock_unix_ms(env.clock);
}

static void fill(size_t pairs)
{
    const uint64_t window = keys.log.config.window_ms;
    const uint64_t end = now_ms;
    size_t few = 8;
    must(store_call(store, run_start, NULL), "start");
    now_ms = end - end % window - WINDOWS * window + window / 2;
    for (size_t left = pairs; left > 0;) {
        size_t part = left < 100000 ? left : 100000;
        must(store_call(store, run_leaves, &part), "leaves");
        left -= part;
        now_ms += 1000;
    }
    for (uint32_t version = 0; version <= greatest[KINDS - 1]; version++) {
        must(store_call(store, run_versions, &version), "versions");
        must(store_call(store, run_close, NULL), "close");
        now_ms += 1000;
    }
    for (now_ms += window / 2; now_ms < end; now_ms += window)
        must(store_call(store, run_leaves, &few), "windows");
}

static void epochs(size_t count)
{
    size_t one = 1;
    must(store_call(store, run_start, NULL), "start");
    now_ms -= count;
    for (size_t i = 0; i < count; i++, now_ms++)
        must(store_call(store, run_leaves, &one), "leaf");
}

/* ---- verifying */

static struct bytes read_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = malloc(FILE_MAX_BYTES);
    if (in == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(data, 1, FILE_MAX_BYTES, in);
    (void)fclose(in);
    return bytes_of(data, len);
}

static double cpu_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void verify(const char *config, const char *answers)
{
    struct bytes in = read_file(answers);
    struct wire_reader r = wire_reader_of(in);
    struct kt_view first;
    must(kt_view_init(read_file(config), &first), "config");
    static double times[KINDS][LABELS];
    size_t counts[KINDS] = {0}, most[KINDS] = {0};
    while (wire_reader_left(&r) > 0) {
        struct bytes label = tlog_read_name(&r);
        struct bytes answer = tlog_read_vector32(&r, SEARCH_RESPONSE_MAX_BYTES);
        must(wire_reader_check(&r), "answers");
        struct kt_view view = first;
        struct kt_result result;
        const struct kt_query query = {
            .label = label, .now_ms = clock_unix_ms(&clock_system), .opaque_value = true};
        double began = cpu_ms();
        must(kt_verify_search(&view, &query, answer, &result), "verify");
        double took = cpu_ms() - began;
        for (size_t k = 0; k < KINDS; k++) {
            if (result.known.version != greatest[k] || counts[k] == LABELS)
                continue;
            times[k][counts[k]++] = took;
            most[k] = answer.len > most[k] ? answer.len : most[k];
        }
    }
    for (size_t k = 0; k < KINDS; k++) {
        qsort(times[k], counts[k], sizeof times[k][0], order);
        printf("version %2" PRIu32 ": %3zu answers, at most %5zu B, client's CPU %.2f ms p50, "
               "%.2f ms p99\n",
               greatest[k], counts[k], most[k], times[k][counts[k] / 2],
               times[k][counts[k] * 99 / 100]);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "verify") == 0) {
        verify(argv[2], argv[3]);
        return 0;
    }
    if (argc < 5)
        return 2;
    size_t count = strtoul(argv[4], NULL, 10);
    bool queues = strcmp(argv[1], "queue") == 0;
    open_folder(argv[2], argv[3], queues ? "queue.db" : "db/kt.db",
                argc > 5 ? 1000 * strtoull(argv[5], NULL, 10) : 0);
    if (strcmp(argv[1], "fill") == 0)
        fill(count);
    else if (strcmp(argv[1], "epochs") == 0)
        epochs(count);
    else
        must(store_call(store, run_queue, &count), "queue");
    store_close(store);
    keeper_close(env.keeper);
    kt_keys_clear(&keys);
    return 0;
}
