/* Members whose queues lie at another homeserver: let in by the policy, and limited together
 * (DoS17). */
#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct member *a, *b, *c;
static bool open_to_all;

static bool admits(void *self, struct bytes domain)
{
    (void)self;
    assert_true(bytes_equal(domain, bytes_str(DW_PEER))); /* our own is not asked for */
    return open_to_all;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.options.admits = admits;
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    b->domain = c->domain = DW_PEER;
    dw_found(&w, a);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

/* It is said with the commit, not when nothing can be delivered; and nothing has changed. */
static void the_policy_decides_who_comes_in(void **state)
{
    (void)state;
    open_to_all = false;
    struct member *adds[] = {b};
    struct dcommit commit = {.adds = adds, .add_count = 1};
    assert_int_equal(dw_commit(a, &commit), HEARTH_PERMISSION_DENIED);
    assert_non_null(strstr(w.message, "federate"));
    open_to_all = true;
    dw_add(&w, a, adds, 1);
    assert_int_equal(dw_say(b, "hi"), HEARTH_OK);
}

/* One pays for the other; those at home don't. */
static void an_origin_is_limited_as_one(void **state)
{
    (void)state;
    open_to_all = true;
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    dw_pass_s(&w, 3600);
    dw_limit(&w, "SEND_ORIGIN", 6);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dw_say(b, "flood"), HEARTH_OK);
        assert_int_equal(dw_say(c, "flood"), HEARTH_OK);
    }
    assert_int_equal(dw_say(c, "flood"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(dw_say(b, "flood"), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(dw_say(a, "no flood"), HEARTH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_policy_decides_who_comes_in, setup, teardown),
        cmocka_unit_test_setup_teardown(an_origin_is_limited_as_one, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
