/* Attacks on a real hearthd beside honest people, each with a control (issue: the threat suite).
 *
 * For each threat id: a fresh hearthd whose limits are raised as far as they go, but those that
 * defend against this attack, which are as shipped; honest load (load.h) from 127.0.0.1, attackers
 * in processes of their own from 127.0.0.101 and on. An attacker counts what it got done; the
 * defence held when that is at most `most`, the honest load kept the pass rule, and nothing that
 * was acknowledged is lost. The control is the same with the defence raised like the rest: then an
 * attacker must get more done, or the test proves nothing.
 */
#ifndef TESTS_THREATS_H
#define TESTS_THREATS_H

#include <stdatomic.h>

#include "support/house/hearthd.h"
#include "support/house/resident_inside.h"

enum { ATTACKERS_MOST = 4 };
#define OTHER_DOMAIN "b.test"

/* Shared between the processes. */
struct board {
    atomic_bool go, stop;
    atomic_uint ready;
    atomic_uint gains[ATTACKERS_MOST];
    atomic_uint broken; /* attackers that could not do what they were to */
};

struct attacker {
    const struct hearthd *server;
    const struct hearthd *other; /* with which it federates: OTHER_DOMAIN; or NULL */
    const char *hearth;          /* program */
    unsigned number;
    char address[32]; /* of the server, for calls from our source */
    char source[32];
    struct house house; /* visited through address */
    struct board *board;
    void *self;
};

enum other { OTHER_NONE, OTHER_THERE, OTHER_AWAY };

struct threat {
    const char *id;    /* of threats.md */
    const char *title; /* what is done to the server */
    const char *keep;  /* limits as shipped, and "connections"; space separated */
    const char *conf;  /* further sections of hearthd.conf, or NULL */
    unsigned attackers;
    unsigned most;                       /* all attackers together, in the time of a short run */
    unsigned per_s;                      /* ... and so many more for each second beyond two */
    unsigned least_s;                    /* so long at least, where one try takes long */
    void (*prepare)(struct attacker *a); /* before the honest load is measured */
    void (*act)(struct attacker *a);     /* once; again and again until the end */
    enum other other;                    /* homeserver: with which it federates */
    unsigned scale; /* limits that are kept are so many times smaller than shipped, since four
                       attackers in two seconds would not meet them; 0: as shipped */
};
extern const struct threat threats[];
extern const size_t threat_count;

static inline void gain(struct attacker *a)
{
    atomic_fetch_add(&a->board->gains[a->number], 1);
}
/* Something that is no attack went wrong. */
void attacker_fail(struct attacker *a, const char *what, const char *why);

/* What who watches the wire sees of what the server sends. Shared between processes. */
enum { TAPE_SIGHTS = 20000 };
struct tape {
    atomic_size_t count;
    struct {
        uint64_t us; /* monotonic */
        size_t bytes;
    } sights[TAPE_SIGHTS];
};

/* source.c: a process that passes connections on from a source address; address: where it listens.
 * Ends with its parent. tape: what it sees, or NULL. */
pid_t source_start(const char *source, const char *server, struct tape *tape, char ret_address[32]);

/* homeserver.c */
void dos16_prepare(struct attacker *a);
void dos16_act(struct attacker *a);
void dos17_prepare(struct attacker *a);
void dos17_act(struct attacker *a);

/* image.c: ME3, ME4. Exit code. */
int image_run(struct hearthd *server);

/* watch.c: ME1. Exit code. */
int watch_run(const char *hearthd, unsigned sends, unsigned tick_ms);

#endif
