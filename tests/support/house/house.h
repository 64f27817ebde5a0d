/* The whole server in one process, for tests: keeper, front, every service, courier and
 * hearth_server on "pipe:house", with a fake clock and one seed; stores inline, on a file layer
 * that can be killed.
 *
 *     house_init(&h, seed); house_open(&h);
 *     ... clients on h.loop, "pipe:house@10.0.0.1" ...
 *     house_kill(&h); house_open(&h);          as kill -9 would, then another life
 *     house_close(&h);
 *
 * Nothing happens but inside house_settle() and house_run_ms(). A kill can be set to come in the
 * middle of those, after so many steps of the loop and the stores, or changes of the files; the
 * next life then begins at once. So it does when a store has stopped (S1): the process ends then,
 * and the operator's supervisor starts it again.
 *
 * Several homeservers: house_init_beside() shares loop, clock and random numbers with the first,
 * whose settle and run then move all of them. They are opened and killed each by itself.
 */
#ifndef TESTS_SUPPORT_HOUSE_H
#define TESTS_SUPPORT_HOUSE_H

#include <stdatomic.h>

#include "net/loop.h"
#include "net/server.h"
#include "server/attachment/attachment.h"
#include "server/auth/auth.h"
#include "server/courier/courier.h"
#include "server/delivery/delivery.h"
#include "server/federation/federation.h"
#include "server/info/info.h"
#include "server/queue/queue.h"
#include "server/relay/relay.h"
#include "server/transparency/keys.h"
#include "server/transparency/transparency.h"
#include "support/test.h"
#include "support/vfs_fault.h"
#include "support/ways/detour.h"

#define HOUSE_DOMAIN "a.test"
#define HOUSE_FILES  "house"
enum { HOUSE_GUESTS = 2048, HOUSE_PUSHED = 16, HOUSE_CREDITS_FREE = 4, HOUSE_PEERS = 2 };

struct house {
    const char *domain;
    char name[16];                  /* of its file layer and its pipe */
    struct house *first;            /* ourselves, or the one whose loop, clock and numbers we use */
    struct house *neighbour;        /* the next one, as seen from the first; NULL: the last */
    const char *peers[HOUSE_PEERS]; /* "b.test=pipe:other@house": with whom it federates */
    size_t peer_count;
    const char *blocked; /* one of them all the same; NULL: none. See house_block() */
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop; /* over all lives */
    struct vfs_fault *vfs;
    struct keeper *keeper;
    struct front_env env;
    struct front *front;
    struct queue *queue;
    struct delivery *delivery;
    struct auth *auth;
    struct attachment *attachment;
    struct kt_keys kt_keys;
    struct transparency *transparency; /* an epoch is closed as soon as something waits */
    struct auth_log auth_log;
    struct info *info;
    struct relay *relay;
    struct federation *federation;
    struct detour detour; /* on the courier's way to peers */
    struct courier *courier;
    struct hearth_server *server;
    /* may be changed before house_open */
    bool chains;         /* KeySets must name what the log commits to; residents do not know that */
    bool limits;         /* buckets as shipped; else off */
    uint32_t peer_queue; /* with limits: rows of a peer for one queue at once; 0: as shipped */
    bool tokens;         /* calls cost tokens, after next to nothing for nothing */
    struct hearth_interceptor watch; /* sees calls before the front does */
    uint32_t batch_rows;             /* of the courier; 0: as shipped */
    uint32_t backlog_rows; /* of the courier: what is over that may be lost; 0: as shipped */
    bool push;             /* residents have push tokens; pushes are counted by their numbers */
    unsigned pushed[HOUSE_PUSHED];
    struct front_options front_options;
    uint32_t delivery_control;
    bool own_vouchers; /* GetKeys shows keys for vouchers that the log does not have */
    bool no_log;   /* the Transparency service answers UNIMPLEMENTED, as of an older homeserver */
    bool relaxed;  /* commits are not durable: a control */
    bool low_disk; /* S2 */
    /* the disk of queue.db is full until then, house_fill_queue() */
    uint64_t queue_full_until_us;
    bool scarce;  /* no memory, no disk: residents repeat what is refused for that */
    bool failing; /* allocations fail in the steps of this house, see house_fail_allocation */
    /* kills */
    long kill_in_steps; /* below 0: never */
    bool mended;        /* a disk that was to fail does so no more in the next life */
    bool power; /* and the power goes, too: what is not synced is kept or lost by the seed */
    bool slam;  /* as main does when its patience ends: nothing is waited for */
    unsigned lives;
    struct {
        struct hearth_channel **channel;
        char target[64];
    } guests[HOUSE_GUESTS];
    size_t guest_count;
    /* house_visit(): the server is another process, time and sockets are real */
    bool outside;
    char address[64];
    struct hearth_tls_options tls;
    struct public_key queue_key, sender_key; /* as GetKeys told them, in a visit */
    bool lies;            /* residents take nothing that its groups say for granted: they skip it */
    unsigned miss_one_in; /* of the first: residents miss so many answers, and ask again; 0: none */
    const char *queues_at; /* domain that residents' references name; NULL: the house's own */
    atomic_uint *writing;  /* calls under way that change something; NULL: nobody asks */
};

void house_init(struct house *h, uint64_t seed);
/* Another homeserver, "pipe:NAME", on the same loop. Closed before the first. domain is borrowed.
 */
void house_init_beside(struct house *h, struct house *first, const char *domain, const char *name);
/* In the place of the three above: residents of a hearthd that serves at address
 * ("127.0.0.1:7443"), whose certificate ca_file signed. Kills are not ours to make then;
 * house_leave() at the end. */
void house_visit(struct house *h, const char *address, const char *ca_file);
void house_leave(struct house *h);
/* The one of that name among those on h's loop. Fails the test when there is none. */
struct house *house_of(struct house *h, struct bytes domain);
/* What residents need to know of the house, whichever it is. */
void house_target(const struct house *h, uint32_t number, char ret_target[64]);
const struct public_key *house_queue_key(struct house *h);
const struct public_key *house_sender_key(struct house *h);
void house_open(struct house *h);
/* Another homeserver, or nobody (NULL), is blocked from now on. */
void house_block(struct house *h, const char *domain);
/* Nothing can be put into queues for so long; 0: it can. */
void house_fill_queue(struct house *h, uint64_t ms);
/* Rows in the outbox. */
uint64_t house_waiting(struct house *h);
/* Ends properly. */
void house_shut(struct house *h);
/* As kill -9 would, or a power cut (h->power). */
void house_kill(struct house *h);
/* The end of all lives. */
void house_close(struct house *h);

/* The n-th allocation from now on of the program's own code fails, once: the server's, and the
 * channels' (not those of residents and of this). */
void house_fail_allocation(struct house *h, long n);
/* Did it? None fails any more. ret_counted: how many there were until then. */
bool house_allocation_failed(struct house *h, long *ret_counted);

/* Makes a channel, which is made anew in each life: whoever calls when the house is killed hears
 * CANCELLED, and nothing else comes from the old life. Frees it. */
void house_enter(struct house *h, const char *target, struct hearth_channel **channel);
void house_exit(struct house *h, struct hearth_channel **channel);

/* All that happens without time moving; all that happens in so much time. */
void house_settle(struct house *h);
void house_run_ms(struct house *h, uint64_t ms);
/* One step; false: there is nothing to do at this time. */
bool house_step(struct house *h);
/* Runs of all expiries until nothing is left. */
void house_expire(struct house *h);

#endif
