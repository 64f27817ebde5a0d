/* Who may connect: counts and rates per address prefix, before any memory is spent on a connection
 * (DoS1).
 *
 * Shared by all loops of a server; takes a lock per accept and per close. Bounded: at most
 * GATE_SLOTS prefixes are remembered; when all are in use by others, a newcomer is refused.
 */
#ifndef NET_GATE_H
#define NET_GATE_H

#include <pthread.h>

#include "base/bucket.h"
#include "hearth/rpc.h"

enum { GATE_SLOTS = 16384 };

struct gate_slot {
    uint64_t prefix; /* 0: free */
    uint32_t open;
    struct bucket accepts;
};

struct gate {
    pthread_mutex_t lock;
    const struct hearth_server_limits *limits;
    uint64_t key; /* hides from outside which prefixes collide */
    uint32_t open;
    uint32_t handshakes;
    struct bucket
        handshake_cpu; /* microseconds of TLS handshakes: half a core in all loops together */
    struct gate_slot *slots;
};

/* limits are borrowed. false: out of memory. */
bool gate_init(struct gate *g, const struct hearth_server_limits *limits, uint64_t key);
void gate_clear(struct gate *g);
/* True: counted in; gate_leave() when the connection is gone. handshake: counts against that limit
 * until gate_handshake_done(). */
bool gate_enter(struct gate *g, uint64_t prefix, bool handshake, uint64_t now_us);
void gate_handshake_done(struct gate *g);
/* What a handshake cost in CPU time. More than half a core over all is owed: until it is paid back,
 * gate_handshake_wait() says that accepting TLS connections has to wait. */
void gate_handshake_cost(struct gate *g, uint32_t cpu_us, uint64_t now_us);
bool gate_handshake_wait(struct gate *g, uint64_t now_us);
void gate_leave(struct gate *g, uint64_t prefix);
uint32_t gate_open(struct gate *g);

#endif
