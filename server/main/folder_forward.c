/* Data folders of earlier versions: the keys were one file beside the databases, which the server
 * could read; limits and the operator's socket lay beside it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/main/folder.h"

static bool join(char out[FOLDER_PATH_MAX], const char *a, const char *b)
{
    int len = snprintf(out, FOLDER_PATH_MAX, "%s%s", a, b);
    return len >= 0 && len < FOLDER_PATH_MAX;
}

static mode_t kind_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

/* The file and the folder that is to take its name, in one step where the file system can. */
static bool exchange(const char *file, const char *folder)
{
    if (syscall(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, folder, RENAME_EXCHANGE) == 0)
        return unlink(folder) == 0; /* which is the file now */
    return (errno == EINVAL || errno == ENOSYS) && unlink(file) == 0 && rename(folder, file) == 0;
}

/* At any moment the key file is at one of its places at least; calling this again goes on. */
static struct err keys_forward(const char *root, const char *keys)
{
    char fresh[FOLDER_PATH_MAX], keyring[FOLDER_PATH_MAX];
    if (!join(fresh, keys, ".folder") || !join(keyring, fresh, "/keyring"))
        return ERR(TOO_LARGE);
    mode_t now = kind_of(keys), half = kind_of(fresh);
    bool good = true;
    if (now == 0 && half == S_IFDIR)
        good = rename(fresh, keys) == 0;
    else if (now == S_IFDIR && half == S_IFREG)
        good = unlink(fresh) == 0;
    else if (now == S_IFREG)
        good = (mkdir(fresh, 0700) == 0 || errno == EEXIST) &&
               (unlink(keyring) == 0 || errno == ENOENT) && link(keys, keyring) == 0 &&
               folder_sync(fresh) && exchange(keys, fresh);
    else
        return ERR_OK;
    return good && folder_sync(root) ? ERR_OK : ERR(IO);
}

struct err folder_bring_forward(const struct folder *folder, const char *keys)
{
    char path[FOLDER_PATH_MAX], run[FOLDER_PATH_MAX];
    if (!folder_path(folder, keys, path))
        return ERR(TOO_LARGE);
    TRY(keys_forward(folder->root, path));
    if (!folder_path(folder, "admin.sock", path))
        return ERR(TOO_LARGE);
    if (kind_of(path) == S_IFSOCK)
        (void)unlink(path); /* nobody listens: the lock is ours */
    if (!folder_path(folder, "limits", path) || !folder_path(folder, FOLDER_RUN, run))
        return ERR(TOO_LARGE);
    if (kind_of(path) != S_IFREG)
        return ERR_OK;
    char to[FOLDER_PATH_MAX];
    bool good = join(to, run, "/limits") && (mkdir(run, 0700) == 0 || errno == EEXIST) &&
                rename(path, to) == 0;
    return good ? ERR_OK : ERR(IO);
}
