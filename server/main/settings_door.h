/* The configuration file of a confined server.
 *
 * It lies in the root of the data folder, where a reload must find whatever file an editor put in
 * the place of the old one; but a server that may read the root may read the keys below it. So a
 * process of its own holds the path: asked with one byte, it answers with a descriptor of the file,
 * open for reading. It parses nothing and can do nothing else (seccomp).
 *
 * Forked, so: before any thread and before secrets. It ends with the server.
 */
#ifndef SERVER_MAIN_SETTINGS_DOOR_H
#define SERVER_MAIN_SETTINGS_DOOR_H

#include <sys/types.h>

#include "base/err.h"

struct settings_door {
    int socket; /* below 0: none */
    pid_t child;
};
#define SETTINGS_DOOR_NONE ((struct settings_door){.socket = -1})

/* path: absolute, borrowed until the call ends. ERR_IO when it can't be started. */
CHECKED struct err settings_door_open(const char *path, struct settings_door *ret_door);
/* The file as it is now; the caller closes ret_file. ERR_IO: errno says why, EPIPE that the process
 * is gone. One caller at a time. */
CHECKED struct err settings_door_file(struct settings_door *door, int *ret_file);
void settings_door_close(struct settings_door *door); /* SETTINGS_DOOR_NONE is fine */

#endif
