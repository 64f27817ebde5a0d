/* What the disk gives at this moment, beside figures that wait for it: a shared machine's disk can
 * be ten times slower a minute later, and a figure without this says nothing then. */
#ifndef TESTS_BENCH_DISK_H
#define TESTS_BENCH_DISK_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { DISK_SYNCS = 300, DISK_BYTES = 262144 };

static inline int disk_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Appends 256 KiB and syncs, 300 times, in a file of its own in the folder, and prints how long one
 * took; about as much as a full group of commits. */
static inline void disk_probe(const char *folder, const char *when)
{
    static uint8_t block[DISK_BYTES];
    uint64_t us[DISK_SYNCS];
    char path[256];
    (void)snprintf(path, sizeof path, "%s/disk-probe", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    int count = 0;
    for (; count < DISK_SYNCS; count++) {
        uint64_t from = clock_monotonic_us(&clock_system);
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0)
            break;
        us[count] = clock_monotonic_us(&clock_system) - from;
    }
    (void)close(fd);
    (void)unlink(path);
    if (count < DISK_SYNCS) {
        printf("the disk, %s: can't be written\n", when);
        return;
    }
    qsort(us, (size_t)count, sizeof *us, disk_order);
    printf("the disk, %-14s 256 KiB synced: p50 %6.1f ms  p99 %6.1f ms  worst %6.1f ms\n", when,
           (double)us[count / 2] / 1000, (double)us[count * 99 / 100] / 1000,
           (double)us[count - 1] / 1000);
}

#endif
