/* Rows of auth.db are sealed for their place, and handles, which anybody can make a key for, are
 * not anybody's to take in numbers. */
#include "server/auth/inside.h"
#include "support/auth/person.h"

static struct auth_world w;
static struct owner o;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "places");
    auth_world_start(&w, true);
    owner_init(&o, &w, 0xa1);
    assert_int_equal(owner_create(&o, (const uint8_t[16]){1}, false), HEARTH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_clear(&o);
    auth_world_end(&w);
    return 0;
}

/* What the database holds of the first single-use package; number 0: none. */
struct first {
    struct buf sealed;
    uint64_t number;
};

static struct err map_first(struct stmt *row, void *arg)
{
    struct first *first = arg;
    buf_append_bytes(&first->sealed, stmt_blob(row, 0));
    first->number = stmt_u64(row, 1);
    return stmt_row_check(row);
}

/* Whoever can write to the file puts the first package in the place of the second. */
static struct err copy_package(struct store_txn *txn, void *arg)
{
    struct first *first = arg;
    uint8_t id[AUTH_ID_BYTES];
    handle_id(w.auth, bytes_of(o.hash, 32), id);
    struct stmt *s = stmt_use(txn, PACKAGE_TAKE);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, 0);
    TRY(stmt_first(s, map_first, first));
    s = stmt_use(txn, PACKAGE_DELETE);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, first->number + 1);
    TRY(stmt_run(s, NULL));
    s = stmt_use(txn, PACKAGE_INSERT);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, first->number + 1);
    stmt_bind_blob(s, 3, buf_view(&first->sealed));
    stmt_bind_u64(s, 4, 0);
    stmt_bind_u64(s, 5, UINT32_MAX);
    return stmt_run(s, NULL);
}

/* K1 against who writes to the database: no package twice. */
static void a_package_opens_in_its_place_only(void **state)
{
    (void)state;
    struct first first = {.sealed = BUF_INIT};
    struct auth_stream s;
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    assert_ok(store_call(auth_store(w.auth), copy_package, &first));
    assert_int_not_equal(first.number, 0);
    owner_fetch(&o, &s);
    assert_non_null(fetched(&s));
    auth_stream_close(&s);
    owner_fetch(&o, &s);
    assert_int_equal(s.count, 0);
    assert_true(s.done);
    auth_stream_close(&s);
    buf_clear(&first.sealed);
}

static void handles_of_one_source(void **state)
{
    (void)state;
    uint64_t most = limit_value(front_limits(w.front), LIMIT_CREATE_HANDLE_PREFIX);
    for (uint64_t i = 1; i <= most; i++) { /* one was made before */
        struct owner other;
        owner_init(&other, &w, (uint8_t)i);
        enum hearth_code code = owner_create(&other, (const uint8_t[16]){2}, false);
        assert_int_equal(code, i < most ? HEARTH_OK : HEARTH_RESOURCE_EXHAUSTED);
        owner_clear(&other);
    }
    auth_world_hours(&w, 1);
    struct owner other;
    owner_init(&other, &w, 0xb2);
    assert_int_equal(owner_create(&other, (const uint8_t[16]){3}, false), HEARTH_OK);
    owner_clear(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_package_opens_in_its_place_only, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_of_one_source, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
