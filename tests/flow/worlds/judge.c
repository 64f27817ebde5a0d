#include "flow/worlds/world.h"

enum { ROUNDS = 3, QUIET_MS = 5000 };

/* Everybody reads everything; whoever missed something resyncs. */
static void gather(struct world *w)
{
    for (size_t i = 0; i < WORLD_PEOPLE; i++)
        resident_sync(&w->people[i], 0);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        for (size_t i = 0; i < WORLD_PEOPLE; i++) {
            struct membership *m = play_membership(&w->play, g, &w->people[i]);
            if (m != NULL)
                m->deaf = false;
            if (m != NULL && m->broken)
                play_resync(&w->play, g, m);
        }
}

void world_heal(struct world *w)
{
    for (int round = 0; round < ROUNDS; round++) {
        house_run_ms(w->houses, QUIET_MS);
        gather(w);
    }
}

void world_judge(struct world *w)
{
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        w->play.tally.deliveries += oracle_check(&w->groups[g]);
    for (size_t i = 0; i < WORLD_PEOPLE; i++)
        assert_int_equal(w->people[i].gaps, 0);
}
