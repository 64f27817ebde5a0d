/* One ListenHandle call. Its own loop's, but for what the registry and the store's threads touch.
 */
#ifndef SERVER_AUTH_LISTENER_H
#define SERVER_AUTH_LISTENER_H

#include <stdatomic.h>

#include "server/auth/inside.h"

struct listener {
    struct listener *next; /* in its bucket; under the registry's lock, as are the two below */
    bool registered;
    bool wake_posted;
    atomic_uint refs; /* the call's, each work under way, each post */
    struct auth *auth;
    struct hearth_call *call; /* good until `over` */
    struct hearth_loop *loop;
    struct inbox *inbox;
    struct hearth_timer *timer;
    uint64_t principal;
    uint8_t handle[AUTH_ID_BYTES];
    uint8_t key[CREDENTIAL_KEY_BYTES]; /* the handle's when it began: by its first read */
    bool has_key;
    bool over;
    bool dirty;    /* there may be something to send */
    bool stalled;  /* until on_writable */
    uint64_t sent; /* the highest number written */
    uint64_t ack_wanted, acked;
    bool acking, reading;
    uint64_t acking_to; /* the work's, while acking */
    struct listener_read {
        uint64_t after, now_s;
        bool gone;       /* no such handle any more, or under another key */
        uint64_t number; /* 0: nothing found */
        struct buf plain;
    } read; /* the work's, while reading */
};

void auth_listener_ref(struct listener *l);
void auth_listener_unref(struct listener *l);
/* On its loop. */
void auth_listener_wake(struct listener *l);
void auth_listener_fence(struct listener *l);

/* Registers; who listened to the handle before is fenced, on its own loop. */
void listeners_put(struct auth_listeners *listeners, struct listener *l);
void listeners_drop(struct auth_listeners *listeners, struct listener *l);
/* false: fenced. */
bool listeners_has(struct auth_listeners *listeners, const struct listener *l);

#endif
