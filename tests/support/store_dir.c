#include "support/store_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void make_in(struct store_dir *d, const char *base)
{
    int len = snprintf(d->folder, sizeof d->folder, "%s/store-XXXXXX", base);
    if (len < 0 || (size_t)len >= sizeof d->folder || mkdtemp(d->folder) == NULL) {
        perror("mkdtemp");
        exit(1);
    }
    (void)snprintf(d->path, sizeof d->path, "%s/test.db", d->folder);
}

void store_dir_make(struct store_dir *d)
{
    const char *base = getenv("TMPDIR");
    make_in(d, base == NULL ? "/tmp" : base);
}

void store_dir_make_fast(struct store_dir *d)
{
    if (access("/dev/shm", W_OK | X_OK) == 0)
        make_in(d, "/dev/shm");
    else
        store_dir_make(d);
}

void store_dir_remove(struct store_dir *d)
{
    DIR *dir = opendir(d->folder);
    if (dir == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    (void)rmdir(d->folder);
}
