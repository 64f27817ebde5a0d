/* Where a domain is, asked of a real name server on a real loop; and what the operator says while
 * it is asked, or between the answer and the call. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "net/address.h"
#include "server/federation/inside.h"
#include "support/dns.h"
#include "support/test.h"

enum { PATIENCE_MS = 60000, ROWS_MOST = 6 };
#define PEER "beta.example"
#define SRV  "_hearth._tcp.beta.example"

/* Somebody on 127.0.0.1 who takes connections, counts them, and says nothing. */
static struct {
    int fd;
    uint16_t port;
    atomic_uint count;
    pthread_t thread;
} listener;

static struct world {
    struct hearth_loop *loop;
    struct hearth_timer *timer;
    struct inbox *inbox;
    struct rng rng;
    struct front_env env;
    struct test_dns dns;
    struct test_dns_row rows[ROWS_MOST];
    struct federation_settings settings;
    struct federation *federation;
    uint64_t until_ms;
    bool (*until)(void);
    /* of the batch */
    bool done;
    struct err result;
    enum queue_outcome outcome;
    char why[PEER_WHY_BYTES];
} w;

static void *take_connections(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(listener.fd, NULL, NULL)) >= 0; close(fd))
        atomic_fetch_add(&listener.count, 1);
    return NULL;
}

static int start_listener(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    (void)state;
    listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener.fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener.fd, 16), 0);
    assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&at, &len), 0);
    listener.port = ntohs(at.sin_port);
    return pthread_create(&listener.thread, NULL, take_connections, NULL);
}

static int stop_listener(void **state)
{
    (void)state;
    (void)shutdown(listener.fd, SHUT_RDWR);
    pthread_join(listener.thread, NULL);
    close(listener.fd);
    return 0;
}

static uint64_t now_ms(void)
{
    return clock_monotonic_us(&clock_system) / 1000;
}

static void on_timer(void *arg)
{
    (void)arg;
    if (w.until() || now_ms() > w.until_ms)
        hearth_loop_stop(w.loop);
    else
        (void)hearth_timer_set(w.timer, 2);
}

static void run_until(bool (*until)(void))
{
    w.until = until;
    w.until_ms = now_ms() + PATIENCE_MS;
    (void)hearth_timer_set(w.timer, 1);
    hearth_loop_run(w.loop);
    assert_true(until());
}

static bool is_done(void)
{
    return w.done;
}

static bool is_asked(void)
{
    return atomic_load(&w.dns.questions) > 0;
}

static bool is_asked_for_address(void)
{
    return atomic_load(&w.dns.addresses) > 0;
}

static bool posted;

static void on_second(void *arg)
{
    (void)arg;
    posted = true;
}

static void on_first(void *arg)
{
    (void)arg;
    (void)hearth_loop_post(w.loop, on_second, NULL);
}

static bool is_posted(void)
{
    return posted;
}

/* What was posted before has run, and what it did at the end of its turn. */
static void run_posted(void)
{
    posted = false;
    assert_true(hearth_loop_post(w.loop, on_first, NULL));
    run_until(is_posted);
}

static bool post(void *self, void (*fn)(void *arg), void *arg)
{
    return hearth_loop_post(self, fn, arg);
}

/* `host` is where the SRV record leads; NULL: there is none. */
static void open_world(const char *host, bool private_addresses)
{
    char why[FEDERATION_WHY_BYTES];
    memset(&w, 0, sizeof w);
    atomic_store(&listener.count, 0);
    w.rows[0] = (struct test_dns_row){.name = "inner.example", .type = DNS_A, .text = "127.0.0.1"};
    w.rows[1] = (struct test_dns_row){.name = PEER, .type = DNS_A, .text = "127.0.0.1"};
    if (host != NULL)
        w.rows[2] = (struct test_dns_row){
            .name = SRV, .type = DNS_SRV, .text = host, .port = listener.port};
    test_dns_start(&w.dns, w.rows);
    w.loop = hearth_loop_new(NULL);
    w.timer = hearth_timer_new(w.loop, on_timer, NULL);
    assert_non_null(w.timer);
    assert_ok(inbox_new((struct store_post){post, w.loop}, &w.inbox));
    w.rng = rng_system;
    w.env = (struct front_env){.domain = "alpha.example", .clock = &clock_system, .rng = &w.rng};
    assert_ok(keeper_open(NULL, bytes_str(w.env.domain), &clock_system, &w.rng, &w.env.keeper));
    w.settings = (struct federation_settings){.mode = FEDERATION_OPEN,
                                              .private_addresses = private_addresses};
    const struct federation_options options = {
        .store = {.mode = STORE_INLINE, .clock = &clock_system},
        .loop = w.loop,
        .settings = w.settings,
        .dns_servers = w.dns.servers};
    assert_ok(federation_open(&w.env, &options, why, &w.federation));
}

static bool always(void)
{
    return true;
}

static void close_world(void)
{
    atomic_store(&w.dns.holds, 0);
    federation_stop(w.federation);
    run_until(always);
    federation_close(w.federation);
    keeper_close(w.env.keeper);
    inbox_free(w.inbox);
    hearth_timer_free(w.timer);
    hearth_loop_free(w.loop);
    test_dns_stop(&w.dns);
}

static void set(void)
{
    char why[FEDERATION_WHY_BYTES];
    assert_ok(federation_set(w.federation, &w.settings, why));
}

static void on_sent(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    (void)arg;
    w.done = true;
    w.result = result;
    w.outcome = outcomes[0];
}

static void say(void *to, const struct federation_peer *p)
{
    (void)to;
    if (bytes_equal(p->domain, bytes_str(PEER)))
        (void)snprintf(w.why, sizeof w.why, "%s", p->why);
}

static void send_one(void)
{
    static const uint8_t ref[100], payload[100];
    static const struct courier_batch_row row = {
        .sealed_ref = {ref, sizeof ref}, .payload = {payload, sizeof payload}, .sequence = 1};
    const struct courier_route route = federation_route(w.federation);
    w.done = false;
    assert_ok(route.deliver(route.self, bytes_str(PEER), &row, 1, w.inbox, on_sent, NULL));
}

static void send_until_done(void)
{
    send_one();
    run_until(is_done);
    federation_each(w.federation, say, NULL);
}

static void assert_private(void)
{
    assert_err(w.result, FEDERATION_PEER);
    assert_non_null(strstr(w.why, ADDRESS_NOT_PUBLIC));
    assert_int_equal(atomic_load(&listener.count), 0);
}

static void assert_dialed(void)
{
    assert_err(w.result, FEDERATION_PEER); /* nobody is there who has a certificate */
    assert_null(strstr(w.why, ADDRESS_NOT_PUBLIC));
    assert_int_equal(atomic_load(&listener.count), 1);
}

static void assert_refused(void)
{
    assert_ok(w.result);
    assert_int_equal(w.outcome, QUEUE_REFUSED);
    assert_int_equal(atomic_load(&listener.count), 0);
}

/* ---- where the DNS leads */

/* By a name, a number, a name that is nobody's, and what would be read as a socket's path. */
static void records_do_not_lead_inside(void **state)
{
    static const char *const hosts[] = {"inner.example", "127.0.0.1", "localhost", "unix", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        open_world(hosts[i], false);
        send_until_done();
        assert_private();
        close_world();
    }
}

static void a_setting_lets_them(void **state)
{
    (void)state;
    open_world("inner.example", true);
    send_until_done();
    assert_dialed();
    close_world();
}

static void a_place_that_is_configured_is_anywhere(void **state)
{
    (void)state;
    char text[64];
    const char *peer = text;
    (void)snprintf(text, sizeof text, PEER "=inner.example:%u", listener.port);
    open_world("inner.example", false);
    send_until_done();
    assert_private();
    w.settings.peers = &peer;
    w.settings.peer_count = 1;
    set(); /* the same host and port as before: but now it is the operator's word */
    send_until_done();
    assert_dialed();
    w.settings.peer_count = 0;
    set();
    atomic_store(&listener.count, 0);
    send_until_done();
    assert_private();
    close_world();
}

static void the_setting_is_live(void **state)
{
    (void)state;
    open_world("inner.example", false);
    for (int i = 0; i < 2; i++) {
        w.settings.private_addresses = false;
        set();
        send_until_done();
        assert_private();
        w.settings.private_addresses = true;
        set();
        send_until_done();
        assert_dialed();
        atomic_store(&listener.count, 0);
    }
    close_world();
}

/* ---- the policy changes meanwhile */

static void block(void)
{
    static const char *const blocked = PEER;
    w.settings.block = &blocked;
    w.settings.block_count = 1;
    set();
}

static void blocked_while_the_records_are_asked_for(void **state)
{
    (void)state;
    open_world("inner.example", true);
    atomic_store(&w.dns.holds, DNS_SRV);
    send_one();
    run_until(is_asked);
    block();
    atomic_store(&w.dns.holds, 0);
    run_until(is_done);
    assert_refused();
    assert_int_equal(atomic_load(&w.dns.addresses), 0);
    close_world();
}

/* The place is known, its address is being looked up: the batch ends at once, and is refused when
 * it comes again. */
static void blocked_between_records_and_dial(void **state)
{
    (void)state;
    open_world("inner.example", true);
    atomic_store(&w.dns.holds, DNS_A);
    send_one();
    run_until(is_asked_for_address);
    assert_false(w.done);
    block();
    run_posted(); /* before the name server says anything */
    atomic_store(&w.dns.holds, 0);
    run_until(is_done);
    assert_err(w.result, FEDERATION_PEER);
    assert_int_equal(atomic_load(&listener.count), 0);
    send_until_done();
    assert_refused();
    close_world();
}

/* The records lead where nobody may go, but the operator has said meanwhile where it is. */
static void configured_while_the_records_are_asked_for(void **state)
{
    (void)state;
    char text[64];
    const char *peer = text;
    (void)snprintf(text, sizeof text, PEER "=127.0.0.1:%u", listener.port);
    open_world("unix", false);
    atomic_store(&w.dns.holds, DNS_SRV);
    send_one();
    run_until(is_asked);
    w.settings.peers = &peer;
    w.settings.peer_count = 1;
    set();
    atomic_store(&w.dns.holds, 0);
    run_until(is_done);
    federation_each(w.federation, say, NULL);
    assert_dialed();
    close_world();
}

/* The operator has a log forgotten while we look at it: what comes of that look is of the log
 * before, and would convict the peer of having another one. */
static void a_look_does_not_undo_forgetting(void **state)
{
    static struct kt_view view = {.size = 7};
    (void)state;
    open_world(NULL, false);
    federation_lock(w.federation);
    struct peer *peer = peer_get(w.federation, bytes_str(PEER));
    const unsigned begun = peer_log_forgotten(peer);
    peer_log_keep(peer, &view, begun);
    assert_true(peer->log->has_view);
    peer_log_forget(peer);
    assert_false(peer->log->has_view);
    peer_log_keep(peer, &view, begun);
    assert_false(peer->log->has_view);
    view.size = 1; /* of the new one, which is shorter */
    peer_log_keep(peer, &view, peer_log_forgotten(peer));
    assert_true(peer->log->has_view);
    peer_put(peer);
    federation_unlock(w.federation);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_does_not_undo_forgetting),
        cmocka_unit_test(records_do_not_lead_inside),
        cmocka_unit_test(a_setting_lets_them),
        cmocka_unit_test(a_place_that_is_configured_is_anywhere),
        cmocka_unit_test(the_setting_is_live),
        cmocka_unit_test(blocked_while_the_records_are_asked_for),
        cmocka_unit_test(blocked_between_records_and_dial),
        cmocka_unit_test(configured_while_the_records_are_asked_for),
    };
    return cmocka_run_group_tests(tests, start_listener, stop_listener);
}
