/* Which files a process may still reach: Landlock (landlock(7)), by its system calls. */
#ifndef SERVER_LANDLOCK_H
#define SERVER_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What may be done beneath a folder (or to a file), beyond what file modes say. */
enum landlock_right {
    LANDLOCK_READ = 1,    /* open files for reading, list folders */
    LANDLOCK_WRITE = 2,   /* open existing files for writing, truncate */
    LANDLOCK_CHANGE = 4,  /* make, rename and remove files and folders */
    LANDLOCK_SOCKETS = 8, /* make Unix sockets */
    LANDLOCK_EVERYTHING = 15,
};
struct landlock_place {
    int fd; /* of the folder or file, O_PATH is enough; borrowed */
    unsigned rights;
};

/* From here on nothing else can be opened, by this thread and those it starts (so: before there
 * are others). Descriptors that are open stay good. Nothing can be executed.
 * no_network: no TCP ports can be bound or connected to, where the kernel can forbid it (6.7).
 * ret_applied: false when the kernel has no Landlock or it is off; then nothing changed. ERR_IO
 * when it refuses what it should know. */
CHECKED struct err landlock_apply(const struct landlock_place *places, size_t count,
                                  bool no_network, bool *ret_applied);

#endif
