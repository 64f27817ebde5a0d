/* Binary ladders: which versions of a label are looked up so that a prefix tree shows its greatest
 * one (draft-ietf-keytrans-protocol, appendix; transparency.md 8). A ladder is a walk steered by
 * the answers: 0, 1, 3, 7, ... until one is absent, then bisection between the last present and the
 * first absent version. It ends having met t present and t + 1 absent, t being the greatest.
 *
 *     t = 0: {0,1}   2: {0,1,3,2}   5: {0,1,3,7,5,6}   20: 10 lookups   100: 14
 *
 * Two walks in one tree agree up to the first version on which their answers differ, which is what
 * makes two claims of different greatest versions collide in one lookup.
 */
#ifndef TLOG_LADDER_H
#define TLOG_LADDER_H

#include "base/bytes.h"

enum { LADDER_MAX = 64 };

/* The greatest version a label may have, so that the ladder's upper end fits 32 bits. */
#define LADDER_VERSION_MAX (UINT32_MAX - 1)
/* In place of a version: there is none. */
#define LADDER_NONE UINT32_MAX

/* A walk. Begin with ladder_walk_begin, look `version` up, tell ladder_walk_step the answer; `done`
 * when there is nothing more to ask. */
struct ladder_walk {
    uint64_t version; /* the lookup to make now */
    uint64_t above;   /* last present version plus one, 0: none */
    uint64_t absent;  /* first absent version; 0: none met yet */
    bool met_absent;
    bool done;
};

void ladder_walk_begin(struct ladder_walk *walk);
void ladder_walk_step(struct ladder_walk *walk, bool present);

struct version_ladder {
    uint32_t at[LADDER_MAX];
    size_t count;
};

/* base_ladder(t); LADDER_NONE gives {0}. */
void ladder_base(uint32_t t, struct version_ladder *ret_ladder);
/* The lookups that show, in a tree whose greatest version is n (LADDER_NONE: none), how it stands
 * to t: base_ladder(n) up to and with the first that tells n from t, a version up to t that is
 * absent or a version above t that is present. All are in base_ladder(t). */
void ladder_search(uint32_t t, uint32_t n, struct version_ladder *ret_ladder);
/* The versions of base_ladder(t) that are <= t, in its order: what a contact checks later. */
void ladder_monitor(uint32_t t, struct version_ladder *ret_ladder);
bool ladder_has(const struct version_ladder *ladder, uint32_t version);

#endif
