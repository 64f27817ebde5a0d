/* S2: is there room on the disk? And the ballast: a file that is given up when there is not, so
 * that deleting (which needs room in the log first) can go on.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "base/err.h"
#include "store/store.h"

struct disk {
    const char *path;   /* borrowed: of the database; NULL: in memory, never low */
    char *ballast_path; /* NULL: none */
    uint64_t low_bytes; /* 0: never low */
    uint64_t ballast_bytes;
    uint64_t (*free_bytes)(void *self);
    void *self;
    bool low;
    bool ballast; /* the file is there */
};

/* Borrows options->path. The zero state may be cleared and is never low. */
CHECKED struct err disk_init(struct disk *d, const struct store_options *options);
void disk_clear(struct disk *d); /* the ballast stays */
/* Looks, gives the ballast up or lays it down again, and updates d->low. Leaves the low state only
 * when there is room for the ballast and a little more, so that it does not flicker. */
void disk_check(struct disk *d);
/* A write said that the disk is full. */
void disk_full(struct disk *d);

#endif
