/* What an honest device may be waiting for, later than anybody's patience: nobody is told that it
 * does not hold, nothing is sent meanwhile, and when it comes all is well.
 *
 * The key of a group's identities (one homeserver): its sender is gone for a while, is killed, does
 * not trust somebody himself, or two of them wait for each other; it comes to who joined later;
 * more of them follow than are kept. A homeserver's keys, its log, a contact's set of devices (two
 * homeservers): not answered, refused, late.
 */
#include "groups.h"

#include "client/core/homeserver_inside.h"

static const uint64_t longer = ROSTER_PATIENCE_MS + 60000;

static struct err do_group_wish(struct person *p, struct hearth_id chat, uint8_t *remove,
                                struct hearth_id add, uint64_t *ret_task)
{
    return wish(
        p, chat,
        &(struct commit_wish){
            .remove = (void *)remove, .remove_count = remove != NULL, .add = &add, .add_count = 1},
        ret_task);
}

/* Nobody was told of a fault. */
static void assert_no_alarm(void)
{
    for (size_t i = 0; i < w.count; i++)
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_UNVERIFIED), 0);
}

static void assert_known(struct person *p, struct hearth_id chat, size_t leaves)
{
    struct view v = view_of(p, chat);
    assert_int_equal(v.state, HEARTH_CHAT_OPEN);
    assert_int_equal(v.leaves, leaves);
    assert_int_equal(v.unverified, 0);
    assert_int_equal(v.pending, 0);
}

/* alice, bob and carol; dave is a friend of all. */
static struct hearth_id group_of_four_less_one(uint64_t seed, struct hearth_id id[3])
{
    world_open(seed, 4);
    befriend_all();
    struct hearth_id a = found_group(ALICE, "late");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, a, &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(2000);
    for (size_t i = 1; i < 3; i++)
        assert_true(same_group(ALICE, a, w.who[i], &id[i]));
    id[0] = a;
    return a;
}

/* ---- the group's identity key */

struct marking {
    struct hearth_id chat;
    const uint8_t *user;
    bool good;
};

static struct err mark(struct core *c, struct db_txn *t, void *arg)
{
    const struct marking *m = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &m->chat, &chat));
    for (size_t i = 0; i < chat->roster->count; i++)
        if (memcmp(chat->roster->leaves[i].user_pseudonym, m->user, 16) == 0) {
            struct roster_leaf *l = &chat->roster->leaves[i];
            l->state = m->good ? ROSTER_VERIFIED : ROSTER_UNVERIFIED;
            l->news_ms = m->good ? l->news_ms : 0; /* not tried again */
        }
    chat->roster->changed = true;
    return chat_save(c, t, chat);
}

/* Time without her: she is not running. */
static void run_without(const struct person *gone, uint64_t ms)
{
    people_run_ms(&w.people, ms);
    for (size_t i = 0; i < w.count; i++)
        if (w.who[i] != gone)
            take_events(w.who[i]);
}

/* alice removes carol and adds dave under the new key, and is gone before she told it. */
static void test_committer_is_gone(void **state)
{
    struct hearth_id id[3], a = group_of_four_less_one(1, id), d;
    uint64_t task, added;
    (void)state;
    struct view bob = view_of(BOB, id[1]);
    struct marking m = {.chat = a, .user = bob.user};
    assert_ok(core_step(ALICE->core, mark, &m)); /* keeps her from telling */
    assert_ok(
        do_group_wish(ALICE, a, view_of(CAROL, id[2]).user, friend_id(ALICE, w.who[3]), &task));
    world_wait(ALICE, task);
    m.good = true;
    assert_ok(core_step(ALICE->core, mark, &m));
    person_kill(ALICE);
    run_without(ALICE, longer);
    bob = view_of(BOB, id[1]);
    assert_int_equal(bob.leaves, 3);
    assert_int_equal(bob.pending, 1);
    assert_int_equal(bob.unverified, 0);
    assert_no_alarm();
    assert_err(say(BOB, id[1], "who is there?", &added), CLIENT_MEMBER_LATER);
    reborn(BOB); /* he has not been here for long: what he says waits now */
    assert_ok(say(BOB, id[1], "now then", &added));
    run_without(ALICE, 2000);
    assert_true(tasks_has(BOB->core, added));
    person_start(ALICE);
    assert_ok(queue_listen(ALICE->core));
    world_run(20000);
    assert_false(tasks_has(BOB->core, added));
    assert_known(BOB, id[1], 3);
    assert_known(ALICE, a, 3);
    assert_true(same_group(ALICE, a, w.who[3], &d));
    assert_known(w.who[3], d, 3);
    assert_int_equal(has_message(w.who[3], d, "now then", 0), 1);
    assert_no_alarm();
    world_close();
}

/* alice trusts bob for some reason not at the moment at which she would tell the key: she tells it
 * when she does again. */
static void test_committer_doubts(void **state)
{
    struct hearth_id id[3], a = group_of_four_less_one(2, id);
    struct view bob = view_of(BOB, id[1]);
    struct marking m = {.chat = a, .user = bob.user};
    uint64_t task;
    (void)state;
    assert_ok(core_step(ALICE->core, mark, &m));
    assert_ok(
        do_group_wish(ALICE, a, view_of(CAROL, id[2]).user, friend_id(ALICE, w.who[3]), &task));
    world_wait(ALICE, task);
    world_run(longer);
    assert_int_equal(view_of(BOB, id[1]).pending, 1);
    assert_no_alarm();
    m.good = true;
    assert_ok(core_step(ALICE->core, mark, &m));
    world_run(20000);
    assert_known(BOB, id[1], 3);
    assert_no_alarm();
    world_close();
}

static struct err forget_keys_task(struct core *c, struct db_txn *t, void *arg)
{
    const struct hearth_id *chat = arg;
    struct hearth_error error;
    uint8_t lane[16];
    core_error_of(ERR(CLIENT_CHAT_STATE), &error);
    chat_lane(chat, CHAT_LANE_KEYS, lane);
    return task_drop_lane(c, t, lane, &error);
}

static struct err tell_again(struct core *c, struct db_txn *t, void *arg)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, arg, &chat));
    return group_tell_identity_key(c, t, chat);
}

/* Two admins: alice removes dave and adds nobody; her key comes late. bob, who does not know it
 * yet, removes carol and adds dave again, under a third. Whoever joined by then is told hers by the
 * newer Welcome's word alone, or by anybody who has it. */
static void test_keys_cross(void **state)
{
    struct hearth_id id[3], a = group_of_four_less_one(3, id), d;
    struct hearth_id dave = friend_id(ALICE, w.who[3]);
    uint64_t task;
    (void)state;
    wish_done(ALICE, a, &(struct commit_wish){.promote = view_of(BOB, id[1]).user});
    world_run(2000);
    struct view bob = view_of(BOB, id[1]);
    struct marking m = {.chat = a, .user = bob.user};
    assert_ok(core_step(ALICE->core, mark, &m)); /* keeps her from telling */
    /* alice: carol goes, and alice's own leaf is new under the key that she does not tell */
    assert_ok(wish(ALICE, a,
                   &(struct commit_wish){.remove = (const uint8_t(*)[16])view_of(CAROL, id[2]).user,
                                         .remove_count = 1,
                                         .update = true},
                   &task));
    world_wait(ALICE, task);
    assert_ok(core_step(ALICE->core, forget_keys_task, &a));
    m.good = true;
    assert_ok(core_step(ALICE->core, mark, &m));
    world_run(1000);
    assert_int_equal(view_of(BOB, id[1]).leaves, 2);
    assert_int_equal(view_of(BOB, id[1]).pending, 1); /* alice's new leaf */
    /* bob adds dave, in doubt about alice as he is: what he does is no message */
    dave = friend_id(BOB, w.who[3]);
    wish_done(BOB, id[1], &(struct commit_wish){.add = &dave, .add_count = 1});
    world_run(longer);
    assert_true(same_group(ALICE, a, w.who[3], &d));
    assert_int_equal(view_of(w.who[3], d).pending, 1);
    assert_known(ALICE, a, 3);
    assert_no_alarm();
    assert_ok(core_step(ALICE->core, tell_again, &a));
    world_run(20000);
    assert_known(BOB, id[1], 3);
    assert_known(w.who[3], d, 3);
    assert_no_alarm();
    say_done(w.who[3], d, "here we are");
    world_close();
}

/* More removals than keys are kept: nobody's leaf stays under one that is forgotten, and who joins
 * then knows everybody. */
static void test_many_removals(void **state)
{
    (void)state;
#if defined(HEARTH_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the server sees the memory that sanitizers keep, and closes */
#endif
    struct hearth_id id[3], a = group_of_four_less_one(4, id), d;
    const struct hearth_id dave = friend_id(ALICE, w.who[3]);
    /* a leaf's commits are one in ten seconds */
    for (unsigned i = 0; i < CHAT_IDENTITY_KEYS + 6; i++) {
        wish_done(ALICE, a, &(struct commit_wish){.add = &dave, .add_count = 1});
        world_run(1000);
        assert_true(same_group(ALICE, a, w.who[3], &d));
        uint8_t user[16];
        memcpy(user, view_of(w.who[3], d).user, sizeof user);
        wish_done(ALICE, a,
                  &(struct commit_wish){.remove = (const uint8_t(*)[16])user, .remove_count = 1});
        world_run(20000);
    }
    wish_done(ALICE, a, &(struct commit_wish){.add = &dave, .add_count = 1});
    world_run(20000);
    assert_true(same_group(ALICE, a, w.who[3], &d));
    assert_known(w.who[3], d, 4);
    assert_known(BOB, id[1], 4);
    assert_no_alarm();
    world_close();
}

/* ---- a homeserver's keys */

static struct err fail_keys(struct core *c, struct db_txn *t, void *arg)
{
    struct homeserver h = {.failed_ms = core_now_ms(c)};
    (void)arg;
    return homeserver_put(t, TOWN_DOMAIN, &h);
}

/* bob was refused the keys of dave's homeserver a moment ago, and has none: he asks again. */
static void test_keys_refused(void **state)
{
    struct hearth_id id[3], a = group_of_four_less_one(5, id);
    const struct hearth_id dave = friend_id(ALICE, w.who[3]);
    uint64_t said;
    (void)state;
    assert_ok(core_step(BOB->core, fail_keys, NULL));
    wish_done(ALICE, a, &(struct commit_wish){.add = &dave, .add_count = 1});
    world_run(2000);
    assert_int_equal(view_of(BOB, id[1]).pending, 1);
    assert_ok(say(BOB, id[1], "welcome", &said)); /* waits */
    assert_no_alarm();
    world_run(longer);
    assert_known(BOB, id[1], 4);
    assert_false(tasks_has(BOB->core, said));
    assert_int_equal(has_message(ALICE, a, "welcome", 0), 1);
    assert_no_alarm();
    world_close();
}

/* ---- main */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committer_is_gone), cmocka_unit_test(test_committer_doubts),
        cmocka_unit_test(test_keys_cross),        cmocka_unit_test(test_many_removals),
        cmocka_unit_test(test_keys_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
