/* The courier against models of its destinations: F1, F2, F3 and what can go wrong on the way. */
#include <stdio.h>

#include "server/courier/held.h"
#include "support/courier/courier_world.h"

static void assert_empty(struct cworld *w)
{
    struct left l = world_left(w);
    assert_int_equal(l.rows, 0);
    assert_int_equal(l.payloads, 0);
    assert_int_equal(l.bodies, 0);
}

static struct cworld *start(uint64_t seed)
{
    static struct cworld w;
    world_new(&w, seed);
    world_open(&w);
    return &w;
}

struct big_put {
    struct putting *put;
    const uint8_t *body;
    size_t len;
};

static struct err run_put_big(struct store_txn *txn, void *arg)
{
    struct big_put *b = arg;
    return outbox_add(txn, &b->put->w->outbox, bytes_of(b->body, b->len), b->put->rows,
                      b->put->count);
}

static struct err run_report_text(struct store_txn *txn, void *arg)
{
    (void)arg;
    struct stmt *s = stmt_use(txn, S_REPORT);
    stmt_bind_blob(s, 1, bytes_str("notice in clear."));
    stmt_bind_u64(s, 2, 0);
    return stmt_run(s, NULL);
}

static struct err run_damage(struct store_txn *txn, void *arg)
{
    (void)arg;
    struct stmt *s = stmt_use(txn, S_DAMAGE);
    stmt_bind_blob(s, 1, bytes_str("not what was sealed, but long enough for a nonce and a tag"));
    return stmt_run(s, NULL);
}

static void rows_go_once_in_order_and_leave_nothing(void **state)
{
    (void)state;
    static struct putting p;
    struct cworld *w = start(1);
    size_t peer = world_peer(w, "peer.test");
    for (int i = 0; i < 50; i++) {
        putting_begin(&p, w);
        for (uint32_t ref = 1; ref < REFS; ref++)
            putting_to(&p, ref % 3 == 0 ? peer : 0, ref, i % 7 == 0, 0);
        putting_end(&p);
        if (i % 5 == 0)
            world_settle(w);
    }
    world_settle(w);
    assert_int_equal(place_check(&w->places[0]) + place_check(&w->places[peer]), 50 * (REFS - 1));
    assert_int_equal(w->places[0].repeats + w->places[peer].repeats, 0);
    assert_empty(w);
    world_run_ms(w, 3600001);
    assert_int_equal(world_left(w).domains, 1); /* ours; a peer without rows is forgotten */
    assert_int_equal(courier_stats(w->courier).delivered, 50 * (REFS - 1));
    assert_int_equal(courier_stats(w->courier).domains, 1);
    put_one(w, peer, 1, false, 0); /* and met again */
    world_settle(w);
    assert_int_equal(place_check(&w->places[peer]), 50 * (REFS / 3) + 1);
    world_close(w);
}

/* Numbers go on although all rows are gone: a queue would take lower ones for repeats. */
static void numbers_never_begin_anew(void **state)
{
    (void)state;
    struct cworld *w = start(2);
    for (int i = 0; i < 10; i++) {
        put_one(w, 0, 1, false, 0);
        world_settle(w);
        assert_empty(w);
        world_kill(w, false, 0);
        world_open(w);
    }
    world_settle(w);
    assert_int_equal(place_check(&w->places[0]), 10);
    world_close(w);
}

static struct err run_rewind(struct store_txn *txn, void *arg)
{
    struct stmt *s = stmt_use(txn, S_REWIND);
    stmt_bind_u64(s, 1, *(const uint64_t *)arg);
    return stmt_run(s, NULL);
}

/* A backup that is older than what the queues have seen: by a little, and by a day. */
static void numbers_go_on_after_a_backup_was_restored(void **state)
{
    (void)state;
    struct cworld *w = start(20);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++)
            put_one(w, 0, 1, false, 0);
        world_settle(w);
        uint64_t back = round == 0 ? 30 : 3 * OUTBOX_NUMBERS_GAP;
        w->fake.now_us += round == 0 ? 1000000 : UINT64_C(86400000000);
        assert_ok(store_call(w->store, run_rewind, &back));
        world_kill(w, false, 0);
        world_open(w);
        for (int i = 0; i < 20; i++)
            put_one(w, 0, 1, false, 0);
        world_settle(w);
        assert_int_equal(w->places[0].repeats, 0);
        assert_int_equal(place_check(&w->places[0]), 40 * (round + 1));
    }
    world_close(w);
}

/* The backup is of before a start: what that life sent has the numbers that the next would have, if
 * each start only took so many more (found by world_random 2086). */
static void numbers_go_on_after_a_start_and_a_backup_of_before(void **state)
{
    (void)state;
    struct cworld *w = start(21);
    for (int life = 0; life < 3; life++) {
        uint64_t back = OUTBOX_NUMBERS_GAP + 20;
        for (int i = 0; i < 20; i++)
            put_one(w, 0, 1, false, 0);
        world_settle(w);
        if (life == 1) /* about as it was when the life before it ended */
            assert_ok(store_call(w->store, run_rewind, &back));
        w->fake.now_us += 10000000;
        world_kill(w, false, 0);
        world_open(w);
    }
    assert_int_equal(w->places[0].repeats, 0);
    assert_int_equal(place_check(&w->places[0]), 60);
    world_close(w);
}

/* Both starts in one second, the backup of long before (found by world_random 2329). */
static void numbers_go_on_after_two_starts_of_one_second(void **state)
{
    (void)state;
    uint64_t back = OUTBOX_NUMBERS_GAP;
    struct cworld *w = start(22);
    w->fake.now_us = 3600000000 + 77000;
    for (int life = 0; life < 2; life++) {
        world_kill(w, false, 0);
        world_open(w);
        for (int i = 0; i < 20; i++)
            put_one(w, 0, 1, false, 0);
        world_settle(w);
        assert_ok(store_call(w->store, run_rewind, &back));
        w->fake.now_us = 3600000000 + 500000;
    }
    assert_int_equal(w->places[0].repeats, 0);
    assert_int_equal(place_check(&w->places[0]), 40);
    world_close(w);
}

static void payload_larger_than_a_batch_goes_alone(void **state)
{
    (void)state;
    struct cworld *w = start(3);
    static struct putting p;
    static uint8_t big[BATCH_BYTES + 1];
    for (int i = 0; i < 3; i++) {
        putting_begin(&p, w);
        putting_to(&p, 0, 1, false, 0);
        memcpy(big, p.body, p.body_len);
        assert_ok(store_call(w->store, run_put_big, &(struct big_put){&p, big, sizeof big}));
    }
    courier_wake(w->courier);
    world_settle(w);
    assert_int_equal(place_check(&w->places[0]), 3);
    assert_int_equal(w->places[0].batches, 3);
    world_close(w);
}

static void bounds_of_a_payload_hold(void **state)
{
    (void)state;
    struct cworld *w = start(4);
    static struct putting p;
    static uint8_t much[OUTBOX_PAYLOAD_MAX + 1];
    putting_begin(&p, w);
    putting_to(&p, 0, 1, false, 0);
    assert_err(store_call(w->store, run_put_big, &(struct big_put){&p, much, sizeof much}),
               ARGUMENT);
    p.rows[0].sealed_ref = bytes_of(much, OUTBOX_REF_MAX + 1);
    assert_err(store_call(w->store, run_put_big, &(struct big_put){&p, much, 10}), ARGUMENT);
    p.rows[0].sealed_ref.len = 0;
    assert_err(store_call(w->store, run_put_big, &(struct big_put){&p, much, 10}), ARGUMENT);
    p.rows[0].sealed_ref.len = OUTBOX_REF_MAX;
    p.rows[0].domain.len = 0;
    assert_err(store_call(w->store, run_put_big, &(struct big_put){&p, much, 10}), ARGUMENT);
    p.count = 0;
    assert_ok(store_call(w->store, run_put_big, &(struct big_put){&p, much, 10}));
    assert_empty(w);
    world_close(w);
}

/* ME3: what lies in the files names nobody and shows nothing; the control is in clear. */
static void image_names_no_peer_and_no_reference(void **state)
{
    (void)state;
    static struct putting p;
    struct cworld *w = start(5);
    size_t peer = world_peer(w, "a-peer-with-a-long-name.test");
    w->places[peer].mood = FAILS;
    w->places[0].mood = FAILS;
    putting_begin(&p, w);
    putting_to(&p, peer, 1, false, 9);
    putting_to(&p, 0, 1, false, 9);
    memset(p.rows[0].notice, 0xa7, 16);
    putting_end(&p);
    world_settle(w);
    assert_int_equal(world_left(w).rows, 2);
    assert_false(vfs_contains(w->vfs, bytes_str("a-peer-with-a-long-name")));
    assert_false(vfs_contains(w->vfs, bytes_str("home.test")));
    assert_false(vfs_contains(w->vfs, bytes_of(p.refs[0] + 16, 16)));
    assert_false(vfs_contains(w->vfs, bytes_of(p.body + 16, 16)));
    assert_false(vfs_contains(w->vfs, bytes_of(p.rows[0].notice, 16)));
    assert_ok(store_call(w->store, run_report_text, w));
    assert_true(vfs_contains(w->vfs, bytes_str("notice in clear.")));
    world_close(w);
}

/* F2 */
static void F2_a_dead_peer_delays_nobody(void **state)
{
    (void)state;
    struct cworld *w = start(6);
    char name[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "dead%d.test", i);
        w->places[world_peer(w, name)].mood = i % 2 == 0 ? HANGS : FAILS;
    }
    size_t good = world_peer(w, "good.test");
    put_one(w, good, 1, false, 0);
    world_settle(w); /* it has answered once */
    for (size_t i = 1; i <= 100; i++)
        put_one(w, i, 1, false, 0);
    world_run_ms(w, 5000);
    uint64_t before_us = w->fake.now_us;
    put_one(w, 0, 2, false, 0);
    put_one(w, good, 2, false, 0);
    world_settle(w);
    assert_int_equal(w->fake.now_us, before_us);
    assert_int_equal(place_check(&w->places[0]), 1);
    assert_int_equal(place_check(&w->places[good]), 2);
    /* when they let go, the others come to their turn */
    for (size_t i = 1; i <= 100; i++)
        w->places[i].mood = TAKES;
    release_hanging(w, ERR(TIMEOUT));
    world_run_ms(w, 60000);
    release_hanging(w, ERR(TIMEOUT));
    world_run_ms(w, 60000);
    for (size_t i = 1; i <= 100; i++)
        assert_int_equal(place_check(&w->places[i]), 1);
    assert_empty(w);
    world_close(w);
}

/* F3 */
static void F3_failures_back_off_and_a_contact_ends_it(void **state)
{
    (void)state;
    struct cworld *w = start(7);
    size_t peer = world_peer(w, "down.test");
    struct place *p = &w->places[peer];
    p->mood = FAILS;
    put_one(w, peer, 1, false, 0);
    world_run_ms(w, 24 * 3600 * 1000);
    assert_in_range(p->batches, 30, 42); /* 12 steps to the top, then 24 in 24 h at most */
    for (unsigned i = 1; i < p->batches; i++) {
        uint64_t wait = p->tried_us[i] - p->tried_us[i - 1];
        assert_in_range(wait, 1000000, UINT64_C(3600000000) + 1000);
        uint64_t least = i < 12 ? UINT64_C(1000000) << (i - 1) : UINT64_C(2400000000);
        assert_true(wait >= (least < UINT64_C(2400000000) ? least : UINT64_C(2400000000)));
    }
    unsigned before = p->batches;
    courier_contact(w->courier, bytes_str("other.test"));
    world_settle(w);
    assert_int_equal(p->batches, before);
    courier_contact(w->courier, bytes_str("down.test"));
    world_settle(w);
    assert_int_equal(p->batches, before + 1);
    world_run_ms(w, 1600); /* back at one second */
    assert_int_equal(p->batches, before + 2);
    p->mood = TAKES;
    courier_contact(w->courier, bytes_str("down.test"));
    world_settle(w);
    assert_int_equal(place_check(p), 1);
    assert_empty(w);
    world_close(w);
}

static void our_own_queue_is_tried_again_soon(void **state)
{
    (void)state;
    struct cworld *w = start(8);
    w->places[0].mood = WONT_START;
    put_one(w, 0, 1, false, 0);
    world_run_ms(w, 600000);
    w->places[0].mood = TAKES;
    world_run_ms(w, 10001);
    assert_int_equal(place_check(&w->places[0]), 1);
    world_close(w);
}

/* Per reference order: the rows behind a "later" wait with it, other references don't. */
static void later_holds_back_its_reference_alone(void **state)
{
    (void)state;
    struct cworld *w = start(9);
    size_t peer = world_peer(w, "peer.test");
    struct place *p = &w->places[peer];
    p->later_ref = 5;
    for (int i = 0; i < 40; i++) {
        put_one(w, peer, 4, false, 0);
        put_one(w, peer, 5, false, 0);
        if (i % 4 == 0)
            world_run_ms(w, 100);
    }
    world_run_ms(w, 100);
    assert_int_equal(place_check(p), 40);
    assert_int_equal(world_left(w).rows, 40);
    assert_in_range(courier_stats(w->courier).later, 1, 60); /* one batch, not every time */
    p->later_ref = 0;
    world_run_ms(w, 20000);
    assert_int_equal(place_check(p), 80);
    assert_int_equal(p->repeats, 0);
    assert_empty(w);
    world_close(w);
}

static void more_laters_than_are_remembered_hold_the_domain(void **state)
{
    (void)state;
    struct cworld *w = start(10);
    size_t peer = world_peer(w, "busy.test");
    struct place *p = &w->places[peer];
    static struct putting put;
    p->mood = SAYS_LATER;
    for (uint32_t i = 0; i < HELD_MAX + 300;) {
        putting_begin(&put, w);
        for (int j = 0; j < 100; j++, i++) {
            putting_to(&put, peer, (i * 7) % REFS, false, 0);
            memcpy(put.refs[j] + 12, &i, sizeof i); /* a reference of its own */
        }
        putting_end(&put);
    }
    world_run_ms(w, 120000);
    assert_true(courier_stats(w->courier).failures >= 1);
    uint64_t rows = world_left(w).rows;
    p->mood = TAKES;
    world_run_ms(w, 2 * 3600000);
    assert_empty(w);
    assert_int_equal(courier_stats(w->courier).delivered, rows);
    world_close(w);
}

static void refused_rows_become_notices_with_their_row(void **state)
{
    (void)state;
    struct cworld *w = start(11);
    size_t gone = world_peer(w, "gone.test"), not_ours = world_peer(w, "refuses.test");
    struct reports r;
    w->places[gone].mood = SAYS_GONE;
    w->places[not_ours].mood = SAYS_REFUSED;
    w->refuse_reports = true; /* the notice can't be kept: then the row stays */
    put_one(w, gone, 1, false, 11);
    put_one(w, gone, 1, false, 0); /* wants no report */
    put_one(w, not_ours, 1, false, 12);
    world_run_ms(w, 5000);
    assert_int_equal(world_left(w).rows, 3);
    world_reports(w, &r);
    assert_int_equal(r.count, 0);
    w->refuse_reports = false;
    world_run_ms(w, 30000);
    assert_empty(w);
    world_reports(w, &r);
    assert_int_equal(r.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(r.at[i].why, r.at[i].notice == 11 ? QUEUE_GONE : QUEUE_REFUSED);
    assert_int_not_equal(r.at[0].notice, r.at[1].notice);
    world_close(w);
}

static void without_federation_peers_are_refused(void **state)
{
    (void)state;
    static struct cworld w;
    struct reports r;
    world_new(&w, 12);
    w.no_peers = true;
    world_open(&w);
    put_one(&w, world_peer(&w, "peer.test"), 1, false, 3);
    put_one(&w, 0, 1, false, 4);
    world_settle(&w);
    assert_empty(&w);
    assert_int_equal(place_check(&w.places[0]), 1);
    world_reports(&w, &r);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.at[0].notice, 3);
    assert_int_equal(r.at[0].why, QUEUE_REFUSED);
    world_close(&w);
}

/* F3: the oldest application messages go and are reported; commits stay. */
static void F3_backlog_is_bounded_and_its_loss_is_told(void **state)
{
    (void)state;
    static struct cworld w;
    static struct reports r;
    world_new(&w, 13);
    w.backlog_rows = 1000;
    world_open(&w);
    size_t peer = world_peer(&w, "down.test"), slow = world_peer(&w, "hangs.test");
    w.places[peer].mood = w.places[slow].mood = FAILS;
    for (uint32_t i = 0; i < 3000; i++) {
        put_one(&w, peer, i % REFS, i % 10 == 0, i % 10 == 0 ? 200 : 100);
        if (i % 100 == 0)
            world_run_ms(&w, 500);
    }
    world_run_ms(&w, 120000);
    assert_in_range(world_left(&w).rows, 800, 1000);
    world_reports(&w, &r);
    assert_int_equal(r.count + world_left(&w).rows, 3000);
    assert_int_equal(courier_stats(w.courier).lost, r.count);
    for (size_t i = 0; i < r.count; i++) {
        assert_int_equal(r.at[i].notice, 100);
        assert_int_equal(r.at[i].why, QUEUE_LATER);
    }
    w.places[peer].mood = TAKES;
    courier_contact(w.courier, bytes_str("down.test"));
    world_settle(&w);
    assert_empty(&w);
    assert_int_equal(place_check(&w.places[peer]), 3000 - r.count);
    assert_int_equal(w.places[peer].taken[w.places[peer].taken_count - 1].message, 3000);
    world_close(&w);
}

static void rows_are_over_after_fourteen_days(void **state)
{
    (void)state;
    struct cworld *w = start(14);
    size_t peer = world_peer(w, "down.test");
    struct reports r;
    w->places[peer].mood = FAILS;
    put_one(w, peer, 1, true, 21);
    world_run_ms(w, UINT64_C(10) * 86400000);
    put_one(w, peer, 1, false, 22);
    world_run_ms(w, UINT64_C(4) * 86400000 - 7200000);
    assert_int_equal(world_left(w).rows, 2);
    world_run_ms(w, UINT64_C(86400000) * 3 / 2);
    assert_int_equal(world_left(w).rows, 1);
    world_reports(w, &r);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.at[0].notice, 21);
    assert_int_equal(r.at[0].why, QUEUE_LATER);
    w->places[peer].mood = TAKES;
    world_run_ms(w, 3600000);
    assert_int_equal(place_check(&w->places[peer]), 1);
    assert_empty(w);
    world_close(w);
}

static void a_damaged_row_is_lost_alone(void **state)
{
    (void)state;
    struct cworld *w = start(15);
    static struct putting p;
    w->places[0].mood = FAILS;
    for (uint32_t i = 1; i < 10; i++)
        put_one(w, 0, i, false, 5);
    world_settle(w);
    assert_ok(store_call(w->store, run_damage, w));
    w->places[0].mood = TAKES;
    world_run_ms(w, 20000);
    assert_int_equal(place_check(&w->places[0]), 8);
    assert_int_equal(courier_stats(w->courier).lost, 1);
    assert_empty(w);
    (void)p;
    world_close(w);
}

/* A wake-up that never came (no memory for the post) is made up for. */
static void rows_without_a_wake_up_are_found(void **state)
{
    (void)state;
    struct cworld *w = start(16);
    static struct putting p;
    world_settle(w);
    putting_begin(&p, w);
    putting_to(&p, 0, 1, false, 0);
    assert_ok(store_call(w->store, run_put_big, &(struct big_put){&p, p.body, p.body_len}));
    world_run_ms(w, 10001);
    assert_int_equal(place_check(&w->places[0]), 1);
    world_close(w);
}

/* Rows that come while a batch is under way that was read to the end of what there was. */
static void rows_that_come_meanwhile_follow(void **state)
{
    (void)state;
    struct cworld *w = start(17);
    w->places[0].mood = HANGS;
    put_one(w, 0, 1, false, 0);
    world_settle(w);
    put_one(w, 0, 1, false, 0);
    put_one(w, 0, 2, false, 0);
    world_settle(w);
    assert_int_equal(w->places[0].batches, 1);
    w->places[0].mood = TAKES;
    release_hanging(w, ERR_OK);
    world_settle(w);
    assert_int_equal(place_check(&w->places[0]), 3);
    assert_empty(w);
    world_close(w);
}

/* The body stays for the last of its rows. */
static void body_waits_for_its_last_row(void **state)
{
    (void)state;
    static struct putting p;
    struct cworld *w = start(18);
    size_t peer = world_peer(w, "down.test");
    w->places[peer].mood = FAILS;
    putting_begin(&p, w);
    putting_to(&p, peer, 1, false, 0);
    putting_to(&p, 0, 1, false, 0);
    putting_end(&p);
    world_settle(w);
    assert_int_equal(place_check(&w->places[0]), 1);
    assert_int_equal(world_left(w).bodies, 1);
    w->places[peer].mood = TAKES;
    world_run_ms(w, 2000);
    assert_int_equal(place_check(&w->places[peer]), 1);
    assert_empty(w);
    world_close(w);
}

/* All of them have the same newest row: a look takes 64 at a time. */
static void note_rows(void *to, const struct courier_domain *d)
{
    uint64_t *sum = to;
    assert_true(bytes_equal(d->name, bytes_str("down.test")));
    assert_true(d->failures > 0 && d->due_s > 0);
    *sum += d->rows;
}

/* The operator gives up what waits for a domain, commits too; others are left alone, and what comes
 * afterwards is delivered. */
static void an_operator_drops_a_backlog(void **state)
{
    (void)state;
    struct cworld *w = start(31);
    static struct reports r;
    uint64_t shown = 0;
    size_t peer = world_peer(w, "down.test");
    w->places[peer].mood = FAILS;
    for (uint32_t i = 0; i < 400; i++)
        put_one(w, peer, i % REFS, i % 10 == 0, 100);
    world_run_ms(w, 30000);
    courier_each(w->courier, note_rows, &shown);
    assert_int_equal(shown, 400);
    assert_false(courier_drop(w->courier, bytes_str("up.test")));
    assert_true(courier_drop(w->courier, bytes_str("down.test")));
    world_run_ms(w, 100);
    assert_empty(w);
    world_reports(w, &r);
    assert_int_equal(r.count, 400);
    w->places[peer].mood = TAKES;
    put_one(w, peer, 1, false, 100);
    courier_contact(w->courier, bytes_str("down.test"));
    world_run_ms(w, 100);
    assert_int_equal(w->places[peer].taken_count, 1);
    assert_false(courier_drop(w->courier, bytes_str("down.test"))); /* known still, has nothing */
    world_close(w);
}

static void one_payload_to_a_hundred_domains(void **state)
{
    (void)state;
    static struct putting p;
    char name[32];
    struct cworld *w = start(19);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "peer%d.test", i);
        (void)world_peer(w, name);
    }
    putting_begin(&p, w);
    for (size_t i = 1; i <= 100; i++)
        putting_to(&p, i, 1, false, 0);
    putting_end(&p);
    world_settle(w);
    for (size_t i = 1; i <= 100; i++)
        assert_int_equal(place_check(&w->places[i]), 1);
    assert_empty(w);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_once_in_order_and_leave_nothing),
        cmocka_unit_test(numbers_never_begin_anew),
        cmocka_unit_test(numbers_go_on_after_a_backup_was_restored),
        cmocka_unit_test(numbers_go_on_after_a_start_and_a_backup_of_before),
        cmocka_unit_test(numbers_go_on_after_two_starts_of_one_second),
        cmocka_unit_test(payload_larger_than_a_batch_goes_alone),
        cmocka_unit_test(bounds_of_a_payload_hold),
        cmocka_unit_test(image_names_no_peer_and_no_reference),
        cmocka_unit_test(F2_a_dead_peer_delays_nobody),
        cmocka_unit_test(F3_failures_back_off_and_a_contact_ends_it),
        cmocka_unit_test(our_own_queue_is_tried_again_soon),
        cmocka_unit_test(later_holds_back_its_reference_alone),
        cmocka_unit_test(more_laters_than_are_remembered_hold_the_domain),
        cmocka_unit_test(refused_rows_become_notices_with_their_row),
        cmocka_unit_test(without_federation_peers_are_refused),
        cmocka_unit_test(F3_backlog_is_bounded_and_its_loss_is_told),
        cmocka_unit_test(rows_are_over_after_fourteen_days),
        cmocka_unit_test(a_damaged_row_is_lost_alone),
        cmocka_unit_test(rows_without_a_wake_up_are_found),
        cmocka_unit_test(rows_that_come_meanwhile_follow),
        cmocka_unit_test(body_waits_for_its_last_row),
        cmocka_unit_test(an_operator_drops_a_backlog),
        cmocka_unit_test(one_payload_to_a_hundred_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
