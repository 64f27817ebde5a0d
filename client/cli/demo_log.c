/* The demo's last step: an operator who swaps a key is caught by the verifiable log. The operator
 * is hearthd_malicious, which is built for the tests and not installed: where it does not lie
 * beside hearthd, the step says so and is left out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/demo_place.h"

bool place_has_cheat(const struct demo_place *place, char ret_path[DEMO_PATH_MAX + 32])
{
    (void)snprintf(ret_path, DEMO_PATH_MAX + 32, "%.1000s_malicious", place->hearthd);
    return access(ret_path, X_OK) == 0;
}

static bool append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    if (file == NULL)
        return false;
    bool good = fputs(text, file) >= 0;
    return fclose(file) == 0 && good;
}

bool server_turns(struct demo_server *server, const char *cheat, const char *words,
                  struct demo_place *ret_place)
{
    char path[DEMO_PATH_MAX + 128];
    *ret_place = *server->place;
    (void)snprintf(ret_place->hearthd, sizeof ret_place->hearthd, "%s", cheat);
    (void)snprintf(path, sizeof path, "%s/malice", ret_place->folder);
    if (!append(path, words) || setenv("HEARTH_MALICE", path, 1) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/hearthd.conf", server->folder);
    server_end(server, SIGTERM);
    server->place = ret_place;
    return append(path, "\n[server]\nconfine = no\n") && server_start(server);
}
