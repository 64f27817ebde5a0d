#include "support/vfs_fault.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/vfs_node.h"

static struct vfs_fault *lock(struct vfs_fault *v)
{
    (void)pthread_mutex_lock(&v->lock);
    return v;
}

static int unlock(struct vfs_fault *v, int code)
{
    (void)pthread_mutex_unlock(&v->lock);
    return code;
}

/* Lock held. Shall this operation fail? *ret_how says how. */
static bool fails(struct vfs_fault *v, enum vfs_op op, enum vfs_how *ret_how)
{
    *ret_how = VFS_ERROR;
    v->count[op]++;
    if (v->off)
        return true;
    if (op >= VFS_WRITE && v->power_left >= 0 && v->power_left-- == 0) {
        v->off = true;
        return true;
    }
    if (v->fail_in < 0 || op != v->fail_op || v->failed >= v->fail_times)
        return false;
    if (v->fail_in > 0) {
        v->fail_in--;
        return false;
    }
    v->failed++;
    *ret_how = v->fail_how;
    return true;
}

static int file_close(sqlite3_file *file)
{
    (void)vfs_shm_unmap(file, 0);
    return vfs_unlock(file, SQLITE_LOCK_NONE);
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct vfs_file *f = (struct vfs_file *)file;
    struct vfs_fault *v = lock(f->vfs);
    enum vfs_how how;
    if (fails(v, VFS_READ, &how))
        return unlock(v, SQLITE_IOERR_READ);
    const struct vfs_image *now = &f->node->now;
    size_t have = (size_t)at >= now->len ? 0 : now->len - (size_t)at;
    size_t got = have < (size_t)len ? have : (size_t)len;
    memset(out, 0, (size_t)len);
    if (got != 0)
        memcpy(out, now->data + at, got);
    return unlock(v, got == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct vfs_file *f = (struct vfs_file *)file;
    struct vfs_fault *v = lock(f->vfs);
    enum vfs_how how;
    bool was_on = !v->off;
    if (fails(v, VFS_WRITE, &how)) {
        /* what the power cut interrupts may be half done as well */
        if (how == VFS_SHORT || (was_on && v->off))
            vfs_node_write(f->node, data, (size_t)len / 2, (size_t)at);
        return unlock(v, how == VFS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE);
    }
    vfs_node_write(f->node, data, (size_t)len, (size_t)at);
    return unlock(v, SQLITE_OK);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    struct vfs_file *f = (struct vfs_file *)file;
    struct vfs_fault *v = lock(f->vfs);
    enum vfs_how how;
    if (fails(v, VFS_TRUNCATE, &how))
        return unlock(v, SQLITE_IOERR_TRUNCATE);
    vfs_node_truncate(f->node, (size_t)len);
    return unlock(v, SQLITE_OK);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct vfs_file *f = (struct vfs_file *)file;
    struct vfs_fault *v = lock(f->vfs);
    enum vfs_how how;
    if (fails(v, VFS_SYNC, &how))
        return unlock(v, SQLITE_IOERR_FSYNC);
    vfs_node_sync(f->node);
    return unlock(v, SQLITE_OK);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_len)
{
    struct vfs_file *f = (struct vfs_file *)file;
    struct vfs_fault *v = lock(f->vfs);
    *ret_len = (sqlite3_int64)f->node->now.len;
    return unlock(v, SQLITE_OK);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

/* As the machine's own layer says: a write harms no byte outside of it. */
static int characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods vfs_file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    struct vfs_fault *v = lock(vfs->pAppData);
    struct vfs_file *f = (struct vfs_file *)file;
    memset(f, 0, sizeof *f);
    enum vfs_how how;
    /* No name is a temporary file: the store keeps those in memory, so none may come. */
    if (fails(v, VFS_OPEN, &how) || name == NULL)
        return unlock(v, SQLITE_CANTOPEN);
    struct vfs_node *n = vfs_node_find(v, name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (n == NULL)
        return unlock(v, SQLITE_CANTOPEN);
    f->base.pMethods = &vfs_file_methods;
    f->vfs = v;
    f->node = n;
    if (ret_flags != NULL)
        *ret_flags = flags;
    return unlock(v, SQLITE_OK);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct vfs_fault *v = lock(vfs->pAppData);
    enum vfs_how how;
    if (fails(v, VFS_DELETE, &how))
        return unlock(v, SQLITE_IOERR_DELETE);
    struct vfs_node *n = vfs_node_find(v, name, false);
    if (n == NULL)
        return unlock(v, SQLITE_IOERR_DELETE_NOENT);
    vfs_node_delete(n);
    if (sync_folder)
        vfs_node_sync(n);
    return unlock(v, SQLITE_OK);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_yes)
{
    (void)flags;
    struct vfs_fault *v = lock(vfs->pAppData);
    struct vfs_node *n = vfs_node_find(v, name, false);
    *ret_yes = n != NULL && (flags != SQLITE_ACCESS_EXISTS || n->now.len != 0);
    return unlock(v, SQLITE_OK);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int len, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)len, "%s", name) < len ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

struct vfs_fault *vfs_fault_new(const char *name)
{
    struct vfs_fault *v = calloc(1, sizeof *v);
    sqlite3_vfs *machine = sqlite3_vfs_find(NULL);
    if (v == NULL || machine == NULL || (v->name = strdup(name)) == NULL ||
        pthread_mutex_init(&v->lock, NULL) != 0)
        abort();
    v->fail_in = v->power_left = -1;
    v->base = (sqlite3_vfs){.iVersion = 2,
                            .szOsFile = sizeof(struct vfs_file),
                            .mxPathname = 200,
                            .zName = v->name,
                            .pAppData = v,
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full_path,
                            .xRandomness = machine->xRandomness,
                            .xSleep = vfs_sleep,
                            .xCurrentTime = machine->xCurrentTime,
                            .xCurrentTimeInt64 = machine->xCurrentTimeInt64};
    if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK)
        abort();
    return v;
}

void vfs_fault_free(struct vfs_fault *v)
{
    (void)sqlite3_vfs_unregister(&v->base);
    while (v->nodes != NULL) {
        struct vfs_node *n = v->nodes;
        v->nodes = n->next;
        vfs_node_free(n);
    }
    (void)pthread_mutex_destroy(&v->lock);
    free(v->name);
    free(v);
}

void vfs_fail(struct vfs_fault *v, enum vfs_op op, enum vfs_how how, long n, long times)
{
    (void)lock(v);
    v->fail_op = op;
    v->fail_how = how;
    v->fail_in = n;
    v->fail_times = times;
    v->failed = 0;
    (void)unlock(v, 0);
}

long vfs_failed(struct vfs_fault *v)
{
    (void)lock(v);
    long failed = v->failed;
    v->fail_in = -1;
    (void)unlock(v, 0);
    return failed;
}

long vfs_count(struct vfs_fault *v, enum vfs_op op)
{
    (void)lock(v);
    long count = v->count[op];
    (void)unlock(v, 0);
    return count;
}

void vfs_power_off_after(struct vfs_fault *v, long changes)
{
    (void)lock(v);
    v->power_left = changes;
    (void)unlock(v, 0);
}

bool vfs_is_off(struct vfs_fault *v)
{
    (void)lock(v);
    bool off = v->off;
    (void)unlock(v, 0);
    return off;
}

void vfs_power_on(struct vfs_fault *v, uint64_t seed)
{
    (void)lock(v);
    struct rng_seeded rng;
    rng_seeded_init(&rng, seed);
    for (struct vfs_node *n = v->nodes; n != NULL; n = n->next)
        vfs_node_lose_power(n, &rng);
    v->off = false;
    v->power_left = -1;
    (void)unlock(v, 0);
}

void vfs_restart(struct vfs_fault *v)
{
    (void)lock(v);
    v->off = false;
    v->power_left = -1;
    (void)unlock(v, 0);
}

bool vfs_contains_but(struct vfs_fault *v, const char *but, struct bytes what)
{
    bool found = false;
    (void)lock(v);
    for (struct vfs_node *n = v->nodes; n != NULL; n = n->next)
        found =
            found || (n->now.len != 0 && (but == NULL || strncmp(n->name, but, strlen(but)) != 0) &&
                      memmem(n->now.data, n->now.len, what.data, what.len) != NULL);
    (void)unlock(v, 0);
    return found;
}

bool vfs_contains(struct vfs_fault *v, struct bytes what)
{
    return vfs_contains_but(v, NULL, what);
}

size_t vfs_size(struct vfs_fault *v, const char *name)
{
    (void)lock(v);
    struct vfs_node *n = vfs_node_find(v, name, false);
    size_t len = n == NULL ? 0 : n->now.len;
    (void)unlock(v, 0);
    return len;
}

/* ---- backups */

struct vfs_saved {
    struct vfs_saved *next;
    char *name;
    uint8_t *data;
    size_t len;
};

struct vfs_saved *vfs_save(struct vfs_fault *v, const char *prefix)
{
    struct vfs_saved *first = NULL;
    (void)lock(v);
    for (struct vfs_node *n = v->nodes; n != NULL; n = n->next) {
        if (!n->now.exists || strncmp(n->name, prefix, strlen(prefix)) != 0)
            continue;
        struct vfs_saved *one = calloc(1, sizeof *one);
        if (one == NULL || (one->name = strdup(n->name)) == NULL ||
            (one->data = malloc(n->now.len + 1)) == NULL)
            abort();
        memcpy(one->data, n->now.data, n->now.len);
        one->len = n->now.len;
        one->next = first;
        first = one;
    }
    (void)unlock(v, 0);
    return first;
}

void vfs_load(struct vfs_fault *v, const struct vfs_saved *saved, const char *prefix)
{
    (void)lock(v);
    for (struct vfs_node *n = v->nodes; n != NULL; n = n->next)
        if (n->now.exists && strncmp(n->name, prefix, strlen(prefix)) == 0)
            vfs_node_delete(n);
    for (; saved != NULL; saved = saved->next) {
        struct vfs_node *n = vfs_node_find(v, saved->name, true);
        n->now.exists = true;
        vfs_node_truncate(n, 0);
        vfs_node_write(n, saved->data, saved->len, 0);
        vfs_node_sync(n);
    }
    (void)unlock(v, 0);
}

void vfs_saved_free(struct vfs_saved *saved)
{
    while (saved != NULL) {
        struct vfs_saved *next = saved->next;
        free(saved->name);
        free(saved->data);
        free(saved);
        saved = next;
    }
}
