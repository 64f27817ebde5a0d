/* Honest people on a real hearthd: groups in which one talks and the others listen; and beside
 * them, where load_open_busy() made them, people who add and remove somebody and change their keys,
 * fetch KeyPackages, and search the log (chores.c). */
#ifndef TESTS_THREATS_LOAD_H
#define TESTS_THREATS_LOAD_H

#include "support/house/resident_inside.h"

enum { LOAD_LATENCIES = 100000 };
/* What is measured: a message and a commit until a listener's stream has it, a fetch and a search
 * until the answer is there. */
enum load_kind { LOAD_SEND, LOAD_COMMIT, LOAD_FETCH, LOAD_SEARCH, LOAD_KINDS };

struct load_listener;
struct chores;
struct tape;
struct load_group {
    struct membership *founder;
    struct load_listener *listeners;
    size_t size; /* people in it, of which all but the founder listen */
    enum load_kind kind;
    uint64_t sent_us;
    size_t awaited; /* listeners that have not got the message under way */
    bool under_way, retried;
    uint64_t expected; /* items that were acknowledged to the sender, at each listener */
};

struct load {
    struct house *house;
    struct resident *residents;
    struct load_group *groups;
    size_t group_count, size; /* size: people in each */
    struct chores *chores;    /* NULL: people only talk */
    uint64_t sent, failed;    /* of all kinds; failed: after one retry, too */
    uint64_t arrived;
    struct load_series {
        uint64_t *us;
        size_t count;
    } series[LOAD_KINDS];
};

void load_open(struct load *l, struct house *house, size_t groups, size_t size);
/* The same, and who does the rest: 2 commits, 5 fetches, 5 searches a second, times pace. */
void load_open_busy(struct load *l, struct house *house, size_t groups, size_t size, unsigned pace);
/* The same with one listener in each group, whose stream is watched. */
void load_open_watched(struct load *l, struct house *house, struct tape *tapes, size_t groups);
/* One message to a group. */
void load_send(struct load *l, size_t group);
/* So many messages a second, in turn, and the rest at its own pace; latencies anew. */
void load_run(struct load *l, uint64_t ms, unsigned per_s);
/* Until all that was acknowledged has arrived, 10 s at most. False: it has not. */
bool load_settled(struct load *l);
/* Median and tail: the 99th hundredth of messages, the 90th of what there is less of. */
void load_latency_ms(struct load *l, enum load_kind kind, double ret_ms[2]);
/* Streams and connections end; what residents know stays. */
void load_hang_up(struct load *l);

/* ---- what load.c and chores.c share */

uint64_t load_now_us(void);
/* A group of these people, founded by the first; the others listen. */
void load_found(struct load *l, struct load_group *g, struct resident *people, size_t size);
/* Who is made next comes from 127.0.0.(10 + number). tape: as of source_start. */
void load_move(struct house *house, const char *server, unsigned number, struct tape *tape);
/* What comes from now on is counted. */
void load_group_begin(struct load_group *g);
bool load_group_settled(const struct load_group *g);
void load_group_hang_up(struct load_group *g);
void load_took(struct load *l, enum load_kind kind, uint64_t since_us);

void chores_open(struct load *l, unsigned pace);
/* Begins what is due and ends what was answered; only: the latter alone. */
void chores_step(struct load *l, bool only);
/* Nothing is under way, and what was acknowledged has arrived. */
bool chores_settled(const struct load *l);
void chores_hang_up(struct load *l);

#endif
