/* An SQLite file layer in memory that fails on request and can lose its power.
 *
 * Every file has two images: what programs see, and what would be there after a power cut. Writes
 * go to the first; a sync carries the file's changed sectors (512 bytes) to the second. When the
 * power goes, each sector that was not synced is kept or lost by the seed's coin, each on its own,
 * so that pages and log frames are torn; lengths and new names likewise. Shortening and deleting
 * are kept whole or not at all, as journalling file systems do.
 *
 * Several connections and threads of one process may use it: it has locks and shared memory.
 */
#ifndef TESTS_SUPPORT_VFS_FAULT_H
#define TESTS_SUPPORT_VFS_FAULT_H

#include "base/bytes.h"

struct vfs_fault;

enum vfs_op { VFS_OPEN, VFS_READ, VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_DELETE, VFS_OP_COUNT };

enum vfs_how {
    VFS_ERROR, /* the operation fails and does nothing */
    VFS_SHORT, /* a write does its first half and fails */
    VFS_FULL,  /* a write fails for lack of space */
};

/* Registers under the name, which a test gives as store_options.files. Exits when it can't. */
struct vfs_fault *vfs_fault_new(const char *name);
/* All files of it are closed. */
void vfs_fault_free(struct vfs_fault *v);

/* The n-th such operation from now on fails, counted from 0; times: so many in a row. */
void vfs_fail(struct vfs_fault *v, enum vfs_op op, enum vfs_how how, long n, long times);
/* How many have failed since; stops the failing. */
long vfs_failed(struct vfs_fault *v);
/* Operations so far. */
long vfs_count(struct vfs_fault *v, enum vfs_op op);

/* The power goes when so many more writes, syncs, truncations and deletions are done; below 0:
 * never. From then on everything fails. */
void vfs_power_off_after(struct vfs_fault *v, long changes);
bool vfs_is_off(struct vfs_fault *v);
/* Off now if it was not, and on again with what the seed lets survive. All files are closed. */
void vfs_power_on(struct vfs_fault *v, uint64_t seed);

/* On again with everything that was written: what kill -9 leaves. All files are closed. */
void vfs_restart(struct vfs_fault *v);

/* A copy of every file whose name begins so, as programs see it: what a backup of that moment is.
 * Loading it puts those files in their place, synced; all files are closed then. */
struct vfs_saved;
struct vfs_saved *vfs_save(struct vfs_fault *v, const char *prefix);
void vfs_load(struct vfs_fault *v, const struct vfs_saved *saved, const char *prefix);
void vfs_saved_free(struct vfs_saved *saved);

/* Does any file, as programs see it, contain this? */
bool vfs_contains(struct vfs_fault *v, struct bytes what);
/* The same of files whose names do not begin so. */
bool vfs_contains_but(struct vfs_fault *v, const char *but, struct bytes what);
/* Bytes of a file, 0 when it is not there. */
size_t vfs_size(struct vfs_fault *v, const char *name);

#endif
