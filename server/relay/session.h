/* One linking session: two ends, each on its loop, and the letters between them.
 *
 * Who may touch what: an end's fields are its loop's alone, but for those said to be set before the
 * other end can know of it. Letters carry everything else.
 */
#ifndef SERVER_RELAY_SESSION_H
#define SERVER_RELAY_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/v1/relay_rpc.h"
#include "seal/at_rest.h"
#include "server/relay/relay.h"

enum side { NEW_DEVICE, OLD_DEVICE, SIDES };

struct session;
struct letter;

struct end {
    struct session *session;
    enum side side;
    struct hearth_loop *loop; /* set before the ends know each other */
    struct hearth_call *call; /* NULL: over */
    bool over;                /* the same, under the relay's lock: its loop may be gone */
    bool paired;
    bool owes;         /* the other end waits to hear that there is room again */
    bool closed;       /* has half-closed */
    bool other_closed; /* the other one has */
};

struct session {
    struct relay *relay;
    struct session *next;          /* in the relay's table; under its lock, like the next three */
    struct session *older, *newer; /* among all */
    bool listed;                   /* in the table: somebody may wait there, or be joined */
    bool joined;                   /* both ends are set */
    unsigned refs;                 /* each end that is not over, each letter on its way */
    uint8_t place[AT_REST_ID_BYTES];
    atomic_uint_fast64_t bytes;
    struct end ends[SIDES];
};

struct relay {
    const struct front_env *env;
    bool control;
    atomic_uint sessions; /* that are listed */
    uint8_t key[AT_REST_KEY_BYTES];
    pthread_mutex_t lock; /* guards what follows */
    struct session **table;
    struct session *all;
    struct letter *letters; /* on their way */
};

/* relay.c */
/* Finds or makes the session of a place, for this end. ERR_RELAY_TAKEN, ERR_NOT_FOUND, ... */
CHECKED struct err relay_meet(struct relay *relay, const uint8_t rendezvous[32], enum side side,
                              struct hearth_call *call, struct end **ret_end);
/* The place is free again. Under the lock, like the next two. */
void relay_unlist(struct session *session);
void relay_ref(struct session *session);
void relay_unref(struct session *session);

/* session.c */
/* The first end: is told by response headers that its place is held; nothing is read from it until
 * the other one has come. */
void session_wait(struct end *end);
/* The end has met the other one: tells both. */
enum hearth_code session_begin(struct end *end);
enum hearth_code session_message(struct end *end, struct bytes sealed);
enum hearth_code session_half_close(struct end *end);
/* For hearth_call_set_state: the end's call is over. */
void session_release(void *end);
/* Letters that no loop will bring any more. */
void session_drop_letters(struct relay *relay);

#endif
