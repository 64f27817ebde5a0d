/* hearthd backup, verify, restore, migrate */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hearth/v1/admin_rpc.h"
#include "server/main/admin_client.h"
#include "server/main/backup.h"
#include "server/main/log_head.h"
#include "server/main/node.h"

static const char *one_folder(const struct invocation *in, const char *command)
{
    if (in->argc == 1)
        return in->argv[0];
    char next[128];
    (void)snprintf(next, sizeof next, "hearthd %s FOLDER", command);
    (void)command_fail(next, "%s wants one folder", command);
    return NULL;
}

/* The server has another working directory: it is told an absolute path. */
static bool absolute(const char *path, char *out, size_t size)
{
    char here[FOLDER_PATH_MAX];
    int len = path[0] == '/'                      ? snprintf(out, size, "%s", path)
              : getcwd(here, sizeof here) != NULL ? snprintf(out, size, "%s/%s", here, path)
                                                  : -1;
    return len >= 0 && (size_t)len < size;
}

int command_backup(const struct invocation *in)
{
    char folder[FOLDER_PATH_MAX];
    const char *path = one_folder(in, "backup");
    if (path == NULL)
        return EXIT_USAGE;
    if (!absolute(path, folder, sizeof folder))
        return command_fail(NULL, "%s: the path is too long", path);
    struct hearth_channel *channel = admin_client_open(in);
    if (channel == NULL)
        return EXIT_FAILED;
    Hearth__V1__BackupRequest request;
    Hearth__V1__BackupResponse *answer = NULL;
    struct hearth_status status = {0};
    hearth__v1__backup_request__init(&request);
    request.folder = folder;
    int code = EXIT_DONE;
    if (hearth_admin_backup(channel, NULL, &request, &answer, &status) != HEARTH_OK) {
        code = admin_client_fail(in, &status);
    } else {
        printf("copied  %" PRIu64 " bytes to %s\nnote    the keys are not in it: keep a copy of "
               "the folder \"keys\" elsewhere\n"
               "next    hearthd verify %s\n",
               answer->bytes_written, folder, folder);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
        hearth_status_clear(&status);
    }
    hearth_channel_free(channel);
    return code;
}

int command_verify(const struct invocation *in)
{
    char why[BACKUP_WHY_BYTES] = "";
    const char *path = one_folder(in, "verify");
    if (path == NULL)
        return EXIT_USAGE;
    if (backup_verify(path, NULL, why).code != ERR_NONE) {
        (void)command_fail("take another backup", "%s", why);
        return EXIT_UNVERIFIED;
    }
    printf("good    %s\n", path);
    return EXIT_DONE;
}

int command_restore(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    char why[BACKUP_WHY_BYTES] = "";
    const char *path = one_folder(in, "restore");
    if (path == NULL)
        return EXIT_USAGE;
    if (command_open(in, &folder, &config).code != ERR_NONE)
        return EXIT_FAILED;
    if (command_lock(&folder, "hearthd admin drain", "a homeserver runs") != EXIT_DONE)
        return EXIT_FAILED;
    /* first, or a crash in between would leave a log that does not know */
    struct err err = log_restored_mark(&folder);
    if (err.code == ERR_NONE)
        err = backup_restore(path, config.server_domain, &folder, why);
    if (err.code != ERR_NONE) {
        (void)command_fail(NULL, "%s", why[0] != '\0' ? why : err_text(err));
        return err.code == ERR_STORE_CORRUPT ? EXIT_UNVERIFIED : EXIT_FAILED;
    }
    printf("note    the log of keys is held against the newest checkpoint that this machine has\n"
           "        signed; a smaller one signs nothing (docs/operating.md)\n"
           "done    the databases before are beside these, named NAME-replaced\nnext    hearthd "
           "run --dir %s\n",
           in->dir);
    return EXIT_DONE;
}

/* Opening migrates, after a copy; so this opens and closes. */
int command_migrate(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    struct node *node = NULL;
    char why[NODE_WHY_BYTES];
    if (command_open(in, &folder, &config).code != ERR_NONE)
        return EXIT_FAILED;
    if (command_lock(&folder, "hearthd admin drain", "a homeserver runs") != EXIT_DONE)
        return EXIT_FAILED;
    if (node_open(&folder, &config, why, &node).code != ERR_NONE)
        return command_fail(NULL, "%s", why);
    node_close(node);
    printf("done    databases are at the schema of this program\n");
    return EXIT_DONE;
}
