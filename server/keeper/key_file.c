#include "server/keeper/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_private(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && (st->st_mode & 07177) == 0;
}

static struct err read_all(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, out, len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR(IO); /* shorter than fstat said: it is being changed */
        out += got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

struct err key_file_read(const char *path, size_t most, struct buf *b)
{
    struct stat st;
    struct err err = ERR(KEEPER_FILE);
    /* O_NONBLOCK: a FIFO would wait for a writer */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err;
    if (fstat(fd, &st) != 0 || !is_private(&st) || st.st_size <= 0 || (size_t)st.st_size > most)
        goto out;
    uint8_t *room = buf_extend(b, (size_t)st.st_size);
    TRY_OR(buf_check(b), err, out);
    err = read_all(fd, room, (size_t)st.st_size);
out:
    close(fd);
    return err;
}

static struct err new_path(const char *path, char ret_path[KEY_FILE_PATH_MAX + 8])
{
    int len = snprintf(ret_path, KEY_FILE_PATH_MAX + 8, "%s.new", path);
    return len < 0 || len >= KEY_FILE_PATH_MAX ? ERR(ARGUMENT) : ERR_OK;
}

struct err key_file_begin(const char *path, int *ret_fd)
{
    char fresh[KEY_FILE_PATH_MAX + 8];
    TRY(new_path(path, fresh));
    if (unlink(fresh) != 0 && errno != ENOENT)
        return ERR(IO);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return ERR(IO);
    *ret_fd = fd;
    return ERR_OK;
}

struct err key_file_write(int fd, struct bytes contents)
{
    while (contents.len > 0) {
        ssize_t put = write(fd, contents.data, contents.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ERR(IO);
        contents = bytes_of(contents.data + put, contents.len - (size_t)put);
    }
    return fsync(fd) == 0 ? ERR_OK : ERR(IO);
}

static struct err sync_folder(const char *path)
{
    char folder[KEY_FILE_PATH_MAX + 8];
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (len >= sizeof folder)
        return ERR(ARGUMENT);
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(len == 0 ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR(IO);
    struct err err = fsync(fd) == 0 ? ERR_OK : ERR(IO);
    close(fd);
    return err;
}

struct err key_file_commit(const char *path, bool fresh)
{
    char from[KEY_FILE_PATH_MAX + 8];
    TRY(new_path(path, from));
    /* link() refuses to replace, everywhere; rename replaces in one step */
    if (fresh ? link(from, path) != 0 : rename(from, path) != 0)
        return errno == EEXIST ? ERR(STORE_EXISTS) : ERR(IO);
    if (fresh && unlink(from) != 0)
        return ERR(IO);
    return sync_folder(path);
}

void key_file_abandon(const char *path)
{
    char fresh[KEY_FILE_PATH_MAX + 8];
    if (err_is_ok(new_path(path, fresh)))
        (void)unlink(fresh);
}
