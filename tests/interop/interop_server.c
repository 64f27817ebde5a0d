/* The official interoperability test server: interop_server --port=P --use_tls=true|false
 *
 *   --cert_file, --key_file    for TLS; default: server1.pem and server1.key in $HEARTH_TEST_CREDS
 *
 * Prints `ready PORT` when it listens; ends on SIGTERM or SIGINT by draining.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "interop/flags.h"
#include "interop/service.h"

struct settings {
    const char *address, *cert_file, *key_file;
    unsigned port, threads;
    bool use_tls;
};

static int fail(const char *why)
{
    fprintf(stderr, "interop_server: %s\n", why);
    return 1;
}

/* Without an address: all, of both kinds where there is IPv6 (a socket on :: takes IPv4 too). */
static bool listen_on(struct hearth_server *server, const struct settings *s,
                      const struct hearth_tls_options *tls)
{
    const char *const addresses[] = {s->address != NULL ? s->address : "[::]", "0.0.0.0"};
    for (size_t i = 0; i < (s->address != NULL ? 1 : 2); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "%s:%u", addresses[i], s->port);
        if (hearth_server_listen(server, text, tls))
            return true;
    }
    return false;
}

static struct hearth_server *start(const struct settings *s, char *id)
{
    /* soak tests open a connection per call; all else is as strict as by default */
    struct hearth_server_options options = {
        .threads = s->threads,
        .reflection = true,
        .limits = {.connections_per_prefix = 1000,
                   .accepts_per_s = 1000,
                   .accepts_burst = 1000,
                   .streams = 100},
    };
    struct hearth_tls_options tls = {
        .certificate_file = flags_credential(s->cert_file, "server1.pem", NULL),
        .key_file = flags_credential(s->key_file, "server1.key", NULL),
    };
    struct hearth_server *server = hearth_server_new(&options);
    if (server == NULL)
        return NULL;
    if (s->use_tls && (tls.certificate_file == NULL || tls.key_file == NULL)) {
        (void)fail("--use_tls needs --cert_file and --key_file or $HEARTH_TEST_CREDS");
    } else if (!hearth_server_add_grpc_testing_test_service(server, &interop_service, id) ||
               !listen_on(server, s, s->use_tls ? &tls : NULL) || !hearth_server_start(server)) {
        (void)fail(hearth_server_error(server));
    } else {
        return server;
    }
    hearth_server_free(server);
    return NULL;
}

int main(int argc, char **argv)
{
    struct settings s = {.threads = 2};
    const struct flag flags[] = {
        {"port", FLAG_NUMBER, &s.port, "to listen on; 0: any"},
        {"address", FLAG_TEXT, &s.address, "to listen on [all]"},
        {"use_tls", FLAG_BOOL, &s.use_tls, "[false]"},
        {"cert_file", FLAG_TEXT, &s.cert_file, "PEM chain [$HEARTH_TEST_CREDS/server1.pem]"},
        {"key_file", FLAG_TEXT, &s.key_file, "PEM key [$HEARTH_TEST_CREDS/server1.key]"},
        {"tls_cert_file", FLAG_TEXT, &s.cert_file, "the same, as in Go"},
        {"tls_key_file", FLAG_TEXT, &s.key_file, "the same, as in Go"},
        {"threads", FLAG_NUMBER, &s.threads, "event loops [2]"},
        {NULL, FLAG_TEXT, NULL, NULL},
    };
    if (!flags_parse(argc, argv, flags))
        return 2;

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* threads inherit it: only sigwait hears them */

    char id[32];
    int signal_number;
    (void)snprintf(id, sizeof id, "hearth-%ld", (long)getpid());
    struct hearth_server *server = start(&s, id);
    if (server == NULL)
        return 1;
    printf("ready %u\n", hearth_server_port(server, 0));
    fflush(stdout);
    sigwait(&signals, &signal_number);
    hearth_server_drain(server, 1000);
    hearth_server_free(server);
    return 0;
}
