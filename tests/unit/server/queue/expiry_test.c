/* F4: what is over goes, numbers stay dense, and one run is a bounded piece of work. */
#include "server/queue/record.h"
#include "server/queue/state.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, bob;
static struct qref to_alice;

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_start(&w);
    qclient_create(&w, &alice);
    qclient_create(&w, &bob);
    qref_make(&to_alice, &alice);
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

/* A whole round; how many runs it took. */
static unsigned expire(void)
{
    unsigned runs = 1;
    while (queue_expire(w.queue)) {
        runs++;
        assert_true(runs < 1000);
    }
    return runs;
}

struct look {
    struct qclient *c;
    struct queue_state state;
};

static struct err run_look(struct store_txn *txn, void *arg)
{
    struct look *l = arg;
    struct queue_client client;
    TRY(queue_client_by_id(txn, w.queue, l->c->client.id, &client));
    return queue_state_get(txn, w.queue, client.row, &l->state);
}

static struct queue_state state_of(struct qclient *c)
{
    struct look l = {.c = c};
    assert_ok(store_call_read(queue_store(w.queue), run_look, &l));
    return l.state;
}

static void old_items_come_empty(void **state)
{
    (void)state;
    uint64_t number = 0;
    while (number < 250) /* two refreshes among them, which stay */
        assert_int_equal(qref_send(&to_alice, ++number, 900), QUEUE_OK);
    qworld_days(&w, 20);
    while (number < 300)
        assert_int_equal(qref_send(&to_alice, ++number, 900), QUEUE_OK);
    (void)expire();
    uint64_t before = state_of(&alice).bytes;
    assert_true(before > UINT64_C(300) * 1024);
    qworld_days(&w, 11); /* the first 250 are 31 days old, the others 11 */
    assert_true(expire() > 3);
    uint64_t rows = qclient_rows(&alice);
    assert_true(state_of(&alice).bytes < 60 * 2048);
    unsigned left = 1, empty = 0, whole = 0;
    while (left != 0) { /* qclient_take checks that the numbers are dense and the ratchet follows */
        uint64_t next = alice.ratchet.sequence;
        assert_int_equal(qclient_dequeue(&alice, next == 0 ? 0 : next - 1, 0, NULL, &left),
                         HEARTH_OK);
    }
    assert_int_equal(alice.ratchet.sequence, rows);
    for (uint64_t i = 0; i < rows; i++) {
        empty += alice.got[i].expired;
        whole += alice.got[i].kind == QUEUE_ITEM_DELIVERY && alice.got[i].number > 250;
    }
    assert_int_equal(empty, 250);
    assert_int_equal(whole, 50);
    assert_int_equal(expire(), 1);
    assert_int_equal(qclient_dequeue(&alice, rows - 1, 0, NULL, NULL), HEARTH_OK);
    assert_int_equal(state_of(&alice).bytes, 0);
}

static void silent_clients_go(void **state)
{
    (void)state;
    struct qlistener l = {0};
    struct qref to_bob;
    qref_make(&to_bob, &bob);
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    qworld_days(&w, 45);
    assert_int_equal(qclient_dequeue(&bob, 0, 0, NULL, NULL), HEARTH_OK);
    (void)expire();
    qworld_days(&w, 46); /* alice was silent for 91 days, bob for 46 */
    (void)expire();
    assert_int_equal(qref_send(&to_alice, 2, 10), QUEUE_GONE);
    assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    Hearth__V1__GetQueueUserRequest get = HEARTH__V1__GET_QUEUE_USER_REQUEST__INIT;
    assert_int_equal(qworld_call(&w, &alice.user, "GetQueueUser", &get.base, NULL),
                     HEARTH_UNAUTHENTICATED); /* the last client took the record along */
    assert_int_equal(qref_send(&to_bob, 1, 10), QUEUE_OK);
    qlisten(&l, &bob, 0); /* to listen is to be there */
    assert_false(l.over);
    qlistener_close(&l);
    qworld_days(&w, 89);
    (void)expire();
    assert_int_equal(qclient_dequeue(&bob, 0, 0, NULL, NULL), HEARTH_OK);
}

static void silent_references_go(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct qref r;
        qref_make(&r, &alice);
        assert_int_equal(qref_send(&r, 1, 10), QUEUE_OK);
    }
    assert_int_equal(state_of(&alice).tags, 100);
    for (int i = 0; i < 4; i++) {
        qworld_days(&w, 40);
        assert_int_equal(qref_send(&to_alice, (uint64_t)i + 1, 10), QUEUE_OK);
        assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_OK);
        for (int k = 0; k < 5; k++)
            (void)expire();
    }
    assert_int_equal(state_of(&alice).tags, 1);
    assert_int_equal(qref_send(&to_alice, 4, 10), QUEUE_OK);
    to_alice.sequence = 0;
    assert_int_equal(qref_send(&to_alice, 4, 10), QUEUE_OK); /* its cursor is there still */
    assert_int_equal(state_of(&alice).tags, 1);
}

/* S3: a wall clock that jumps makes nothing expire. */
static void s3_a_clock_that_jumps(void **state)
{
    (void)state;
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    w.fake.unix_base_ms += (uint64_t)400 * 86400 * 1000;
    for (int i = 0; i < 3; i++)
        (void)expire();
    assert_int_equal(qref_send(&to_alice, 2, 10), QUEUE_OK);
    unsigned items = 0;
    assert_int_equal(qclient_dequeue(&alice, 0, 0, &items, NULL), HEARTH_OK);
    assert_int_equal(items, 4); /* a refresh is due after 24 h by any clock */
    for (uint64_t i = 0; i < items; i++)
        assert_false(alice.got[i].expired);
}

/* One run never touches more than its share. */
static void a_round_is_cut_into_runs(void **state)
{
    (void)state;
    struct qclient *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < 50; i++) {
        qclient_create(&w, c);
        qclient_free(c);
    }
    free(c);
    assert_in_range(expire(), 52 / 16 + 1, 52 / 16 + 2);
    qworld_days(&w, 100);
    assert_true(expire() > 52 / 16);
    assert_int_equal(expire(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_items_come_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_clients_go, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_references_go, setup, teardown),
        cmocka_unit_test_setup_teardown(s3_a_clock_that_jumps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_round_is_cut_into_runs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
