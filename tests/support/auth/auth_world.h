/* A world with the authentication service alone: server, front, keeper and any number of callers on
 * one stepped loop with a fake clock and one seed; auth.db inline, in memory or on the fault VFS.
 */
#ifndef TESTS_SUPPORT_AUTH_WORLD_H
#define TESTS_SUPPORT_AUTH_WORLD_H

#include "hearth/v1/auth_rpc.h"
#include "net/loop.h"
#include "net/server.h"
#include "server/auth/auth.h"
#include "support/server/caller.h"
#include "support/test.h"
#include "support/vfs_fault.h"

#define AUTH_WORLD_DOMAIN "a.test"

struct auth_world {
    struct clock_fake fake;
    struct clock clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct vfs_fault *vfs; /* NULL: in memory */
    struct keeper *keeper;
    struct front_env env;
    struct front *front;
    struct auth *auth;
    struct hearth_loop *loop;
    struct hearth_server *server;
    struct hearth_channel *channel;
    /* may be changed between init and start */
    struct auth_options options;
    struct front_options front_options;
    struct hearth_status last;              /* of the last call that ended */
    const struct hearth_metadata *metadata; /* sent with each call */
    size_t metadata_count;
    struct buf *record; /* what is called is appended: auth_record_write() */
    bool failing;       /* between auth_world_fail() and auth_world_failed() */
};

void auth_world_init(struct auth_world *w);
/* auth.db on a fault VFS. */
void auth_world_use_vfs(struct auth_world *w, const char *name);
/* Raises the limits that tests would run into, unless `limits`. */
void auth_world_start(struct auth_world *w, bool limits);
void auth_world_end(struct auth_world *w);
/* Ends server, front and service and begins them anew on the same files and keys. crash: as kill -9
 * leaves the files. */
void auth_world_restart(struct auth_world *w, bool crash);
/* After vfs_power_off_after(): what the seed lets survive is what there is. */
void auth_world_power_on(struct auth_world *w, uint64_t seed);
/* All that happens without time moving, the store's work among it. */
void auth_world_settle(struct auth_world *w);
void auth_world_run_ms(struct auth_world *w, uint64_t ms);
void auth_world_days(struct auth_world *w, uint64_t days); /* the clocks alone */
void auth_world_hours(struct auth_world *w, uint64_t hours);
/* Runs of the expiries until nothing is left. */
void auth_world_expire(struct auth_world *w);

/* The n-th allocation of the program's own code fails from now on, but for the tests' own. Calls
 * may then fail to begin, which looks like UNAVAILABLE. Did it fail? */
void auth_world_fail(struct auth_world *w, long n);
bool auth_world_failed(struct auth_world *w);

/* A unary call of /hearth.v1.Auth/method; who may be NULL. out (or NULL) is the caller's to free.
 */
enum hearth_code auth_world_call(struct auth_world *w, struct caller *who, const char *method,
                                 const ProtobufCMessage *in, ProtobufCMessage **out);
/* The same, begun; ended by auth_world_settle() or auth_world_finish(). */
struct signing {
    struct auth_world *world;
    struct caller *who;
};
struct auth_call {
    struct auth_world *world;
    struct signing signing;
    struct hearth_client_call *call;
    bool done;
    enum hearth_code code;
    ProtobufCMessage *out;
};
void auth_world_begin(struct auth_world *w, struct caller *who, const char *method,
                      const ProtobufCMessage *in, struct auth_call *c);
void auth_call_clear(struct auth_call *c);

/* A stream of Auth: what came, in order. */
enum { AUTH_STREAM_ITEMS = 128 };
struct auth_stream {
    struct auth_world *world;
    struct signing signing;
    const struct hearth_endpoint *endpoint;
    struct hearth_client_call *call; /* NULL once it is over */
    bool done;
    enum hearth_code code;
    ProtobufCMessage *items[AUTH_STREAM_ITEMS];
    size_t count;
};
void auth_stream_open(struct auth_world *w, struct caller *who, const char *method,
                      struct auth_stream *s);
void auth_stream_send(struct auth_stream *s, const ProtobufCMessage *item);
void auth_stream_close(struct auth_stream *s); /* cancels what is open, frees */

/* Calls as bytes, for fuzzing:
 *     struct { uint8 endpoint; uint8 kind; opaque id<V>; opaque request<V>; }
 * kind 0: unsigned. Several of one stream follow each other. */
struct auth_record {
    const struct hearth_endpoint *endpoint;
    uint8_t kind;
    struct bytes id, request;
};
void auth_record_write(struct buf *b, const struct hearth_endpoint *endpoint,
                       const struct caller *who, const ProtobufCMessage *in);
/* false: no further one. */
bool auth_record_read(struct bytes *in, struct auth_record *ret_record);

ProtobufCBinaryData auth_data(struct bytes view);
struct bytes auth_view(ProtobufCBinaryData data);

#endif
