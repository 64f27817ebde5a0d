/* People who become friends, killed at each committed step of it. */
#include <stdio.h>

#include "unit/client/core/friends.h"

/* Killed with each committed step of asking, of accepting, and of hearing the answer. */
static void kill_everywhere(uint64_t seed, bool kill_alice, bool kill_bob, unsigned from)
{
    static struct pair p;
    unsigned lives = 0;
    for (unsigned at = from; at < from + 4; at++) {
        pair_init(&p, seed + at);
        if (kill_alice)
            person_kill_at(p.alice, at);
        if (kill_bob)
            person_kill_at(p.bob, at);
        befriend(&p);
        talk(&p, "still here");
        assert_int_equal(person_count_events(p.bob, HEARTH_EVENT_CONTACT_ASKS), 0); /* not twice */
        lives += p.alice->lives + p.bob->lives;
        people_close(&p.all);
    }
    print_message("%u lives\n", lives);
}

static void test_asker_killed(void **state)
{
    (void)state;
    for (unsigned from = 1; from < 24; from += 4)
        kill_everywhere(100, true, false, from);
}

static void test_asked_killed(void **state)
{
    (void)state;
    for (unsigned from = 1; from < 24; from += 4)
        kill_everywhere(200, false, true, from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asker_killed),
        cmocka_unit_test(test_asked_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
