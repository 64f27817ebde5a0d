/* Files of a database: who may read them, who uses them, how they get their names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite.h"

static struct err err_of_errno(int number)
{
    switch (number) {
    case ENOMEM:
        return ERR(NO_MEMORY);
    case ENOSPC:
    case EDQUOT:
        return ERR(STORE_FULL);
    case EACCES:
    case EPERM:
    case ELOOP:
        return ERR(STORE_PERMISSIONS);
    case ENOENT:
        return ERR(NOT_FOUND);
    default:
        return ERR(STORE_IO);
    }
}

/* The caller closes. Others' files are refused rather than corrected: whoever opened them to the
 * world may have read them already, and a person should know. */
static struct err open_private(const char *path, int flags, int *ret_fd)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return err_of_errno(errno);
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 ||
        st.st_uid != geteuid()) {
        (void)close(fd);
        return ERR(STORE_PERMISSIONS);
    }
    *ret_fd = fd;
    return ERR_OK;
}

struct err sqlite_file_create(const char *path)
{
    int fd;
    TRY(open_private(path, O_RDWR | O_CREAT, &fd));
    (void)close(fd);
    return ERR_OK;
}

/* A file of its own: SQLite's locks on the database are POSIX locks, which the process loses as
 * soon as it closes any descriptor of that file. */
struct err sqlite_file_lock(const char *path, int *ret_fd)
{
    char *name;
    if (asprintf(&name, "%s-lock", path) < 0)
        return ERR(NO_MEMORY);
    int fd;
    struct err err = open_private(name, O_RDWR | O_CREAT, &fd);
    free(name);
    TRY(err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? ERR(STORE_IN_USE) : err_of_errno(errno);
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return ERR_OK;
}

static struct err sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);
    struct err err = fsync(fd) == 0 ? ERR_OK : err_of_errno(errno);
    (void)close(fd);
    return err;
}

struct err sqlite_file_sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL)
        return ERR(NO_MEMORY);
    struct err err = sync_path(folder, O_RDONLY | O_DIRECTORY);
    free(folder);
    return err;
}

struct err sqlite_file_link(const char *from, const char *to)
{
    /* link, not rename: it never replaces what is there */
    if (link(from, to) == 0)
        return ERR_OK;
    return errno == EEXIST ? ERR(STORE_EXISTS) : err_of_errno(errno);
}

struct err sqlite_file_publish(const char *from, const char *to)
{
    TRY(sync_path(from, O_RDONLY));
    TRY(sqlite_file_link(from, to));
    (void)unlink(from);
    return sqlite_file_sync_folder(to);
}
