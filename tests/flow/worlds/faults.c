/* What goes wrong, each by the world's dice. Everything here ends in world_mend(). */
#include "flow/worlds/world.h"
#include "server/info/info.h"

static struct house *any_house(struct world *w)
{
    return &w->houses[play_roll(&w->play, WORLD_HOMES)];
}

static void cut(struct world *w, bool cut)
{
    size_t from = play_roll(&w->play, WORLD_HOMES), to = play_roll(&w->play, WORLD_HOMES);
    enum pipe_way way = (enum pipe_way)play_roll(&w->play, 2);
    PLAY_TRACE(&w->play, "%s from %zu to %zu, %s\n", cut ? "cut" : "whole", from, to,
               way == PIPE_TO_SERVER ? "calls" : "answers");
    ways_cut(&w->ways, from, to, way, cut);
    if (!cut)
        ways_cut(&w->ways, from, to, 1 - way, cut);
}

/* Comes at once or in the middle of what is done next; the next life begins by itself. */
static void doom(struct world *w, struct house *h)
{
    if (!world_is_up(h))
        return;
    h->power = play_roll(&w->play, 2) == 0;
    h->slam = play_roll(&w->play, 2) == 0;
    PLAY_TRACE(&w->play, "%s is doomed%s\n", h->domain, h->power ? ", with the power" : "");
    if (play_roll(&w->play, 2) == 0)
        h->kill_in_steps = (long)play_roll(&w->play, 60);
    else
        vfs_power_off_after(h->vfs, (long)play_roll(&w->play, 80));
}

static void come_back(struct world *w, struct house *h)
{
    if (world_is_up(h))
        return;
    PLAY_TRACE(&w->play, "%s is back\n", h->domain);
    house_open(h);
}

static void go_away(struct world *w, struct house *h)
{
    if (!world_is_up(h)) {
        come_back(w, h);
        return;
    }
    PLAY_TRACE(&w->play, "%s goes away\n", h->domain);
    h->power = play_roll(&w->play, 2) == 0;
    h->kill_in_steps = -1;
    house_kill(h);
}

/* A store that has stopped takes its homeserver along (house.h). */
static void fail_disk(struct world *w, struct house *h)
{
    if (!world_is_up(h))
        return;
    PLAY_TRACE(&w->play, "the disk of %s fails\n", h->domain);
    vfs_fail(h->vfs, play_roll(&w->play, 2) == 0 ? VFS_WRITE : VFS_SYNC, VFS_ERROR,
             (long)play_roll(&w->play, 12), 1);
}

/* No queue takes anything for a while: what was sent stays in outboxes, this homeserver's own, too.
 * With limits, those who try again and again would use up what they may try. */
static void fill_queue(struct world *w, struct house *h)
{
    if (!world_is_up(h) || h->limits)
        return;
    PLAY_TRACE(&w->play, "the queues of %s are full\n", h->domain);
    house_fill_queue(h, 1000 + play_roll(&w->play, 15000));
}

static void rotate(struct world *w, struct house *h)
{
    if (!world_is_up(h))
        return;
    PLAY_TRACE(&w->play, "%s has another federation key\n", h->domain);
    assert_ok(keeper_rotate(h->keeper, KEEPER_FEDERATION));
    w->rotated = true;
    if (h == w->liar && play_roll(&w->play, 2) == 0)
        return;                            /* and goes on showing the one of before */
    if (!err_is_ok(info_refresh(h->info))) /* its disk fails just now: as the next start does */
        house_settle(h);
}

/* Somebody deletes his queue, whoever has a reference to it. */
static void give_up(struct world *w)
{
    struct resident *r = &w->people[play_roll(&w->play, WORLD_PEOPLE)];
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (w->groups[g].stays[0].resident == r)
            return; /* founders stay: they are who commits in the end */
    if (!world_trusts(w, r) || w->gone == WORLD_GONE || r->gone || !world_is_up(r->house) ||
        !w->published[r->number - 1])
        return;
    PLAY_TRACE(&w->play, "%u gives up\n", r->number);
    resident_give_up(r);
    w->gone++;
}

/* ---- backups of delivery.db: groups and the outbox */

static void back_up(struct world *w, struct house *h)
{
    size_t i = (size_t)(h - w->houses);
    vfs_saved_free(w->backups[i].saved);
    w->backups[i].saved = vfs_save(h->vfs, "delivery.db");
    for (size_t g = 0; g < WORLD_GROUPS; g++) {
        w->backups[i].epochs[g] = w->groups[g].epoch;
        w->backups[i].sent[g] = w->groups[g].sent_count;
    }
    PLAY_TRACE(&w->play, "%s is backed up\n", h->domain);
}

/* A group that went on to another epoch since is lost to its members, whom no server can bring
 * back; so it is with proposals. All else is: what was said since may be missing, what is said from
 * now on arrives. */
static bool can_restore(struct world *w, const struct house *h)
{
    size_t i = (size_t)(h - w->houses);
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_owner(w, g) == h && w->groups[g].epoch != w->backups[i].epochs[g])
            return false;
    for (size_t k = 0; k < WORLD_PEOPLE; k++)
        for (size_t g = 0; g < RESIDENT_GROUPS; g++)
            if (w->people[k].groups[g].leaving)
                return false;
    /* what was given up since would be tried again, behind what came after it; and what it proposed
     * for a queue that is gone, or is said to be, it would not know any more */
    return w->backups[i].saved != NULL && w->gone == 0 && !h->detour.told_gone && !w->bounded;
}

static void restore(struct world *w, struct house *h)
{
    size_t i = (size_t)(h - w->houses);
    if (!can_restore(w, h)) {
        back_up(w, h);
        return;
    }
    PLAY_TRACE(&w->play, "%s comes back from a backup\n", h->domain);
    if (world_is_up(h))
        go_away(w, h);
    vfs_load(h->vfs, w->backups[i].saved, "delivery.db");
    vfs_saved_free(w->backups[i].saved);
    w->backups[i].saved = NULL;
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_owner(w, g) == h)
            oracle_restored(&w->groups[g], w->backups[i].sent[g]);
    come_back(w, h);
    w->restored++;
}

/* Nothing that the blocked homeserver took since has come in here. */
static void must_be_silent(struct world *w, const struct house *h)
{
    const struct house *other = house_of(w->houses, bytes_str(h->blocked));
    for (size_t i = 0; i < WORLD_PEOPLE; i++) {
        struct resident *r = &w->people[i];
        if (!world_trusts(w, r) || r->house != h || !world_can_sync(w, r))
            continue;
        if (r->introduction_count > 0)
            resident_sync(r, 0);
        for (size_t k = 0; k < r->got_count; k++)
            if (r->got[k].in->owner == other && r->got[k].message > w->blocked_at[h - w->houses])
                fail_msg("message %u came to resident %u from a blocked homeserver",
                         r->got[k].message, r->number);
    }
}

static void unblock(struct world *w, struct house *h)
{
    if (h->blocked == NULL)
        return;
    PLAY_TRACE(&w->play, "%s blocks nobody any more\n", h->domain);
    must_be_silent(w, h);
    house_block(h, NULL);
}

/* People of a blocked homeserver can't be added. */
static void must_not_come(struct world *w, size_t group, const struct house *other)
{
    const struct resident *founder = w->groups[group].stays[0].resident;
    struct membership *m = play_membership(&w->play, group, &w->people[founder->number - 1]);
    for (size_t i = 0; i < WORLD_PEOPLE && m != NULL; i++) {
        struct resident *r = &w->people[i];
        if (r->house != other || r->gone || !w->published[i] || r->taken_count == WORLD_PACKAGES ||
            oracle_has(&w->groups[group], r))
            continue;
        const struct commit_wish wish = {.add = &r, .add_count = 1};
        assert_int_not_equal(membership_commit(m, &wish), HEARTH_OK);
        return;
    }
}

/* What the owner of a group has for members of the homeserver that it blocks is given up, which
 * they are told when they can be. */
static void block(struct world *w, struct house *h)
{
    const struct house *other = any_house(w);
    if (h->blocked != NULL) {
        unblock(w, h);
        return;
    }
    if (h == w->liar)
        return;
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (h == other ||
            (world_owner(w, g) == h && w->groups[g].stays[0].resident->house == other))
            return; /* founders stay */
    PLAY_TRACE(&w->play, "%s blocks %s\n", h->domain, other->domain);
    house_block(h, other->domain);
    w->blocked_at[h - w->houses] = w->play.messages;
    w->blocked++;
    for (size_t g = 0; g < WORLD_GROUPS; g++)
        if (world_owner(w, g) == h) {
            oracle_lossy(&w->groups[g], other);
            if (world_is_up(h) && world_is_up(other))
                must_not_come(w, g, other);
        }
}

void world_fail(struct world *w)
{
    struct house *h = any_house(w);
    if (!w->fate.faults || play_roll(&w->play, 2) == 0)
        return;
    w->faults++;
    switch (play_roll(&w->play, 20)) {
    case 0:
    case 1:
    case 2:
        cut(w, true);
        break;
    case 3:
    case 4:
        cut(w, false);
        break;
    case 5:
        pipe_cut_all(w->ways.loop);
        break;
    case 6:
    case 7:
    case 8:
        doom(w, h);
        break;
    case 9:
        go_away(w, h);
        break;
    case 10:
        come_back(w, h);
        break;
    case 11:
        if (world_is_up(h))
            detour_repeat(&h->detour);
        break;
    case 12:
        rotate(w, h);
        break;
    case 13:
        fail_disk(w, h);
        break;
    case 14:
        give_up(w);
        break;
    case 15:
        block(w, h);
        break;
    case 16:
    case 17:
        fill_queue(w, h);
        break;
    default:
        restore(w, h);
        break;
    }
}

void world_mend(struct world *w)
{
    ways_heal(&w->ways);
    for (size_t i = 0; i < WORLD_HOMES; i++) {
        struct house *h = &w->houses[i];
        h->miss_one_in = h->detour.put_off_one_in = 0;
        h->kill_in_steps = -1;
        house_fill_queue(h, 0); /* it is late for a while */
        (void)vfs_failed(h->vfs);
        if (!vfs_is_off(h->vfs)) /* else it ends at its next step */
            vfs_power_off_after(h->vfs, -1);
        come_back(w, h);
    }
    for (size_t i = 0; i < WORLD_HOMES; i++)
        unblock(w, &w->houses[i]);
}
