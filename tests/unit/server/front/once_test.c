/* Repeated requests: the first answer comes back, to the same asker with the
 * same body only, for seven days; and nothing of it can be read or matched in
 * the database. */
#include "seal/at_rest.h"
#include "server/front/once.h"
#include "store/store.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { FIRST = 1 };
static const struct stmt_row statements[] = {
    {"all", "SELECT id, body, answer FROM once"},
    ONCE_STATEMENTS,
};
static const struct store_migration migrations[] = {{1, ONCE_SQL}, {2, ONCE_SQL_2}};
static const struct store_schema schema = {migrations, 2, statements, 1 + ONCE_STATEMENT_COUNT};
static const struct store_schema before = {migrations, 1, statements, 1 + ONCE_STATEMENT_COUNT};

static struct store *store;
static struct rng_seeded seeded;
static struct rng rng;
static uint8_t key[32] = {1, 2, 3};
static const uint8_t ids[2][ONCE_ID_BYTES] = {{0x11}, {0x22}};
static const uint8_t hashes[2][32] = {{0x33}, {0x44}};

static int setup(void **state)
{
    (void)state;
    rng_seeded_init(&seeded, 3);
    rng = rng_of_seeded(&seeded);
    struct store_options options = {.schema = &schema, .mode = STORE_INLINE};
    return err_is_ok(store_open(&options, NULL, &store)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

struct job {
    struct once once;
    struct bytes answer;
    uint64_t now_s;
    struct buf found;
    bool is_found;
    uint64_t deleted;
};

static struct job job_of(const char *scope, int id, int hash)
{
    return (struct job){.once = {FIRST, key, bytes_str(scope), ids[id], hashes[hash]},
                        .answer = bytes_str("the answer"),
                        .now_s = 1000 * 86400};
}

static struct err do_find(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    return once_find(txn, &job->once, &job->found, &job->is_found);
}

static struct err do_keep(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    return once_keep(txn, &job->once, &rng, job->answer, job->now_s);
}

static struct err do_expire(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    return once_expire(txn, FIRST, job->now_s, 2, &job->deleted);
}

static bool is_known(const char *scope, int id, int hash)
{
    struct job job = job_of(scope, id, hash);
    assert_ok(store_call(store, do_find, &job));
    if (job.is_found)
        test_assert_bytes(buf_view(&job.found), job.answer);
    else
        assert_int_equal(job.found.len, 0);
    buf_clear(&job.found);
    return job.is_found;
}

static void g4_a_repeated_request_gets_the_first_answer(void **state)
{
    (void)state;
    struct job job = job_of("alice", 0, 0);
    assert_false(is_known("alice", 0, 0));
    assert_ok(store_call(store, do_keep, &job));
    assert_true(is_known("alice", 0, 0));
    assert_true(is_known("alice", 0, 0));
    assert_false(is_known("bob", 0, 0));
    assert_false(is_known("alice", 1, 0));
    struct job other = job_of("alice", 0, 1);
    assert_err(store_call(store, do_find, &other), ONCE_OTHER_BODY);
    assert_int_equal(other.found.len, 0);
    assert_err(store_call(store, do_keep, &job), STORE_UNIQUE);
    assert_true(is_known("alice", 0, 0));
}

static void scope_and_id_do_not_run_together(void **state)
{
    (void)state;
    /* the same bytes in all, cut elsewhere */
    uint8_t longer[ONCE_ID_BYTES + 1] = {'x', 0x11};
    struct job job = job_of("", 0, 0), moved = job_of("", 0, 0);
    job.once.scope = bytes_of("\x11", 1);
    moved.once.scope = bytes_of("", 0);
    moved.once.id = longer;
    assert_ok(store_call(store, do_keep, &job));
    assert_ok(store_call(store, do_find, &moved));
    assert_false(moved.is_found);
}

static void empty_and_large_answers(void **state)
{
    (void)state;
    uint8_t *large = calloc(1, 1 << 20);
    struct job job = job_of("alice", 0, 0), job2 = job_of("alice", 1, 0);
    job.answer = bytes_of(NULL, 0);
    job2.answer = bytes_of(large, 1 << 20);
    assert_ok(store_call(store, do_keep, &job));
    assert_ok(store_call(store, do_keep, &job2));
    assert_ok(store_call(store, do_find, &job));
    assert_true(job.is_found);
    assert_int_equal(job.found.len, 0);
    assert_ok(store_call(store, do_find, &job2));
    test_assert_bytes(buf_view(&job2.found), job2.answer);
    buf_clear(&job.found);
    buf_clear(&job2.found);
    free(large);
}

static void kept_seven_days(void **state)
{
    (void)state;
    const uint64_t late_s = 1000 * 86400 + 86399; /* the last second of a day */
    for (int i = 0; i < 5; i++) {
        const char scope[] = {(char)('a' + i), 0};
        struct job job = job_of(scope, 0, 0);
        job.now_s = late_s;
        assert_ok(store_call(store, do_keep, &job));
    }
    struct job job = {.now_s = late_s + ONCE_DAYS * 86400};
    assert_ok(store_call(store, do_expire, &job));
    assert_int_equal(job.deleted, 0);
    job.now_s++;
    assert_ok(store_call(store, do_expire, &job));
    assert_int_equal(job.deleted, 2); /* bounded */
    assert_ok(store_call(store, do_expire, &job));
    assert_ok(store_call(store, do_expire, &job));
    assert_int_equal(job.deleted, 1);
    assert_false(is_known("a", 0, 0));
}

static struct err map_secret(struct stmt *row, void *arg)
{
    struct buf *all = arg;
    for (int i = 0; i < 3; i++)
        buf_append_bytes(all, stmt_blob(row, i));
    return stmt_row_check(row);
}

static struct err read_all(struct store_txn *txn, void *arg)
{
    return stmt_each(stmt_use(txn, 0), map_secret, arg);
}

static bool holds(const struct buf *all, const void *what, size_t len)
{
    return memmem(all->data, all->len, what, len) != NULL;
}

/* ME3 */
static void nothing_readable_lies_in_the_row(void **state)
{
    (void)state;
    struct buf all = BUF_INIT;
    struct job job = job_of("canary-scope", 0, 0);
    uint8_t id[ONCE_ID_BYTES], hash[32];
    memset(id, 0xc5, sizeof id);
    memset(hash, 0x5c, sizeof hash);
    job.once.id = id;
    job.once.body_hash = hash;
    assert_ok(store_call(store, do_keep, &job));
    assert_ok(store_call(store, read_all, &all));
    assert_true(all.len > 32 + 10);
    assert_false(holds(&all, "answer", 6));
    assert_false(holds(&all, "scope", 5));
    assert_false(holds(&all, id, 4));
    assert_false(holds(&all, hash, 4));
    /* the service's key alone, without the id, opens nothing */
    struct buf out = BUF_INIT;
    assert_false(err_is_ok(
        at_rest_open(&out, key, bytes_of(NULL, 0), bytes_of(all.data + 32, all.len - 32))));
    buf_clear(&all);
    buf_clear(&out);
}

/* Answers that were kept in the table's first form are found in its second, and expire there. */
static void answers_outlive_the_migration(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options options = {.path = dir.path, .schema = &before, .mode = STORE_INLINE};
    rng_seeded_init(&seeded, 3);
    rng = rng_of_seeded(&seeded);
    assert_ok(store_open(&options, NULL, &store));
    struct job kept = job_of("scope", 0, 0), job = kept, over = kept;
    assert_ok(store_call(store, do_keep, &kept));
    store_close(store);
    options.schema = &schema;
    for (int i = 0; i < 2; i++) { /* the second time nothing is left to do */
        assert_ok(store_open(&options, NULL, &store));
        buf_clear(&job.found);
        assert_ok(store_call_read(store, do_find, &job));
        assert_true(job.is_found);
        test_assert_bytes(buf_view(&job.found), kept.answer);
        if (i == 0)
            store_close(store);
    }
    over.now_s += 30 * 86400;
    assert_ok(store_call(store, do_expire, &over));
    assert_int_equal(over.deleted, 1);
    buf_clear(&job.found);
    store_close(store);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(g4_a_repeated_request_gets_the_first_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(scope_and_id_do_not_run_together, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_and_large_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(kept_seven_days, setup, teardown),
        cmocka_unit_test(answers_outlive_the_migration),
        cmocka_unit_test_setup_teardown(nothing_readable_lies_in_the_row, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
