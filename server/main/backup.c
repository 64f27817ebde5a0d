#include "server/main/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"

#define TITLE "hearthd backup 1"
enum { HASH_TEXT = 64, NAME_MAX_BYTES_HERE = 200, COPY_BYTES = 65536, FILES_MAX = 1000000 };

__attribute__((format(printf, 3, 4))) static struct err fault(char *why, struct err err,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, BACKUP_WHY_BYTES, format, args);
    va_end(args);
    return err;
}

/* ---- files */

static bool join(const char *folder, const char *name, char path[FOLDER_PATH_MAX])
{
    int len = snprintf(path, FOLDER_PATH_MAX, "%s/%s", folder, name);
    return len >= 0 && len < FOLDER_PATH_MAX;
}

/* Reads a file to its end. */
static struct err pass(int in, uint64_t *ret_bytes, char ret_hash[HASH_TEXT + 1])
{
    uint8_t *data = malloc(COPY_BYTES);
    if (data == NULL)
        return ERR(NO_MEMORY);
    struct hash hash;
    struct digest digest;
    ssize_t n = 0;
    *ret_bytes = 0;
    hash_init(&hash, &hash_sha256);
    while ((n = read(in, data, COPY_BYTES)) > 0) {
        hash_update(&hash, bytes_of(data, (size_t)n));
        *ret_bytes += (uint64_t)n;
    }
    hash_final(&hash, &digest);
    for (size_t i = 0; i < digest.len; i++)
        (void)snprintf(ret_hash + 2 * i, 3, "%02x", digest.data[i]);
    free(data);
    return n == 0 ? ERR_OK : ERR(IO);
}

static struct err hash_file(const char *path, uint64_t *ret_bytes, char ret_hash[HASH_TEXT + 1])
{
    int in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return ERR(IO);
    struct err err = pass(in, ret_bytes, ret_hash);
    (void)close(in);
    return err;
}

/* ---- making one */

struct making {
    const char *to;
    FILE *manifest;
    uint64_t bytes;
    char *why;
};

static struct err note(struct making *m, const char *name, uint64_t bytes, const char *hash)
{
    m->bytes += bytes;
    return fprintf(m->manifest, "%s %llu %s\n", hash, (unsigned long long)bytes, name) > 0
               ? ERR_OK
               : ERR(IO);
}

static struct err take_database(struct making *m, const struct backup_part *part)
{
    char path[FOLDER_PATH_MAX], hash[HASH_TEXT + 1];
    uint64_t bytes = 0;
    if (!join(m->to, part->name, path))
        return ERR(TOO_LARGE);
    struct err err = store_backup(part->store, path);
    if (err.code == ERR_NONE)
        err = hash_file(path, &bytes, hash);
    if (err.code != ERR_NONE)
        return fault(m->why, err, "%s: %s", part->name, err_text(err));
    return note(m, part->name, bytes, hash);
}

static struct err make_folders(const char *to, char *why)
{
    static const char *const parts[] = {"", "db"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[FOLDER_PATH_MAX];
        if (!join(to, parts[i], path))
            return ERR(TOO_LARGE);
        if (mkdir(path, 0700) != 0)
            return fault(why, errno == EEXIST ? ERR(STORE_EXISTS) : ERR(IO), "%s: %s", path,
                         strerror(errno));
    }
    return ERR_OK;
}

struct err backup_make(const char *to, const char *domain, const struct backup_part *parts,
                       size_t count, uint64_t *ret_bytes, char ret_why[BACKUP_WHY_BYTES])
{
    char path[FOLDER_PATH_MAX], final[FOLDER_PATH_MAX];
    struct making m = {.to = to, .why = ret_why};
    TRY(make_folders(to, ret_why));
    /* the manifest comes last: a folder without one is no backup */
    if (!join(to, "MANIFEST.part", path) || !join(to, "MANIFEST", final))
        return ERR(TOO_LARGE);
    m.manifest = fopen(path, "wxe");
    if (m.manifest == NULL)
        return fault(ret_why, ERR(IO), "%s: %s", path, strerror(errno));
    struct err err = fprintf(m.manifest, "%s\n%s\n", TITLE, domain) > 0 ? ERR_OK : ERR(IO);
    for (size_t i = 0; err.code == ERR_NONE && i < count; i++)
        err = take_database(&m, &parts[i]);
    if (fflush(m.manifest) != 0 || fsync(fileno(m.manifest)) != 0)
        err = err.code == ERR_NONE ? ERR(IO) : err;
    (void)fclose(m.manifest);
    if (err.code == ERR_NONE && (rename(path, final) != 0 || !folder_sync(to)))
        err = ERR(IO);
    if (err.code == ERR_NONE)
        *ret_bytes = m.bytes;
    else if (ret_why[0] == '\0')
        (void)fault(ret_why, err, "%s: %s", to, err_text(err));
    return err;
}

/* ---- reading one */

struct listed {
    char hash[HASH_TEXT + 1];
    unsigned long long bytes;
    char name[NAME_MAX_BYTES_HERE];
};

/* Only names we write: a manifest from elsewhere must not reach out of its folder. */
static bool name_is_ours(const char *name)
{
    const char *slash = strchr(name, '/');
    bool known = strncmp(name, "db/", 3) == 0;
    return known && slash != NULL && slash[1] != '\0' && slash[1] != '.' &&
           strchr(slash + 1, '/') == NULL;
}

static struct err each(const char *from, const char *domain, char *why,
                       struct err (*visit)(void *arg, const struct listed *l), void *arg)
{
    char path[FOLDER_PATH_MAX], title[64], named[512];
    if (!join(from, "MANIFEST", path))
        return ERR(TOO_LARGE);
    FILE *manifest = fopen(path, "re");
    if (manifest == NULL)
        return fault(why, ERR(IO), "%s: %s; an unfinished backup has none", path, strerror(errno));
    struct err err = ERR_OK;
    if (fgets(title, sizeof title, manifest) == NULL || strcmp(title, TITLE "\n") != 0 ||
        fgets(named, sizeof named, manifest) == NULL)
        err = fault(why, ERR(STORE_CORRUPT), "%s: not a backup of this program", path);
    named[strcspn(named, "\n")] = '\0';
    if (err.code == ERR_NONE && domain != NULL && strcmp(domain, named) != 0)
        err = fault(why, ERR(ARGUMENT), "the backup is of %s, not of %s", named, domain);
    char line[512];
    for (unsigned files = 0; err.code == ERR_NONE && fgets(line, sizeof line, manifest) != NULL;
         files++) {
        struct listed l;
        if (files == FILES_MAX ||
            sscanf(line, "%64[0-9a-f] %llu %199s", l.hash, &l.bytes, l.name) != 3 ||
            !name_is_ours(l.name))
            err = fault(why, ERR(STORE_CORRUPT), "%s: a line can't be read", path);
        else
            err = visit(arg, &l);
    }
    (void)fclose(manifest);
    return err;
}

struct place {
    const char *from;
    const struct folder *folder;
    char *why;
};

static struct err verify_one(void *arg, const struct listed *l)
{
    struct place *p = arg;
    char path[FOLDER_PATH_MAX], hash[HASH_TEXT + 1];
    uint64_t bytes = 0;
    if (!join(p->from, l->name, path))
        return ERR(TOO_LARGE);
    struct err err = hash_file(path, &bytes, hash);
    if (err.code != ERR_NONE)
        return fault(p->why, err, "%s: %s", l->name, strerror(errno));
    if (bytes != l->bytes || strcmp(hash, l->hash) != 0)
        return fault(p->why, ERR(STORE_CORRUPT), "%s: not what was backed up", l->name);
    return ERR_OK;
}

struct err backup_verify(const char *from, const char *domain, char ret_why[BACKUP_WHY_BYTES])
{
    struct place p = {.from = from, .why = ret_why};
    return each(from, domain, ret_why, verify_one, &p);
}

/* Asked of all before the first is touched: databases of two times fit each other badly. */
static struct err check_aside(void *arg, const struct listed *l)
{
    struct place *p = arg;
    char target[FOLDER_PATH_MAX], aside[FOLDER_PATH_MAX + 16];
    if (!folder_path(p->folder, l->name, target))
        return ERR(TOO_LARGE);
    (void)snprintf(aside, sizeof aside, "%s-replaced", target);
    return access(aside, F_OK) != 0
               ? ERR_OK
               : fault(p->why, ERR(STORE_EXISTS),
                       "%s-replaced is there from an earlier restore: move it away", l->name);
}

static struct err restore_one(void *arg, const struct listed *l)
{
    struct place *p = arg;
    char source[FOLDER_PATH_MAX], target[FOLDER_PATH_MAX];
    if (!join(p->from, l->name, source) || !folder_path(p->folder, l->name, target))
        return ERR(TOO_LARGE);
    struct err err = store_restore(source, target);
    return err.code == ERR_NONE ? err : fault(p->why, err, "%s: %s", l->name, err_text(err));
}

struct err backup_restore(const char *from, const char *domain, const struct folder *folder,
                          char ret_why[BACKUP_WHY_BYTES])
{
    struct place p = {.from = from, .folder = folder, .why = ret_why};
    TRY(backup_verify(from, domain, ret_why));
    TRY(each(from, domain, ret_why, check_aside, &p));
    return each(from, domain, ret_why, restore_one, &p);
}
