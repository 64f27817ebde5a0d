/* T1: a token is spent once, whatever comes between; a repeated request spends nothing more. */
#include "server/front/spent.h"
#include "store/store.h"
#include "support/test.h"

enum { FIRST = 1, DAY = 20780 };
static const struct stmt_row statements[] = {
    {"all", "SELECT (SELECT COUNT(*) FROM spent_0) + (SELECT COUNT(*) FROM spent_1)"
            " + (SELECT COUNT(*) FROM spent_2)"},
    SPENT_STATEMENTS,
    {"marks", "SELECT (SELECT COUNT(DISTINCT request) FROM spent_0)"
              " + (SELECT COUNT(DISTINCT request) FROM spent_1)"
              " + (SELECT COUNT(DISTINCT request) FROM spent_2)"},
};
static const struct store_migration migrations[] = {{1, SPENT_SQL}};
static const struct store_schema schema = {migrations, 1, statements, 2 + SPENT_STATEMENT_COUNT};
_Static_assert(sizeof statements / sizeof *statements == 2 + SPENT_STATEMENT_COUNT, "count");

static struct store *store;
static const uint8_t key[PASS_SPENT_KEY_BYTES] = {1, 2, 3};
static const struct spent spent = {FIRST, key};

static int setup(void **state)
{
    (void)state;
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
    struct spending spending;
    uint8_t nonce[PASS_NONCE_BYTES], request[SPENT_REQUEST_BYTES];
    bool repeated, undo;
    uint64_t now_s, count;
    uint32_t most;
};

static void job_init(struct job *job, uint32_t period, uint32_t nonce, uint8_t request)
{
    *job = (struct job){.request = {request}};
    memcpy(job->nonce, &nonce, sizeof nonce);
    job->spending = (struct spending){period, job->nonce, job->request};
}

static struct err do_mark(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    TRY(spent_mark(txn, &spent, &job->spending, &job->repeated));
    return job->undo ? ERR(CANCELLED) : ERR_OK;
}

static struct err do_look(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    return spent_look(txn, &spent, &job->spending, &job->repeated);
}

static struct err do_expire(struct store_txn *txn, void *arg)
{
    struct job *job = arg;
    return spent_expire(txn, &spent, job->now_s, job->most, &job->count);
}

static struct err map_count(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err do_count(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, 0), map_count, arg);
}

static struct err do_marks(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, FIRST + SPENT_STATEMENT_COUNT), map_count, arg);
}

static uint64_t rows(void)
{
    uint64_t count = 0;
    assert_ok(store_call_read(store, do_count, &count));
    return count;
}

/* 'n' new, 'r' repeated, 's' spent, 'k' no such day. */
static char outcome(struct err err, bool repeated)
{
    if (err_is_ok(err))
        return repeated ? 'r' : 'n';
    assert_false(repeated);
    assert_true(err.code == ERR_PASS_SPENT || err.code == ERR_PASS_KEY);
    return err.code == ERR_PASS_SPENT ? 's' : 'k';
}

static char look(uint32_t period, uint32_t nonce, uint8_t request)
{
    struct job job;
    job_init(&job, period, nonce, request);
    struct err err = store_call_read(store, do_look, &job);
    return outcome(err, job.repeated);
}

static char mark(uint32_t period, uint32_t nonce, uint8_t request)
{
    struct job job;
    char before = look(period, nonce, request);
    job_init(&job, period, nonce, request);
    struct err err = store_call(store, do_mark, &job);
    char got = outcome(err, job.repeated);
    assert_int_equal(got, before); /* looking says what marking will */
    return got;
}

static void spent_once(void **state)
{
    (void)state;
    assert_int_equal(mark(DAY, 7, 1), 'n');
    assert_int_equal(mark(DAY, 7, 1), 'r');
    assert_int_equal(mark(DAY, 7, 2), 's');
    assert_int_equal(mark(DAY, 7, 1), 'r');
    assert_int_equal(mark(DAY, 8, 2), 'n');
    assert_int_equal(look(DAY, 9, 1), 'n');
    assert_int_equal(rows(), 2);
    /* the same nonce under another day's key is another token */
    assert_int_equal(mark(DAY + 1, 7, 2), 'n');
    assert_int_equal(mark(DAY - 1, 7, 3), 'n');
    assert_int_equal(mark(DAY, 7, 2), 's');
    assert_int_equal(rows(), 4);
}

/* Spent with its effect, or not at all. */
static void undone_with_the_transaction(void **state)
{
    (void)state;
    struct job job;
    assert_int_equal(mark(DAY - 3, 1, 1), 'n');
    job_init(&job, DAY, 7, 1);
    job.undo = true;
    assert_err(store_call(store, do_mark, &job), CANCELLED);
    assert_int_equal(look(DAY, 7, 2), 'n');
    /* nor was the table emptied for the new day */
    assert_int_equal(mark(DAY - 3, 1, 2), 's');
    assert_int_equal(mark(DAY, 7, 2), 'n');
}

/* A table is taken over by the day three days on; what would belong to its past is refused, for
 * nobody knows any more. */
static void days_in_turn(void **state)
{
    (void)state;
    for (uint32_t day = DAY; day < DAY + 10; day++) {
        assert_int_equal(mark(day, 7, 1), 'n');
        assert_int_equal(mark(day, 7, 2), 's');
        if (day > DAY)
            assert_int_equal(mark(day - 1, 7, 2), 's'); /* yesterday's still count */
        assert_true(rows() <= 3);
    }
    assert_int_equal(mark(DAY, 9, 1), 'k');
    assert_int_equal(mark(DAY + 6, 9, 1), 'k');
    assert_int_equal(mark(DAY + 6, 7, 1), 'k');
}

static uint64_t expire(uint64_t day, uint32_t most)
{
    struct job job = {.now_s = day * PASS_DAY_S + SPENT_SLACK_S + 5, .most = most};
    assert_ok(store_call(store, do_expire, &job));
    return job.count;
}

static void what_is_over_goes_in_pieces(void **state)
{
    (void)state;
    for (uint32_t nonce = 0; nonce < 10; nonce++) {
        assert_int_equal(mark(DAY, nonce, 1), 'n');
        assert_int_equal(mark(DAY + 1, nonce, 1), 'n');
    }
    assert_int_equal(expire(DAY, 100), 0);
    assert_int_equal(expire(DAY + 1, 100), 0);
    assert_int_equal(rows(), 20);
    assert_int_equal(expire(DAY + 2, 4), 4);
    assert_int_equal(expire(DAY + 2, 4), 4);
    assert_int_equal(expire(DAY + 2, 4), 2);
    assert_int_equal(expire(DAY + 2, 4), 0);
    assert_int_equal(rows(), 10);
    for (uint32_t nonce = 0; nonce < 10; nonce++)
        assert_int_equal(mark(DAY + 1, nonce, 2), 's');
    assert_int_equal(expire(DAY + 3, 100), 10);
    assert_int_equal(rows(), 0);
}

/* A call that began before midnight may be spent after it: its row is to be there still. */
static void a_late_call_finds_its_row(void **state)
{
    (void)state;
    struct job job = {.now_s = (DAY + 2) * (uint64_t)PASS_DAY_S, .most = 100};
    assert_int_equal(mark(DAY, 7, 1), 'n');
    assert_ok(store_call(store, do_expire, &job));
    assert_int_equal(mark(DAY, 7, 2), 's');
    assert_int_equal(expire(DAY + 2, 100), 1);
}

/* A clock that leaps ahead takes rows away; when it is set right again, what was spent is not
 * unspent: that day's tokens are over, whole or in part. */
static void a_day_that_is_over_stays_over(void **state)
{
    (void)state;
    for (uint32_t nonce = 0; nonce < 4; nonce++)
        assert_int_equal(mark(DAY, nonce, 1), 'n');
    assert_int_equal(mark(DAY + 1, 7, 1), 'n');
    assert_int_equal(expire(DAY + 2, 2), 2); /* some of them */
    for (uint32_t nonce = 0; nonce < 6; nonce++)
        assert_int_equal(mark(DAY, nonce, 2), 'k');
    assert_int_equal(expire(DAY + 2, 100), 2);
    assert_int_equal(mark(DAY, 1, 2), 'k');
    assert_int_equal(mark(DAY + 1, 7, 2), 's'); /* others are as they were */
    assert_int_equal(mark(DAY + 1, 8, 2), 'n');
    assert_int_equal(expire(DAY + 3, 1), 1);
    assert_int_equal(mark(DAY + 3, 7, 1), 'n'); /* and the next day of that table begins */
    assert_int_equal(mark(DAY + 4, 7, 1), 'n');
    assert_int_equal(rows(), 2);
}

/* Rows hold neither nonces nor hashes of requests in full; another key gives other tags. */
static void keyed(void **state)
{
    (void)state;
    uint8_t other[PASS_SPENT_KEY_BYTES] = {1, 2, 4}, nonce[PASS_NONCE_BYTES] = {7};
    uint8_t a[PASS_SPENT_TAG_BYTES], b[PASS_SPENT_TAG_BYTES];
    pass_spent_tag(key, nonce, a);
    pass_spent_tag(other, nonce, b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, nonce, sizeof a);
    /* what a request paid with is not to be seen in the rows */
    uint64_t marks = 0;
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(mark(DAY, i, 1), 'n');
    assert_ok(store_call_read(store, do_marks, &marks));
    assert_int_equal(marks, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(spent_once),
        TEST(undone_with_the_transaction),
        TEST(days_in_turn),
        TEST(what_is_over_goes_in_pieces),
        TEST(a_late_call_finds_its_row),
        TEST(a_day_that_is_over_stays_over),
        TEST(keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
