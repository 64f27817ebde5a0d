/* Homeservers for demo and bench. */
#include "client/cli/demo_place.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECONDS = 30 };

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
                       getsockname(fd, (struct sockaddr *)&a, &len) == 0
                   ? ntohs(a.sin_port)
                   : -1;
    if (fd >= 0)
        (void)close(fd);
    return port;
}

bool place_make(struct demo_place *place)
{
    char bin[DEMO_PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    ssize_t len = readlink("/proc/self/exe", bin, sizeof bin - 1);
    if (len <= 0)
        return false;
    bin[len] = '\0';
    *strrchr(bin, '/') = '\0';
    (void)snprintf(place->hearth, sizeof place->hearth, "%s/hearth", bin);
    (void)snprintf(place->hearthd, sizeof place->hearthd, "%s/hearthd", bin);
    (void)snprintf(place->folder, sizeof place->folder, "%.900s/hearth-demo-XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    if (access(place->hearthd, X_OK) != 0 || mkdtemp(place->folder) == NULL)
        return false;
    (void)snprintf(place->home, sizeof place->home, "%s/home", place->folder);
    (void)snprintf(place->ca, sizeof place->ca, "%s/hearth-dev-ca.pem", place->folder);
    return true;
}

void place_remove(const struct demo_place *place)
{
    demo_remove_tree(place->folder);
}

bool server_make(struct demo_server *server, const struct demo_place *place, const char *domain,
                 char ret_invitation[DEMO_INVITATION_MAX], struct demo_output *out)
{
    int port = free_port();
    *server = (struct demo_server){.place = place, .domain = domain, .pid = -1};
    (void)snprintf(server->folder, sizeof server->folder, "%s/%.32s", place->folder, domain);
    (void)snprintf(server->log, sizeof server->log, "%s/%.32s.log", place->folder, domain);
    (void)snprintf(server->listen, sizeof server->listen, "127.0.0.1:%d", port);
    (void)snprintf(server->where, sizeof server->where, "%.64s=%s", domain, server->listen);
    const char *init[] = {place->hearthd, "--dir",    server->folder, "--dev", "--domain",
                          domain,         "--listen", server->listen, "init",  NULL};
    return port > 0 && demo_run(init, SECONDS, out) &&
           (ret_invitation == NULL ||
            demo_word_after(out->text, "invite", ret_invitation, DEMO_INVITATION_MAX));
}

bool server_federate(const struct demo_server *server, const struct demo_server *other)
{
    char path[sizeof server->folder + 16];
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", server->folder);
    FILE *conf = fopen(path, "a");
    if (conf == NULL)
        return false;
    int written = fprintf(conf, "\n[federation]\nmode = allow\npeer = %s\n", other->where);
    return fclose(conf) == 0 && written > 0;
}

bool server_start(struct demo_server *server)
{
    const char *words[] = {server->place->hearthd, "--dir", server->folder, "run", NULL};
    server->pid = demo_start(words, server->log);
    return server->pid > 0 && demo_wait_for(server->log, "serving ", 10) && demo_alive(server->pid);
}

void server_end(struct demo_server *server, int signal)
{
    demo_end(&server->pid, signal);
}

bool server_invite(const struct demo_server *server, char ret_invitation[DEMO_INVITATION_MAX],
                   struct demo_output *out)
{
    const char *words[] = {
        server->place->hearthd, "--dir", server->folder, "admin", "invite", NULL};
    return demo_run(words, SECONDS, out) && sscanf(out->text, "%399s", ret_invitation) == 1;
}
