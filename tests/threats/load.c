#include "threats/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "threats/threats.h"

enum { ACK_ITEMS = 16, SETTLE_MS = 10000, SOURCE_PEOPLE = 25 };

struct load_listener {
    struct load *load;
    struct load_group *group;
    struct resident *resident;
    struct hearth_client_call *call;
    uint64_t last, acked;
    bool begun;     /* what came before is of the making of groups */
    uint64_t items; /* since then */
};

uint64_t load_now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

void load_took(struct load *l, enum load_kind kind, uint64_t since_us)
{
    struct load_series *s = &l->series[kind];
    if (s->count < LOAD_LATENCIES)
        s->us[s->count++] = load_now_us() - since_us;
}

/* ---- listening */

static void acknowledge(struct load_listener *l)
{
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = l->acked = l->last;
    if (l->call != NULL)
        (void)hearth_queue_listen_push(l->call, &in);
}

static void on_event(struct hearth_client_call *call, const Hearth__V1__ListenResponse *event,
                     void *arg)
{
    struct load_listener *l = arg;
    (void)call;
    if (event->event_case != HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM)
        return;
    bool refresh = event->item->sealed.len > 0 && event->item->sealed.data[0] == 1;
    if (l->last > 0 && event->item->sequence != l->last + 1)
        fail_msg("item %llu after %llu", (unsigned long long)event->item->sequence,
                 (unsigned long long)l->last);
    l->last = event->item->sequence;
    if (l->last - l->acked >= ACK_ITEMS)
        acknowledge(l);
    if (!l->begun || refresh)
        return;
    l->items++;
    l->load->arrived++;
    if (l->group->awaited > 0) {
        l->group->awaited--;
        load_took(l->load, l->group->kind, l->group->sent_us);
    }
}

static void on_over(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct load_listener *l = arg;
    (void)call;
    l->call = NULL;
    if (status->code != HEARTH_CANCELLED)
        fail_msg("an honest listener ended: %s: %s", hearth_code_name(status->code),
                 status->message);
}

static void listen_to(struct load_listener *l)
{
    static const struct hearth_queue_listen_events events = {.on_message = on_event,
                                                             .on_done = on_over};
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&l->resident->client)};
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    in.start = &start;
    l->call = hearth_queue_listen_start(l->resident->channel, &options, &events, l);
    assert_non_null(l->call);
    assert_true(hearth_queue_listen_push(l->call, &in) >= 0);
}

/* ---- sending */

struct sending {
    struct load *load;
    struct load_group *group;
    uint8_t id[16];
    struct buf sealed;
};

static void start(struct sending *s);

static void on_sent(const struct hearth_status *status, const Hearth__V1__SendMessageResponse *out,
                    void *arg)
{
    struct sending *s = arg;
    struct load_group *g = s->group;
    (void)out;
    if (status->code != HEARTH_OK && !g->retried) {
        g->retried = true;
        start(s);
        return;
    }
    if (status->code == HEARTH_OK)
        g->expected++;
    else if (s->load->failed++ == 0)
        print_message("honest send: %s: %s\n", hearth_code_name(status->code), status->message);
    if (status->code != HEARTH_OK)
        g->awaited = 0;
    g->under_way = false;
    buf_clear(&s->sealed);
    free(s);
}

static void start(struct sending *s)
{
    struct membership *m = s->group->founder;
    Hearth__V1__Idempotency idempotency = HEARTH__V1__IDEMPOTENCY__INIT;
    Hearth__V1__SendMessageRequest in = HEARTH__V1__SEND_MESSAGE_REQUEST__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&m->caller),
                                                .deadline_ms = 5000};
    struct access access;
    access_of(m, &access);
    idempotency.id = resident_data(bytes_of(s->id, sizeof s->id));
    in.idempotency = &idempotency;
    in.group = &access.message;
    in.message = resident_data(buf_view(&s->sealed));
    assert_non_null(
        hearth_delivery_send_message_start(m->resident->channel, &options, &in, on_sent, s));
}

static void send_one(struct load *l, struct load_group *g)
{
    static const uint8_t text[100] = {'h', 'e', 'l', 'l', 'o'};
    struct sending *s = calloc(1, sizeof *s);
    struct mls_client client = own_package_client(g->founder->resident, &g->founder->self);
    assert_non_null(s);
    *s = (struct sending){.load = l, .group = g};
    resident_random(g->founder->resident, s->id, sizeof s->id);
    assert_ok(group_protect(g->founder->group, &client, bytes_of(text, sizeof text),
                            bytes_of(NULL, 0), &s->sealed));
    g->under_way = true;
    g->retried = false;
    g->awaited = g->size - 1;
    g->sent_us = load_now_us();
    l->sent++;
    start(s);
}

/* ---- all of it */

void load_found(struct load *l, struct load_group *g, struct resident *people, size_t size)
{
    struct resident *list[RESIDENT_PACKAGES];
    g->size = size;
    g->founder = resident_found(&people[0]);
    if (g->founder == NULL)
        fail_msg("CreateGroup: %s", people[0].last.message);
    g->listeners = calloc(size, sizeof *g->listeners);
    assert_non_null(g->listeners);
    for (size_t i = 1; i < size; i++)
        list[i - 1] = &people[i];
    const struct commit_wish wish = {.add = list, .add_count = size - 1};
    if (membership_commit(g->founder, &wish) != HEARTH_OK)
        fail_msg("Commit: %s", people[0].last.message);
    for (size_t i = 1; i < size; i++) {
        g->listeners[i - 1] = (struct load_listener){.load = l, .group = g, .resident = &people[i]};
        people[i].introduction_count = 0; /* nobody joins: listeners only count */
        listen_to(&g->listeners[i - 1]);
    }
}

void load_group_begin(struct load_group *g)
{
    for (size_t n = 0; n + 1 < g->size; n++)
        g->listeners[n].begun = true;
}

bool load_group_settled(const struct load_group *g)
{
    for (size_t n = 0; n + 1 < g->size; n++)
        if (g->under_way || g->listeners[n].items < g->expected)
            return false;
    return true;
}

void load_group_hang_up(struct load_group *g)
{
    for (size_t n = 0; n + 1 < g->size; n++)
        if (g->listeners[n].call != NULL)
            hearth_client_call_cancel(g->listeners[n].call);
}

/* Who comes next has another address: so many people are not one source. */
void load_move(struct house *house, const char *server, unsigned number, struct tape *tape)
{
    char source[32], address[32];
    (void)snprintf(source, sizeof source, "127.0.0.%u", 10 + number);
    (void)source_start(source, server, tape, address);
    (void)snprintf(house->address, sizeof house->address, "%s", address);
}

/* tapes: of each group's first listener, or NULL. */
static void open_all(struct load *l, struct house *house, struct tape *tapes, size_t groups,
                     size_t size)
{
    *l = (struct load){.house = house, .group_count = groups, .size = size};
    l->residents = calloc(groups * size, sizeof *l->residents);
    l->groups = calloc(groups, sizeof *l->groups);
    assert_true(l->residents != NULL && l->groups != NULL);
    for (size_t i = 0; i < LOAD_KINDS; i++) {
        l->series[i].us = calloc(LOAD_LATENCIES, sizeof *l->series[i].us);
        assert_non_null(l->series[i].us);
    }
    char at[sizeof house->address];
    memcpy(at, house->address, sizeof at);
    for (size_t i = 0; i < groups * size; i++) {
        if (tapes != NULL)
            load_move(house, at, (unsigned)i, i % size == 1 ? &tapes[i / size] : NULL);
        else if (i > 0 && i % SOURCE_PEOPLE == 0)
            load_move(house, at, (unsigned)(i / SOURCE_PEOPLE), NULL);
        resident_init(&l->residents[i], house, (uint32_t)i + 1);
        assert_int_equal(resident_publish(&l->residents[i], 1), HEARTH_OK);
    }
    memcpy(house->address, at, sizeof at);
    for (size_t i = 0; i < groups; i++)
        load_found(l, &l->groups[i], &l->residents[i * size], size);
    house_run_ms(house, 500);
    for (size_t i = 0; i < groups; i++)
        load_group_begin(&l->groups[i]);
}

void load_open(struct load *l, struct house *house, size_t groups, size_t size)
{
    open_all(l, house, NULL, groups, size);
}

void load_open_busy(struct load *l, struct house *house, size_t groups, size_t size, unsigned pace)
{
    open_all(l, house, NULL, groups, size);
    chores_open(l, pace);
}

void load_open_watched(struct load *l, struct house *house, struct tape *tapes, size_t groups)
{
    open_all(l, house, tapes, groups, 2);
}

void load_send(struct load *l, size_t group)
{
    if (!l->groups[group].under_way && l->groups[group].awaited == 0)
        send_one(l, &l->groups[group]);
}

void load_run(struct load *l, uint64_t ms, unsigned per_s)
{
    uint64_t from = load_now_us();
    for (size_t i = 0; i < LOAD_KINDS; i++)
        l->series[i].count = 0;
    for (uint64_t n = 0; n < ms * per_s / 1000; n++) {
        struct load_group *g = &l->groups[n % l->group_count];
        while (load_now_us() < from + n * 1000000 / per_s) {
            loop_turn_now(l->house->loop);
            chores_step(l, false);
        }
        if (!g->under_way && g->awaited == 0)
            send_one(l, g);
    }
    while (load_now_us() < from + ms * 1000) {
        house_run_ms(l->house, 1);
        chores_step(l, false);
    }
}

static bool all_there(const struct load *l)
{
    for (size_t i = 0; i < l->group_count; i++)
        if (!load_group_settled(&l->groups[i]))
            return false;
    return chores_settled(l);
}

bool load_settled(struct load *l)
{
    for (uint64_t ms = 0; ms < SETTLE_MS && !all_there(l); ms += 20) {
        house_run_ms(l->house, 20);
        chores_step(l, true);
    }
    return all_there(l);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void load_latency_ms(struct load *l, enum load_kind kind, double ret_ms[2])
{
    struct load_series *s = &l->series[kind];
    ret_ms[0] = ret_ms[1] = 0;
    if (s->count == 0)
        return;
    qsort(s->us, s->count, sizeof *s->us, by_size);
    ret_ms[0] = (double)s->us[s->count / 2] / 1000;
    ret_ms[1] = (double)s->us[(s->count - 1) * (kind == LOAD_SEND ? 99 : 90) / 100] / 1000;
}

void load_hang_up(struct load *l)
{
    for (size_t i = 0; i < l->group_count; i++)
        load_group_hang_up(&l->groups[i]);
    chores_hang_up(l);
    house_run_ms(l->house, 50);
    for (size_t i = 0; i < l->group_count * l->size; i++)
        house_exit(l->house, &l->residents[i].channel);
    house_run_ms(l->house, 50);
}
