/* F19: a leaf's notification policy decides which rows of its group may wake its client. And what
 * is sent to one member whose queue is gone is refused aloud. */
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c;

enum {
    POLICY_NONE = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_NONE,
    POLICY_MARKED = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED,
    POLICY_ALL = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_ALL,
};

static int setup_empty(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    return 0;
}

static int setup(void **state)
{
    (void)setup_empty(state);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    return 0;
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

static enum hearth_code call(struct member *m, const char *name, const ProtobufCMessage *in)
{
    struct dsigner signer = dw_signer(m);
    return dw_call(&w, name, &signer, in);
}

static enum hearth_code set_policy(struct member *m, int policy)
{
    Hearth__V1__UpdateQueueReferenceRequest in;
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, m->state_key);
    in.notification_policy = (Hearth__V1__NotificationPolicy)policy;
    return call(m, "UpdateQueueReference", &in.base);
}

static void say(struct member *m, bool notify, struct member *mentioned)
{
    Hearth__V1__SendMessageRequest *in = dw_say_request(m, "hello");
    uint32_t leaf = mentioned != NULL ? dw_leaf(mentioned) : 0;
    in->notify = notify;
    in->mentioned_leaves = &leaf;
    in->n_mentioned_leaves = mentioned != NULL;
    expect(call(m, "SendMessage", &in->base));
    dw_pass_s(&w, 2);
}

static enum hearth_code target(struct member *m, struct member *to)
{
    Hearth__V1__SendTargetedMessageRequest in;
    hearth__v1__send_targeted_message_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, m->state_key);
    in.recipient_leaf = dw_leaf(to);
    in.message = dw_bytes(&w, bytes_str("for you"));
    in.epoch = group_epoch(m->group);
    enum hearth_code code = call(m, "SendTargetedMessage", &in.base);
    dw_pass_s(&w, 2);
    return code;
}

/* How the last item is marked: 'n' may wake, 'q' must not, '-' as the queue client's policy says.
 */
static char mark(const struct member *m)
{
    const struct ditem *item = &m->items[m->item_count - 1];
    assert_false(item->notify && item->quiet);
    return item->notify ? 'n' : item->quiet ? 'q' : '-';
}

static void each_policy_over_each_message(void **state)
{
    (void)state;
    static const struct {
        int policy;
        /* unmarked, marked, unmarked mention of another, mention of b, targeted */
        const char *marks;
    } rows[] = {
        {0, "-n-nn"},
        {POLICY_MARKED, "qqqnn"},
        {POLICY_NONE, "qqqqq"},
        {POLICY_ALL, "-n-nn"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char marks[6] = "";
        if (rows[i].policy != 0)
            expect(set_policy(b, rows[i].policy));
        say(a, false, NULL);
        marks[0] = mark(b);
        say(a, true, NULL);
        marks[1] = mark(b);
        assert_int_equal(mark(c), 'n'); /* others are not touched */
        say(a, false, c);
        marks[2] = mark(b);
        assert_int_equal(mark(c), 'n');
        say(a, false, b);
        marks[3] = mark(b);
        assert_int_equal(mark(c), '-');
        expect(target(a, b));
        marks[4] = mark(b);
        assert_string_equal(marks, rows[i].marks);
    }
    dw_receive_all(&w);
}

/* Also when its queue lies elsewhere, and for what the server itself sends. */
static void peers_and_control_rows_hear_of_it(void **state)
{
    (void)state;
    memset(b->ref, 0x5a, sizeof b->ref);
    b->domain = DW_PEER;
    Hearth__V1__UpdateQueueReferenceRequest in;
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, b->state_key);
    in.queue_reference = dw_reference(b);
    in.notification_policy = (Hearth__V1__NotificationPolicy)POLICY_NONE;
    expect(call(b, "UpdateQueueReference", &in.base));
    say(a, true, b);
    assert_int_equal(mark(b), 'q');
    expect(dw_commit(a, &(struct dcommit){0}));
    dw_pass_s(&w, 2);
    assert_int_equal(mark(b), 'q');
    assert_true(b->items[b->item_count - 1].control);
    assert_int_equal(mark(c), '-');
    /* changing the policy alone leaves the reference */
    expect(set_policy(b, POLICY_ALL));
    dw_receive_all(&w);
    say(a, true, NULL);
    assert_int_equal(mark(b), 'n');
}

static void it_stays_through_commits_and_resyncs(void **state)
{
    (void)state;
    expect(set_policy(b, POLICY_MARKED));
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    say(a, true, NULL);
    assert_int_equal(mark(b), 'q');
    dw_receive_all(&w);
    /* a new record without one: as before; with one: that */
    expect(dw_commit(b, &(struct dcommit){.new_record = true}));
    dw_receive_all(&w);
    say(a, true, NULL);
    assert_int_equal(mark(b), 'q');
    dw_receive_all(&w);
    b->policy = (Hearth__V1__NotificationPolicy)POLICY_ALL;
    expect(dw_commit(b, &(struct dcommit){.new_record = true}));
    dw_receive_all(&w);
    say(a, true, NULL);
    assert_int_equal(mark(b), 'n');
    dw_receive_all(&w);
    /* resync says nothing of it */
    expect(set_policy(c, POLICY_NONE));
    struct dsigner old = dw_signer(c);
    Hearth__V1__ResyncRequest *in = dw_resync_request(c, a);
    expect(dw_call(&w, "Resync", &old, &in->base));
    assert_ok(group_merge_pending(c->group));
    dw_receive_all(&w);
    say(a, true, NULL);
    assert_int_equal(mark(c), 'q');
}

/* Whoever adds says nothing about when the joiner is woken. */
static void an_adder_does_not_decide(void **state)
{
    (void)state;
    struct member *d = dw_member(&w, NULL);
    d->policy = (Hearth__V1__NotificationPolicy)POLICY_ALL;
    struct member *list[] = {d};
    assert_int_equal(dw_commit(a, &(struct dcommit){.adds = list, .add_count = 1}),
                     HEARTH_INVALID_ARGUMENT);
    d->policy = (Hearth__V1__NotificationPolicy)0;
    expect(dw_commit(a, &(struct dcommit){.adds = list, .add_count = 1}));
}

static void a_founder_does(void **state)
{
    (void)state;
    a = dw_member(&w, NULL);
    a->policy = (Hearth__V1__NotificationPolicy)POLICY_NONE;
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b}, 1);
    say(b, true, NULL);
    assert_int_equal(mark(a), 'q');
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    uint64_t version = dw_version(&w, a->state_key);
    assert_int_equal(set_policy(b, 0), HEARTH_INVALID_ARGUMENT); /* changes nothing at all */
    assert_int_equal(set_policy(b, 77), HEARTH_INVALID_ARGUMENT);
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "hello");
    uint32_t leaves[65] = {1, 2, 99};
    in->mentioned_leaves = leaves;
    in->n_mentioned_leaves = 3;
    assert_int_equal(call(a, "SendMessage", &in->base), HEARTH_NOT_FOUND);
    in->n_mentioned_leaves = 65;
    leaves[2] = 1;
    assert_int_equal(call(a, "SendMessage", &in->base), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(dw_version(&w, a->state_key), version);
    assert_int_equal(dw_stats(&w).outbox_rows, 0);
}

/* "Delivery may fail loudly, never silently." */
static void a_targeted_message_to_a_lost_queue_fails_aloud(void **state)
{
    (void)state;
    c->mood = QUEUE_GONE;
    /* nobody knows yet: it is taken, and the refusal comes back as a notice */
    expect(target(a, c));
    assert_int_equal(dw_stats(&w).notices, 1);
    /* whoever opens the group next makes the server say so to all */
    say(b, true, NULL);
    dw_receive(a);
    assert_int_equal(a->seen[DELIVERY_PROPOSAL], 1);
    size_t before = c->item_count;
    assert_int_equal(target(a, c), HEARTH_FAILED_PRECONDITION);
    assert_string_equal(w.message,
                        "the recipient's queue is gone or refuses everything; nothing was sent");
    assert_int_equal(c->item_count, before);
    assert_int_equal(dw_stats(&w).outbox_rows, 0);
    expect(target(a, b)); /* others hear as ever */
    /* until it says where else it is */
    c->mood = QUEUE_OK;
    memset(c->ref, 0x21, sizeof c->ref);
    Hearth__V1__UpdateQueueReferenceRequest in;
    hearth__v1__update_queue_reference_request__init(&in);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, c->state_key);
    in.queue_reference = dw_reference(c);
    expect(call(c, "UpdateQueueReference", &in.base));
    expect(target(a, c));
    assert_int_equal(c->item_count, before + 1);
}

static void a_policy_brings_no_queue_back(void **state)
{
    (void)state;
    c->mood = QUEUE_GONE;
    expect(target(a, c));
    say(b, true, NULL);
    expect(set_policy(c, POLICY_ALL));
    assert_int_equal(target(a, c), HEARTH_FAILED_PRECONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_policy_over_each_message, setup, teardown),
        cmocka_unit_test_setup_teardown(peers_and_control_rows_hear_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_stays_through_commits_and_resyncs, setup, teardown),
        cmocka_unit_test_setup_teardown(an_adder_does_not_decide, setup, teardown),
        cmocka_unit_test_setup_teardown(a_founder_does, setup_empty, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_targeted_message_to_a_lost_queue_fails_aloud, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_policy_brings_no_queue_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
