/* Where to keep attachments: 64 KiB rows of a store, so many to a transaction, against one file per
 * attachment (temporary name, fsync, rename, fsync of the folder). Several uploads side by side,
 * 16 MiB each. Argument: the folder to work in. docs/decisions/0008-attachments.md has the figures.
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "bench/bench.h"
#include "store/store.h"

enum { BLOCK_BYTES = 65536 + 28, BLOCKS = 256, UPLOADS_MOST = 8, READ_BLOCKS = 768 };

enum { PUT, GET, DROP };
static const struct stmt_row statements[] = {
    [PUT] = {"put", "INSERT INTO block (place, sealed) VALUES ($1, $2)"},
    [GET] = {"get", "SELECT sealed FROM block WHERE place = $1"},
    [DROP] = {"drop", "DELETE FROM block WHERE place BETWEEN $1 AND $2"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE block (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL);"},
};
static const struct store_schema schema = {migrations, 1, statements, 3};

static uint8_t block[BLOCK_BYTES];
static const char *folder;

struct upload {
    struct store *store;
    uint64_t number, next;
    uint64_t rows; /* to a transaction */
    pthread_t thread;
};

static void must(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static struct err put(struct store_txn *txn, void *arg)
{
    struct upload *u = arg;
    for (uint64_t i = 0; i < u->rows; i++) {
        struct stmt *s = stmt_use(txn, PUT);
        stmt_bind_u64(s, 1, u->number << 16 | u->next++);
        stmt_bind_blob(s, 2, bytes_of(block, sizeof block));
        TRY(stmt_run(s, NULL));
    }
    return ERR_OK;
}

static void *upload_rows(void *arg)
{
    struct upload *u = arg;
    while (u->next < BLOCKS)
        must(err_is_ok(store_call(u->store, put, u)), "put");
    return NULL;
}

static void *upload_file(void *arg)
{
    struct upload *u = arg;
    char temporary[256], name[256];
    snprintf(temporary, sizeof temporary, "%s/t%d", folder, (int)u->number);
    snprintf(name, sizeof name, "%s/f%d", folder, (int)u->number);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0, temporary);
    for (int i = 0; i < BLOCKS; i++)
        must(write(fd, block, sizeof block) == sizeof block, "write");
    must(fsync(fd) == 0 && close(fd) == 0 && rename(temporary, name) == 0, "fsync");
    int dir = open(folder, O_RDONLY | O_DIRECTORY);
    must(dir >= 0 && fsync(dir) == 0 && close(dir) == 0, "folder");
    return NULL;
}

static void run(const char *what, struct store *store, int uploads, uint64_t rows)
{
    static uint64_t number;
    struct upload all[UPLOADS_MOST] = {0};
    uint64_t from = clock_monotonic_us(&clock_system);
    for (int i = 0; i < uploads; i++) {
        all[i] = (struct upload){.store = store, .number = ++number, .rows = rows};
        must(pthread_create(&all[i].thread, NULL, store != NULL ? upload_rows : upload_file,
                            &all[i]) == 0,
             "thread");
    }
    for (int i = 0; i < uploads; i++)
        pthread_join(all[i].thread, NULL);
    double s = (double)(clock_monotonic_us(&clock_system) - from) / 1e6;
    printf("%-28s %d at once %8.0f MiB/s\n", what, uploads, uploads * 16 / s);
}

static struct err map_len(struct stmt *row, void *arg)
{
    *(size_t *)arg += stmt_blob(row, 0).len;
    return stmt_row_check(row);
}

static struct err get(struct store_txn *txn, void *arg)
{
    size_t len = 0;
    struct stmt *s = stmt_use(txn, GET);
    stmt_bind_u64(s, 1, *(uint64_t *)arg);
    return stmt_first(s, map_len, &len);
}

static struct err drop(struct store_txn *txn, void *arg)
{
    const uint64_t *range = arg;
    struct stmt *s = stmt_use(txn, DROP);
    stmt_bind_u64(s, 1, range[0]);
    stmt_bind_u64(s, 2, range[1]);
    return stmt_run(s, NULL);
}

int main(int argc, char **argv)
{
    char path[256];
    struct store *store;
    must(argc == 2, "argument: a folder");
    folder = argv[1];
    snprintf(path, sizeof path, "%s/blobs.db", folder);
    struct store_options options = {.path = path, .schema = &schema, .no_check = true};
    must(err_is_ok(store_open(&options, NULL, &store)), "open");
    for (int uploads = 1; uploads <= UPLOADS_MOST; uploads *= 8) {
        run("file", NULL, uploads, 0);
        run("rows, 1 to a transaction", store, uploads, 1);
        run("rows, 4 to a transaction", store, uploads, 4);
        run("rows, 16 to a transaction", store, uploads, 16);
    }
    /* uploads 2, 3, 4 */
    uint64_t from = clock_monotonic_us(&clock_system), place;
    for (uint64_t i = 0; i < READ_BLOCKS; i++) {
        place = (2 + i / BLOCKS) << 16 | i % BLOCKS;
        must(err_is_ok(store_call_read(store, get, &place)), "get");
    }
    printf("read, a row at a time %22.0f MiB/s\n",
           48 / ((double)(clock_monotonic_us(&clock_system) - from) / 1e6));
    from = clock_monotonic_us(&clock_system);
    for (uint64_t i = 0; i < READ_BLOCKS; i += 64) {
        uint64_t first = (2 + i / BLOCKS) << 16 | i % BLOCKS, range[2] = {first, first + 63};
        must(err_is_ok(store_call(store, drop, range)), "drop");
    }
    printf("delete, 64 rows at a time %18.0f MiB/s\n",
           48 / ((double)(clock_monotonic_us(&clock_system) - from) / 1e6));
    store_close(store);
    return 0;
}
