#include "net/gate.h"

#include <stdlib.h>

enum { PROBES_MOST = 16, HANDSHAKE_CPU_BURST_US = 500000, HANDSHAKE_CPU_PER_S_US = 500000 };

bool gate_init(struct gate *g, const struct hearth_server_limits *limits, uint64_t key)
{
    *g = (struct gate){.limits = limits, .key = key | 1};
    pthread_mutex_init(&g->lock, NULL);
    g->slots = calloc(GATE_SLOTS, sizeof *g->slots);
    return g->slots != NULL;
}

void gate_clear(struct gate *g)
{
    free(g->slots);
    pthread_mutex_destroy(&g->lock);
    g->slots = NULL;
}

static size_t home_of(const struct gate *g, uint64_t prefix)
{
    uint64_t h = (prefix ^ g->key) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29) * g->key;
    return (size_t)(h >> 32) % GATE_SLOTS;
}

/* The slot of a prefix within its short run of probes, else a free one of the run; when now_us says
 * so, also one whose owner is gone and has all its credit back. */
static struct gate_slot *slot_for(struct gate *g, uint64_t prefix, uint64_t now_us, bool make)
{
    struct gate_slot *usable = NULL;
    size_t home = home_of(g, prefix);
    for (size_t i = 0; i < PROBES_MOST; i++) {
        struct gate_slot *slot = &g->slots[(home + i) % GATE_SLOTS];
        if (slot->prefix == prefix)
            return slot;
        bool idle = slot->prefix == 0 ||
                    (slot->open == 0 &&
                     bucket_wait_ms(&slot->accepts, now_us, g->limits->accepts_burst,
                                    g->limits->accepts_per_s, g->limits->accepts_burst) == 0);
        if (usable == NULL && idle)
            usable = slot;
    }
    if (!make || usable == NULL)
        return NULL;
    *usable = (struct gate_slot){.prefix = prefix};
    return usable;
}

static bool enter(struct gate *g, uint64_t prefix, bool handshake, uint64_t now_us)
{
    const struct hearth_server_limits *l = g->limits;
    if (g->open >= l->connections || (handshake && g->handshakes >= l->handshakes))
        return false;
    struct gate_slot *slot = slot_for(g, prefix, now_us, true);
    if (slot == NULL || slot->open >= l->connections_per_prefix ||
        !bucket_take(&slot->accepts, now_us, l->accepts_burst, l->accepts_per_s, 1))
        return false;
    slot->open++;
    return true;
}

bool gate_enter(struct gate *g, uint64_t prefix, bool handshake, uint64_t now_us)
{
    pthread_mutex_lock(&g->lock);
    bool ok = g->limits->no_limits || enter(g, prefix, handshake, now_us);
    if (ok) {
        g->open++;
        g->handshakes += handshake ? 1 : 0;
    }
    pthread_mutex_unlock(&g->lock);
    return ok;
}

void gate_handshake_done(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->handshakes--;
    pthread_mutex_unlock(&g->lock);
}

void gate_handshake_cost(struct gate *g, uint32_t cpu_us, uint64_t now_us)
{
    pthread_mutex_lock(&g->lock);
    /* as far as twice the burst into debt; a handshake that is refused here has been paid for in
     * full */
    (void)bucket_take(&g->handshake_cpu, now_us, HANDSHAKE_CPU_BURST_US * 2, HANDSHAKE_CPU_PER_S_US,
                      cpu_us);
    pthread_mutex_unlock(&g->lock);
}

bool gate_handshake_wait(struct gate *g, uint64_t now_us)
{
    pthread_mutex_lock(&g->lock);
    bool wait =
        !g->limits->no_limits && bucket_wait_ms(&g->handshake_cpu, now_us, HANDSHAKE_CPU_BURST_US,
                                                HANDSHAKE_CPU_PER_S_US, 1) > 0;
    pthread_mutex_unlock(&g->lock);
    return wait;
}

void gate_leave(struct gate *g, uint64_t prefix)
{
    pthread_mutex_lock(&g->lock);
    g->open--;
    if (!g->limits->no_limits) {
        struct gate_slot *slot = slot_for(g, prefix, 0, false);
        if (slot != NULL && slot->open > 0)
            slot->open--;
    }
    pthread_mutex_unlock(&g->lock);
}

uint32_t gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    uint32_t open = g->open;
    pthread_mutex_unlock(&g->lock);
    return open;
}
