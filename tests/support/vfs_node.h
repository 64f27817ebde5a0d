/* Files of vfs_fault.h: two images each, locks, shared memory. */
#ifndef TESTS_SUPPORT_VFS_NODE_H
#define TESTS_SUPPORT_VFS_NODE_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/rng.h"
#include "support/vfs_fault.h"

enum { VFS_SECTOR = 512, VFS_SHM_REGIONS = 64 };

struct vfs_image {
    uint8_t *data;
    size_t len;
    bool exists;
};

struct vfs_node {
    struct vfs_node *next;
    char *name;
    struct vfs_image now, safe; /* data of both has cap bytes, zero beyond len */
    size_t cap;
    uint8_t *dirty; /* one byte per sector: differs since the last sync */
    bool cut;       /* was shortened or deleted since the last sync... */
    size_t cut_len; /* ...to so many bytes at the least */

    /* database locks (sqlite3_io_methods.xLock) */
    int shared;
    struct vfs_file *reserved, *pending, *exclusive;
    /* shared memory: regions live as long as somebody maps them */
    void *shm[VFS_SHM_REGIONS];
    int shm_users;
    int shm_shared[SQLITE_SHM_NLOCK];
    struct vfs_file *shm_exclusive[SQLITE_SHM_NLOCK];
};

struct vfs_file {
    sqlite3_file base;
    struct vfs_fault *vfs;
    struct vfs_node *node;
    int level; /* SQLITE_LOCK_... */
    bool shm_used;
    unsigned shm_has_shared, shm_has_exclusive; /* bit per slot */
};

struct vfs_fault {
    sqlite3_vfs base;
    char *name;
    pthread_mutex_t lock; /* guards everything */
    struct vfs_node *nodes;
    long count[VFS_OP_COUNT];
    enum vfs_op fail_op;
    enum vfs_how fail_how;
    long fail_in, fail_times, failed;
    long power_left; /* changes; below 0: for ever */
    bool off;
};

/* NULL when it is not there and create is false. */
struct vfs_node *vfs_node_find(struct vfs_fault *v, const char *name, bool create);
void vfs_node_write(struct vfs_node *n, const void *data, size_t len, size_t at);
void vfs_node_truncate(struct vfs_node *n, size_t len);
/* Its name goes; comes back after a power cut unless it was synced. */
void vfs_node_delete(struct vfs_node *n);
void vfs_node_sync(struct vfs_node *n);
void vfs_node_lose_power(struct vfs_node *n, struct rng_seeded *rng);
void vfs_node_free(struct vfs_node *n);

extern const sqlite3_io_methods vfs_file_methods;
/* vfs_lock.c */
int vfs_lock(sqlite3_file *file, int level);
int vfs_unlock(sqlite3_file *file, int level);
int vfs_check_reserved(sqlite3_file *file, int *ret_reserved);
int vfs_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **ret_memory);
int vfs_shm_lock(sqlite3_file *file, int offset, int count, int flags);
void vfs_shm_barrier(sqlite3_file *file);
int vfs_shm_unmap(sqlite3_file *file, int remove);

#endif
