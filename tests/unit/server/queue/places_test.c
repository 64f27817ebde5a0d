/* Records answer to their own names only, and a repeated request is one of the same rpc. */
#include "server/queue/record.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, bob;

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_start(&w);
    qclient_create(&w, &alice);
    qclient_create(&w, &bob);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qworld_end(&w);
    qclient_free(&alice);
    qclient_free(&bob);
    return 0;
}

struct raw {
    uint64_t row;
    struct buf record;
};

static struct err map_raw(struct stmt *row, void *arg)
{
    struct raw *raw = arg;
    raw->row = stmt_u64(row, 0);
    buf_append_bytes(&raw->record, stmt_blob(row, 1));
    return stmt_row_check(row);
}

static struct err take_out(struct store_txn *txn, struct bytes id, uint8_t ret_prf[QUEUE_PRF_BYTES],
                           struct raw *raw)
{
    queue_prf(w.queue, "client", id, bytes_of(NULL, 0), ret_prf);
    struct stmt *s = stmt_use(txn, SQL_CLIENT_BY_ID);
    stmt_bind_blob(s, 1, bytes_of(ret_prf, QUEUE_PRF_BYTES));
    TRY(stmt_first(s, map_raw, raw));
    s = stmt_use(txn, SQL_CLIENT_DELETE);
    stmt_bind_u64(s, 1, raw->row);
    return stmt_run(s, NULL);
}

static struct err put_back(struct store_txn *txn, const uint8_t prf[QUEUE_PRF_BYTES],
                           const struct raw *raw)
{
    struct stmt *s = stmt_use(txn, SQL_CLIENT_ADD);
    stmt_bind_u64(s, 1, raw->row);
    stmt_bind_blob(s, 2, bytes_of(prf, QUEUE_PRF_BYTES));
    stmt_bind_blob(s, 3, buf_view(&raw->record));
    return stmt_run(s, NULL);
}

/* Whoever can write to the file lets each name stand beside the other's record. */
static struct err swap_names(struct store_txn *txn, void *arg)
{
    uint8_t of_alice[QUEUE_PRF_BYTES], of_bob[QUEUE_PRF_BYTES];
    struct raw *raw = arg;
    TRY(take_out(txn, alice.client.id, of_alice, &raw[0]));
    TRY(take_out(txn, bob.client.id, of_bob, &raw[1]));
    TRY(put_back(txn, of_bob, &raw[0]));
    return put_back(txn, of_alice, &raw[1]);
}

static struct err find_alice(struct store_txn *txn, void *arg)
{
    struct queue_client client;
    struct err err = queue_client_by_id(txn, w.queue, alice.client.id, &client);
    *(enum err_code *)arg = err.code;
    if (err_is_ok(err))
        queue_client_clear(&client);
    return ERR_OK;
}

static void swapped_records_are_refused(void **state)
{
    (void)state;
    struct raw raw[2] = {{0}};
    enum err_code code;
    assert_ok(store_call_read(queue_store(w.queue), find_alice, &code));
    assert_int_equal(code, ERR_NONE);
    assert_ok(store_call(queue_store(w.queue), swap_names, raw));
    assert_ok(store_call_read(queue_store(w.queue), find_alice, &code));
    assert_int_equal(code, ERR_STORE_CORRUPT);
    buf_clear(&raw[0].record);
    buf_clear(&raw[1].record);
}

/* The requests of both are the same bytes: an idempotency id. */
static void an_id_is_of_one_rpc(void **state)
{
    (void)state;
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__UpdateQueueUserRequest update = HEARTH__V1__UPDATE_QUEUE_USER_REQUEST__INIT;
    Hearth__V1__DeleteQueueUserRequest deletion = HEARTH__V1__DELETE_QUEUE_USER_REQUEST__INIT;
    update.idempotency = deletion.idempotency = &once;
    assert_int_equal(qworld_call(&w, &alice.user, "UpdateQueueUser", &update.base, NULL),
                     HEARTH_OK);
    assert_int_equal(qworld_call(&w, &alice.user, "DeleteQueueUser", &deletion.base, NULL),
                     HEARTH_OK);
    enum err_code code;
    assert_ok(store_call_read(queue_store(w.queue), find_alice, &code));
    assert_int_equal(code, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(swapped_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_of_one_rpc, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
