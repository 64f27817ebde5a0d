/* The homeserver as a whole: a real hearthd on two cores, over TLS, with durable commits; groups,
 * senders and listeners in this process.
 *
 *     server_bench HEARTHD [--seconds S] [--members N] [--groups G] [--size M] [--cpus C]
 *
 * 1  N queues with a listener each; what a connection costs in memory.
 * 2  a group of N: from one SendMessage until every listener has it.
 * 3  G groups of M: as many messages as go, every item acknowledged; queue rows a second, and none
 * lost. 4  the same groups, 50 sends a second in all: from the send until a caught-up listener has
 * it.
 */
#include <getopt.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/disk.h"
#include "hearth/v1/info_rpc.h"
#include "support/house/hearthd.h"
#include "support/house/resident_inside.h"

enum {
    ACK_ITEMS = 32,
    ACK_MS = 50,
    IN_FLIGHT = 4,
    ADDS_AT_ONCE = 16,
    LATENCIES = 200000,
    SENDS_PER_S = 50,
    IDLE = 500,
    DRAIN_S = 120
};

struct listener {
    struct resident *resident;
    struct hearth_client_call *call;
    struct hearth_timer *timer;
    bool timer_set, drained;
    uint64_t last, acked; /* sequence numbers */
    uint64_t items;       /* since the beginning */
    uint64_t last_us;     /* when the last one came */
    struct group *group;  /* whose latency is being taken; NULL: none */
};

struct group {
    struct membership *founder;
    struct listener **members; /* without the founder */
    size_t count;
    uint64_t sent, answered, failed;
    uint64_t sent_us; /* when the message under way was sent */
    size_t awaited;   /* listeners that have not got it yet */
    bool pumping;
    uint64_t arrived; /* items at its listeners, of all it sent */
};

static struct house house;
static struct hearthd server;
static struct listener *listeners;
static size_t listener_count;
static uint64_t received; /* by all */
static uint64_t *latencies_us;
static size_t latency_count;

static uint64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static void pump(struct group *g);

/* ---- listening */

static void acknowledge(struct listener *l)
{
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = l->last;
    l->acked = l->last;
    if (l->call != NULL)
        (void)hearth_queue_listen_push(l->call, &in);
}

static void on_ack_timer(void *arg)
{
    struct listener *l = arg;
    l->timer_set = false;
    if (l->last > l->acked)
        acknowledge(l);
}

static void on_item(struct listener *l, const Hearth__V1__QueueItem *item)
{
    uint64_t sequence = item->sequence;
    /* seal/queue_ratchet.h: a refresh of the queue's keys stands in a frame of its own */
    bool is_refresh = item->sealed.len > 0 && item->sealed.data[0] == 1;
    if (l->items > 0 && sequence != l->last + 1)
        fail_msg("item %llu came after %llu", (unsigned long long)sequence,
                 (unsigned long long)l->last);
    l->last = sequence;
    l->items++;
    l->last_us = now_us();
    received += !is_refresh;
    if (!is_refresh && l->group != NULL) {
        l->group->arrived++;
        pump(l->group);
    }
    if (!is_refresh && l->group != NULL && l->group->awaited > 0) {
        l->group->awaited--;
        if (latency_count < LATENCIES)
            latencies_us[latency_count++] = l->last_us - l->group->sent_us;
    }
    if (l->last - l->acked >= ACK_ITEMS) {
        acknowledge(l);
    } else if (!l->timer_set) {
        l->timer_set = true;
        assert_true(hearth_timer_set(l->timer, ACK_MS));
    }
}

static void on_event(struct hearth_client_call *call, const Hearth__V1__ListenResponse *event,
                     void *arg)
{
    (void)call;
    struct listener *l = arg;
    if (event->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM)
        on_item(l, event->item);
    else
        l->drained = true;
}

static void on_over(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    (void)call;
    struct listener *l = arg;
    l->call = NULL;
    if (status->code != HEARTH_CANCELLED)
        fail_msg("a listener ended: %s: %s", hearth_code_name(status->code), status->message);
}

static void listen_to(struct listener *l, struct resident *r)
{
    static const struct hearth_queue_listen_events events = {.on_message = on_event,
                                                             .on_done = on_over};
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&r->client)};
    *l = (struct listener){.resident = r, .timer = hearth_timer_new(house.loop, on_ack_timer, l)};
    assert_non_null(l->timer);
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    in.start = &start;
    l->call = hearth_queue_listen_start(r->channel, &options, &events, l);
    assert_non_null(l->call);
    assert_true(hearth_queue_listen_push(l->call, &in) >= 0);
}

/* ---- sending */

struct sending {
    struct group *group;
    Hearth__V1__Idempotency idempotency;
    uint8_t id[16];
    void (*done)(struct group *g);
};

static void on_sent(const struct hearth_status *status, const Hearth__V1__SendMessageResponse *out,
                    void *arg)
{
    (void)out;
    struct sending *s = arg;
    struct group *g = s->group;
    g->answered++;
    if (status->code != HEARTH_OK) {
        if (g->failed++ == 0)
            (void)fprintf(stderr, "SendMessage: %s: %s\n", hearth_code_name(status->code),
                          status->message);
    }
    if (s->done != NULL)
        s->done(g);
    free(s);
}

/* A text of some 100 bytes, as people write them. */
static void send_one(struct group *g, void (*done)(struct group *g))
{
    static const uint8_t text[100] = {'h', 'e', 'l', 'l', 'o'};
    struct membership *m = g->founder;
    struct resident *r = m->resident;
    struct sending *s = calloc(1, sizeof *s);
    struct buf sealed = BUF_INIT;
    Hearth__V1__GroupAccess access = HEARTH__V1__GROUP_ACCESS__INIT;
    Hearth__V1__SendMessageRequest in = HEARTH__V1__SEND_MESSAGE_REQUEST__INIT;
    const struct hearth_call_options options = {.signer = caller_signer(&m->caller),
                                                .deadline_ms = 30000};
    struct mls_client client = own_package_client(r, &m->self);
    assert_non_null(s);
    *s = (struct sending){.group = g, .done = done};
    bench_must(
        group_protect(m->group, &client, bytes_of(text, sizeof text), bytes_of(NULL, 0), &sealed),
        "group_protect");
    resident_random(r, s->id, sizeof s->id);
    hearth__v1__idempotency__init(&s->idempotency);
    s->idempotency.id = resident_data(bytes_of(s->id, sizeof s->id));
    access.group_id = resident_data(membership_group_id(m));
    access.state_key = resident_data(bytes_of(m->keys[0], STATE_KEY_BYTES));
    in.idempotency = &s->idempotency;
    in.group = &access;
    in.message = resident_data(buf_view(&sealed));
    g->sent++;
    assert_non_null(hearth_delivery_send_message_start(r->channel, &options, &in, on_sent, s));
    buf_clear(&sealed);
}

/* As many as can go while IN_FLIGHT messages have not reached everybody yet: what is measured is
 * what comes out. */
static void pump(struct group *g)
{
    while (g->pumping && g->sent * g->count < g->arrived + IN_FLIGHT * g->count)
        send_one(g, pump);
}

/* ---- groups */

static void found(struct group *g, struct resident *founder, struct listener *members, size_t count)
{
    g->founder = resident_found(founder);
    if (g->founder == NULL)
        fail_msg("CreateGroup: %s", founder->last.message);
    g->members = calloc(count, sizeof(struct listener *));
    assert_non_null(g->members);
    g->count = count;
    for (size_t at = 0; at < count; at += ADDS_AT_ONCE) {
        struct resident *list[ADDS_AT_ONCE];
        size_t n = 0;
        for (; n < ADDS_AT_ONCE && at + n < count; n++) {
            g->members[at + n] = &members[at + n];
            list[n] = members[at + n].resident;
        }
        const struct commit_wish wish = {.add = list, .add_count = n};
        enum hearth_code code = membership_commit(g->founder, &wish);
        if (code != HEARTH_OK)
            fail_msg("Commit: %s: %s", hearth_code_name(code), founder->last.message);
        founder->introduction_count = 0;
        for (size_t i = 0; i < n; i++)
            list[i]->introduction_count = 0; /* nobody joins: listeners only count */
    }
}

/* Until nothing has come for a while: everything is delivered. */
static void settle(void)
{
    uint64_t before;
    do {
        before = received;
        house_run_ms(&house, 400);
    } while (received != before);
}

/* ---- figures */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(unsigned hundredth)
{
    qsort(latencies_us, latency_count, sizeof *latencies_us, by_size);
    return latency_count > 0 ? (double)latencies_us[(latency_count - 1) * hundredth / 100] / 1000
                             : 0;
}

static void big_group(struct resident *founder, size_t members)
{
    struct group g = {0};
    uint64_t begun = now_us();
    found(&g, founder, listeners, members);
    settle();
    printf("group of %zu made in %.1f s\n", members + 1, (double)(now_us() - begun) / 1e6);
    latency_count = 0;
    double worst[9];
    size_t runs = sizeof worst / sizeof worst[0];
    for (size_t run = 0; run < runs; run++) {
        uint64_t from = now_us(), upto = received + members;
        send_one(&g, NULL);
        while (received < upto)
            loop_turn_now(house.loop);
        worst[run] = (double)(now_us() - from) / 1000;
    }
    qsort(worst, runs, sizeof *worst, bench_order);
    printf("fan-out to %zu          median %7.1f ms   worst %7.1f ms   (bar 150)\n", members,
           worst[runs / 2], worst[runs - 1]);
    free(g.members);
}

static void throughput(struct group *groups, size_t count, unsigned seconds)
{
    uint64_t before_sent = 0, expected = 0, start = received;
    for (size_t i = 0; i < count; i++)
        before_sent += groups[i].sent;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < groups[i].count; n++)
            groups[i].members[n]->group = &groups[i];
        groups[i].pumping = true;
        pump(&groups[i]);
    }
    house_run_ms(&house, 2000); /* warm */
    uint64_t from = now_us(), rows = received, cpu = hearthd_cpu_us(&server);
    house_run_ms(&house, (uint64_t)seconds * 1000);
    double took = (double)(now_us() - from) / 1e6;
    rows = received - rows;
    cpu = hearthd_cpu_us(&server) - cpu;
    uint64_t failed = 0;
    for (size_t i = 0; i < count; i++)
        groups[i].pumping = false;
    settle();
    for (size_t i = 0; i < count; i++) {
        while (groups[i].answered < groups[i].sent)
            loop_turn(house.loop); /* each has a deadline */
        expected += (groups[i].answered - groups[i].failed) * groups[i].count;
        failed += groups[i].failed;
    }
    uint64_t backlog = expected - (received - start), waited = now_us();
    while (received - start < expected && now_us() - waited < DRAIN_S * UINT64_C(1000000))
        house_run_ms(&house, 100);
    printf("queue rows               %8.0f /s, each acknowledged   (bar 10000)   %.2f cores, %.1f "
           "us a row\n",
           (double)rows / took, (double)cpu / 1e6 / took, (double)cpu / (double)rows);
    printf("                         %llu sent, %llu refused, %llu rows behind at the end; %llu "
           "items of %llu arrived\n",
           (unsigned long long)(expected / groups[0].count), (unsigned long long)failed,
           (unsigned long long)backlog, (unsigned long long)(received - start),
           (unsigned long long)expected);
    if (received - start != expected || before_sent > expected)
        fail_msg("items were lost or doubled");
}

static void latency(struct group *groups, size_t count, unsigned seconds)
{
    latency_count = 0;
    uint64_t from = now_us();
    unsigned skipped = 0;
    for (unsigned n = 0; n < seconds * SENDS_PER_S; n++) {
        struct group *g = &groups[n % count];
        while (now_us() < from + (uint64_t)n * 1000000 / SENDS_PER_S)
            loop_turn_now(house.loop);
        if (g->awaited > 0) {
            skipped++; /* the one before is still under way */
            continue;
        }
        g->awaited = g->count;
        g->sent_us = now_us();
        send_one(g, NULL);
    }
    settle();
    printf("send to seen             p50 %6.1f ms  p99 %6.1f ms   (bar p99 25)   %zu items, %u "
           "sends left out\n",
           percentile_ms(50), percentile_ms(99), latency_count, skipped);
}

static void idle_memory(void)
{
    struct hearth_channel *channels[IDLE];
    const struct hearth_channel_options options = {.tls = &house.tls};
    uint64_t before = hearthd_rss_kib(&server);
    for (int i = 0; i < IDLE; i++) {
        Hearth__V1__GetServerInfoRequest in = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
        Hearth__V1__GetServerInfoResponse *out = NULL;
        channels[i] = hearth_channel_new(server.address, &options);
        assert_non_null(channels[i]);
        assert_int_equal(hearth_info_get_server_info(channels[i], NULL, &in, &out, NULL),
                         HEARTH_OK);
        protobuf_c_message_free_unpacked(&out->base, NULL);
    }
    printf("idle connection, TLS     %6.1f KiB   (bar 48)\n",
           (double)(hearthd_rss_kib(&server) - before) / IDLE);
    for (int i = 0; i < IDLE; i++)
        hearth_channel_free(channels[i]);
}

struct settings {
    const char *program;
    unsigned seconds, members, groups, size;
    int cpus;
};

static bool read_settings(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {{"seconds", 1, NULL, 's'}, {"members", 1, NULL, 'm'},
                                            {"groups", 1, NULL, 'g'},  {"size", 1, NULL, 'n'},
                                            {"cpus", 1, NULL, 'c'},    {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned value = optarg != NULL ? (unsigned)strtoul(optarg, NULL, 10) : 0;
        switch (c) {
        case 's':
            s->seconds = value;
            break;
        case 'm':
            s->members = value;
            break;
        case 'g':
            s->groups = value;
            break;
        case 'n':
            s->size = value;
            break;
        case 'c':
            s->cpus = (int)value;
            break;
        default:
            return false;
        }
    }
    s->program = optind < argc ? argv[optind] : NULL;
    return s->program != NULL && s->groups > 0 && s->size > 1 && s->groups * s->size < s->members;
}

int main(int argc, char **argv)
{
    struct settings s = {.seconds = 10, .members = 1001, .groups = 50, .size = 20, .cpus = 2};
    struct utsname machine;
    if (!read_settings(argc, argv, &s)) {
        (void)fprintf(stderr, "usage: server_bench HEARTHD [--seconds S] [--members N] [--groups "
                              "G] [--size M] [--cpus C]\n"
                              "       G x M is less than N\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)uname(&machine);
    printf("%s %s, %ld cores, hearthd on %d of them, TLS, durable commits\n", machine.sysname,
           machine.machine, sysconf(_SC_NPROCESSORS_ONLN), s.cpus);
    struct resident *residents = calloc(s.members, sizeof *residents);
    struct group *groups = calloc(s.groups, sizeof *groups);
    listeners = calloc(s.members, sizeof *listeners);
    latencies_us = calloc(LATENCIES, sizeof *latencies_us);
    if (residents == NULL || groups == NULL || listeners == NULL || latencies_us == NULL)
        return 1;
    server.cpus = 0;
    hearthd_make(&server, s.program);
    server.cpus = s.cpus;
    hearthd_start(&server);
    house_visit(&house, server.address, server.ca_file);
    disk_probe(server.folder, "before");
    idle_memory();
    /* the founder of the big group does not listen; the others do */
    uint64_t begun = now_us();
    for (unsigned i = 0; i < s.members; i++) {
        resident_init(&residents[i], &house, i + 1);
        assert_int_equal(resident_publish(&residents[i], 2), HEARTH_OK);
    }
    listener_count = s.members - 1;
    for (size_t i = 0; i < listener_count; i++)
        listen_to(&listeners[i], &residents[i + 1]);
    settle();
    printf("%u queues with a listener each made in %.1f s\n", s.members,
           (double)(now_us() - begun) / 1e6);
    big_group(&residents[0], listener_count < 999 ? listener_count : 999);
    for (unsigned i = 0; i < s.groups; i++) /* a founder, and the listeners behind it */
        found(&groups[i], &residents[1 + i * s.size], &listeners[i * s.size + 1], s.size - 1);
    settle();
    throughput(groups, s.groups, s.seconds);
    disk_probe(server.folder, "between");
    latency(groups, s.groups, s.seconds);
    disk_probe(server.folder, "after");
    printf("resident memory          %6.1f MiB\n", (double)hearthd_rss_kib(&server) / 1024);
    int code = hearthd_stop(&server);
    hearthd_remove(&server);
    return code;
}
