/* From queue_accept() to the listener's stream: latency at a steady rate, and rows a second when as
 * much is sent as is taken, with every item acknowledged on its stream. A real server with two
 * loops over TCP, real files, durable commits; the listeners' ends run in this process, on a
 * thread. Arguments: folder to work in, seconds, listeners, rows a second (0: as many as can be),
 * bytes of a payload, rows of a batch. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bench.h"
#include "hearth/v1/queue_rpc.h"
#include "seal/sealed_ref.h"
#include "server/queue/record.h"
#include "support/server/caller.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { SAMPLES_MOST = 1 << 20, WAITING = 4096, LISTENERS_A_CHANNEL = 8 };

static struct front_env env;
static struct queue *queue;
static size_t listener_count, payload_bytes, batch_rows;
static struct listener {
    struct caller caller;
    uint8_t sealed[SEALED_REF_MAX_BYTES];
    size_t sealed_len;
    uint64_t sequence;
    atomic_ulong sent, got;
    uint64_t sent_us[WAITING]; /* ring */
    struct hearth_client_call *call;
} * listeners;
static double *samples;
static atomic_ulong sample_count, got_all, drained;
static atomic_bool over;
static struct hearth_loop *loop;
static char target[32];

static struct err add_clients(struct store_txn *txn, void *arg)
{
    struct secret private_key;
    struct public_key queue_key, service;
    (void)arg;
    TRY(kem_generate(seal_hpke->kem, &rng_system, &private_key, &queue_key));
    TRY(keeper_queue_key(env.keeper, &service));
    for (size_t i = 0; i < listener_count; i++) {
        struct listener *l = &listeners[i];
        struct queue_user user = {0};
        struct queue_client client = {.auth_key_len = 32, .queue_key_len = 32};
        memcpy(client.auth_key, caller_public_key(&l->caller).data, 32);
        memcpy(client.queue_key, queue_key.data, 32);
        TRY(queue_user_add(txn, queue, &user));
        TRY(queue_client_add(txn, queue, queue_now_s(queue), &user, &client));
        TRY(queue_user_set(txn, queue, &user));
        caller_set_id(&l->caller, bytes_of(client.id, sizeof client.id));
        struct queue_ref ref = {.tag = {1}};
        struct buf b = BUF_INIT;
        memcpy(ref.queue_client_id, client.id, sizeof client.id);
        TRY(sealed_ref_seal(&b, &rng_system, public_key_view(&service), bytes_str("bench.test"),
                            &ref, &l->caller.key));
        memcpy(l->sealed, b.data, b.len);
        l->sealed_len = b.len;
        buf_clear(&b);
    }
    return ERR_OK;
}

/* ---- the listeners, on a thread of their own */

static void on_message(struct hearth_client_call *call, const Hearth__V1__ListenResponse *event,
                       void *arg)
{
    struct listener *l = arg;
    if (event->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_DRAINED) {
        (void)atomic_fetch_add(&drained, 1);
        return;
    }
    uint64_t number = event->item->sequence;
    if (event->item->sealed.data[0] == 0) { /* no refresh */
        unsigned long at = atomic_fetch_add(&l->got, 1);
        unsigned long n = atomic_fetch_add(&sample_count, 1);
        if (n < SAMPLES_MOST)
            samples[n] = (double)(clock_monotonic_us(&clock_system) - l->sent_us[at % WAITING]);
        (void)atomic_fetch_add(&got_all, 1);
    }
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = number;
    (void)hearth_queue_listen_push(call, &in);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct listener *l = arg;
    (void)call;
    l->call = NULL;
    if (!atomic_load(&over)) {
        (void)fprintf(stderr, "a listener ended: %s\n", hearth_code_name(status->code));
        exit(1);
    }
}

static void *run_loop(void *arg)
{
    struct hearth_channel **channels = arg;
    static const struct hearth_queue_listen_events events = {.on_message = on_message,
                                                             .on_done = on_done};
    for (size_t i = 0; i < listener_count; i++) {
        struct listener *l = &listeners[i];
        struct hearth_call_options options = {.signer = caller_signer(&l->caller),
                                              .wait_for_ready = true};
        Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
        Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
        in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
        in.start = &start;
        l->call =
            hearth_queue_listen_start(channels[i / LISTENERS_A_CHANNEL], &options, &events, l);
        (void)hearth_queue_listen_push(l->call, &in);
    }
    hearth_loop_run(loop);
    return NULL;
}

/* ---- the courier */

static atomic_ulong under_way;

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    bench_must(result, "accept");
    for (size_t i = 0; i < batch_rows; i++)
        if (outcomes[i] != QUEUE_OK)
            exit(1);
    free(arg);
    (void)atomic_fetch_sub(&under_way, 1);
}

static uint8_t payload[98304];
static size_t next_listener;

/* False: somebody has not read what was sent long ago; not now. */
static bool send_batch(void)
{
    for (size_t i = 0; i < batch_rows; i++) {
        struct listener *l = &listeners[(next_listener + i) % listener_count];
        if (atomic_load(&l->sent) - atomic_load(&l->got) >= 64)
            return false;
    }
    struct queue_row *rows = calloc(batch_rows + 1, sizeof *rows);
    uint64_t now = clock_monotonic_us(&clock_system);
    for (size_t i = 0; i < batch_rows; i++) {
        struct listener *l = &listeners[(next_listener + i) % listener_count];
        rows[i] = (struct queue_row){.sealed_ref = bytes_of(l->sealed, l->sealed_len),
                                     .payload = bytes_of(payload, payload_bytes),
                                     .sequence = ++l->sequence};
        l->sent_us[atomic_fetch_add(&l->sent, 1) % WAITING] = now;
    }
    next_listener = (next_listener + batch_rows) % listener_count;
    (void)atomic_fetch_add(&under_way, 1);
    bench_must(
        queue_accept(queue, bytes_str("bench.test"), rows, batch_rows, NULL, on_accepted, rows),
        "queue_accept");
    return true;
}

/* One batch at a time, as the courier has it. */
static void drive(double seconds, double rows_per_s)
{
    uint64_t from = clock_monotonic_us(&clock_system), sent = 0;
    for (;;) {
        double at = (double)(clock_monotonic_us(&clock_system) - from) / 1e6;
        if (at >= seconds)
            return;
        bool due = rows_per_s <= 0 || (double)sent < at * rows_per_s;
        if (due && atomic_load(&under_way) == 0 && send_batch())
            sent += batch_rows;
        else
            (void)usleep(100);
    }
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
    listener_count = argc > 3 ? strtoul(argv[3], NULL, 10) : 200;
    double rate = argc > 4 ? strtod(argv[4], NULL) : 500;
    payload_bytes = argc > 5 ? strtoul(argv[5], NULL, 10) : 200;
    batch_rows = argc > 6 ? strtoul(argv[6], NULL, 10) : 10;
    if (listener_count == 0 || batch_rows == 0)
        return 1;
    struct store_dir dir;
    store_dir_make(&dir);
    env = (struct front_env){
        .domain = "bench.test", .development = true, .clock = &clock_system, .rng = &rng_system};
    bench_must(keeper_open(NULL, bytes_str("bench.test"), &clock_system, &rng_system, &env.keeper),
               "keeper");
    bench_must(front_new(&env, &(struct front_options){0}, &env.front), "front");
    limits_switch_off(front_limits(env.front));
    struct queue_options options = {.store = {.path = dir.path, .no_check = true}};
    bench_must(queue_open(&env, &options, &queue), "queue");
    listeners = calloc(listener_count, sizeof *listeners);
    samples = calloc(SAMPLES_MOST, sizeof *samples);
    for (size_t i = 0; i < listener_count; i++)
        caller_init(&listeners[i].caller, REQUEST_QUEUE_CLIENT, bytes_of(NULL, 0), "bench.test",
                    &clock_system, &rng_system);
    bench_must(store_call(queue_store(queue), add_clients, NULL), "clients");
    struct hearth_interceptor interceptor = front_interceptor(env.front);
    struct hearth_server_options server_options = {
        .threads = 2,
        .interceptors = &interceptor,
        .interceptor_count = 1,
        .limits = {.connections_per_prefix = 8000, .accepts_per_s = 8000, .accepts_burst = 8000}};
    struct hearth_server *server = hearth_server_new(&server_options);
    bench_must(queue_add(queue, server), "queue_add");
    if (!hearth_server_listen(server, "127.0.0.1:0", NULL) || !hearth_server_start(server))
        return 1;
    (void)snprintf(target, sizeof target, "127.0.0.1:%d", hearth_server_port(server, 0));
    loop = hearth_loop_new(NULL);
    size_t channel_count = (listener_count + LISTENERS_A_CHANNEL - 1) / LISTENERS_A_CHANNEL;
    struct hearth_channel **channels = calloc(channel_count, sizeof(struct hearth_channel *));
    for (size_t i = 0; i < channel_count; i++)
        channels[i] = hearth_channel_new(target, &(struct hearth_channel_options){.loop = loop});
    pthread_t thread;
    (void)pthread_create(&thread, NULL, run_loop, channels);
    while (atomic_load(&drained) < listener_count)
        (void)usleep(1000);
    drive(1, rate);
    atomic_store(&sample_count, 0);
    unsigned long got = atomic_load(&got_all);
    double cpu = cpu_s();
    uint64_t from = clock_monotonic_us(&clock_system);
    drive(seconds, rate);
    double took = (double)(clock_monotonic_us(&clock_system) - from) / 1e6;
    got = atomic_load(&got_all) - got;
    cpu = cpu_s() - cpu;
    size_t n = atomic_load(&sample_count);
    n = n < SAMPLES_MOST ? n : SAMPLES_MOST;
    if (n == 0)
        return 1;
    qsort(samples, n, sizeof *samples, bench_order);
    printf("%zu listeners, %zu B payloads, batches of %zu; wanted %.0f rows/s\n", listener_count,
           payload_bytes, batch_rows, rate);
    printf("received rows/s %.0f  accept to stream p50 %.1f ms p99 %.1f ms  cpu %.2f cores (both "
           "ends), %.0f us a row\n",
           (double)got / took, samples[n / 2] / 1000, samples[n * 99 / 100] / 1000, cpu / took,
           cpu * 1e6 / (double)got);
    (void)fflush(stdout);
    _exit(0); /* what is measured is not the end */
}
