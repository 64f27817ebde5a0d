/* Who goes next: deficit round robin over principals, in work units of one row.
 *
 * Each principal that has something waiting gets SCHED_QUANTUM_ROWS per round. Whoever floods
 * fills only its own line: another principal's job starts after at most one quantum plus one
 * largest job of each principal that was waiting before. Order within a principal is kept.
 *
 * Jobs are borrowed while they wait. Not thread-safe. Principals should be unpredictable to callers
 * (pseudonyms, HMACs): chosen ones could share a hash chain.
 */
#ifndef STORE_SCHED_H
#define STORE_SCHED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SCHED_QUANTUM_ROWS = 64 };

/* Embedded in a job. */
struct sched_entry {
    struct sched_entry *next;
    uint64_t principal;
    uint32_t cost; /* rows, at least 1 */
};

struct sched_flow;

struct sched {
    struct sched_flow **chains; /* by hash of the principal */
    uint32_t chain_count;       /* a power of two */
    struct sched_flow *turn;    /* the ring of those who wait: whose turn it is */
    struct sched_flow *spare;   /* kept for the next principal */
    uint32_t waiting;           /* jobs */
    uint32_t most;              /* jobs in all */
    uint32_t most_each;         /* jobs of one principal */
};

/* The zero state may be cleared. */
CHECKED struct err sched_init(struct sched *s, uint32_t most, uint32_t most_each);
/* Jobs still waiting are forgotten. */
void sched_clear(struct sched *s);
/* STORE_QUEUE_FULL or NO_MEMORY, and then nothing changed. */
CHECKED struct err sched_push(struct sched *s, struct sched_entry *entry);
/* NULL when nothing waits. */
struct sched_entry *sched_pop(struct sched *s);

#endif
