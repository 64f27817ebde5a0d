#include "flow/worlds/world.h"

bool world_can_sync(const struct world *w, const struct resident *r)
{
    if (r->gone)
        return false;
    for (size_t i = 0; i < WORLD_HOMES; i++)
        if (!world_is_up(&w->houses[i]) &&
            (r->house == &w->houses[i] || r->introduction_count > r->welcomes))
            return false;
    return true;
}

/* Somebody who is or was in the group, mostly; else anybody. */
static struct resident *somebody(struct world *w, size_t group)
{
    const struct oracle *o = &w->groups[group];
    if (play_roll(&w->play, 10) == 0)
        return &w->people[play_roll(&w->play, WORLD_PEOPLE)];
    const struct resident *r = o->stays[play_roll(&w->play, o->stay_count)].resident;
    return &w->people[r - w->people];
}

static void together(struct world *w, size_t group)
{
    struct resident *a = somebody(w, group), *b = somebody(w, group);
    if (a == b || !world_trusts(w, a) || !world_trusts(w, b) || !world_can_sync(w, a) ||
        !world_can_sync(w, b))
        return;
    play_catch_up(&w->play, a);
    play_catch_up(&w->play, b);
    const struct house *owner = world_owner(w, group);
    play_together(&w->play, group, a, b,
                  a->house == owner && b->house == owner && world_is_prompt(owner));
}

static void act_in(struct world *w, size_t group, struct membership *m, bool fresh, uint64_t what)
{
    bool founder = w->groups[group].stays[0].resident == m->resident;
    if (m->broken)
        play_resync(&w->play, group, m);
    else if (what < 70)
        play_send(&w->play, group, m, fresh);
    else if (what < 93)
        play_commit(&w->play, group, m, fresh);
    else if (what < 95)
        play_leave(&w->play, group, m, fresh);
    else if (what < 97)
        m->deaf = !founder;
    else
        play_resync(&w->play, group, m);
}

void world_intrude(struct resident *r)
{
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].left && world_is_up(r->groups[i].owner) &&
            membership_look(&r->groups[i]) == HEARTH_OK)
            fail_msg("G5: resident %u still sees a group after the removal", r->number);
}

void world_act(struct world *w)
{
    size_t group = play_roll(&w->play, WORLD_GROUPS);
    struct resident *r = somebody(w, group);
    if (!world_judges(w, group) || !world_trusts(w, r))
        return;
    struct house *owner = world_owner(w, group);
    bool synced = play_roll(&w->play, 10) < 6 && world_can_sync(w, r);
    if (synced)
        play_catch_up(&w->play, r);
    world_intrude(r);
    struct membership *m = play_membership(&w->play, group, r);
    uint64_t what = play_roll(&w->play, 100);
    if (what < 6)
        house_run_ms(w->houses, play_roll(&w->play, 6000));
    else if (what < 16 && world_is_up(owner))
        together(w, group);
    else if (what < 22 && world_can_sync(w, r))
        resident_sync(r, (uint32_t)play_roll(&w->play, 5));
    else if (m != NULL && world_is_up(owner))
        act_in(w, group, m, synced && r->house == owner && world_is_prompt(owner), what);
}
