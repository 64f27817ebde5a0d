/* ME3 and ME4 on the real hearthd: after people have talked and gone, and some quiet, neither the
 * memory of its processes nor, after kill -9, its files hold a canary: an id or key of theirs.
 *
 * Controls: the same search finds each canary in our own memory, where it is, and in a file into
 * which one was written. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "threats/load.h"
#include "threats/threats.h"

enum { CANARIES = 256, PIECE_BYTES = 1 << 20, QUIET_MS = 5500, TALK_MS = 1500 };

struct canary {
    const char *what;
    uint8_t bytes[32];
    size_t len;
    unsigned seen;
};
static struct canary canaries[CANARIES];
static size_t canary_count;
/* First two bytes of any canary: memory is gone through once. */
static bool begins[65536];

static void canary(const char *what, const void *bytes, size_t len)
{
    assert_true(canary_count < CANARIES && len <= sizeof canaries[0].bytes);
    struct canary *c = &canaries[canary_count++];
    *c = (struct canary){.what = what, .len = len};
    memcpy(c->bytes, bytes, len);
    begins[c->bytes[0] << 8 | c->bytes[1]] = true;
}

static void canaries_of(const struct load *l)
{
    for (size_t i = 0; i < l->group_count * l->size; i++) {
        const struct resident *r = &l->residents[i];
        canary("queue user id", r->user_id, sizeof r->user_id);
        canary("queue client id", r->client_id, sizeof r->client_id);
        canary("contact key", r->contact_key, sizeof r->contact_key);
    }
    for (size_t i = 0; i < l->group_count; i++) {
        const struct membership *m = l->groups[i].founder;
        canary("group id", m->group_id, 16);
        canary("state key", m->keys[0], STATE_KEY_BYTES);
        canary("pseudonym", m->self.pseudonym, sizeof m->self.pseudonym);
        canary("reference tag", m->self.tag, sizeof m->self.tag);
    }
}

/* For whoever looks for the place that left it. */
static void print_around(const uint8_t *at, size_t left, const char *what)
{
    printf("%s: ", what);
    for (size_t i = 0; i < 96 + 32 && i < left; i++)
        printf("%02x%s", at[i - 32], i == 31 ? " | " : i == 31 + 16 ? " | " : "");
    printf("\n");
}

static void search_at(const uint8_t *at, size_t left)
{
    for (size_t i = 0; i < canary_count; i++) {
        struct canary *c = &canaries[i];
        if (c->len <= left && memcmp(at, c->bytes, c->len) == 0) {
            c->seen++;
            if (getenv("THREATS_LOUD") != NULL)
                print_around(at, left, c->what);
        }
    }
}

static void search(const uint8_t *piece, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++)
        if (begins[piece[i] << 8 | piece[i + 1]])
            search_at(piece + i, len - i);
}

static unsigned seen_and_forget(const char *where)
{
    unsigned seen = 0;
    for (size_t i = 0; i < canary_count; i++) {
        if (canaries[i].seen > 0 && where != NULL && seen < 10)
            printf("%s: a %s\n", where, canaries[i].what);
        seen += canaries[i].seen > 0;
        canaries[i].seen = 0;
    }
    return seen;
}

/* ---- memory */

static bool search_range(int memory, unsigned long long from, unsigned long long to)
{
    static uint8_t piece[PIECE_BYTES + 64];
    bool any = false;
    for (unsigned long long at = from; at < to; at += PIECE_BYTES) {
        size_t want = to - at < sizeof piece ? (size_t)(to - at) : sizeof piece;
        ssize_t n = pread(memory, piece, want, (off_t)at);
        if (n <= 0)
            continue;
        any = true;
        search(piece, (size_t)n);
        bytes_wipe(piece, sizeof piece);
    }
    return any;
}

/* False: it can't be read. */
static bool search_memory(long pid)
{
    char path[64], line[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *maps = fopen(path, "re");
    bool any = false;
    while (memory >= 0 && maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char rights[8];
        if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 && rights[0] == 'r' &&
            rights[1] == 'w') {
            if (getenv("THREATS_LOUD") != NULL)
                printf("-- %llx %llu KiB %s", from, (to - from) / 1024, strchr(line, '\n') - 30);
            any |= search_range(memory, from, to);
        }
    }
    if (maps != NULL)
        (void)fclose(maps);
    if (memory >= 0)
        (void)close(memory);
    return any;
}

static long parent_of(long pid)
{
    char path[64], text[512] = "";
    long parent = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    (void)!fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    const char *at = strrchr(text, ')');
    return at != NULL && sscanf(at + 1, " %*c %ld", &parent) == 1 ? parent : 0;
}

static bool search_processes(const struct hearthd *server)
{
    bool any = search_memory(server->pid);
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && parent_of(pid) == server->pid)
            any &= search_memory(pid);
    }
    (void)closedir(dir);
    return any;
}

/* ---- files */

static void search_file(const char *path)
{
    static uint8_t piece[PIECE_BYTES + 64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (off_t at = 0; fd >= 0; at += PIECE_BYTES) {
        ssize_t n = pread(fd, piece, sizeof piece, at);
        if (n <= 0)
            break;
        search(piece, (size_t)n);
    }
    if (fd >= 0)
        (void)close(fd);
}

static void search_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        search_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[512];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (len > 0 && (size_t)len < sizeof name)
            search_folder(name);
    }
    (void)closedir(dir);
}

static void plant(const struct hearthd *server)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/planted", server->folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file, "some text before it");
    assert_int_equal(fwrite(canaries[0].bytes, 1, canaries[0].len, file), canaries[0].len);
    assert_int_equal(fclose(file), 0);
}

/* ---- all of it */

static int judge(const char *id, const char *what, bool good, unsigned seen)
{
    printf("%-5s %-42s %u of %zu canaries%s\n", id, what, seen, canary_count,
           good ? "" : "   FAILED");
    return good ? 0 : 1;
}

int image_run(struct hearthd *server)
{
    static struct load load;
    static struct house house;
    int failed = 0;
    hearthd_start(server);
    house_visit(&house, server->address, server->ca_file);
    load_open(&load, &house, 5, 4);
    load_run(&load, TALK_MS, 40);
    if (!load_settled(&load))
        fail_msg("what was sent has not arrived");
    canaries_of(&load);
    load_hang_up(&load);
    house_run_ms(&house, QUIET_MS);
    if (!search_memory(getpid())) {
        printf("SKIP the memory of processes can't be read here\n");
        return 77;
    }
    unsigned seen = seen_and_forget(NULL);
    failed |= judge("ME4", "control: our own memory", seen == canary_count, seen);
    if (!search_processes(server))
        fail_msg("the memory of hearthd can't be read");
    seen = seen_and_forget("ME4");
    failed |= judge("ME4", "hearthd and its keeper after 5 s of quiet", seen == 0, seen);
    hearthd_kill(server);
    search_folder(server->folder);
    seen = seen_and_forget("ME3");
    failed |= judge("ME3", "files after kill -9", seen == 0, seen);
    plant(server);
    search_folder(server->folder);
    seen = seen_and_forget(NULL);
    failed |= judge("ME3", "control: one written into a file", seen == 1, seen);
    return failed;
}
