/* Several homeservers in one process, for tests of federation: each has its keeper, front, queue
 * service, outbox and courier, federation, public facts and a server on a pipe; one fake clock, one
 * loop, one seed. Groups and users are left out: what a home sends is put into its outbox, and what
 * comes of it is read from queues by clients who sign and open (support/queue). One land at a time.
 *
 * Pipes are named "a", "b", ...; home a calls b as "pipe:b@a". Between any two homes the way of
 * requests and the way of answers can be cut. Clients call as "pipe:a@client", which never fails.
 */
#ifndef TESTS_SUPPORT_LAND_H
#define TESTS_SUPPORT_LAND_H

#include "server/federation/federation.h"
#include "server/federation/inside.h"
#include "server/info/info.h"
#include "support/queue/queue_world.h"
#include "support/ways/detour.h"
#include "support/ways/ways.h"

enum { LAND_HOMES = 4, LAND_CLIENTS = 4, LAND_REFS = 256, LAND_SENT = 2048, LAND_REPORTS = 8192 };

struct land;

struct land_home {
    struct land *land;
    size_t index;
    char domain[16], pipe[8];
    bool up;
    /* what the operator wrote; used at each start, and by land_set() */
    struct federation_settings settings;
    char peer_texts[LAND_HOMES][32];
    const char *peers[LAND_HOMES];
    bool found;            /* peers are not configured, but found as if by DNS */
    bool limits;           /* as shipped; else off */
    uint32_t backlog_rows; /* 0: as shipped */
    struct front_env env;
    struct front *front;
    struct queue *queue;
    struct store *store; /* of the outbox */
    struct outbox outbox;
    uint8_t key[32], ids[32];
    struct federation *federation;
    struct courier *courier;
    struct info *info;
    struct hearth_server *server;
    struct vfs_fault *vfs;
    char vfs_name[16];
    struct qworld world; /* for the clients */
    struct qclient clients[LAND_CLIENTS];
    size_t client_count;
    unsigned lives;
    /* what its directory says, from the next start or info_refresh() on */
    struct info_voucher_key vouchers[INFO_VOUCHER_KEYS_MOST];
    size_t voucher_count;
    struct detour detour;     /* what the courier hands over goes through here */
    struct vfs_saved *backup; /* of the outbox */
};

/* A reference that a home has of a client of another, and what it sent there. */
struct land_ref {
    struct qref ref;
    size_t origin, home;
    uint32_t sent[LAND_SENT]; /* in order, once durable in the outbox */
    size_t sent_count;
    bool gone; /* its queue is deleted, or its rows were given up: gaps are fine */
};

struct land {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct land_home homes[LAND_HOMES];
    size_t home_count;
    struct land_ref refs[LAND_REFS];
    size_t ref_count;
    uint32_t messages;
    struct ways ways;
};

/* All know each other by configuration, in mode open, unless changed before land_open(). */
void land_init(struct land *l, uint64_t seed, size_t homes);
void land_open(struct land *l);
void land_close(struct land *l);
void land_home_open(struct land_home *h);
/* kill -9; with the power: what was not synced may be lost. */
void land_home_kill(struct land_home *h, bool power);
void land_settle(struct land *l);
void land_run_ms(struct land *l, uint64_t ms);
/* A store of it has stopped (S1): the process would end. */
bool land_home_stopped(const struct land_home *h);
/* So many steps of the loop and the stores, in the middle of things. */
void land_steps(struct land *l, unsigned steps);
/* The outbox as it was at the backup: the home is down. What it sent since may be missing. */
void land_backup(struct land_home *h);
void land_restore(struct land_home *h);
void land_set(struct land_home *h); /* h->settings */

struct qclient *land_client(struct land_home *h);
/* A reference to a client's queue for the origin. */
struct land_ref *land_reference(struct land *l, size_t origin, struct qclient *client);
/* One message to these references, all of one origin. False: the outbox did not take it. */
bool land_put(struct land *l, struct land_ref *const *refs, size_t count, bool control,
              uint8_t notice, size_t bytes);
uint64_t land_waiting(struct land_home *h); /* rows in its outbox */
/* Notices so far: how many with this reason. */
unsigned land_reports(struct land_home *h, enum queue_outcome why);
/* Everybody fetches what waits. */
void land_fetch(struct land *l);
/* Every queue has, of each reference, what was sent there: in order, each once. Returns how many
 * deliveries were compared; partly: some may be missing (of those that are `gone`, always). */
size_t land_check(struct land *l, bool partly);
/* The same, but says how much is wrong rather than failing the test: for controls. */
size_t land_faults(struct land *l, bool partly, size_t *ret_compared);

#endif
