/* Groups when things go wrong: lost races, kills at each durable step, lost and damaged commits,
 * identities that do not hold. */
#include "groups.h"

#include "client/core/receive.h"
#include "mls/codec/proposal.h"
#include "seal/key_set.h"
#include "support/failing.h"

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static int begin(void **state)
{
    (void)state;
    world_open(2, 3);
    befriend_all();
    return 0;
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
}

static struct hearth_id group_of(size_t count, struct hearth_id *ids)
{
    struct hearth_id chat = found_group(ALICE, "three");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, chat, &(struct commit_wish){.add = friends, .add_count = count - 1});
    world_run(1000);
    for (size_t i = 1; i < count; i++)
        assert_true(same_group(ALICE, chat, w.who[i], &ids[i]));
    return chat;
}

static struct err do_resync(struct doing *d, struct db_txn *t)
{
    return group_resync_begin(d->p->core, t, &d->chat, &d->task);
}

/* ---- races */

static void test_two_admins_at_once(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    uint64_t one, two, three;
    (void)state;
    wish_done(ALICE, a, &(struct commit_wish){.promote = view_of(BOB, id[1]).user});
    world_run(1000);
    assert_ok(wish(ALICE, a, &(struct commit_wish){.rename = "alices"}, &one));
    assert_ok(wish(BOB, id[1], &(struct commit_wish){.promote = view_of(CAROL, id[2]).user}, &two));
    assert_ok(wish(CAROL, id[2], &(struct commit_wish){.update = true}, &three));
    world_wait(ALICE, one);
    world_wait(BOB, two);
    world_wait(CAROL, three);
    world_run(2000);
    assert_together(ALICE, a, BOB, id[1]);
    assert_together(ALICE, a, CAROL, id[2]);
    assert_string_equal(view_of(CAROL, id[2]).name, "alices");
    assert_true(view_of(CAROL, id[2]).admin);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_CHAT_BROKEN), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 0);
    assert_int_equal(seen(CAROL, HEARTH_EVENT_CHAT_BROKEN), 0);
}

/* Messages that are under way while the epoch changes arrive once each. */
static void test_messages_through_commits(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    uint64_t task[12];
    char text[32];
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        struct person *by = w.who[i % 3];
        struct hearth_id chat = i % 3 == 0 ? a : id[i % 3];
        uint64_t commit;
        (void)snprintf(text, sizeof text, "message %u", i);
        assert_ok(say(by, chat, text, &task[i]));
        assert_ok(wish(w.who[(i + 1) % 3], (i + 1) % 3 == 0 ? a : id[(i + 1) % 3],
                       &(struct commit_wish){.update = true}, &commit));
        people_run_ms(&w.people, 3);
    }
    for (unsigned i = 0; i < 12; i++)
        world_wait(w.who[i % 3], task[i]);
    world_run(20000);
    id[0] = a;
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof text, "message %u", i);
        for (unsigned j = 0; j < 3; j++)
            assert_int_equal(has_message(w.who[j], id[j], text, 0), 1);
    }
    assert_together(ALICE, a, BOB, id[1]);
    assert_together(ALICE, a, CAROL, id[2]);
    for (unsigned j = 0; j < 3; j++)
        assert_int_equal(seen(w.who[j], HEARTH_EVENT_LOSS), 0);
}

/* Who has been away sends in an epoch that is over: catches up, encrypts anew. */
static void test_sending_after_a_while(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    (void)state;
    queue_listen_stop(BOB->core);
    world_run(500);
    struct view carol = view_of(CAROL, id[2]);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    wish_done(ALICE, a, &(struct commit_wish){.update = true});
    wish_done(ALICE, a,
              &(struct commit_wish){.remove = gone, .remove_count = 1}); /* new state key */
    say_done(ALICE, a, "meanwhile");
    say_done(BOB, id[1], "from the past");
    world_run(2000);
    assert_int_equal(has_message(ALICE, a, "from the past", 0), 1);
    assert_int_equal(has_message(BOB, id[1], "from the past", HEARTH_MESSAGE_SENT), 1);
    assert_int_equal(has_message(BOB, id[1], "meanwhile", 0), 1);
    assert_int_equal(has_message(CAROL, id[2], "from the past", 0), 0);
    /* and so does a commit */
    queue_listen_stop(BOB->core);
    wish_done(ALICE, a, &(struct commit_wish){.rename = "meanwhile renamed"});
    wish_done(BOB, id[1], &(struct commit_wish){.update = true});
    world_run(2000);
    assert_together(ALICE, a, BOB, id[1]);
    assert_string_equal(view_of(BOB, id[1]).name, "meanwhile renamed");
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
}

/* ---- kills: what one life begins, another ends */

/* The process dies so many turns of the loop after it has wished for a commit: before the request
 * left, while it was under way, or after the server had accepted it, when messages of the new epoch
 * may come before the answer is asked for again. */
static void test_answer_lost(void **state)
{
    (void)state;
    world_open(5, 3);
    befriend_all();
    struct hearth_id id[3], a = group_of(3, id);
    unsigned lost = 0;
    for (unsigned turns = 1; turns <= 60; turns++) {
        char text[32];
        uint64_t task;
        bool renames = turns % 2 == 0;
        (void)snprintf(text, sizeof text, "turn %u", turns);
        struct view before = view_of(BOB, id[1]);
        const struct commit_wish update = {.update = true}, rename = {.rename = text};
        assert_ok(wish(ALICE, a, renames ? &rename : &update, &task));
        for (unsigned i = 0; i < turns; i++)
            if (!town_step(w.people.town) && !town_wait(w.people.town, 1))
                break;
        person_kill(ALICE);
        people_run_ms(&w.people, 200); /* what was sent is accepted, and goes to the others */
        bool accepted = view_of(BOB, id[1]).epoch != before.epoch;
        uint64_t said;
        assert_ok(say(BOB, id[1], text, &said));
        while (tasks_has(BOB->core, said))
            people_run_ms(&w.people, 50);
        person_start(ALICE);
        lost += accepted && tasks_has(ALICE->core, task);
        assert_ok(queue_listen(ALICE->core));
        world_run(3000);
        world_wait(ALICE, task);
        world_run(500);
        assert_together(ALICE, a, BOB, id[1]);
        assert_together(ALICE, a, CAROL, id[2]);
        assert_int_equal(has_message(ALICE, a, text, 0), 1);
        assert_int_equal(has_message(CAROL, id[2], text, 0), 1);
    }
    assert_int_equal(seen(ALICE, HEARTH_EVENT_LOSS), 0);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_CHAT_BROKEN), 0);
    assert_true(lost > 5);
    print_message("%u answers lost\n", lost);
    world_close();
}

/* Founding, adding, saying, renaming, removing; with the founder killed at his n-th step. */
static void test_founder_killed_everywhere(void **state)
{
    bool killed = true;
    (void)state;
    for (uint64_t n = 1; killed; n++) {
        assert_true(n < 200);
        world_open(3, 3);
        befriend_all();
        unsigned lives = ALICE->lives;
        struct hearth_id id[3], friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
        person_kill_at(ALICE, n);
        struct doing d = {.text = "killed"};
        uint64_t said = 0, task;
        struct err err = person_do(ALICE, &d, do_create);
        world_run(3000);
        if (ALICE->lives == lives && err_is_ok(err)) {
            assert_ok(
                wish(ALICE, d.chat, &(struct commit_wish){.add = friends, .add_count = 2}, &task));
            world_run(3000);
        }
        if (ALICE->lives == lives) {
            err = say(ALICE, d.chat, "from a killed one", &said);
            world_run(3000);
        }
        bool second = ALICE->lives == lives;
        if (second) {
            (void)wish(ALICE, d.chat, &(struct commit_wish){.rename = "renamed"}, &task);
            world_run(3000);
        }
        killed = ALICE->lives != lives;
        world_run(90000); /* all delays of repeats are over */
        struct view v = view_of(ALICE, d.chat);
        if (v.there && v.leaves == 3) {
            assert_true(same_group(ALICE, d.chat, BOB, &id[1]));
            assert_true(same_group(ALICE, d.chat, CAROL, &id[2]));
            assert_together(ALICE, d.chat, BOB, id[1]);
            assert_together(ALICE, d.chat, CAROL, id[2]);
            /* what has a row arrives exactly once */
            size_t rows = has_message(ALICE, d.chat, "from a killed one", 0);
            assert_int_equal(has_message(ALICE, d.chat, "from a killed one", HEARTH_MESSAGE_SENT),
                             rows);
            assert_int_equal(has_message(BOB, id[1], "from a killed one", 0), rows);
            assert_int_equal(has_message(CAROL, id[2], "from a killed one", 0), rows);
        } else {
            assert_true(!v.there || v.state == HEARTH_CHAT_OPEN);
        }
        if (!killed) {
            assert_string_equal(v.name, "renamed");
            print_message("%u steps\n", (unsigned)(n - 1));
        }
        world_close();
    }
}

/* Joining and receiving, with the joiner killed at his n-th step. */
static void test_joiner_killed_everywhere(void **state)
{
    bool killed = true;
    (void)state;
    for (uint64_t n = 1; killed; n++) {
        assert_true(n < 200);
        world_open(4, 3);
        befriend_all();
        unsigned lives = BOB->lives;
        struct hearth_id a = found_group(ALICE, "joined"), b, c;
        struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
        person_kill_at(BOB, n);
        wish_done(ALICE, a, &(struct commit_wish){.add = friends, .add_count = 2});
        say_done(ALICE, a, "one");
        world_run(500);
        assert_true(same_group(ALICE, a, CAROL, &c));
        wish_done(CAROL, c, &(struct commit_wish){.update = true});
        say_done(CAROL, c, "two");
        wish_done(ALICE, a, &(struct commit_wish){.rename = "again"});
        say_done(ALICE, a, "three");
        world_run(2000);
        killed = BOB->lives != lives;
        world_run(90000);
        assert_true(same_group(ALICE, a, BOB, &b));
        assert_together(ALICE, a, BOB, b);
        assert_string_equal(view_of(BOB, b).name, "again");
        assert_int_equal(has_message(BOB, b, "one", 0), 1);
        assert_int_equal(has_message(BOB, b, "two", 0), 1);
        assert_int_equal(has_message(BOB, b, "three", 0), 1);
        assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
        assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 0);
        if (!killed)
            print_message("%u steps\n", (unsigned)(n - 1));
        world_close();
    }
}

/* ---- loss */

struct copying {
    struct hearth_id chat;
    struct buf state;
};

static struct err copy_group(struct core *c, struct db_txn *t, void *arg)
{
    struct copying *k = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &k->chat, &chat));
    return group_write(chat->group, &k->state);
}

static struct err put_group(struct core *c, struct db_txn *t, void *arg)
{
    struct copying *k = arg;
    struct open_chat *chat;
    struct mls_group *group = NULL;
    TRY(chat_open(c, t, &k->chat, &chat));
    TRY(group_read(&chat->client, buf_view(&k->state), &group));
    chat_set_group(chat, &group);
    return chat_save(c, t, chat);
}

/* As if a commit had never come: an old copy of the group in the place of the new one. */
static void test_lost_commit_is_noticed(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct copying k = {.chat = id[1]};
    (void)state;
    assert_ok(core_step(BOB->core, copy_group, &k));
    wish_done(ALICE, a, &(struct commit_wish){.update = true});
    say_done(ALICE, a, "of the lost time");
    world_run(1000);
    assert_ok(core_step(BOB->core, put_group, &k));
    say_done(ALICE, a, "after the loss");
    world_run(10000);
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 1);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 1); /* "after the loss" is of an epoch missed */
    assert_together(ALICE, a, BOB, id[1]);
    assert_together(CAROL, id[2], BOB, id[1]);
    say_done(BOB, id[1], "here again");
    say_done(CAROL, id[2], "good");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "here again", 0), 1);
    assert_int_equal(has_message(BOB, id[1], "good", 0), 1);
    buf_clear(&k.state);
}

struct waiting_for_answer {
    struct hearth_id chat;
    struct buf state; /* of the group with its pending commit */
    uint8_t key[STATE_KEY_BYTES];
};

static struct err copy_pending(struct core *c, struct db_txn *t, void *arg)
{
    struct waiting_for_answer *k = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &k->chat, &chat));
    if (k->state.len == 0 && chat->chat.commit_task != 0)
        return group_write(chat->group, &k->state);
    return ERR_OK;
}

/* Back to before the answer: without the new epoch and the new state key. */
static struct err take_back(struct core *c, struct db_txn *t, void *arg)
{
    struct waiting_for_answer *k = arg;
    struct open_chat *chat;
    struct mls_group *group = NULL;
    TRY(chat_open(c, t, &k->chat, &chat));
    TRY(group_read(&chat->client, buf_view(&k->state), &group));
    chat_set_group(chat, &group);
    memcpy(k->key, chat->chat.state_keys[0], sizeof k->key);
    memmove(chat->chat.state_keys[0], chat->chat.state_keys[1],
            (CHAT_STATE_KEYS - 1) * STATE_KEY_BYTES);
    chat->chat.state_key_count--;
    chat->chat.commit_task = 1;
    return chat_save(c, t, chat);
}

static struct err answer_comes(struct core *c, struct db_txn *t, void *arg)
{
    struct waiting_for_answer *k = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &k->chat, &chat));
    TRY(group_merge_pending(chat->group));
    chat->chat.commit_task = 0;
    chat_add_state_key(&chat->chat, k->key, group_epoch(chat->group));
    TRY(chat_save(c, t, chat));
    return held_replay(c, t, chat);
}

/* What comes under keys that our own commit brings waits for its answer, through a restart. */
static void test_items_wait_for_an_answer(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct waiting_for_answer k = {.chat = a};
    struct view carol = view_of(CAROL, id[2]);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    uint64_t task;
    (void)state;
    assert_ok(wish(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1}, &task));
    while (tasks_has(ALICE->core, task)) {
        if (!town_step(w.people.town))
            (void)town_wait(w.people.town, 100);
        assert_ok(core_step(ALICE->core, copy_pending, &k));
    }
    world_run(1000);
    assert_true(k.state.len > 0);
    assert_ok(core_step(ALICE->core, take_back, &k));
    say_done(BOB, id[1], "in the time to come");
    say_done(BOB, id[1], "and another");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "in the time to come", 0), 0);
    assert_int_equal(view_of(ALICE, a).state, HEARTH_CHAT_OPEN);
    reborn(ALICE);
    world_run(500);
    assert_ok(core_step(ALICE->core, answer_comes, &k));
    assert_int_equal(has_message(ALICE, a, "in the time to come", 0), 1);
    assert_int_equal(has_message(ALICE, a, "and another", 0), 1);
    world_run(1000);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_LOSS), 0);
    buf_clear(&k.state);
}

struct damaging {
    struct hearth_id chat;
    struct buf item; /* body of a DELIVERY_COMMIT */
};

/* A commit of the present epoch that no member could process. */
static struct err make_damaged(struct core *c, struct db_txn *t, void *arg)
{
    struct damaging *k = arg;
    struct open_chat *chat;
    struct commit_output output = {0};
    (void)t;
    TRY(chat_open(c, t, &k->chat, &chat));
    TRY(group_commit(chat->group, &chat->client, &(struct commit_options){.force_path = true},
                     &output));
    group_drop_pending(chat->group);
    output.commit.data[output.commit.len - 40] ^= 1;
    delivery_commit_write(&k->item, buf_view(&output.commit), bytes_of(NULL, 0), NULL, 0);
    commit_output_clear(&output);
    return buf_check(&k->item);
}

static struct err take_damaged(struct core *c, struct db_txn *t, void *arg)
{
    struct damaging *k = arg;
    struct open_chat *chat;
    struct delivery_item item = {
        .kind = DELIVERY_COMMIT, .accepted_s = core_now_ms(c) / 1000, .body = buf_view(&k->item)};
    TRY(chat_open(c, t, &k->chat, &chat));
    return receive_delivery(c, t, chat, &item);
}

static void test_damaged_commit_is_reported(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct damaging k = {.chat = a};
    (void)state;
    assert_ok(core_step(ALICE->core, make_damaged, &k));
    k.chat = id[1];
    assert_ok(core_step(BOB->core, take_damaged, &k));
    assert_int_equal(view_of(BOB, id[1]).state, HEARTH_CHAT_BROKEN);
    uint64_t task;
    assert_ok(say(BOB, id[1], "waits until he is in again", &task));
    world_run(15000);
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 1);
    assert_together(ALICE, a, BOB, id[1]);
    assert_int_equal(has_message(ALICE, a, "waits until he is in again", 0), 1);
    buf_clear(&k.item);
}

/* A commit that holds but that its maker had no right to: as a server might let through. */
static struct err make_unlawful(struct core *c, struct db_txn *t, void *arg)
{
    struct damaging *k = arg;
    struct open_chat *chat;
    struct commit_output output = {0};
    struct buf proposal = BUF_INIT;
    (void)t;
    TRY(chat_open(c, t, &k->chat, &chat));
    proposal_write(&proposal, &(struct proposal){.type = PROPOSAL_REMOVE, .remove = 0});
    struct bytes view = buf_view(&proposal);
    TRY(group_commit(
        chat->group, &chat->client,
        &(struct commit_options){.proposals = &view, .proposal_count = 1, .force_path = true},
        &output));
    group_drop_pending(chat->group);
    delivery_commit_write(&k->item, buf_view(&output.commit), bytes_of(NULL, 0), NULL, 0);
    commit_output_clear(&output);
    buf_clear(&proposal);
    return buf_check(&k->item);
}

static void test_members_hold_the_server_to_roles(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct damaging k = {.chat = id[1]};
    (void)state;
    assert_ok(core_step(BOB->core, make_unlawful, &k)); /* bob removes alice, the admin */
    k.chat = id[2];
    assert_ok(core_step(CAROL->core, take_damaged, &k));
    assert_int_equal(view_of(CAROL, id[2]).state, HEARTH_CHAT_BROKEN);
    world_run(15000);
    assert_together(ALICE, a, CAROL, id[2]);
    assert_int_equal(view_of(CAROL, id[2]).leaves, 3);
    buf_clear(&k.item);
}

static struct err count_replacing(struct core *c, struct db_txn *t, void *arg)
{
    struct damaging *k = arg;
    uint8_t lane[16];
    bool there;
    (void)t;
    chat_lane(&k->chat, CHAT_LANE_COVER, lane);
    TRY(task_in_lane(c, t, lane, TASK_REPLACE_INFO, &there));
    return there ? ERR(WRONG_STATE) : ERR_OK;
}

static struct err check_hash(struct core *c, struct db_txn *t, void *arg)
{
    struct damaging *k = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &k->chat, &chat));
    return replace_info_check(c, t, chat, buf_view(&k->item));
}

/* A committer's wrong external_pub is replaced, and who joins from outside finds it good. */
static void test_group_info_is_replaced(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct damaging k = {.chat = id[1]};
    (void)state;
    wish_done(ALICE, a, &(struct commit_wish){.update = true});
    people_run_ms(&w.people, 300);
    assert_ok(core_step(BOB->core, count_replacing, &k)); /* an honest one is let be */
    buf_append(&k.item, "another hash", 12);
    assert_ok(core_step(BOB->core, check_hash, &k));
    assert_err(core_step(BOB->core, count_replacing, &k), WRONG_STATE);
    world_run(1000);
    assert_ok(core_step(BOB->core, count_replacing, &k));
    struct doing d = {.chat = id[2]};
    assert_ok(person_do(CAROL, &d, do_resync));
    world_wait(CAROL, d.task);
    world_run(1000);
    assert_together(ALICE, a, CAROL, id[2]);
    assert_together(ALICE, a, BOB, id[1]);
    buf_clear(&k.item);
}

/* ---- nonsense */

struct nonsense {
    struct hearth_id chat;
    struct delivery_item item;
    struct queue_item queue;
};

static struct err take_item(struct core *c, struct db_txn *t, void *arg)
{
    struct nonsense *n = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &n->chat, &chat));
    return receive_delivery(c, t, chat, &n->item);
}

static struct err take_queue_item(struct core *c, struct db_txn *t, void *arg)
{
    struct nonsense *n = arg;
    return receive_item(c, t, 1, &n->queue);
}

static struct err tag_of(struct core *c, struct db_txn *t, void *arg)
{
    struct nonsense *n = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &n->chat, &chat));
    memcpy(n->queue.tag, chat->chat.tag, sizeof n->queue.tag);
    return ERR_OK;
}

/* What a server makes up is an event or nothing; it never ends a step, and the chat lives on. */
static void test_nonsense_changes_nothing(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct nonsense n = {.chat = id[1]};
    struct damaging k = {.chat = a};
    uint8_t body[600];
    (void)state;
    assert_ok(core_step(BOB->core, tag_of, &n));
    assert_ok(core_step(ALICE->core, make_damaged, &k));
    for (unsigned i = 0; i < 1200; i++) {
        size_t len = i % 5 == 0 ? k.item.len : (i * 37) % sizeof body;
        assert_ok(rng_fill(town_rng(w.people.town), body, len < sizeof body ? len : sizeof body));
        n.item = (struct delivery_item){.kind = (enum delivery_kind)(1 + i % 14),
                                        .body = bytes_of(body, len)};
        if (n.item.kind == DELIVERY_DELETED) /* the server may say that */
            continue;
        if (i % 5 == 0) {
            k.item.data[(i * 7919) % k.item.len] ^= (uint8_t)(1U << i % 8);
            n.item.body = buf_view(&k.item);
        }
        assert_ok(core_step(BOB->core, take_item, &n));
        n.queue.kind = (enum queue_item_kind)(i % 6);
        n.queue.body = bytes_of(body, len < sizeof body ? len : sizeof body);
        assert_ok(core_step(BOB->core, take_queue_item, &n));
    }
    world_run(60000);
    assert_together(ALICE, a, BOB, id[1]);
    say_done(BOB, id[1], "still here");
    world_run(1000);
    assert_int_equal(has_message(CAROL, id[2], "still here", 0), 1);
    buf_clear(&k.item);
}

/* ---- KeyPackages run out */

/* Several groups come by the package of last resort, all under its tag; afterwards each has a leaf
 * and tag of its own. */
static void test_last_resort(void **state)
{
    enum { GROUPS = 24 };
    struct hearth_id groups[GROUPS], bobs[GROUPS];
    (void)state;
    queue_listen_stop(BOB->core);
    for (unsigned i = 0; i < GROUPS; i++) {
        struct hearth_id friend = friend_id(ALICE, BOB);
        groups[i] = found_group(ALICE, "one of many");
        wish_done(ALICE, groups[i], &(struct commit_wish){.add = &friend, .add_count = 1});
        say_done(ALICE, groups[i], "early");
    }
    assert_ok(queue_listen(BOB->core));
    world_run(30000);
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_true(same_group(ALICE, groups[i], BOB, &bobs[i]));
        assert_together(ALICE, groups[i], BOB, bobs[i]);
        assert_int_equal(has_message(BOB, bobs[i], "early", 0), 1);
        say_done(ALICE, groups[i], "late");
        say_done(BOB, bobs[i], "answer");
    }
    world_run(1000);
    unsigned fresh = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(has_message(BOB, bobs[i], "late", 0), 1);
        assert_int_equal(has_message(ALICE, groups[i], "answer", 0), 1);
        fresh += view_of(BOB, bobs[i]).epoch > 1;
    }
    assert_true(fresh >= 2); /* those of last resort changed their leaf at once */
    assert_true(fresh < GROUPS);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 0);
}

/* ---- memory */

struct good_items {
    struct hearth_id chat;
    struct buf commit, message;
};

/* A commit and a message before it, as alice would send them; her group stays as it is. */
static struct err make_good(struct core *c, struct db_txn *t, void *arg)
{
    struct good_items *k = arg;
    struct open_chat *chat;
    struct commit_output output = {0};
    struct buf plain = BUF_INIT;
    uint8_t id[16] = {9};
    struct content content = {.kind = CONTENT_TEXT, .id = id, .body = bytes_str("by hand")};
    (void)t;
    TRY(chat_open(c, t, &k->chat, &chat));
    content_write(&plain, &content);
    TRY(group_protect(chat->group, &chat->client, buf_view(&plain), bytes_of(NULL, 0),
                      &k->message));
    TRY(group_commit(chat->group, &chat->client, &(struct commit_options){.force_path = true},
                     &output));
    group_drop_pending(chat->group);
    delivery_commit_write(&k->commit, buf_view(&output.commit), bytes_of(NULL, 0), NULL, 0);
    commit_output_clear(&output);
    buf_clear(&plain);
    return buf_check(&k->commit);
}

/* Each allocation of the step fails once: the step fails as a whole, and goes well the next time.
 */
static void fail_each(struct person *p, struct nonsense *n)
{
    long count = 0;
    struct err err;
    bool failed;
    do {
        struct view before = view_of(p, n->chat);
        test_fail_own_allocation(count++);
        err = core_step(p->core, take_item, n);
        failed = test_allocation_failed();
        struct view after = view_of(p, n->chat);
        if (!err_is_ok(err)) {
            assert_int_equal(after.epoch, before.epoch);
            assert_int_equal(after.state, before.state);
            assert_int_equal(after.messages, before.messages);
        }
    } while (failed && !err_is_ok(err));
    assert_ok(err);
    print_message("%ld allocations%s\n", count, failed ? ", one of them was not missed" : "");
    assert_true(count > 20);
}

static void test_steps_without_memory(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct good_items k = {.chat = a};
    struct nonsense n = {.chat = id[1]};
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    assert_ok(core_step(ALICE->core, make_good, &k));
    struct view before = view_of(BOB, id[1]);
    n.item = (struct delivery_item){
        .kind = DELIVERY_MESSAGE, .accepted_s = 1800000000, .body = buf_view(&k.message)};
    fail_each(BOB, &n);
    assert_int_equal(has_message(BOB, id[1], "by hand", 0), 1);
    n.item = (struct delivery_item){
        .kind = DELIVERY_COMMIT, .accepted_s = 1800000000, .body = buf_view(&k.commit)};
    fail_each(BOB, &n);
    struct view after = view_of(BOB, id[1]);
    assert_int_equal(after.epoch, before.epoch + 1);
    assert_int_equal(after.state, HEARTH_CHAT_OPEN);
    buf_clear(&k.commit);
    buf_clear(&k.message);
}

/* ---- identities */

struct swapping {
    struct hearth_id chat;
    uint32_t leaf;
    const uint8_t *wrapped;
    struct err (*how)(struct swapping *s, struct core *c, struct db_txn *t, struct open_chat *chat);
};

static struct err swap_run(struct core *c, struct db_txn *t, void *arg)
{
    struct swapping *s = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &s->chat, &chat));
    TRY(s->how(s, c, t, chat));
    return chat_save(c, t, chat);
}

/* News that give one leaf another's identity key: it does not open, as if it was of a group
 * identity key that has not come yet. Nothing speaks against it, and nothing is sent. */
static struct err news_of_another(struct swapping *s, struct core *c, struct db_txn *t,
                                  struct open_chat *chat)
{
    const struct roster_leaf *from = roster_find(chat->roster, 2),
                             *to = roster_find(chat->roster, s->leaf);
    struct buf wrapped = BUF_INIT;
    buf_append_bytes(&wrapped, buf_view(&from->wrapped_identity_key));
    uint8_t user[16];
    memcpy(user, to->user_pseudonym, sizeof user);
    struct leaf_news news = {
        .leaf = s->leaf, .user_pseudonym = user, .wrapped_identity_key = buf_view(&wrapped)};
    struct err err = roster_news(c, t, chat, &news, 1);
    buf_clear(&wrapped);
    return err;
}

static void test_swapped_identity_stops_sending(void **state)
{
    struct hearth_id id[3], a = group_of(3, id);
    struct swapping s = {.chat = a, .leaf = 1, .how = news_of_another};
    uint64_t task;
    (void)state;
    assert_ok(core_step(ALICE->core, swap_run, &s));
    assert_int_equal(view_of(ALICE, a).pending, 1); /* a new identity key might be under way */
    assert_ok(say(ALICE, a, "never sent", &task));
    world_run(70000);
    assert_int_equal(view_of(ALICE, a).pending, 1);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_UNVERIFIED), 0);
    assert_int_equal(has_message(ALICE, a, "never sent", HEARTH_MESSAGE_FAILED), 1);
    assert_int_equal(has_message(BOB, id[1], "never sent", 0), 0);
    assert_err(say(ALICE, a, "nor this", &task), CLIENT_MEMBER_LATER);
    /* until it is removed */
    struct view bob = view_of(BOB, id[1]);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])bob.user;
    wish_done(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1});
    say_done(ALICE, a, "now it goes");
    world_run(1000);
    assert_int_equal(has_message(CAROL, id[2], "now it goes", 0), 1);
}

struct key_set_change {
    struct hearth_id contact;
    struct bytes key_set;
};

static struct err change_key_set(struct core *c, struct db_txn *t, void *arg)
{
    struct key_set_change *k = arg;
    struct contact contact = {0};
    TRY(contact_get(c, t, &k->contact, &contact));
    buf_clear(&contact.key_set);
    buf_append_bytes(&contact.key_set, k->key_set);
    struct err err = contact_put(c, t, &contact);
    contact_clear(&contact);
    return err;
}

/* What the control goes by instead of the KeySet that it holds: the one that it is shown now. */
static bool believes;

const struct client_key *__real_key_set_find(const struct key_set *set, struct bytes client_id);
const struct client_key *__wrap_key_set_find(const struct key_set *set, struct bytes client_id);
const struct client_key *__wrap_key_set_find(const struct key_set *set, struct bytes client_id)
{
    static struct key_set shown;
    if (!believes)
        return __real_key_set_find(set, client_id);
    assert_ok(key_set_parse(buf_view(&BOB->core->account.key_set), &shown));
    const struct client_key *key = __real_key_set_find(&shown, client_id);
    return key != NULL ? key : __real_key_set_find(set, client_id);
}

/* MitM3: the homeserver hands out a device that is not in the set that we hold of the contact. */
static void test_device_outside_the_key_set_is_not_added(void **state)
{
    struct hearth_id chat = found_group(ALICE, "careful"), b;
    struct hearth_id friend = friend_id(ALICE, BOB);
    struct key_set_change k = {friend, buf_view(&CAROL->core->account.key_set)};
    uint64_t task;
    (void)state;
    assert_ok(core_step(ALICE->core, change_key_set, &k));
    assert_ok(wish(ALICE, chat, &(struct commit_wish){.add = &friend, .add_count = 1}, &task));
    world_run(5000);
    assert_false(tasks_has(ALICE->core, task));
    assert_true(seen(ALICE, HEARTH_EVENT_UNVERIFIED) > 0);
    assert_int_equal(view_of(ALICE, chat).leaves, 1);
    assert_false(same_group(ALICE, chat, BOB, &b));
}

static void MitM3_control_the_device_is_added(void **state)
{
    struct hearth_id chat = found_group(ALICE, "trusting"), b;
    struct hearth_id friend = friend_id(ALICE, BOB);
    struct key_set_change k = {friend, buf_view(&CAROL->core->account.key_set)};
    (void)state;
    assert_ok(core_step(ALICE->core, change_key_set, &k));
    believes = true;
    wish_done(ALICE, chat, &(struct commit_wish){.add = &friend, .add_count = 1});
    world_run(5000);
    believes = false;
    assert_int_equal(view_of(ALICE, chat).leaves, 2);
    assert_true(same_group(ALICE, chat, BOB, &b));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_two_admins_at_once),
        TEST(test_messages_through_commits),
        TEST(test_sending_after_a_while),
        cmocka_unit_test(test_answer_lost),
        cmocka_unit_test(test_founder_killed_everywhere),
        cmocka_unit_test(test_joiner_killed_everywhere),
        TEST(test_lost_commit_is_noticed),
        TEST(test_items_wait_for_an_answer),
        TEST(test_damaged_commit_is_reported),
        TEST(test_members_hold_the_server_to_roles),
        TEST(test_group_info_is_replaced),
        TEST(test_nonsense_changes_nothing),
        TEST(test_last_resort),
        TEST(test_steps_without_memory),
        TEST(test_swapped_identity_stops_sending),
        TEST(test_device_outside_the_key_set_is_not_added),
        TEST(MitM3_control_the_device_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
