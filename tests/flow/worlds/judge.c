#include "flow/worlds/world.h"

/* HEALED_MS: longer than what backoffs have grown to while the faults lasted. HEARD_MS: and where
 * everybody has heard of everybody again, nobody waits for them. */
enum {
    HEALED_MS = 240 * 1000,
    LASTING_MS = 120 * 1000,
    HEARD_MS = 10 * 1000,
    ROUNDS_MOST = 10,
    QUIET_MS = 5000,
    LIMITED_MS = 120 * 1000
};

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

struct knowing {
    const char *domain;
    bool knows;
    bool fails; /* it could not fetch somebody's keys, and does not try again for minutes */
};

static void look_for(void *knowing, const struct federation_peer *p)
{
    struct knowing *k = knowing;
    k->fails = k->fails || p->key_why[0] != '\0';
    k->knows = k->knows || (p->root.len > 0 && bytes_equal(p->domain, bytes_str(k->domain)));
}

/* Two of three start again: their own backoffs are forgotten, and the third hears of both, which
 * ends those that it has for them (F3). False: nobody did, for one of them would not know whom to
 * greet, or would not be recognised. */
static bool restart_two(struct world *w)
{
    const struct house *stays = &w->houses[play_roll(&w->play, WORLD_HOMES)];
    for (size_t i = 0; i < WORLD_HOMES; i++) {
        struct knowing k = {.domain = stays->domain, .knows = &w->houses[i] == stays};
        federation_each(w->houses[i].federation, look_for, &k);
        if (!k.knows || (k.fails && &w->houses[i] == stays))
            return false;
    }
    for (size_t i = 0; i < WORLD_HOMES; i++) {
        struct house *h = &w->houses[i];
        if (h == stays)
            continue;
        h->power = h->slam = false;
        house_kill(h);
        house_open(h);
    }
    return true;
}

static void say_domain(void *house, const struct courier_domain *d)
{
    const struct house *h = house;
    print_message("%s for %.*s: %u failures, due in %u s, %u references held\n", h->domain,
                  (int)d->name.len, (const char *)d->name.data, d->failures, d->due_s, d->held);
}

static void say_peer(void *house, const struct federation_peer *p)
{
    const struct house *h = house;
    print_message("%s of %.*s: last batch \"%s\", last fetch of keys \"%s\"\n", h->domain,
                  (int)p->domain.len, (const char *)p->domain.data, p->why, p->key_why);
}

/* Nothing waits any more, of what limits let through at once. heard: soon. lasted: the faults did,
 * LASTING_MS more, and waits have grown as long; who is asked at the end of such a one may have to
 * fetch keys first, and has the other wait twice as long once more. */
static void recover(struct world *w, bool lasted, bool heard)
{
    /* who has another key is told so, and waits once more */
    uint64_t healed_ms = (lasted ? UINT64_C(4) : w->rotated ? UINT64_C(3) : 1) * HEALED_MS;
    house_run_ms(w->houses, heard ? HEARD_MS : healed_ms);
    bool sure = !w->houses[0].limits && w->liar == NULL; /* who lies may put off for ever */
    for (size_t i = 0; i < WORLD_HOMES && sure; i++) {
        uint64_t rows = house_waiting(&w->houses[i]);
        if (rows == 0)
            continue;
        courier_each(w->houses[i].courier, say_domain, &w->houses[i]);
        federation_each(w->houses[i].federation, say_peer, &w->houses[i]);
        fail_msg("%llu rows of %s still wait%s", (unsigned long long)rows, w->houses[i].domain,
                 heard ? " for who was heard of" : "");
    }
}

/* Somebody asks for more KeyPackages than there are: none comes twice, but the last resort (K1). */
static void exhaust_packages(struct world *w)
{
    const struct resident *by = founder_of(w, 0)->resident;
    size_t begin = play_roll(&w->play, WORLD_PEOPLE), people = 0;
    for (size_t i = 0; i < WORLD_PEOPLE && people < 3; i++) {
        struct resident *who = &w->people[(begin + i) % WORLD_PEOPLE];
        if (who->gone || !w->published[who->number - 1])
            continue;
        people++;
        for (size_t n = 0; n <= WORLD_PACKAGES; n++) {
            struct digest ref;
            assert_int_equal(resident_take_package(&w->people[by->number - 1], who, &ref),
                             HEARTH_OK);
        }
    }
}

void world_heal(struct world *w)
{
    /* who has another key now is heard when that was asked for, which may take a while */
    bool heard = !w->rotated && !w->houses[0].limits && play_roll(&w->play, 2) == 0;
    if (heard) /* waits grow */
        house_run_ms(w->houses, LASTING_MS);
    world_mend(w);
    recover(w, heard, heard && restart_two(w));
    settle(w);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_judges(w, g))
            speak(w, g);
    settle(w);
    bury(w);
    exhaust_packages(w);
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
        for (size_t k = 0; k < RESIDENT_GROUPS; k++)
            w->told += r->groups[k].told_count;
        for (size_t g = 0; r->gone && g < WORLD_GROUPS; g++)
            if (world_judges(w, g) && oracle_has(&w->groups[g], r))
                fail_msg("resident %u has no queue but is a member still", r->number);
    }
    for (size_t i = 0; i < WORLD_HOMES && w->liar == NULL;
         i++) { /* who has rows for it keeps some */
        struct courier_stats stats = courier_stats(w->houses[i].courier);
        assert_int_equal((w->blocked > 0 ? 0 : stats.refused) + (w->bounded ? 0 : stats.lost) +
                             stats.waiting,
                         0);
    }
}
