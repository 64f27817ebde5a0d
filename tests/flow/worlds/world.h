/* Random worlds of three homeservers, each the whole server, and thirty people, ten at each: groups
 * owned by any of the three have members of all, who found, add, remove, send, commit, leave and
 * resync, while ways between homeservers break, answers are lost, batches come late and twice,
 * homeservers are killed, lose their power or stay away, disks fail, keys change, queues are given
 * up, rows are put off, people miss answers. When all that is over, everybody has what the owner of
 * each group acknowledged, in its order, once (support/house/oracle.h). One seed says everything.
 *
 * In one of ten worlds the third homeserver lies (support/ways/lies.h) from the time on at which
 * its group, that of its people, has members of all. What the other two promise each other and
 * their people must hold all the same, in groups of theirs, whose members of the liar may lose
 * anything.
 */
#ifndef TESTS_FLOW_WORLDS_WORLD_H
#define TESTS_FLOW_WORLDS_WORLD_H

#include "support/house/play.h"
#include "support/ways/ways.h"

enum {
    WORLD_HOMES = 3,
    WORLD_PEOPLE = 30,
    WORLD_GROUPS = 3,
    WORLD_PACKAGES = 2,
    WORLD_GONE = 2,
    WORLD_BATCH = 3,
    WORLD_BACKLOG = 3,
    WORLD_PAYLOAD = 700
};
enum { WORLD_LIAR = 2, WORLD_LIES_ONE_IN = 10, WORLD_LIES_AT = 7 };

/* What may go wrong, and what is spoiled on purpose (controls, which must be found out). */
struct world_fate {
    bool faults;
    bool relaxed;              /* commits are not durable */
    bool numbered, backwards;  /* support/ways/detour.h */
    uint32_t delivery_control; /* server/delivery/delivery.h */
    bool lies;                 /* in all of them */
    bool believed;             /* what the liar answers is taken for the answer of all */
    bool held_up;              /* who has something for the liar has nothing for others meanwhile */
};

struct world {
    struct play play;
    struct house houses[WORLD_HOMES];
    struct ways ways;
    struct resident people[WORLD_PEOPLE];
    bool published[WORLD_PEOPLE];
    struct oracle groups[WORLD_GROUPS];
    struct world_fate fate;
    struct house *liar; /* NULL: none in this world, or not yet */
    bool lying;         /* one is, or will be */
    struct rng_seeded lies;
    unsigned lied, lies_heard; /* in all worlds */
    struct {
        struct vfs_saved *saved; /* of delivery.db; NULL: none */
        uint64_t epochs[WORLD_GROUPS];
        size_t sent[WORLD_GROUPS];
    } backups[WORLD_HOMES];
    unsigned restored;                /* in all worlds */
    uint32_t blocked_at[WORLD_HOMES]; /* the last message before */
    unsigned blocked;                 /* times that somebody was, in this world */
    unsigned gone;                    /* residents who gave up their queues */
    bool bounded;                     /* backlogs are, to next to nothing */
    bool rotated;                     /* a federation key changed, in this world */
    uint64_t told;                    /* messages that were given up, in all worlds */
    unsigned faults;                  /* that happened, in all worlds */
};

bool world_is_up(const struct house *h);
struct house *world_owner(struct world *w, size_t group);
/* Items of more bytes go in parts from now on; 0: those that must (parts.c). */
void parts_of_bytes(size_t bytes);
/* What it sends to its own people is with them at once: its queues were not full lately. */
bool world_is_prompt(const struct house *h);
/* Is it, or its owner, one whose word counts? */
bool world_trusts(const struct world *w, const struct resident *r);
bool world_judges(struct world *w, size_t group);
/* From now on it lies (liar.c); and something is said in its group, which nobody is sure to get. */
void world_lie(struct world *w);
void world_gossip(struct world *w);

/* ---- life */

void world_begin(struct world *w, uint64_t seed, const struct world_fate *fate);
void world_end(struct world *w);

/* ---- what happens */

/* Somebody does something, if those homeservers that it takes are there. */
void world_act(struct world *w);
/* May it ask its queue now? Who has something new to join asks the owner for the tree: all must be
 * there then. */
bool world_can_sync(const struct world *w, const struct resident *r);
/* G5: who was removed tries to open the group, which must fail. */
void world_intrude(struct resident *r);
/* Something goes wrong, or is well again (faults.c). */
void world_fail(struct world *w);
void world_mend(struct world *w);
/* All faults end, everybody hears of everything, and each member still can say something; fails the
 * test where something is not as it must be (judge.c). */
void world_heal(struct world *w);
void world_judge(struct world *w);

/* All of it: begins, some steps of faults and acts, heals, is judged, ends. */
void world_run(struct world *w, uint64_t seed, const struct world_fate *fate);

#endif
