/* What one homeserver sends arrives in queues of another, signed, in order, once. */
#include "support/land/land.h"

static struct land land;

static struct land_home *home(size_t i)
{
    return &land.homes[i];
}

static void put(struct land_ref *r)
{
    assert_true(land_put(&land, &r, 1, false, 0, 100));
}

/* The least: a message from a.test to a queue of b.test. The first attempt finds that b.test has to
 * fetch our keys; the second one goes through. */
static void a_message_arrives(void **state)
{
    (void)state;
    land_init(&land, 1, 2);
    land_open(&land);
    struct land_ref *r = land_reference(&land, 0, land_client(home(1)));
    put(r);
    land_run_ms(&land, 10);
    assert_int_equal(land_check(&land, true), 0);
    land_run_ms(&land, 2000);
    assert_int_equal(land_check(&land, false), 1);
    assert_int_equal(land_waiting(home(0)), 0);
    for (int i = 0; i < 50; i++)
        put(r);
    land_run_ms(&land, 10); /* no more waiting: the key is known */
    assert_int_equal(land_check(&land, false), 51);
    land_close(&land);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
