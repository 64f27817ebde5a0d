/* What the server gives up (threats.md: secure defaults, ME4). In three steps, because each must
 * come at its time:
 *
 *     privileges_begin     first thing in main: no core dumps, not dumpable, more descriptors
 *     keeper_spawn         the keeper reads its file
 *     privileges_files     before any thread: Landlock, which binds a thread and those it starts
 *     ...databases, threads, listeners...
 *     privileges_calls     when all runs: a filter of system calls, for all threads at once
 *
 * After that, code of an attacker's in the server can reach the places that are listed, the network
 * and the keeper's verbs; it can start no program, read no other file (which files are listed:
 * node_confine.c; never the keys), look into no other process and map no code.
 */
#ifndef SERVER_MAIN_PRIVILEGES_H
#define SERVER_MAIN_PRIVILEGES_H

#include <stddef.h>

#include "base/err.h"
#include "server/confine/landlock.h"

/* A file or folder of ours, and what is done there; one that does not exist is left out. Landlock
 * knows files by their inode: a listed file that is replaced by another of its name is not listed
 * any more, so list the folder where files are replaced. Rights go for everything beneath. */
struct privileges_place {
    const char *path;
    unsigned rights; /* enum landlock_right */
};

/* ERR_IO when core dumps can't be turned off. */
CHECKED struct err privileges_begin(void);

/* places, and what every server needs to read: names of hosts, certificates of authorities, time
 * zones. log is told a line when the kernel has no Landlock; the server then runs without. ERR_IO,
 * ERR_ARGUMENT for too many places. */
CHECKED struct err privileges_files(const struct privileges_place *places, size_t count,
                                    void (*log)(void *self, const char *line), void *log_self);

/* A call that is not in the list fails with ENOSYS. log is told when the kernel can't filter. */
CHECKED struct err privileges_calls(void (*log)(void *self, const char *line), void *log_self);

#endif
