#include "flow/worlds/world.h"

#include <string.h>

bool world_is_up(const struct house *h)
{
    return h->server != NULL;
}

bool world_is_prompt(const struct house *h)
{
    enum { LATE_US = 20000000 }; /* the courier's longest wait for its own, twice */
    return h->queue_full_until_us == 0 || h->first->fake.now_us > h->queue_full_until_us + LATE_US;
}

struct house *world_owner(struct world *w, size_t group)
{
    struct domain_name name;
    const struct oracle *o = &w->groups[group];
    assert_ok(domain_name_parse(bytes_of(o->group_id, o->group_id_len), &name));
    return house_of(w->houses, name.domain);
}

static void open_houses(struct world *w, uint64_t seed)
{
    static const char *const domains[WORLD_HOMES] = {HOUSE_DOMAIN, "b.test", "c.test"};
    static const char *const names[WORLD_HOMES] = {"house", "second", "third"};
    static const char *const peers[WORLD_HOMES][HOUSE_PEERS] = {
        {"b.test=pipe:second@house", "c.test=pipe:third@house"},
        {"a.test=pipe:house@second", "c.test=pipe:third@second"},
        {"a.test=pipe:house@third", "b.test=pipe:second@third"}};
    house_init(&w->houses[0], seed);
    ways_init(&w->ways, w->houses[0].loop);
    for (size_t i = 0; i < WORLD_HOMES; i++) {
        struct house *h = &w->houses[i];
        if (i > 0)
            house_init_beside(h, &w->houses[0], domains[i], names[i]);
        memcpy(h->peers, peers[i], sizeof h->peers);
        h->peer_count = HOUSE_PEERS;
        h->mended = true;
        h->limits = seed % 4 == 0;
        h->peer_queue = h->limits ? 3 : 0; /* so that some of a batch has to come later */
        h->batch_rows = seed % 4 == 1 || seed % 4 == 2 ? WORLD_BATCH : 0;
        h->backlog_rows = w->bounded ? WORLD_BACKLOG : 0;
        h->scarce = true; /* its disk may be full for a while */
        h->miss_one_in = i == 0 && w->fate.faults ? 12 : 0;
        h->detour.put_off_one_in = w->fate.faults ? 5 : 0;
        h->relaxed = w->fate.relaxed;
        h->delivery_control = w->fate.delivery_control;
        h->detour.numbered = w->fate.numbered;
        h->detour.backwards = w->fate.backwards;
        ways_add(&w->ways, names[i]);
    }
    for (size_t i = 0; i < WORLD_HOMES; i++)
        house_open(&w->houses[i]);
}

/* Publishes when somebody first wants to add it: making KeyPackages is most of what a person costs,
 * and most are never asked. */
static bool can_come(struct play *p, size_t group, const struct resident *r)
{
    struct world *w = (struct world *)p; /* its first member */
    size_t i = (size_t)(r - w->people);
    const char *blocked = world_owner(w, group)->blocked;
    if (blocked != NULL && strcmp(blocked, r->house->domain) == 0)
        return false;
    if (r->gone || !world_trusts(w, r) || !world_is_up(r->house) ||
        r->taken_count == WORLD_PACKAGES)
        return false;
    if (!w->published[i])
        assert_int_equal(resident_publish(&w->people[i], WORLD_PACKAGES), HEARTH_OK);
    return w->published[i] = true;
}

/* Group g is founded by somebody of homeserver g, mostly there. */
static void found(struct world *w, size_t g)
{
    struct resident *founder = &w->people[g];
    struct house *owner =
        &w->houses[!w->lying && play_roll(&w->play, 4) == 0 ? play_roll(&w->play, 3) : g];
    struct membership *m = resident_found_at(founder, owner);
    assert_non_null(m);
    oracle_founded(&w->groups[g], m);
    w->groups[g].sparse = w->bounded;
    struct resident *add[3];
    struct commit_wish wish = {.add = add};
    for (size_t i = 0; i < 3; i++) { /* of each homeserver one */
        struct resident *r = &w->people[3 + i + 3 * play_roll(&w->play, 3)];
        if (can_come(&w->play, g, r))
            add[wish.add_count++] = r;
    }
    assert_int_equal(membership_commit(m, &wish), HEARTH_OK);
    oracle_committed(&w->groups[g], m, add, wish.add_count);
}

void world_begin(struct world *w, uint64_t seed, const struct world_fate *fate)
{
    w->play = (struct play){.house = w->houses,
                            .residents = w->people,
                            .resident_count = WORLD_PEOPLE,
                            .groups = w->groups,
                            .group_count = WORLD_GROUPS,
                            .can_come = can_come,
                            .tally = w->play.tally};
    play_init(&w->play, seed);
    w->fate = *fate;
    w->gone = w->blocked = 0;
    w->rotated = false;
    parts_of_bytes(seed % 4 == 3 ? WORLD_PAYLOAD : 0);
    w->bounded = seed % 4 == 2;
    w->liar = NULL;
    w->lying = fate->lies || (fate->faults && seed % WORLD_LIES_ONE_IN == WORLD_LIES_AT);
    rng_seeded_init(&w->lies, seed ^ 0x6c6965737468657a);
    memset(w->published, 0, sizeof w->published);
    open_houses(w, seed);
    for (uint32_t i = 0; i < WORLD_PEOPLE; i++)
        resident_init(&w->people[i], &w->houses[i % WORLD_HOMES], i + 1);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        found(w, g);
    if (w->lying)
        world_lie(w);
}

void world_end(struct world *w)
{
    play_count(&w->play);
    for (size_t i = 0; i < WORLD_PEOPLE; i++) {
        w->lies_heard += w->people[i].lies;
        resident_clear(&w->people[i]);
    }
    for (size_t i = WORLD_HOMES; i-- > 0;) {
        vfs_saved_free(w->backups[i].saved);
        w->backups[i].saved = NULL;
        w->play.tally.lives += w->houses[i].lives;
        w->lied += w->houses[i].detour.lied;
        house_close(&w->houses[i]);
    }
    for (size_t i = 0; i < WORLD_HOMES; i++)
        detour_clear(&w->houses[i].detour); /* what was stolen at the very end */
}

void world_run(struct world *w, uint64_t seed, const struct world_fate *fate)
{
    enum { STEPS = 26 };
    world_begin(w, seed, fate);
    for (size_t i = 0; i < STEPS; i++) {
        world_fail(w);
        world_act(w);
        world_gossip(w);
    }
    world_heal(w);
    world_judge(w);
    world_end(w);
}
