/* The ways between homeservers of one process: pipes named "TO@FROM", of which each direction can
 * be cut. Clients are other names, which never fail.
 */
#ifndef TESTS_SUPPORT_WAYS_WAYS_H
#define TESTS_SUPPORT_WAYS_WAYS_H

#include "net/loop.h"

enum { WAYS_HOMES = 4 };

struct ways {
    struct hearth_loop *loop;
    char names[WAYS_HOMES][16]; /* of the pipes */
    size_t count;
    bool cut[WAYS_HOMES][WAYS_HOMES][2]; /* from, to, way: connections made now don't carry */
    unsigned dials[WAYS_HOMES][WAYS_HOMES];
};

/* From now on the loop's connections go by it. Borrows; no name yet. */
void ways_init(struct ways *w, struct hearth_loop *loop);
void ways_add(struct ways *w, const char *name);
/* The way from one home to another, or back. When it is cut, existing connections of all break. */
void ways_cut(struct ways *w, size_t from, size_t to, enum pipe_way way, bool cut);
void ways_heal(struct ways *w);

#endif
