#include "kit/store/store_kit.h"

enum {
    NEXT,
    APPEND,
    TAKE,
    ADD_TICKET,
    FIND,
    SHAPE,
    TAKEN,
};

static const struct stmt_row statements[] = {
    [NEXT] = {"next", "UPDATE counter SET last = last + 1 RETURNING last"},
    [APPEND] = {"append", "INSERT INTO item (seq, number, ticket, body) VALUES ($1, $2, $3, $4)"},
    [TAKE] = {"take", "DELETE FROM ticket WHERE id = $1"},
    [ADD_TICKET] = {"add ticket", "INSERT INTO ticket (id) VALUES ($1)"},
    [FIND] = {"find", "SELECT number, ticket FROM item WHERE seq = $1"},
    [SHAPE] = {"shape",
               "SELECT COUNT(*), COALESCE(MAX(seq), 0), (SELECT last FROM counter) FROM item"},
    [TAKEN] = {"taken", "SELECT COUNT(*), COUNT(DISTINCT ticket),"
                        " (SELECT COUNT(*) FROM ticket t WHERE t.id IN"
                        "  (SELECT ticket FROM item))"
                        " FROM item WHERE ticket <> 0"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE counter (one BIGINT NOT NULL PRIMARY KEY, last BIGINT NOT NULL);"
        "INSERT INTO counter (one, last) VALUES (1, 0);"
        "CREATE TABLE ticket (id BIGINT NOT NULL PRIMARY KEY);"
        "CREATE TABLE item (seq BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL,"
        " ticket BIGINT NOT NULL, body BLOB NOT NULL)"},
};
const struct store_schema kit_schema = {migrations, 1, statements,
                                        sizeof statements / sizeof *statements};

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

struct err kit_run(struct store_txn *txn, void *arg)
{
    struct kit_job *job = arg;
    uint8_t body[700]; /* several items make a page: rows share sectors */
    memset(body, (int)(job->number & 0xff), sizeof body);
    struct stmt *s = stmt_use(txn, NEXT);
    TRY(stmt_first(s, map_u64, &job->item));
    s = stmt_use(txn, APPEND);
    stmt_bind_u64(s, 1, job->item);
    stmt_bind_u64(s, 2, job->number);
    stmt_bind_u64(s, 3, job->ticket);
    stmt_bind_blob(s, 4, bytes_of(body, sizeof body));
    TRY(stmt_run(s, NULL));
    if (job->ticket != 0) {
        uint64_t taken = 0;
        s = stmt_use(txn, TAKE);
        stmt_bind_u64(s, 1, job->ticket);
        TRY(stmt_run(s, &taken));
        if (taken == 0)
            return ERR(NOT_FOUND);
    }
    return job->fails ? ERR(CANCELLED) : ERR_OK;
}

void kit_done(void *arg, struct err result)
{
    struct kit_job *job = arg;
    job->result = result;
    job->done++;
}

struct err kit_add_tickets(struct store_txn *txn, void *arg)
{
    for (uint64_t id = 1; id <= *(uint64_t *)arg; id++) {
        struct stmt *s = stmt_use(txn, ADD_TICKET);
        stmt_bind_u64(s, 1, id);
        TRY(stmt_run(s, NULL));
    }
    return ERR_OK;
}

static struct err map_item(struct stmt *row, void *arg)
{
    const struct kit_job *job = arg;
    bool same = stmt_u64(row, 0) == job->number && stmt_u64(row, 1) == job->ticket;
    TRY(stmt_row_check(row));
    return same ? ERR_OK : ERR(NOT_FOUND);
}

struct err kit_find(struct store_txn *txn, void *arg)
{
    struct kit_job *job = arg;
    struct stmt *s = stmt_use(txn, FIND);
    stmt_bind_u64(s, 1, job->item);
    return stmt_first(s, map_item, arg);
}

static struct err map_three(struct stmt *row, void *arg)
{
    uint64_t *three = arg;
    for (int i = 0; i < 3; i++)
        three[i] = stmt_u64(row, i);
    return stmt_row_check(row);
}

struct err kit_check(struct store_txn *txn, void *ret_items)
{
    uint64_t shape[3], taken[3];
    TRY(stmt_first(stmt_use(txn, SHAPE), map_three, shape));
    TRY(stmt_first(stmt_use(txn, TAKEN), map_three, taken));
    bool dense = shape[0] == shape[1] && shape[0] == shape[2];
    bool once = taken[0] == taken[1] && taken[2] == 0;
    *(uint64_t *)ret_items = shape[0];
    return dense && once ? ERR_OK : ERR(INTERNAL);
}
