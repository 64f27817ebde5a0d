/* Tables and statements. Ids and owners are PRF values, values are sealed (value.c). */
#include "client/db/inside.h"

static const struct store_migration migrations[] = {
    {1, "CREATE TABLE header (id INTEGER PRIMARY KEY, value BLOB NOT NULL);"
        "CREATE TABLE record (kind INTEGER NOT NULL, id BLOB NOT NULL, value BLOB NOT NULL,"
        " PRIMARY KEY (kind, id));"
        "CREATE TABLE list (owner BLOB NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL,"
        " PRIMARY KEY (owner, number));"
        /* the newest number of each list, which outlives its row */
        "CREATE TABLE last (owner BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;"},
};

static const struct stmt_row statements[SQL_COUNT] = {
    [SQL_HEADER_GET] = {"header_get", "SELECT value FROM header WHERE id = 1"},
    [SQL_HEADER_PUT] = {"header_put", "INSERT INTO header (id, value) VALUES (1, $1)"
                                      " ON CONFLICT (id) DO UPDATE SET value = excluded.value"},
    [SQL_PUT] = {"put", "INSERT INTO record (kind, id, value) VALUES ($1, $2, $3)"
                        " ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value"},
    [SQL_GET] = {"get", "SELECT value FROM record WHERE kind = $1 AND id = $2"},
    [SQL_DROP] = {"drop", "DELETE FROM record WHERE kind = $1 AND id = $2"},
    [SQL_AFTER] = {"after", "SELECT id, value FROM record WHERE kind = $1 AND id > $2"
                            " ORDER BY id LIMIT 1"},
    [SQL_LIST_ADD] = {"list_add", "INSERT INTO list (owner, number, value) VALUES ($1, $2, $3)"},
    [SQL_LIST_PUT] = {"list_put", "UPDATE list SET value = $1 WHERE owner = $2 AND number = $3"},
    [SQL_LIST_GET] = {"list_get", "SELECT value FROM list WHERE owner = $1 AND number = $2"},
    [SQL_LIST_DROP] = {"list_drop",
                       "DELETE FROM list WHERE owner = $1 AND number >= $2 AND number <= $3"},
    [SQL_LIST_FROM] = {"list_from", "SELECT number, value FROM list WHERE owner = $1"
                                    " AND number >= $2 ORDER BY number LIMIT 1"},
    [SQL_LAST_GET] = {"last_get", "SELECT number FROM last WHERE owner = $1"},
    [SQL_LAST_PUT] = {"last_put", "INSERT INTO last (owner, number) VALUES ($1, $2)"
                                  " ON CONFLICT (owner) DO UPDATE SET number = excluded.number"},
    [SQL_ERASE_RECORDS] = {"erase_records", "DELETE FROM record"},
    [SQL_ERASE_LISTS] = {"erase_lists", "DELETE FROM list"},
    [SQL_ERASE_LAST] = {"erase_last", "DELETE FROM last"},
};

const struct store_schema db_schema = {
    .migrations = migrations,
    .migration_count = sizeof migrations / sizeof *migrations,
    .statements = statements,
    .statement_count = SQL_COUNT,
};
