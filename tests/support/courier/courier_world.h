/* A courier on a stepped loop with a store that can be killed, a queue service and peers that are
 * models: what they took, in which order, under which numbers. One world at a time.
 */
#ifndef TESTS_SUPPORT_COURIER_WORLD_H
#define TESTS_SUPPORT_COURIER_WORLD_H

#include <stdio.h>

#include "net/loop.h"
#include "server/courier/courier.h"
#include "server/courier/outbox_rows.h"
#include "store/store.h"
#include "support/courier/accept_faults.h"
#include "support/test.h"
#include "support/vfs_fault.h"

enum { REFS = 64, TAKEN_MAX = 20000, REPORTS_MAX = 4096 };

/* Statements of the world's own; the outbox's follow. */
enum { S_REPORT, S_REPORTS, S_ROWS, S_REWIND, S_DAMAGE, S_OUTBOX };

/* How a destination answers. */
enum mood { TAKES, FAILS, HANGS, SAYS_LATER, SAYS_GONE, SAYS_REFUSED, WONT_START };

struct taken {
    uint64_t sequence;
    uint32_t ref, message;
};

/* A destination with its references: the model of a queue service. */
struct place {
    char name[64];
    enum mood mood;
    uint32_t later_ref;   /* this reference alone says later; 0: none */
    uint32_t refused_ref; /* this one is refused */
    bool at_once;         /* answers come inside the call */
    uint64_t last[REFS];
    struct taken taken[TAKEN_MAX]; /* effects, in order */
    size_t taken_count;
    unsigned batches, repeats;
    uint64_t tried_us[64]; /* when */
    bool started;
};

struct answer {
    struct cworld *w;
    struct place *place;
    size_t count;
    enum queue_outcome outcomes[BATCH_ROWS];
    struct err result;
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
    struct answer *next;
};

enum { PLACES = 120 };
struct cworld {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct inbox *inbox;
    struct vfs_fault *vfs; /* kept over kills */
    struct store *store;
    struct front_env env;
    struct outbox outbox;
    uint8_t key[32], ids[32];
    struct courier *courier;
    struct place *places; /* 0: our own */
    size_t place_count;
    struct answer *hanging;
    uint32_t messages;
    bool refuse_reports;
    uint32_t backlog_rows;
    bool no_peers;
};
/* One message to some references of some places. */
struct putting {
    struct cworld *w;
    struct outbox_row rows[REFS * 2];
    uint8_t refs[REFS * 2][80];
    size_t count;
    uint8_t body[200];
    size_t body_len;
};

struct left {
    uint64_t rows, payloads, bodies, domains;
};

struct reports {
    struct {
        uint8_t notice;
        uint64_t why;
    } at[REPORTS_MAX];
    size_t count;
};

void world_new(struct cworld *w, uint64_t seed);
void world_open(struct cworld *w);
size_t world_peer(struct cworld *w, const char *name);
void world_settle(struct cworld *w);
void world_run_ms(struct cworld *w, uint64_t ms);
void world_kill(struct cworld *w, bool power, uint64_t seed);
void world_close(struct cworld *w);
void release_hanging(struct cworld *w, struct err result);
void putting_begin(struct putting *p, struct cworld *w);
void putting_to(struct putting *p, size_t place, uint32_t ref, bool control, uint8_t notice);
void putting_end(struct putting *p);
bool putting_try(struct putting *p); /* false: it was not told that it is durable */
void put_one(struct cworld *w, size_t place, uint32_t ref, bool control, uint8_t notice);
struct left world_left(struct cworld *w);
void world_reports(struct cworld *w, struct reports *ret_reports);
size_t place_check(const struct place *p);

#endif
