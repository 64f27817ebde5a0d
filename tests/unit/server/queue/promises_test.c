/* Q1 to Q6 of the threat model, each by its name, and the faults of others that we don't repeat. */
#include "server/queue/desk.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, bob;
static struct qref to_alice, to_bob;

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue promises");
    qworld_start(&w);
    qclient_create(&w, &alice);
    qclient_create(&w, &bob);
    qref_make(&to_alice, &alice);
    qref_make(&to_bob, &bob);
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

/* What was answered OK is there after kill -9; the control, a store that does not sync, is
 * tests/unit/lib/store's. */
static void q1_ok_means_durable(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
        if (i % 5 == 0)
            qworld_restart(&w, true);
    }
    unsigned items = 0, left = 0;
    assert_int_equal(qclient_dequeue(&alice, 0, 0, &items, &left), HEARTH_OK);
    assert_int_equal(items, 21);
    assert_int_equal(left, 0);
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(alice.got[i].number, i);
}

/* The power goes in the middle of commits: every row that was answered OK is there. */
static void q1_power_loss(void **state)
{
    (void)state;
    uint64_t sent = 0;
    for (long cut = 1; cut < 60; cut += 7) {
        vfs_power_off_after(w.vfs, cut);
        bool off = false;
        while (!off) {
            uint64_t number = sent + 1;
            uint8_t body[64] = {0};
            memcpy(body, &number, 8);
            struct queue_row row = {.sealed_ref = bytes_of(to_alice.sealed, to_alice.len),
                                    .payload = bytes_of(body, sizeof body),
                                    .sequence = number};
            enum queue_outcome outcome = (enum queue_outcome)0;
            struct err err = qworld_accept(&w, QWORLD_DOMAIN, &row, 1, &outcome);
            if (err_is_ok(err) && outcome == QUEUE_OK)
                sent = number;
            off = vfs_is_off(w.vfs);
        }
        hearth_channel_free(w.channel);
        hearth_server_free(w.server);
        queue_close(w.queue);
        while (loop_step(w.loop))
            ;
        inbox_free(w.inbox);
        front_free(w.front);
        hearth_loop_free(w.loop);
        vfs_power_on(w.vfs, (uint64_t)cut);
        qworld_start(&w);
        unsigned left = 1;
        while (left != 0) {
            uint64_t have = alice.ratchet.sequence;
            assert_int_equal(qclient_dequeue(&alice, have == 0 ? 0 : have - 1, 0, NULL, &left),
                             HEARTH_OK);
        }
        uint64_t highest = 0; /* numbers of deliveries come in order, none is missing */
        for (uint64_t i = 0; i < alice.ratchet.sequence; i++)
            if (alice.got[i].kind == QUEUE_ITEM_DELIVERY) {
                assert_int_equal(alice.got[i].number, highest + 1);
                highest++;
            }
        assert_true(highest >= sent); /* more: committed, and not answered */
        sent = highest;
    }
    assert_true(sent > 10);
}

static void q2_numbers_are_dense(void **state)
{
    (void)state;
    unsigned left = 1, items = 0;
    uint64_t sent = 0;
    while (sent < 350) { /* refreshes among them, restarts, acknowledgements */
        for (int i = 0; i < 50; i++) {
            sent++;
            assert_int_equal(qref_send(&to_alice, sent, 10 * (size_t)sent), QUEUE_OK);
        }
        do /* qclient_take checks the numbers */
            assert_int_equal(qclient_dequeue(&alice, alice.ratchet.sequence, 7, &items, &left),
                             HEARTH_OK);
        while (left != 0);
        if (sent % 100 == 0)
            qworld_restart(&w, sent % 200 == 0);
    }
    uint64_t refreshes = 0;
    for (uint64_t i = 0; i < alice.ratchet.sequence; i++)
        refreshes += alice.got[i].kind == QUEUE_ITEM_REFRESH;
    assert_int_equal(refreshes, 1 + 350 / QUEUE_REFRESH_ITEMS);
    assert_int_equal(alice.ratchet.sequence, 350 + refreshes);
    assert_int_equal(qclient_dequeue(&alice, alice.ratchet.sequence - 1, 0, &items, NULL),
                     HEARTH_OK);
    assert_int_equal(qclient_rows(&alice), 0);
    assert_int_equal(qref_send(&to_alice, 351, 10), QUEUE_OK); /* none is used again */
    assert_int_equal(qclient_dequeue(&alice, 0, 0, &items, NULL), HEARTH_OK);
    assert_int_equal(items, 1);
}

static void q3_at_least_once_byte_identical(void **state)
{
    (void)state;
    struct qlistener l = {0};
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(qref_send(&to_alice, i, 3000), QUEUE_OK);
    for (unsigned round = 1; round <= 3; round++) {
        qlisten(&l, &alice, 0);
        assert_int_equal(l.items, 11);
        assert_int_equal(alice.repeats, (round - 1) * 11);
        qlistener_close(&l);
    }
    qworld_restart(&w, true);
    unsigned items = 0;
    assert_int_equal(qclient_dequeue(&alice, 0, 0, &items, NULL), HEARTH_OK);
    assert_int_equal(items, 11);
    assert_int_equal(alice.repeats, 33);
}

static void q4_acknowledges_exactly(void **state)
{
    (void)state;
    unsigned items = 0, left = 0;
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
    /* never beyond what was delivered: nothing was */
    assert_int_equal(qclient_dequeue(&alice, 15, 5, &items, &left), HEARTH_OK);
    assert_int_equal(items, 5);
    assert_int_equal(left, 16);
    assert_int_equal(qclient_rows(&alice), 21);
    /* 0 to 4 were delivered by now: 15 means 4 */
    assert_int_equal(qclient_dequeue(&alice, 15, 1, &items, &left), HEARTH_OK);
    assert_int_equal(items, 1);
    assert_true(alice.got[5].there);
    assert_int_equal(qclient_rows(&alice), 16);
    /* exactly up to n, and again */
    assert_int_equal(qclient_dequeue(&alice, 0, 0, &items, &left), HEARTH_OK);
    assert_int_equal(items, 16);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(qclient_dequeue(&alice, 12, 0, &items, &left), HEARTH_OK);
        assert_int_equal(qclient_rows(&alice), 8);
        assert_int_equal(items, 8);
    }
    /* a lower number undoes nothing */
    assert_int_equal(qclient_dequeue(&alice, 3, 0, &items, &left), HEARTH_OK);
    assert_int_equal(qclient_rows(&alice), 8);
}

static void q4_on_the_stream(void **state)
{
    (void)state;
    struct qlistener l = {0};
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
    qlisten(&l, &alice, 0);
    assert_int_equal(l.items, 11);
    assert_int_equal(l.drained, 1);
    assert_int_equal(l.drained_up_to, 10);
    qlistener_ack(&l, 6);
    qworld_run_ms(&w, DESK_ACK_MS);
    assert_int_equal(qclient_rows(&alice), 4);
    qlistener_ack(&l, 5);
    qlistener_ack(&l, 6);
    qworld_run_ms(&w, DESK_ACK_MS);
    assert_int_equal(qclient_rows(&alice), 4);
    qlistener_ack(&l, UINT64_MAX);
    qworld_run_ms(&w, DESK_ACK_MS);
    assert_int_equal(qclient_rows(&alice), 0);
    /* what comes now was not delivered when that was said */
    qlistener_close(&l);
    assert_int_equal(qref_send(&to_alice, 11, 100), QUEUE_OK);
    assert_int_equal(qclient_rows(&alice), 1);
    qlisten(&l, &alice, 0);
    assert_int_equal(l.items, 1);
    assert_int_equal(l.last, 11);
    qlistener_close(&l);
}

/* Delivered by a stream that broke, acknowledged by another call. */
static void q4_mark_outlives_the_stream(void **state)
{
    (void)state;
    struct qlistener l = {0};
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
    qlisten(&l, &alice, 0);
    assert_int_equal(l.items, 11);
    qlistener_close(&l);
    assert_int_equal(qclient_dequeue(&alice, 10, 0, NULL, NULL), HEARTH_OK);
    assert_int_equal(qclient_rows(&alice), 0);
}

/* Acknowledged, and hung up before the desk had gathered it. */
static void q4_acknowledged_last_thing(void **state)
{
    (void)state;
    struct qlistener l = {0};
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
    qlisten(&l, &alice, 0);
    qlistener_ack(&l, 4);
    qworld_run_ms(&w, DESK_ACK_MS); /* the delivered mark is stored */
    assert_int_equal(qclient_rows(&alice), 6);
    qlistener_ack(&l, 8);
    qworld_settle(&w);
    assert_int_equal(qclient_rows(&alice), 6); /* not yet */
    qlistener_close(&l);
    assert_int_equal(qclient_rows(&alice), 2);
}

/* More than one transaction deletes. */
static void q4_many_rows(void **state)
{
    (void)state;
    struct qlistener l = {0};
    uint64_t sent = 0;
    while (sent < 2 * DESK_BATCH_ITEMS + 100)
        assert_int_equal(qref_send(&to_alice, ++sent, 10), QUEUE_OK);
    qlisten(&l, &alice, 0);
    qworld_run_ms(&w, 100);
    assert_true(l.last >= sent);
    qlistener_ack(&l, l.last);
    qworld_run_ms(&w, 100);
    assert_int_equal(qclient_rows(&alice), 0);
    qlistener_close(&l);
}

/* acknowledgement of another's queue: numbers are the queue's own, and the queue the caller's. */
static void acknowledgement_of_anothers_queue(void **state)
{
    (void)state;
    struct qlistener l = {0};
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(qref_send(&to_alice, i, 100), QUEUE_OK);
        assert_int_equal(qref_send(&to_bob, i, 100), QUEUE_OK);
    }
    qlisten(&l, &alice, 0);
    struct qlistener other = {0};
    qlisten(&other, &bob, 0);
    qlistener_ack(&l, UINT64_MAX);
    qworld_run_ms(&w, 2000);
    assert_int_equal(qclient_dequeue(&alice, UINT64_MAX, 0, NULL, NULL), HEARTH_OK);
    assert_int_equal(qclient_rows(&alice), 0);
    assert_int_equal(qclient_rows(&bob), 6);
    /* with alice's key under bob's name */
    alice.client.faults.id = bob.client.id;
    assert_int_equal(qclient_dequeue(&alice, 5, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    alice.client.faults = (struct caller_faults){0};
    assert_int_equal(qclient_rows(&bob), 6);
    qlistener_close(&l);
    qlistener_close(&other);
}

/* listener missing a wake-up: at most a second, then it looks by itself. */
static void q5_listener_missing_a_wake_up(void **state)
{
    (void)state;
    struct qlistener l = {0};
    qlisten(&l, &alice, 0);
    assert_int_equal(l.drained, 1);
    assert_int_equal(qref_send(&to_alice, 1, 100), QUEUE_OK);
    qworld_run_ms(&w, DESK_TICK_MS);
    assert_int_equal(l.items, 2); /* woken: within a tick */
    w.queue->desks->deaf = true;
    assert_int_equal(qref_send(&to_alice, 2, 100), QUEUE_OK);
    qworld_run_ms(&w, DESK_TICK_MS);
    assert_int_equal(l.items, 2); /* the control: without a wake-up nothing comes at once */
    qworld_run_ms(&w, DESK_RECHECK_MS);
    assert_int_equal(l.items, 3);
    w.queue->desks->deaf = false;
    qlistener_close(&l);
}

/* An item that is committed between a listener's read and its going to sleep. */
static void q5_between_read_and_sleep(void **state)
{
    (void)state;
    uint64_t sent = 0;
    for (unsigned steps = 0; steps < 60; steps++) {
        struct qlistener l = {0};
        struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
        enum queue_outcome outcome = (enum queue_outcome)0;
        w.queue->desks->deaf = steps >= 30; /* then the recheck must find it */
        qlisten_begin(&l, &alice, alice.ratchet.sequence);
        for (unsigned i = 0; i < steps % 30; i++)
            if (!loop_step(w.loop))
                (void)store_turn(queue_store(w.queue));
        assert_ok(qworld_accept(&w, QWORLD_DOMAIN, &row, 1, &outcome));
        assert_int_equal(outcome, QUEUE_OK);
        sent++;
        qworld_run_ms(&w, steps < 30 ? DESK_TICK_MS : DESK_RECHECK_MS + DESK_TICK_MS);
        assert_true(alice.ratchet.sequence > sent);
        qlistener_close(&l);
    }
}

/* A wake-up while a read is under way makes another read follow: the first may have run before what
 * the wake-up is about was committed. */
static void q5_woken_while_reading(void **state)
{
    (void)state;
    struct qlistener l = {0};
    qlisten(&l, &alice, 0);
    struct desk *desk = w.queue->desks->first;
    for (int woken = 0; woken < 2; woken++) {
        uint64_t before = store_stats(queue_store(w.queue)).reads;
        uint64_t client = desk->all->client;
        assert_true(desks_wake(w.queue->desks, client));
        while (loop_step(w.loop))
            ;
        w.fake.now_us += DESK_TICK_MS * 1000;
        while (loop_step(w.loop))
            ;
        assert_int_equal(desk->reads, 1);
        if (woken == 1)
            assert_true(desks_wake(w.queue->desks, client));
        while (loop_step(w.loop))
            ;
        qworld_run_ms(&w, DESK_TICK_MS);
        assert_int_equal(store_stats(queue_store(w.queue)).reads - before, 1 + woken);
    }
    qlistener_close(&l);
}

static void q6_the_newer_listener_fences_the_older(void **state)
{
    (void)state;
    struct qlistener older = {0}, newer = {0};
    qlisten(&older, &alice, 0);
    assert_false(older.over);
    qlisten(&newer, &alice, 1);
    assert_true(older.over);
    assert_int_equal(older.code, HEARTH_ABORTED);
    assert_false(newer.over);
    unsigned before = older.items;
    assert_int_equal(qref_send(&to_alice, 1, 100), QUEUE_OK);
    qworld_run_ms(&w, 2000);
    assert_int_equal(older.items, before);
    assert_int_equal(newer.items, 1);
    /* another's listener is nobody's rival */
    struct qlistener others = {0};
    qlisten(&others, &bob, 0);
    assert_false(newer.over);
    qlistener_close(&newer);
    assert_int_equal(w.queue->desks->map_count, 1);
    qlistener_close(&others);
    assert_int_equal(w.queue->desks->map_count, 0);
}

/* The map of listeners grows, and finds everybody as before. */
static void q6_many_listeners(void **state)
{
    (void)state;
    enum { OTHERS = 5 };
    struct qclient *others = calloc(OTHERS, sizeof *others);
    struct qlistener *all = calloc(OTHERS * 2, sizeof *all);
    assert_true(others != NULL && all != NULL);
    w.queue->desks->map_slots = 1; /* of those that are there; nobody listens yet */
    for (int i = 0; i < OTHERS; i++) {
        qclient_create(&w, &others[i]);
        qlisten(&all[i], &others[i], 0);
    }
    assert_int_equal(w.queue->desks->map_slots, 8);
    for (int i = 0; i < OTHERS; i++) {
        struct qref r;
        qref_make(&r, &others[i]);
        assert_int_equal(qref_send(&r, 1, 10), QUEUE_OK);
        qworld_run_ms(&w, DESK_TICK_MS);
        assert_int_equal(all[i].items, 2);
    }
    for (int i = OTHERS - 1; i >= 0; i--) {
        qlisten(&all[OTHERS + i], &others[i], 2);
        assert_true(all[i].over);
        assert_int_equal(all[i].code, HEARTH_ABORTED);
    }
    assert_int_equal(w.queue->desks->map_count, OTHERS);
    for (int i = 0; i < OTHERS; i++) {
        qlistener_close(&all[OTHERS + i]);
        qclient_free(&others[i]);
    }
    assert_int_equal(w.queue->desks->map_count, 0);
    free(others);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(q1_ok_means_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(q1_power_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(q2_numbers_are_dense, setup, teardown),
        cmocka_unit_test_setup_teardown(q3_at_least_once_byte_identical, setup, teardown),
        cmocka_unit_test_setup_teardown(q4_acknowledges_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(q4_on_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(q4_mark_outlives_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(q4_acknowledged_last_thing, setup, teardown),
        cmocka_unit_test_setup_teardown(q4_many_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(acknowledgement_of_anothers_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(q5_listener_missing_a_wake_up, setup, teardown),
        cmocka_unit_test_setup_teardown(q5_between_read_and_sleep, setup, teardown),
        cmocka_unit_test_setup_teardown(q5_woken_while_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(q6_the_newer_listener_fences_the_older, setup, teardown),
        cmocka_unit_test_setup_teardown(q6_many_listeners, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
