#include "store/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

static uint64_t free_of_path(const struct disk *d)
{
    struct statvfs st;
    if (statvfs(d->path, &st) != 0)
        return UINT64_MAX; /* can't tell: writes will say */
    return (uint64_t)st.f_bavail * st.f_frsize;
}

static uint64_t free_bytes(const struct disk *d)
{
    return d->free_bytes != NULL ? d->free_bytes(d->self) : free_of_path(d);
}

static void ballast_lay(struct disk *d)
{
    if (d->ballast_path == NULL || d->ballast)
        return;
    int fd = open(d->ballast_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return; /* the limit still holds without it */
    d->ballast = posix_fallocate(fd, 0, (off_t)d->ballast_bytes) == 0;
    (void)close(fd);
    if (!d->ballast)
        (void)unlink(d->ballast_path);
}

static void go_low(struct disk *d)
{
    d->low = true;
    if (d->ballast_path != NULL)
        (void)unlink(d->ballast_path);
    d->ballast = false;
}

struct err disk_init(struct disk *d, const struct store_options *options)
{
    *d = (struct disk){.path = options->path,
                       .low_bytes = options->path == NULL ? 0 : options->low_disk_bytes,
                       .ballast_bytes = options->ballast_bytes,
                       .free_bytes = options->free_bytes,
                       .self = options->free_bytes_self};
    if (d->low_bytes != 0 && d->ballast_bytes != 0 && options->files == NULL) {
        if (asprintf(&d->ballast_path, "%s-ballast", d->path) < 0) {
            d->ballast_path = NULL;
            return ERR(NO_MEMORY);
        }
        d->ballast = access(d->ballast_path, F_OK) == 0;
    }
    disk_check(d);
    return ERR_OK;
}

void disk_clear(struct disk *d)
{
    free(d->ballast_path);
    *d = (struct disk){0};
}

void disk_check(struct disk *d)
{
    if (d->low_bytes == 0)
        return;
    uint64_t room = free_bytes(d);
    uint64_t ballast = d->ballast_path != NULL && !d->ballast ? d->ballast_bytes : 0;
    if (room < d->low_bytes) {
        go_low(d);
    } else if (room - d->low_bytes >= ballast + d->low_bytes / 8) {
        d->low = false;
        ballast_lay(d);
    }
}

void disk_full(struct disk *d)
{
    if (d->low_bytes != 0)
        go_low(d);
}
