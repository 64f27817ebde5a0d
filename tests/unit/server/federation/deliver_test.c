/* What one homeserver sends arrives in queues of another, signed, in order, once. */
#include "support/land/land.h"

static struct land land;

static struct land_home *home(size_t i)
{
    return &land.homes[i];
}

static void put(struct land_ref *r)
{
    assert_true(land_put(&land, &r, 1, false, 1, 100));
}

static void put_many(struct land_ref *r, int count)
{
    for (int i = 0; i < count; i++)
        put(r);
}

/* a.test and b.test, and a reference to b's client for a. */
static struct land_ref *begin(uint64_t seed)
{
    land_init(&land, seed, 2);
    land_open(&land);
    return land_reference(&land, 0, land_client(home(1)));
}

/* The least: a message from a.test to a queue of b.test. The first attempt finds that b.test has to
 * fetch our keys; the second one goes through. */
static void a_message_arrives(void **state)
{
    (void)state;
    struct land_ref *r = begin(1);
    put(r);
    land_run_ms(&land, 10);
    assert_int_equal(land_check(&land, true), 0);
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 1);
    assert_int_equal(land_waiting(home(0)), 0);
    put_many(r, 50);
    land_run_ms(&land, 10); /* no more waiting: the key is known */
    assert_int_equal(land_check(&land, false), 51);
    land_close(&land);
}

/* The answer is lost again and again: what is sent again is known by its number. */
static size_t with_lost_answers(bool numbered, size_t *ret_faults)
{
    size_t came;
    struct land_ref *r = begin(2);
    home(0)->detour.numbered = numbered;
    put(r);
    land_run_ms(&land, 2000);
    ways_cut(&land.ways, 0, 1, PIPE_TO_CLIENT, true);
    put_many(r, 20);
    land_run_ms(&land, 60000);
    (void)land_faults(&land, true, &came);
    assert_true(came >= 21); /* it is the answers that are lost */
    ways_cut(&land.ways, 0, 1, PIPE_TO_CLIENT, false);
    put_many(r, 20);
    land_run_ms(&land, 120000);
    assert_int_equal(land_waiting(home(0)), 0);
    *ret_faults = land_faults(&land, false, &came);
    land_close(&land);
    return came;
}

static void lost_answers_double_nothing(void **state)
{
    size_t faults;
    (void)state;
    assert_int_equal(with_lost_answers(false, &faults), 41);
    assert_int_equal(faults, 0);
}

static void control_without_numbers_they_do(void **state)
{
    size_t faults;
    (void)state;
    (void)with_lost_answers(true, &faults);
    assert_true(faults > 0);
}

/* Rows of one reference go in order; what comes behind a later one is taken for a repeat. */
static void control_order_is_what_the_cursor_needs(void **state)
{
    size_t came;
    (void)state;
    struct land_ref *r = begin(3);
    home(0)->detour.backwards = true;
    put_many(r, 5);
    land_run_ms(&land, 5000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_true(land_faults(&land, false, &came) > 0);
    land_close(&land);
}

/* Each hears the other, and no answers: they don't spur each other on. */
static void lost_answers_both_ways_make_no_storm(void **state)
{
    (void)state;
    struct land_ref *to = begin(8);
    struct land_ref *from = land_reference(&land, 1, land_client(home(0)));
    put(to), put(from);
    land_run_ms(&land, 3000);
    unsigned before = home(0)->detour.batches + home(1)->detour.batches;
    ways_cut(&land.ways, 0, 1, PIPE_TO_CLIENT, true);
    ways_cut(&land.ways, 1, 0, PIPE_TO_CLIENT, true);
    put(to), put(from);
    land_run_ms(&land, 100000);
    assert_in_range(home(0)->detour.batches + home(1)->detour.batches - before, 4, 400);
    ways_cut(&land.ways, 0, 1, PIPE_TO_CLIENT, false);
    ways_cut(&land.ways, 1, 0, PIPE_TO_CLIENT, false);
    land_run_ms(&land, 10000);
    assert_int_equal(land_check(&land, false), 4);
    land_close(&land);
}

/* A new key signs; the receiver fetches it when the old one does not hold any more. */
static void a_key_is_rotated(void **state)
{
    (void)state;
    struct land_ref *r = begin(4);
    put(r);
    land_run_ms(&land, 2000);
    land_run_ms(&land, KEYS_AGAIN_S * 1000);
    unsigned dials = land.ways.dials[1][0];
    assert_ok(keeper_rotate(home(0)->env.keeper, KEEPER_FEDERATION));
    assert_ok(info_refresh(home(0)->info));
    put(r);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 2);
    assert_true(land.ways.dials[1][0] <= dials + 1);
    land_close(&land);
}

/* a.test was known to b.test, lost its keys, and has something for b.test. */
static void begin_anew(uint64_t seed)
{
    struct land_ref *r = begin(seed);
    put(r);
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 1);
    land_home_kill(home(0), false);
    keeper_close(home(0)->env.keeper);
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &land.clock, &land.rng, &home(0)->env.keeper));
    land_home_open(home(0));
    put(r);
}

/* Another root under the same name is somebody else: nothing of his is taken. */
static void another_root_is_refused(void **state)
{
    (void)state;
    begin_anew(5);
    land_run_ms(&land, 3600000);
    assert_int_equal(land_check(&land, true), 1);
    assert_int_equal(land_waiting(home(0)), 1);
    land_close(&land);
}

/* A root stays the one that was seen first, however long ago the key under it has ended: else
 * whoever has the name by then, as after a domain was sold, would be who it was before. */
static void a_root_outlives_its_key(void **state)
{
    (void)state;
    begin_anew(15);
    land_run_ms(&land, 10);
    land_home_kill(home(1), false);
    land_home_kill(home(0), false);
    land.fake.now_us += (uint64_t)2 * INFO_KEY_DAYS * 86400 * 1000000;
    land_home_open(home(1));
    federation_lock(home(1)->federation);
    const struct peer *peer = peer_find(home(1)->federation, bytes_str("a.test"));
    const bool pinned = peer != NULL && peer->pinned, valid = peer != NULL && peer_has_key(peer);
    federation_unlock(home(1)->federation);
    assert_true(pinned && !valid);
    land_home_open(home(0));
    put(&land.refs[0]);
    land_run_ms(&land, 600000);
    assert_int_equal(land_check(&land, true), 1);
    assert_int_equal(land_waiting(home(0)), 1); /* the other one was too old */
    land_close(&land);
}

struct roots {
    uint8_t known[CREDENTIAL_FINGERPRINT_BYTES], shown[CREDENTIAL_FINGERPRINT_BYTES];
    bool other;
};

static void take_roots(void *to, const struct federation_peer *p)
{
    struct roots *r = to;
    if (!bytes_equal(p->domain, bytes_str("a.test")))
        return;
    assert_int_equal(p->root.len, sizeof r->known);
    memcpy(r->known, p->root.data, sizeof r->known);
    r->other = p->other_root.len > 0;
    if (r->other)
        memcpy(r->shown, p->other_root.data, sizeof r->shown);
}

static struct roots roots_at_b(void)
{
    struct roots r = {.other = false};
    federation_each(home(1)->federation, take_roots, &r);
    return r;
}

/* What b's operator is told. */
static enum err_code accept_root(const uint8_t root[CREDENTIAL_FINGERPRINT_BYTES])
{
    return federation_accept_root(home(1)->federation, bytes_str("a.test"), root).code;
}

/* The operator lets it in: the root that it shows, none other, and not before it is durable. */
static void another_root_is_let_in(void **state)
{
    (void)state;
    uint8_t wrong[CREDENTIAL_FINGERPRINT_BYTES] = {1};
    begin_anew(14);
    land_run_ms(&land, 600000);
    struct roots roots = roots_at_b();
    assert_true(roots.other && memcmp(roots.known, roots.shown, sizeof roots.known) != 0);
    assert_int_equal(accept_root(wrong), ERR_FEDERATION_KEYS);
    assert_int_equal(accept_root(wrong), ERR_FEDERATION_KEYS);
    land_run_ms(&land, 1000);
    assert_int_equal(accept_root(wrong), ERR_FEDERATION_ROOT_OTHER);
    assert_int_equal(federation_accept_root(home(1)->federation, bytes_str("c.test"), wrong).code,
                     ERR_NOT_FOUND);
    vfs_fail(home(1)->vfs, VFS_SYNC, VFS_ERROR, 0, 1);
    assert_int_not_equal(accept_root(roots.shown), ERR_NONE);
    assert_true(vfs_failed(home(1)->vfs));
    assert_memory_equal(roots_at_b().known, roots.known, sizeof roots.known);
    assert_true(roots_at_b().other);
    land_home_kill(home(1), true);
    land_home_open(home(1));
    assert_int_equal(land_check(&land, true), 1);
    assert_int_equal(accept_root(roots.shown),
                     ERR_FEDERATION_KEYS); /* what it shows was forgotten */
    land_run_ms(&land, 1000);
    assert_int_equal(accept_root(roots.shown), ERR_NONE);
    assert_memory_equal(roots_at_b().known, roots.shown, sizeof roots.known);
    assert_false(roots_at_b().other);
    land_home_kill(home(1), true); /* at once: it was durable */
    land_home_open(home(1));
    assert_memory_equal(roots_at_b().known, roots.shown, sizeof roots.known);
    land_run_ms(&land, 3600000);
    assert_int_equal(land_check(&land, false), 2);
    land_close(&land);
}

/* A peer that is not there does not keep others waiting; when it is back it gets everything, and
 * its first word ends the waiting. */
static void a_dead_peer_delays_nobody(void **state)
{
    (void)state;
    land_init(&land, 6, 3);
    land_open(&land);
    struct land_ref *dead = land_reference(&land, 0, land_client(home(1)));
    struct land_ref *live = land_reference(&land, 0, land_client(home(2)));
    struct land_ref *back = land_reference(&land, 1, land_client(home(0)));
    put(dead), put(live), put(back);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 3);
    land_home_kill(home(1), false);
    for (int i = 0; i < 100; i++) {
        put(dead), put(live);
        land_run_ms(&land, 5000);
        size_t came;
        (void)land_faults(&land, true, &came);
        assert_int_equal(came, (size_t)(3 + 1 + i));
    }
    land_home_open(home(1));
    land_run_ms(&land, 1000);
    put(back); /* contact; its keys are fetched first */
    land_run_ms(&land, 5000);
    assert_int_equal(land_check(&land, false), 2 * 101 + 2);
    land_close(&land);
}

/* Who starts again says so, and has nothing else to say: what waited comes at once, however long
 * it was away. */
static void who_starts_again_says_so(void **state)
{
    (void)state;
    struct land_ref *r = begin(9);
    struct land_ref *back = land_reference(&land, 1, land_client(home(0)));
    put(r), put(back);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 2);
    land_home_kill(home(1), false);
    put(r);
    land_run_ms(&land, UINT64_C(2) * 86400 * 1000);
    unsigned before = home(0)->detour.batches;
    land_home_open(home(1));
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 3);
    assert_int_equal(home(0)->detour.batches, before + 1);
    land_close(&land);
}

/* It has never had to tell us anything, so its greeting makes us fetch its keys, and is not heard
 * again: that they came is enough. */
static void who_starts_again_is_heard_by_who_had_no_keys(void **state)
{
    (void)state;
    struct land_ref *r = begin(10);
    put(r);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 1);
    land_home_kill(home(1), false);
    put(r);
    land_run_ms(&land, UINT64_C(2) * 86400 * 1000);
    land_home_open(home(1));
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 2);
    assert_int_equal(land_waiting(home(0)), 0);
    land_close(&land);
}

/* The keys that its greeting made us fetch did not come: it had ended again, or the way was broken.
 * It is heard all the same. */
static void who_starts_again_is_heard_though_keys_were_late(void **state)
{
    (void)state;
    struct land_ref *r = begin(17);
    put(r);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 1);
    land_home_kill(home(1), false);
    put(r);
    land_run_ms(&land, UINT64_C(2) * 86400 * 1000);
    ways_cut(&land.ways, 0, 1, PIPE_TO_SERVER, true);
    land_home_open(home(1));
    land_run_ms(&land, (KEYS_MS + 1000));
    ways_cut(&land.ways, 0, 1, PIPE_TO_SERVER, false);
    assert_int_equal(land_waiting(home(0)), 1);
    land_run_ms(&land, 20000);
    assert_int_equal(land_check(&land, false), 2);
    assert_int_equal(land_waiting(home(0)), 0);
    land_close(&land);
}

/* It was away for long, and what it says first is that it does not know our new key: it has that
 * in a moment, and does not wait for another hour. */
static void who_answers_no_is_there(void **state)
{
    (void)state;
    struct land_ref *r = begin(18);
    put(r);
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 1);
    land_home_kill(home(1), false);
    put(r);
    land_run_ms(&land, UINT64_C(2) * 86400 * 1000);
    assert_ok(keeper_rotate(home(0)->env.keeper, KEEPER_FEDERATION));
    assert_ok(info_refresh(home(0)->info));
    ways_cut(&land.ways, 1, 0, PIPE_TO_SERVER, true); /* its greeting is lost */
    land_home_open(home(1));
    land_run_ms(&land, 15000);
    ways_cut(&land.ways, 1, 0, PIPE_TO_SERVER, false);
    unsigned before = home(0)->detour.batches;
    for (int s = 0; s < 7200 && home(0)->detour.batches == before; s++)
        land_run_ms(&land, 1000);
    assert_true(home(0)->detour.batches > before);
    land_run_ms(&land, 10000);
    assert_int_equal(land_check(&land, false), 2);
    assert_in_range(home(0)->detour.batches - before, 2, 6);
    land_close(&land);
}

/* Gone for good, or not ours: said once, and reported. */
static void what_can_not_be_delivered_is_reported(void **state)
{
    (void)state;
    struct land_ref *r = begin(7);
    struct qclient *second = land_client(home(1));
    struct land_ref *gone = land_reference(&land, 0, second);
    struct land_ref *elsewhere = land_reference(&land, 0, land_client(home(0)));
    put(r), put(gone);
    land_run_ms(&land, 2000);
    (void)land_check(&land, false);
    assert_int_equal(qclient_delete(second, &second->user), HEARTH_OK);
    home(1)->client_count--; /* fetches no more */
    gone->gone = true;
    elsewhere->home =
        1; /* b.test is asked to take what is for a queue of a.test: it relays nothing */
    elsewhere->gone = true;
    put(gone), put(elsewhere), put(r);
    land_run_ms(&land, 5000);
    assert_int_equal(land_reports(home(0), QUEUE_GONE), 1);
    assert_int_equal(land_reports(home(0), QUEUE_REFUSED), 1);
    assert_int_equal(land_waiting(home(0)), 0);
    qclient_free(second);
    (void)land_check(&land, true);
    land_close(&land);
}

/* In the place of b.test: so many outcomes it answers, all of them OK, whatever it is sent. */
static size_t answered, delivers;

static enum hearth_code answer_short(struct hearth_call *call, const Hearth__V1__DeliverRequest *in,
                                     Hearth__V1__DeliverResponse *out, void *unused)
{
    (void)unused;
    assert_true(in->n_rows > 0);
    delivers++;
    out->outcomes = hearth_call_alloc(call, (answered + 1) * sizeof *out->outcomes);
    for (size_t i = 0; i < answered; i++)
        out->outcomes[i] = HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_OK;
    out->n_outcomes = answered;
    return HEARTH_OK;
}

/* Which of the rows an answer speaks of, nobody knows when there are not as many: none is taken for
 * delivered, for what is not in a queue then would be lost without a word. */
static void an_answer_speaks_of_each_row(void **state)
{
    static const struct hearth_federation_service liar = {.deliver = answer_short};
    static const size_t counts[] = {0, 1, 2, 4};
    (void)state;
    struct land_ref *r = begin(16);
    put(r);
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 1);
    land_home_kill(home(1), false);
    put_many(r, 3);
    struct hearth_server *server = hearth_server_new(
        &(struct hearth_server_options){.limits = {.accepts_per_s = 1000, .accepts_burst = 1000}});
    assert_true(server != NULL && hearth_server_add_federation(server, &liar, NULL));
    assert_true(hearth_server_listen(server, home(1)->pipe, NULL));
    assert_true(hearth_server_start_on(server, land.loop));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        answered = counts[i];
        delivers = 0;
        courier_contact(home(0)->courier, bytes_str("b.test")); /* its waiting is over */
        land_run_ms(&land, 5000);
        assert_true(delivers > 0);
        assert_int_equal(land_waiting(home(0)), 3);
    }
    hearth_server_free(server);
    land_home_open(home(1));
    land_run_ms(&land, 5000);
    assert_int_equal(land_check(&land, false), 4);
    assert_int_equal(land_waiting(home(0)), 0);
    land_close(&land);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives),
        cmocka_unit_test(lost_answers_double_nothing),
        cmocka_unit_test(control_without_numbers_they_do),
        cmocka_unit_test(control_order_is_what_the_cursor_needs),
        cmocka_unit_test(lost_answers_both_ways_make_no_storm),
        cmocka_unit_test(a_key_is_rotated),
        cmocka_unit_test(another_root_is_refused),
        cmocka_unit_test(another_root_is_let_in),
        cmocka_unit_test(a_root_outlives_its_key),
        cmocka_unit_test(an_answer_speaks_of_each_row),
        cmocka_unit_test(a_dead_peer_delays_nobody),
        cmocka_unit_test(who_starts_again_says_so),
        cmocka_unit_test(who_starts_again_is_heard_by_who_had_no_keys),
        cmocka_unit_test(who_starts_again_is_heard_though_keys_were_late),
        cmocka_unit_test(who_answers_no_is_there),
        cmocka_unit_test(what_can_not_be_delivered_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
