/* Addresses, buckets, and the gate in front of the server. */
#include "net/address.h"
#include "net/gate.h"
#include <stdio.h>

#include "support/test.h"

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:0", "1.2.3.4:65535", "[::1]:7443", "unix:/tmp/x"};
    static const char *const bad[] = {
        "",           "127.0.0.1",  ":1",    "127.0.0.1:", "1.2.3.4:65536",
        "1.2.3.4:-1", "::1:80",     "[::1]", "[]:1",       "[::1:80",
        "host:80",    "1.2.3.4:1x", "unix:", "1.2.3:4:5",  "1.2.3.4:123456"};
    struct address a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_ok(address_parse(good[i], &a));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = address_parse(bad[i], &a);
        if (err_is_ok(err))
            fail_msg("accepted %s", bad[i]);
    }
    assert_ok(address_parse("[::1]:7443", &a));
    assert_int_equal(address_port(&a), 7443);
    assert_true(address_is_loopback(&a));
}

static uint64_t prefix(const char *text, unsigned v4, unsigned v6)
{
    struct address a;
    assert_ok(address_parse(text, &a));
    return address_prefix(&a, v4, v6);
}

static void prefixes_group_what_one_person_owns(void **state)
{
    (void)state;
    assert_true(prefix("1.2.3.4:1", 32, 64) == prefix("1.2.3.4:9", 32, 64));
    assert_true(prefix("1.2.3.4:1", 32, 64) != prefix("1.2.3.5:1", 32, 64));
    assert_true(prefix("1.2.3.4:1", 24, 64) == prefix("1.2.3.200:1", 24, 64));
    assert_true(prefix("[2001:db8::1]:1", 32, 64) == prefix("[2001:db8::ffff:1]:1", 32, 64));
    assert_true(prefix("[2001:db8:0:4::1]:1", 32, 64) != prefix("[2001:db8:0:8::1]:1", 32, 64));
    /* neighbours are neighbours: no bit of a /64 is lost */
    for (int bit = 0; bit < 16; bit++) {
        char other[64];
        (void)snprintf(other, sizeof other, "[2001:db8:0:%x::1]:1", 1U << bit);
        assert_true(prefix("[2001:db8::1]:1", 32, 64) != prefix(other, 32, 64));
    }
    assert_true(prefix("[2001:db8:0:1::1]:1", 32, 56) == prefix("[2001:db8:0:ff::1]:1", 32, 56));
    assert_true(prefix("[::1]:1", 32, 64) != 0 && prefix("0.0.0.0:1", 32, 64) != 0);
    assert_true(prefix("[::1]:1", 32, 64) != prefix("0.0.0.2:1", 32, 64));
    assert_true(prefix("[::ffff:1.2.3.4]:1", 32, 64) == prefix("1.2.3.4:1", 32, 64));
    assert_true(prefix("[::ffff:1.2.3.4]:1", 32, 64) != prefix("[::ffff:1.2.3.5]:1", 32, 64));
}

static void the_gate_counts(void **state)
{
    (void)state;
    struct hearth_server_limits l = {.connections = 10,
                                     .connections_per_prefix = 3,
                                     .accepts_per_s = 1,
                                     .accepts_burst = 5,
                                     .handshakes = 4};
    struct gate g;
    assert_true(gate_init(&g, &l, 42));
    uint64_t now = 1000000;
    for (int i = 0; i < 3; i++)
        assert_true(gate_enter(&g, 7, false, now));
    assert_false(gate_enter(&g, 7, false, now)); /* per prefix */
    gate_leave(&g, 7);
    assert_true(gate_enter(&g, 7, false, now));
    gate_leave(&g, 7);
    assert_true(gate_enter(&g, 7, false, now)); /* the fifth: credit is used up */
    gate_leave(&g, 7);
    assert_false(gate_enter(&g, 7, false, now));
    assert_true(gate_enter(&g, 7, false, now + 1000000));
    assert_int_equal(gate_open(&g), 3);
    for (uint64_t p = 100; p < 104; p++)
        assert_true(gate_enter(&g, p, true, now));
    assert_false(gate_enter(&g, 200, true, now)); /* handshakes */
    assert_true(gate_enter(&g, 200, false, now));
    gate_handshake_done(&g);
    assert_true(gate_enter(&g, 201, true, now));
    assert_true(gate_enter(&g, 202, false, now));
    assert_false(gate_enter(&g, 203, false, now)); /* in all */
    gate_clear(&g);
}

/* Refused newcomers leave no trace, and old prefixes make room for new ones. */
static void the_gate_does_not_fill_up(void **state)
{
    (void)state;
    struct hearth_server_limits l = {.connections = 10,
                                     .connections_per_prefix = 3,
                                     .accepts_per_s = 10,
                                     .accepts_burst = 30,
                                     .handshakes = 4};
    struct gate g;
    assert_true(gate_init(&g, &l, 42));
    uint64_t now = 1000000, refused = 0;
    for (uint64_t p = 1; p < 200000; p++) {
        now += 100; /* 10,000 addresses a second */
        if (gate_enter(&g, p, false, now))
            gate_leave(&g, p);
        else
            refused++;
    }
    assert_int_equal(refused, 0);
    assert_int_equal(gate_open(&g), 0);
    gate_clear(&g);
}

static void buckets_are_exact(void **state)
{
    (void)state;
    struct bucket b = {0};
    uint64_t now = 5000000;
    for (int i = 0; i < 10; i++)
        assert_true(bucket_take(&b, now, 10, 2, 1));
    assert_false(bucket_take(&b, now, 10, 2, 1));
    assert_int_equal(bucket_wait_ms(&b, now, 10, 2, 1), 500);
    assert_false(bucket_take(&b, now + 499999, 10, 2, 1));
    assert_true(bucket_take(&b, now + 500000, 10, 2, 1));
    assert_false(bucket_take(&b, now + 400000, 10, 2, 1)); /* time that goes back gives nothing */
    assert_int_equal(bucket_wait_ms(&b, now, 10, 0, 1), UINT32_MAX);
    assert_int_equal(bucket_wait_ms(&b, now, 10, 2, 11), UINT32_MAX);
    assert_true(bucket_take(&b, now + 3600000000, 10, 2, 10));
    assert_false(bucket_take(&b, now + 3600000000, 10, 2, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),         cmocka_unit_test(prefixes_group_what_one_person_owns),
        cmocka_unit_test(the_gate_counts),   cmocka_unit_test(the_gate_does_not_fill_up),
        cmocka_unit_test(buckets_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
