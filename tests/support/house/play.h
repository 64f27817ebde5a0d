/* What residents do in random worlds, each act with its word to the oracle: they send, commit,
 * remove, leave, resync, two at once. A refusal that can't be right fails the running test. Which
 * act it is, and what goes wrong meanwhile, is the world's choice, from dice of its own.
 */
#ifndef TESTS_SUPPORT_PLAY_H
#define TESTS_SUPPORT_PLAY_H

#include <stdio.h>

#include "support/house/oracle.h"

struct play_tally {
    size_t deliveries, sent, commits, lives, retries, repeats, refused, resyncs, leaves, together;
};

struct play {
    struct house *house; /* whose clock it is */
    struct resident *residents;
    size_t resident_count;
    struct oracle *groups;
    size_t group_count;
    struct rng_seeded dice;
    uint32_t messages;
    bool trace; /* HEARTH_TRACE */
    /* into the group; NULL: all can */
    bool (*can_come)(struct play *p, size_t group, const struct resident *r);
    struct play_tally tally;
};

#define PLAY_TRACE(p, ...)                      \
    do {                                        \
        if ((p)->trace)                         \
            (void)fprintf(stderr, __VA_ARGS__); \
    } while (0)

/* The house's own numbers are another sequence of the same seed. */
void play_init(struct play *p, uint64_t seed);
uint64_t play_roll(struct play *p, uint64_t below);
/* NULL: not in there, as far as it knows. */
struct membership *play_membership(struct play *p, size_t group, struct resident *r);
/* Everything that was accepted at its own homeserver has arrived. */
void play_catch_up(struct play *p, struct resident *r);

/* fresh: m knows the group as it is, so that only its state excuses a refusal. */
void play_send(struct play *p, size_t group, struct membership *m, bool fresh);
/* A founder adds and removes, others commit only. */
void play_commit(struct play *p, size_t group, struct membership *m, bool fresh);
void play_resync(struct play *p, size_t group, struct membership *m);
/* But the founder. */
void play_leave(struct play *p, size_t group, struct membership *m, bool fresh);
/* Two at once, both up to date: of two commits one wins (G1), a message goes before the commit or
 * not at all. sure: both have caught up with all there is. */
void play_together(struct play *p, size_t group, struct resident *a, struct resident *b, bool sure);
/* Adds what residents counted. */
void play_count(struct play *p);
void play_tell(const char *what, const struct play_tally *t);

#endif
