/* Connections from a source address of our choice: a process that accepts on 127.0.0.1 and connects
 * to the server from elsewhere in 127.0.0.0/8. TLS goes through untouched. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "threats/threats.h"

enum { PAIRS = 256, PIECE_BYTES = 65536 };

static struct sockaddr_in address_of(const char *text)
{
    char host[32] = "";
    unsigned port = 0;
    struct sockaddr_in at = {.sin_family = AF_INET};
    (void)sscanf(text, "%31[^:]:%u", host, &port);
    at.sin_port = htons((uint16_t)port);
    (void)inet_pton(AF_INET, host, &at.sin_addr);
    return at;
}

static int connect_from(const char *source, const char *server)
{
    struct sockaddr_in from = address_of(source), to = address_of(server);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
                    connect(fd, (struct sockaddr *)&to, sizeof to) != 0)) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* False: one side is over. Writes block: a slow reader slows its own connection only, and who waits
 * behind it here is the same attacker. */
static bool pass(int from, int to, struct tape *tape)
{
    static uint8_t piece[PIECE_BYTES];
    ssize_t n = read(from, piece, sizeof piece);
    if (tape != NULL && n > 0) {
        size_t at = atomic_load(&tape->count);
        if (at < TAPE_SIGHTS) {
            tape->sights[at].us = clock_monotonic_us(&clock_system);
            tape->sights[at].bytes = (size_t)n;
            atomic_store(&tape->count, at + 1);
        }
    }
    for (ssize_t at = 0; at < n;) {
        ssize_t sent = send(to, piece + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
    }
    return n > 0;
}

static void serve(int listener, const char *source, const char *server, struct tape *tape)
{
    static struct pollfd fds[1 + 2 * PAIRS];
    size_t count = 1;
    int one = 1;
    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    while (poll(fds, count, -1) >= 0 || errno == EINTR) {
        for (size_t i = 1; i < count; i += 2) {
            bool over = ((fds[i].revents != 0 && !pass(fds[i].fd, fds[i + 1].fd, NULL)) ||
                         (fds[i + 1].revents != 0 && !pass(fds[i + 1].fd, fds[i].fd, tape)));
            if (!over)
                continue;
            (void)close(fds[i].fd);
            (void)close(fds[i + 1].fd);
            fds[i] = fds[count - 2];
            fds[i + 1] = fds[count - 1];
            fds[i].revents = fds[i + 1].revents = 0;
            count -= 2;
            i -= 2;
        }
        if (fds[0].revents == 0 || count + 2 > 1 + 2 * PAIRS)
            continue;
        int in = accept(listener, NULL, NULL);
        int out = in >= 0 ? connect_from(source, server) : -1;
        if (out < 0) {
            (void)close(in);
            continue;
        }
        (void)setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fds[count] = (struct pollfd){.fd = in, .events = POLLIN};
        fds[count + 1] = (struct pollfd){.fd = out, .events = POLLIN};
        count += 2;
    }
}

pid_t source_start(const char *source, const char *server, struct tape *tape, char ret_address[32])
{
    struct sockaddr_in at = address_of("127.0.0.1:0");
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(ret_address, 32, "127.0.0.1:%u", ntohs(at.sin_port));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd, source, server, tape);
        _exit(0);
    }
    (void)close(fd);
    return pid;
}
