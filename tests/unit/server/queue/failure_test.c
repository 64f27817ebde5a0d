/* Every allocation and every write fails once in turn: nothing that was answered OK is lost or
 * comes twice, numbers stay dense, nothing leaks, and the service goes on. */
#include "support/failing.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice;
static struct qref to_alice;
static uint64_t sent;

static int setup(void **state)
{
    (void)state;
    sent = 0;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue failure");
    qworld_start(&w);
    qclient_create(&w, &alice);
    qref_make(&to_alice, &alice);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qworld_end(&w);
    qclient_free(&alice);
    return 0;
}

struct accepting {
    bool done;
    struct err result;
    enum queue_outcome outcomes[3];
};

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct accepting *a = arg;
    assert_false(a->done);
    a->done = true;
    a->result = result;
    memcpy(a->outcomes, outcomes, sizeof a->outcomes);
}

static struct err read_nothing(struct store_txn *txn, void *arg)
{
    (void)txn;
    (void)arg;
    return ERR_OK;
}

/* Three rows, numbered sent + 1 and so on; true when all of them were taken. */
static bool accept_three(void)
{
    static uint8_t bodies[3][64];
    static struct queue_row rows[3];
    struct accepting a = {.done = false};
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t number = sent + 1 + i;
        memcpy(bodies[i], &number, 8);
        rows[i] = (struct queue_row){.sealed_ref = bytes_of(to_alice.sealed, to_alice.len),
                                     .payload = bytes_of(bodies[i], sizeof bodies[i]),
                                     .sequence = number};
    }
    if (!err_is_ok(
            queue_accept(w.queue, bytes_str(QWORLD_DOMAIN), rows, 3, w.inbox, on_accepted, &a)))
        return false;
    qworld_settle(&w);
    for (int i = 0; i < 10 && !a.done; i++) { /* the wake-up of the loop itself may have failed */
        struct err err = store_call_read(queue_store(w.queue), read_nothing, NULL);
        (void)err;
        qworld_run_ms(&w, 1000);
    }
    assert_true(a.done);
    for (int i = 0; i < 3; i++)
        assert_true(a.outcomes[i] == QUEUE_OK || a.outcomes[i] == QUEUE_LATER);
    return a.outcomes[0] == QUEUE_OK && a.outcomes[1] == QUEUE_OK && a.outcomes[2] == QUEUE_OK;
}

static void fetch_all(uint64_t most)
{
    unsigned left = 1;
    while (left != 0) {
        uint64_t next = alice.ratchet.sequence;
        assert_int_equal(qclient_dequeue(&alice, next == 0 ? 0 : next - 1, 0, NULL, &left),
                         HEARTH_OK);
    }
    uint64_t want = 1;
    for (uint64_t i = 0; i < alice.ratchet.sequence; i++)
        if (alice.got[i].kind == QUEUE_ITEM_DELIVERY)
            assert_int_equal(alice.got[i].number, want++);
    assert_int_equal(want, most + 1);
}

static void accepting_without_memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    assert_true(accept_three()); /* statements and caches are warm */
    sent += 3;
    long n = 0;
    for (bool failed = true; failed && n < 2000; n++) {
        test_fail_allocation(n);
        bool well = accept_three();
        failed = test_allocation_failed();
        if (!well)
            assert_true(accept_three()); /* repeated, it is taken once */
        sent += 3;
        if (alice.ratchet.sequence + 600 < sent)
            fetch_all(sent);
    }
    assert_in_range(n, 10, 1999);
    fetch_all(sent);
}

/* (nghttp2 1.52 breaks without memory: with calls, only our own allocations fail.) */
static void dequeue_without_memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    uint64_t from = 0;
    for (long n = 0;; n++) {
        assert_true(accept_three());
        sent += 3;
        qworld_days(&w, 0); /* a new connection */
        test_fail_own_allocation(n);
        unsigned items = 0;
        enum hearth_code code = qclient_dequeue(&alice, from, 0, &items, NULL);
        if (!test_allocation_failed()) {
            assert_int_equal(code, HEARTH_OK);
            assert_true(n > 20);
            break;
        }
        from = alice.ratchet.sequence == 0 ? 0 : alice.ratchet.sequence - 1;
        assert_true(n < 3000);
    }
    fetch_all(sent);
}

static void listening_without_memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    unsigned well = 0;
    for (long n = 0;; n++) {
        struct qlistener l = {.ack_each = true};
        qworld_days(&w, 0);
        qlisten(&l, &alice, alice.ratchet.sequence);
        assert_false(l.over);
        test_fail_own_allocation(n);
        test_pause_failing();
        assert_true(accept_three());
        sent += 3;
        test_resume_failing();
        qworld_run_ms(&w, 2500);
        bool failed = test_allocation_failed();
        /* it came all the same, or the stream was given up and says so */
        if (l.over)
            assert_int_not_equal(l.code, HEARTH_OK);
        else
            assert_true(l.items >= 3);
        well += !l.over;
        qlistener_close(&l);
        if (!failed)
            break;
        assert_true(n < 3000);
        if (alice.ratchet.sequence < sent)
            fetch_all(sent);
    }
    assert_true(well > 5);
    fetch_all(sent);
}

/* Q1, S1: each write, sync and truncation in turn. */
static void files_that_fail(void **state)
{
    (void)state;
    static const struct {
        enum vfs_op op;
        enum vfs_how how;
    } faults[] = {{VFS_WRITE, VFS_ERROR},
                  {VFS_WRITE, VFS_FULL},
                  {VFS_WRITE, VFS_SHORT},
                  {VFS_SYNC, VFS_ERROR}};
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        for (long n = 0; n < 40; n++) {
            vfs_fail(w.vfs, faults[f].op, faults[f].how, n, 1);
            bool well = accept_three();
            if (vfs_failed(w.vfs) == 0) {
                assert_true(well);
                sent += 3;
                break;
            }
            if (!err_is_ok(store_health(queue_store(w.queue))))
                qworld_restart(&w, true);
            if (!well)
                assert_true(accept_three());
            sent += 3;
            fetch_all(sent);
            assert_true(n < 39);
        }
    }
    fetch_all(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepting_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(dequeue_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(listening_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
