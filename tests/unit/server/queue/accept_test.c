/* What the courier brings: once, in order, to the right queue, within its limits. */
#include "server/queue/accept.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, bob;
static struct qref to_alice, to_bob;

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue accept");
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

static enum queue_outcome accept_one(const char *origin, const struct queue_row *row)
{
    enum queue_outcome outcome = (enum queue_outcome)0;
    assert_ok(qworld_accept(&w, origin, row, 1, &outcome));
    return outcome;
}

/* Fetches everything; how many deliveries alice has by now. */
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

/* ---- once */

static void repeated_rows_are_dropped(void **state)
{
    (void)state;
    struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
    row.sequence = 7;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
        if (i == 1)
            qworld_restart(&w, true);
    }
    row.sequence = 6; /* was overtaken: its origin numbers in order, so it came before */
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 1);
    row.sequence = 8;
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
    /* acknowledged and gone, it still counts as taken */
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
}

static void repeated_within_a_batch(void **state)
{
    (void)state;
    struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
    struct queue_row rows[4] = {row, row, row, row};
    enum queue_outcome outcomes[4];
    rows[3].sequence++;
    assert_ok(qworld_accept(&w, QWORLD_DOMAIN, rows, 4, outcomes));
    for (int i = 0; i < 4; i++)
        assert_int_equal(outcomes[i], QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
}

/* ---- whose */

static void a_tag_belongs_to_its_first_origin(void **state)
{
    (void)state;
    struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
    assert_int_equal(accept_one("b.test", &row), QUEUE_OK);
    row.sequence++;
    assert_int_equal(accept_one("c.test", &row), QUEUE_REFUSED);
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_REFUSED);
    assert_int_equal(accept_one("b.test", &row), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
}

static void reseal(struct qref *r, struct qclient *owner, const uint8_t *id,
                   const struct sig_key *key, uint8_t push)
{
    struct queue_ref ref = {.has_push_token_key = true, .push_token_key = {push}};
    struct public_key service;
    struct buf b = BUF_INIT;
    memcpy(ref.tag, r->tag, sizeof ref.tag);
    memcpy(ref.queue_client_id, id, QUEUE_ID_BYTES);
    assert_ok(keeper_queue_key(w.env.keeper, &service));
    assert_ok(sealed_ref_seal(&b, &w.rng, public_key_view(&service), bytes_str(QWORLD_DOMAIN), &ref,
                              key));
    r->owner = owner;
    memcpy(r->sealed, b.data, b.len);
    r->len = b.len;
    buf_clear(&b);
}

static void forged_references(void **state)
{
    (void)state;
    struct qref forged;
    static const uint8_t nobody[16] = {9};
    qref_make(&forged, &alice);
    reseal(&forged, &alice, alice.client.id.data, &bob.client.key, 0); /* signed by another */
    assert_int_equal(qref_send(&forged, 1, 10), QUEUE_REFUSED);
    reseal(&forged, &alice, nobody, &alice.client.key, 0);
    assert_int_equal(qref_send(&forged, 1, 10), QUEUE_GONE);
    for (size_t at = 0; at < forged.len; at += 13) { /* damaged */
        struct qref damaged = to_alice;
        damaged.sealed[at] ^= 1;
        assert_int_equal(qref_send(&damaged, 1, 10), QUEUE_REFUSED);
    }
    struct qref empty = to_alice;
    empty.len = 0;
    assert_int_equal(qref_send(&empty, 1, 10), QUEUE_REFUSED);
    /* a tag that is known does not vouch for another reference */
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    forged = to_alice;
    reseal(&forged, &alice, alice.client.id.data, &bob.client.key, 1);
    assert_int_equal(qref_send(&forged, 2, 10), QUEUE_REFUSED);
    reseal(&forged, &alice, alice.client.id.data, &alice.client.key, 1);
    assert_int_equal(qref_send(&forged, 2, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
}

static void deleted_clients_are_gone(void **state)
{
    (void)state;
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    assert_int_equal(qclient_delete(&alice, &alice.client), HEARTH_OK);
    assert_int_equal(qref_send(&to_alice, 2, 10), QUEUE_GONE);
    assert_int_equal(qref_send(&to_bob, 1, 10), QUEUE_OK);
}

/* ---- batches */

static void outcomes_stand_in_the_callers_order(void **state)
{
    (void)state;
    enum { ROWS = 600 };
    static struct queue_row rows[ROWS];
    static uint8_t bodies[ROWS][8];
    static enum queue_outcome outcomes[ROWS];
    struct qref gone, broken = to_alice;
    struct qclient *temporary = calloc(1, sizeof *temporary);
    assert_non_null(temporary);
    qclient_create(&w, temporary);
    qref_make(&gone, temporary);
    assert_int_equal(qclient_delete(temporary, &temporary->user), HEARTH_OK);
    broken.sealed[5] ^= 1;
    struct qref *refs[] = {&to_alice, &to_bob, &gone, &to_alice, &broken};
    for (uint64_t i = 0; i < ROWS; i++) {
        memcpy(bodies[i], &i, 8);
        rows[i] = qref_row(refs[i % 5], bytes_of(bodies[i], 8));
    }
    assert_ok(qworld_accept(&w, QWORLD_DOMAIN, rows, ROWS, outcomes));
    static const enum queue_outcome want[] = {QUEUE_OK, QUEUE_OK, QUEUE_GONE, QUEUE_OK,
                                              QUEUE_REFUSED};
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(outcomes[i], want[i % 5]);
    assert_int_equal(fetch_all(&alice), ROWS / 5 * 2);
    assert_int_equal(fetch_all(&bob), ROWS / 5);
    uint64_t last = 0; /* each queue in order */
    for (uint64_t i = 0; i < alice.ratchet.sequence; i++)
        if (alice.got[i].kind == QUEUE_ITEM_DELIVERY) {
            assert_true(alice.got[i].number >= last);
            assert_memory_equal(alice.got[i].tag, to_alice.tag, QUEUE_TAG_BYTES);
            last = alice.got[i].number;
        }
    qclient_free(temporary);
    free(temporary);
}

/* The n-th chunk fails: nothing after it was taken, and all of it comes, once, when it is sent
 * again. */
static void nothing_overtakes_a_failure(void **state)
{
    (void)state;
    enum { CHUNKS = 3, ROWS = CHUNKS * ACCEPT_CHUNK_ROWS };
    static struct queue_row rows[ROWS];
    static uint8_t bodies[ROWS][8];
    static enum queue_outcome outcomes[ROWS];
    assert_int_equal(qref_send(&to_alice, 0, 10), QUEUE_OK);
    uint64_t number = 0;
    for (long n = 0; n <= CHUNKS; n++) {
        for (uint64_t i = 0; i < ROWS; i++) {
            number++;
            memcpy(bodies[i], &number, 8);
            rows[i] = qref_row(&to_alice, bytes_of(bodies[i], 8));
        }
        if (n < CHUNKS) /* the sync of its commit: nobody knows what holds (S1) */
            vfs_fail(w.vfs, VFS_SYNC, VFS_ERROR, n, 1);
        else
            vfs_fail(w.vfs, VFS_WRITE, VFS_FULL, 0, 1);
        struct err err = qworld_accept(&w, QWORLD_DOMAIN, rows, ROWS, outcomes);
        assert_int_equal(vfs_failed(w.vfs), 1);
        assert_int_equal(err_is_ok(err), n > 0 && n < CHUNKS);
        for (int i = 0; i < ROWS; i++)
            assert_int_equal(outcomes[i],
                             n < CHUNKS && i < n * ACCEPT_CHUNK_ROWS ? QUEUE_OK : QUEUE_LATER);
        qworld_restart(&w, true);
        assert_ok(qworld_accept(&w, QWORLD_DOMAIN, rows, ROWS, outcomes));
        for (int i = 0; i < ROWS; i++)
            assert_int_equal(outcomes[i], QUEUE_OK);
        assert_int_equal(fetch_all(&alice), number + 1);
        uint64_t next = 0;
        for (uint64_t i = 0; i < alice.ratchet.sequence; i++)
            if (alice.got[i].kind == QUEUE_ITEM_DELIVERY)
                assert_int_equal(alice.got[i].number, next++);
    }
}

/* ---- limits */

static void bodies_up_to_the_largest(void **state)
{
    (void)state;
    assert_int_equal(qref_send(&to_alice, 1, QUEUE_BODY_MAX_BYTES), QUEUE_OK);
    assert_int_equal(qref_send(&to_alice, 2, QUEUE_BODY_MAX_BYTES + 1), QUEUE_REFUSED);
    assert_int_equal(qref_send(&to_alice, 3, 8), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 2);
}

/* ME1: lengths on the wire say one of six things. */
static void me1_six_lengths(void **state)
{
    (void)state;
    size_t seen[8];
    unsigned count = 0;
    for (uint64_t i = 0; i < 60; i++)
        assert_int_equal(qref_send(&to_alice, i, 8 + i * i * 27), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 60);
    for (uint64_t i = 0; i < alice.ratchet.sequence; i++) {
        bool known = false;
        for (unsigned k = 0; k < count; k++)
            known = known || seen[k] == alice.got[i].sealed_bytes;
        if (!known)
            seen[count++] = alice.got[i].sealed_bytes;
        assert_true(count <= 6);
    }
    assert_int_equal(count, 6);
}

static void check_gap(const struct qgot *got, uint64_t items)
{
    assert_true(got->there);
    assert_int_equal(got->kind, QUEUE_ITEM_GAP);
    uint8_t number[8];
    memcpy(number, &got->number, 8);
    uint64_t told = 0; /* big-endian */
    for (int i = 0; i < 8; i++)
        told = told << 8 | number[i];
    assert_int_equal(told, items);
}

/* DoS4: the last tenth is for commits and Welcomes; what does not fit is counted and told. */
static void dos4_overflow_becomes_a_gap(void **state)
{
    (void)state;
    qworld_limit(&w, "QUEUE_ITEMS", 100);
    for (uint64_t i = 1; i <= 200; i++)
        assert_int_equal(qref_send(&to_alice, i, 10), QUEUE_OK);
    assert_int_equal(qclient_rows(&alice), 90);
    assert_int_equal(qref_send(&to_bob, 1, 10), QUEUE_OK); /* nobody else is blocked */
    assert_int_equal(qclient_rows(&bob), 2);
    unsigned items = 0, left = 0;
    assert_int_equal(qclient_dequeue(&alice, 0, 50, &items, &left), HEARTH_OK);
    assert_int_equal(qclient_dequeue(&alice, 49, 0, &items, &left), HEARTH_OK); /* room again */
    check_gap(&alice.got[90], 200 - 89);
    assert_int_equal(qref_send(&to_alice, 201, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 90);
    assert_int_equal(alice.got[91].number, 201);
}

/* Its origin did not hear that they were taken, and says them again: the gap is as large as it was.
 */
static void dos4_what_did_not_fit_counts_once(void **state)
{
    (void)state;
    qworld_limit(&w, "QUEUE_ITEMS", 100);
    for (int again = 0; again < 3; again++) {
        for (uint64_t i = 1; i <= 120; i++) {
            struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
            row.sequence = i;
            assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
        }
        if (again == 1)
            qworld_restart(&w, true);
    }
    assert_int_equal(qclient_rows(&alice), 90);
    assert_int_equal(fetch_all(&alice), 89); /* beside a refresh */
    assert_int_equal(fetch_all(&alice), 89);
    check_gap(&alice.got[90], 120 - 89);
}

static void dos4_control_rows_use_the_last_tenth(void **state)
{
    (void)state;
    qworld_limit(&w, "QUEUE_ITEMS", 100);
    for (uint64_t i = 1; i <= 95; i++)
        assert_int_equal(qref_send(&to_alice, i, 10), QUEUE_OK);
    for (int i = 0; i < 20; i++) {
        struct queue_row row = qref_row(&to_alice, bytes_str("control!"));
        row.control = true;
        assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    }
    assert_int_equal(qclient_rows(&alice), 100);
    assert_int_equal(fetch_all(&alice), 89 + 9); /* a gap item lies between them */
    assert_int_equal(fetch_all(&alice), 89 + 9); /* which acknowledges: there is room again */
    check_gap(&alice.got[90], 6);
    check_gap(&alice.got[100], 11);
}

static void dos4_bytes(void **state)
{
    (void)state;
    qworld_limit(&w, "QUEUE_BYTES", 1 << 20);
    for (uint64_t i = 1; i <= 40; i++)
        assert_int_equal(qref_send(&to_alice, i, 60000), QUEUE_OK);
    assert_int_equal(qclient_rows(&alice), 1 + ((1 << 20) - (1 << 20) / 10) / 65553);
}

static void too_many_references(void **state)
{
    (void)state;
    qworld_limit(&w, "QUEUE_TAGS", 64);
    for (int i = 0; i < 70; i++) {
        struct qref r;
        qref_make(&r, &alice);
        assert_int_equal(qref_send(&r, 1, 10), i < 64 ? QUEUE_OK : QUEUE_REFUSED);
    }
    assert_int_equal(fetch_all(&alice), 64);
}

/* ---- blocklist */

static enum hearth_code block(struct qclient *c, const uint8_t *tag, bool on)
{
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__UpdateBlocklistRequest in = HEARTH__V1__UPDATE_BLOCKLIST_REQUEST__INIT;
    ProtobufCBinaryData tags[] = {qdata(bytes_of(tag, QUEUE_TAG_BYTES))};
    in.idempotency = &once;
    in.n_block = on;
    in.n_unblock = !on;
    in.block = tags;
    in.unblock = tags;
    return qworld_call(&w, &c->client, "UpdateBlocklist", &in.base, NULL);
}

static void blocked_tags_are_dropped_silently(void **state)
{
    (void)state;
    assert_int_equal(block(&alice, to_alice.tag, true), HEARTH_OK); /* before it was ever used */
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 0);
    assert_int_equal(block(&bob, to_alice.tag, false), HEARTH_OK); /* bob's list is bob's */
    assert_int_equal(qref_send(&to_alice, 2, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 0);
    assert_int_equal(block(&alice, to_alice.tag, false), HEARTH_OK);
    assert_int_equal(qref_send(&to_alice, 3, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 1);
    assert_int_equal(block(&alice, to_alice.tag, true), HEARTH_OK);
    assert_int_equal(qref_send(&to_alice, 4, 10), QUEUE_OK);
    assert_int_equal(fetch_all(&alice), 1);
    qworld_limit(&w, "BLOCKED_TAGS", 16);
    for (uint8_t i = 0; i < 20; i++) {
        uint8_t tag[QUEUE_TAG_BYTES] = {i};
        assert_int_equal(block(&alice, tag, true), i < 15 ? HEARTH_OK : HEARTH_RESOURCE_EXHAUSTED);
    }
}

/* ---- waking devices */

static void devices_are_woken_when_nobody_listens(void **state)
{
    (void)state;
    struct qlistener l = {0};
    assert_int_equal(qref_send(&to_alice, 1, 10), QUEUE_OK);
    assert_int_equal(w.pushes, 1);
    test_assert_bytes(w.pushed_token, bytes_str("token"));
    qlisten(&l, &alice, 0);
    assert_int_equal(qref_send(&to_alice, 2, 10), QUEUE_OK);
    assert_int_equal(w.pushes, 1);
    qlistener_close(&l);
    /* only where the sender asks for it */
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__UpdateQueueClientRequest in = HEARTH__V1__UPDATE_QUEUE_CLIENT_REQUEST__INIT;
    qclient_settings(&alice, &settings);
    settings.notification_policy = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED;
    in.idempotency = &once;
    in.client = &settings;
    assert_int_equal(qworld_call(&w, &alice.client, "UpdateQueueClient", &in.base, NULL),
                     HEARTH_OK);
    assert_int_equal(qref_send(&to_alice, 3, 10), QUEUE_OK);
    assert_int_equal(w.pushes, 1);
    struct queue_row row = qref_row(&to_alice, bytes_str("12345678"));
    row.notify = true;
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    assert_int_equal(w.pushes, 2);
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK); /* a repeat wakes nobody */
    assert_int_equal(w.pushes, 2);
    /* quiet wins over the sender's mark, and over the client's policy */
    row = qref_row(&to_alice, bytes_str("12345678"));
    row.notify = row.quiet = true;
    assert_int_equal(accept_one(QWORLD_DOMAIN, &row), QUEUE_OK);
    struct queue_row quiet = qref_row(&to_bob, bytes_str("12345678"));
    quiet.quiet = true;
    assert_int_equal(accept_one(QWORLD_DOMAIN, &quiet), QUEUE_OK);
    assert_int_equal(w.pushes, 2);
    struct queue_row rows[6]; /* many rows at once wake once */
    enum queue_outcome outcomes[6];
    for (int i = 0; i < 6; i++) {
        rows[i] = qref_row(i % 2 == 0 ? &to_alice : &to_bob, bytes_str("12345678"));
        rows[i].notify = true;
    }
    assert_ok(qworld_accept(&w, QWORLD_DOMAIN, rows, 6, outcomes));
    assert_int_equal(w.pushes, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(repeated_rows_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(repeated_within_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tag_belongs_to_its_first_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_references, setup, teardown),
        cmocka_unit_test_setup_teardown(deleted_clients_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_stand_in_the_callers_order, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_overtakes_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_up_to_the_largest, setup, teardown),
        cmocka_unit_test_setup_teardown(me1_six_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(dos4_overflow_becomes_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(dos4_what_did_not_fit_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(dos4_control_rows_use_the_last_tenth, setup, teardown),
        cmocka_unit_test_setup_teardown(dos4_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_references, setup, teardown),
        cmocka_unit_test_setup_teardown(blocked_tags_are_dropped_silently, setup, teardown),
        cmocka_unit_test_setup_teardown(devices_are_woken_when_nobody_listens, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
