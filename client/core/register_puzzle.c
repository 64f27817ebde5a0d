/* Solving the puzzle of open registration: SHA-256(challenge || client key || solution) has to
 * begin with so many zero bits. In slices, so that the loop goes on meanwhile. */
#include <stdlib.h>

#include "client/core/register_inside.h"
#include "hearth/v1/auth.pb-c.h"

enum { SLICE_HASHES = 8192 };

struct solver {
    struct core *core;
    uint64_t task;
    struct hash prefix; /* of challenge and key */
    uint32_t bits;
    uint64_t at;
    struct hearth_timer *timer;
};

static void write_solution(uint64_t number, uint8_t out[8])
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static bool solves(const struct solver *s, uint64_t number)
{
    struct hash h = s->prefix;
    struct digest d;
    uint8_t solution[8];
    write_solution(number, solution);
    hash_update(&h, bytes_of(solution, sizeof solution));
    hash_final(&h, &d);
    uint32_t head = (uint32_t)d.data[0] << 24 | (uint32_t)d.data[1] << 16 |
                    (uint32_t)d.data[2] << 8 | d.data[3];
    return s->bits == 0 || head >> (32 - s->bits) == 0;
}

static void solver_free(struct solver *s)
{
    hearth_timer_free(s->timer);
    free(s);
}

static void slice(void *arg)
{
    struct solver *s = arg;
    if (!hearth_timer_set(s->timer, 0)) /* first thing: it can't fail */
        return;
    for (uint64_t end = s->at + SLICE_HASHES; s->at < end; s->at++) {
        if (!solves(s, s->at))
            continue;
        uint8_t solution[8];
        struct core *c = s->core;
        uint64_t task = s->task;
        struct hearth_status status = {.code = HEARTH_OK};
        Hearth__V1__PuzzleSolution out;
        hearth__v1__puzzle_solution__init(&out);
        write_solution(s->at, solution);
        out.solution = core_out(bytes_of(solution, sizeof solution));
        solver_free(s);
        task_stream_done(c, task, &status, &out.base);
        return;
    }
}

void register_solve(struct core *c, struct task *task, void **ret_handle)
{
    struct register_body body;
    struct solver *s = calloc(1, sizeof *s);
    struct err err = register_body_read(buf_view(&task->body), &body);
    if (s != NULL)
        s->timer = hearth_timer_new(c->loop, slice, s);
    if (!err_is_ok(err) || s == NULL || s->timer == NULL || !hearth_timer_set(s->timer, 0)) {
        struct hearth_status status = {.code = HEARTH_UNAVAILABLE}; /* later */
        if (s != NULL)
            solver_free(s);
        task_stream_done(c, task->number, &status, NULL);
        return;
    }
    s->core = c;
    s->task = task->number;
    s->bits = body.bits;
    hash_init(&s->prefix, &hash_sha256);
    hash_update(&s->prefix, body.challenge);
    hash_update(&s->prefix, public_key_view(&c->account.client_key.public_key));
    *ret_handle = s;
}

void register_solve_stop(struct core *c, void *handle)
{
    (void)c;
    solver_free(handle);
}
