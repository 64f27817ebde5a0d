/* The files of TASK_REGISTER.
 *
 *     body: struct { uint8 version = 1; optional<opaque[16]> invitation; opaque handle<V>;
 *                    opaque challenge<V>; uint32 bits; opaque solution<V>; uint8 rounds; }
 */
#ifndef CLIENT_CORE_REGISTER_INSIDE_H
#define CLIENT_CORE_REGISTER_INSIDE_H

#include "client/core/register.h"
#include "client/core/task.h"

enum register_state {
    REGISTER_KEYS = 0,      /* GetKeys */
    REGISTER_CHALLENGE = 1, /* open mode */
    REGISTER_SOLVE = 2,
    REGISTER_USER = 3,     /* RegisterUser */
    REGISTER_QUEUE = 4,    /* CreateQueueUser */
    REGISTER_PACKAGES = 5, /* leaves TASK_PUBLISH and the handle's, */
    REGISTER_WAIT = 6,     /* and waits for them */
};

enum { REGISTER_ROUNDS = 3, PUZZLE_BITS_MOST = 32 };

struct register_body {
    bool invited;
    uint8_t code[16];
    struct bytes handle, challenge, solution; /* views */
    uint32_t bits;
    uint8_t rounds; /* puzzles that were solved in vain */
};
CHECKED struct err register_body_read(struct bytes in, struct register_body *ret_body);
/* Replaces the task's body. */
CHECKED struct err register_body_set(struct task *task, const struct register_body *body);

/* register_puzzle.c: works in slices on the loop. */
void register_solve(struct core *c, struct task *task, void **ret_handle);
void register_solve_stop(struct core *c, void *handle);

#endif
