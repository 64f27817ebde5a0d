/* Channels over time: which address is dialed, when a connection is given up, what wakes the loop.
 */
#include "net/channel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench_rpc.h"
#include "support/certificate.h"
#include "support/dns.h"
#include "support/test.h"

static void give_up(struct hearth_call *call, void *arg)
{
    (void)arg;
    hearth_call_fail(call, HEARTH_CANCELLED, "nobody waits any more");
}

static enum hearth_code unary(struct hearth_call *call, const Bench__EchoRequest *in,
                              Bench__EchoReply *out, void *self)
{
    (void)self;
    if (in->payload.len == 5 && memcmp(in->payload.data, "sleep", 5) == 0) {
        hearth_call_on_cancel(call, give_up, NULL);
        return HEARTH_LATER;
    }
    out->payload = in->payload;
    return HEARTH_OK;
}

static const struct bench_echo_service impl = {.unary = unary};

static struct hearth_server *start_server(uint16_t port)
{
    char address[32];
    struct hearth_server *server = hearth_server_new(NULL);
    assert_non_null(server);
    assert_true(hearth_server_add_bench_echo(server, &impl, NULL));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    if (!hearth_server_listen(server, address, NULL) || !hearth_server_start(server))
        fail_msg("%s", hearth_server_error(server));
    return server;
}

static struct hearth_channel *open_channel(const char *host, uint16_t port,
                                           const struct hearth_channel_options *options)
{
    char target[64];
    (void)snprintf(target, sizeof target, "%s:%u", host, port);
    struct hearth_channel *channel = hearth_channel_new(target, options);
    assert_non_null(channel);
    return channel;
}

static enum hearth_code call(struct hearth_channel *channel, const char *text,
                             const struct hearth_call_options *options)
{
    Bench__EchoReply *out = NULL;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    enum hearth_code code = bench_echo_unary(channel, options, &in, &out, NULL);
    if (out != NULL)
        bench__echo_reply__free_unpacked(out, NULL);
    return code;
}

static uint64_t now_ms(void)
{
    return clock_monotonic_us(&clock_system) / 1000;
}

static void sleep_ms(long ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

/* ---- addresses ---- */

static const struct test_dns_row moved[] = {
    {.name = "server.test", .type = DNS_A, .text = "127.0.0.1"},
    {.name = NULL},
};
static const struct test_dns_row elsewhere[] = {
    {.name = "server.test", .type = DNS_A, .text = "127.0.0.2"},
    {.name = NULL},
};
static const struct test_dns_row three[] = {
    {.name = "server.test", .type = DNS_A, .text = "127.0.0.2"},
    {.name = "server.test", .type = DNS_A, .text = "127.0.0.3"},
    {.name = "server.test", .type = DNS_A, .text = "127.0.0.1"},
    {.name = "server.test", .type = DNS_AAAA, .text = "::1"},
    {.name = NULL},
};

static void addresses_are_tried_in_turn(void **state)
{
    (void)state;
    struct test_dns dns;
    test_dns_start(&dns, three);
    struct hearth_server *server = start_server(0);
    struct hearth_channel_options options = {.dns_servers = dns.servers};
    struct hearth_channel *channel =
        open_channel("server.test", hearth_server_port(server, 0), &options);
    /* fails fast: had the first refusal ended the attempt, so would the call have */
    assert_int_equal(call(channel, "hello", NULL), HEARTH_OK);
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_dns_stop(&dns);
}

static void a_name_is_looked_up_again_after_failure(void **state)
{
    (void)state;
    struct test_dns dns;
    test_dns_start(&dns, elsewhere);
    struct hearth_server *server = start_server(0);
    struct hearth_channel_options options = {
        .dns_servers = dns.servers, .backoff_min_ms = 10, .backoff_max_ms = 20};
    struct hearth_channel *channel =
        open_channel("server.test", hearth_server_port(server, 0), &options);
    assert_int_equal(call(channel, "hello", NULL), HEARTH_UNAVAILABLE);
    atomic_store(&dns.rows, moved);
    struct hearth_call_options patient = {.wait_for_ready = true, .deadline_ms = 5000};
    assert_int_equal(call(channel, "hello", &patient), HEARTH_OK);
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_dns_stop(&dns);
}

static bool is_refused(struct hearth_channel *channel)
{
    Bench__EchoReply *out = NULL;
    struct hearth_status status = {.code = HEARTH_OK};
    const Bench__EchoRequest in = BENCH__ECHO_REQUEST__INIT;
    enum hearth_code code = bench_echo_unary(channel, NULL, &in, &out, &status);
    bool refused = code == HEARTH_UNAVAILABLE && strstr(status.message, ADDRESS_NOT_PUBLIC) != NULL;
    if (out != NULL)
        bench__echo_reply__free_unpacked(out, NULL);
    hearth_status_clear(&status);
    return refused;
}

/* Whatever led there: a name, a number, a name that is nobody's to answer. */
static void only_public_addresses_are_dialed(void **state)
{
    static const char *const hosts[] = {"server.test", "127.0.0.1", "localhost", "[::1]",
                                        "[::ffff:127.0.0.1]"};
    (void)state;
    struct test_dns dns;
    test_dns_start(&dns, three);
    struct hearth_server *server = start_server(0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct hearth_channel_options options = {.dns_servers = dns.servers, .public_only = true};
        uint16_t port = (uint16_t)hearth_server_port(server, 0);
        struct hearth_channel *channel = open_channel(hosts[i], port, &options);
        if (!is_refused(channel))
            fail_msg("%s was dialed", hosts[i]);
        hearth_channel_free(channel);
        options.public_only = false;
        channel = open_channel(hosts[i], port, &options);
        if (hosts[i][0] != '[') /* the server is on 127.0.0.1 alone */
            assert_int_equal(call(channel, "hello", NULL), HEARTH_OK);
        hearth_channel_free(channel);
    }
    const struct hearth_channel_options options = {.public_only = true};
    struct hearth_channel *channel = hearth_channel_new("unix:/nowhere", &options);
    assert_true(is_refused(channel));
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_dns_stop(&dns);
}

/* ---- services */

enum { SERVICE_ROWS = 8 };

/* The first record's machine answers nothing, the second is ours; the target itself is elsewhere.
 */
static void a_service_goes_before_the_target(void **state)
{
    (void)state;
    struct test_dns dns;
    struct hearth_server *server = start_server(0);
    uint16_t port = (uint16_t)hearth_server_port(server, 0);
    const struct test_dns_row rows[SERVICE_ROWS] = {
        {.name = "example.test", .type = DNS_A, .text = "127.0.0.9"},
        {.name = "_hearth._tcp.example.test",
         .type = DNS_SRV,
         .text = "gone.test",
         .priority = 1,
         .port = port},
        {.name = "_hearth._tcp.example.test",
         .type = DNS_SRV,
         .text = "old.test",
         .priority = 2,
         .port = port},
        {.name = "_hearth._tcp.example.test",
         .type = DNS_SRV,
         .text = "server.test",
         .priority = 3,
         .port = port},
        {.name = "old.test", .type = DNS_A, .text = "127.0.0.8"},
        {.name = "server.test", .type = DNS_A, .text = "127.0.0.1"},
    };
    test_dns_start(&dns, rows);
    struct hearth_channel_options options = {.dns_servers = dns.servers,
                                             .service = "_hearth._tcp.example.test"};
    struct hearth_channel *channel = open_channel("example.test", port, &options);
    assert_int_equal(call(channel, "hello", NULL), HEARTH_OK);
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_dns_stop(&dns);
}

/* No records: the target. Nobody can say: not the target, which may be another machine. */
static void a_target_without_service(void **state)
{
    (void)state;
    struct test_dns dns;
    test_dns_start(&dns, three);
    struct hearth_server *server = start_server(0);
    struct hearth_channel_options options = {.dns_servers = dns.servers,
                                             .backoff_min_ms = 10,
                                             .backoff_max_ms = 20,
                                             .service = "_hearth._tcp.server.test"};
    struct hearth_channel *channel =
        open_channel("server.test", hearth_server_port(server, 0), &options);
    assert_int_equal(call(channel, "hello", NULL), HEARTH_OK);
    hearth_channel_free(channel);
    atomic_store(&dns.fail_code, 2);
    char target[32];
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", hearth_server_port(server, 0));
    channel = hearth_channel_new(target, &options);
    assert_int_equal(call(channel, "hello", NULL), HEARTH_UNAVAILABLE);
    hearth_channel_free(channel);
    channel = hearth_channel_new(target, &options); /* given up while the question is open */
    channel_connect(channel);
    assert_non_null(channel->resolving);
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_dns_stop(&dns);
}

static void a_name_that_nobody_knows(void **state)
{
    (void)state;
    struct test_dns dns;
    test_dns_start(&dns, three);
    struct hearth_channel_options options = {.dns_servers = dns.servers};
    struct hearth_channel *channel = open_channel("unknown.test", 1, &options);
    assert_int_equal(call(channel, "hello", NULL), HEARTH_UNAVAILABLE);
    hearth_channel_free(channel);
    /* given up while the question is open: nothing is left behind */
    channel = open_channel("unknown.test", 1, &options);
    channel_connect(channel);
    assert_non_null(channel->resolving);
    hearth_channel_free(channel);
    test_dns_stop(&dns);
}

/* The first address takes the connection and never says a word of TLS. */
static void a_silent_address_gives_way(void **state)
{
    (void)state;
    struct test_dns dns;
    struct test_certificate certificate;
    test_dns_start(&dns, three);
    test_certificate_make(&certificate, "server.test");
    struct hearth_tls_options server_tls = {.certificate_file = certificate.certificate_file,
                                            .key_file = certificate.key_file};
    struct hearth_server *server = hearth_server_new(NULL);
    assert_true(hearth_server_add_bench_echo(server, &impl, NULL));
    assert_true(hearth_server_listen(server, "127.0.0.1:0", &server_tls));
    assert_true(hearth_server_start(server));

    struct sockaddr_in silent = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1),
                                 .sin_port = htons(hearth_server_port(server, 0))};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&silent, sizeof silent), 0);
    assert_int_equal(listen(listener, 4), 0);

    struct hearth_tls_options tls = {.ca_file = certificate.certificate_file};
    struct hearth_channel_options options = {.tls = &tls, .dns_servers = dns.servers};
    struct hearth_channel *channel =
        open_channel("server.test", hearth_server_port(server, 0), &options);
    struct hearth_call_options patient = {.deadline_ms = 10000};
    uint64_t begun_ms = now_ms();
    assert_int_equal(call(channel, "hello", &patient), HEARTH_OK);
    assert_in_range(now_ms() - begun_ms, 1500, 9000); /* it was asked, and given up */
    close(listener);
    hearth_channel_free(channel);
    hearth_server_free(server);
    test_certificate_remove(&certificate);
    test_dns_stop(&dns);
}

/* ---- idleness ---- */

struct outcome {
    bool done;
    enum hearth_code code;
};

static void on_reply(const struct hearth_status *status, const Bench__EchoReply *out, void *arg)
{
    struct outcome *outcome = arg;
    (void)out;
    outcome->done = true;
    outcome->code = status->code;
}

static void start_call(struct hearth_channel *channel, const char *text,
                       const struct hearth_call_options *options, struct outcome *outcome)
{
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    *outcome = (struct outcome){false, HEARTH_OK};
    assert_non_null(bench_echo_unary_start(channel, options, &in, on_reply, outcome));
}

static void an_unused_connection_is_closed(void **state)
{
    (void)state;
    enum { IDLE_MS = 60, CALL_MS = 200 };
    struct hearth_server *server = start_server(0);
    struct hearth_loop *loop = hearth_loop_new(NULL);
    struct hearth_channel_options options = {.loop = loop, .idle_ms = IDLE_MS};
    struct hearth_channel *channel =
        open_channel("127.0.0.1", hearth_server_port(server, 0), &options);
    struct outcome outcome;

    /* a call that takes longer than idle_ms keeps it */
    struct hearth_call_options slow = {.deadline_ms = CALL_MS};
    start_call(channel, "sleep", &slow, &outcome);
    while (!outcome.done)
        loop_turn(loop);
    assert_int_equal(outcome.code, HEARTH_DEADLINE_EXCEEDED);
    assert_non_null(channel->current);

    uint64_t begun_ms = now_ms();
    while (channel->links != NULL && now_ms() - begun_ms < 5000)
        loop_turn(loop);
    assert_null(channel->links);
    assert_true(now_ms() - begun_ms >= IDLE_MS - 20);
    assert_int_equal(channel->state, CHANNEL_IDLE);

    start_call(channel, "hello", NULL, &outcome); /* and made anew when needed */
    while (!outcome.done)
        loop_turn(loop);
    assert_int_equal(outcome.code, HEARTH_OK);
    hearth_channel_free(channel);
    hearth_loop_free(loop);
    hearth_server_free(server);
}

/* ---- the loop of a program that has events of its own ---- */

struct foreign {
    struct hearth_channel *channel;
    struct outcome outcome;
};

static void on_foreign_event(evutil_socket_t fd, short what, void *arg)
{
    struct foreign *foreign = arg;
    struct hearth_call_options options = {.wait_for_ready = true, .deadline_ms = 50};
    (void)fd;
    (void)what;
    start_call(foreign->channel, "hello", &options, &foreign->outcome);
}

/* The deadline must be noticed although no event of the channel's happens before it. */
static void a_deadline_set_from_a_foreign_event(void **state)
{
    (void)state;
    struct hearth_loop *loop = hearth_loop_new(NULL);
    struct hearth_channel_options options = {.loop = loop, .backoff_min_ms = 3000};
    struct foreign foreign = {.channel = open_channel("127.0.0.1", 1, &options)};
    start_call(foreign.channel, "hello", NULL, &foreign.outcome);
    while (!foreign.outcome.done)
        loop_turn(loop);
    assert_int_equal(foreign.channel->state, CHANNEL_BACKOFF);

    foreign.outcome.done = false;
    struct timeval soon = {0, 1000};
    uint64_t begun_ms = now_ms();
    assert_int_equal(event_base_once(loop->base, -1, EV_TIMEOUT, on_foreign_event, &foreign, &soon),
                     0);
    while (!foreign.outcome.done)
        event_base_loop(loop->base, EVLOOP_ONCE);
    assert_int_equal(foreign.outcome.code, HEARTH_DEADLINE_EXCEEDED);
    assert_true(now_ms() - begun_ms < 1500);
    hearth_channel_free(foreign.channel);
    hearth_loop_free(loop);
}

/* ---- blocking callers ---- */

/* A connection that died while nobody ran the loop is not used for the next call. */
static void a_connection_that_died_unseen(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);

    struct hearth_channel *channel = open_channel("127.0.0.1", ntohs(address.sin_port), NULL);
    struct hearth_call_options brief = {.deadline_ms = 50};
    assert_int_equal(call(channel, "hello", &brief), HEARTH_DEADLINE_EXCEEDED);
    int accepted = accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    close(listener);
    /* it greets like a server: one that never did would be backed off from */
    static const uint8_t settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    assert_int_equal(write(accepted, settings, sizeof settings), sizeof settings);
    assert_int_equal(call(channel, "hello", &brief), HEARTH_DEADLINE_EXCEEDED);
    /* a reset, so that the port is free at once */
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(accepted, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(accepted);
    struct hearth_server *server = start_server(ntohs(address.sin_port));
    sleep_ms(1100);
    struct hearth_call_options once = {.no_retry = true};
    assert_int_equal(call(channel, "hello", &once), HEARTH_OK);
    hearth_channel_free(channel);
    hearth_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_tried_in_turn),
        cmocka_unit_test(a_name_is_looked_up_again_after_failure),
        cmocka_unit_test(a_name_that_nobody_knows),
        cmocka_unit_test(only_public_addresses_are_dialed),
        cmocka_unit_test(a_service_goes_before_the_target),
        cmocka_unit_test(a_target_without_service),
        cmocka_unit_test(a_silent_address_gives_way),
        cmocka_unit_test(an_unused_connection_is_closed),
        cmocka_unit_test(a_deadline_set_from_a_foreign_event),
        cmocka_unit_test(a_connection_that_died_unseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
