/* The third homeserver lies. */
#include "flow/worlds/world.h"

bool world_trusts(const struct world *w, const struct resident *r)
{
    return w->liar == NULL || r->house != w->liar;
}

bool world_judges(struct world *w, size_t group)
{
    return w->liar == NULL || world_owner(w, group) != w->liar;
}

/* Who was invited to its group has come, so that it has references to lie with. */
void world_lie(struct world *w)
{
    struct house *liar = &w->houses[WORLD_LIAR];
    house_run_ms(w->houses, 3000);
    for (size_t i = 0; i < WORLD_PEOPLE; i++)
        if (w->people[i].introduction_count > 0)
            resident_sync(&w->people[i], 0);
    w->liar = liar;
    liar->lies = true;
    PLAY_TRACE(&w->play, "%s lies from now on\n", liar->domain);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        w->groups[g].liar = liar;
    for (size_t i = 0; i < WORLD_HOMES; i++) {
        struct detour *d = &w->houses[i].detour;
        d->dice = &w->lies;
        d->lies = &w->houses[i] == liar;
        d->liar = d->lies ? NULL : liar->domain;
        d->thief = d->lies ? NULL : &liar->detour;
        d->held_up = !d->lies && w->fate.held_up;
        d->believed = !d->lies && w->fate.believed;
    }
}

void world_gossip(struct world *w)
{
    if (w->liar == NULL || !world_is_up(w->liar))
        return;
    for (size_t g = 0; g < WORLD_GROUPS; g++) {
        struct resident *r = &w->people[play_roll(&w->play, WORLD_PEOPLE)];
        struct membership *m = world_judges(w, g) ? NULL : play_membership(&w->play, g, r);
        for (size_t i = 0; m == NULL && !world_judges(w, g) && i < WORLD_PEOPLE; i++)
            m = play_membership(&w->play, g, &w->people[i]);
        if (m != NULL && world_is_up(m->resident->house))
            (void)membership_send(m, ++w->play.messages);
    }
}
