/* mls_client --port P (or -port P): our implementation for the MLS working group's test runner.
 *
 * Prints `ready PORT` when it listens; ends on SIGTERM or SIGINT. Suites 1 to 7, every operation of
 * the service. For tests only: it hands out private keys, as the service asks.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "interop/flags.h"
#include "interop/mls/answer.h"

int main(int argc, char **argv)
{
    unsigned port = 50001;
    const char *address = "127.0.0.1";
    const struct flag flags[] = {
        {"port", FLAG_NUMBER, &port, "to listen on; 0: any [50001]"},
        {"address", FLAG_TEXT, &address, "to listen on [127.0.0.1]"},
        {NULL, FLAG_TEXT, NULL, NULL},
    };
    if (!flags_parse(argc, argv, flags))
        return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    struct mls_client_mlsclient_service service = {0};
    service_groups(&service);
    service_proposals(&service);
    service_commits(&service);
    service_successors(&service);
    service_outside(&service);
    /* one thread: the parties know no locks */
    struct hearth_server_options options = {
        .threads = 1, .reflection = true, .limits = {.accepts_per_s = 1000, .accepts_burst = 1000}};
    char where[128];
    (void)snprintf(where, sizeof where, "%s:%u", address, port);
    struct hearth_server *server = hearth_server_new(&options);
    if (server == NULL || !hearth_server_add_mls_client_mlsclient(server, &service, NULL) ||
        !hearth_server_listen(server, where, NULL) || !hearth_server_start(server)) {
        (void)fprintf(stderr, "mls_client: %s\n",
                      server != NULL ? hearth_server_error(server) : "out of memory");
        return 1;
    }
    printf("ready %u\n", hearth_server_port(server, 0));
    (void)fflush(stdout);
    int signal_number;
    (void)sigwait(&signals, &signal_number);
    hearth_server_free(server);
    party_free_all();
    return 0;
}
