/* An account's file: records, lists, steps, keys, and what an image of it shows. */
#include <stdio.h>

#include "client/db/db.h"
#include "support/failing.h"
#include "support/store_dir.h"
#include "support/test.h"
#include "support/vfs_fault.h"

enum { STEPS_MOST = 200 };

static const uint8_t file_key[32] = {1, 2, 3};
static const uint8_t other_key[32] = {1, 2, 4};
static const char canary[] = "a canary that sings in clear text, 0123456789";

static struct db_options options_of(const char *path, const char *files, bool create)
{
    return (struct db_options){.path = path,
                               .key = bytes_of(file_key, sizeof file_key),
                               .create = create,
                               .clock = &clock_system,
                               .rng = &rng_system,
                               .files = files};
}

static struct db *open_memory(bool create)
{
    struct db *db = NULL;
    struct db_options options = options_of("account.db", "client-db", create);
    assert_ok(db_open(&options, &db));
    return db;
}

/* ---- one operation as a step of its own */

struct op {
    enum { PUT, GET, DROP, APPEND, LIST_PUT, LIST_GET, LIST_DROP, LAST } what;
    enum db_kind kind;
    struct bytes id, value;
    uint64_t number, to;
    struct buf *got;
};

static struct err run_op(struct db_txn *t, void *arg)
{
    struct op *op = arg;
    switch (op->what) {
    case PUT:
        return db_put(t, op->kind, op->id, op->value);
    case GET:
        return db_get(t, op->kind, op->id, op->got);
    case DROP:
        return db_drop(t, op->kind, op->id);
    case APPEND:
        return db_append(t, op->kind, op->id, op->value, &op->number);
    case LIST_PUT:
        return db_list_put(t, op->kind, op->id, op->number, op->value);
    case LIST_GET:
        return db_list_get(t, op->kind, op->id, op->number, op->got);
    case LIST_DROP:
        return db_list_drop(t, op->kind, op->id, op->number, op->to);
    case LAST:
        return db_list_last(t, op->kind, op->id, &op->number);
    default:
        return ERR(INTERNAL);
    }
}

static struct err put(struct db *db, enum db_kind kind, const char *id, const char *value)
{
    struct op op = {.what = PUT, .kind = kind, .id = bytes_str(id), .value = bytes_str(value)};
    return db_step(db, run_op, &op);
}

static void expect(struct db *db, enum db_kind kind, const char *id, const char *value)
{
    struct buf got = BUF_INIT;
    struct op op = {.what = GET, .kind = kind, .id = bytes_str(id), .got = &got};
    if (value == NULL) {
        assert_err(db_step(db, run_op, &op), NOT_FOUND);
    } else {
        assert_ok(db_step(db, run_op, &op));
        test_assert_bytes(buf_view(&got), bytes_str(value));
    }
    buf_clear(&got);
}

static uint64_t append(struct db *db, const char *owner, const char *value)
{
    struct op op = {
        .what = APPEND, .kind = DB_MESSAGE, .id = bytes_str(owner), .value = bytes_str(value)};
    assert_ok(db_step(db, run_op, &op));
    return op.number;
}

static uint64_t last(struct db *db, const char *owner)
{
    struct op op = {.what = LAST, .kind = DB_MESSAGE, .id = bytes_str(owner)};
    assert_ok(db_step(db, run_op, &op));
    return op.number;
}

/* ---- */

static void test_records(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    expect(db, DB_CHAT, "one", NULL);
    assert_ok(put(db, DB_CHAT, "one", "first"));
    assert_ok(put(db, DB_CHAT, "one", "second"));
    assert_ok(put(db, DB_CHAT, "", "nameless"));
    assert_ok(put(db, DB_CONTACT, "one", ""));
    expect(db, DB_CHAT, "one", "second");
    expect(db, DB_CHAT, "", "nameless");
    expect(db, DB_CONTACT, "one", "");
    struct op drop = {.what = DROP, .kind = DB_CHAT, .id = bytes_str("one")};
    assert_ok(db_step(db, run_op, &drop));
    assert_ok(db_step(db, run_op, &drop));
    expect(db, DB_CHAT, "one", NULL);
    db_close(db);
    db = open_memory(false);
    expect(db, DB_CHAT, "one", NULL);
    expect(db, DB_CHAT, "", "nameless");
    expect(db, DB_CONTACT, "one", "");
    db_close(db);
    vfs_fault_free(v);
}

struct walk {
    struct db_txn *t;
    unsigned seen, most;
    bool drop, nest;
    struct buf ids;
};

static struct err walk_one(void *arg, struct bytes id, struct bytes value)
{
    struct walk *w = arg;
    assert_int_equal(value.len, 1);
    assert_int_equal(id.len, 4);
    buf_append_bytes(&w->ids, id);
    w->seen++;
    if (w->drop)
        TRY(db_drop(w->t, DB_TASK, id));
    if (w->nest) {
        struct walk inner = {.t = w->t};
        TRY(db_each(w->t, DB_TASK, walk_one, &inner));
        buf_clear(&inner.ids);
        assert_int_equal(inner.seen, 20);
    }
    return w->seen == w->most ? ERR(CANCELLED) : ERR_OK;
}

static struct err walk_all(struct db_txn *t, void *arg)
{
    struct walk *w = arg;
    w->t = t;
    return db_each(t, DB_TASK, walk_one, w);
}

static void test_each_visits_all_once_and_may_write(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    for (int i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%04d", i);
        assert_ok(put(db, DB_TASK, id, "x"));
    }
    assert_ok(put(db, DB_HANDLE, "other", "of another kind"));
    struct walk w = {.nest = true};
    assert_ok(db_step(db, walk_all, &w));
    assert_int_equal(w.seen, 20);
    for (int i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%04d", i);
        assert_non_null(memmem(w.ids.data, w.ids.len, id, 4));
    }
    buf_clear(&w.ids);
    w = (struct walk){.most = 7};
    assert_ok(db_step(db, walk_all, &w));
    assert_int_equal(w.seen, 7);
    buf_clear(&w.ids);
    w = (struct walk){.drop = true};
    assert_ok(db_step(db, walk_all, &w));
    assert_int_equal(w.seen, 20);
    buf_clear(&w.ids);
    w = (struct walk){0};
    assert_ok(db_step(db, walk_all, &w));
    assert_int_equal(w.seen, 0);
    expect(db, DB_HANDLE, "other", "of another kind");
    db_close(db);
    vfs_fault_free(v);
}

struct span {
    uint64_t from;
    size_t most;
    uint64_t numbers[8];
    size_t count;
};

static struct err span_one(void *arg, uint64_t number, struct bytes value)
{
    struct span *s = arg;
    assert_int_equal(value.data[0], 'a' + number - 1);
    s->numbers[s->count++] = number;
    return ERR_OK;
}

static struct err span_all(struct db_txn *t, void *arg)
{
    struct span *s = arg;
    return db_list_each(t, DB_MESSAGE, bytes_str("chat"), s->from, s->most, span_one, s);
}

static void test_list_numbers_are_dense_and_never_used_again(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    assert_int_equal(last(db, "chat"), 0);
    assert_int_equal(append(db, "chat", "a"), 1);
    assert_int_equal(append(db, "chat", "b"), 2);
    assert_int_equal(append(db, "other", "z"), 1);
    assert_int_equal(append(db, "chat", "c"), 3);
    struct span s = {.from = 2};
    assert_ok(db_step(db, span_all, &s));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.numbers[0], 2);
    assert_int_equal(s.numbers[1], 3);
    s = (struct span){.from = 0, .most = 1};
    assert_ok(db_step(db, span_all, &s));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.numbers[0], 1);

    struct op drop = {.what = LIST_DROP,
                      .kind = DB_MESSAGE,
                      .id = bytes_str("chat"),
                      .number = 2,
                      .to = UINT64_MAX};
    assert_ok(db_step(db, run_op, &drop));
    assert_int_equal(last(db, "chat"), 3);
    db_close(db);
    db = open_memory(false);
    assert_int_equal(append(db, "chat", "d"), 4);
    s = (struct span){.from = 1};
    assert_ok(db_step(db, span_all, &s));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.numbers[1], 4);

    struct buf got = BUF_INIT;
    struct op change = {.what = LIST_PUT,
                        .kind = DB_MESSAGE,
                        .id = bytes_str("chat"),
                        .number = 4,
                        .value = bytes_str("dd"),
                        .got = &got};
    assert_ok(db_step(db, run_op, &change));
    change.what = LIST_GET;
    assert_ok(db_step(db, run_op, &change));
    test_assert_bytes(buf_view(&got), bytes_str("dd"));
    buf_clear(&got);
    change.number = 3;
    assert_err(db_step(db, run_op, &change), NOT_FOUND);
    change.what = LIST_PUT;
    assert_err(db_step(db, run_op, &change), NOT_FOUND);
    db_close(db);
    vfs_fault_free(v);
}

static struct err put_then_fail(struct db_txn *t, void *arg)
{
    (void)arg;
    uint64_t number;
    TRY(db_put(t, DB_CHAT, bytes_str("one"), bytes_str("never")));
    TRY(db_append(t, DB_MESSAGE, bytes_str("chat"), bytes_str("never"), &number));
    return ERR(CREDENTIAL);
}

static void test_failed_step_changes_nothing(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    assert_ok(put(db, DB_CHAT, "one", "before"));
    assert_err(db_step(db, put_then_fail, NULL), CREDENTIAL);
    expect(db, DB_CHAT, "one", "before");
    assert_int_equal(last(db, "chat"), 0);
    assert_int_equal(append(db, "chat", "a"), 1);
    db_close(db);
    vfs_fault_free(v);
}

/* Both or neither of two rows, whenever the power goes. */
static struct err put_pair(struct db_txn *t, void *arg)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", *(unsigned *)arg);
    uint64_t number;
    TRY(db_put(t, DB_CHAT, bytes_str("count"), bytes_str(text)));
    return db_append(t, DB_MESSAGE, bytes_str("chat"), bytes_str("x"), &number);
}

static void test_power_loss_rolls_back_whole_steps(void **state)
{
    (void)state;
    unsigned cut = 0;
    for (long after = 0; after < 60; after++) {
        struct vfs_fault *v = vfs_fault_new("client-db");
        struct db *db = open_memory(true);
        unsigned done = 0, n = 1;
        vfs_power_off_after(v, after);
        for (; n <= STEPS_MOST; n++) {
            if (!err_is_ok(db_step(db, put_pair, &n)))
                break;
            done = n;
        }
        assert_true(n <= STEPS_MOST);
        db_close(db);
        vfs_power_on(v, (uint64_t)after + 1);
        db = open_memory(false);
        uint64_t count = last(db, "chat");
        /* what was said to be done is there; the one under way may be, as a whole */
        assert_true(count == done || count == done + 1);
        cut += count == done;
        char text[16];
        (void)snprintf(text, sizeof text, "%u", (unsigned)count);
        expect(db, DB_CHAT, "count", count == 0 ? NULL : text);
        db_close(db);
        vfs_fault_free(v);
    }
    assert_true(cut > 10);
}

static void test_passphrase(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make_fast(&dir);
    struct db_options options = options_of(dir.path, NULL, false);
    struct db *db = NULL;
    assert_err(db_open(&options, &db), NOT_FOUND);
    options.key = (struct bytes){0};
    options.passphrase = bytes_str("correct horse");
    options.create = true;
    assert_ok(db_open(&options, &db));
    assert_ok(put(db, DB_CHAT, "one", "first"));
    db_close(db);
    db = NULL;
    assert_err(db_open(&options, &db), STORE_EXISTS);
    options.create = false;
    options.passphrase = bytes_str("correct Horse");
    assert_err(db_open(&options, &db), CRYPTO_TAG);
    options.passphrase = (struct bytes){0};
    assert_err(db_open(&options, &db), ARGUMENT);
    options.key = bytes_of(file_key, sizeof file_key);
    assert_err(db_open(&options, &db), CRYPTO_TAG);
    options.passphrase = bytes_str("correct horse");
    assert_err(db_open(&options, &db), ARGUMENT);
    options.key = (struct bytes){0};
    assert_ok(db_open(&options, &db));
    struct db *second = NULL;
    assert_err(db_open(&options, &second), STORE_IN_USE);
    assert_err(db_set_passphrase(db, (struct bytes){0}), ARGUMENT);
    assert_ok(db_set_passphrase(db, bytes_str("battery staple")));
    db_close(db);
    assert_err(db_open(&options, &second), CRYPTO_TAG);
    options.passphrase = bytes_str("battery staple");
    assert_ok(db_open(&options, &db));
    expect(db, DB_CHAT, "one", "first");
    db_close(db);
    assert_null(second);
    store_dir_remove(&dir);
}

static void test_wrong_key(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    db_close(open_memory(true));
    struct db_options options = options_of("account.db", "client-db", false);
    options.key = bytes_of(other_key, sizeof other_key);
    struct db *db = NULL;
    assert_err(db_open(&options, &db), CRYPTO_TAG);
    options.key = bytes_of(file_key, 31);
    assert_err(db_open(&options, &db), ARGUMENT);
    assert_null(db);
    vfs_fault_free(v);
}

/* While it is open, with its log, and after it was closed. */
static void test_image_shows_nothing(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    assert_ok(put(db, DB_CHAT, canary, canary));
    (void)append(db, canary, canary);
    assert_false(vfs_contains(v, bytes_str(canary)));
    assert_false(vfs_contains(v, bytes_of(canary, 12)));
    assert_false(vfs_contains(v, bytes_of(file_key, sizeof file_key)));
    assert_true(vfs_contains(v, bytes_str("CREATE TABLE record"))); /* we do look at it */
    db_close(db);
    assert_false(vfs_contains(v, bytes_of(canary, 12)));
    vfs_fault_free(v);
}

static void test_disk_errors_stop_it(void **state)
{
    (void)state;
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    assert_ok(put(db, DB_CHAT, "one", "first"));
    vfs_fail(v, VFS_WRITE, VFS_ERROR, 0, 1);
    assert_err(put(db, DB_CHAT, "one", "second"), STORE_UNCERTAIN);
    assert_err(put(db, DB_CHAT, "one", "third"), STORE_STOPPED);
    db_close(db);
    db = open_memory(false);
    expect(db, DB_CHAT, "one", "first");
    db_close(db);
    vfs_fault_free(v);
}

static void test_no_memory_changes_nothing(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct vfs_fault *v = vfs_fault_new("client-db");
    struct db *db = open_memory(true);
    assert_ok(put(db, DB_CHAT, "one", "before"));
    unsigned n = 1;
    long failed = 0;
    for (long at = 0;; at++) {
        test_fail_own_allocation(at);
        struct err err = db_step(db, put_pair, &n);
        if (!test_allocation_failed()) {
            assert_ok(err);
            break;
        }
        failed++;
        assert_err(err, NO_MEMORY);
        assert_int_equal(last(db, "chat"), 0);
        expect(db, DB_CHAT, "count", NULL);
    }
    assert_true(failed > 3);
    expect(db, DB_CHAT, "count", "1");
    db_close(db);
    vfs_fault_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_each_visits_all_once_and_may_write),
        cmocka_unit_test(test_list_numbers_are_dense_and_never_used_again),
        cmocka_unit_test(test_failed_step_changes_nothing),
        cmocka_unit_test(test_power_loss_rolls_back_whole_steps),
        cmocka_unit_test(test_passphrase),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_image_shows_nothing),
        cmocka_unit_test(test_disk_errors_stop_it),
        cmocka_unit_test(test_no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
