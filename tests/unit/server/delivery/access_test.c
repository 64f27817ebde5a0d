/* P5: who is no member learns nothing, not even that there is a group; and DoS3, DoS4, DoS6, DoS8.
 */
#include "support/delivery/delivery_world.h"

#include "wire/writer.h"

static struct dworld w;
static struct member *a, *b;

static int begin(uint32_t control)
{
    memset(&w, 0, sizeof w);
    w.options.control = control;
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, &b, 1);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(0);
}

static int setup_no_pause(void **state)
{
    (void)state;
    return begin(DELIVERY_NO_PAUSE);
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

static void expect_nobody(const struct dsigner *signer, Hearth__V1__SendMessageRequest *in)
{
    in->idempotency = dw_once(&w);
    assert_int_equal(dw_call(&w, "SendMessage", signer, &in->base), HEARTH_UNAUTHENTICATED);
    assert_string_equal(w.message, "not authenticated");
    assert_int_equal(w.wrong_epoch, 0);
    assert_int_equal(w.retry_s, 0);
}

/* A member id of any group and leaf. */
static struct bytes id_of(struct bytes group_id, uint32_t leaf)
{
    struct buf id = BUF_INIT;
    member_id_write(&id, &(struct member_id){group_id, leaf});
    struct bytes copy = bytes_of(arena_copy(&w.arena, id.data, id.len), id.len);
    buf_clear(&id);
    return copy;
}

static void p5_all_ways_of_being_nobody_answer_alike(void **state)
{
    (void)state;
    Hearth__V1__SendMessageRequest *in = dw_say_request(a, "x");
    struct dsigner good = dw_signer(a);
    struct dsigner s = good;
    uint8_t other[] = "0123456789abcdef\x06"
                      "a.test";
    struct bytes other_id = bytes_of(other, sizeof other - 1);
    /* another's key for the leaf */
    s.key = &b->key;
    expect_nobody(&s, in);
    /* no such leaf */
    s = good;
    s.id = id_of(buf_view(&w.group_id), 5);
    expect_nobody(&s, in);
    /* the id of another group than the body's */
    s.id = id_of(other_id, 0);
    expect_nobody(&s, in);
    /* an unknown group */
    ProtobufCBinaryData known = in->group->group_id;
    in->group->group_id = dw_bytes(&w, other_id);
    expect_nobody(&s, in);
    in->group->group_id = known;
    /* not the key */
    in->group->state_key.data[0] ^= 1;
    expect_nobody(&good, in);
    in->group->state_key.data[0] ^= 1;
    /* signed for another rpc; not signed */
    s = good;
    s.path = "/hearth.v1.Delivery/Commit";
    expect_nobody(&s, in);
    in->idempotency = dw_once(&w);
    assert_int_equal(dw_call(&w, "SendMessage", NULL, &in->base), HEARTH_UNAUTHENTICATED);
    expect(dw_call(&w, "SendMessage", &good, &in->base));
}

static void p5_ears_hear_not_found_alone(void **state)
{
    (void)state;
    uint8_t other[] = "0123456789abcdef\x06"
                      "a.test";
    char unknown_group[200];
    Hearth__V1__GetExternalCommitInfoRequest in;
    hearth__v1__get_external_commit_info_request__init(&in);
    in.group = dw_access(&w, a->state_key);
    in.group->group_id = dw_bytes(&w, bytes_of(other, sizeof other - 1));
    assert_int_equal(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base), HEARTH_NOT_FOUND);
    memcpy(unknown_group, w.message, sizeof unknown_group);
    in.group = dw_access(&w, a->state_key);
    in.group->state_key.data[31] ^= 0x80;
    assert_int_equal(dw_call(&w, "GetExternalCommitInfo", NULL, &in.base), HEARTH_NOT_FOUND);
    assert_string_equal(w.message, unknown_group);
}

/* Only the joiner named in the Welcome, by its own leaf key, of the right epoch. */
static void p5_welcome_info_is_for_the_joiner(void **state)
{
    (void)state;
    struct member *c = dw_member(&w, NULL);
    expect(dw_commit(a, &(struct dcommit){.adds = &c, .add_count = 1}));
    Hearth__V1__GetWelcomeInfoRequest in;
    hearth__v1__get_welcome_info_request__init(&in);
    in.group = dw_access(&w, a->state_key);
    in.epoch = group_epoch(a->group);
    struct dsigner s = {.kind = REQUEST_JOINER, .id = digest_view(&c->package_ref), .key = &b->key};
    assert_int_equal(dw_call(&w, "GetWelcomeInfo", &s, &in.base), HEARTH_UNAUTHENTICATED);
    s.key = &c->key;
    in.epoch++;
    assert_int_equal(dw_call(&w, "GetWelcomeInfo", &s, &in.base), HEARTH_UNAUTHENTICATED);
    in.epoch -= 2; /* b's, who joined there */
    assert_int_equal(dw_call(&w, "GetWelcomeInfo", &s, &in.base), HEARTH_UNAUTHENTICATED);
    in.epoch++;
    expect(dw_call(&w, "GetWelcomeInfo", &s, &in.base));
    expect(dw_call(&w, "GetWelcomeInfo", &s, &in.base)); /* the answer was lost */
    /* all have it: the tree goes after a day */
    assert_int_equal(dw_stats(&w).past_trees, 2);
    w.fake.unix_base_ms += (uint64_t)3 * 86400 * 1000;
    assert_false(delivery_expire(w.delivery));
    assert_int_equal(dw_stats(&w).past_trees, 0);
    assert_int_equal(dw_stats(&w).groups, 1);
}

/* DoS3, "unbounded reservation set": a reservation is nothing but a MAC. */
static void dos3_reservations_are_stateless(void **state)
{
    (void)state;
    Hearth__V1__ReserveGroupIdRequest in;
    struct delivery_stats before = dw_stats(&w);
    uint8_t last[300] = {0};
    hearth__v1__reserve_group_id_request__init(&in);
    dw_limit(&w, "RESERVE_PREFIX", 1000);
    dw_limit(&w, "ANONYMOUS_PREFIX", 10000);
    for (int i = 0; i < 300; i++) {
        expect(dw_call(&w, "ReserveGroupId", NULL, &in.base));
        const Hearth__V1__ReserveGroupIdResponse *out = (void *)w.out;
        assert_memory_not_equal(last, out->group_id.data, out->group_id.len);
        memcpy(last, out->group_id.data, out->group_id.len);
    }
    struct delivery_stats after = dw_stats(&w);
    assert_memory_equal(&before, &after, sizeof before);
}

static void dos3_reservations_are_bounded_by_prefix_and_time(void **state)
{
    (void)state;
    Hearth__V1__ReserveGroupIdRequest in;
    hearth__v1__reserve_group_id_request__init(&in);
    struct member *c = dw_member(&w, NULL);
    struct extensions context = dw_context(&w, &c, 1);
    Hearth__V1__CreateGroupRequest *create = dw_found_request(&w, c, &context);
    struct dsigner s = dw_signer(c);
    /* too late */
    dw_pass_s(&w, 601);
    assert_int_equal(dw_call(&w, "CreateGroup", &s, &create->base), HEARTH_FAILED_PRECONDITION);
    /* not ours */
    create = dw_found_request(&w, c, &context);
    s = dw_signer(c);
    create->reservation.data[20] ^= 1;
    assert_int_equal(dw_call(&w, "CreateGroup", &s, &create->base), HEARTH_FAILED_PRECONDITION);
    create->reservation.data[20] ^= 1;
    create->idempotency = dw_once(&w);
    expect(dw_call(&w, "CreateGroup", &s, &create->base));
    /* nobody takes it a second time */
    create->idempotency = dw_once(&w);
    assert_int_equal(dw_call(&w, "CreateGroup", &s, &create->base), HEARTH_ALREADY_EXISTS);
    enum hearth_code code = HEARTH_OK;
    for (int i = 0; i < 60 && code == HEARTH_OK; i++)
        code = dw_call(&w, "ReserveGroupId", NULL, &in.base);
    assert_int_equal(code, HEARTH_RESOURCE_EXHAUSTED);
}

static void dos3_members_are_bounded(void **state)
{
    (void)state;
    struct member *c = dw_member(&w, NULL);
    dw_limit(&w, "GROUP_MEMBERS", 2);
    assert_int_equal(dw_commit(a, &(struct dcommit){.adds = &c, .add_count = 1}),
                     HEARTH_RESOURCE_EXHAUSTED);
    dw_limit(&w, "GROUP_MEMBERS", 3);
    expect(dw_commit(a, &(struct dcommit){.adds = &c, .add_count = 1}));
}

/* DoS4: 60 at once, then one a second; for one leaf, not for the others. */
static void dos4_messages_of_a_leaf(void **state)
{
    (void)state;
    int sent = 0;
    while (sent < 100 && dw_say(a, "flood") == HEARTH_OK)
        sent++;
    assert_int_equal(w.code, HEARTH_RESOURCE_EXHAUSTED);
    uint32_t retry_s = w.retry_s;
    assert_true(retry_s >= 1);
    assert_in_range(sent, 60, 62);
    expect(dw_say(b, "not me"));
    dw_pass_s(&w, retry_s);
    expect(dw_say(a, "in time"));
}

/* A commit that the server can see to be wrong: a signature that does not hold. */
static enum hearth_code send_invalid(void)
{
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
    in->commit.data[in->commit.len - 70] ^= 1; /* in the signature or tag */
    in->group_info->signature.data[3] ^= 1;
    return dw_commit_send(a, in);
}

static void dos8_invalid_commits_pause_the_leaf(void **state)
{
    (void)state;
    int wrong = 0;
    dw_limit(&w, "COMMITS_LEAF", 1000);
    while (wrong < 40 && send_invalid() == HEARTH_INVALID_ARGUMENT)
        wrong++;
    assert_in_range(wrong, 20, 22);
    assert_int_equal(w.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_true(w.retry_s >= 3600 && w.retry_s <= 7200);
    assert_int_equal(dw_commit(a, &(struct dcommit){0}), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(dw_stats(&w).pauses, 1);
    /* others commit, and a speaks on */
    expect(dw_say(a, "still here"));
    group_drop_pending(a->group);
    expect(dw_commit(b, &(struct dcommit){0}));
    dw_receive_all(&w);
    dw_pass_s(&w, 7201);
    expect(dw_commit(a, &(struct dcommit){0}));
    w.fake.unix_base_ms += (uint64_t)86400 * 1000;
    assert_false(delivery_expire(w.delivery));
    assert_int_equal(dw_stats(&w).pauses, 0);
}

static void dos8_control(void **state)
{
    (void)state;
    dw_limit(&w, "COMMITS_LEAF", 1000);
    for (int i = 0; i < 40; i++)
        assert_int_equal(send_invalid(), HEARTH_INVALID_ARGUMENT);
}

/* To lose a race is no offence. */
static void dos8_lost_races_do_not_count(void **state)
{
    (void)state;
    dw_limit(&w, "COMMITS_LEAF", 1000);
    Hearth__V1__CommitRequest *in = dw_commit_request(a, &(struct dcommit){0});
    expect(dw_commit(b, &(struct dcommit){0}));
    for (int i = 0; i < 40; i++) {
        in->idempotency = dw_once(&w);
        assert_int_equal(dw_commit_send(a, in), HEARTH_FAILED_PRECONDITION);
    }
    dw_receive_all(&w);
    expect(dw_commit(a, &(struct dcommit){0}));
}

static void dos9_commits_of_a_leaf(void **state)
{
    (void)state;
    int made = 0;
    while (made < 20 && dw_commit(a, &(struct dcommit){0}) == HEARTH_OK) {
        made++;
        dw_receive_all(&w);
    }
    assert_int_equal(w.code, HEARTH_RESOURCE_EXHAUSTED);
    assert_in_range(made, 5, 6); /* one was spent by the Add */
}

/* F4 */
static void idle_groups_expire(void **state)
{
    (void)state;
    w.fake.unix_base_ms += (uint64_t)89 * 86400 * 1000;
    assert_false(delivery_expire(w.delivery));
    assert_int_equal(dw_stats(&w).groups, 1);
    w.fake.unix_base_ms += (uint64_t)70 * 86400 * 1000;
    assert_false(delivery_expire(w.delivery));
    assert_int_equal(dw_stats(&w).groups, 0);
    assert_int_equal(dw_stats(&w).answers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(p5_all_ways_of_being_nobody_answer_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(p5_ears_hear_not_found_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(p5_welcome_info_is_for_the_joiner, setup, teardown),
        cmocka_unit_test_setup_teardown(dos3_reservations_are_stateless, setup, teardown),
        cmocka_unit_test_setup_teardown(dos3_reservations_are_bounded_by_prefix_and_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dos3_members_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(dos4_messages_of_a_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(dos8_invalid_commits_pause_the_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(dos8_control, setup_no_pause, teardown),
        cmocka_unit_test_setup_teardown(dos8_lost_races_do_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(dos9_commits_of_a_leaf, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_groups_expire, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
