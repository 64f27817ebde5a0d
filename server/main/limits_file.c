#include "server/main/limits_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/main/folder.h"

/* All buckets of the table there may be, and names of rows. */
enum { BYTES_MOST = LIMIT_TABLE_SLOTS * 24 + 64 * 1024 };

static struct err write_all(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR(IO);
        bytes = bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return fsync(fd) == 0 ? ERR_OK : ERR(IO);
}

static struct err write_file(const char *path, struct bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR(IO);
    struct err err = write_all(fd, bytes);
    return close(fd) == 0 ? err : ERR(IO);
}

struct err limits_file_write(struct front *front, const char *path)
{
    char fresh[FOLDER_PATH_MAX + 8];
    struct buf sealed = BUF_INIT;
    int len = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof fresh)
        return ERR(ARGUMENT);
    struct err err = front_save(front, &sealed);
    if (err_is_ok(err))
        err = write_file(fresh, buf_view(&sealed));
    if (err_is_ok(err) && rename(fresh, path) != 0)
        err = ERR(IO);
    buf_clear(&sealed);
    return err;
}

static struct err read_all(int fd, struct buf *bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ERR(IO);
    if (info.st_size > BYTES_MOST)
        return ERR(TOO_LARGE);
    uint8_t *to = buf_extend(bytes, (size_t)info.st_size);
    if (to == NULL)
        return buf_check(bytes);
    for (size_t at = 0; at < bytes->len;) {
        ssize_t n = read(fd, to + at, bytes->len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR(IO);
        at += (size_t)n;
    }
    return ERR_OK;
}

struct err limits_file_read(struct front *front, const char *path)
{
    struct buf sealed = BUF_INIT;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR(NOT_FOUND) : ERR(IO);
    struct err err = read_all(fd, &sealed);
    (void)close(fd);
    if (err_is_ok(err))
        err = front_load(front, buf_view(&sealed));
    buf_clear(&sealed);
    return err;
}
