/* The file that holds the keys. Internal to server/keeper.
 *
 * A plain file of our own user that nobody else can read or write (mode 0400 or 0600). Written as
 * `PATH.new`, synced, renamed, and the folder synced: after a crash there is the old file or the
 * new one, and at most a PATH.new, which the next writer removes.
 */
#ifndef SERVER_KEY_FILE_H
#define SERVER_KEY_FILE_H

#include "base/bytes.h"

enum { KEY_FILE_PATH_MAX = 4000 };

/* Appends the contents to b, which the caller clears. ERR_KEEPER_FILE: missing, not a plain file (a
 * link neither), of another user, open to others, empty or larger than most bytes; ERR_IO. */
CHECKED struct err key_file_read(const char *path, size_t most, struct buf *b);

/* PATH.new, fresh and empty, mode 0400, open for writing. ERR_IO; ERR_ARGUMENT for too long a path.
 * The caller closes it. */
CHECKED struct err key_file_begin(const char *path, int *ret_fd);
/* All of contents, synced. */
CHECKED struct err key_file_write(int fd, struct bytes contents);
/* PATH.new becomes PATH; fresh: only if there is none (ERR_STORE_EXISTS). The folder is synced. */
CHECKED struct err key_file_commit(const char *path, bool fresh);
void key_file_abandon(const char *path); /* removes PATH.new */

#endif
