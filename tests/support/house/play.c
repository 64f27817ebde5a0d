#include "support/house/play.h"

void play_init(struct play *p, uint64_t seed)
{
    rng_seeded_init(&p->dice, seed ^ 0x9e3779b97f4a7c15);
    p->messages = 0;
    p->trace = getenv("HEARTH_TRACE") != NULL;
}

uint64_t play_roll(struct play *p, uint64_t below)
{
    return rng_seeded_next(&p->dice) % below;
}

struct membership *play_membership(struct play *p, size_t group, struct resident *r)
{
    for (size_t i = 0; i < RESIDENT_GROUPS && !r->gone; i++)
        if (r->groups[i].in &&
            bytes_equal(membership_group_id(&r->groups[i]),
                        bytes_of(p->groups[group].group_id, p->groups[group].group_id_len)))
            return &r->groups[i];
    return NULL;
}

static size_t slots_used(const struct resident *r)
{
    size_t count = 0;
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        count += r->groups[i].resident != NULL;
    return count + r->introduction_count - r->welcomes; /* and those to come */
}

static bool is_founder(const struct play *p, size_t group, const struct resident *r)
{
    return p->groups[group].stays[0].resident == r;
}

/* A refusal is right only of one who may not know the group as it is now. */
static void refused(struct play *p, const struct membership *m, enum hearth_code code, bool fresh,
                    const char *what)
{
    PLAY_TRACE(p, "  %s refused: %s %s\n", what, hearth_code_name(code), m->resident->last.message);
    bool stale = code == HEARTH_FAILED_PRECONDITION || code == HEARTH_UNAUTHENTICATED ||
                 code == HEARTH_NOT_FOUND || code == HEARTH_UNKNOWN ||
                 (code == HEARTH_PERMISSION_DENIED && (m->leaving || m->lossy));
    if (!stale || (fresh && m->in && !m->leaving && !m->broken))
        fail_msg("%s by resident %u: %s: %s", what, m->resident->number, hearth_code_name(code),
                 m->resident->last.message != NULL ? m->resident->last.message : "");
    p->tally.refused++;
}

void play_catch_up(struct play *p, struct resident *r)
{
    house_run_ms(p->house, 3000);
    resident_sync(r, 0);
}

void play_send(struct play *p, size_t group, struct membership *m, bool fresh)
{
    uint32_t message = ++p->messages;
    PLAY_TRACE(p, "%u sends %u to %zu in epoch %llu\n", m->resident->number, message, group,
               (unsigned long long)group_epoch(m->group));
    enum hearth_code code = membership_send(m, message);
    if (code == HEARTH_OK) {
        oracle_sent(&p->groups[group], m, message);
        p->tally.sent++;
    } else {
        refused(p, m, code, fresh, "send");
    }
}

static bool may_come(struct play *p, size_t group, const struct resident *r)
{
    return !oracle_has(&p->groups[group], r) && slots_used(r) < RESIDENT_GROUPS - 1 &&
           (p->can_come == NULL || p->can_come(p, group, r));
}

/* Whom the founder adds and removes. */
static void wish_for(struct play *p, size_t group, const struct membership *m,
                     struct resident **add, uint32_t *remove, struct commit_wish *wish)
{
    *wish = (struct commit_wish){.add = add, .remove = remove};
    for (size_t i = 0; i < 2 && play_roll(p, 2) == 0; i++) {
        struct resident *r = &p->residents[play_roll(p, p->resident_count)];
        if ((wish->add_count == 0 || add[0] != r) && may_come(p, group, r))
            add[wish->add_count++] = r;
    }
    if (play_roll(p, 4) != 0)
        return;
    struct membership *other =
        play_membership(p, group, &p->residents[play_roll(p, p->resident_count)]);
    if (other != NULL && other != m && !other->leaving &&
        group_epoch(other->group) == p->groups[group].epoch)
        remove[wish->remove_count++] = group_own_leaf(other->group);
}

void play_commit(struct play *p, size_t group, struct membership *m, bool fresh)
{
    struct oracle *o = &p->groups[group];
    struct resident *add[2];
    uint32_t remove[1];
    struct commit_wish wish = {.add_count = 0};
    if (is_founder(p, group, m->resident))
        wish_for(p, group, m, add, remove, &wish);
    PLAY_TRACE(p, "%u commits in %zu, epoch %llu: %zu adds, %zu removes\n", m->resident->number,
               group, (unsigned long long)group_epoch(m->group), wish.add_count, wish.remove_count);
    enum hearth_code code = membership_commit(m, &wish);
    if (code == HEARTH_OK) {
        oracle_committed(o, m, add, wish.add_count);
        p->tally.commits++;
    } else {
        refused(p, m, code, fresh, "commit");
    }
}

void play_resync(struct play *p, size_t group, struct membership *m)
{
    uint64_t broken_epoch = m->broken ? m->broken_epoch : 0;
    PLAY_TRACE(p, "%u resyncs in %zu\n", m->resident->number, group);
    enum hearth_code code = membership_resync(m);
    if (code == HEARTH_OK) {
        oracle_resynced(&p->groups[group], m, broken_epoch);
        p->tally.resyncs++;
    } else {
        refused(p, m, code, false, "resync");
    }
}

void play_leave(struct play *p, size_t group, struct membership *m, bool fresh)
{
    if (is_founder(p, group, m->resident) || m->leaving)
        return;
    PLAY_TRACE(p, "%u leaves %zu\n", m->resident->number, group);
    enum hearth_code code = membership_leave(m);
    if (code == HEARTH_OK)
        p->tally.leaves++;
    else
        refused(p, m, code, fresh, "leave");
}

/* ---- two at once */

struct one {
    struct membership *m;
    struct committing *commit;
    struct resyncing *resync;
    struct resident_request send;
    uint32_t message;
    bool commits, resyncs; /* a resync is a commit, too */
    bool taken;
};

/* What it does; a resync has asked for the group then, as it is before both. */
static void one_choose(struct play *p, struct one *one)
{
    enum hearth_code code;
    one->commits = play_roll(p, 2) == 0;
    one->message = ++p->messages;
    if (one->commits && play_roll(p, 2) == 0)
        one->resync = membership_resync_prepare(one->m, &code);
    one->resyncs = one->resync != NULL;
}

static void one_begin(struct one *one)
{
    if (one->resyncs)
        membership_resync_begin(one->resync);
    else if (one->commits)
        one->commit = membership_commit_begin(one->m, &(struct commit_wish){0});
    else
        membership_send_begin(one->m, one->message, &one->send);
}

static const char *one_does(const struct one *one)
{
    return one->resyncs ? "resync" : one->commits ? "commit" : "send";
}

static void one_end(struct play *p, struct one *one)
{
    enum hearth_code code;
    assert_true(!one->commits || one->resyncs || one->commit != NULL);
    if (one->resyncs)
        code = membership_resync_end(one->resync);
    else
        code = one->commits ? membership_commit_end(one->commit) : resident_end(&one->send, NULL);
    one->taken = code == HEARTH_OK;
    if (!one->taken)
        refused(p, one->m, code, false, "at once");
}

void play_together(struct play *p, size_t group, struct resident *a, struct resident *b, bool sure)
{
    struct oracle *o = &p->groups[group];
    struct one one[2] = {{.m = play_membership(p, group, a)}, {.m = play_membership(p, group, b)}};
    for (size_t i = 0; i < 2; i++)
        if (one[i].m == NULL || one[i].m->broken || one[i].m->leaving ||
            group_epoch(one[i].m->group) != o->epoch)
            return;
    for (size_t i = 0; i < 2; i++)
        one_choose(p, &one[i]);
    for (size_t i = 0; i < 2; i++)
        one_begin(&one[i]);
    PLAY_TRACE(p, "%u and %u at once in %zu: %s, %s\n", a->number, b->number, group,
               one_does(&one[0]), one_does(&one[1]));
    for (size_t i = 0; i < 2; i++)
        one_end(p, &one[i]);
    if (one[0].commits && one[1].commits && one[0].taken && one[1].taken)
        fail_msg("G1: two commits in one epoch");
    if (sure && one[0].commits == one[1].commits) /* nobody is in a message's way but a commit */
        assert_true(one[0].commits ? one[0].taken || one[1].taken : one[0].taken && one[1].taken);
    for (size_t i = 0; i < 2; i++)
        if (one[i].taken && !one[i].commits) {
            oracle_sent_in(o, one[i].m, one[i].message);
            p->tally.sent++;
        }
    if (!one[0].commits && !one[1].commits && one[0].taken && one[1].taken)
        oracle_at_once(o);
    for (size_t i = 0; i < 2; i++)
        if (one[i].taken && one[i].commits) {
            oracle_committed(o, one[i].m, NULL, 0);
            p->tally.commits++;
        }
    p->tally.together++;
}

/* ---- what came of it */

void play_count(struct play *p)
{
    for (size_t i = 0; i < p->resident_count; i++) {
        p->tally.retries += p->residents[i].retries;
        p->tally.repeats += p->residents[i].repeats;
    }
}

void play_tell(const char *what, const struct play_tally *t)
{
    print_message(
        "%s: %zu messages, %zu commits, %zu resyncs, %zu leaves; %zu deliveries as they "
        "must be; %zu at once, %zu lives, %zu calls repeated, %zu items twice, %zu refusals\n",
        what, t->sent, t->commits, t->resyncs, t->leaves, t->deliveries, t->together, t->lives,
        t->retries, t->repeats, t->refused);
}
