/* Groups among people: what each verb does to all who are in. */
#include "groups.h"

static int begin(void **state)
{
    (void)state;
    world_open(1, 3);
    befriend_all();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

/* A group of all three; the others' ids of it. */
static struct hearth_id group_of_three(struct hearth_id *bobs, struct hearth_id *carols)
{
    struct hearth_id chat = found_group(ALICE, "book club");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, chat, &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(2000);
    assert_true(same_group(ALICE, chat, BOB, bobs));
    assert_true(same_group(ALICE, chat, CAROL, carols));
    return chat;
}

static void assert_together(struct person *a, struct hearth_id ac, struct person *b,
                            struct hearth_id bc)
{
    struct view va = view_of(a, ac), vb = view_of(b, bc);
    assert_int_equal(va.state, HEARTH_CHAT_OPEN);
    assert_int_equal(vb.state, HEARTH_CHAT_OPEN);
    assert_int_equal(va.epoch, vb.epoch);
    assert_memory_equal(va.authenticator, vb.authenticator, 32);
    assert_int_equal(va.leaves, vb.leaves);
    assert_int_equal(va.unverified + vb.unverified, 0);
    assert_int_equal(va.pending + vb.pending, 0);
}

static void test_create(void **state)
{
    (void)state;
    struct hearth_id chat = found_group(ALICE, "alone");
    struct view v = view_of(ALICE, chat);
    assert_int_equal(v.state, HEARTH_CHAT_OPEN);
    assert_int_equal(v.leaves, 1);
    assert_true(v.admin);
    assert_string_equal(v.name, "alone");
    reborn(ALICE);
    v = view_of(ALICE, chat);
    assert_int_equal(v.state, HEARTH_CHAT_OPEN);
    assert_int_equal(v.leaves, 1);
}

static void test_three_chat(void **state)
{
    struct hearth_id b, c, a;
    (void)state;
    a = group_of_three(&b, &c);
    assert_together(ALICE, a, BOB, b);
    assert_together(ALICE, a, CAROL, c);
    assert_string_equal(view_of(BOB, b).name, "book club");
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_JOINED), 1);
    assert_false(view_of(BOB, b).admin);
    say_done(ALICE, a, "hello both");
    say_done(BOB, b, "hello from bob");
    say_done(CAROL, c, "and carol");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "hello both", HEARTH_MESSAGE_SENT), 1);
    assert_int_equal(has_message(BOB, b, "hello both", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(CAROL, c, "hello both", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(ALICE, a, "hello from bob", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(CAROL, c, "hello from bob", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(ALICE, a, "and carol", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(BOB, b, "and carol", HEARTH_MESSAGE_RECEIVED), 1);
}

static void test_removed_and_added_again(void **state)
{
    struct hearth_id a, b, c, c2;
    (void)state;
    a = group_of_three(&b, &c);
    struct view carol = view_of(CAROL, c);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    wish_done(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1});
    world_run(3000);
    assert_int_equal(view_of(CAROL, c).state, HEARTH_CHAT_OVER);
    assert_int_equal(seen(CAROL, HEARTH_EVENT_CHAT_OVER), 1);
    assert_together(ALICE, a, BOB, b);
    assert_int_equal(view_of(BOB, b).leaves, 2);
    say_done(BOB, b, "she is gone");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "she is gone", 0), 1);
    assert_int_equal(has_message(CAROL, c, "she is gone", 0), 0);
    struct hearth_id again = friend_id(ALICE, CAROL);
    wish_done(ALICE, a, &(struct commit_wish){.add = &again, .add_count = 1});
    world_run(3000);
    assert_true(same_group(ALICE, a, CAROL, &c2));
    assert_false(hearth_id_equal(&c, &c2)); /* another chat: the old one stays readable */
    assert_together(ALICE, a, CAROL, c2);
    assert_together(ALICE, a, BOB, b);
    assert_string_equal(view_of(CAROL, c2).name, "book club"); /* sealed under the key before */
    say_done(CAROL, c2, "back");
    world_run(1000);
    assert_int_equal(has_message(BOB, b, "back", 0), 1);
}

/* The state key of a removal comes after the remover's next commit: he has it from the answer. */
static void test_late_state_key(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct view carol = view_of(CAROL, c);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    unsigned lost = seen(ALICE, HEARTH_EVENT_LOSS);
    queue_listen_stop(ALICE->core);
    wish_done(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1});
    wish_done(ALICE, a, &(struct commit_wish){.update = true});
    assert_ok(queue_listen(ALICE->core));
    world_run(2000);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_LOSS), lost);
    assert_together(ALICE, a, BOB, b);
    say_done(BOB, b, "under the new key");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "under the new key", 0), 1);
}

static void test_rename_and_roles(void **state)
{
    struct hearth_id a, b, c;
    uint64_t task;
    (void)state;
    a = group_of_three(&b, &c);
    assert_err(wish(BOB, b, &(struct commit_wish){.rename = "his"}, &task), CLIENT_NOT_ADMIN);
    struct hearth_id friend = friend_id(BOB, CAROL);
    assert_err(wish(BOB, b, &(struct commit_wish){.add = &friend, .add_count = 1}, &task),
               CLIENT_NOT_ADMIN);
    wish_done(ALICE, a, &(struct commit_wish){.rename = "film club"});
    world_run(1000);
    assert_string_equal(view_of(ALICE, a).name, "film club");
    assert_string_equal(view_of(BOB, b).name, "film club");
    assert_string_equal(view_of(CAROL, c).name, "film club");
    struct view bob = view_of(BOB, b), alice = view_of(ALICE, a);
    wish_done(ALICE, a, &(struct commit_wish){.promote = bob.user});
    world_run(1000);
    assert_true(view_of(BOB, b).admin);
    wish_done(BOB, b, &(struct commit_wish){.demote = alice.user, .rename = "his now"});
    world_run(1000);
    assert_false(view_of(ALICE, a).admin);
    assert_string_equal(view_of(ALICE, a).name, "his now");
    assert_together(ALICE, a, CAROL, c);
}

static void test_fresh_leaf(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    wish_done(BOB, b, &(struct commit_wish){.update = true});
    world_run(1000);
    assert_together(ALICE, a, BOB, b);
    assert_together(CAROL, c, BOB, b);
    say_done(BOB, b, "new leaf");
    say_done(ALICE, a, "to the new leaf");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "new leaf", 0), 1);
    assert_int_equal(has_message(BOB, b, "to the new leaf", 0), 1);
    reborn(BOB);
    say_done(BOB, b, "after a restart");
    world_run(1000);
    assert_int_equal(has_message(CAROL, c, "after a restart", 0), 1);
}

static struct err do_leave(struct doing *d, struct db_txn *t)
{
    return group_leave_begin(d->p->core, t, &d->chat, &d->task);
}

static struct err do_delete(struct doing *d, struct db_txn *t)
{
    return group_delete_begin(d->p->core, t, &d->chat, &d->task);
}

static struct err do_resync(struct doing *d, struct db_txn *t)
{
    return group_resync_begin(d->p->core, t, &d->chat, &d->task);
}

static void test_leave(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct doing d = {.chat = b};
    assert_ok(person_do(BOB, &d, do_leave));
    world_wait(BOB, d.task);
    world_run(8000); /* somebody covers it, a moment later */
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_together(ALICE, a, CAROL, c);
    assert_int_equal(view_of(ALICE, a).leaves, 2);
    uint64_t task;
    assert_err(say(BOB, b, "not any more", &task), CLIENT_CHAT_STATE);
    say_done(CAROL, c, "two left");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "two left", 0), 1);
}

static void test_delete(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct doing d = {.chat = b};
    assert_err(person_do(BOB, &d, do_delete), CLIENT_NOT_ADMIN);
    d.chat = a;
    assert_ok(person_do(ALICE, &d, do_delete));
    world_wait(ALICE, d.task);
    world_run(1000);
    assert_int_equal(view_of(ALICE, a).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(CAROL, c).state, HEARTH_CHAT_OVER);
}

/* Bob leaves, which Alice has heard; nobody has covered it yet. */
static struct hearth_id group_that_bob_leaves(struct hearth_id *bobs, struct hearth_id *carols)
{
    enum { HEARD_MS = 200 };
    struct hearth_id a = group_of_three(bobs, carols);
    struct doing d = {.chat = *bobs};
    assert_ok(person_do(BOB, &d, do_leave));
    world_wait(BOB, d.task);
    world_run(HEARD_MS);
    assert_int_equal(view_of(ALICE, a).leaves, 3);
    return a;
}

/* One commit can't hold two Removes of one leaf, and must hold the one that waits: what she asks
 * for is that one, and it is done when it is committed, not when somebody will cover it, half a
 * second later or more. */
static void test_remove_who_leaves(void **state)
{
    enum { AT_ONCE_MS = 250 };
    struct hearth_id a, b, c;
    uint64_t task;
    (void)state;
    a = group_that_bob_leaves(&b, &c);
    struct view bob = view_of(BOB, b);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])bob.user;
    assert_ok(wish(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1}, &task));
    world_wait(ALICE, task);
    say_done(ALICE, a, "without him");
    world_run(AT_ONCE_MS);
    assert_int_equal(view_of(ALICE, a).leaves, 2);
    world_run(3000);
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_int_equal(has_message(BOB, b, "without him", HEARTH_MESSAGE_RECEIVED), 0);
    assert_int_equal(has_message(CAROL, c, "without him", HEARTH_MESSAGE_RECEIVED), 1);
    assert_together(ALICE, a, CAROL, c);
}

static void test_delete_while_one_leaves(void **state)
{
    enum { AT_ONCE_MS = 250 };
    struct hearth_id a, b, c;
    (void)state;
    a = group_that_bob_leaves(&b, &c);
    struct doing d = {.chat = a};
    assert_ok(person_do(ALICE, &d, do_delete));
    world_run(AT_ONCE_MS);
    assert_int_equal(view_of(ALICE, a).state, HEARTH_CHAT_OVER);
    world_run(1000);
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(CAROL, c).state, HEARTH_CHAT_OVER);
}

static void test_targeted(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct view bob = view_of(BOB, b);
    struct doing d = {.chat = a, .text = "for bob alone", .user = bob.user};
    assert_ok(person_do(ALICE, &d, do_say));
    world_wait(ALICE, d.task);
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "for bob alone", HEARTH_MESSAGE_SENT), 1);
    assert_int_equal(has_message(BOB, b, "for bob alone", HEARTH_MESSAGE_RECEIVED), 1);
    assert_int_equal(has_message(CAROL, c, "for bob alone", 0), 0);
}

/* What was sealed to a leaf before its owner's own commit, or resync, opens after it. */
static void test_targeted_before_own_commit(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct view bob = view_of(BOB, b);
    queue_listen_stop(BOB->core);
    struct doing d = {.chat = a, .text = "to the leaf before", .user = bob.user};
    assert_ok(person_do(ALICE, &d, do_say));
    world_wait(ALICE, d.task);
    wish_done(BOB, b, &(struct commit_wish){.update = true});
    assert_int_equal(view_of(BOB, b).epoch, bob.epoch + 1);
    assert_ok(queue_listen(BOB->core));
    world_run(1000);
    assert_int_equal(has_message(BOB, b, "to the leaf before", HEARTH_MESSAGE_RECEIVED), 1);
    queue_listen_stop(BOB->core);
    d.text = "to the leaf before the resync";
    assert_ok(person_do(ALICE, &d, do_say));
    world_wait(ALICE, d.task);
    struct doing again = {.chat = b};
    assert_ok(person_do(BOB, &again, do_resync));
    world_wait(BOB, again.task);
    assert_ok(queue_listen(BOB->core));
    world_run(1000);
    assert_int_equal(has_message(BOB, b, "to the leaf before the resync", HEARTH_MESSAGE_RECEIVED),
                     1);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
}

static void test_resync(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct doing d = {.chat = b};
    assert_ok(person_do(BOB, &d, do_resync));
    world_wait(BOB, d.task);
    world_run(1000);
    assert_together(ALICE, a, BOB, b);
    assert_together(CAROL, c, BOB, b);
    say_done(BOB, b, "in again");
    say_done(ALICE, a, "welcome back");
    world_run(1000);
    assert_int_equal(has_message(CAROL, c, "in again", 0), 1);
    assert_int_equal(has_message(BOB, b, "welcome back", 0), 1);
}

/* Whoever joins again past the message that told a new group identity key is told it once more:
 * else all who come under it stayed unverified to him for good. */
static void test_resync_past_identity_key(void **state)
{
    struct hearth_id a, b, c;
    (void)state;
    a = group_of_three(&b, &c);
    struct view carol = view_of(CAROL, c);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    queue_listen_stop(BOB->core);
    wish_done(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1});
    world_run(1000);
    wish_done(ALICE, a, &(struct commit_wish){.update = true});
    struct doing d = {.chat = b};
    assert_ok(person_do(BOB, &d, do_resync));
    world_wait(BOB, d.task);
    assert_ok(queue_listen(BOB->core));
    world_run(5000);
    assert_together(ALICE, a, BOB, b);
    assert_int_equal(view_of(BOB, b).unverified + view_of(BOB, b).pending, 0);
    say_done(BOB, b, "whom I know");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "whom I know", 0), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create),
        TEST(test_three_chat),
        TEST(test_removed_and_added_again),
        TEST(test_late_state_key),
        TEST(test_rename_and_roles),
        TEST(test_fresh_leaf),
        TEST(test_leave),
        TEST(test_delete),
        TEST(test_remove_who_leaves),
        TEST(test_delete_while_one_leaves),
        TEST(test_targeted),
        TEST(test_resync),
        TEST(test_targeted_before_own_commit),
        TEST(test_resync_past_identity_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
