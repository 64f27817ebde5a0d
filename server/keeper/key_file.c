#include "server/keeper/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct err key_file_open(const char *path, struct key_file *ret_file)
{
    enum { FOLDER_MAX = 4000 };
    char folder[FOLDER_MAX + 2];
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t folder_len = (size_t)(name - path);
    struct key_file file;
    if (name[0] == '\0' || strlen(name) > KEY_FILE_NAME_MAX || folder_len > FOLDER_MAX)
        return ERR(ARGUMENT);
    memcpy(folder, path, folder_len);
    memcpy(folder + folder_len, ".", 2); /* "" becomes ".", "a/" "a/." */
    snprintf(file.name, sizeof file.name, "%s", name);
    snprintf(file.fresh_name, sizeof file.fresh_name, "%s.new", name);
    file.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file.folder < 0)
        return ERR(KEEPER_FILE);
    *ret_file = file;
    return ERR_OK;
}

void key_file_close(struct key_file *file)
{
    if (file->folder >= 0)
        close(file->folder);
    *file = KEY_FILE_NONE;
}

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

struct err key_file_read(const struct key_file *file, size_t most, struct buf *b)
{
    struct stat st;
    struct err err = ERR(KEEPER_FILE);
    /* O_NONBLOCK: a FIFO would wait for a writer */
    int fd =
        openat(file->folder, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
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

static struct err write_all(int fd, struct bytes contents)
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

static struct err put_in_place(const struct key_file *file, bool fresh)
{
    /* linkat() refuses to replace, on every file system; renameat replaces in one step */
    if (!fresh)
        return renameat(file->folder, file->fresh_name, file->folder, file->name) == 0 ? ERR_OK
                                                                                       : ERR(IO);
    if (linkat(file->folder, file->fresh_name, file->folder, file->name, 0) != 0)
        return errno == EEXIST ? ERR(STORE_EXISTS) : ERR(IO);
    return unlinkat(file->folder, file->fresh_name, 0) == 0 ? ERR_OK : ERR(IO);
}

struct err key_file_write(const struct key_file *file, struct bytes contents, bool fresh)
{
    if (unlinkat(file->folder, file->fresh_name, 0) != 0 && errno != ENOENT)
        return ERR(IO);
    int fd = openat(file->folder, file->fresh_name, KEY_FILE_CREATE, 0400);
    if (fd < 0)
        return ERR(IO);
    struct err err = write_all(fd, contents);
    close(fd);
    if (err_is_ok(err))
        err = put_in_place(file, fresh);
    if (!err_is_ok(err)) {
        (void)unlinkat(file->folder, file->fresh_name, 0);
        return err;
    }
    return fsync(file->folder) == 0 ? ERR_OK : ERR(IO);
}
