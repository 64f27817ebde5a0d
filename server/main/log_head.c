#include "server/main/log_head.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTE_MAX_BYTES = 65536 };

void log_head_name(uint64_t number, char ret_name[LOG_HEAD_MAX_BYTES])
{
    (void)snprintf(ret_name, LOG_HEAD_MAX_BYTES, FOLDER_RUN "/log-head-%" PRIu64, number % 100000);
}

static struct err write_all(int fd, struct bytes bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = write(fd, bytes.data + at, bytes.len - at);
        if (n < 0 && errno != EINTR)
            return ERR(IO);
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? ERR_OK : ERR(IO);
}

static struct err put(const struct folder *folder, const char *name, struct bytes bytes)
{
    char path[FOLDER_PATH_MAX], fresh[FOLDER_PATH_MAX + 8], run[FOLDER_PATH_MAX];
    if (!folder_path(folder, name, path) || !folder_path(folder, FOLDER_RUN, run))
        return ERR(TOO_LARGE);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR(IO);
    struct err err = write_all(fd, bytes);
    if (close(fd) != 0)
        err = ERR(IO);
    TRY(err);
    return rename(fresh, path) == 0 && folder_sync(run) ? ERR_OK : ERR(IO);
}

struct err log_head_write(const struct folder *folder, const char *name, struct bytes note)
{
    return put(folder, name, note);
}

struct err log_head_read(const struct folder *folder, const char *name, struct buf *note)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(folder, name, path))
        return ERR(TOO_LARGE);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR(NOT_FOUND) : ERR(IO);
    struct err err = ERR_OK;
    for (;;) {
        uint8_t piece[4096];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = ERR(IO);
        if (n <= 0)
            break;
        buf_append(note, piece, (size_t)n);
        if (note->len > NOTE_MAX_BYTES) {
            err = ERR(TOO_LARGE);
            break;
        }
    }
    (void)close(fd);
    return err_is_ok(err) ? buf_check(note) : err;
}

struct err log_restored_mark(const struct folder *folder)
{
    char run[FOLDER_PATH_MAX];
    if (!folder_path(folder, FOLDER_RUN, run) || (mkdir(run, 0700) != 0 && errno != EEXIST))
        return ERR(IO);
    return put(folder, LOG_RESTORED_FILE, bytes_of(NULL, 0));
}

bool log_restored_is(const struct folder *folder)
{
    char path[FOLDER_PATH_MAX];
    return folder_path(folder, LOG_RESTORED_FILE, path) && access(path, F_OK) == 0;
}

struct err log_restored_clear(const struct folder *folder)
{
    char path[FOLDER_PATH_MAX], run[FOLDER_PATH_MAX];
    if (!folder_path(folder, LOG_RESTORED_FILE, path) || !folder_path(folder, FOLDER_RUN, run))
        return ERR(TOO_LARGE);
    return unlink(path) == 0 && folder_sync(run) ? ERR_OK : ERR(IO);
}
