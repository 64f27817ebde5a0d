/* What the server does for a group by itself: queues that are gone, messages that were lost,
 * members who are silent. */
#include "server/delivery/notices.h"
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c;

static int setup_in(uint16_t suite)
{
    memset(&w, 0, sizeof w);
    w.suite = suite_find(suite);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_in(1);
}

/* External senders of other curves: the key of the group's context must be of its suite. */
static int setup_p256(void **state)
{
    (void)state;
    return setup_in(2);
}
static int setup_chacha(void **state)
{
    (void)state;
    return setup_in(3);
}
static int setup_p521(void **state)
{
    (void)state;
    return setup_in(5);
}
static int setup_p384(void **state)
{
    (void)state;
    return setup_in(7);
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

static void expect(enum hearth_code code)
{
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), w.message);
}

static void lose_queue_of_c(void)
{
    c->mood = QUEUE_GONE;
    expect(dw_say(a, "to a queue that is gone"));
    dw_pass_s(&w, 2);
    assert_int_equal(dw_stats(&w).notices, 1);
    assert_int_equal(dw_stats(&w).outbox_rows, 0);
}

static void expect_proposal(struct member *m, enum delivery_reason why)
{
    enum delivery_reason reason;
    struct bytes message;
    assert_int_equal(m->seen[DELIVERY_PROPOSAL], 1);
    assert_ok(delivery_proposal_parse(buf_view(&m->last_body), &reason, &message));
    assert_int_equal(reason, why);
}

static void a_queue_that_is_gone_is_proposed_for_removal(void **state)
{
    (void)state;
    lose_queue_of_c();
    /* the next who brings the key makes the server act; members accept what it signs */
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    dw_receive(a);
    dw_receive(b);
    expect_proposal(a, DELIVERY_REASON_GONE);
    expect_proposal(b, DELIVERY_REASON_GONE);
    /* once is enough, and nothing is sent there any more */
    expect(dw_say(b, "again"));
    dw_pass_s(&w, 2);
    assert_int_equal(dw_stats(&w).notices, 0);
    dw_receive(a);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 1);
    /* a commit must cover it */
    assert_int_equal(dw_commit(b, &(struct dcommit){.no_references = true}),
                     HEARTH_FAILED_PRECONDITION);
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_settle(&w);
    dw_receive(a);
    dw_receive(b);
    assert_int_equal(public_group_member_count(group_public(a->group)), 2);
    /* removed: the key was rotated */
    assert_memory_equal(a->state_key, b->state_key, STATE_KEY_BYTES);
    assert_memory_not_equal(a->state_key, c->state_key, STATE_KEY_BYTES);
}

/* The group goes on with the key it was founded with. */
static void proposals_outlive_rotations_of_the_external_sender(void **state)
{
    for (int i = 0; i < KEEPER_EXTERNAL_BEFORE; i++)
        assert_ok(keeper_rotate(w.keeper, KEEPER_EXTERNAL_SENDER));
    a_queue_that_is_gone_is_proposed_for_removal(state);
}

/* Where the key is forgotten, the group works as ever, without proposals. */
static void a_forgotten_key_proposes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i <= KEEPER_EXTERNAL_BEFORE; i++)
        assert_ok(keeper_rotate_anyway(w.keeper, KEEPER_EXTERNAL_SENDER));
    lose_queue_of_c();
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    dw_receive(a);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 0);
    expect(dw_commit(b, &(struct dcommit){0}));
    /* an admin puts the present key there */
    dw_receive(a);
    struct extensions next = dw_context(&w, &a, 1);
    expect(dw_commit(a, &(struct dcommit){.extensions = &next}));
    dw_pass_s(&w, 2);
    dw_receive(b);
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    dw_receive(a);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 1);
}

/* A key of ours, but of another scheme than the suite's: nobody could verify what it signs. */
static void a_key_of_another_scheme_is_refused(void **state)
{
    (void)state;
    const struct suite *ours = w.suite;
    w.suite = suite_find(ours->id == 1 ? 2 : 1);
    struct extensions wrong = dw_context(&w, &a, 1);
    w.suite = ours;
    assert_int_equal(dw_commit(a, &(struct dcommit){.extensions = &wrong}),
                     HEARTH_INVALID_ARGUMENT);
    assert_string_equal(w.message, "group context lacks roles or the server as external sender");
    struct extensions right = dw_context(&w, &a, 1);
    expect(dw_commit(a, &(struct dcommit){.extensions = &right}));
}

static void the_member_named_may_not_commit(void **state)
{
    (void)state;
    lose_queue_of_c();
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    Hearth__V1__CommitRequest *in = dw_commit_request(c, &(struct dcommit){.no_references = true});
    assert_int_equal(dw_commit_send(c, in), HEARTH_PERMISSION_DENIED);
}

/* An external commit voids what is pending; the server proposes again. */
static void voided_proposals_come_again(void **state)
{
    (void)state;
    lose_queue_of_c();
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    struct dsigner old = dw_signer(b);
    dw_receive(a);
    Hearth__V1__ResyncRequest *in = dw_resync_request(b, a);
    b->read = b->item_count; /* what came before it resynced */
    expect(dw_call(&w, "Resync", &old, &in->base));
    assert_ok(group_merge_pending(b->group));
    dw_settle(&w);
    dw_receive(a);
    expect(dw_say(a, "on"));
    dw_pass_s(&w, 2);
    dw_receive(b);
    assert_int_equal(b->seen[DELIVERY_PROPOSAL], 1);
}

/* Another reference heals it before anybody was told. */
static void another_reference_heals(void **state)
{
    (void)state;
    lose_queue_of_c();
    memset(c->ref, 0x11, sizeof c->ref);
    c->mood = QUEUE_OK;
    Hearth__V1__UpdateQueueReferenceRequest in;
    struct dsigner signer = dw_signer(c);
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, c->state_key);
    in.queue_reference = dw_reference(c);
    expect(dw_call(&w, "UpdateQueueReference", &signer, &in.base));
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 0);
    assert_int_equal(dw_stats(&w).notices, 0);
    expect(dw_say(a, "hello c"));
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&c->text), bytes_str("hello c"));
}

/* And after: what waits for removal is not forgotten, but the queue is served again. */
static void another_reference_is_served(void **state)
{
    (void)state;
    lose_queue_of_c();
    expect(dw_say(b, "next"));
    dw_pass_s(&w, 2);
    size_t had = c->item_count;
    memset(c->ref, 0x11, sizeof c->ref);
    c->mood = QUEUE_OK;
    Hearth__V1__UpdateQueueReferenceRequest in;
    struct dsigner signer = dw_signer(c);
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, c->state_key);
    in.queue_reference = dw_reference(c);
    expect(dw_call(&w, "UpdateQueueReference", &signer, &in.base));
    expect(dw_say(a, "hello c"));
    dw_settle(&w);
    assert_int_equal(c->item_count, had + 1);
}

static uint64_t last_loss(struct member *m)
{
    uint64_t count = 0;
    assert_ok(delivery_loss_parse(buf_view(&m->last_body), &count));
    return count;
}

static void losses_are_told_to_who_lost(void **state)
{
    (void)state;
    c->mood = QUEUE_REFUSED;
    expect(dw_say(a, "one"));
    dw_pass_s(&w, 2);
    c->mood = QUEUE_OK;
    expect(dw_say(a, "two"));
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    assert_int_equal(c->seen[DELIVERY_LOSS], 1);
    assert_int_equal(b->seen[DELIVERY_LOSS], 0);
    assert_int_equal(last_loss(c), 1);
    /* and not again */
    for (int i = 0; i < 3; i++) {
        dw_pass_s(&w, 3600);
        expect(dw_say(a, "on"));
    }
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    assert_int_equal(c->seen[DELIVERY_LOSS], 1);
    /* the next one is counted by itself */
    c->mood = QUEUE_REFUSED;
    expect(dw_say(a, "three"));
    dw_pass_s(&w, 2);
    c->mood = QUEUE_OK;
    expect(dw_say(a, "four"));
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    assert_int_equal(c->seen[DELIVERY_LOSS], 2);
    assert_int_equal(last_loss(c), 1);
}

/* A reference that its queue service refuses, whatever comes: once that the loss is refused, too,
 * it is tried ever more rarely. */
static void who_refuses_all_rests(void **state)
{
    (void)state;
    unsigned tries[4];
    unsigned said = 0;
    c->mood = QUEUE_REFUSED;
    c->refused = 0;
    for (int quarter = 0; quarter < 4; quarter++) {
        unsigned before = c->refused;
        for (int i = 0; i < 30; i++) {
            expect(dw_say(a, "hello?"));
            said++;
            dw_pass_s(&w, 120);
        }
        tries[quarter] = c->refused - before;
    }
    print_message("refused rows of 30 messages each: %u %u %u %u\n", tries[0], tries[1], tries[2],
                  tries[3]);
    assert_true(tries[0] < 30 && tries[3] < 8);
    /* when it takes again, it is told of the loss within the hour, and has what follows */
    c->mood = QUEUE_OK;
    for (int i = 0; i < 14; i++) {
        expect(dw_say(a, "hello again"));
        said++;
        dw_pass_s(&w, 300);
    }
    dw_receive_all(&w);
    assert_int_equal(c->seen[DELIVERY_LOSS], 1);
    /* also of what was not even tried while it rested; about, since a refused word counts as one */
    print_message("%u said, %u received, %u told to be lost\n", said, c->seen[DELIVERY_MESSAGE],
                  (unsigned)last_loss(c));
    assert_true(last_loss(c) + c->seen[DELIVERY_MESSAGE] >= said);
    assert_true(last_loss(c) + c->seen[DELIVERY_MESSAGE] <= said + 1);
    test_assert_bytes(buf_view(&c->text), bytes_str("hello again"));
    assert_int_equal(dw_stats(&w).notices, 0);
}

/* The rest is counted from the telling, not from when somebody next opens the group and the refusal
 * is read: who is quiet for long finds nobody resting who was open again all the time. */
static void a_refusal_of_long_ago_is_no_rest(void **state)
{
    (void)state;
    c->mood = QUEUE_REFUSED;
    for (int i = 0; i < 2; i++) { /* the second makes the server tell, which is refused as well */
        expect(dw_say(a, "hello?"));
        dw_pass_s(&w, 2);
    }
    c->mood = QUEUE_OK;
    dw_pass_s(&w, 600);
    size_t had = c->item_count;
    expect(dw_say(a, "still there?"));
    dw_pass_s(&w, 2);
    expect(dw_say(a, "yes?"));
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    assert_int_equal(c->item_count - had, 3);
    assert_int_equal(c->seen[DELIVERY_LOSS], 1);
    test_assert_bytes(buf_view(&c->text), bytes_str("yes?"));
}

/* Another reference ends the rest, and is told of what the one before lost. */
static void another_reference_ends_the_rest(void **state)
{
    (void)state;
    c->mood = QUEUE_REFUSED;
    for (int i = 0; i < 30; i++) {
        expect(dw_say(a, "hello?"));
        dw_pass_s(&w, 10);
    }
    unsigned had = c->seen[DELIVERY_MESSAGE];
    memset(c->ref, 0x11, sizeof c->ref);
    c->mood = QUEUE_OK;
    Hearth__V1__UpdateQueueReferenceRequest in;
    struct dsigner signer = dw_signer(c);
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, c->state_key);
    in.queue_reference = dw_reference(c);
    expect(dw_call(&w, "UpdateQueueReference", &signer, &in.base));
    expect(dw_say(a, "hello c"));
    dw_pass_s(&w, 2);
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&c->text), bytes_str("hello c"));
    assert_int_equal(c->seen[DELIVERY_LOSS], 1);
    /* of what was refused, and of what was not sent: under the index, whatever the reference */
    dw_receive_all(&w);
    assert_true(last_loss(c) + c->seen[DELIVERY_MESSAGE] - had >= 31 - 1);
    assert_int_equal(dw_stats(&w).notices, 0);
}

/* The courier reports on while the group's next request is at work. */
static struct err report_thrice(struct store_txn *txn, void *arg)
{
    uint8_t notice[NOTICE_BYTES] = {0};
    (void)arg;
    notice_group_tag(w.delivery, buf_view(&w.group_id), notice);
    for (int i = 0; i < 3; i++)
        TRY(delivery_refused(txn, w.delivery, notice, QUEUE_LATER));
    return ERR_OK;
}

struct noticed {
    struct notice notices[NOTICES_AT_ONCE];
    size_t count;
};

static struct err list_notices(struct store_txn *txn, void *arg)
{
    struct noticed *n = arg;
    return notices_list(txn, w.delivery, buf_view(&w.group_id), n->notices, &n->count);
}

static struct err drop_notice(struct store_txn *txn, void *arg)
{
    struct noticed *n = arg;
    return notice_drop(txn, w.delivery, buf_view(&w.group_id), &n->notices[0]);
}

static void losses_meanwhile_are_told_the_next_time(void **state)
{
    struct store *store = delivery_store(w.delivery);
    struct noticed told, next;
    (void)state;
    assert_ok(store_call(store, report_thrice, NULL));
    assert_ok(store_call_read(store, list_notices, &told));
    assert_int_equal(told.count, 1);
    assert_int_equal(told.notices[0].count, 3);
    assert_ok(store_call(store, report_thrice, NULL));
    assert_ok(store_call(store, drop_notice, &told));
    assert_ok(store_call_read(store, list_notices, &next));
    assert_int_equal(next.count, 1);
    assert_int_equal(next.notices[0].count, 3);
    assert_ok(store_call(store, drop_notice, &next));
    assert_ok(store_call_read(store, list_notices, &next));
    assert_int_equal(next.count, 0);
}

static void silent_members_are_proposed_for_removal(void **state)
{
    (void)state;
    for (int month = 0; month < 6; month++) {
        w.fake.unix_base_ms += (uint64_t)30 * 86400 * 1000;
        dw_pass_s(&w, 1);
        a->client.policy.now = clock_unix_ms(&w.clock) / 1000;
        expect(dw_say(a, "hello?"));
        expect(dw_say(b, "yes"));
        dw_pass_s(&w, 2);
        dw_receive(a);
    }
    expect_proposal(a, DELIVERY_REASON_INACTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_queue_that_is_gone_is_proposed_for_removal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_is_gone_is_proposed_for_removal, setup_p256,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_is_gone_is_proposed_for_removal, setup_chacha,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_is_gone_is_proposed_for_removal, setup_p521,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_is_gone_is_proposed_for_removal, setup_p384,
                                        teardown),
        cmocka_unit_test_setup_teardown(proposals_outlive_rotations_of_the_external_sender, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(proposals_outlive_rotations_of_the_external_sender,
                                        setup_p256, teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_key_proposes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_key_proposes_nothing, setup_p384, teardown),
        cmocka_unit_test_setup_teardown(a_key_of_another_scheme_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_of_another_scheme_is_refused, setup_p256, teardown),
        cmocka_unit_test_setup_teardown(the_member_named_may_not_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(voided_proposals_come_again, setup, teardown),
        cmocka_unit_test_setup_teardown(another_reference_heals, setup, teardown),
        cmocka_unit_test_setup_teardown(another_reference_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(losses_are_told_to_who_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(who_refuses_all_rests, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_of_long_ago_is_no_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(another_reference_ends_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(losses_meanwhile_are_told_the_next_time, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_members_are_proposed_for_removal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
