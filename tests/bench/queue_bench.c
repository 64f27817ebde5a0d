/* Rows a second into queue.db by queue_accept() with acknowledgements running, real files, durable
 * commits. Arguments: folder to work in, seconds, queues, bytes of a payload, batches under way,
 * rows of a batch.
 *
 * One principal (the courier) submits; acknowledgements come in jobs of 256 queues, as listeners'
 * desks send them, each acknowledging all that is there. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench.h"
#include "seal/sealed_ref.h"
#include "server/queue/record.h"
#include "server/queue/state.h"
#include "support/store_dir.h"

enum { SAMPLES_MOST = 1 << 20, ACK_QUEUES = 256, REF_BYTES = 256 };

static struct front_env env;
static struct queue *queue;
static size_t queue_count, payload_bytes, batch_rows;
static struct reference {
    uint8_t sealed[REF_BYTES];
    size_t len;
    uint64_t client;
    uint64_t sequence;
} * references;
static struct sig_key client_key;
static uint8_t payload[98304];
static atomic_bool over;
static atomic_ulong rows_done, acks_done, under_way;

static struct err make_clients(struct store_txn *txn, void *arg)
{
    struct public_key hpke = {0}, service;
    (void)arg;
    TRY(rng_fill(&rng_system, hpke.data, 32));
    TRY(keeper_queue_key(env.keeper, &service));
    for (size_t i = 0; i < queue_count; i++) {
        struct queue_user user = {0};
        struct queue_client client = {.auth_key_len = 32, .queue_key_len = 32};
        memcpy(client.auth_key, client_key.public_key.data, 32);
        memcpy(client.queue_key, hpke.data, 32);
        TRY(queue_user_add(txn, queue, &user));
        TRY(queue_client_add(txn, queue, 1700000000, &user, &client));
        TRY(queue_user_set(txn, queue, &user));
        struct queue_ref ref = {.has_push_token_key = false};
        struct buf b = BUF_INIT;
        memcpy(ref.queue_client_id, client.id, sizeof client.id);
        TRY(rng_fill(&rng_system, ref.tag, sizeof ref.tag));
        TRY(sealed_ref_seal(&b, &rng_system, public_key_view(&service), bytes_str("bench.test"),
                            &ref, &client_key));
        if (b.len > REF_BYTES)
            return ERR(TOO_LARGE);
        memcpy(references[i].sealed, b.data, b.len);
        references[i].len = b.len;
        references[i].client = client.row;
        buf_clear(&b);
    }
    return ERR_OK;
}

/* ---- the courier */

struct batch {
    struct queue_row *rows;
    size_t from, count, at; /* its own references: one must not be in two calls under way */
    uint64_t asked_us;
};
static double *samples;
static atomic_ulong sample_count;

static void send_batch(struct batch *b);

static void accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct batch *b = arg;
    bench_must(result, "accept");
    for (size_t i = 0; i < batch_rows; i++)
        if (outcomes[i] != QUEUE_OK)
            exit(1);
    unsigned long n = atomic_fetch_add(&sample_count, 1);
    if (n < SAMPLES_MOST)
        samples[n] = (double)(clock_monotonic_us(&clock_system) - b->asked_us);
    (void)atomic_fetch_add(&rows_done, batch_rows);
    if (atomic_load(&over))
        (void)atomic_fetch_sub(&under_way, 1);
    else
        send_batch(b);
}

static void send_batch(struct batch *b)
{
    for (size_t i = 0; i < batch_rows; i++) {
        struct reference *r = &references[b->from + b->at++ % b->count];
        b->rows[i] = (struct queue_row){.sealed_ref = bytes_of(r->sealed, r->len),
                                        .payload = bytes_of(payload, payload_bytes),
                                        .sequence = ++r->sequence};
    }
    b->asked_us = clock_monotonic_us(&clock_system);
    bench_must(queue_accept(queue, bytes_str("bench.test"), b->rows, batch_rows, NULL, accepted, b),
               "queue_accept");
}

/* ---- acknowledgements */

struct acks {
    size_t from, to;
};

static struct err run_acks(struct store_txn *txn, void *arg)
{
    struct acks *a = arg;
    for (size_t i = a->from; i < a->to; i++) {
        struct queue_state state;
        bool changed = false, more = false;
        TRY(queue_state_get(txn, queue, references[i].client, &state));
        uint64_t before = state.first;
        TRY(queue_acknowledge(txn, queue, &state, UINT64_MAX - 1, UINT64_MAX, 1700000000, &changed,
                              &more));
        if (changed)
            TRY(queue_state_set(txn, queue, &state));
        (void)atomic_fetch_add(&acks_done, state.first - before);
    }
    return ERR_OK;
}

static void *acknowledge(void *arg)
{
    (void)arg;
    for (size_t at = 0; !atomic_load(&over);
         at = at + ACK_QUEUES < queue_count ? at + ACK_QUEUES : 0) {
        struct acks a = {at, at + ACK_QUEUES < queue_count ? at + ACK_QUEUES : queue_count};
        bench_must(store_call(queue->store, run_acks, &a), "acknowledge");
    }
    return NULL;
}

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        (void)setenv("TMPDIR", argv[1], 1);
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5;
    queue_count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    payload_bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 200;
    size_t batches = argc > 5 ? strtoul(argv[5], NULL, 10) : 8;
    batch_rows = argc > 6 ? strtoul(argv[6], NULL, 10) : 64;
    struct store_dir dir;
    store_dir_make(&dir);
    env = (struct front_env){
        .domain = "bench.test", .development = true, .clock = &clock_system, .rng = &rng_system};
    struct front_options front = {.control = true};
    bench_must(keeper_open(NULL, bytes_str("bench.test"), &clock_system, &rng_system, &env.keeper),
               "keeper");
    bench_must(front_new(&env, &front, &env.front), "front");
    struct queue_options options = {
        .store = {.path = dir.path,
                  .no_check = true,
                  .cache_kib = argc > 7 ? (unsigned)strtoul(argv[7], NULL, 10) : 0,
                  .checkpoint_bytes = argc > 8 ? (uint32_t)strtoul(argv[8], NULL, 10) << 20 : 0}};
    bench_must(queue_open(&env, &options, &queue), "queue");
    references = calloc(queue_count, sizeof *references);
    samples = calloc(SAMPLES_MOST, sizeof *samples);
    bench_must(sig_key_generate(&sig_ed25519, &rng_system, &client_key), "key");
    bench_must(store_call(queue->store, make_clients, NULL), "clients");
    struct batch *all = calloc(batches, sizeof *all);
    atomic_store(&under_way, batches);
    for (size_t i = 0; i < batches; i++) {
        all[i].rows = calloc(batch_rows, sizeof *all[i].rows);
        all[i].count = queue_count / batches;
        all[i].from = i * all[i].count;
        send_batch(&all[i]);
    }
    pthread_t thread;
    (void)pthread_create(&thread, NULL, acknowledge, NULL);
    (void)usleep(1000000); /* references are known by now */
    unsigned long from_rows = atomic_load(&rows_done), from_acks = atomic_load(&acks_done);
    atomic_store(&sample_count, 0);
    struct store_stats before = store_stats(queue->store);
    double from_cpu = cpu_s();
    uint64_t from = clock_monotonic_us(&clock_system);
    (void)usleep((useconds_t)(seconds * 1e6));
    double took = (double)(clock_monotonic_us(&clock_system) - from) / 1e6;
    unsigned long rows = atomic_load(&rows_done) - from_rows;
    unsigned long acks = atomic_load(&acks_done) - from_acks;
    double cpu = cpu_s() - from_cpu;
    struct store_stats after = store_stats(queue->store);
    atomic_store(&over, true);
    (void)pthread_join(thread, NULL);
    while (atomic_load(&under_way) != 0)
        (void)usleep(1000);
    size_t n = atomic_load(&sample_count);
    n = n < SAMPLES_MOST ? n : SAMPLES_MOST;
    qsort(samples, n, sizeof *samples, bench_order);
    struct utsname machine;
    (void)uname(&machine);
    printf("%s %s, %ld cores online; %zu queues, %zu B payloads, %zu batches of %zu rows\n",
           machine.sysname, machine.machine, sysconf(_SC_NPROCESSORS_ONLN), queue_count,
           payload_bytes, batches, batch_rows);
    printf("rows/s %.0f  deleted/s %.0f  batch p50 %.1f ms p99 %.1f ms  commits/s %.0f  "
           "commit %.2f ms  cpu %.2f cores, %.0f us a row\n",
           (double)rows / took, (double)acks / took, samples[n / 2] / 1000,
           samples[n * 99 / 100] / 1000, (double)(after.groups - before.groups) / took,
           (double)(after.commit_us - before.commit_us) / 1000 /
               (double)(after.groups - before.groups),
           cpu / took, cpu * 1e6 / (double)rows);
    queue_close(queue);
    front_free(env.front);
    keeper_close(env.keeper);
    store_dir_remove(&dir);
    return 0;
}
