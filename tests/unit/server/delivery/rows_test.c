/* Rows that were there before: of a group that was deleted and made again, and of the schema
 * before. */
#include "server/delivery/delivery_inside.h"
#include "support/delivery/delivery_world.h"
#include "support/vfs_fault.h"

static struct dworld w;
static struct vfs_fault *vfs;
static struct member *a, *b, *c;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    vfs = vfs_fault_new("rows");
    w.options.store.path = "delivery.db";
    w.options.store.files = "rows";
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    vfs_fault_free(vfs);
    return 0;
}

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

static void delete_group_of_two(void)
{
    uint32_t other = dw_leaf(b);
    Hearth__V1__DeleteGroupRequest in;
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(a, &(struct dcommit){.removes = &other, .remove_count = 1});
    hearth__v1__delete_group_request__init(&in);
    in.idempotency = commit->idempotency;
    in.group = commit->group;
    in.commit = commit->commit;
    struct dsigner signer = dw_signer(a);
    expect(dw_call(&w, "DeleteGroup", &signer, &in.base));
    dw_receive_all(&w);
    assert_false(group_is_active(b->group));
}

/* A reservation is good for ten minutes, so its group can be deleted and founded again. What the
 * first left behind (trees for joiners, by group and epoch, under its own key) must not stand in
 * the way of the second. */
static void a_group_made_again_has_trees_of_its_own(void **state)
{
    (void)state;
    uint8_t old_key[STATE_KEY_BYTES];
    dw_found(&w, a);
    memcpy(old_key, a->state_key, sizeof old_key);
    dw_add(&w, a, &b, 1);
    delete_group_of_two();
    assert_int_equal(dw_stats(&w).groups, 0);
    assert_int_equal(dw_stats(&w).past_trees, 1);
    w.same_id = true;
    dw_renew(a);
    dw_found(&w, a);
    assert_memory_not_equal(a->state_key, old_key, sizeof old_key);
    assert_int_equal(dw_stats(&w).groups, 1);
    /* the same epoch as b came in: c fetches its own tree, and they can talk */
    dw_add(&w, a, &c, 1);
    expect(dw_say(a, "again"));
    dw_receive(c);
    test_assert_bytes(buf_view(&c->text), bytes_str("again"));
    /* the old key opens nothing of it, and b is a stranger */
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(&w, old_key);
    assert_int_equal(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base), HEARTH_NOT_FOUND);
    Hearth__V1__GetWelcomeInfoRequest welcome;
    hearth__v1__get_welcome_info_request__init(&welcome);
    welcome.group = dw_access(&w, old_key);
    welcome.epoch = 1;
    struct dsigner joiner = {
        .kind = REQUEST_JOINER, .id = digest_view(&b->package_ref), .key = &b->key, .w = &w};
    assert_int_equal(dw_call(&w, "GetWelcomeInfo", &joiner, &welcome.base), HEARTH_UNAUTHENTICATED);
}

/* While it is there nobody founds it a second time. */
static void a_group_is_founded_once(void **state)
{
    (void)state;
    dw_found(&w, a);
    w.same_id = true;
    struct extensions extensions = dw_context(&w, &b, 1);
    Hearth__V1__CreateGroupRequest *in = dw_found_request(&w, b, &extensions);
    struct dsigner signer = dw_signer(b);
    assert_int_equal(dw_call(&w, "CreateGroup", &signer, &in->base), HEARTH_ALREADY_EXISTS);
}

/* ---- what version 1 of the schema wrote */

enum { NO_LOCKS, NO_LAST_GROUP, OLD_STATEMENTS };
static const struct stmt_row as_before[OLD_STATEMENTS] = {
    [NO_LOCKS] = {"no_locks", "UPDATE past_joins SET lock = NULL"},
    [NO_LAST_GROUP] = {"no_last_group", "DELETE FROM groups WHERE version = 0"},
};

static struct err write_as_before(struct store_txn *txn, void *arg)
{
    (void)arg;
    TRY(stmt_run(stmt_use(txn, NO_LOCKS), NULL));
    return stmt_run(stmt_use(txn, NO_LAST_GROUP), NULL);
}

/* The rows as they lie there just after the migration. */
static void to_version_1(struct dworld *world)
{
    const char *bad = NULL;
    struct store *store;
    struct store_schema schema = delivery_schema;
    struct store_options options = world->options.store;
    schema.statements = as_before;
    schema.statement_count = OLD_STATEMENTS;
    options.schema = &schema;
    assert_ok(store_open(&options, &bad, &store));
    assert_ok(store_call(store, write_as_before, NULL));
    store_close(store);
}

static void joiners_of_before_find_their_trees(void **state)
{
    (void)state;
    uint8_t key[STATE_KEY_BYTES];
    dw_found(&w, a);
    memcpy(key, a->state_key, sizeof key);
    struct member *joiners[] = {b, c};
    expect(dw_commit(a, &(struct dcommit){.adds = joiners, .add_count = 2}));
    dw_settle(&w);
    w.between = to_version_1;
    dw_restart(&w);
    w.between = NULL;
    dw_pass_s(&w, 8);
    dw_join(b, key, group_epoch(a->group)); /* writes the list anew, b marked */
    dw_join(c, key, group_epoch(a->group));
    dw_agree(&w);
    /* and unknown groups are unknown */
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(&w, key);
    in.group->group_id.data[1] ^= 1;
    assert_int_equal(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base), HEARTH_NOT_FOUND);
    in.group->group_id.data[1] ^= 1;
    expect(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base));
}

enum { OLD_KEEP };
static const struct stmt_row version_1[] = {
    [OLD_KEEP] = {"old_keep",
                  "INSERT INTO past_joins (id, expires_day, sealed) VALUES ($1, $2, $3)"},
};
static const struct stmt_row version_2[] = {
    {"new_find", "SELECT expires_day, sealed FROM past_joins WHERE id = $1 AND lock IS NULL"},
};

static struct err insert_old(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, 0);
    (void)arg;
    stmt_bind_blob(s, 1, bytes_str("0123456789abcdef"));
    stmt_bind_u64(s, 2, 20000);
    stmt_bind_blob(s, 3, bytes_str("sealed"));
    return stmt_run(s, NULL);
}

static struct err map_new(struct stmt *row, void *arg)
{
    unsigned *found = arg;
    assert_int_equal(stmt_u64(row, 0), 20000);
    test_assert_bytes(stmt_blob(row, 1), bytes_str("sealed"));
    (*found)++;
    return stmt_row_check(row);
}

static struct err find_new(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, 0);
    stmt_bind_blob(s, 1, bytes_str("0123456789abcdef"));
    return stmt_first(s, map_new, arg);
}

static void version_1_is_migrated(void **state)
{
    (void)state;
    const char *bad = NULL;
    unsigned found = 0;
    struct store *store;
    struct store_schema schema = {delivery_schema.migrations, 1, version_1, 1};
    struct store_options options = {.path = "old.db",
                                    .files = "rows",
                                    .mode = STORE_INLINE,
                                    .clock = &w.clock,
                                    .schema = &schema};
    assert_ok(store_open(&options, &bad, &store));
    assert_ok(store_call(store, insert_old, NULL));
    store_close(store);
    schema = (struct store_schema){delivery_schema.migrations, delivery_schema.migration_count,
                                   version_2, 1};
    assert_ok(store_open(&options, &bad, &store));
    assert_ok(store_call_read(store, find_new, &found));
    assert_int_equal(found, 1);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_made_again_has_trees_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_is_founded_once, setup, teardown),
        cmocka_unit_test_setup_teardown(joiners_of_before_find_their_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(version_1_is_migrated, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
