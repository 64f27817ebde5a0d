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

static uint64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
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
        if (l->load->latency_count < LOAD_LATENCIES)
            l->load->latencies_us[l->load->latency_count++] = now_us() - l->group->sent_us;
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
    g->awaited = l->size - 1;
    g->sent_us = now_us();
    l->sent++;
    start(s);
}

/* ---- all of it */

static void found(struct load *l, struct load_group *g, struct resident *people)
{
    struct resident *list[RESIDENT_PACKAGES];
    g->founder = resident_found(&people[0]);
    if (g->founder == NULL)
        fail_msg("CreateGroup: %s", people[0].last.message);
    g->listeners = calloc(l->size, sizeof *g->listeners);
    assert_non_null(g->listeners);
    for (size_t i = 1; i < l->size; i++)
        list[i - 1] = &people[i];
    const struct commit_wish wish = {.add = list, .add_count = l->size - 1};
    if (membership_commit(g->founder, &wish) != HEARTH_OK)
        fail_msg("Commit: %s", people[0].last.message);
    for (size_t i = 1; i < l->size; i++) {
        g->listeners[i - 1] = (struct load_listener){.load = l, .group = g, .resident = &people[i]};
        people[i].introduction_count = 0; /* nobody joins: listeners only count */
        listen_to(&g->listeners[i - 1]);
    }
}

/* Who comes next has another address: so many people are not one source. */
static void move(struct house *house, const char *server, unsigned number, struct tape *tape)
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
    l->latencies_us = calloc(LOAD_LATENCIES, sizeof *l->latencies_us);
    assert_true(l->residents != NULL && l->groups != NULL && l->latencies_us != NULL);
    char at[sizeof house->address];
    memcpy(at, house->address, sizeof at);
    for (size_t i = 0; i < groups * size; i++) {
        if (tapes != NULL)
            move(house, at, (unsigned)i, i % size == 1 ? &tapes[i / size] : NULL);
        else if (i > 0 && i % SOURCE_PEOPLE == 0)
            move(house, at, (unsigned)(i / SOURCE_PEOPLE), NULL);
        resident_init(&l->residents[i], house, (uint32_t)i + 1);
        assert_int_equal(resident_publish(&l->residents[i], 1), HEARTH_OK);
    }
    memcpy(house->address, at, sizeof at);
    for (size_t i = 0; i < groups; i++)
        found(l, &l->groups[i], &l->residents[i * size]);
    house_run_ms(house, 500);
    for (size_t i = 0; i < groups; i++)
        for (size_t n = 0; n + 1 < size; n++)
            l->groups[i].listeners[n].begun = true;
}

void load_open(struct load *l, struct house *house, size_t groups, size_t size)
{
    open_all(l, house, NULL, groups, size);
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
    uint64_t from = now_us();
    l->latency_count = 0;
    for (uint64_t n = 0; n < ms * per_s / 1000; n++) {
        struct load_group *g = &l->groups[n % l->group_count];
        while (now_us() < from + n * 1000000 / per_s)
            loop_turn_now(l->house->loop);
        if (!g->under_way && g->awaited == 0)
            send_one(l, g);
    }
    while (now_us() < from + ms * 1000)
        house_run_ms(l->house, 1);
}

static bool all_there(const struct load *l)
{
    for (size_t i = 0; i < l->group_count; i++) {
        const struct load_group *g = &l->groups[i];
        for (size_t n = 0; n + 1 < l->size; n++)
            if (g->under_way || g->listeners[n].items < g->expected)
                return false;
    }
    return true;
}

bool load_settled(struct load *l)
{
    for (uint64_t ms = 0; ms < SETTLE_MS && !all_there(l); ms += 20)
        house_run_ms(l->house, 20);
    return all_there(l);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void load_latency_ms(struct load *l, double ret_ms[2])
{
    ret_ms[0] = ret_ms[1] = 0;
    if (l->latency_count == 0)
        return;
    qsort(l->latencies_us, l->latency_count, sizeof *l->latencies_us, by_size);
    ret_ms[0] = (double)l->latencies_us[l->latency_count / 2] / 1000;
    ret_ms[1] = (double)l->latencies_us[(l->latency_count - 1) * 99 / 100] / 1000;
}

void load_hang_up(struct load *l)
{
    for (size_t i = 0; i < l->group_count; i++)
        for (size_t n = 0; n + 1 < l->size; n++)
            if (l->groups[i].listeners[n].call != NULL)
                hearth_client_call_cancel(l->groups[i].listeners[n].call);
    house_run_ms(l->house, 50);
    for (size_t i = 0; i < l->group_count * l->size; i++)
        house_exit(l->house, &l->residents[i].channel);
    house_run_ms(l->house, 50);
}
