/* The newest checkpoint that this machine has signed, in a file beside the databases (run/log-head)
 * that no backup holds: what a restored database is held against, since who signs a size twice has
 * forked (transparency.md 13). Written, durably, before a checkpoint is shown to anybody.
 *
 * run/log-restored: a backup was put in the place of the databases, and this machine does not know
 * yet whether its log is the newest.
 */
#ifndef SERVER_MAIN_LOG_HEAD_H
#define SERVER_MAIN_LOG_HEAD_H

#include "base/bytes.h"
#include "server/main/folder.h"

#define LOG_RESTORED_FILE FOLDER_RUN "/log-restored"

/* The log's number is part of the name: LOG_HEAD_MAX_BYTES with its end. */
enum { LOG_HEAD_MAX_BYTES = 32 };
void log_head_name(uint64_t number, char ret_name[LOG_HEAD_MAX_BYTES]);

/* Replaces the file. ERR_IO. */
CHECKED struct err log_head_write(const struct folder *folder, const char *name, struct bytes note);
/* Appends. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE. */
CHECKED struct err log_head_read(const struct folder *folder, const char *name, struct buf *note);

/* The mark of a restored backup: made, looked for, taken away. */
CHECKED struct err log_restored_mark(const struct folder *folder);
bool log_restored_is(const struct folder *folder);
CHECKED struct err log_restored_clear(const struct folder *folder);

#endif
