#include "server/main/admin_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct hearth_channel *admin_client_open(const struct invocation *in)
{
    struct folder folder;
    char path[FOLDER_PATH_MAX], target[FOLDER_PATH_MAX + 8];
    if (folder_open(in->dir, &folder).code != ERR_NONE ||
        !folder_path(&folder, FOLDER_ADMIN_SOCKET, path)) {
        (void)command_fail("hearthd init, or --dir DIR", "no data folder at %s: %s", in->dir,
                           strerror(errno));
        return NULL;
    }
    (void)snprintf(target, sizeof target, "unix:%s", path);
    struct hearth_channel *channel = hearth_channel_new(target, NULL);
    if (channel == NULL)
        (void)command_fail(NULL, "%s: the path is too long for a socket", path);
    return channel;
}

int admin_client_fail(const struct invocation *in, struct hearth_status *status)
{
    if (status->code == HEARTH_UNAVAILABLE)
        (void)command_fail("hearthd run", "no homeserver runs on %s", in->dir);
    else
        (void)command_fail(
            status->code == HEARTH_RESOURCE_EXHAUSTED
                ? "hearthd check, which says how much room the disk has"
                : NULL,
            "%s", status->message != NULL ? status->message : hearth_code_name(status->code));
    hearth_status_clear(status);
    return EXIT_FAILED;
}
