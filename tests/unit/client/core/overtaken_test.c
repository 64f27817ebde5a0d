/* A Welcome that comes before the removal of before: they are for two queue references, and go
 * there by ways of their own. What is for the leaf that is removed is kept back here. */
#include "groups.h"

#include "client/core/receive.h"

enum { BACK_MOST = 64 };

/* Items for one tag of one person, kept back where the queue would hand them over. */
static struct back {
    struct core *core; /* NULL: nothing is */
    uint8_t tag[QUEUE_TAG_BYTES];
    struct queue_item items[BACK_MOST];
    struct buf bodies[BACK_MOST];
    size_t count;
} back;

struct err __real_receive_item(struct core *c, struct db_txn *t, uint64_t sequence,
                               const struct queue_item *item);
struct err __wrap_receive_item(struct core *c, struct db_txn *t, uint64_t sequence,
                               const struct queue_item *item);

struct err __wrap_receive_item(struct core *c, struct db_txn *t, uint64_t sequence,
                               const struct queue_item *item)
{
    if (c != back.core || item->kind != QUEUE_ITEM_DELIVERY ||
        memcmp(item->tag, back.tag, sizeof back.tag) != 0)
        return __real_receive_item(c, t, sequence, item);
    assert_true(back.count < BACK_MOST);
    buf_append_bytes(&back.bodies[back.count], item->body);
    back.items[back.count++] = *item;
    return ERR_OK;
}

static struct err take_back(struct core *c, struct db_txn *t, void *arg)
{
    const struct queue_item *item = arg;
    return __real_receive_item(c, t, 0, item);
}

static struct err tag_of(struct core *c, struct db_txn *t, void *arg)
{
    struct open_chat *chat;
    TRY(chat_open(c, t, arg, &chat));
    memcpy(back.tag, chat->chat.tag, sizeof back.tag);
    return ERR_OK;
}

static void keep_back(struct person *p, struct hearth_id chat)
{
    assert_ok(core_step(p->core, tag_of, &chat));
    back.core = p->core;
}

static void hand_over(struct person *p)
{
    back.core = NULL;
    for (size_t i = 0; i < back.count; i++) {
        back.items[i].body = buf_view(&back.bodies[i]);
        assert_ok(core_step(p->core, take_back, &back.items[i]));
        buf_clear(&back.bodies[i]);
    }
    back.count = 0;
}

/* ---- */

struct states {
    size_t open, starting, over, broken;
};

static struct err count_states(void *arg, struct open_chat *chat)
{
    struct states *s = arg;
    s->open += chat->chat.state == HEARTH_CHAT_OPEN;
    s->starting += chat->chat.state == HEARTH_CHAT_STARTING;
    s->over += chat->chat.state == HEARTH_CHAT_OVER;
    s->broken += chat->chat.state == HEARTH_CHAT_BROKEN;
    return ERR_OK;
}

static struct err look_states(struct core *c, struct db_txn *t, void *arg)
{
    return chat_each(c, t, count_states, arg);
}

static void assert_states(struct person *p, struct states want)
{
    struct states s = {0};
    assert_ok(core_step(p->core, look_states, &s));
    if (memcmp(&s, &want, sizeof s) != 0)
        fail_msg("%s: %zu open, %zu starting, %zu over, %zu broken", p->name, s.open, s.starting,
                 s.over, s.broken);
}

static void assert_nothing_lost(void)
{
    for (size_t i = 0; i < w.count; i++) {
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_LOSS), 0);
        assert_int_equal(seen(w.who[i], HEARTH_EVENT_UNVERIFIED), 0);
    }
}

/* alice and carol, and bob as the chat that is returned. */
static struct hearth_id group_with_bob(uint64_t seed, struct hearth_id *ret_alices)
{
    struct hearth_id bobs;
    world_open(seed, 3);
    befriend_all();
    *ret_alices = found_group(ALICE, "garden");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, *ret_alices, &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(2000);
    assert_true(same_group(ALICE, *ret_alices, BOB, &bobs));
    return bobs;
}

static void remove_bob(struct hearth_id a, uint8_t *user)
{
    wish_done(ALICE, a, &(struct commit_wish){.remove = (void *)user, .remove_count = 1});
}

static void add_bob(struct hearth_id a)
{
    struct hearth_id bob = friend_id(ALICE, BOB);
    wish_done(ALICE, a, &(struct commit_wish){.add = &bob, .add_count = 1});
}

static struct err do_resync(struct doing *d, struct db_txn *t)
{
    return group_resync_begin(d->p->core, t, &d->chat, &d->task);
}

struct member {
    struct hearth_id chat, contact;
    uint8_t user[16];
};

static struct err find_member(struct core *c, struct db_txn *t, void *arg)
{
    struct member *m = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &m->chat, &chat));
    for (size_t i = 0; i < chat->roster->count; i++)
        if (memcmp(chat->roster->leaves[i].contact.bytes, m->contact.bytes, 16) == 0)
            memcpy(m->user, chat->roster->leaves[i].user_pseudonym, 16);
    return ERR_OK;
}

/* In the group again, and all that was said since he was added has come. */
static void assert_back(struct hearth_id a, const char *text)
{
    struct hearth_id again;
    assert_true(same_group(ALICE, a, BOB, &again));
    struct view bob = view_of(BOB, again), alice = view_of(ALICE, a);
    assert_int_equal(bob.state, HEARTH_CHAT_OPEN);
    assert_int_equal(bob.epoch, alice.epoch);
    assert_int_equal(has_message(BOB, again, text, 0), 1);
    say_done(BOB, again, "I am back");
    world_run(2000);
    assert_int_equal(has_message(ALICE, a, "I am back", 0), 1);
    assert_nothing_lost();
}

/* The Welcome, then what is said to the new leaf, then a life of bob's ends; the removal last. */
static void test_welcome_first(void **state)
{
    struct hearth_id a, b = group_with_bob(1, &a);
    struct view bob = view_of(BOB, b);
    (void)state;
    keep_back(BOB, b);
    remove_bob(a, bob.user);
    add_bob(a);
    say_done(ALICE, a, "welcome back");
    world_run(30000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1});
    assert_true(back.count > 0);
    reborn(BOB);
    world_run(130000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1}); /* it ends nothing by itself */
    hand_over(BOB);
    world_run(10000);
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_states(BOB, (struct states){.open = 1, .over = 1});
    assert_back(a, "welcome back");
    world_close();
}

/* Twice: of the first Welcome nothing comes any more, and nobody is alarmed. */
static void test_twice(void **state)
{
    struct hearth_id a, b = group_with_bob(2, &a);
    struct view bob = view_of(BOB, b);
    (void)state;
    keep_back(BOB, b);
    remove_bob(a, bob.user);
    add_bob(a);
    world_run(20000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1});
    hand_over(BOB);
    world_run(10000);
    assert_states(BOB, (struct states){.open = 1, .over = 1});
    struct hearth_id again;
    assert_true(same_group(ALICE, a, BOB, &again));
    keep_back(BOB, again);
    remove_bob(a, view_of(BOB, again).user);
    add_bob(a);
    say_done(ALICE, a, "and again");
    world_run(20000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1, .over = 1});
    hand_over(BOB);
    world_run(10000);
    assert_states(BOB, (struct states){.open = 1, .over = 2});
    assert_back(a, "and again");
    world_close();
}

/* The removal never comes, and bob can't follow: he is in by what the Welcome says. */
static void test_without_removal(void **state)
{
    struct hearth_id a, b = group_with_bob(3, &a);
    struct view bob = view_of(BOB, b);
    struct doing d = {.chat = b};
    (void)state;
    keep_back(BOB, b);
    remove_bob(a, bob.user);
    add_bob(a);
    say_done(ALICE, a, "are you lost?");
    world_run(130000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1});
    assert_ok(person_do(BOB, &d, do_resync));
    world_run(130000);
    assert_int_equal(view_of(BOB, b).state, HEARTH_CHAT_OVER);
    assert_states(BOB, (struct states){.open = 1, .over = 1});
    hand_over(BOB); /* too late to matter */
    world_run(2000);
    assert_back(a, "are you lost?");
    world_close();
}

/* Added, removed and added again before the first removal comes: the first Welcome is good for
 * nothing any more, and keeps the second from nothing. */
static void test_two_wait(void **state)
{
    struct hearth_id a, b = group_with_bob(4, &a);
    struct view bob = view_of(BOB, b);
    (void)state;
    keep_back(BOB, b);
    remove_bob(a, bob.user);
    add_bob(a);
    world_run(20000);
    assert_states(BOB, (struct states){.open = 1, .starting = 1});
    struct member m = {.chat = a, .contact = friend_id(ALICE, BOB)};
    assert_ok(core_step(ALICE->core, find_member, &m));
    remove_bob(a, m.user);
    add_bob(a);
    say_done(ALICE, a, "third time");
    world_run(20000);
    assert_states(BOB, (struct states){.open = 1, .starting = 2});
    hand_over(BOB);
    world_run(130000);
    assert_states(BOB, (struct states){.open = 1, .over = 2});
    assert_back(a, "third time");
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_welcome_first),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_without_removal),
        cmocka_unit_test(test_two_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
