/* The file that holds the keys. Internal to server/keeper.
 *
 * A plain file of our own user that nobody else can read or write (mode 0400 or 0600). Written as
 * `NAME.new`, synced, renamed, and the folder synced: after a crash there is the old file or the
 * new one, and at most a NAME.new, which the next writer removes.
 *
 * Its folder is opened once: a confined process can't open folders, but can still write the file
 * anew through the descriptor (confine.h). It calls openat with KEY_FILE_CREATE, unlinkat,
 * renameat, write, fsync and close, and nothing else of files.
 */
#ifndef SERVER_KEY_FILE_H
#define SERVER_KEY_FILE_H

#include <fcntl.h>

#include "base/bytes.h"

#define KEY_FILE_CREATE (O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW)

enum { KEY_FILE_NAME_MAX = 240 };

struct key_file {
    int folder; /* owned; below 0: none */
    char name[KEY_FILE_NAME_MAX + 1];
    char fresh_name[KEY_FILE_NAME_MAX + 8];
};
#define KEY_FILE_NONE ((struct key_file){.folder = -1})

/* Opens the folder; the file need not exist. ERR_ARGUMENT for a name that is too long or none,
 * ERR_KEEPER_FILE when there is no such folder. */
CHECKED struct err key_file_open(const char *path, struct key_file *ret_file);
void key_file_close(struct key_file *file);

/* Appends the contents to b, which the caller clears. ERR_KEEPER_FILE: missing, not a plain file (a
 * link neither), of another user, open to others, empty or larger than most bytes; ERR_IO. */
CHECKED struct err key_file_read(const struct key_file *file, size_t most, struct buf *b);
/* fresh: there must not be one (ERR_STORE_EXISTS); else it is replaced. ERR_IO: then it may be the
 * old one or the new one after a crash, but until then it is the old one unless only the folder
 * could not be synced. */
CHECKED struct err key_file_write(const struct key_file *file, struct bytes contents, bool fresh);

#endif
