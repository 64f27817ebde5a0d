#include "server/main/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct err folder_open(const char *path, struct folder *ret_folder)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return ERR(IO);
    struct stat st;
    bool good = strlen(real) < FOLDER_PATH_MAX / 2 && stat(real, &st) == 0 && S_ISDIR(st.st_mode);
    if (good)
        (void)snprintf(ret_folder->root, sizeof ret_folder->root, "%s", real);
    free(real);
    return good ? ERR_OK : ERR(IO);
}

static bool make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

struct err folder_make(const char *path, struct folder *ret_folder)
{
    return make(path) ? folder_open(path, ret_folder) : ERR(IO);
}

struct err folder_make_parts(const struct folder *folder, const char *keys)
{
    const char *const parts[] = {"tls", "db", FOLDER_RUN, FOLDER_BACKUPS, keys};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char part[FOLDER_PATH_MAX];
        if (!folder_path(folder, parts[i], part) || !make(part))
            return ERR(IO);
    }
    return ERR_OK;
}

bool folder_keyring(const struct folder *folder, const char *keys, char ret_path[FOLDER_PATH_MAX])
{
    char in[FOLDER_PATH_MAX];
    if (!folder_path(folder, keys, in))
        return false;
    int len = snprintf(ret_path, FOLDER_PATH_MAX, "%s/keyring", in);
    return len >= 0 && len < FOLDER_PATH_MAX;
}

bool folder_path(const struct folder *folder, const char *name, char ret_path[FOLDER_PATH_MAX])
{
    int len = name[0] == '/' ? snprintf(ret_path, FOLDER_PATH_MAX, "%s", name)
                             : snprintf(ret_path, FOLDER_PATH_MAX, "%s/%s", folder->root, name);
    return len >= 0 && len < FOLDER_PATH_MAX;
}

bool folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

struct err folder_lock(const struct folder *folder)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(folder, "lock", path))
        return ERR(TOO_LARGE);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERR(IO);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return ERR(STORE_IN_USE);
    }
    return ERR_OK; /* the descriptor stays open on purpose: the lock is the process's */
}

const char *folder_secret_fault(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? "missing" : "can't be looked at";
    if (!S_ISREG(st.st_mode))
        return "not a plain file";
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return "owned by somebody else";
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "open to other users";
    return NULL;
}
