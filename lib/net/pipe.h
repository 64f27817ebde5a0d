/* In-memory connections between the channels and servers of one loop: no sockets, no threads.
 *
 * A server listens on "pipe:NAME" and runs by hearth_server_start_on(); a channel on the same loop
 * has the target "pipe:NAME", or "pipe:NAME@ADDRESS" to be seen as coming from there. On a stepped
 * loop (net/loop.h) with a fake clock a whole world of servers and clients runs in one thread from
 * one seed, through the same code as over sockets (rpc_conn and everything above it). Faults are
 * chosen when a connection is made.
 *
 * Each end is owned by its rpc_conn and dies on its own; the other end then reads what is left and
 * finds the connection closed. All of it on the loop's thread.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include "base/bytes.h"
#include "base/timer.h"
#include "net/loop_task.h"

enum { PIPE_NAME_BYTES = 128, PIPE_ADDRESS_BYTES = 64, PIPE_ROOM_BYTES = 64 * 1024 };

enum pipe_way { PIPE_TO_SERVER, PIPE_TO_CLIENT };

/* The zero value is a connection without faults. */
struct pipe_faults {
    size_t piece_bytes;    /* most that one read or write moves; 0: no bound */
    size_t room_bytes;     /* unread bytes at which a writer waits; 0: PIPE_ROOM_BYTES */
    uint64_t delay_us;     /* between write and read */
    uint64_t cut_after[2]; /* by enum pipe_way: breaks behind so many bytes; 0: never */
};

struct hearth_loop;
struct pipe_segment;

struct pipe_end {
    struct pipe_end *peer;        /* NULL: closed by the other side, or cut */
    struct pipe_end *next, *prev; /* all ends of the loop */
    struct hearth_loop *loop;
    struct pipe_segment *first, *last; /* what can be read, oldest first */
    size_t waiting_bytes;
    uint64_t written_bytes; /* in all, towards the peer */
    enum pipe_way way;      /* of what this end writes */
    struct pipe_faults faults;
    struct timer due; /* the first segment becomes readable */
    struct loop_task task;
    bool watch_read, watch_write;
    /* Level-triggered, at a turn's end: only what is watched. */
    void (*on_event)(struct pipe_end *end, bool readable, bool writable);
    void *owner;
    char from[PIPE_ADDRESS_BYTES]; /* of the server's end: what the client says its address is */
};

struct pipe_listener {
    struct pipe_listener *next;
    char name[PIPE_NAME_BYTES];
    /* Takes the end, or closes it. */
    void (*on_accept)(struct pipe_listener *listener, struct pipe_end *end);
};

/* Embedded in the loop. */
struct pipe_net {
    struct pipe_listener *listeners;
    struct pipe_end *ends;
    struct pipe_faults faults; /* of connections made from now on */
    /* Chooses others per connection, where it is set. */
    void (*choose)(void *self, const char *name, struct pipe_faults *faults);
    void *choose_self;
    uint64_t connections; /* made so far */
};

/* The name behind "pipe:", or NULL where target isn't one. */
const char *pipe_name_of(const char *target);

/* ERR_WRONG_STATE when the name is taken. The listener is borrowed until pipe_unlisten(). */
CHECKED struct err pipe_listen(struct hearth_loop *loop, struct pipe_listener *listener,
                               const char *name);
void pipe_unlisten(struct hearth_loop *loop, struct pipe_listener *listener);
/* name: "NAME" or "NAME@ADDRESS". ERR_RPC_CLOSED when nobody listens, ERR_NO_MEMORY. */
CHECKED struct err pipe_connect(struct hearth_loop *loop, const char *name,
                                struct pipe_end **ret_end);
void pipe_close(struct pipe_end *end);

enum pipe_result { PIPE_OK, PIPE_WAIT, PIPE_OVER };

/* PIPE_OVER: everything was read and the other side is gone. */
enum pipe_result pipe_read(struct pipe_end *end, uint8_t *buf, size_t len, size_t *ret_len);
/* PIPE_OVER: the other side is gone, or there is no memory. */
enum pipe_result pipe_write(struct pipe_end *end, const uint8_t *data, size_t len, size_t *ret_len);
void pipe_watch(struct pipe_end *end, bool read, bool write);

/* Breaks every connection of the loop, as a network that goes away. */
void pipe_cut_all(struct hearth_loop *loop);

#endif
