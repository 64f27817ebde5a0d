/* A store as a service sees it: transactions, groups, reads, statements, in memory and in files. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { APPEND, COUNT, FIRST, TYPES_PUT, TYPES_GET, DELETE_ALL, BIG };

static const struct stmt_row statements[] = {
    [APPEND] = {"append", "INSERT INTO item (seq, body) VALUES ($1, $2)"},
    [COUNT] = {"count", "SELECT COUNT(*) FROM item"},
    [FIRST] = {"first", "SELECT seq, body FROM item ORDER BY seq"},
    [TYPES_PUT] = {"types put", "INSERT INTO types (i, b, t) VALUES ($1, $2, $3)"},
    [TYPES_GET] = {"types get", "SELECT i, b, t FROM types"},
    [DELETE_ALL] = {"delete all", "DELETE FROM item"},
    [BIG] = {"big", "SELECT a.seq FROM item a, item b, item c"},
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE item (seq BIGINT NOT NULL PRIMARY KEY, body BLOB NOT NULL);"
        "CREATE TABLE types (i BIGINT, b BLOB, t TEXT)"},
};
static const struct store_schema schema = {migrations, 1, statements,
                                           sizeof statements / sizeof *statements};

static struct err append(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, APPEND);
    stmt_bind_u64(s, 1, *(uint64_t *)arg);
    stmt_bind_blob(s, 2, bytes_str("body"));
    return stmt_run(s, NULL);
}

static struct err append_then_fail(struct store_txn *txn, void *arg)
{
    TRY(append(txn, arg));
    return ERR(CANCELLED);
}

static struct err append_and_hide(struct store_txn *txn, void *arg)
{
    struct err err = append(txn, arg);
    (void)err; /* a careless service */
    uint64_t other = *(uint64_t *)arg + 1000;
    err = append(txn, &other);
    (void)err;
    return ERR_OK;
}

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err count(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, COUNT), map_u64, arg);
}

static struct store *open_memory(void)
{
    struct store_options o = {.schema = &schema, .mode = STORE_INLINE};
    struct store *s;
    const char *bad;
    assert_ok(store_open(&o, &bad, &s));
    return s;
}

static uint64_t count_of(struct store *s)
{
    uint64_t n = UINT64_MAX;
    assert_ok(store_call_read(s, count, &n));
    return n;
}

static void transactions_hold_or_leave_nothing(void **state)
{
    (void)state;
    struct store *s = open_memory();
    uint64_t seq = 1;
    assert_ok(store_call(s, append, &seq));
    assert_err(store_call(s, append, &seq), STORE_UNIQUE);
    seq = 2;
    assert_err(store_call(s, append_then_fail, &seq), CANCELLED);
    assert_int_equal(count_of(s), 1);
    seq = 1;
    assert_err(store_call(s, append_and_hide, &seq), STORE_UNIQUE);
    assert_int_equal(count_of(s), 1);
    store_close(s);
}

/* ---- statements */

static struct err write_types(struct store_txn *txn, void *arg)
{
    (void)arg;
    struct stmt *s = stmt_use(txn, TYPES_PUT);
    stmt_bind_i64(s, 1, -5);
    stmt_bind_blob(s, 2, bytes_of(NULL, 0));
    stmt_bind_text(s, 3, "gr\xc3\xbc\xc3\x9f");
    uint64_t changes = 0;
    TRY(stmt_run(s, &changes));
    assert_int_equal(changes, 1);

    s = stmt_use(txn, TYPES_GET);
    bool row;
    assert_ok(stmt_step(s, &row));
    assert_true(row);
    assert_int_equal(stmt_i64(s, 0), -5);
    assert_int_equal(stmt_blob(s, 1).len, 0);
    assert_false(stmt_is_null(s, 1));
    test_assert_bytes(stmt_text(s, 2), bytes_str("gr\xc3\xbc\xc3\x9f"));
    assert_ok(stmt_row_check(s));
    return ERR_OK;
}

/* Each wrong use of a column or parameter sticks and gives zero. */
static struct err wrong_uses(struct store_txn *txn, void *arg)
{
    (void)arg;
    bool row;
    for (int wrong = 0; wrong < 6; wrong++) {
        struct stmt *s = stmt_use(txn, TYPES_GET);
        if (wrong == 5) {
            (void)stmt_u64(s, 0); /* no row yet */
            assert_err(stmt_row_check(s), STORE_TYPE);
            continue;
        }
        assert_ok(stmt_step(s, &row));
        uint8_t fixed[4] = {1, 1, 1, 1};
        if (wrong == 0)
            assert_int_equal(stmt_u64(s, 0), 0); /* negative */
        if (wrong == 1)
            assert_int_equal(stmt_i64(s, 2), 0); /* text */
        if (wrong == 2)
            assert_int_equal(stmt_blob(s, 2).len, 0); /* text, not blob */
        if (wrong == 3) {
            stmt_fixed(s, 1, fixed, sizeof fixed); /* too short */
            assert_int_equal(fixed[0] | fixed[3], 0);
        }
        if (wrong == 4)
            (void)stmt_i64(s, 3); /* no such column */
        assert_err(stmt_row_check(s), STORE_TYPE);
    }
    struct stmt *s = stmt_use(txn, APPEND);
    stmt_bind_u64(s, 1, (uint64_t)INT64_MAX + 1);
    stmt_bind_blob(s, 2, bytes_str("x"));
    assert_err(stmt_run(s, NULL), STORE_RANGE);
    s = stmt_use(txn, APPEND);
    stmt_bind_u64(s, 3, 1); /* no such parameter */
    assert_false(err_is_ok(stmt_run(s, NULL)));
    assert_err(stmt_run(stmt_use(txn, 99), NULL), ARGUMENT);
    return ERR_OK;
}

static struct err bindings_do_not_stay(struct store_txn *txn, void *arg)
{
    (void)arg;
    /* body was bound by an earlier use; unbound it is NULL, which the table refuses */
    struct stmt *s = stmt_use(txn, APPEND);
    stmt_bind_u64(s, 1, 77);
    return stmt_run(s, NULL);
}

static struct err write_in_read(struct store_txn *txn, void *arg)
{
    return append(txn, arg);
}

static void statements_are_typed(void **state)
{
    (void)state;
    struct store *s = open_memory();
    assert_ok(store_call(s, write_types, NULL));
    assert_ok(store_call(s, wrong_uses, NULL));
    uint64_t seq = 1;
    assert_ok(store_call(s, append, &seq));
    assert_err(store_call(s, bindings_do_not_stay, NULL), STORE_CONSTRAINT);
    seq = 2;
    assert_err(store_call_read(s, write_in_read, &seq), WRONG_STATE);
    assert_int_equal(count_of(s), 1);
    store_close(s);
}

static void wrong_statements_are_found_at_open(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *err;
    } wrong[] = {
        {"SELECT nothing FROM nowhere", "STORE_SQL"},
        {"SELECT seq FROM item WHERE seq = ?1", "STORE_SQL"},
        {"SELECT seq FROM item WHERE seq = $2 OR seq = $1", "STORE_SQL"},
        {"SELECT seq FROM item; DELETE FROM item", "STORE_SQL"},
        {"SELECT \"text\" FROM item", "STORE_SQL"},
        {"", "STORE_SQL"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stmt_row rows[] = {statements[APPEND], {"the wrong one", wrong[i].sql}};
        struct store_schema bad_schema = {migrations, 1, rows, 2};
        struct store_options o = {.schema = &bad_schema, .mode = STORE_INLINE};
        struct store *s = NULL;
        const char *bad;
        struct err err = store_open(&o, &bad, &s);
        assert_string_equal(err_name(err), wrong[i].err);
        assert_string_equal(bad, "the wrong one");
        assert_null(s);
    }
}

/* ---- groups */

struct asked {
    uint64_t seq;
    struct err result;
    int done;
    struct store *store;
};

static struct err asked_append(struct store_txn *txn, void *arg)
{
    struct asked *a = arg;
    return a->seq % 3 == 0 ? append_then_fail(txn, &a->seq) : append(txn, &a->seq);
}

static void asked_done(void *arg, struct err result)
{
    struct asked *a = arg;
    a->result = result;
    a->done++;
    if (err_is_ok(result)) /* only after the commit: another connection would see it */
        assert_true(store_stats(a->store).groups > 0);
}

static void one_commit_for_all_who_wait(void **state)
{
    (void)state;
    struct store *s = open_memory();
    static struct asked asked[100];
    memset(asked, 0, sizeof asked);
    uint64_t before = store_stats(s).groups;
    for (uint64_t i = 0; i < 100; i++) {
        asked[i] = (struct asked){.seq = i, .store = s};
        struct store_work work = {.principal = i % 7,
                                  .cost = 1,
                                  .run = asked_append,
                                  .done = asked_done,
                                  .arg = &asked[i]};
        assert_ok(store_submit(s, NULL, &work));
    }
    assert_true(store_turn(s));
    struct store_stats stats = store_stats(s);
    assert_int_equal(stats.groups, before + 1);
    assert_int_equal(stats.transactions, 66);
    assert_int_equal(stats.failed, 34);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(asked[i].done, 1);
        assert_string_equal(err_name(asked[i].result), i % 3 == 0 ? "CANCELLED" : "NONE");
    }
    assert_int_equal(count_of(s), 66);
    store_close(s);
}

static void full_queue_refuses_and_close_tells(void **state)
{
    (void)state;
    struct store_options o = {
        .schema = &schema, .mode = STORE_INLINE, .queue_jobs = 10, .principal_jobs = 4};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    static struct asked asked[10];
    memset(asked, 0, sizeof asked);
    int accepted = 0;
    for (uint64_t i = 0; i < 10; i++) {
        asked[i] = (struct asked){.seq = i + 1, .store = s};
        struct store_work work = {
            .principal = 5, .cost = 1, .run = asked_append, .done = asked_done, .arg = &asked[i]};
        struct err err = store_submit(s, NULL, &work);
        if (i < 4)
            assert_ok(err);
        else
            assert_err(err, STORE_QUEUE_FULL);
        accepted += err_is_ok(err);
        work.principal = 100 + i;
        if (i >= 4) {
            assert_ok(store_submit(s, NULL, &work));
            accepted++;
        }
    }
    assert_int_equal(accepted, 10);
    struct store_work work = {.principal = 6, .cost = 0, .run = asked_append};
    assert_err(store_submit(s, NULL, &work), ARGUMENT);
    work.cost = STORE_COST_MAX + 1;
    assert_err(store_submit(s, NULL, &work), ARGUMENT);
    work.cost = 1;
    assert_err(store_submit(s, NULL, &work), STORE_QUEUE_FULL);
    store_close(s);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(asked[i].done, 1);
        assert_err(asked[i].result, STORE_STOPPED);
    }
}

/* ---- fairness, through the whole store */

struct turn_of {
    unsigned *clock, at;
};

static struct err run_turn_of(struct store_txn *txn, void *arg)
{
    (void)txn;
    struct turn_of *t = arg;
    t->at = (*t->clock)++;
    return ERR_OK;
}

static void a_flood_delays_another_by_one_group_at_most(void **state)
{
    (void)state;
    enum { FLOOD = 2000 };
    struct store *s = open_memory();
    static struct turn_of flood[FLOOD], honest;
    unsigned clock = 0;
    for (unsigned i = 0; i < FLOOD; i++) {
        flood[i] = (struct turn_of){.clock = &clock};
        struct store_work work = {.principal = 1, .cost = 10, .run = run_turn_of, .arg = &flood[i]};
        assert_ok(store_submit(s, NULL, &work));
    }
    honest = (struct turn_of){.clock = &clock};
    struct store_work work = {.principal = 2, .cost = 10, .run = run_turn_of, .arg = &honest};
    assert_ok(store_submit(s, NULL, &work));
    assert_true(store_turn(s));
    assert_int_not_equal(honest.at, 0);
    assert_true(honest.at <= 64 / 10 + 1); /* a quantum of rows */
    store_close(s);
}

/* ---- files */

static void files_are_private_and_locked(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {.path = dir.path, .schema = &schema};
    struct store *s, *second = NULL;
    assert_ok(store_open(&o, NULL, &s));
    uint64_t seq = 1;
    assert_ok(store_call(s, append, &seq));
    static const char *const names[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s", dir.path, names[i]);
        struct stat st;
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    assert_err(store_open(&o, NULL, &second), STORE_IN_USE);
    assert_err(store_restore(dir.path, dir.path), STORE_IN_USE);
    assert_null(second);
    store_close(s);
    assert_ok(store_open(&o, NULL, &s));
    assert_int_equal(count_of(s), 1);
    store_close(s);
    assert_int_equal(chmod(dir.path, 0640), 0);
    assert_err(store_open(&o, NULL, &second), STORE_PERMISSIONS);
    assert_int_equal(unlink(dir.path), 0);
    assert_int_equal(symlink("/etc/passwd", dir.path), 0);
    assert_err(store_open(&o, NULL, &second), STORE_PERMISSIONS);
    store_dir_remove(&dir);
}

static void damage_is_found_at_open(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {.path = dir.path, .schema = &schema};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    for (uint64_t seq = 0; seq < 2000; seq++)
        if (seq % 50 == 0)
            assert_ok(store_call(s, append, &seq));
    store_close(s);
    FILE *f = fopen(dir.path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 2L * 4096, SEEK_SET), 0);
    for (int i = 0; i < 500; i++)
        assert_true(fputc(0xa5, f) != EOF);
    assert_int_equal(fclose(f), 0);
    struct store *damaged = NULL;
    assert_err(store_open(&o, NULL, &damaged), STORE_CORRUPT);
    f = fopen(dir.path, "w");
    assert_non_null(f);
    assert_true(
        fputs("this is no database, and longer than a header of one hundred bytes would be, "
              "so that it can't be taken for an empty file",
              f) != EOF);
    assert_int_equal(fclose(f), 0);
    assert_err(store_open(&o, NULL, &damaged), STORE_CORRUPT);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_hold_or_leave_nothing),
        cmocka_unit_test(statements_are_typed),
        cmocka_unit_test(wrong_statements_are_found_at_open),
        cmocka_unit_test(one_commit_for_all_who_wait),
        cmocka_unit_test(full_queue_refuses_and_close_tells),
        cmocka_unit_test(a_flood_delays_another_by_one_group_at_most),
        cmocka_unit_test(files_are_private_and_locked),
        cmocka_unit_test(damage_is_found_at_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
