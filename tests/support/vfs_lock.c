/* Locks and shared memory of vfs_fault.h, for connections of one process. */
#include <stdlib.h>

#include "support/vfs_node.h"

static struct vfs_file *begin(sqlite3_file *file)
{
    struct vfs_file *f = (struct vfs_file *)file;
    (void)pthread_mutex_lock(&f->vfs->lock);
    return f;
}

static int end(struct vfs_file *f, int code)
{
    (void)pthread_mutex_unlock(&f->vfs->lock);
    return code;
}

static bool others(const struct vfs_file *holder, const struct vfs_file *f)
{
    return holder != NULL && holder != f;
}

static int raise(struct vfs_file *f, int level)
{
    struct vfs_node *n = f->node;
    if (f->level < SQLITE_LOCK_SHARED) {
        if (others(n->exclusive, f) || others(n->pending, f))
            return SQLITE_BUSY;
        n->shared++;
        f->level = SQLITE_LOCK_SHARED;
    }
    if (level >= SQLITE_LOCK_RESERVED && f->level < SQLITE_LOCK_RESERVED) {
        if (others(n->reserved, f))
            return SQLITE_BUSY;
        n->reserved = f;
        f->level = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE && f->level < SQLITE_LOCK_EXCLUSIVE) {
        if (others(n->pending, f))
            return SQLITE_BUSY;
        n->pending = f;
        f->level = SQLITE_LOCK_PENDING;
        if (n->shared > 1)
            return SQLITE_BUSY;
        n->exclusive = f;
        f->level = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

int vfs_lock(sqlite3_file *file, int level)
{
    struct vfs_file *f = begin(file);
    return end(f, f->level >= level ? SQLITE_OK : raise(f, level));
}

int vfs_unlock(sqlite3_file *file, int level)
{
    struct vfs_file *f = begin(file);
    struct vfs_node *n = f->node;
    if (f->level > level) {
        if (n->exclusive == f)
            n->exclusive = NULL;
        if (n->pending == f)
            n->pending = NULL;
        if (n->reserved == f)
            n->reserved = NULL;
        if (level == SQLITE_LOCK_NONE)
            n->shared--;
        f->level = level;
    }
    return end(f, SQLITE_OK);
}

int vfs_check_reserved(sqlite3_file *file, int *ret_reserved)
{
    struct vfs_file *f = begin(file);
    *ret_reserved = f->node->reserved != NULL;
    return end(f, SQLITE_OK);
}

int vfs_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **ret_memory)
{
    struct vfs_file *f = begin(file);
    struct vfs_node *n = f->node;
    *ret_memory = NULL;
    if (region >= VFS_SHM_REGIONS)
        return end(f, SQLITE_IOERR_SHMSIZE);
    if (!f->shm_used) {
        f->shm_used = true;
        n->shm_users++;
    }
    if (n->shm[region] == NULL && extend) {
        n->shm[region] = calloc(1, (size_t)bytes);
        if (n->shm[region] == NULL)
            return end(f, SQLITE_IOERR_NOMEM);
    }
    *ret_memory = n->shm[region];
    return end(f, SQLITE_OK);
}

static int shm_take(struct vfs_file *f, int slot, int flags)
{
    struct vfs_node *n = f->node;
    unsigned bit = 1u << slot;
    if (flags & SQLITE_SHM_UNLOCK) {
        if (f->shm_has_shared & bit)
            n->shm_shared[slot]--;
        if (f->shm_has_exclusive & bit)
            n->shm_exclusive[slot] = NULL;
        f->shm_has_shared &= ~bit;
        f->shm_has_exclusive &= ~bit;
        return SQLITE_OK;
    }
    int mine = (f->shm_has_shared & bit) != 0;
    if (others(n->shm_exclusive[slot], f))
        return SQLITE_BUSY;
    if (flags & SQLITE_SHM_SHARED) {
        n->shm_shared[slot] += !mine;
        f->shm_has_shared |= bit;
        return SQLITE_OK;
    }
    if (n->shm_shared[slot] > mine)
        return SQLITE_BUSY;
    n->shm_exclusive[slot] = f;
    f->shm_has_exclusive |= bit;
    return SQLITE_OK;
}

int vfs_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    struct vfs_file *f = begin(file);
    int code = SQLITE_OK;
    int done = 0;
    while (done < count && code == SQLITE_OK) {
        code = shm_take(f, offset + done, flags);
        done += code == SQLITE_OK;
    }
    if (code != SQLITE_OK) /* all or none */
        while (done-- > 0)
            (void)shm_take(f, offset + done, SQLITE_SHM_UNLOCK);
    return end(f, code);
}

void vfs_shm_barrier(sqlite3_file *file)
{
    (void)end(begin(file), SQLITE_OK);
}

int vfs_shm_unmap(sqlite3_file *file, int remove)
{
    (void)remove;
    struct vfs_file *f = begin(file);
    struct vfs_node *n = f->node;
    if (f->shm_used) {
        f->shm_used = false;
        for (int slot = 0; slot < SQLITE_SHM_NLOCK; slot++)
            (void)shm_take(f, slot, SQLITE_SHM_UNLOCK);
        if (--n->shm_users == 0)
            for (int i = 0; i < VFS_SHM_REGIONS; i++) {
                free(n->shm[i]);
                n->shm[i] = NULL;
            }
    }
    return end(f, SQLITE_OK);
}
