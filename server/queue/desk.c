#include "server/queue/desk.h"

#include "server/queue/job.h"

enum { MAP_SLOTS_FIRST = 256 };

struct err desks_new(struct queue *q, uint32_t tick_ms, bool cover, struct desks **ret_desks)
{
    struct desks *d = malloc(sizeof *d);
    if (d == NULL)
        return ERR(NO_MEMORY);
    *d = (struct desks){.q = q,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .map = calloc(MAP_SLOTS_FIRST, sizeof *d->map),
                        .map_slots = MAP_SLOTS_FIRST,
                        .tick_ms = tick_ms == 0 ? DESK_TICK_MS : tick_ms,
                        .cover = cover};
    if (d->map == NULL) {
        free(d);
        return ERR(NO_MEMORY);
    }
    *ret_desks = d;
    return ERR_OK;
}

/* Nobody is left who could want what these lists are for. */
static void forget_lists(struct desk *desk)
{
    while (desk->ready_first != NULL) {
        struct listener *l = desk->ready_first;
        desk->ready_first = l->next_ready;
        l->ready = false;
        listener_unref(l);
    }
    desk->ready_last = &desk->ready_first;
    while (desk->ack_first != NULL) {
        struct listener *l = desk->ack_first;
        desk->ack_first = l->next_ack;
        l->ack_wanted = false;
        listener_unref(l);
    }
    desk->ack_last = &desk->ack_first;
    desk->ack_count = 0;
}

void desks_free(struct desks *desks)
{
    if (desks == NULL)
        return;
    while (desks->first != NULL) {
        struct desk *desk = desks->first;
        desks->first = desk->next;
        forget_lists(desk);
        free(desk);
    }
    (void)pthread_mutex_destroy(&desks->lock);
    free(desks->map);
    free(desks);
}

static void lock(struct desks *d)
{
    (void)pthread_mutex_lock(&d->lock);
}

static void unlock(struct desks *d)
{
    (void)pthread_mutex_unlock(&d->lock);
}

void listener_ref(struct listener *l)
{
    l->refs++;
}

void listener_unref(struct listener *l)
{
    if (--l->refs == 0) {
        bytes_wipe(l, sizeof *l);
        free(l);
    }
}

/* ---- the map; client rows are random numbers, so they are their own hash. Lock held. */

static struct listener **slot_of(struct desks *d, uint64_t client)
{
    return &d->map[client & (d->map_slots - 1)];
}

static struct listener *find(struct desks *d, uint64_t client)
{
    struct listener *l = *slot_of(d, client);
    while (l != NULL && l->client != client)
        l = l->next_in_map;
    return l;
}

/* Twice the slots; without memory the chains get longer. */
static void grow(struct desks *d)
{
    size_t slots = d->map_slots * 2;
    struct listener **map = calloc(slots, sizeof *map);
    if (map == NULL)
        return;
    for (size_t i = 0; i < d->map_slots; i++)
        for (struct listener *l = d->map[i], *next; l != NULL; l = next) {
            next = l->next_in_map;
            l->next_in_map = map[l->client & (slots - 1)];
            map[l->client & (slots - 1)] = l;
        }
    free(d->map);
    d->map = map;
    d->map_slots = slots;
}

static void map_add(struct desks *d, struct listener *l)
{
    if (d->map_count >= d->map_slots)
        grow(d);
    struct listener **slot = slot_of(d, l->client);
    l->next_in_map = *slot;
    *slot = l;
    l->in_map = true;
    d->map_count++;
}

static void map_remove(struct desks *d, struct listener *l)
{
    if (!l->in_map)
        return;
    struct listener **at = slot_of(d, l->client);
    while (*at != l)
        at = &(*at)->next_in_map;
    *at = l->next_in_map;
    l->in_map = false;
    d->map_count--;
}

/* ---- waking */

static void on_woken(void *arg);

/* Lock held. */
static void wake(struct listener *l)
{
    struct desk *desk = l->desk;
    if (!l->woken) {
        l->woken = true;
        l->next_woken = desk->woken;
        desk->woken = l;
    }
    if (!desk->posted)
        desk->posted = hearth_loop_post(desk->loop, on_woken, desk);
}

bool desks_wake(struct desks *desks, uint64_t client)
{
    lock(desks);
    struct listener *l = find(desks, client);
    if (l != NULL && !desks->deaf)
        wake(l);
    unlock(desks);
    return l != NULL;
}

void desks_end(struct desks *desks, uint64_t client, struct err reason)
{
    lock(desks);
    struct listener *l = find(desks, client);
    if (l != NULL) {
        l->reason = reason.code;
        map_remove(desks, l);
        wake(l);
    }
    unlock(desks);
}

/* The next of those that were woken, held. */
static struct listener *pop_woken(struct desk *desk, bool first)
{
    lock(desk->desks);
    if (first)
        desk->posted = false;
    struct listener *l = desk->woken;
    if (l != NULL) {
        desk->woken = l->next_woken;
        l->woken = false;
        listener_ref(l);
    }
    unlock(desk->desks);
    return l;
}

static void on_woken(void *arg)
{
    struct desk *desk = arg;
    struct listener *l = pop_woken(desk, true);
    for (; l != NULL; l = pop_woken(desk, false)) {
        if (desk_check(l))
            desk_look(l);
        listener_unref(l);
    }
}

bool desk_check(struct listener *l)
{
    if (l->call == NULL || !l->started)
        return false;
    lock(l->desk->desks);
    enum err_code reason = l->reason;
    unlock(l->desk->desks);
    if (reason != ERR_NONE)
        desk_end_listener(l, (struct err){reason});
    return reason == ERR_NONE;
}

/* ---- desks and listeners, on their loop */

static void on_tick(void *arg)
{
    struct desk *desk = arg;
    desk->ticking = false;
    if (desk->desks->cover)
        desk_look_at_all(desk);
    desk_read(desk);
}

static void on_recheck(void *arg)
{
    struct desk *desk = arg;
    bool set = hearth_timer_set(desk->recheck, DESK_RECHECK_MS);
    (void)set;      /* can't fail here */
    on_woken(desk); /* whose post failed */
    for (struct listener *l = desk->all, *next; l != NULL; l = next) {
        next = l->next_on_desk; /* ending one does not end another */
        if (desk_check(l))
            desk_look(l);
    }
    desk_read(desk);
    desk_ack(desk);
}

static void on_ack_timer(void *arg)
{
    struct desk *desk = arg;
    desk->ack_ticking = false;
    desk_ack(desk);
}

static void stop_timers(struct desk *desk)
{
    hearth_timer_free(desk->tick);
    hearth_timer_free(desk->recheck);
    hearth_timer_free(desk->ack_timer);
    desk->tick = desk->recheck = desk->ack_timer = NULL;
    desk->ticking = desk->ack_ticking = false;
}

/* Set once here, a timer can be set again without fail. */
static bool start_timers(struct desk *desk)
{
    desk->tick = hearth_timer_new(desk->loop, on_tick, desk);
    desk->recheck = hearth_timer_new(desk->loop, on_recheck, desk);
    desk->ack_timer = hearth_timer_new(desk->loop, on_ack_timer, desk);
    bool well = desk->tick != NULL && desk->recheck != NULL && desk->ack_timer != NULL &&
                hearth_timer_set(desk->recheck, DESK_RECHECK_MS);
    if (!well)
        stop_timers(desk);
    return well;
}

struct err desk_of(struct desks *desks, struct hearth_loop *loop, struct desk **ret_desk)
{
    lock(desks);
    struct desk *desk = desks->first;
    while (desk != NULL && desk->loop != loop)
        desk = desk->next;
    unlock(desks);
    if (desk != NULL) {
        *ret_desk = desk;
        return ERR_OK;
    }
    desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return ERR(NO_MEMORY);
    struct err err = front_inbox(desks->q->env->front, loop, &desk->inbox);
    if (!err_is_ok(err)) {
        free(desk);
        return err;
    }
    desk->q = desks->q;
    desk->desks = desks;
    desk->loop = loop;
    desk->ready_last = &desk->ready_first;
    desk->ack_last = &desk->ack_first;
    lock(desks);
    desk->next = desks->first;
    desks->first = desk;
    unlock(desks);
    *ret_desk = desk;
    return ERR_OK;
}

static void on_release(void *state)
{
    desk_leave(state);
}

struct err desk_add(struct desk *desk, struct hearth_call *call, struct bytes id,
                    struct listener **ret_listener)
{
    if (id.len != QUEUE_ID_BYTES)
        return ERR(INTERNAL);
    if (desk->recheck == NULL && !start_timers(desk))
        return ERR(NO_MEMORY);
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL) {
        if (desk->count == 0)
            stop_timers(desk);
        return ERR(NO_MEMORY);
    }
    l->refs = 1;
    l->desk = desk;
    l->call = call;
    memcpy(l->id, id.data, id.len);
    l->next_on_desk = desk->all;
    if (desk->all != NULL)
        desk->all->prev = l;
    desk->all = l;
    desk->count++;
    hearth_call_set_state(call, l, on_release);
    *ret_listener = l;
    return ERR_OK;
}

void desk_start(struct listener *l, uint64_t client, uint64_t from, uint64_t marked_end)
{
    struct desks *desks = l->desk->desks;
    l->client = client;
    l->next = from;
    l->marked_end = marked_end;
    l->started = true;
    lock(desks);
    struct listener *old = find(desks, client);
    if (old != NULL) { /* Q6 */
        old->reason = ERR_QUEUE_FENCED;
        map_remove(desks, old);
        wake(old);
    }
    map_add(desks, l);
    unlock(desks);
}

void desk_end_listener(struct listener *l, struct err reason)
{
    if (l->call == NULL)
        return;
    struct hearth_call *call = l->call;
    (void)front_fail(call, reason); /* its release calls desk_leave, now or soon */
}

/* Lock held: takes it out of a list that others may be filling. */
static void unwake(struct listener *l)
{
    if (!l->woken)
        return;
    struct listener **at = &l->desk->woken;
    while (*at != l)
        at = &(*at)->next_woken;
    *at = l->next_woken;
    l->woken = false;
}

void desk_leave(struct listener *l)
{
    struct desk *desk = l->desk;
    l->call = NULL;
    lock(desk->desks);
    map_remove(desk->desks, l);
    unwake(l);
    unlock(desk->desks);
    if (l->prev != NULL)
        l->prev->next_on_desk = l->next_on_desk;
    else
        desk->all = l->next_on_desk;
    if (l->next_on_desk != NULL)
        l->next_on_desk->prev = l->prev;
    desk->count--;
    if (l->started && (l->next > l->marked_end || l->ack_wanted))
        desk_mark_last(l); /* what it got may be acknowledged later, by another call */
    if (desk->count == 0) {
        stop_timers(desk);
        forget_lists(desk);
    }
    listener_unref(l);
}
