/* Opening, closing, steps. */
#include "client/db/db.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/db/inside.h"

struct err db_open(const struct db_options *options, struct db **ret_db)
{
    bool key = options->key.len == AT_REST_KEY_BYTES;
    if (options->path == NULL || options->key.len != (key ? AT_REST_KEY_BYTES : 0U) ||
        key == (options->passphrase.len != 0))
        return ERR(ARGUMENT);
    /* Opening would make it. (A test's files are not where access() looks.) */
    if (!options->create && options->files == NULL && access(options->path, F_OK) != 0)
        return ERR(NOT_FOUND);
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return ERR(NO_MEMORY);
    db->rng = options->rng;
    struct store_options store = {
        .path = options->path,
        .files = options->files,
        .schema = &db_schema,
        .clock = options->clock,
        .mode = STORE_INLINE,
        .cache_kib = 2048,
    };
    struct err err = store_open(&store, NULL, &db->store);
    if (err_is_ok(err))
        err = header_begin(db, options);
    if (!err_is_ok(err)) {
        db_close(db);
        return err;
    }
    *ret_db = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    if (db->store != NULL)
        store_close(db->store);
    bytes_wipe(db, sizeof *db);
    free(db);
}

struct step {
    struct db *db;
    struct err (*run)(struct db_txn *txn, void *arg);
    void *arg;
};

static struct err step_run(struct store_txn *store, void *arg)
{
    struct step *step = arg;
    struct db_txn txn = {.db = step->db, .store = store};
    return step->run(&txn, step->arg);
}

struct err db_step(struct db *db, struct err (*run)(struct db_txn *txn, void *arg), void *arg)
{
    struct step step = {.db = db, .run = run, .arg = arg};
    return store_call(db->store, step_run, &step);
}

struct err db_erase(struct db_txn *t)
{
    for (unsigned sql = SQL_ERASE_RECORDS; sql <= SQL_ERASE_LAST; sql++)
        TRY(stmt_run(stmt_use(t->store, sql), NULL));
    return ERR_OK;
}

uint64_t db_commits(const struct db *db)
{
    return store_stats(db->store).groups;
}
