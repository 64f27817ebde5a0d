/* Groups of people with several devices: all of them are added, speak for one user, and go
 * together. */
#include "groups.h"

static char code[64];

static void show(const char *text, void *arg)
{
    (void)arg;
    (void)snprintf(code, sizeof code, "%s", text);
}

#define PHONE (w.who[3]) /* bob's second device */

struct ended {
    bool done;
    struct hearth_error error;
};

static void on_end(const struct hearth_error *result, void *arg)
{
    struct ended *e = arg;
    e->done = true;
    e->error = *result;
}

static void wait_end(const char *what, const struct ended *e)
{
    for (unsigned ms = 0; !e->done; ms += WORLD_SLICE_MS) {
        if (ms > WORLD_PATIENCE_MS)
            fail_msg("%s does not end", what);
        world_run(WORLD_SLICE_MS);
    }
    if (e->error.result != HEARTH_DONE)
        fail_msg("%s: %s: %s", what, e->error.name, e->error.text);
}

static void link_phone(void)
{
    struct hearth_link_options options = {
        .size = sizeof options, .domain = "a.test", .device = "phone", .show = show};
    struct ended new = {0}, old = {0};
    code[0] = '\0';
    w.who[3] = person_new(&w.people, "phone");
    w.count = 4;
    struct hearth_op *op = hearth_link(&PHONE->account, &options);
    assert_non_null(op);
    hearth_op_on_done(op, on_end, &new);
    for (unsigned i = 0; i < 200 && code[0] == '\0'; i++)
        world_run(WORLD_SLICE_MS);
    assert_true(code[0] != '\0');
    op = hearth_link_accept(&BOB->account, code);
    assert_non_null(op);
    hearth_op_on_done(op, on_end, &old);
    wait_end("linking, new", &new);
    wait_end("linking, old", &old);
    assert_true(PHONE->core->account.registered);
    assert_ok(queue_listen(PHONE->core));
    world_run(10000);
    w.count = 3; /* people who are friends by hand */
    befriend_all();
    w.count = 4;
}

static int begin(void **state)
{
    (void)state;
    world_open(7, 3);
    befriend_all();
    link_phone();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void assert_all_together(struct hearth_id a, struct hearth_id *ids, size_t leaves)
{
    struct view v = view_of(ALICE, a);
    assert_int_equal(v.leaves, leaves);
    for (size_t i = 1; i < 4; i++) {
        assert_true(same_group(ALICE, a, w.who[i], &ids[i]));
        struct view other = view_of(w.who[i], ids[i]);
        assert_int_equal(other.state, HEARTH_CHAT_OPEN);
        assert_memory_equal(other.authenticator, v.authenticator, 32);
        assert_int_equal(other.unverified + other.pending, 0);
    }
}

static struct hearth_id group_of_all(struct hearth_id *ids)
{
    struct hearth_id a = found_group(ALICE, "with a phone");
    struct hearth_id friends[2] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL)};
    wish_done(ALICE, a, &(struct commit_wish){.add = friends, .add_count = 2});
    world_run(2000);
    assert_all_together(a, ids, 4);
    return a;
}

struct own_count {
    struct hearth_id chat;
    const char *text;
    bool own;
};

static struct err find_own(struct core *c, struct db_txn *t, void *arg)
{
    struct own_count *o = arg;
    uint64_t last;
    TRY(db_list_last(t, DB_MESSAGE, bytes_of(o->chat.bytes, 16), &last));
    for (uint64_t i = 1; i <= last; i++) {
        struct buf scratch = BUF_INIT;
        struct message_row row;
        TRY(message_get(c, t, &o->chat, i, &scratch, &row));
        o->own |= bytes_equal(row.text, bytes_str(o->text)) && row.own;
        buf_clear(&scratch);
    }
    return ERR_OK;
}

static void test_all_devices_are_added_and_speak_for_one(void **state)
{
    struct hearth_id id[4], a = group_of_all(id);
    (void)state;
    assert_memory_equal(view_of(BOB, id[1]).user, view_of(PHONE, id[3]).user, 16);
    say_done(PHONE, id[3], "from the phone");
    say_done(ALICE, a, "to both");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "from the phone", 0), 1);
    assert_int_equal(has_message(BOB, id[1], "from the phone", 0), 1);
    assert_int_equal(has_message(BOB, id[1], "to both", 0), 1);
    assert_int_equal(has_message(PHONE, id[3], "to both", 0), 1);
    struct own_count own = {.chat = id[1], .text = "from the phone"};
    assert_ok(core_step(BOB->core, find_own, &own));
    assert_true(own.own);
    /* to him alone: both devices */
    struct view bob = view_of(BOB, id[1]);
    struct doing d = {.chat = a, .text = "psst", .user = bob.user};
    assert_ok(person_do(ALICE, &d, do_say));
    world_wait(ALICE, d.task);
    world_run(1000);
    assert_int_equal(has_message(BOB, id[1], "psst", 0), 1);
    assert_int_equal(has_message(PHONE, id[3], "psst", 0), 1);
    assert_int_equal(has_message(CAROL, id[2], "psst", 0), 0);
    /* both go together */
    const uint8_t(*gone)[16] = (const uint8_t(*)[16])bob.user;
    wish_done(ALICE, a, &(struct commit_wish){.remove = gone, .remove_count = 1});
    world_run(2000);
    assert_int_equal(view_of(BOB, id[1]).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(PHONE, id[3]).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(ALICE, a).leaves, 2);
}

static void test_ones_own_group_has_ones_own_devices(void **state)
{
    struct hearth_id chat = found_group(BOB, "bobs"), phone;
    (void)state;
    world_run(3000);
    assert_true(same_group(BOB, chat, PHONE, &phone));
    assert_int_equal(view_of(BOB, chat).leaves, 2);
    assert_int_equal(view_of(PHONE, phone).unverified, 0);
    assert_true(view_of(PHONE, phone).admin); /* the user is, not the device */
    struct hearth_id friend = friend_id(BOB, ALICE), a;
    wish_done(PHONE, phone, &(struct commit_wish){.add = &friend, .add_count = 1});
    world_run(2000);
    assert_true(same_group(BOB, chat, ALICE, &a));
    assert_int_equal(view_of(ALICE, a).leaves, 3);
}

static struct err do_leave(struct doing *d, struct db_txn *t)
{
    return group_leave_begin(d->p->core, t, &d->chat, &d->task);
}

static void test_leaving_with_all_devices(void **state)
{
    struct hearth_id id[4], a = group_of_all(id);
    struct doing d = {.chat = id[3]};
    (void)state;
    assert_ok(person_do(PHONE, &d, do_leave));
    world_wait(PHONE, d.task);
    world_run(10000);
    assert_int_equal(view_of(BOB, id[1]).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(PHONE, id[3]).state, HEARTH_CHAT_OVER);
    assert_int_equal(view_of(ALICE, a).leaves, 2);
    say_done(CAROL, id[2], "two of us");
    world_run(1000);
    assert_int_equal(has_message(ALICE, a, "two of us", 0), 1);
}

static void test_removed_device_leaves_groups(void **state)
{
    struct hearth_id id[4], a = group_of_all(id);
    struct ended removed = {0};
    struct hearth_id device;
    (void)state;
    memcpy(device.bytes, PHONE->core->account.client_uuid, sizeof device.bytes);
    struct hearth_op *op = hearth_device_remove(&BOB->account, &device);
    assert_non_null(op);
    hearth_op_on_done(op, on_end, &removed);
    wait_end("removing the phone", &removed);
    world_run(20000);
    assert_int_equal(view_of(ALICE, a).leaves, 3);
    assert_int_equal(view_of(BOB, id[1]).state, HEARTH_CHAT_OPEN);
    say_done(ALICE, a, "not on the phone");
    world_run(1000);
    assert_int_equal(has_message(BOB, id[1], "not on the phone", 0), 1);
    assert_int_equal(has_message(PHONE, id[3], "not on the phone", 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_devices_are_added_and_speak_for_one),
        TEST(test_ones_own_group_has_ones_own_devices),
        TEST(test_leaving_with_all_devices),
        TEST(test_removed_device_leaves_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
