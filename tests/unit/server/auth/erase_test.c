/* What lies on the disk: nothing that names anybody (ME3, P4), and after DeleteUser nothing of the
 * user at all. */
#include <sqlite3.h>
#include <stdio.h>

#include "server/auth/inside.h"
#include "support/auth/person.h"

static struct auth_world w;
static struct person p;
static struct owner o;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "erase");
    auth_world_start(&w, false);
    person_init(&p, &w);
    owner_init(&o, &w, 0xb7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    owner_clear(&o);
    auth_world_end(&w);
    return 0;
}

static const char profile_text[] = "profile-canary-0123456789";
static const char offer_text[] = "offer-canary-0123456789";
static const char report_text[] = "report-canary-0123456789";

static void use_everything(uint8_t code[16])
{
    struct buf b = BUF_INIT;
    struct auth_stream s;
    const uint8_t id[16] = {1};
    struct device *d = &p.devices[0], *second = person_add_device(&p);
    assert_ok(auth_invite(w.auth, 2, 0, &b));
    memcpy(code, b.data + 16, 16); /* stays unspent */
    assert_int_equal(person_register_with(&p, b.data, id, NULL, NULL), HEARTH_OK);
    buf_clear(&b);
    assert_int_equal(person_add_client(&p, d, second, NULL), HEARTH_OK);
    assert_int_equal(person_stage_profile(&p, d, 0xc1, bytes_str(profile_text)), HEARTH_OK);
    assert_int_equal(person_commit_profile(&p, d), HEARTH_OK);
    assert_int_equal(person_stage_profile(&p, d, 0xc2, bytes_str(profile_text)), HEARTH_OK);
    assert_int_equal(owner_create(&o, id, false), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    owner_fetch(&o, &s);
    stream_offer(&s, bytes_str(offer_text));
    assert_int_equal(s.code, HEARTH_OK);
    auth_stream_close(&s);
    Hearth__V1__ReportAbuseRequest in = HEARTH__V1__REPORT_ABUSE_REQUEST__INIT;
    Hearth__V1__Idempotency iid = HEARTH__V1__IDEMPOTENCY__INIT;
    iid.id = auth_data(bytes_of(id, 16));
    in.idempotency = &iid;
    in.report = auth_data(bytes_str(report_text));
    assert_int_equal(auth_world_call(&w, &d->caller, "ReportAbuse", &in.base, NULL), HEARTH_OK);
}

static void assert_absent(struct bytes canary, const char *what)
{
    if (vfs_contains(w.vfs, canary))
        fail_msg("%s is in the files", what);
}

/* Everything that names or is said by somebody. */
static void assert_no_canary(const uint8_t code[16])
{
    uint8_t index[32];
    assert_absent(bytes_of(p.uuid, 16), "UserId");
    for (size_t i = 0; i < p.device_count; i++) {
        assert_absent(bytes_of(p.devices[i].uuid, 16), "ClientId");
        assert_absent(caller_public_key(&p.devices[i].caller), "client key");
    }
    assert_absent(bytes_str(AUTH_WORLD_DOMAIN), "domain");
    assert_absent(bytes_of(o.hash, 32), "handle hash");
    assert_absent(caller_public_key(&o.caller), "handle key");
    assert_absent(bytes_str(profile_text), "profile");
    assert_absent(bytes_str(offer_text), "offer");
    assert_absent(bytes_str(report_text), "report");
    assert_absent(bytes_of(code, 16), "invitation");
    memset(index, 0xc1, sizeof index);
    assert_absent(bytes_of(index, 16), "profile index");
}

static void ME3_the_files_name_nobody(void **state)
{
    (void)state;
    uint8_t code[16];
    use_everything(code);
    assert_no_canary(code);
    store_truncate_log(auth_store(w.auth));
    auth_world_settle(&w);
    assert_no_canary(code);
    /* the control of it: a table name is found, so the scan sees the files as they are */
    assert_true(vfs_contains(w.vfs, bytes_str("client_user")));
}

/* ---- P4: the tables can't be joined */

enum { VALUES_MOST = 4096 };
struct values {
    struct {
        char table[32];
        struct buf value;
    } at[VALUES_MOST];
    size_t count;
};

/* Who may share values with whom: a user's own rows. */
static const char *group_of(const char *table)
{
    if (strcmp(table, "client") == 0 || strcmp(table, "profile") == 0 ||
        strcmp(table, "suspended") == 0)
        return "user";
    if (strcmp(table, "package") == 0 || strcmp(table, "offer") == 0)
        return "handle";
    return table;
}

static void check_blob(struct values *values, const char *table, struct bytes value)
{
    assert_true(values->count < VALUES_MOST);
    for (size_t i = 0; i < values->count; i++)
        if (bytes_equal(buf_view(&values->at[i].value), value) &&
            strcmp(group_of(values->at[i].table), group_of(table)) != 0)
            fail_msg("%s and %s share a value", values->at[i].table, table);
    (void)snprintf(values->at[values->count].table, 32, "%s", table);
    buf_append_bytes(&values->at[values->count++].value, value);
}

static void check_table(sqlite3 *db, struct values *values, const char *table)
{
    char sql[100];
    sqlite3_stmt *stmt;
    (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            if (sqlite3_column_type(stmt, i) == SQLITE_INTEGER) {
                /* numbers, months, days, hours: seconds since 1970 are over a thousand million */
                assert_true(sqlite3_column_int64(stmt, i) < 10000000);
                continue;
            }
            const void *data = sqlite3_column_blob(stmt, i);
            check_blob(values, table, bytes_of(data, (size_t)sqlite3_column_bytes(stmt, i)));
        }
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

static void P4_tables_share_no_value(void **state)
{
    (void)state;
    static struct values values;
    uint8_t code[16];
    sqlite3 *db;
    sqlite3_stmt *tables;
    size_t count = 0;
    use_everything(code);
    assert_int_equal(sqlite3_open_v2("auth.db", &db, SQLITE_OPEN_READWRITE, "erase"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table'",
                                        -1, &tables, NULL),
                     SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s", (const char *)sqlite3_column_text(tables, 0));
        if (strncmp(name, "sqlite_", 7) != 0) {
            check_table(db, &values, name);
            count++;
        }
    }
    assert_true(count >= 12 && values.count > 20);
    assert_int_equal(sqlite3_finalize(tables), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    for (size_t i = 0; i < values.count; i++)
        buf_clear(&values.at[i].value);
    memset(&values, 0, sizeof values);
}

/* ---- DeleteUser */

/* What the rows of the user look like at rest. */
struct rows {
    uint8_t user[16];
    struct buf blobs; /* 16 bytes each: ids, and pieces of sealed contents */
};

static struct err piece(struct stmt *row, void *arg)
{
    struct rows *rows = arg;
    struct bytes sealed = stmt_blob(row, 0);
    TRY(stmt_row_check(row));
    buf_append(&rows->blobs, sealed.data, 16); /* its salt */
    buf_append(&rows->blobs, sealed.data + sealed.len / 2, 16);
    buf_append(&rows->blobs, sealed.data + sealed.len - 16, 16);
    return buf_check(&rows->blobs);
}

static struct err collect(struct store_txn *txn, void *arg)
{
    struct rows *rows = arg;
    struct user user = {0};
    user_id(w.auth, buf_view(&p.user), rows->user);
    buf_append(&rows->blobs, rows->user, 16);
    struct stmt *s = stmt_use(txn, USER_FIND);
    stmt_bind_blob(s, 1, bytes_of(rows->user, 16));
    TRY(stmt_first(s, piece, rows));
    s = stmt_use(txn, CLIENT_LIST);
    stmt_bind_blob(s, 1, bytes_of(rows->user, 16));
    TRY(stmt_each(s, piece, rows));
    for (size_t i = 0; i < p.device_count; i++) {
        uint8_t id[16];
        auth_id(w.auth, "client", buf_view(&p.devices[i].name), id);
        buf_append(&rows->blobs, id, 16);
    }
    TRY(user_load(txn, w.auth, rows->user, &user));
    buf_append(&rows->blobs, user.profile, 16);
    buf_append(&rows->blobs, user.staged, 16);
    s = stmt_use(txn, PROFILE_FIND);
    stmt_bind_blob(s, 1, bytes_of(user.profile, 16));
    struct err err = stmt_first(s, piece, rows);
    user_clear(&user);
    return err;
}

static void deleting_leaves_nothing_of_the_user(void **state)
{
    (void)state;
    uint8_t code[16], id[16] = {0x44};
    struct rows rows = {0};
    struct auth_counts counts;
    use_everything(code);
    store_truncate_log(auth_store(w.auth));
    auth_world_settle(&w);
    assert_ok(store_call_read(auth_store(w.auth), collect, &rows));
    assert_true(rows.blobs.len >= 16 * 17);
    for (size_t i = 0; i < rows.blobs.len; i += 16) /* the control: they are there now */
        assert_true(vfs_contains(w.vfs, bytes_of(rows.blobs.data + i, 16)));
    assert_int_equal(person_delete(&p, &p.devices[1], id), HEARTH_OK);
    assert_int_equal(person_delete(&p, &p.devices[1], id), HEARTH_OK); /* G4: repeated */
    store_truncate_log(auth_store(w.auth));
    auth_world_settle(&w);
    for (size_t i = 0; i < rows.blobs.len; i += 16)
        assert_absent(bytes_of(rows.blobs.data + i, 16), "something of the user");
    assert_ok(auth_counts(w.auth, &counts));
    assert_int_equal(counts.users, 0);
    assert_int_equal(counts.clients, 0);
    assert_int_equal(counts.revoked, 2);
    assert_int_equal(counts.handles, 1); /* nobody knows whose that is */
    assert_int_equal(person_list(&p, &p.devices[0], NULL), HEARTH_UNAUTHENTICATED);
    struct buf b = BUF_INIT;
    assert_int_equal(world_get_profile(&w, 0xc1, &b), HEARTH_NOT_FOUND);
    buf_clear(&rows.blobs);
}

/* Somebody who knows a deleted user's id does not become that user. */
static void a_deleted_user_id_is_not_given_again(void **state)
{
    (void)state;
    uint8_t id[16] = {0x44}, id2[16] = {0x45};
    assert_int_equal(person_register(&p), HEARTH_OK);
    assert_int_equal(person_delete(&p, &p.devices[0], id), HEARTH_OK);
    assert_int_equal(person_delete(&p, &p.devices[0], id2), HEARTH_UNAUTHENTICATED);
    assert_int_equal(person_register(&p), HEARTH_PERMISSION_DENIED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ME3_the_files_name_nobody),
        TEST(P4_tables_share_no_value),
        TEST(deleting_leaves_nothing_of_the_user),
        TEST(a_deleted_user_id_is_not_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
