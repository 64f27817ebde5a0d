/* The data folder of a homeserver: one directory, everything in it.
 *
 *     hearthd.conf    settings; a confined server reads them through a door (settings_door.h)
 *     lock            one program at a time
 *     keys/keyring    every long-term key; only the keeper's process reaches this folder
 *     tls/            certificate and its key: read
 *     db/             auth, queue, delivery, attachment: read and written
 *     run/            admin.sock, limits: read and written
 *     backups/        where a confined server can put copies
 *
 * What the server itself may reach are whole folders, because Landlock allows folders and takes
 * nothing out of them: so the root is none of them.
 */
#ifndef SERVER_MAIN_FOLDER_H
#define SERVER_MAIN_FOLDER_H

#include <stddef.h>

#include "base/err.h"

enum { FOLDER_PATH_MAX = 1024 };
#define FOLDER_RUN          "run"
#define FOLDER_BACKUPS      "backups"
#define FOLDER_ADMIN_SOCKET FOLDER_RUN "/admin.sock"

struct folder {
    char root[FOLDER_PATH_MAX]; /* absolute */
};

/* ERR_IO when it is no folder; the caller says why by errno. */
CHECKED struct err folder_open(const char *path, struct folder *ret_folder);
/* The same, made with mode 0700 where it is missing. */
CHECKED struct err folder_make(const char *path, struct folder *ret_folder);
/* Makes the folders in it that are missing, mode 0700; keys: of [keeper] keys. ERR_IO (errno). */
CHECKED struct err folder_make_parts(const struct folder *folder, const char *keys);
/* Layouts of earlier versions become this one, whatever a crash left half done: the key file `keys`
 * becomes the folder with that file in it, `limits` moves. Call with the lock held and before
 * folder_make_parts(). ERR_IO (errno); then nothing is lost and it may be called again. */
CHECKED struct err folder_bring_forward(const struct folder *folder, const char *keys);
/* root/name, or name itself where it is absolute. False: too long. */
bool folder_path(const struct folder *folder, const char *name, char ret_path[FOLDER_PATH_MAX]);
/* The key file in the folder of the keys. False: too long. */
bool folder_keyring(const struct folder *folder, const char *keys, char ret_path[FOLDER_PATH_MAX]);

/* What was made, renamed or removed in the folder at this path is durable. False: errno. */
bool folder_sync(const char *path);

/* One program at a time: holds a lock until the process ends. ERR_STORE_IN_USE. */
CHECKED struct err folder_lock(const struct folder *folder);

/* Files that only their owner may read: 0 good, else what is wrong ("open to other users", ...). */
const char *folder_secret_fault(const char *path);

#endif
