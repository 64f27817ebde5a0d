/* The good path of every rpc, with members who are real clients. */
#include "support/delivery/delivery_world.h"

static struct dworld w;

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

static void founds_adds_and_chats(void **state)
{
    (void)state;
    struct member *a = dw_member(&w, NULL);
    struct member *b = dw_member(&w, NULL);
    struct member *c = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    assert_int_equal(dw_say(a, "hello"), HEARTH_OK);
    dw_receive_all(&w);
    test_assert_bytes(buf_view(&b->text), bytes_str("hello"));
    test_assert_bytes(buf_view(&c->text), bytes_str("hello"));
    assert_int_equal(a->seen[DELIVERY_MESSAGE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(founds_adds_and_chats, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
