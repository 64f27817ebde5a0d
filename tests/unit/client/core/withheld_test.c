/* DoS15: a homeserver that holds messages back, turns their order round or leads members into
 * different groups is found out by what members say to each other (core/head.h).
 *
 * The server's own code runs, but for what its operator changed: __wrap_queue_append does to items
 * for one member's chat what a test says. The control runs the same attack on clients that compare
 * nothing. */
#include "groups.h"

#include "client/core/head.h"
#include "client/core/receive.h"
#include "server/delivery/delivery.h"
#include "server/queue/state.h"

/* ---- the operator's changes */

static struct {
    uint8_t tag[QUEUE_TAG_BYTES]; /* items with it */
    unsigned skip, drop;          /* so many go through; then so many vanish */
    bool turn;                    /* the next waits until the one after it was appended */
    bool tells;                   /* ... and says so: as if they had not fitted */
    struct queue_item kept;
    uint8_t body[4096];
    bool unchecked; /* the control: clients compare nothing */
} operator;

struct err __real_queue_append(struct store_txn *txn, const struct queue *q,
                               struct queue_state *state, const struct queue_item *item,
                               bool control, uint64_t now_s, bool *ret_stored);
struct err __wrap_queue_append(struct store_txn *txn, const struct queue *q,
                               struct queue_state *state, const struct queue_item *item,
                               bool control, uint64_t now_s, bool *ret_stored);
struct err __wrap_queue_append(struct store_txn *txn, const struct queue *q,
                               struct queue_state *state, const struct queue_item *item,
                               bool control, uint64_t now_s, bool *ret_stored)
{
    bool his = memcmp(item->tag, operator.tag, sizeof operator.tag) == 0;
    if (his && operator.skip> 0) {
        operator.skip--;
    } else if (his && operator.drop> 0) {
        operator.drop--;
        *ret_stored = true;
        return ERR_OK;
    } else if (his && operator.turn && item->body.len <= sizeof operator.body) {
        operator.turn = false;
        operator.kept = * item;
        memcpy(operator.body, item->body.data, item->body.len);
        operator.kept.body = bytes_of(operator.body, item->body.len);
        *ret_stored = true;
        return ERR_OK;
    }
    TRY(__real_queue_append(txn, q, state, item, control, now_s, ret_stored));
    if (his && operator.kept.body.len> 0) {
        bool stored;
        struct queue_item kept = operator.kept;
        operator.kept.body.len = 0;
        return __real_queue_append(txn, q, state, &kept, control, now_s, &stored);
    }
    return ERR_OK;
}

struct err __real_head_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct head_from *from, struct bytes plaintext,
                            struct bytes *ret_content);
struct err __wrap_head_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct head_from *from, struct bytes plaintext,
                            struct bytes *ret_content);
struct err __wrap_head_take(struct core *c, struct db_txn *t, struct open_chat *chat,
                            const struct head_from *from, struct bytes plaintext,
                            struct bytes *ret_content)
{
    struct head_from nobody = *from;
    nobody.pseudonym = NULL;
    return __real_head_take(c, t, chat, operator.unchecked ? &nobody : from, plaintext,
                            ret_content);
}

/* ---- the group */

static struct hearth_id id[3];

static struct err tag_of(struct doing *d, struct db_txn *t)
{
    struct open_chat *chat;
    TRY(chat_open(d->p->core, t, &d->chat, &chat));
    memcpy(operator.tag, chat->chat.tag, sizeof operator.tag);
    return ERR_OK;
}

/* Alice, bob and carol; what comes for bob is in the operator's hands. */
static void group_of_three(void)
{
    id[0] = found_group(ALICE, "three");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, id[0], &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(1000);
    assert_true(same_group(ALICE, id[0], BOB, &id[1]));
    assert_true(same_group(ALICE, id[0], CAROL, &id[2]));
    struct doing d = {.chat = id[1]};
    assert_ok(person_do(BOB, &d, tag_of));
}

static int begin(void **state)
{
    (void)state;
    memset(&operator, 0, sizeof operator);
    world_open(2, 3);
    befriend_all();
    group_of_three();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void says(size_t who, const char *text)
{
    say_done(w.who[who], id[who], text);
    world_run(300);
}

/* The attacks, each told to bob by so many events. */
static void attack_middle(void)
{
    says(0, "one");
    operator.drop = 1;
    says(0, "two");
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), 0); /* nobody can know yet */
    says(0, "three");
}

static void attack_last(void)
{
    says(0, "one");
    operator.drop = 2;
    says(0, "two");
    says(0, "three");
    says(2, "carol has read three");
}

static void attack_first(void)
{
    operator.drop = 1;
    says(0, "one");
    says(2, "carol has read one");
}

static void attack_order(void)
{
    says(0, "a question");
    operator.turn = true;
    says(0, "no");
    says(2, "shall we leave?");
}

static const struct {
    void (*run)(void);
    const char *gone; /* does not come at all; NULL: comes late */
} attacks[] = {
    {attack_middle, "two"}, {attack_last, "three"}, {attack_first, "one"}, {attack_order, NULL}};

static void attack(size_t n, bool checked)
{
    w.dishonest = true;
    operator.unchecked = !checked;
    attacks[n].run();
    world_run(500);
    if (attacks[n].gone != NULL)
        assert_int_equal(has_message(BOB, id[1], attacks[n].gone, 0), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), checked ? 1 : 0);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_WITHHELD) + seen(CAROL, HEARTH_EVENT_WITHHELD), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
    /* and it is said once */
    says(0, "afterwards");
    says(2, "afterwards");
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), checked ? 1 : 0);
}

static void DoS15_dropped_in_the_middle(void **state)
{
    (void)state;
    attack(0, true);
}

static void DoS15_dropped_last_ones_are_named_by_others(void **state)
{
    (void)state;
    attack(1, true);
}

static void DoS15_dropped_before_anything_was_heard(void **state)
{
    (void)state;
    attack(2, true);
}

static void DoS15_turned_round(void **state)
{
    (void)state;
    attack(3, true);
}

static void DoS15_control(void **state)
{
    for (size_t n = 0; n < sizeof attacks / sizeof attacks[0]; n++) {
        attack(n, false);
        if (n + 1 < sizeof attacks / sizeof attacks[0]) {
            (void)end(state);
            (void)begin(state);
        }
    }
}

/* A commit that is kept back shows with the next message of its epoch, and bob joins anew; what he
 * could not read meanwhile is a loss that is told, not one that is missed. */
static void DoS15_commit_kept_back(void **state)
{
    (void)state;
    says(0, "before");
    operator.drop = 1;
    wish_done(ALICE, id[0], &(struct commit_wish){.update = true});
    says(0, "in the new epoch");
    world_run(15000);
    assert_int_equal(seen(BOB, HEARTH_EVENT_CHAT_BROKEN), 1);
    assert_int_equal(view_of(BOB, id[1]).epoch, view_of(ALICE, id[0]).epoch);
    says(0, "after");
    says(2, "after that");
    assert_int_equal(has_message(BOB, id[1], "after that", 0), 1);
}

/* Two commits in one epoch, both accepted: each half finds out with what the other says. */
static unsigned fork_and_talk(uint32_t control)
{
    uint64_t one, two;
    w.dishonest = control != 0;
    wish_done(ALICE, id[0], &(struct commit_wish){.promote = view_of(BOB, id[1]).user});
    town_control_delivery(w.people.town, control);
    world_run(5000);
    assert_ok(wish(ALICE, id[0], &(struct commit_wish){.rename = "alices"}, &one));
    assert_ok(wish(BOB, id[1], &(struct commit_wish){.rename = "bobs"}, &two));
    world_wait(ALICE, one);
    world_wait(BOB, two);
    world_run(1000);
    struct view a = view_of(ALICE, id[0]), b = view_of(BOB, id[1]);
    bool forked = a.epoch == b.epoch && memcmp(a.authenticator, b.authenticator, 32) != 0;
    assert_int_equal(forked, control != 0);
    says(0, "from one half");
    says(1, "from the other");
    return seen(ALICE, HEARTH_EVENT_WITHHELD) + seen(BOB, HEARTH_EVENT_WITHHELD);
}

static void DoS15_forked_group(void **state)
{
    (void)state;
    assert_int_equal(fork_and_talk(DELIVERY_NO_VERSION), 2);
}

static void DoS15_group_that_is_not_forked(void **state)
{
    (void)state;
    assert_int_equal(fork_and_talk(0), 0);
}

/* Who has joined later, was away, has lost what the homeserver said it lost, or sends in two epochs
 * misses nothing. */
static void honest_ones_are_not_accused(void **state)
{
    (void)state;
    const struct commit_wish update = {.update = true};
    says(0, "one");
    says(1, "two");
    wish_done(CAROL, id[2], &update);
    says(2, "three");
    struct view carol = view_of(CAROL, id[2]);
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])carol.user;
    wish_done(ALICE, id[0], &(struct commit_wish){.remove = gone, .remove_count = 1});
    says(0, "without carol");
    says(1, "without carol");
    struct hearth_id friend = friend_id(ALICE, CAROL);
    wish_done(ALICE, id[0], &(struct commit_wish){.add = &friend, .add_count = 1});
    world_run(1000);
    assert_true(same_group(ALICE, id[0], CAROL, &id[2]));
    for (unsigned round = 0; round < 3; round++) {
        says(1, "with carol");
        says(0, "with carol");
        says(2, "here");
        wish_done(BOB, id[1], &update);
    }
    queue_listen_stop(BOB->core);
    for (unsigned i = 0; i < 5; i++)
        says(i % 2 * 2, "bob is away");
    uint64_t task;
    assert_ok(say(BOB, id[1], "before he has heard", &task));
    world_run(500);
    person_kill(BOB);
    person_start(BOB);
    assert_ok(queue_listen(BOB->core));
    world_run(2000);
    for (unsigned i = 0; i < 3; i++)
        says(i, "together");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(has_message(w.who[i], id[i], "together", 0), 3);
}

static struct err tell_loss(struct doing *d, struct db_txn *t)
{
    struct open_chat *chat;
    TRY(chat_open(d->p->core, t, &d->chat, &chat));
    return receive_event(d->p->core, t, chat, HEARTH_EVENT_LOSS, 2, "two did not fit");
}

/* So many as were said to be lost; one more is withheld. */
static void told_losses_are_not_told_twice(void **state)
{
    (void)state;
    struct doing d = {.chat = id[1]};
    says(0, "one");
    operator.drop = 2;
    assert_ok(person_do(BOB, &d, tell_loss));
    says(0, "two");
    says(0, "three");
    says(0, "four");
    w.dishonest = true;
    operator.drop = 1;
    says(0, "five");
    says(0, "six");
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), 1);
}

/* ME1: what is said has one of five sizes on its way up. */
struct sizes {
    struct hearth_id chat;
    size_t text, message;
};

static struct err measure(struct core *c, struct db_txn *t, void *arg)
{
    static uint8_t text[97000];
    struct sizes *s = arg;
    struct open_chat *chat;
    struct buf plain = BUF_INIT, message = BUF_INIT;
    uint8_t lane[16];
    TRY(chat_open(c, t, &s->chat, &chat));
    chat_lane(&s->chat, CHAT_LANE, lane);
    TRY(head_wrap(c, t, chat, lane, bytes_of(text, s->text), &plain));
    TRY(group_protect(chat->group, &chat->client, buf_view(&plain), bytes_of(NULL, 0), &message));
    s->message = message.len;
    buf_clear(&plain);
    buf_clear(&message);
    return chat_save(c, t, chat);
}

static void ME1_five_sizes_of_messages(void **state)
{
    static const size_t sizes[] = {736, 3808, 16096, 65248, 98016};
    size_t last = 0, seen_sizes = 0;
    (void)state;
    for (size_t text = 1; text < 97000; text += text < 1000 ? 7 : 523) {
        struct sizes s = {.chat = id[0], .text = text};
        assert_ok(core_step(ALICE->core, measure, &s));
        assert_true(s.message >= last);
        if (s.message != last)
            assert_int_equal(s.message, sizes[seen_sizes++]);
        last = s.message;
    }
    assert_int_equal(seen_sizes, 5);
    assert_true(last <= FAN_OUT_BODY_MAX_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(DoS15_dropped_in_the_middle),
        TEST(DoS15_dropped_last_ones_are_named_by_others),
        TEST(DoS15_dropped_before_anything_was_heard),
        TEST(DoS15_turned_round),
        TEST(DoS15_control),
        TEST(DoS15_commit_kept_back),
        TEST(DoS15_forked_group),
        TEST(DoS15_group_that_is_not_forked),
        TEST(ME1_five_sizes_of_messages),
        TEST(honest_ones_are_not_accused),
        TEST(told_losses_are_not_told_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
