#include "rpc/services/health.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

/* One Watch call. References: the call's, and that of a visit under way. It stays in the list until
 * both are gone, so that health_free() finds those whose loop died before the visit. */
struct watcher {
    struct health *health;
    struct watcher *next, **at; /* guarded by the lock */
    unsigned refs;              /* guarded by the lock */
    bool visit_posted;          /* guarded by the lock */
    struct hearth_loop *loop;
    /* of the loop's thread only: */
    struct hearth_call *call; /* NULL when it is over */
    const char *service;      /* the request's; lives as long as the call */
    bool said;
    bool blocked; /* until on_writable */
    serving_status last;
};

struct state {
    struct state *next;
    bool serving;
    char service[];
};

struct health {
    pthread_mutex_t lock;
    struct state *states; /* guarded by the lock; never shrinks */
    size_t state_count;
    struct watcher *watchers;
    bool shut_down;
};

/* With the lock held. */
static struct state *find(const struct health *health, const char *service)
{
    struct state *state = health->states;
    while (state != NULL && strcmp(state->service, service) != 0)
        state = state->next;
    return state;
}

static serving_status status_of(const struct health *health, const struct state *state)
{
    if (state == NULL)
        return SERVICE_UNKNOWN;
    return state->serving && !health->shut_down ? SERVING : NOT_SERVING;
}

static serving_status look_up(struct health *health, const char *service, bool *ret_shut_down)
{
    pthread_mutex_lock(&health->lock);
    serving_status status = status_of(health, find(health, service));
    *ret_shut_down = health->shut_down;
    pthread_mutex_unlock(&health->lock);
    return status;
}

/* ---- life ---- */

struct err health_new(struct health **ret_health)
{
    struct health *health = calloc(1, sizeof *health);
    if (health == NULL)
        return ERR(NO_MEMORY);
    pthread_mutex_init(&health->lock, NULL);
    struct err err = health_set(health, "", true);
    if (!err_is_ok(err)) {
        health_free(health);
        return err;
    }
    *ret_health = health;
    return ERR_OK;
}

void health_free(struct health *health)
{
    if (health == NULL)
        return;
    while (health->watchers != NULL) {
        struct watcher *gone = health->watchers;
        health->watchers = gone->next;
        free(gone);
    }
    while (health->states != NULL) {
        struct state *gone = health->states;
        health->states = gone->next;
        free(gone);
    }
    pthread_mutex_destroy(&health->lock);
    free(health);
}

/* ---- watching ---- */

static void watcher_unref(struct watcher *watcher)
{
    struct health *health = watcher->health;
    pthread_mutex_lock(&health->lock);
    bool last = --watcher->refs == 0;
    if (last) {
        *watcher->at = watcher->next;
        if (watcher->next != NULL)
            watcher->next->at = watcher->at;
    }
    pthread_mutex_unlock(&health->lock);
    if (last)
        free(watcher);
}

/* Says the state where it differs from what was said last. The caller holds a reference: a write
 * can end the call. */
static void tell(struct watcher *watcher)
{
    bool shut_down = false;
    if (watcher->call == NULL || watcher->blocked)
        return;
    serving_status status = look_up(watcher->health, watcher->service, &shut_down);
    if (!watcher->said || status != watcher->last) {
        check_response response;
        grpc__health__v1__health_check_response__init(&response);
        response.status = status;
        watcher->said = true;
        watcher->last = status;
        watcher->blocked = grpc_health_v1_health_watch_write(watcher->call, &response) == 0;
    }
    if (shut_down && watcher->call != NULL)
        hearth_call_fail(watcher->call, HEARTH_UNAVAILABLE, "the server is shutting down");
}

static void visit(void *arg)
{
    struct watcher *watcher = arg;
    pthread_mutex_lock(&watcher->health->lock);
    watcher->visit_posted = false;
    pthread_mutex_unlock(&watcher->health->lock);
    tell(watcher);
    watcher_unref(watcher);
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct watcher *watcher = arg;
    (void)call;
    pthread_mutex_lock(&watcher->health->lock);
    watcher->refs++;
    pthread_mutex_unlock(&watcher->health->lock);
    watcher->blocked = false;
    tell(watcher);
    watcher_unref(watcher);
}

static void release(void *state)
{
    struct watcher *watcher = state;
    watcher->call = NULL;
    watcher_unref(watcher);
}

/* With the lock held. Visits don't pile up: one that is on its way will see the latest. */
static bool visit_all(struct health *health)
{
    bool all = true;
    for (struct watcher *watcher = health->watchers; watcher != NULL; watcher = watcher->next) {
        if (watcher->visit_posted)
            continue;
        bool posted = watcher->loop != NULL && hearth_loop_post(watcher->loop, visit, watcher);
        watcher->visit_posted = posted;
        watcher->refs += posted;
        all = all && posted;
    }
    return all;
}

/* With the lock held; NULL when out of memory. */
static struct state *add_state(struct health *health, const char *service)
{
    size_t size = strlen(service) + 1;
    struct state *state = calloc(1, sizeof *state + size);
    if (state == NULL)
        return NULL;
    memcpy(state->service, service, size);
    state->next = health->states;
    health->states = state;
    health->state_count++;
    return state;
}

static struct err set(struct health *health, const char *service, bool serving, bool only_new)
{
    bool done = true;
    pthread_mutex_lock(&health->lock);
    struct state *state = find(health, service);
    bool is_new = state == NULL;
    if (is_new)
        state = add_state(health, service);
    if (state == NULL) {
        done = false;
    } else if (is_new || (!only_new && state->serving != serving)) {
        state->serving = serving;
        done = visit_all(health);
    }
    pthread_mutex_unlock(&health->lock);
    return done ? ERR_OK : ERR(NO_MEMORY);
}

struct err health_set(struct health *health, const char *service, bool serving)
{
    return set(health, service, serving, false);
}

struct err health_introduce(struct health *health, const char *service)
{
    return set(health, service, true, true);
}

void health_shut_down(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    health->shut_down = true;
    (void)visit_all(health); /* who isn't told is cut off at the end of the drain */
    pthread_mutex_unlock(&health->lock);
}

/* ---- the service ---- */

static enum hearth_code check(struct hearth_call *call, const check_request *in,
                              check_response *out, void *self)
{
    bool shut_down = false;
    serving_status status = look_up(self, in->service, &shut_down);
    if (status == SERVICE_UNKNOWN)
        return hearth_call_fail(call, HEARTH_NOT_FOUND, "no such service");
    out->status = status;
    return HEARTH_OK;
}

typedef Grpc__Health__V1__HealthListResponse list_response;
typedef Grpc__Health__V1__HealthListResponse__StatusesEntry list_entry;

/* With the lock held. false: the call's arena is full. */
static bool fill_list(struct hearth_call *call, const struct health *health, list_response *out)
{
    out->statuses = hearth_call_alloc(call, health->state_count * sizeof *out->statuses);
    if (out->statuses == NULL)
        return false;
    for (const struct state *state = health->states; state != NULL; state = state->next) {
        list_entry *entry = hearth_call_alloc(call, sizeof *entry);
        check_response *response = hearth_call_alloc(call, sizeof *response);
        char *service = hearth_call_printf(call, "%s", state->service);
        if (entry == NULL || response == NULL || service == NULL)
            return false;
        grpc__health__v1__health_list_response__statuses_entry__init(entry);
        grpc__health__v1__health_check_response__init(response);
        response->status = status_of(health, state);
        entry->key = service;
        entry->value = response;
        out->statuses[out->n_statuses++] = entry;
    }
    return true;
}

static enum hearth_code list(struct hearth_call *call,
                             const Grpc__Health__V1__HealthListRequest *in, list_response *out,
                             void *self)
{
    struct health *health = self;
    (void)in;
    pthread_mutex_lock(&health->lock);
    bool fits = fill_list(call, health, out);
    pthread_mutex_unlock(&health->lock);
    return fits ? HEARTH_OK : HEARTH_RESOURCE_EXHAUSTED;
}

static enum hearth_code watch(struct hearth_call *call, const check_request *in, void *self)
{
    struct health *health = self;
    struct watcher *watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    watcher->health = health;
    watcher->refs = 2; /* the call's and ours */
    watcher->loop = hearth_call_loop(call);
    watcher->call = call;
    watcher->service = in->service;
    pthread_mutex_lock(&health->lock);
    watcher->next = health->watchers;
    watcher->at = &health->watchers;
    if (watcher->next != NULL)
        watcher->next->at = &watcher->next;
    health->watchers = watcher;
    pthread_mutex_unlock(&health->lock);
    hearth_call_set_state(call, watcher, release);
    hearth_call_on_writable(call, on_writable, watcher);
    tell(watcher);
    watcher_unref(watcher);
    return HEARTH_LATER;
}

const struct grpc_health_v1_health_service health_impl = {
    .check = check, .list = list, .watch = watch};
