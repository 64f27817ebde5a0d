/* DoS15: a homeserver that puts something else in the place of an item that it had queued. Numbers
 * stay dense and everything opens; the rolling hash (seal/queue_ratchet.h) of the next item tells.
 *
 * The server's own code runs, but for what its operator changed: __wrap_queue_ratchet_seal replaces
 * an item of one member's by an empty one. So that nothing else tells, members compare nothing
 * here (withheld_test.c is about that). The control runs the same on clients that don't look at the
 * hash. */
#include "groups.h"

#include "client/core/head.h"
#include "client/core/receive.h"
#include "seal/queue_ratchet.h"

static struct {
    uint8_t tag[16];   /* items with it */
    unsigned replaces; /* so many of them */
    bool unchecked;    /* the control */
} operator;

struct err __real_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b);
struct err __wrap_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b);
struct err __wrap_queue_ratchet_seal(struct queue_ratchet *r, const struct queue_item *item,
                                     struct buf *b)
{
    const struct queue_item nothing = {.kind = QUEUE_ITEM_DUMMY, .hour = item->hour};
    struct queue_ratchet before = *r, after;
    struct buf queued = BUF_INIT;
    if (operator.replaces == 0 || memcmp(item->tag, operator.tag, sizeof operator.tag) != 0)
        return __real_queue_ratchet_seal(r, item, b);
    operator.replaces--;
    assert_ok(__real_queue_ratchet_seal(r, item, &queued));
    after = *r;
    *r = before;
    assert_ok(__real_queue_ratchet_seal(r, &nothing, b));
    *r = after; /* what follows is about what was queued */
    buf_clear(&queued);
    return ERR_OK;
}

struct err __real_queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                     struct bytes queue_public_key, struct bytes sealed,
                                     struct buf *scratch, struct queue_item *ret_item);
struct err __wrap_queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                     struct bytes queue_public_key, struct bytes sealed,
                                     struct buf *scratch, struct queue_item *ret_item);
struct err __wrap_queue_ratchet_open(struct queue_ratchet *r, struct bytes queue_private_key,
                                     struct bytes queue_public_key, struct bytes sealed,
                                     struct buf *scratch, struct queue_item *ret_item)
{
    TRY(__real_queue_ratchet_open(r, queue_private_key, queue_public_key, sealed, scratch,
                                  ret_item));
    ret_item->astray = ret_item->astray && !operator.unchecked;
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
    return __real_head_take(c, t, chat, &nobody, plaintext, ret_content);
}

static struct hearth_id id[2];

static struct err tag_of(struct doing *d, struct db_txn *t)
{
    struct open_chat *chat;
    TRY(chat_open(d->p->core, t, &d->chat, &chat));
    memcpy(operator.tag, chat->chat.tag, sizeof operator.tag);
    return ERR_OK;
}

static int begin(void **state)
{
    (void)state;
    memset(&operator, 0, sizeof operator);
    world_open(2, 2);
    befriend_all();
    id[0] = found_group(ALICE, "two");
    struct hearth_id bob = friend_id(ALICE, BOB);
    wish_done(ALICE, id[0], &(struct commit_wish){.add = &bob, .add_count = 1});
    world_run(1000);
    assert_true(same_group(ALICE, id[0], BOB, &id[1]));
    struct doing d = {.chat = id[1]};
    assert_ok(person_do(BOB, &d, tag_of));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void says(const char *text)
{
    say_done(ALICE, id[0], text);
    world_run(300);
}

/* Bob has been told so many times. */
static void replaced(unsigned count, unsigned told)
{
    w.dishonest = true;
    says("one");
    assert_int_equal(has_message(BOB, id[1], "one", 0), 1);
    operator.replaces = count;
    for (unsigned i = 0; i < count; i++)
        says("two");
    assert_int_equal(has_message(BOB, id[1], "two", 0), 0);
    says("three");
    assert_int_equal(has_message(BOB, id[1], "three", 0), 1); /* and goes on */
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), told);
    says("four");
    assert_int_equal(has_message(BOB, id[1], "four", 0), 1);
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), told);
    assert_int_equal(seen(BOB, HEARTH_EVENT_LOSS), 0);
    assert_int_equal(seen(BOB, HEARTH_EVENT_UNVERIFIED), 0);
    assert_int_equal(seen(ALICE, HEARTH_EVENT_WITHHELD), 0);
}

static void DoS15_replaced_in_the_queue(void **state)
{
    (void)state;
    replaced(1, 1);
}

static void DoS15_replaced_many(void **state)
{
    (void)state;
    replaced(3, 3);
}

static void DoS15_control_nobody_looks(void **state)
{
    (void)state;
    operator.unchecked = true;
    replaced(3, 0);
}

static void DoS15_control_honest_queue(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) /* a refresh among them */
        says("on and on");
    assert_int_equal(seen(BOB, HEARTH_EVENT_WITHHELD), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(DoS15_replaced_in_the_queue),
        TEST(DoS15_replaced_many),
        TEST(DoS15_control_nobody_looks),
        TEST(DoS15_control_honest_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
