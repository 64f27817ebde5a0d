/* A peer's keys for vouchers: out of its signed directory, fetched when they are asked for; whom
 * the policy refuses nobody asks, and strangers only so often. */
#include "support/land/land.h"

static struct land land;

static struct land_home *home(size_t i)
{
    return &land.homes[i];
}

static void give(struct land_home *h, size_t n, uint8_t class, uint32_t week)
{
    struct info_voucher_key *key = &h->vouchers[n];
    key->class = class;
    key->week = week;
    memset(key->spki, (int)(h->index * 16 + n + 1), sizeof key->spki);
    if (h->voucher_count < n + 1)
        h->voucher_count = n + 1;
}

static struct err ask(size_t who, const char *domain, uint8_t class, uint32_t week, uint8_t *first)
{
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES] = {0};
    struct err err =
        federation_voucher_key(home(who)->federation, bytes_str(domain), class, week, spki);
    *first = spki[0];
    return err;
}

static void fetched_when_asked_for(void **state)
{
    (void)state;
    uint8_t first;
    land_init(&land, 1, 2);
    give(home(0), 0, 2, 3000);
    give(home(0), 1, 2, 3001);
    land_open(&land);
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_KEYS);
    land_run_ms(&land, 2000);
    assert_ok(ask(1, "a.test", 2, 3000, &first));
    assert_int_equal(first, 1);
    assert_ok(ask(1, "a.test", 2, 3001, &first));
    assert_int_equal(first, 2);
    assert_err(ask(1, "a.test", 1, 3000, &first), PASS_KEY);
    assert_int_equal(land.ways.dials[1][0], 1); /* it is kept */
    /* a key that is new there is found by who comes again, a minute later */
    give(home(0), 2, 2, 3002);
    assert_ok(info_refresh(home(0)->info));
    land_run_ms(&land, 61000);
    assert_err(ask(1, "a.test", 2, 3002, &first), FEDERATION_KEYS);
    land_run_ms(&land, 2000);
    assert_ok(ask(1, "a.test", 2, 3002, &first));
    assert_int_equal(first, 3);
    land_close(&land);
}

/* Keys for vouchers are not kept over a restart, the peer's own key is: who brings a good voucher
 * meanwhile is told to come again, not that it is none, for then he would throw it away. */
static void a_restart_spoils_no_voucher(void **state)
{
    (void)state;
    uint8_t first;
    land_init(&land, 4, 2);
    give(home(0), 0, 2, 3000);
    land_open(&land);
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_KEYS);
    land_run_ms(&land, 2000);
    assert_ok(ask(1, "a.test", 2, 3000, &first));
    land_home_kill(home(1), false);
    land_home_open(home(1));
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_KEYS);
    land_run_ms(&land, 2000);
    assert_ok(ask(1, "a.test", 2, 3000, &first));
    land_home_kill(home(1), false); /* and while the peer is not there */
    land_home_kill(home(0), false);
    land_home_open(home(1));
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_KEYS);
    land_run_ms(&land, 20000);
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_KEYS);
    land_home_open(home(0));
    for (int i = 0; i < 700 && !err_is_ok(ask(1, "a.test", 2, 3000, &first)); i++)
        land_run_ms(&land, 1000);
    assert_ok(ask(1, "a.test", 2, 3000, &first));
    assert_err(ask(1, "a.test", 2, 2999, &first), PASS_KEY); /* now it is known */
    land_close(&land);
}

static void not_of_whom_the_policy_refuses(void **state)
{
    (void)state;
    static const char *const blocked[] = {"a.test"};
    uint8_t first;
    land_init(&land, 2, 2);
    give(home(0), 0, 2, 3000);
    home(1)->settings.block = blocked;
    home(1)->settings.block_count = 1;
    land_open(&land);
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_REFUSED);
    land_run_ms(&land, 2000);
    assert_err(ask(1, "a.test", 2, 3000, &first), FEDERATION_REFUSED);
    assert_int_equal(land.ways.dials[1][0], 0);
    land_close(&land);
}

/* DoS16: who makes up domains makes us call few of them. The control: without the limit, all. */
static unsigned refused(bool limits)
{
    uint8_t first;
    unsigned count = 0;
    char name[32];
    land_init(&land, 3, 2);
    home(1)->limits = limits;
    land_open(&land);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "x%d.test", i);
        count += ask(1, name, 2, 3000, &first).code == ERR_LIMIT;
    }
    land_run_ms(&land, 2000);
    land_close(&land);
    return count;
}

static void strangers_only_so_often(void **state)
{
    (void)state;
    assert_true(refused(true) > 200);
    assert_int_equal(refused(false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetched_when_asked_for),
        cmocka_unit_test(a_restart_spoils_no_voucher),
        cmocka_unit_test(not_of_whom_the_policy_refuses),
        cmocka_unit_test(strangers_only_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
