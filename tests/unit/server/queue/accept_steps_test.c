/* queue_accept() in its two steps, as the courier uses it: what happens between the check and the
 * append, and to what is checked and never appended. */
#include "support/queue/queue_world.h"

enum { ROWS_MOST = 4 };

static struct qworld w;
static struct qclient alice, bob;
static struct qref to_alice, to_bob;

struct step {
    struct queue_row rows[ROWS_MOST];
    size_t count;
    struct accept *accept;
    bool checked, done;
    struct err result;
    enum queue_outcome outcomes[ROWS_MOST];
};

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue steps");
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

static void on_checked(void *arg, struct err result)
{
    struct step *s = arg;
    assert_false(s->checked);
    s->checked = true;
    s->result = result;
}

static void on_done(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct step *s = arg;
    assert_false(s->done);
    s->done = true;
    s->result = result;
    memcpy(s->outcomes, outcomes, s->count * sizeof *outcomes);
}

static void check(struct step *s)
{
    assert_ok(queue_accept_check(w.queue, bytes_str(QWORLD_DOMAIN), s->rows, s->count, w.inbox,
                                 on_checked, s, &s->accept));
    qworld_settle(&w);
    assert_true(s->checked && !s->done);
    assert_ok(s->result);
}

static void append(struct step *s)
{
    queue_accept_append(s->accept, on_done, s);
    qworld_settle(&w);
    assert_true(s->done);
}

static unsigned fetch_all(struct qclient *c)
{
    unsigned left = 1, deliveries = 0;
    while (left != 0) {
        uint64_t next = c->ratchet.sequence;
        assert_int_equal(qclient_dequeue(c, next == 0 ? 0 : next - 1, 0, NULL, &left), HEARTH_OK);
    }
    for (uint64_t i = 0; i < c->ratchet.sequence; i++)
        deliveries += c->got[i].kind == QUEUE_ITEM_DELIVERY;
    return deliveries;
}

/* Both are checked before either is appended, when the reference is not known yet. */
static void one_is_checked_before_the_other_is_appended(void **state)
{
    (void)state;
    struct step a = {.count = 2}, b = {.count = 2};
    struct step *steps[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        steps[i]->rows[0] = qref_row(&to_alice, bytes_str("12345678"));
        steps[i]->rows[1] = qref_row(&to_bob, bytes_str("12345678"));
        check(steps[i]);
    }
    for (int i = 0; i < 2; i++) {
        append(steps[i]);
        assert_ok(steps[i]->result);
        assert_int_equal(steps[i]->outcomes[0], QUEUE_OK);
        assert_int_equal(steps[i]->outcomes[1], QUEUE_OK);
    }
    assert_int_equal(fetch_all(&alice), 2);
    assert_int_equal(fetch_all(&bob), 2);
}

/* Nothing of it remains: the same numbers are taken afterwards. */
static void what_is_dropped_never_was(void **state)
{
    (void)state;
    struct step s = {.count = 1, .rows[0] = qref_row(&to_alice, bytes_str("12345678"))};
    check(&s);
    queue_accept_drop(s.accept);
    qworld_settle(&w);
    assert_false(s.done);
    assert_int_equal(fetch_all(&alice), 0);
    enum queue_outcome outcome = (enum queue_outcome)0;
    assert_ok(qworld_accept(&w, QWORLD_DOMAIN, s.rows, 1, &outcome));
    assert_int_equal(outcome, QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 1);
}

static void a_client_that_went_after_the_check(void **state)
{
    (void)state;
    struct step s = {.count = 2,
                     .rows[0] = qref_row(&to_alice, bytes_str("12345678")),
                     .rows[1] = qref_row(&to_bob, bytes_str("12345678"))};
    check(&s);
    assert_int_equal(qclient_delete(&alice, &alice.client), HEARTH_OK);
    append(&s);
    assert_ok(s.result);
    assert_int_equal(s.outcomes[0], QUEUE_GONE);
    assert_int_equal(s.outcomes[1], QUEUE_OK);
    assert_int_equal(fetch_all(&bob), 1);
}

/* Nothing to append: done comes before the call returns. */
static void rows_that_need_no_append(void **state)
{
    (void)state;
    uint8_t rubbish[120] = {0};
    struct step s = {.count = 1,
                     .rows[0] = {.sealed_ref = {rubbish, sizeof rubbish},
                                 .payload = bytes_str("12345678"),
                                 .sequence = 1}};
    check(&s);
    queue_accept_append(s.accept, on_done, &s);
    assert_true(s.done);
    assert_ok(s.result);
    assert_int_equal(s.outcomes[0], QUEUE_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_checked_before_the_other_is_appended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_dropped_never_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_went_after_the_check, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_need_no_append, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
