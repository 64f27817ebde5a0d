/* The data folder of a homeserver: one directory, everything in it.
 *
 *     hearthd.conf   keys   limits   tls/   db/{auth,queue,delivery,attachment}.db   attachments/
 *     admin.sock
 */
#ifndef SERVER_MAIN_FOLDER_H
#define SERVER_MAIN_FOLDER_H

#include <stddef.h>

#include "base/err.h"

enum { FOLDER_PATH_MAX = 1024 };

struct folder {
    char root[FOLDER_PATH_MAX]; /* absolute */
};

/* ERR_IO when it is no folder; the caller says why by errno. */
CHECKED struct err folder_open(const char *path, struct folder *ret_folder);
/* Makes what is missing, mode 0700. */
CHECKED struct err folder_make(const char *path, struct folder *ret_folder);
/* root/name, or name itself where it is absolute. False: too long. */
bool folder_path(const struct folder *folder, const char *name, char ret_path[FOLDER_PATH_MAX]);

/* One program at a time: holds a lock until the process ends. ERR_STORE_IN_USE. */
CHECKED struct err folder_lock(const struct folder *folder);

/* Files that only their owner may read: 0 good, else what is wrong ("open to other users", ...). */
const char *folder_secret_fault(const char *path);

#endif
