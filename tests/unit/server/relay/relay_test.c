/* Two devices and the relay between them; every error path of the two rows. */
#include "relay_world.h"

static void test_conversation(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    pair(&young, &old);
    assert_int_equal(relay_sessions(w.relay), 1);
    for (int i = 0; i < 5; i++) {
        assert_true(say(&old, NULL, "to the new one", 14) >= 0);
        assert_true(say(&young, NULL, "to the old", 10) >= 0);
        assert_true(say(&young, NULL, " one", 4) >= 0);
    }
    settle();
    assert_int_equal(young.messages, 5);
    assert_int_equal(old.messages, 10);
    assert_memory_equal(young.got.data, "to the new oneto the new one", 28);
    assert_memory_equal(old.got.data, "to the old oneto the old one", 28);
    /* one has said its last and still listens */
    hearth_client_call_half_close(young.call);
    settle();
    assert_false(young.done);
    assert_true(say(&old, NULL, "!", 1) >= 0);
    settle();
    assert_int_equal(young.messages, 6);
    hearth_client_call_half_close(old.call);
    settle();
    assert_true(young.done && old.done);
    assert_int_equal(young.code, HEARTH_OK);
    assert_int_equal(old.code, HEARTH_OK);
    buf_clear(&young.got);
    buf_clear(&old.got);
    finish();
}

/* What the new one says before the other has come waits, and then arrives. */
static void test_early(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    open_on(&young, false, w.channel);
    (void)say(&young, here, NULL, 0);
    (void)say(&young, NULL, "early", 5);
    hearth_client_call_half_close(young.call);
    settle();
    assert_false(young.done);
    arrive(&old, true, here);
    test_assert_bytes(buf_view(&old.got), bytes_str("early"));
    hearth_client_call_half_close(old.call);
    settle();
    assert_int_equal(young.code, HEARTH_OK);
    assert_int_equal(old.code, HEARTH_OK);
    assert_true(young.done && old.done);
    buf_clear(&old.got);
    finish();
}

/* Long messages both ways, while one side does not read: it is waited for, not buffered for. */
static void test_flow_control(void **state)
{
    (void)state;
    static uint8_t block[61440];
    struct device young, old;
    begin();
    pair(&young, &old);
    hearth_client_call_pause(young.call);
    unsigned sent = 0;
    while (sent < 17 && !old.waits) { /* 1 MiB in all */
        memset(block, (int)sent++, sizeof block);
        assert_true(say(&old, NULL, block, sizeof block) >= 0);
        settle();
    }
    /* what the receiver's window of 256 KiB, buffers on the way and one letter hold */
    assert_in_range(sent, 2, 12);
    assert_int_equal(young.messages, 0);
    assert_true(say(&young, NULL, "back", 4) >= 0); /* the other way is free */
    settle();
    assert_int_equal(old.messages, 1);
    hearth_client_call_resume(young.call);
    settle();
    assert_int_equal(young.messages, sent);
    assert_false(old.waits);
    while (sent < 17) {
        memset(block, (int)sent++, sizeof block);
        assert_true(say(&old, NULL, block, sizeof block) >= 0);
        settle();
    }
    assert_int_equal(young.messages, 17);
    for (size_t i = 0; i < 17; i++)
        assert_int_equal(young.got.data[i * sizeof block + 7], i);
    leave(&young);
    leave(&old);
    finish();
}

/* A new device must not show its code before it hears that its place is held. */
static void test_held(void **state)
{
    (void)state;
    struct device young, second, old;
    begin();
    open_on(&young, false, w.channel);
    settle();
    assert_int_equal(young.headers, 0); /* it has not said where */
    (void)say(&young, here, NULL, 0);
    settle();
    assert_int_equal(relay_sessions(w.relay), 1);
    assert_int_equal(young.headers, 1);
    assert_int_equal(young.empties, 0);
    arrive(&second, false, here);
    assert_true(second.done);
    assert_int_equal(second.headers, 0); /* not its own */
    arrive(&old, true, elsewhere);
    assert_int_equal(old.headers, 0);
    arrive(&old, true, here);
    assert_int_equal(old.headers, 1);
    assert_int_equal(young.headers, 1);
    assert_int_equal(young.empties, 1);
    leave(&young);
    leave(&old);
    finish();
}

static void test_one_pair(void **state)
{
    (void)state;
    struct device young, old, second, third;
    begin();
    arrive(&third, true, here); /* nobody waits */
    assert_true(third.done);
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    arrive(&young, false, here);
    arrive(&second, false, here); /* taken */
    assert_int_equal(second.code, HEARTH_ALREADY_EXISTS);
    assert_false(young.done);
    arrive(&old, true, here);
    assert_int_equal(old.empties, 1);
    arrive(&third, true, here); /* as if nobody waited */
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    arrive(&third, true, elsewhere);
    assert_int_equal(third.code, HEARTH_NOT_FOUND);
    assert_string_equal(third.text, "not found");
    arrive(&second, false, here); /* still */
    assert_int_equal(second.code, HEARTH_ALREADY_EXISTS);
    assert_true(say(&old, NULL, "x", 1) >= 0);
    settle();
    assert_int_equal(young.messages, 1);
    leave(&young);
    leave(&old);
    /* the place is free again */
    pair(&young, &old);
    leave(&old);
    leave(&young);
    finish();
}

/* Either end's loss ends the other, however it is lost and whichever waits. */
static void test_loss(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    for (int i = 0; i < 2; i++) {
        pair(&young, &old);
        struct device *gone = i == 0 ? &young : &old, *left = i == 0 ? &old : &young;
        leave(gone);
        assert_true(left->done);
        assert_int_equal(left->code, HEARTH_ABORTED);
        assert_int_equal(relay_sessions(w.relay), 0);
        leave(left);
    }
    /* the connection, not the call */
    struct hearth_channel_options options = {.loop = w.loop};
    struct hearth_channel *own = hearth_channel_new("pipe:relay", &options);
    open_on(&young, false, own);
    (void)say(&young, here, NULL, 0);
    settle();
    arrive(&old, true, here);
    hearth_channel_free(own);
    settle();
    assert_true(young.done && old.done);
    assert_int_equal(old.code, HEARTH_ABORTED);
    /* before anybody has come */
    arrive(&young, false, here);
    leave(&young);
    assert_int_equal(relay_sessions(w.relay), 0);
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_NOT_FOUND);
    finish();
}

/* Not one meeting place and then sealed messages. */
static void test_order(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct device young, old, d;
        begin();
        open_on(&d, side == 1, w.channel); /* a message first */
        (void)say(&d, NULL, "x", 1);
        settle();
        assert_int_equal(d.code, HEARTH_INVALID_ARGUMENT);
        open_on(&d, side == 1, w.channel); /* nothing at all */
        hearth_client_call_half_close(d.call);
        settle();
        assert_true(d.done);
        assert_int_not_equal(d.code, HEARTH_OK);
        pair(&young, &old); /* a second meeting place */
        struct device *wrong = side == 1 ? &old : &young, *other = side == 1 ? &young : &old;
        (void)say(wrong, elsewhere, NULL, 0);
        settle();
        assert_int_equal(wrong->code, HEARTH_INVALID_ARGUMENT);
        assert_int_equal(other->code, HEARTH_ABORTED);
        finish();
    }
}

/* Field rules of the rows: sizes. */
static void test_sizes(void **state)
{
    (void)state;
    static uint8_t block[61441];
    struct device young, old;
    begin();
    pair(&young, &old);
    (void)say(&old, NULL, block, 61441);
    settle();
    assert_int_equal(old.code, HEARTH_INVALID_ARGUMENT);
    assert_int_equal(young.code, HEARTH_ABORTED);
    pair(&young, &old);
    (void)say(&young, NULL, block, 0);
    settle();
    assert_int_equal(young.code, HEARTH_INVALID_ARGUMENT);
    finish();
}

static void test_unauthenticated(void **state)
{
    (void)state;
    struct device young, old;
    begin();
    arrive(&young, false, here);
    w.user.faults.wrong_key = true;
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_UNAUTHENTICATED);
    w.user.faults = (struct caller_faults){.no_auth = true};
    arrive(&old, true, here);
    assert_int_equal(old.code, HEARTH_UNAUTHENTICATED);
    w.user.faults = (struct caller_faults){0};
    assert_false(young.done);
    assert_int_equal(young.empties, 0);
    arrive(&old, true, here);
    assert_int_equal(young.empties, 1);
    leave(&young);
    leave(&old);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),    cmocka_unit_test(test_early),
        cmocka_unit_test(test_flow_control),    cmocka_unit_test(test_held),
        cmocka_unit_test(test_one_pair),        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_unauthenticated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
