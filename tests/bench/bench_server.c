/* bench.Echo for measurements, conformance and attacks: bench_server --port P --threads N [--tls
 * CERT KEY]
 *
 *   --no-limits     every limit of ours off: for control runs of the attack tests
 *   --product-limits    the defaults of a real server, for the attack tests
 *   --connections-per-address N    default: no limit of ours but the total, since all load comes
 * from 127.0.0.1
 *
 * Prints `ready PORT` when it listens; ends on SIGTERM or SIGINT by draining.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_rpc.h"

static enum hearth_code unary(struct hearth_call *call, const Bench__EchoRequest *in,
                              Bench__EchoReply *out, void *self)
{
    (void)call;
    (void)self;
    out->payload = in->payload;
    return HEARTH_OK;
}

struct stream {
    uint32_t left;
    bool hold;
    Bench__EchoReply item;
};

static void send_items(struct hearth_call *call, void *arg)
{
    struct stream *stream = arg;
    while (stream->left > 0) {
        stream->left--;
        if (bench_echo_server_stream_write(call, &stream->item) <= 0)
            return;
    }
    if (!stream->hold)
        hearth_call_finish(call, HEARTH_OK);
}

static enum hearth_code server_stream(struct hearth_call *call, const Bench__StreamRequest *in,
                                      void *self)
{
    enum { LARGEST = 64 * 1024 };
    (void)self;
    struct stream *stream = hearth_call_alloc(call, sizeof *stream);
    uint32_t size = in->size < LARGEST ? in->size : LARGEST;
    uint8_t *payload = hearth_call_alloc(call, size);
    if (stream == NULL || payload == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    memset(payload, 'x', size);
    bench__echo_reply__init(&stream->item);
    stream->item.payload = (ProtobufCBinaryData){size, payload};
    stream->left = in->count;
    stream->hold = in->hold;
    hearth_call_on_writable(call, send_items, stream);
    send_items(call, stream);
    return HEARTH_LATER;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_server --port P [--threads N] [--tls CERT KEY] [--no-limits]\n"
                    "                    [--product-limits]"
                    " [--connections-per-address N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct bench_echo_service impl = {.unary = unary, .server_stream = server_stream};
    struct hearth_server_options options = {.threads = 1, .reflection = true};
    struct hearth_tls_options tls = {0};
    const char *port = NULL;
    static char page[1029];
    memset(page, 'h', sizeof page);
    options.page_path =
        "/h2spec"; /* answers DATA to an empty request, which conformance suites want to see */
    options.page = page;
    options.page_len = sizeof page;
    options.limits.connections = 20000;
    options.limits.connections_per_prefix = 20000;
    options.limits.accepts_per_s = 20000;
    options.limits.accepts_burst = 20000;
    options.limits.streams = 128;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
            port = argv[++i];
        } else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            options.threads = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            tls.certificate_file = argv[++i];
            tls.key_file = argv[++i];
        } else if (strcmp(argv[i], "--no-limits") == 0) {
            options.limits.no_limits = true;
        } else if (strcmp(argv[i], "--product-limits") == 0) {
            bool off = options.limits.no_limits;
            options.limits = (struct hearth_server_limits){.no_limits = off};
        } else if (strcmp(argv[i], "--connections-per-address") == 0 && i + 1 < argc) {
            options.limits.connections_per_prefix = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            return usage();
        }
    }
    if (port == NULL)
        return usage();

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals,
                    NULL); /* the threads inherit it; only sigwait below hears them */

    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%s", port);
    struct hearth_server *server = hearth_server_new(&options);
    if (server == NULL || !hearth_server_add_bench_echo(server, &impl, NULL) ||
        !hearth_server_listen(server, address, tls.certificate_file != NULL ? &tls : NULL) ||
        !hearth_server_start(server)) {
        fprintf(stderr, "bench_server: %s\n",
                server != NULL ? hearth_server_error(server) : "out of memory");
        hearth_server_free(server);
        return 1;
    }
    printf("ready %u\n", hearth_server_port(server, 0));
    fflush(stdout);
    int signal_number;
    sigwait(&signals, &signal_number);
    hearth_server_drain(server, 1000);
    hearth_server_free(server);
    return 0;
}
