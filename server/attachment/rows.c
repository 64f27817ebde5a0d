#include "server/attachment/rows.h"

enum {
    RESERVE,
    ADD,
    PUT,
    WHOLE,
    FIND,
    IS_OPEN,
    BLOCK,
    DROP_ROW,
    DOOM,
    MARK_DELETED,
    DOOM_OPEN,
    DROP_OPEN,
    EXPIRED,
    NEXT_DOOMED,
    DROP_BLOCKS,
    DROP_DOOMED,
    RELEASE,
    TOTAL,
    OWN_STATEMENTS,
    STATEMENTS = ROWS_PURSE + PURSE_STATEMENT_COUNT
};
_Static_assert(OWN_STATEMENTS == (int)ROWS_PURSE, "PURSE_STATEMENTS come last");

static const struct stmt_row statements[] = {
    [RESERVE] = {"attachment_reserve", "UPDATE total SET bytes = bytes + $1, last = last + 1"
                                       " WHERE bytes <= $2 RETURNING last"},
    [ADD] = {"attachment_add",
             "INSERT INTO attachment (number, id, download, remove, bytes, expires_day, state)"
             " VALUES ($1, $2, $3, $4, $5, $6, 0)"},
    [PUT] = {"attachment_put", "INSERT INTO block (place, sealed) VALUES ($1, $2)"},
    [WHOLE] = {"attachment_whole",
               "UPDATE attachment SET state = 1, content = $1 WHERE number = $2"},
    [FIND] = {"attachment_find", "SELECT number, bytes, download, remove, expires_day, state,"
                                 " content FROM attachment WHERE id = $1"},
    [IS_OPEN] = {"attachment_is_open", "SELECT 1 FROM attachment WHERE number = $1 AND state = 0"},
    [BLOCK] = {"attachment_block", "SELECT sealed FROM block WHERE place = $1"},
    [DROP_ROW] = {"attachment_drop_row", "DELETE FROM attachment WHERE number = $1"},
    [DOOM] = {"attachment_doom", "INSERT INTO doomed (number, bytes) VALUES ($1, $2)"},
    [MARK_DELETED] = {"attachment_mark_deleted",
                      "UPDATE attachment SET state = 2, bytes = 0 WHERE number = $1"},
    [DOOM_OPEN] = {"attachment_doom_open", "INSERT INTO doomed (number, bytes)"
                                           " SELECT number, bytes FROM attachment WHERE state = 0"},
    [DROP_OPEN] = {"attachment_drop_open", "DELETE FROM attachment WHERE state = 0"},
    [EXPIRED] = {"attachment_expired", "SELECT number, bytes, state FROM attachment"
                                       " WHERE expires_day < $1 ORDER BY expires_day LIMIT $2"},
    [NEXT_DOOMED] = {"attachment_next_doomed",
                     "SELECT number, bytes FROM doomed ORDER BY number LIMIT 1"},
    [DROP_BLOCKS] = {"attachment_drop_blocks",
                     "DELETE FROM block WHERE place IN (SELECT place FROM block"
                     " WHERE place BETWEEN $1 AND $2 ORDER BY place LIMIT $3)"},
    [DROP_DOOMED] = {"attachment_drop_doomed", "DELETE FROM doomed WHERE number = $1"},
    [RELEASE] = {"attachment_release", "UPDATE total SET bytes = bytes - $1"},
    [TOTAL] = {"attachment_total", "SELECT bytes FROM total"},
    PURSE_STATEMENTS,
};

static const struct store_migration migrations[] = {
    {1, "CREATE TABLE attachment (number INTEGER PRIMARY KEY, id BLOB NOT NULL,"
        " download BLOB NOT NULL, remove BLOB NOT NULL, bytes INTEGER NOT NULL,"
        " expires_day INTEGER NOT NULL, state INTEGER NOT NULL);"
        "CREATE UNIQUE INDEX attachment_id ON attachment (id);"
        "CREATE INDEX attachment_expiry ON attachment (expires_day);"
        "CREATE TABLE block (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL);"
        "CREATE TABLE doomed (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
        /* numbers are never given twice: blocks of a doomed one may still be there */
        "CREATE TABLE total (one INTEGER PRIMARY KEY, bytes INTEGER NOT NULL,"
        " last INTEGER NOT NULL);"
        "INSERT INTO total (one, bytes, last) VALUES (1, 0, 0);"},
    {2, "ALTER TABLE attachment ADD COLUMN content BLOB;"},
    {3, PURSE_SQL},
};

const struct store_schema attachment_schema = {migrations, sizeof migrations / sizeof *migrations,
                                               statements, STATEMENTS};

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static uint64_t block_key(uint64_t number, uint64_t place)
{
    return number * ROWS_PLACES + place;
}

static struct err run_with(struct store_txn *txn, unsigned statement, uint64_t number)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_u64(s, 1, number);
    return stmt_run(s, NULL);
}

static struct err add_row(struct store_txn *txn, struct rows_put *put)
{
    if (put->bytes_in_all > put->room)
        return ERR(ATTACHMENT_FULL);
    struct stmt *s = stmt_use(txn, RESERVE);
    stmt_bind_u64(s, 1, put->bytes_in_all);
    stmt_bind_u64(s, 2, put->room - put->bytes_in_all);
    struct err err = stmt_first(s, map_u64, &put->number);
    if (err.code == ERR_NOT_FOUND)
        return ERR(ATTACHMENT_FULL);
    TRY(err);
    s = stmt_use(txn, ADD);
    stmt_bind_u64(s, 1, put->number);
    stmt_bind_blob(s, 2, bytes_of(put->id, sizeof put->id));
    stmt_bind_blob(s, 3, bytes_of(put->download, sizeof put->download));
    stmt_bind_blob(s, 4, bytes_of(put->remove, sizeof put->remove));
    stmt_bind_u64(s, 5, put->bytes_in_all);
    stmt_bind_u64(s, 6, put->expires_day);
    return stmt_run(s, NULL);
}

/* Of uploads under one id the newest goes on: whoever repeats has given the one before up, though
 * its connection may not know yet. */
static struct err take_place(struct store_txn *txn, struct rows_put *put)
{
    struct rows_blob blob;
    struct err err = rows_find(txn, put->id, &blob);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (blob.state == ROWS_DELETED && blob.expires_day >= put->today)
        return ERR(NOT_FOUND);
    if (blob.state == ROWS_WHOLE && blob.expires_day >= put->today)
        return ERR(ATTACHMENT_REPLACED);
    put->replaced = true;
    return blob.state == ROWS_DELETED ? run_with(txn, DROP_ROW, blob.number)
                                      : rows_abandon(txn, blob.number, blob.bytes);
}

static struct err still_open(struct store_txn *txn, uint64_t number)
{
    bool found;
    struct stmt *s = stmt_use(txn, IS_OPEN);
    stmt_bind_u64(s, 1, number);
    TRY(stmt_step(s, &found));
    return found ? ERR_OK : ERR(ATTACHMENT_REPLACED);
}

static struct err make_whole(struct store_txn *txn, const struct rows_put *put)
{
    struct stmt *s = stmt_use(txn, WHOLE);
    stmt_bind_blob(s, 1, bytes_of(put->content, sizeof put->content));
    stmt_bind_u64(s, 2, put->number);
    return stmt_run(s, NULL);
}

struct err rows_put(struct store_txn *txn, struct rows_put *put)
{
    if (put->first) {
        TRY(take_place(txn, put));
        TRY(add_row(txn, put));
    } else {
        TRY(still_open(txn, put->number));
    }
    struct stmt *s = stmt_use(txn, PUT);
    stmt_bind_u64(s, 1, block_key(put->number, put->place));
    stmt_bind_blob(s, 2, put->sealed);
    TRY(stmt_run(s, NULL));
    return put->last ? make_whole(txn, put) : ERR_OK;
}

static struct err map_blob(struct stmt *row, void *arg)
{
    struct rows_blob *blob = arg;
    blob->number = stmt_u64(row, 0);
    blob->bytes = stmt_u64(row, 1);
    stmt_fixed(row, 2, blob->download, sizeof blob->download);
    stmt_fixed(row, 3, blob->remove, sizeof blob->remove);
    blob->expires_day = (uint32_t)stmt_u64(row, 4);
    blob->state = (enum rows_state)stmt_u64(row, 5);
    memset(blob->content, 0, sizeof blob->content);
    if (!stmt_is_null(row, 6))
        stmt_fixed(row, 6, blob->content, sizeof blob->content);
    return stmt_row_check(row);
}

struct err rows_find(struct store_txn *txn, const uint8_t id[ROWS_ID_BYTES],
                     struct rows_blob *ret_blob)
{
    struct rows_blob blob;
    struct stmt *s = stmt_use(txn, FIND);
    stmt_bind_blob(s, 1, bytes_of(id, ROWS_ID_BYTES));
    TRY(stmt_first(s, map_blob, &blob));
    *ret_blob = blob;
    return ERR_OK;
}

struct block_reader {
    struct err (*read)(void *arg, struct bytes sealed);
    void *arg;
};

static struct err map_block(struct stmt *row, void *arg)
{
    struct block_reader *reader = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    return reader->read(reader->arg, sealed);
}

struct err rows_block(struct store_txn *txn, uint64_t number, uint64_t place,
                      struct err (*read)(void *arg, struct bytes sealed), void *arg)
{
    struct block_reader reader = {read, arg};
    struct stmt *s = stmt_use(txn, BLOCK);
    stmt_bind_u64(s, 1, block_key(number, place));
    return stmt_first(s, map_block, &reader);
}

static struct err doom(struct store_txn *txn, uint64_t number, uint64_t bytes)
{
    struct stmt *s = stmt_use(txn, DOOM);
    stmt_bind_u64(s, 1, number);
    stmt_bind_u64(s, 2, bytes);
    return stmt_run(s, NULL);
}

struct err rows_abandon(struct store_txn *txn, uint64_t number, uint64_t bytes)
{
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, DROP_ROW);
    stmt_bind_u64(s, 1, number);
    TRY(stmt_run(s, &changes));
    return changes == 0 ? ERR_OK : doom(txn, number, bytes);
}

struct err rows_delete(struct store_txn *txn, const struct rows_blob *blob)
{
    TRY(run_with(txn, MARK_DELETED, blob->number));
    return doom(txn, blob->number, blob->bytes);
}

struct err rows_abandon_open(struct store_txn *txn)
{
    TRY(stmt_run(stmt_use(txn, DOOM_OPEN), NULL));
    return stmt_run(stmt_use(txn, DROP_OPEN), NULL);
}

struct expired {
    struct {
        uint64_t number, bytes;
        bool deleted;
    } rows[ROWS_EXPIRE_MOST];
    size_t count;
};

static struct err map_expired(struct stmt *row, void *arg)
{
    struct expired *e = arg;
    e->rows[e->count].number = stmt_u64(row, 0);
    e->rows[e->count].bytes = stmt_u64(row, 1);
    e->rows[e->count].deleted = stmt_u64(row, 2) == ROWS_DELETED;
    e->count++;
    return stmt_row_check(row);
}

struct err rows_expire(struct store_txn *txn, uint32_t today, bool *ret_more)
{
    struct expired e = {.count = 0};
    struct stmt *s = stmt_use(txn, EXPIRED);
    stmt_bind_u64(s, 1, today);
    stmt_bind_u64(s, 2, ROWS_EXPIRE_MOST);
    TRY(stmt_each(s, map_expired, &e));
    for (size_t i = 0; i < e.count; i++) {
        TRY(run_with(txn, DROP_ROW, e.rows[i].number));
        if (!e.rows[i].deleted)
            TRY(doom(txn, e.rows[i].number, e.rows[i].bytes));
    }
    *ret_more = e.count == ROWS_EXPIRE_MOST;
    return ERR_OK;
}

static struct err map_two(struct stmt *row, void *arg)
{
    uint64_t *two = arg;
    two[0] = stmt_u64(row, 0);
    two[1] = stmt_u64(row, 1);
    return stmt_row_check(row);
}

struct err rows_sweep(struct store_txn *txn, bool *ret_more)
{
    uint64_t doomed[2], dropped;
    *ret_more = false;
    struct err err = stmt_first(stmt_use(txn, NEXT_DOOMED), map_two, doomed);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    struct stmt *s = stmt_use(txn, DROP_BLOCKS);
    stmt_bind_u64(s, 1, block_key(doomed[0], 0));
    stmt_bind_u64(s, 2, block_key(doomed[0], ROWS_PLACES - 1));
    stmt_bind_u64(s, 3, ROWS_SWEEP_BLOCKS);
    TRY(stmt_run(s, &dropped));
    if (dropped < ROWS_SWEEP_BLOCKS) {
        TRY(run_with(txn, DROP_DOOMED, doomed[0]));
        TRY(run_with(txn, RELEASE, doomed[1]));
    }
    *ret_more = true;
    return ERR_OK;
}

struct err rows_total(struct store_txn *txn, uint64_t *ret_bytes)
{
    return stmt_first(stmt_use(txn, TOTAL), map_u64, ret_bytes);
}
