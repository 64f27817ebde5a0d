#include "flow/worlds/world.h"

/* HEALED_MS: longer than what backoffs have grown to while the faults lasted. */
enum { HEALED_MS = 240 * 1000, ROUNDS_MOST = 10, QUIET_MS = 5000, LIMITED_MS = 120 * 1000 };

/* Everybody who was ever added reads everything; whoever missed something resyncs. Did somebody? */
static bool gather(struct world *w)
{
    size_t resyncs = w->play.tally.resyncs;
    /* what a peer may send to one queue comes row by row, a second each */
    house_run_ms(w->houses, w->houses[0].limits ? LIMITED_MS : QUIET_MS);
    for (size_t i = 0; i < WORLD_PEOPLE; i++)
        if (!w->people[i].gone && world_trusts(w, &w->people[i]) &&
            (i < WORLD_GROUPS || w->people[i].introduction_count > 0))
            resident_sync(&w->people[i], 0);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        for (size_t i = 0; i < WORLD_PEOPLE; i++) {
            struct membership *m = play_membership(&w->play, g, &w->people[i]);
            if (!world_judges(w, g) || !world_trusts(w, &w->people[i]))
                continue;
            if (m != NULL)
                m->deaf = false;
            if (m != NULL && m->broken)
                play_resync(&w->play, g, m);
        }
    return w->play.tally.resyncs != resyncs;
}

/* Everybody knows everything. */
static void settle(struct world *w)
{
    int rounds = 0;
    while (gather(w))
        if (++rounds == ROUNDS_MOST)
            fail_msg("there is no end to resyncs");
}

static struct membership *founder_of(struct world *w, size_t g)
{
    const struct resident *r = w->groups[g].stays[0].resident;
    struct membership *m = play_membership(&w->play, g, &w->people[r - w->people]);
    assert_non_null(m);
    return m;
}

/* Nothing excuses a refusal now. Of each homeserver one speaks. */
static void speak(struct world *w, size_t g)
{
    for (size_t h = 0; h < WORLD_HOMES; h++)
        for (size_t i = h; i < WORLD_PEOPLE; i += WORLD_HOMES) {
            struct membership *m = play_membership(&w->play, g, &w->people[i]);
            if (m == NULL || !world_trusts(w, &w->people[i]))
                continue;
            play_send(&w->play, g, m, !m->lossy);
            break;
        }
}

/* What goes to a queue that is gone becomes a notice, which the next who opens the group makes a
 * proposal, which the next commit takes up. */
static void bury(struct world *w)
{
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_judges(w, g))
            play_send(&w->play, g, founder_of(w, g), true);
    settle(w);
    for (size_t g = 0; g < WORLD_GROUPS; g++) {
        if (!world_judges(w, g))
            continue;
        struct membership *m = founder_of(w, g);
        assert_int_equal(membership_commit(m, &(struct commit_wish){0}), HEARTH_OK);
        oracle_committed(&w->groups[g], m, NULL, 0);
    }
    settle(w);
}

void world_heal(struct world *w)
{
    world_mend(w);
    house_run_ms(w->houses, HEALED_MS);
    settle(w);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_judges(w, g))
            speak(w, g);
    settle(w);
    bury(w);
    for (size_t i = 0; i < WORLD_PEOPLE; i++)
        if (world_trusts(w, &w->people[i]))
            world_intrude(&w->people[i]);
}

void world_judge(struct world *w)
{
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_judges(w, g))
            w->play.tally.deliveries += oracle_check(&w->groups[g]);
    for (size_t i = 0; i < WORLD_PEOPLE; i++) {
        const struct resident *r = &w->people[i];
        if (!world_trusts(w, r))
            continue;
        assert_int_equal(r->gaps, 0);
        for (size_t g = 0; r->gone && g < WORLD_GROUPS; g++)
            if (world_judges(w, g) && oracle_has(&w->groups[g], r))
                fail_msg("resident %u has no queue but is a member still", r->number);
    }
    for (size_t i = 0; i < WORLD_HOMES && w->liar == NULL;
         i++) { /* who has rows for it keeps some */
        struct courier_stats stats = courier_stats(w->houses[i].courier);
        assert_int_equal((w->blocked > 0 ? 0 : stats.refused) + stats.lost + stats.waiting, 0);
    }
}
