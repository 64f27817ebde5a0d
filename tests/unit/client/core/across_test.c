/* People of two homeservers: what friends and groups do when those who take part live elsewhere. */
#include "unit/client/core/friends.h"

static void test_friends(void **state)
{
    static struct pair p;
    (void)state;
    pair_init_two(&p, 1);
    befriend(&p);
    person_expect(p.alice, HEARTH_EVENT_CONTACT_ACCEPTED);
    talk(&p, "hello");
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_friends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
