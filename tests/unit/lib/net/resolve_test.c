/* Names to addresses, against a name server of our own. */
#include "net/resolve.h"

#include "support/dns.h"
#include "support/failing.h"
#include "support/test.h"

enum { PORT = 7443 };

static const struct test_dns_row rows[] = {
    {.name = "two.test", .type = DNS_A, .text = "127.0.0.1"},
    {.name = "two.test", .type = DNS_AAAA, .text = "::1"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.1"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.2"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.3"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.4"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.5"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.6"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.7"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.8"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.9"},
    {.name = "many.test", .type = DNS_A, .text = "127.0.0.10"},
    {.name = "_x._tcp.many.test", .type = DNS_SRV, .text = "c.test", .priority = 20, .port = 3},
    {.name = "_x._tcp.many.test",
     .type = DNS_SRV,
     .text = "a.test",
     .priority = 10,
     .weight = 90,
     .port = 1},
    {.name = "_x._tcp.many.test",
     .type = DNS_SRV,
     .text = "b.test",
     .priority = 10,
     .weight = 10,
     .port = 2},
    {.name = "_x._tcp.none.test", .type = DNS_SRV, .text = ""},
    {.name = NULL},
};

struct world {
    struct test_dns dns;
    struct hearth_loop *loop;
    struct resolve *resolve;
    struct err err;
    unsigned calls;
    size_t count;
    struct address at[RESOLVE_ADDRESSES_MOST];
    struct resolve_service services[RESOLVE_SERVICES_MOST];
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->loop = hearth_loop_new(NULL);
    assert_non_null(w->loop);
    test_dns_start(&w->dns, rows);
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    test_dns_stop(&w->dns);
    hearth_loop_free(w->loop);
    free(w);
    return 0;
}

static void on_done(struct err err, const struct address *at, size_t count, void *arg)
{
    struct world *w = arg;
    w->resolve = NULL;
    w->calls++;
    w->err = err;
    w->count = count;
    assert_true(count <= RESOLVE_ADDRESSES_MOST);
    memcpy(w->at, at, count * sizeof *at);
}

static void on_services(struct err err, const struct resolve_service *at, size_t count, void *arg)
{
    struct world *w = arg;
    w->resolve = NULL;
    w->calls++;
    w->err = err;
    w->count = count;
    memcpy(w->services, at, count * sizeof *at);
}

static void ask(struct world *w, const char *servers, const char *host)
{
    w->calls = 0;
    assert_ok(resolve_start(w->loop, servers, host, PORT, on_done, w, &w->resolve));
    assert_int_equal(w->calls, 0); /* from the loop, never before start returns */
    while (w->calls == 0)
        loop_turn(w->loop);
}

static void ask_srv(struct world *w, const char *name)
{
    w->calls = 0;
    assert_ok(resolve_srv(w->loop, w->dns.servers, name, on_services, w, &w->resolve));
    while (w->calls == 0)
        loop_turn(w->loop);
}

static void both_kinds_of_address_come(void **state)
{
    struct world *w = *state;
    char text[ADDRESS_TEXT_BYTES];
    ask(w, w->dns.servers, "two.test");
    assert_ok(w->err);
    assert_int_equal(w->count, 2);
    bool v4 = false, v6 = false;
    for (size_t i = 0; i < 2; i++) {
        address_host(&w->at[i], text);
        v4 = v4 || strcmp(text, "127.0.0.1") == 0;
        v6 = v6 || strcmp(text, "::1") == 0;
        assert_int_equal(address_port(&w->at[i]), PORT);
    }
    assert_true(v4 && v6);
}

static void more_addresses_than_we_keep(void **state)
{
    struct world *w = *state;
    ask(w, w->dns.servers, "many.test");
    assert_ok(w->err);
    assert_int_equal(w->count, RESOLVE_ADDRESSES_MOST);
}

static void failures_say_whose_they_are(void **state)
{
    struct world *w = *state;
    ask(w, w->dns.servers, "unknown.test");
    assert_err(w->err, RESOLVE_NAME);
    ask(w, w->dns.servers, "_x._tcp.many.test"); /* exists, but has no address */
    assert_err(w->err, RESOLVE_NAME);
    ask(w, "127.0.0.1:1", "two.test"); /* nobody there */
    assert_err(w->err, RESOLVE_FAILED);
    atomic_store(&w->dns.fail_code, 2);
    ask(w, w->dns.servers, "two.test");
    assert_err(w->err, RESOLVE_FAILED);
    assert_int_equal(w->count, 0);
    assert_err(resolve_start(w->loop, "no address", "two.test", PORT, on_done, w, &w->resolve),
               RESOLVE_FAILED);
}

static void damaged_answers_are_refused(void **state)
{
    struct world *w = *state;
    atomic_store(&w->dns.lies, true);
    ask(w, w->dns.servers, "two.test");
    assert_err(w->err, RESOLVE_FAILED);
    ask_srv(w, "_x._tcp.many.test");
    assert_err(w->err, RESOLVE_FAILED);
}

static void a_cancelled_question_stays_silent(void **state)
{
    struct world *w = *state;
    assert_ok(resolve_start(w->loop, w->dns.servers, "two.test", PORT, on_done, w, &w->resolve));
    resolve_cancel(w->resolve);
    assert_ok(resolve_start(w->loop, NULL, "localhost", PORT, on_done, w, &w->resolve));
    resolve_cancel(w->resolve); /* answered by the hosts file, but not told yet */
    resolve_cancel(NULL);
    ask(w, w->dns.servers, "two.test");
    assert_int_equal(w->calls, 1);
}

/* Whichever allocation fails, ours or c-ares's: there is one answer, and it is right or says so. */
static void without_memory(void **state)
{
    struct world *w = *state;
    unsigned refused = 0;
    long n = 0;
    if (!test_can_fail_allocations())
        skip();
    for (bool failed = true; failed; n++) {
        w->calls = 0;
        test_fail_allocation(n);
        struct err err =
            resolve_start(w->loop, w->dns.servers, "two.test", PORT, on_done, w, &w->resolve);
        while (err_is_ok(err) && w->calls == 0)
            loop_turn(w->loop);
        failed = test_allocation_failed();
        if (err_is_ok(err))
            err = w->err;
        refused += !err_is_ok(err);
        if (err_is_ok(err))
            assert_in_range(w->count, 1, 2);
        else
            assert_true(failed);
    }
    assert_true(n > 10 && refused > 5);
    assert_int_equal(w->count, 2);
    assert_int_equal(w->loop->env.timers.count, 0);
}

static void services_come_by_priority_and_weight(void **state)
{
    struct world *w = *state;
    unsigned heavy_first = 0;
    enum { ROUNDS = 200 };
    for (int i = 0; i < ROUNDS; i++) {
        ask_srv(w, "_x._tcp.many.test");
        assert_ok(w->err);
        assert_int_equal(w->count, 3);
        assert_string_equal(w->services[2].host, "c.test");
        assert_int_equal(w->services[2].port, 3);
        heavy_first += strcmp(w->services[0].host, "a.test") == 0;
    }
    /* 180 expected; seven standard deviations either way */
    assert_in_range(heavy_first, 150, ROUNDS - 1);
}

static void a_service_that_is_not_offered(void **state)
{
    struct world *w = *state;
    ask_srv(w, "_x._tcp.none.test");
    assert_err(w->err, RESOLVE_NAME);
    ask_srv(w, "_x._tcp.unknown.test");
    assert_err(w->err, RESOLVE_NAME);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_kinds_of_address_come),        TEST(more_addresses_than_we_keep),
        TEST(failures_say_whose_they_are),       TEST(damaged_answers_are_refused),
        TEST(a_cancelled_question_stays_silent), TEST(services_come_by_priority_and_weight),
        TEST(a_service_that_is_not_offered),     TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
