/* Closed-loop load on bench.Echo/Unary by our client: calls per second and CPU of this process per
 * call.
 *
 *   bench_client HOST:PORT [--tls CA] [--threads T] [--channels N] [--outstanding M] [--size B]
 * [--secs S]
 *
 * Every answer is checked for status and length. Prints one JSON object.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench_rpc.h"

struct load {
    const char *target;
    struct hearth_tls_options tls;
    unsigned threads, channels, outstanding;
    size_t size;
    double seconds;
};

struct worker {
    const struct load *load;
    unsigned index;
    pthread_t thread;
    struct hearth_loop *loop;
    uint8_t *payload;
    double stop_at;
    uint64_t ok, bad;
    unsigned open;
};

struct slot {
    struct worker *worker;
    struct hearth_channel *channel;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void start(struct slot *slot);

static void on_done(const struct hearth_status *status, const Bench__EchoReply *out, void *arg)
{
    struct slot *slot = arg;
    struct worker *w = slot->worker;
    if (status->code == HEARTH_OK && out->payload.len == w->load->size)
        w->ok++;
    else
        w->bad++;
    w->open--;
    if (now_s() < w->stop_at)
        start(slot);
    else if (w->open == 0)
        hearth_loop_stop(w->loop);
}

static void start(struct slot *slot)
{
    struct worker *w = slot->worker;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload.data = w->payload;
    in.payload.len = w->load->size;
    if (bench_echo_unary_start(slot->channel, NULL, &in, on_done, slot) != NULL)
        w->open++;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    const struct load *load = w->load;
    unsigned mine = (load->channels + load->threads - 1 - w->index) / load->threads;
    struct hearth_channel **channels = calloc(mine, sizeof(struct hearth_channel *));
    struct slot *slots = calloc((size_t)mine * load->outstanding, sizeof *slots);
    w->payload = calloc(1, load->size + 1);
    w->loop = hearth_loop_new(NULL);
    if (channels == NULL || slots == NULL || w->payload == NULL || w->loop == NULL)
        exit(1);
    struct hearth_channel_options options = {.loop = w->loop,
                                             .tls = load->tls.ca_file != NULL ? &load->tls : NULL};
    w->stop_at = now_s() + load->seconds;
    for (unsigned c = 0; c < mine; c++) {
        channels[c] = hearth_channel_new(load->target, &options);
        if (channels[c] == NULL)
            exit(1);
        for (unsigned i = 0; i < load->outstanding; i++) {
            struct slot *slot = &slots[(size_t)c * load->outstanding + i];
            *slot = (struct slot){w, channels[c]};
            start(slot);
        }
    }
    hearth_loop_run(w->loop);
    for (unsigned c = 0; c < mine; c++)
        hearth_channel_free(channels[c]);
    hearth_loop_free(w->loop);
    free(channels);
    free(slots);
    free(w->payload);
    return NULL;
}

static bool read_options(int argc, char **argv, struct load *load)
{
    static const struct option names[] = {{"tls", 1, NULL, 't'},      {"threads", 1, NULL, 'n'},
                                          {"channels", 1, NULL, 'c'}, {"outstanding", 1, NULL, 'm'},
                                          {"size", 1, NULL, 'b'},     {"secs", 1, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 't':
            load->tls = (struct hearth_tls_options){.ca_file = optarg, .server_name = "localhost"};
            break;
        case 'n':
            load->threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            load->channels = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'm':
            load->outstanding = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            load->size = strtoul(optarg, NULL, 10);
            break;
        case 's':
            load->seconds = strtod(optarg, NULL);
            break;
        default:
            return false;
        }
    }
    if (optind != argc - 1 || load->threads == 0 || load->channels < load->threads)
        return false;
    load->target = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    struct load load = {.threads = 1, .channels = 8, .outstanding = 32, .size = 100, .seconds = 3};
    if (!read_options(argc, argv, &load)) {
        fprintf(stderr, "usage: bench_client HOST:PORT [--tls CA] [--threads T] [--channels N] "
                        "[--outstanding M]\n"
                        "                    [--size B] [--secs S]\n");
        return 2;
    }
    struct worker *workers = calloc(load.threads, sizeof *workers);
    if (workers == NULL)
        return 1;
    double begun = now_s();
    for (unsigned i = 0; i < load.threads; i++) {
        workers[i] = (struct worker){.load = &load, .index = i};
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
            return 1;
    }
    uint64_t ok = 0, bad = 0;
    for (unsigned i = 0; i < load.threads; i++) {
        pthread_join(workers[i].thread, NULL);
        ok += workers[i].ok;
        bad += workers[i].bad;
    }
    double seconds = now_s() - begun;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
    printf("{\"size\":%zu,\"channels\":%u,\"outstanding\":%u,\"ok\":%llu,\"bad\":%llu,\"secs\":%."
           "3f,\"rps\":%.0f,"
           "\"cpu_us_per_call\":%.2f}\n",
           load.size, load.channels, load.outstanding, (unsigned long long)ok,
           (unsigned long long)bad, seconds, (double)ok / seconds,
           ok > 0 ? cpu * 1e6 / (double)ok : 0.0);
    free(workers);
    return bad == 0 && ok > 0 ? 0 : 1;
}
