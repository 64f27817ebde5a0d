/* Forward-only migrations: all steps that are missing, in one transaction, after a copy. */
#include <stdio.h>
#include <stdlib.h>

#include "store/inside.h"

static struct err read_version(const struct store_driver *driver, struct driver_conn *conn,
                               unsigned *ret_version)
{
    TRY(driver->exec(conn, "CREATE TABLE IF NOT EXISTS store_schema (version BIGINT NOT NULL)"));
    struct driver_stmt *stmt;
    TRY(driver->prepare(conn, "SELECT MAX(version) FROM store_schema", &stmt));
    bool row = false;
    struct err err = driver->step(stmt, &row);
    int64_t version = 0;
    if (err_is_ok(err) && row && driver->column(stmt, 0) == DRIVER_I64)
        version = driver->column_i64(stmt, 0);
    driver->finalize(stmt);
    TRY(err);
    if (version < 0)
        return ERR(STORE_CORRUPT);
    *ret_version = version > UINT32_MAX ? UINT32_MAX : (unsigned)version;
    return ERR_OK;
}

static struct err write_version(const struct store_driver *driver, struct driver_conn *conn,
                                unsigned version)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql, "INSERT INTO store_schema (version) VALUES (%u)", version);
    return driver->exec(conn, sql);
}

/* Copies of earlier attempts are kept: the database may have gone on since. */
static struct err copy_before(const struct store_driver *driver, struct driver_conn *conn,
                              const char *path, unsigned version)
{
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        char *name;
        int len = attempt == 0 ? asprintf(&name, "%s-before-%u", path, version)
                               : asprintf(&name, "%s-before-%u.%u", path, version, attempt);
        if (len < 0)
            return ERR(NO_MEMORY);
        struct err err = driver->backup(conn, name);
        free(name);
        if (err.code != ERR_STORE_EXISTS)
            return err;
    }
    return ERR(STORE_EXISTS);
}

static struct err run_steps(const struct store_driver *driver, struct driver_conn *conn,
                            const struct store_schema *schema, unsigned version)
{
    TRY(driver->begin(conn, true));
    for (unsigned i = version; i < schema->migration_count; i++) {
        TRY(driver->exec(conn, schema->migrations[i].sql));
        if (!driver->in_transaction(conn)) /* a step with COMMIT in it */
            return ERR(STORE_SCHEMA);
        TRY(write_version(driver, conn, i + 1));
    }
    return driver->commit(conn);
}

struct err migrate_run(const struct store_driver *driver, struct driver_conn *conn,
                       const struct store_options *options)
{
    const struct store_schema *schema = options->schema;
    for (unsigned i = 0; i < schema->migration_count; i++)
        if (schema->migrations[i].version != i + 1)
            return ERR(STORE_SCHEMA);
    unsigned version = 0;
    TRY(read_version(driver, conn, &version));
    if (version > schema->migration_count)
        return ERR(STORE_SCHEMA_NEWER);
    if (version == schema->migration_count)
        return ERR_OK;
    if (version != 0 && options->path != NULL && !options->no_backup)
        TRY(copy_before(driver, conn, options->path, schema->migration_count));
    struct err err = run_steps(driver, conn, schema, version);
    if (!err_is_ok(err)) {
        struct err undone = driver->rollback(conn);
        (void)undone;
    }
    return err;
}
