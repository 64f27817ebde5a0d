/* A world for tests: one server and one channel over a pipe on a stepped loop with a fake clock.
 *
 * Four rows, one per shape, all with an opaque request and reply (bench.EchoRequest, EchoReply).
 * What the handlers do is one function of the test's. Rows, limits, faults and options may be
 * changed between world_init() and world_start().
 */
#ifndef TESTS_SUPPORT_RPC_WORLD_H
#define TESTS_SUPPORT_RPC_WORLD_H

#include "bench.pb-c.h"
#include "hearth/rpc.h"
#include "net/loop.h"
#include "net/server.h"
#include "support/test.h"

enum { WORLD_UNARY, WORLD_CLIENT_STREAM, WORLD_SERVER_STREAM, WORLD_BIDI, WORLD_ROWS };

struct world;
/* in is NULL at the half-close of a request stream, out for response streams. */
typedef enum hearth_code world_handler(struct world *w, struct hearth_call *call,
                                       const Bench__EchoRequest *in, Bench__EchoReply *out);

struct world {
    struct clock_fake clock;
    struct rng_seeded seeded;
    struct rng rng;
    struct hearth_loop *loop;
    struct hearth_server *server;
    struct hearth_channel *channel;
    struct hearth_endpoint rows[WORLD_ROWS];        /* the server's */
    struct hearth_endpoint client_rows[WORLD_ROWS]; /* copied from them by world_start() */
    struct hearth_service service;
    struct hearth_server_options server_options;
    struct hearth_channel_options channel_options;
    world_handler *handler; /* NULL: echo */
    world_handler *opener;  /* of request streams, or NULL */
    /* for the test's handlers */
    struct hearth_call *call;
    unsigned calls, cancels, releases, writables;
    size_t bytes;
    void *self;
};

/* What became of a client call. The zero value is ready for use. */
struct outcome {
    struct hearth_client_call *call; /* NULL once it is done */
    unsigned done, headers, items, writables;
    size_t bytes;
    enum hearth_code code;
    char message[200];
    uint64_t done_us;
    struct world *world;
    void (*on_message)(struct outcome *o);
};

void world_init(struct world *w);
void world_start(struct world *w);
/* A server that came later, or again. */
void world_start_server(struct world *w);
void world_stop_server(struct world *w);
void world_end(struct world *w);
/* All that happens in so much time. */
void world_run_ms(struct world *w, uint64_t ms);
/* All that happens without time moving. */
void world_settle(struct world *w);

/* A unary or server-streaming call with a payload of len bytes; o is written by what happens. */
void world_call(struct world *w, int row, size_t len, const struct hearth_call_options *options,
                struct outcome *o);
/* The same without any allocation or assertion of the test's own; false: it did not begin. */
bool world_try(struct world *w, int row, const struct hearth_call_options *options,
               const Bench__EchoRequest *in, struct outcome *o);
/* A streaming call, left open. */
void world_open(struct world *w, int row, const struct hearth_call_options *options,
                struct outcome *o);
int outcome_write(struct outcome *o, size_t len);
/* Waits for the end, at most ms, and says how it was; fails the test when it doesn't end. */
enum hearth_code world_wait(struct world *w, struct outcome *o, uint64_t ms);
/* A unary call from beginning to end. */
enum hearth_code world_echo(struct world *w, size_t len);

/* For handlers: a reply or item of len bytes. */
int world_write(struct hearth_call *call, size_t len);
/* Keeps the call in w->call and counts its cancellation and release. */
void world_keep(struct world *w, struct hearth_call *call);

#endif
