/* DoS16: what one homeserver can do to another, with the limits as shipped and, as controls, off.
 * And no reflection: who is not known makes us call nobody. */
#include <stdio.h>

#include "support/land/land.h"

static struct land land;

static struct land_home *home(size_t i)
{
    return &land.homes[i];
}

static bool put(struct land_ref *r)
{
    return land_put(&land, &r, 1, false, 1, 100);
}

/* c.test knows nobody, and finds domains as if by DNS. */
static void begin(uint64_t seed, bool limits)
{
    land_init(&land, seed, 3);
    for (size_t i = 0; i < 3; i++)
        home(i)->limits = limits;
    home(1)->found = true;
    land_open(&land);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(limits_set(front_limits(home(i)->front), "CREATE_QUEUE_PREFIX", 1000));
        assert_ok(limits_set(front_limits(home(i)->front), "ANONYMOUS_PREFIX", 10000));
    }
}

/* A reference that one of our users gave away opens the door to a homeserver that is new here. */
static void a_reference_introduces(void **state)
{
    (void)state;
    begin(1, true);
    struct land_ref *r = land_reference(&land, 0, land_client(home(1)));
    assert_true(put(r));
    land_run_ms(&land, 5000);
    assert_int_equal(land_check(&land, false), 1);
    assert_int_equal(land.ways.dials[1][0], 1);
    land_close(&land);
}

/* Without one, or with one that is not ours or that another uses, nobody is called. */
static void strangers_make_us_call_nobody(void **state)
{
    (void)state;
    begin(2, true);
    struct qclient *c = land_client(home(1));
    struct land_ref *taken = land_reference(&land, 0, c);
    assert_true(put(taken));
    land_run_ms(&land, 5000);
    struct land_ref *stolen = land_reference(&land, 2, c);
    stolen->ref = taken->ref;
    assert_true(put(stolen));
    land_run_ms(&land, 60000);
    struct land_ref *foreign = land_reference(&land, 2, land_client(home(2)));
    foreign->home = 1;
    for (int i = 0; i < 20; i++)
        assert_true(put(foreign));
    land_run_ms(&land, 60000);
    assert_int_equal(land.ways.dials[1][2], 0);
    assert_int_equal(land_waiting(home(2)), 21);
    assert_true(home(2)->detour.batches > 3); /* it did try */
    land_close(&land);
}

/* One reference can't name any number of domains: its owner's contact could have us call them all.
 */
static void one_reference_introduces_few(void **state)
{
    (void)state;
    begin(3, true);
    struct land_ref *r = land_reference(&land, 2, land_client(home(1)));
    home(1)->settings.mode = FEDERATION_OPEN;
    ways_cut(&land.ways, 1, 2, PIPE_TO_SERVER, true); /* what is fetched never comes */
    assert_true(put(r));
    land_run_ms(&land, 600000);
    assert_true(land.ways.dials[1][2] >= 1 && land.ways.dials[1][2] <= 8);
    land_close(&land);
}

/* One queue gets 1,800 rows of an origin at once, then thirty a second; nothing is lost, and
 * another queue of the same origin does not wait for it. */
static uint64_t flood_one_queue(bool limits)
{
    begin(4, limits);
    struct land_ref *flooded = land_reference(&land, 0, land_client(home(2)));
    struct land_ref *other = land_reference(&land, 0, land_client(home(2)));
    assert_true(put(flooded));
    land_run_ms(&land, 3000);
    for (int i = 0; i < 2040; i++)
        assert_true(put(flooded));
    assert_true(put(other));
    land_run_ms(&land, 1000);
    size_t came;
    assert_int_equal(land_faults(&land, true, &came), 0);
    assert_true(other->ref.owner->ratchet.sequence > 1);
    uint64_t waiting = land_waiting(home(0));
    land_run_ms(&land, 7200000);
    assert_int_equal(land_check(&land, false), 2042);
    land_close(&land);
    return waiting;
}

static void one_queue_is_not_flooded(void **state)
{
    (void)state;
    assert_true(flood_one_queue(true) >= 150);
}

static void control_it_is_without_limits(void **state)
{
    (void)state;
    assert_int_equal(flood_one_queue(false), 0);
}

/* One homeserver's rows are a share of the writer, counted as they are stored: here 100 at once, 8
 * a second. A batch that is more than all of it takes all of it. */
static uint64_t flood_the_writer(bool limits)
{
    begin(7, limits);
    assert_ok(limits_set(front_limits(home(2)->front), "PEER_ROWS", 100));
    struct land_ref *refs[3];
    for (size_t i = 0; i < 3; i++) {
        refs[i] = land_reference(&land, 0, land_client(home(2)));
        assert_true(put(refs[i]));
    }
    land_run_ms(&land, 3000);
    for (int i = 0; i < 20; i++) /* 2 further rows each, for their size */
        assert_true(land_put(&land, refs, 3, false, 1, 9000));
    land_run_ms(&land, 1000);
    for (int i = 0; i < 20; i++)
        assert_true(land_put(&land, refs, 3, false, 1, 9000));
    land_run_ms(&land, 3000);
    uint64_t waiting = land_waiting(home(0));
    land_run_ms(&land, 7200000);
    assert_int_equal(land_check(&land, false), 123);
    land_close(&land);
    return waiting;
}

static void the_writer_is_shared(void **state)
{
    (void)state;
    assert_int_equal(flood_the_writer(true), 60);
}

static void control_it_is_not_without_limits(void **state)
{
    (void)state;
    assert_int_equal(flood_the_writer(false), 0);
}

/* One payload for many queues: its batch is small, and much to write. What the bucket could not
 * hold is paid for before anything else is taken: here 240 at once, 20 a second. */
static void what_is_more_than_the_bucket_is_owed(void **state)
{
    (void)state;
    begin(8, true);
    assert_ok(limits_set(front_limits(home(2)->front), "PEER_ROWS", 240));
    struct land_ref *refs[30];
    struct qclient *c = land_client(home(2));
    for (size_t i = 0; i < 30; i++)
        refs[i] = land_reference(&land, 0, c);
    assert_true(put(refs[0]));
    land_run_ms(&land, 20000);
    assert_int_equal(land_check(&land, false), 1);
    assert_true(land_put(&land, refs, 30, false, 1, 65536)); /* 17 each: 270 more than there are */
    land_run_ms(&land, 1000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_true(put(refs[0]));
    land_run_ms(&land, 11000);
    assert_int_equal(land_waiting(home(0)), 1); /* of 13.5 s */
    land_run_ms(&land, 30000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_int_equal(land_check(&land, false), 32);
    land_close(&land);
}

/* References that are refused are the doing of users over there, whom their homeserver can't look
 * at: they have it put off for as long as they cost, and not banned. */
static void nobody_gets_his_homeserver_banned(void **state)
{
    (void)state;
    begin(5, true);
    struct land_ref *good = land_reference(&land, 0, land_client(home(2)));
    struct land_ref *bad = land_reference(&land, 0, land_client(home(0)));
    bad->home = 2; /* of no queue there */
    bad->gone = true;
    assert_true(put(good));
    land_run_ms(&land, 3000);
    for (int i = 0; i < 450; i++)
        assert_true(put(bad));
    land_run_ms(&land, 5000);
    assert_true(put(good));
    land_run_ms(&land, 60000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_int_equal(land_check(&land, false), 2);
    assert_int_equal(land_reports(home(0), QUEUE_REFUSED), 450);
    land_close(&land);
}

/* So much of it takes its time, which is what it costs. */
static void refused_rows_take_their_time(void **state)
{
    (void)state;
    begin(7, true);
    assert_ok(limits_set(front_limits(home(2)->front), "PEER_INVALID", 100)); /* 20 a second */
    struct land_ref *bad = land_reference(&land, 0, land_client(home(0)));
    bad->home = 2;
    bad->gone = true;
    for (int i = 0; i < 450; i++)
        assert_true(put(bad));
    land_run_ms(&land, 2000);
    assert_true(land_waiting(home(0)) > 0);
    land_run_ms(&land, 60000);
    assert_int_equal(land_waiting(home(0)), 0);
    land_close(&land);
}

static void on_malformed(const struct hearth_status *status, const Hearth__V1__DeliverResponse *out,
                         void *arg)
{
    (void)out;
    *(enum hearth_code *)arg = status->code;
}

/* A signed batch with a row that names no payload of it. */
static enum hearth_code send_malformed(struct land_home *from)
{
    uint8_t ref[100] = {1}, id[16] = {0};
    enum hearth_code code = HEARTH_OK;
    Hearth__V1__DeliverRequest in = HEARTH__V1__DELIVER_REQUEST__INIT;
    Hearth__V1__DeliverRow row = HEARTH__V1__DELIVER_ROW__INIT, *rows = &row;
    Hearth__V1__DeliverPayload payload = HEARTH__V1__DELIVER_PAYLOAD__INIT, *payloads = &payload;
    row.sealed_reference = (ProtobufCBinaryData){sizeof ref, ref};
    row.payload = 1;
    row.sequence = 1;
    payload.payload_id = in.batch_id = (ProtobufCBinaryData){sizeof id, id};
    payload.sealed = (ProtobufCBinaryData){sizeof ref, ref};
    in.n_rows = in.n_payloads = 1;
    in.rows = &rows;
    in.payloads = &payloads;
    struct peer *peer = peer_find(from->federation, bytes_str("c.test"));
    const struct hearth_call_options options = {
        .deadline_ms = 5000, .no_retry = true, .signer = signer_of(&peer->signing)};
    assert_non_null(
        hearth_federation_deliver_start(peer->channel, &options, &in, on_malformed, &code));
    land_run_ms(&land, 10);
    return code;
}

/* What no user can cause has a homeserver banned; the ban ends, the next one is longer. */
static void rubbish_is_banned(void **state)
{
    (void)state;
    begin(8, true);
    struct land_ref *good = land_reference(&land, 0, land_client(home(2)));
    assert_true(put(good));
    land_run_ms(&land, 3000);
    enum hearth_code code = HEARTH_INVALID_ARGUMENT;
    int sent = 0;
    for (; sent < 50 && code == HEARTH_INVALID_ARGUMENT; sent++)
        code = send_malformed(home(0));
    assert_in_range(sent, 5, 49);
    assert_int_not_equal(code, HEARTH_INVALID_ARGUMENT);
    assert_true(put(good));
    land_run_ms(&land, 5 * 60000);
    assert_int_equal(land_waiting(home(0)), 1); /* banned: what is good waits, too */
    land_run_ms(&land, 30 * 60000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_int_equal(land_check(&land, false), 2);
    land_close(&land);
}

/* Users name domains as they like. However many: who proved who he is is not forgotten for them,
 * neither his root nor his ban. */
static void names_push_nobody_out(void **state)
{
    (void)state;
    begin(9, true);
    struct land_ref *r = land_reference(&land, 0, land_client(home(2)));
    assert_true(put(r));
    land_run_ms(&land, 3000);
    struct federation *f = home(2)->federation;
    struct peer *known = peer_find(f, bytes_str("a.test"));
    assert_true(known != NULL && known->pinned);
    peer_unreach(known, known->channel); /* whom a channel holds stays anyway */
    unsigned made = 0;
    federation_lock(f);
    for (unsigned i = 0; i < 2 * PEERS_MOST; i++) {
        char name[32];
        land.fake.now_us++;
        (void)snprintf(name, sizeof name, "n%u.test", i);
        struct peer *peer = peer_get(f, bytes_str(name));
        made += peer != NULL;
        if (peer != NULL)
            peer_put(peer);
    }
    federation_unlock(f);
    assert_int_equal(made, 2 * PEERS_MOST);
    assert_ptr_equal(peer_find(f, bytes_str("a.test")), known);
    land_close(&land);
}

/* A peer that moved is called at its new place as soon as the operator says where that is, though
 * something still answers at the old one. */
static void a_peer_that_moved(void **state)
{
    (void)state;
    begin(10, true);
    struct land_ref *r = land_reference(&land, 0, land_client(home(2)));
    assert_true(put(r));
    land_run_ms(&land, 3000);
    assert_int_equal(land.ways.dials[0][2], 1);
    char *text = home(0)->peer_texts[1];
    assert_string_equal(text, "c.test=pipe:c@a");
    text[sizeof "c.test=pipe:" - 1] = 'b'; /* nobody it knows: nothing is taken there */
    land_set(home(0));
    unsigned dials = land.ways.dials[0][1];
    assert_true(put(r));
    land_run_ms(&land, 3000);
    assert_true(land.ways.dials[0][1] > dials);
    assert_int_equal(land_waiting(home(0)), 1);
    text[sizeof "c.test=pipe:" - 1] = 'c';
    land_set(home(0));
    land_run_ms(&land, 60000);
    assert_int_equal(land_waiting(home(0)), 0);
    assert_int_equal(land_check(&land, false), 2);
    land_close(&land);
}

/* What the operator says holds from now on, in both directions, and costs no connection. */
static void policy_changes_while_it_runs(void **state)
{
    static const char *const block[] = {"a.test"};
    (void)state;
    begin(6, true);
    struct land_ref *to = land_reference(&land, 0, land_client(home(2)));
    struct land_ref *from = land_reference(&land, 2, land_client(home(0)));
    assert_true(put(to) && put(from));
    land_run_ms(&land, 3000);
    assert_int_equal(land_check(&land, false), 2);
    home(2)->settings.block = block;
    home(2)->settings.block_count = 1;
    land_set(home(2));
    unsigned dials = land.ways.dials[2][0];
    assert_true(put(to) && put(from));
    land_run_ms(&land, 60000);
    size_t came;
    assert_int_equal(land_faults(&land, true, &came), 0);
    assert_int_equal(came, 2);
    assert_int_equal(land.ways.dials[2][0], dials);
    assert_int_equal(land_reports(home(2), QUEUE_REFUSED), 1); /* ours are refused at once */
    from->gone = true;
    assert_int_equal(land_waiting(home(0)), 1); /* theirs wait: it may change again */
    home(2)->settings.block_count = 0;
    land_set(home(2));
    land_run_ms(&land, 200000);
    assert_int_equal(land_check(&land, false), 3);
    land_close(&land);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_introduces),
        cmocka_unit_test(strangers_make_us_call_nobody),
        cmocka_unit_test(one_reference_introduces_few),
        cmocka_unit_test(one_queue_is_not_flooded),
        cmocka_unit_test(control_it_is_without_limits),
        cmocka_unit_test(nobody_gets_his_homeserver_banned),
        cmocka_unit_test(refused_rows_take_their_time),
        cmocka_unit_test(the_writer_is_shared),
        cmocka_unit_test(control_it_is_not_without_limits),
        cmocka_unit_test(what_is_more_than_the_bucket_is_owed),
        cmocka_unit_test(rubbish_is_banned),
        cmocka_unit_test(names_push_nobody_out),
        cmocka_unit_test(a_peer_that_moved),
        cmocka_unit_test(policy_changes_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
