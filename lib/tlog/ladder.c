#include "tlog/ladder.h"

void ladder_walk_begin(struct ladder_walk *walk)
{
    *walk = (struct ladder_walk){.version = 0};
}

void ladder_walk_step(struct ladder_walk *walk, bool present)
{
    if (present)
        walk->above = walk->version + 1;
    else
        walk->absent = walk->version;
    walk->met_absent = walk->met_absent || !present;
    if (!walk->met_absent) {
        walk->version = 2 * walk->version + 1;
        /* no label has a version there, whoever says it is present */
        walk->done = walk->version > UINT32_MAX;
        return;
    }
    walk->done = walk->above >= walk->absent;
    /* above - 1 is present (or -1), absent is not: floor of their mean */
    if (!walk->done)
        walk->version = (walk->above + walk->absent - 1) / 2;
}

static bool is_present(uint64_t version, uint32_t greatest)
{
    return greatest != LADDER_NONE && version <= greatest;
}

void ladder_search(uint32_t t, uint32_t n, struct version_ladder *ret_ladder)
{
    struct version_ladder ladder = {.count = 0};
    struct ladder_walk walk;
    ladder_walk_begin(&walk);
    while (!walk.done && ladder.count < LADDER_MAX) {
        bool present = is_present(walk.version, n);
        ladder.at[ladder.count++] = (uint32_t)walk.version;
        if (present != is_present(walk.version, t))
            break;
        ladder_walk_step(&walk, present);
    }
    *ret_ladder = ladder;
}

void ladder_base(uint32_t t, struct version_ladder *ret_ladder)
{
    ladder_search(t, t, ret_ladder);
}

void ladder_monitor(uint32_t t, struct version_ladder *ret_ladder)
{
    struct version_ladder base, ladder = {.count = 0};
    ladder_base(t, &base);
    for (size_t i = 0; i < base.count; i++) {
        if (is_present(base.at[i], t))
            ladder.at[ladder.count++] = base.at[i];
    }
    *ret_ladder = ladder;
}

bool ladder_has(const struct version_ladder *ladder, uint32_t version)
{
    for (size_t i = 0; i < ladder->count; i++) {
        if (ladder->at[i] == version)
            return true;
    }
    return false;
}
