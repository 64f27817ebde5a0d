/* Who listens to which handle: at most one each, the newer fences the older (Q6). Any thread may
 * wake; the listener then looks into the store on its own loop. A wake-up that is lost for lack of
 * memory is made up for within a second, since every listener looks each second (Q5). */
#include <stdlib.h>

#include "server/auth/listener.h"

enum { BUCKETS = 256 };
struct auth_listeners {
    pthread_mutex_t lock;
    struct listener *buckets[BUCKETS];
};

struct err listeners_new(struct auth_listeners **ret_listeners)
{
    struct auth_listeners *listeners = calloc(1, sizeof *listeners);
    if (listeners == NULL)
        return ERR(NO_MEMORY);
    pthread_mutex_init(&listeners->lock, NULL);
    *ret_listeners = listeners;
    return ERR_OK;
}

void listeners_free(struct auth_listeners *listeners)
{
    if (listeners == NULL)
        return;
    pthread_mutex_destroy(&listeners->lock);
    free(listeners);
}

/* Where the pointer to the handle's listener lies; the id is a PRF value, so any byte will do. */
static struct listener **slot_of(struct auth_listeners *listeners, const uint8_t *handle)
{
    struct listener **at = &listeners->buckets[handle[0]];
    while (*at != NULL && memcmp((*at)->handle, handle, AUTH_ID_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

static void woken(void *arg)
{
    struct listener *l = arg;
    struct auth_listeners *listeners = l->auth->listeners;
    pthread_mutex_lock(&listeners->lock);
    l->wake_posted = false;
    pthread_mutex_unlock(&listeners->lock);
    auth_listener_wake(l);
    auth_listener_unref(l);
}

static void fenced(void *arg)
{
    auth_listener_fence(arg);
    auth_listener_unref(arg);
}

void listeners_wake(struct auth_listeners *listeners, const uint8_t handle[AUTH_ID_BYTES])
{
    pthread_mutex_lock(&listeners->lock);
    struct listener *l = *slot_of(listeners, handle);
    if (l != NULL && !l->wake_posted) {
        auth_listener_ref(l);
        if (hearth_loop_post(l->loop, woken, l))
            l->wake_posted = true;
        else
            auth_listener_unref(l); /* not the last: the registered one's call holds one */
    }
    pthread_mutex_unlock(&listeners->lock);
}

void listeners_put(struct auth_listeners *listeners, struct listener *l)
{
    pthread_mutex_lock(&listeners->lock);
    struct listener **slot = slot_of(listeners, l->handle), *older = *slot;
    if (older != NULL) {
        *slot = older->next;
        older->registered = false;
        auth_listener_ref(older);
        if (!hearth_loop_post(older->loop, fenced, older))
            auth_listener_unref(older); /* it finds out at its next second */
    }
    l->next = listeners->buckets[l->handle[0]];
    listeners->buckets[l->handle[0]] = l;
    l->registered = true;
    pthread_mutex_unlock(&listeners->lock);
}

void listeners_drop(struct auth_listeners *listeners, struct listener *l)
{
    pthread_mutex_lock(&listeners->lock);
    if (l->registered) {
        struct listener **slot = slot_of(listeners, l->handle);
        *slot = l->next;
        l->registered = false;
    }
    pthread_mutex_unlock(&listeners->lock);
}

bool listeners_has(struct auth_listeners *listeners, const struct listener *l)
{
    pthread_mutex_lock(&listeners->lock);
    bool registered = l->registered;
    pthread_mutex_unlock(&listeners->lock);
    return registered;
}
