#include "support/vfs_node.h"

#include <stdlib.h>

#include "support/failing.h"

static void must(bool ok)
{
    if (!ok)
        abort(); /* a test without memory means nothing */
}

struct vfs_node *vfs_node_find(struct vfs_fault *v, const char *name, bool create)
{
    struct vfs_node *n = v->nodes;
    while (n != NULL && strcmp(n->name, name) != 0)
        n = n->next;
    if (n == NULL && create) {
        test_pause_failing();
        n = calloc(1, sizeof *n);
        must(n != NULL);
        n->name = strdup(name);
        test_resume_failing();
        must(n->name != NULL);
        n->next = v->nodes;
        v->nodes = n;
    }
    if (n != NULL && create)
        n->now.exists = true;
    return n != NULL && n->now.exists ? n : NULL;
}

static void grow(struct vfs_node *n, size_t len)
{
    if (len <= n->cap)
        return;
    size_t cap = n->cap == 0 ? (size_t)64 * 1024 : n->cap;
    while (cap < len)
        cap *= 2;
    test_pause_failing();
    uint8_t *now = calloc(1, cap), *safe = calloc(1, cap), *dirty = calloc(1, cap / VFS_SECTOR);
    test_resume_failing();
    must(now != NULL && safe != NULL && dirty != NULL);
    if (n->cap != 0) {
        memcpy(now, n->now.data, n->cap);
        memcpy(safe, n->safe.data, n->cap);
        memcpy(dirty, n->dirty, n->cap / VFS_SECTOR);
    }
    free(n->now.data);
    free(n->safe.data);
    free(n->dirty);
    n->now.data = now;
    n->safe.data = safe;
    n->dirty = dirty;
    n->cap = cap;
}

static void mark(struct vfs_node *n, size_t from, size_t to)
{
    for (size_t at = from / VFS_SECTOR; at * VFS_SECTOR < to; at++)
        n->dirty[at] = 1;
}

void vfs_node_write(struct vfs_node *n, const void *data, size_t len, size_t at)
{
    grow(n, at + len);
    memcpy(n->now.data + at, data, len);
    mark(n, at, at + len);
    if (n->now.len < at + len)
        n->now.len = at + len;
}

static void zero_after(struct vfs_image *image, size_t len)
{
    if (image->len > len)
        memset(image->data + len, 0, image->len - len);
    if (image->len > len)
        image->len = len;
}

void vfs_node_truncate(struct vfs_node *n, size_t len)
{
    grow(n, len);
    if (len < n->now.len) {
        n->cut_len = n->cut && n->cut_len < len ? n->cut_len : len;
        n->cut = true;
        zero_after(&n->now, len);
        for (size_t at = (len + VFS_SECTOR - 1) / VFS_SECTOR; at < n->cap / VFS_SECTOR; at++)
            n->dirty[at] = 0;
        mark(n, len - len % VFS_SECTOR, len);
    }
    n->now.len = len;
}

void vfs_node_delete(struct vfs_node *n)
{
    if (n->now.len == 0) {
        n->cut = true;
        n->cut_len = 0;
    }
    vfs_node_truncate(n, 0);
    n->now.exists = false;
}

static void keep_sector(struct vfs_node *n, size_t sector)
{
    memcpy(n->safe.data + sector * VFS_SECTOR, n->now.data + sector * VFS_SECTOR, VFS_SECTOR);
}

static void apply_cut(struct vfs_node *n)
{
    if (n->cut)
        zero_after(&n->safe, n->cut_len);
    n->cut = false;
}

void vfs_node_sync(struct vfs_node *n)
{
    apply_cut(n);
    for (size_t i = 0; i < n->cap / VFS_SECTOR; i++)
        if (n->dirty[i]) {
            keep_sector(n, i);
            n->dirty[i] = 0;
        }
    n->safe.len = n->now.len;
    n->safe.exists = n->now.exists;
}

/* A quarter of the seeds lose everything, a quarter keep everything that was not synced. Shortening
 * and deleting are changes of the file system's own journal: whole or not at all, and nothing that
 * was written later without them. */
void vfs_node_lose_power(struct vfs_node *n, struct rng_seeded *rng)
{
    uint64_t mood = rng_seeded_next(rng) % 4;
    bool cut_kept = mood == 1 || (mood > 1 && (rng_seeded_next(rng) & 1) != 0);
    bool later = !n->cut || cut_kept;
    if (cut_kept)
        apply_cut(n);
    for (size_t i = 0; i < n->cap / VFS_SECTOR; i++) {
        bool coin = (rng_seeded_next(rng) & 1) != 0;
        if (n->dirty[i] && later && (mood == 1 || (mood > 1 && coin)))
            keep_sector(n, i);
        n->dirty[i] = 0;
    }
    bool coin = (rng_seeded_next(rng) & 1) != 0;
    if (later && (mood == 1 || (mood > 1 && coin)))
        n->safe.len = n->now.len;
    coin = (rng_seeded_next(rng) & 1) != 0;
    if (later && (mood == 1 || (mood > 1 && coin) || cut_kept))
        n->safe.exists = n->now.exists;
    n->cut = false;
    if (!n->safe.exists)
        n->safe.len = 0;
    if (n->cap != 0) {
        memset(n->safe.data + n->safe.len, 0, n->cap - n->safe.len);
        memcpy(n->now.data, n->safe.data, n->cap);
    }
    n->now.len = n->safe.len;
    n->now.exists = n->safe.exists;
}

void vfs_node_free(struct vfs_node *n)
{
    for (int i = 0; i < VFS_SHM_REGIONS; i++)
        free(n->shm[i]);
    free(n->now.data);
    free(n->safe.data);
    free(n->dirty);
    free(n->name);
    free(n);
}
