/* Honest people on a real hearthd: groups in which one talks and the others listen. */
#ifndef TESTS_THREATS_LOAD_H
#define TESTS_THREATS_LOAD_H

#include "support/house/resident_inside.h"

enum { LOAD_LATENCIES = 100000 };

struct load_listener;
struct tape;
struct load_group {
    struct membership *founder;
    struct load_listener *listeners;
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
    uint64_t sent, failed;    /* failed: after one retry, too */
    uint64_t arrived;
    uint64_t *latencies_us; /* from the send until the listener's stream had it */
    size_t latency_count;
};

void load_open(struct load *l, struct house *house, size_t groups, size_t size);
/* The same with one listener in each group, whose stream is watched. */
void load_open_watched(struct load *l, struct house *house, struct tape *tapes, size_t groups);
/* One message to a group. */
void load_send(struct load *l, size_t group);
/* So many messages a second, in turn; latencies anew. */
void load_run(struct load *l, uint64_t ms, unsigned per_s);
/* Until all that was acknowledged has arrived, 10 s at most. False: it has not. */
bool load_settled(struct load *l);
/* Median and 99th hundredth. */
void load_latency_ms(struct load *l, double ret_ms[2]);
/* Streams and connections end; what residents know stays. */
void load_hang_up(struct load *l);

#endif
