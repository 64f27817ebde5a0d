/* A queue service alone on a stepped loop: server, channel, keeper, front, store that can be
 * killed; queue clients who sign, decrypt and check what they get. One seed, one fake clock.
 */
#ifndef TESTS_SUPPORT_QUEUE_WORLD_H
#define TESTS_SUPPORT_QUEUE_WORLD_H

#include "hearth/v1/queue_rpc.h"
#include "net/loop.h"
#include "seal/contact_token.h"
#include "seal/queue_ratchet.h"
#include "seal/sealed_ref.h"
#include "server/front/limit.h"
#include "server/queue/inside.h"
#include "support/server/caller.h"
#include "support/test.h"
#include "support/tokens/tokens.h"
#include "support/vfs_fault.h"

#define QWORLD_DOMAIN "a.test"
enum { QWORLD_GOT = 4096 };

struct qworld {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct front_env env;
    struct front_options front_options;
    struct queue_options options;
    struct front *front;
    struct queue *queue;
    struct hearth_loop *loop;
    struct hearth_server *server;
    struct hearth_channel *channel;
    struct inbox *inbox; /* the courier's */
    struct vfs_fault *vfs;
    bool limits; /* as shipped; else those in the way of tests are raised */
    const struct hearth_metadata *metadata; /* sent with each call: tokens */
    size_t metadata_count;
    uint32_t wanted;           /* tokens, as the last call's detail says; 0: none */
    struct hearth_status last; /* of the last call that ended */
    unsigned pushes;           /* by the notifier */
    struct bytes pushed_token; /* copy of the last, in pushed */
    uint8_t pushed[1024];
};

/* What a client got, by number. */
struct qgot {
    bool there;
    enum queue_item_kind kind;
    bool expired; /* came empty */
    uint8_t tag[QUEUE_TAG_BYTES];
    struct digest hash; /* of the sealed item */
    uint64_t number;    /* first 8 bytes of the body, as tests write them */
    size_t body_bytes, sealed_bytes;
};

struct qclient {
    struct qworld *w;
    struct caller user, client;
    uint8_t contact_key[CONTACT_KEY_BYTES];
    struct secret queue_private;
    struct public_key queue_public;
    struct queue_ratchet ratchet;
    struct qgot got[QWORLD_GOT];
    uint64_t repeats; /* items that came again, byte for byte as before */
};

/* A reference to a client's queue, and where its rows' numbers are. */
struct qref {
    struct qclient *owner;
    uint8_t tag[QUEUE_TAG_BYTES];
    uint8_t sealed[SEALED_REF_MAX_BYTES];
    size_t len;
    uint64_t sequence;
};

struct qlistener {
    struct qclient *c;
    struct hearth_client_call *call; /* NULL: over */
    unsigned items, drained;
    uint64_t drained_up_to, last;
    enum hearth_code code;
    bool over;
    bool ack_each; /* acknowledges what it gets */
    void (*on_item)(struct qlistener *l, uint64_t number);
};

/* ---- life. The zero value of front_options and options.store may be changed after init. */
void qworld_init(struct qworld *w);
void qworld_use_vfs(struct qworld *w, const char *name);
void qworld_start(struct qworld *w);
void qworld_end(struct qworld *w);
/* The server goes and comes; crash: as kill -9 would. */
void qworld_restart(struct qworld *w, bool crash);
void qworld_settle(struct qworld *w);
void qworld_run_ms(struct qworld *w, uint64_t ms);
void qworld_days(struct qworld *w, uint64_t days);
/* Raises or lowers a limit. */
void qworld_limit(struct qworld *w, const char *name, uint64_t value);

/* ---- calls. who NULL: unsigned. *out may be NULL; the caller frees it. */
enum hearth_code qworld_call(struct qworld *w, struct caller *who, const char *method,
                             const ProtobufCMessage *in, ProtobufCMessage **out);
/* A fresh idempotency id. */
Hearth__V1__Idempotency qworld_id(struct qworld *w, uint8_t room[16]);
ProtobufCBinaryData qdata(struct bytes view);

/* Around what is the test's own and a client's: there no allocation fails (support/failing.h). */
void qworld_pause(void);
void qworld_resume(void);
struct hearth_signer qworld_signer(struct caller *who);

/* ---- clients */
void qclient_make(struct qworld *w, struct qclient *c);   /* keys only */
void qclient_create(struct qworld *w, struct qclient *c); /* a queue user with this client */
/* A further client of first's user. */
void qclient_join(struct qclient *c, struct qclient *first);
void qclient_free(struct qclient *c);
void qclient_settings(struct qclient *c, Hearth__V1__QueueClientSettings *settings);
enum hearth_code qclient_delete(struct qclient *c, struct caller *who);
void qclient_take(struct qclient *c, uint64_t number, struct bytes sealed);
/* Acknowledges, fetches, checks and opens. Returns the code; counts. */
enum hearth_code qclient_dequeue(struct qclient *c, uint64_t ack_up_to, uint32_t most,
                                 unsigned *ret_items, unsigned *ret_left);
/* Rows of the database that lie under the client's number: what was not deleted. */
uint64_t qclient_rows(struct qclient *c);

/* ---- the courier's side */
void qref_make(struct qref *r, struct qclient *owner);
struct queue_row qref_row(struct qref *r, struct bytes payload);
/* Until it is done; fails the test when accepting is refused. */
struct err qworld_accept(struct qworld *w, const char *origin, const struct queue_row *rows,
                         size_t count, enum queue_outcome *outcomes);
/* One row with a body of len bytes that begins with number. */
enum queue_outcome qref_send(struct qref *r, uint64_t number, size_t len);

/* ---- listeners */
void qlisten(struct qlistener *l, struct qclient *c, uint64_t from);
/* The same without waiting for what comes of it. */
void qlisten_begin(struct qlistener *l, struct qclient *c, uint64_t from);
void qlistener_ack(struct qlistener *l, uint64_t up_to);
void qlistener_close(struct qlistener *l);

#endif
