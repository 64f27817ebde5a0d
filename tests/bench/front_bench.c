/* What admission costs: the front's three callbacks of a signed unary call, over a pipe, as
 * multiples of one Ed25519 verification in the same run; and the pieces. Argument: how many calls
 * [20000]. */
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench/bench.h"
#include "crypto/hash.h"
#include "server/front/front.h"
#include "support/rpc/world.h"
#include "support/server/caller.h"

enum { PARTS = 3, ALL = PARTS, ONE_V, SAMPLES };
static const char *const names[SAMPLES] = {"on_headers", "on_message", "on_end", "admission",
                                           "V: one Ed25519 verification"};

static struct world w;
static struct front *front;
static struct caller alice;
static double last_us[PARTS];
static double *samples[SAMPLES];
static long calls, call_now;

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static enum hearth_code on_headers(struct hearth_call *call, void *self)
{
    struct hearth_interceptor *inner = self;
    double begun = now_us();
    enum hearth_code code = inner->on_headers(call, inner->self);
    last_us[0] = now_us() - begun;
    return code;
}

static enum hearth_code on_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self)
{
    struct hearth_interceptor *inner = self;
    double begun = now_us();
    enum hearth_code code = inner->on_message(call, bytes, len, number, inner->self);
    last_us[1] = now_us() - begun;
    return code;
}

static void on_end(struct hearth_call *call, enum hearth_code code, void *self)
{
    struct hearth_interceptor *inner = self;
    double begun = now_us();
    inner->on_end(call, code, inner->self);
    last_us[2] = now_us() - begun;
    for (int i = 0; i < PARTS; i++)
        samples[i][call_now] = last_us[i];
    samples[ALL][call_now] = last_us[0] + last_us[1] + last_us[2];
}

static void find_key(void *self, struct front_pending *pending, enum request_caller kind,
                     struct bytes id)
{
    (void)self;
    (void)kind;
    (void)id;
    front_key(pending, &sig_ed25519, caller_public_key(&alice));
}

static struct sig_key key;
static struct signature signature;
static uint8_t message[250];

static struct err verify(void *self)
{
    (void)self;
    return sig_verify(&sig_ed25519, bytes_of(key.public_key.data, key.public_key.len),
                      bytes_of(message, sizeof message), signature_view(&signature));
}

static void run_calls(size_t body_bytes)
{
    static const uint8_t id[16] = {1};
    struct clock clock = clock_of_fake(&w.clock);
    struct front_env env = {.domain = "a.test", .clock = &clock, .rng = &rng_system};
    world_init(&w);
    w.clock.unix_base_ms = 1800000000000;
    bench_must(front_new(&env, NULL, &front), "front");
    bench_must(limits_set(front_limits(front), "SIGNED_PRINCIPAL", 200000), "limit");
    caller_init(&alice, REQUEST_QUEUE_CLIENT, bytes_of(id, 16), "a.test", &clock, &w.rng);
    bench_must(
        front_add_keys(front, REQUEST_QUEUE_CLIENT, (struct front_key_source){.find = find_key}),
        "keys");
    struct hearth_interceptor inner = front_interceptor(front);
    struct hearth_interceptor outer = {
        .on_headers = on_headers, .on_message = on_message, .on_end = on_end, .self = &inner};
    w.server_options.interceptors = &outer;
    w.server_options.interceptor_count = 1;
    for (int i = 0; i < WORLD_ROWS; i++)
        w.rows[i].callers = 1 << REQUEST_QUEUE_CLIENT;
    world_start(&w);
    struct hearth_call_options options = {.signer = caller_signer(&alice)};
    for (call_now = 0; call_now < calls; call_now++) {
        struct outcome o = {0};
        world_call(&w, WORLD_UNARY, body_bytes, &options, &o);
        if (world_wait(&w, &o, 1000) != HEARTH_OK)
            exit(1);
        double begun = now_us();
        bench_must(verify(NULL), "verify");
        samples[ONE_V][call_now] = now_us() - begun;
        w.clock.now_us += 20000; /* the limiter's 50 a second */
    }
    world_end(&w);
    caller_clear(&alice);
    front_free(front);
}

static double median(double *of)
{
    qsort(of, (size_t)calls, sizeof *of, bench_order);
    return of[calls / 2];
}

static struct limits *limits;

static struct err take(void *self)
{
    static uint32_t n;
    (void)self;
    n = (n + 1) % 10000;
    return limit_take(limits, LIMIT_FAN_OUT_GROUP, bytes_of(&n, sizeof n), 0, NULL);
}

int main(int argc, char **argv)
{
    struct utsname machine;
    calls = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = calloc((size_t)calls, sizeof **samples);
    (void)uname(&machine);
    printf("%s %s, %ld calls\n", machine.sysname, machine.machine, calls);
    bench_must(sig_key_generate(&sig_ed25519, &rng_system, &key), "key");
    bench_must(sig_sign(&key, bytes_of(message, sizeof message), &signature), "sign");
    bench_must(limits_new(&clock_system, &rng_system, &limits), "limits");
    (void)bench_run("limit_take, 10,000 principals", take, NULL);
    limits_free(limits);
    static const size_t bodies[] = {100, 65536};
    for (size_t b = 0; b < 2; b++) {
        run_calls(bodies[b]);
        double v_us = median(samples[ONE_V]);
        for (int i = 0; i < SAMPLES; i++) {
            double us = median(samples[i]);
            printf("%6zu B body  %-28s %8.2f us  %5.2f V\n", bodies[b], names[i], us, us / v_us);
        }
    }
    sig_key_clear(&key);
    for (int i = 0; i < SAMPLES; i++)
        free(samples[i]);
    return 0;
}
