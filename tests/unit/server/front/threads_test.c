/* A front shared by the loops of a server, over real sockets: keys that come from another thread,
 * verification on another thread, limits changed and pages printed meanwhile. For ThreadSanitizer
 * above all; every call must be answered, and each signature be good once. */
#include <pthread.h>
#include <stdio.h>

#include "bench_rpc.h"
#include "server/front/front.h"
#include "support/server/caller.h"
#include "support/test.h"

enum { LOOPS = 3, CLIENTS = 4, CALLS = 150 };

static struct front_env env = {.domain = "a.test", .clock = &clock_system, .rng = &rng_system};
static struct front *front;
static struct hearth_server *server;
static struct caller callers[CLIENTS + 1]; /* the last is unknown */
static char address[40];
static _Atomic unsigned handled, good, refused_calls, other;
static _Atomic bool done;

/* ---- a key source with a thread of its own, like a store ---- */

struct job {
    struct job *next;
    struct front_pending *pending;
    const struct caller *owner;
    struct hearth_loop *loop;
};
static struct job *jobs;
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_wake = PTHREAD_COND_INITIALIZER;

static void give_key(void *arg)
{
    struct job *job = arg;
    if (job->owner != NULL)
        front_key(job->pending, &sig_ed25519, caller_public_key(job->owner));
    else
        front_key(job->pending, NULL, bytes_of(NULL, 0));
    free(job);
}

static void find_key(void *self, struct front_pending *pending, enum request_caller kind,
                     struct bytes id)
{
    (void)self;
    (void)kind;
    struct job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->pending = pending;
    job->loop = front_pending_loop(pending);
    for (int i = 0; i < CLIENTS; i++)
        if (bytes_equal(callers[i].id, id))
            job->owner = &callers[i];
    pthread_mutex_lock(&jobs_lock);
    job->next = jobs;
    jobs = job;
    pthread_cond_signal(&jobs_wake);
    pthread_mutex_unlock(&jobs_lock);
}

static void *look_up(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&jobs_lock);
    while (!done || jobs != NULL) {
        struct job *job = jobs;
        if (job == NULL) {
            pthread_cond_wait(&jobs_wake, &jobs_lock);
            continue;
        }
        jobs = job->next;
        pthread_mutex_unlock(&jobs_lock);
        assert_true(hearth_loop_post(job->loop, give_key, job));
        pthread_mutex_lock(&jobs_lock);
    }
    pthread_mutex_unlock(&jobs_lock);
    return NULL;
}

static enum hearth_code unary(struct hearth_call *call, const Bench__EchoRequest *in,
                              Bench__EchoReply *out, void *self)
{
    (void)in;
    (void)out;
    (void)self;
    assert_true(front_caller(call)->verified);
    handled++;
    return HEARTH_OK;
}

static const struct bench_echo_service impl = {.unary = unary};

/* ---- clients ---- */

static void *call_many(void *arg)
{
    struct caller *c = arg;
    struct hearth_channel *channel = hearth_channel_new(address, NULL);
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    for (int i = 0; i < CALLS; i++) {
        struct hearth_call_options options = {.signer = caller_signer(c), .no_retry = true};
        Bench__EchoReply *out = NULL;
        c->faults.replay = i % 5 == 4; /* the call before was good: this one is its replay */
        enum hearth_code code = bench_echo_unary(channel, &options, &in, &out, NULL);
        if (code == HEARTH_OK)
            good++;
        else if (code == HEARTH_UNAUTHENTICATED)
            refused_calls++;
        else
            other++;
        if (out != NULL)
            bench__echo_reply__free_unpacked(out, NULL);
    }
    hearth_channel_free(channel);
    return NULL;
}

static void *look_on(void *arg)
{
    (void)arg;
    for (unsigned i = 0; !done; i++) {
        struct buf page = BUF_INIT;
        front_page(front, &page);
        buf_clear(&page);
        assert_ok(limits_set(front_limits(front), "AUTH_WINDOW_S", 60 + i % 60));
        assert_true(front_rung(front) <= FRONT_CLOSED);
    }
    return NULL;
}

static struct hearth_endpoint rows[8];
static struct hearth_service service;

/* bench.Echo, with callers that sign. */
static void make_service(void)
{
    service = bench_echo_descriptor;
    assert_true(service.endpoint_count <= 8);
    for (size_t i = 0; i < service.endpoint_count; i++) {
        rows[i] = bench_echo_descriptor.endpoints[i];
        rows[i].callers = 1 << REQUEST_QUEUE_CLIENT;
    }
    service.endpoints = rows;
}

static void start(void)
{
    make_service();
    assert_ok(front_new(&env, NULL, &front));
    assert_ok(limits_set(front_limits(front), "SIGNED_PRINCIPAL", 200000));
    assert_ok(limits_set(front_limits(front), "FAILED_AUTH_PREFIX", 30000));
    assert_ok(limits_set(front_limits(front), "OVERLOAD_LAG_MS", 60000));
    assert_ok(limits_set(front_limits(front), "OVERLOAD_MEMORY_MIB", 1048576));
    assert_ok(
        front_add_keys(front, REQUEST_QUEUE_CLIENT, (struct front_key_source){.find = find_key}));
    for (uint8_t i = 0; i <= CLIENTS; i++) {
        uint8_t id[16] = {i};
        caller_init(&callers[i], REQUEST_QUEUE_CLIENT, bytes_of(id, sizeof id), "a.test",
                    &clock_system, &rng_system);
    }
    struct hearth_interceptor interceptor = front_interceptor(front);
    struct hearth_server_options options = {
        .threads = LOOPS, .interceptors = &interceptor, .interceptor_count = 1};
    server = hearth_server_new(&options);
    assert_true(hearth_server_add(server, &service, &impl, NULL));
    assert_true(hearth_server_listen(server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(server));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(server, 0));
}

static void many_loops_share_a_front(void **state)
{
    (void)state;
    pthread_t clients[CLIENTS + 1], source, looker;
    start();
    assert_int_equal(pthread_create(&source, NULL, look_up, NULL), 0);
    assert_int_equal(pthread_create(&looker, NULL, look_on, NULL), 0);
    for (int i = 0; i <= CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, call_many, &callers[i]), 0);
    for (int i = 0; i <= CLIENTS; i++)
        pthread_join(clients[i], NULL);
    pthread_mutex_lock(&jobs_lock);
    done = true;
    pthread_cond_signal(&jobs_wake);
    pthread_mutex_unlock(&jobs_lock);
    pthread_join(source, NULL);
    pthread_join(looker, NULL);
    hearth_server_free(server); /* its loops with it */
    assert_int_equal(other, 0);
    assert_int_equal(good, CLIENTS * CALLS / 5 * 4);
    assert_int_equal(handled, good);
    assert_int_equal(refused_calls, CLIENTS * CALLS / 5 + CALLS);
    assert_int_equal(metrics_value(front_metrics(front), METRIC_CALLS), 0);
    front_free(front);
    for (int i = 0; i <= CLIENTS; i++)
        caller_clear(&callers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_loops_share_a_front)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
