#include "store/sched.h"

#include <stdlib.h>

struct sched_flow {
    struct sched_flow *chain;       /* same hash */
    struct sched_flow *next, *prev; /* ring of those who wait */
    struct sched_entry *first, **last;
    uint64_t principal;
    uint64_t credit; /* rows it may still take in this turn */
    uint32_t waiting;
    bool in_turn; /* has had this turn's quantum */
};

static uint32_t slot_of(const struct sched *s, uint64_t principal)
{
    /* finalizer of splitmix64: neighbours spread */
    principal = (principal ^ (principal >> 30)) * 0xbf58476d1ce4e5b9u;
    principal = (principal ^ (principal >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(principal >> 31) & (s->chain_count - 1);
}

struct err sched_init(struct sched *s, uint32_t most, uint32_t most_each)
{
    *s = (struct sched){.chain_count = 64, .most = most, .most_each = most_each};
    while (s->chain_count < most && s->chain_count < (1u << 20))
        s->chain_count *= 2;
    s->chains = calloc(s->chain_count, sizeof(struct sched_flow *));
    return s->chains == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

void sched_clear(struct sched *s)
{
    for (uint32_t i = 0; s->chains != NULL && i < s->chain_count; i++)
        while (s->chains[i] != NULL) {
            struct sched_flow *f = s->chains[i];
            s->chains[i] = f->chain;
            free(f);
        }
    free(s->chains);
    free(s->spare);
    *s = (struct sched){0};
}

/* A new principal goes to the end of the round: before the one whose turn it is. */
static void ring_add(struct sched *s, struct sched_flow *f)
{
    if (s->turn == NULL) {
        f->next = f->prev = f;
        s->turn = f;
        return;
    }
    f->next = s->turn;
    f->prev = s->turn->prev;
    f->prev->next = f;
    f->next->prev = f;
}

static struct sched_flow *flow_new(struct sched *s, uint64_t principal)
{
    struct sched_flow *f = s->spare;
    s->spare = NULL;
    if (f == NULL)
        f = malloc(sizeof *f);
    if (f == NULL)
        return NULL;
    struct sched_flow **chain = &s->chains[slot_of(s, principal)];
    *f = (struct sched_flow){.chain = *chain, .principal = principal};
    f->last = &f->first;
    *chain = f;
    ring_add(s, f);
    return f;
}

static void flow_remove(struct sched *s, struct sched_flow *f)
{
    struct sched_flow **at = &s->chains[slot_of(s, f->principal)];
    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    if (s->turn == f)
        s->turn = f->next == f ? NULL : f->next;
    f->prev->next = f->next;
    f->next->prev = f->prev;
    free(s->spare);
    s->spare = f;
}

struct err sched_push(struct sched *s, struct sched_entry *entry)
{
    if (s->waiting >= s->most)
        return ERR(STORE_QUEUE_FULL);
    struct sched_flow *f = s->chains[slot_of(s, entry->principal)];
    while (f != NULL && f->principal != entry->principal)
        f = f->chain;
    if (f != NULL && f->waiting >= s->most_each)
        return ERR(STORE_QUEUE_FULL);
    if (f == NULL && (f = flow_new(s, entry->principal)) == NULL)
        return ERR(NO_MEMORY);
    entry->next = NULL;
    *f->last = entry;
    f->last = &entry->next;
    f->waiting++;
    s->waiting++;
    return ERR_OK;
}

struct sched_entry *sched_pop(struct sched *s)
{
    struct sched_flow *f;
    /* Ends: each visit adds a quantum, and the cost of a job is bounded. */
    while ((f = s->turn) != NULL) {
        if (!f->in_turn) {
            f->in_turn = true;
            f->credit += SCHED_QUANTUM_ROWS;
        }
        struct sched_entry *entry = f->first;
        if (entry->cost > f->credit) {
            f->in_turn = false;
            s->turn = f->next;
            continue;
        }
        f->credit -= entry->cost;
        f->first = entry->next;
        if (f->first == NULL)
            f->last = &f->first;
        f->waiting--;
        s->waiting--;
        if (f->first == NULL)
            flow_remove(s, f); /* credit is lost: nobody saves up for a burst */
        return entry;
    }
    return NULL;
}
