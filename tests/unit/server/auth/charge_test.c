/* What calls to the authentication service cost (tokens.md): whole tokens for handles and first
 * contact, credits for who has a handle or a user already, an allowance for all that is cheap. */
#include "crypto/count.h"
#include "server/auth/inside.h"
#include "support/auth/person.h"
#include "support/tokens/tokens.h"

static struct auth_world w;
static struct owner o;
static struct tokens purse;
static const uint8_t id1[16] = {1}, id2[16] = {2};

static void set(const char *name, uint64_t value)
{
    assert_ok(limits_set(front_limits(w.front), name, value));
}

static void scarce(void)
{
    set("CREDITS_FREE", 2);
    set("FREE_PREFIX", 2);
    set("CREDITS_PER_TOKEN", 20);
    set("PRICE_HIGH", 16);
    front_set_tokens(w.front, true);
}

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "charge");
    auth_world_start(&w, false);
    owner_init(&o, &w, 0xa1);
    tokens_draw(&purse, w.keeper, AUTH_WORLD_DOMAIN, PASS_AUTH, clock_unix_ms(&w.clock) / 1000, 100,
                &w.rng);
    scarce();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_clear(&o);
    auth_world_end(&w);
    return 0;
}

static void bring(size_t from, size_t count)
{
    w.metadata = purse.metadata + from;
    w.metadata_count = count;
}

static enum hearth_code refresh(void)
{
    Hearth__V1__RefreshHandleRequest in = HEARTH__V1__REFRESH_HANDLE_REQUEST__INIT;
    in.handle_hash = auth_data(bytes_of(o.hash, sizeof o.hash));
    return auth_world_call(&w, &o.caller, "RefreshHandle", &in.base, NULL);
}

static enum hearth_code check(void)
{
    Hearth__V1__CheckHandleRequest in = HEARTH__V1__CHECK_HANDLE_REQUEST__INIT;
    in.handle_hash = auth_data(bytes_of(o.hash, sizeof o.hash));
    return auth_world_call(&w, NULL, "CheckHandle", &in.base, NULL);
}

/* Anybody can make a handle key: an account would be anybody's to have. */
static void a_handle_costs_whole_tokens(void **state)
{
    (void)state;
    assert_int_equal(owner_create(&o, id1, false), HEARTH_UNAUTHENTICATED);
    bring(0, 15);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_UNAUTHENTICATED);
    bring(0, 17);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_UNAUTHENTICATED);
    bring(0, 16);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK); /* G4 */
    bring(0, 0);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    struct owner other;
    owner_init(&other, &w, 0xa2);
    bring(15, 16); /* one of them spent */
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    bring(16, 16);
    assert_int_equal(owner_create(&other, id2, false), HEARTH_OK);
    owner_clear(&other);
}

/* Then it has an account of its own: a token is twenty credits, and what is left is kept. */
static void a_handle_pays_with_credits(void **state)
{
    (void)state;
    bring(0, 16);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(refresh(), HEARTH_UNAUTHENTICATED); /* 16 */
    bring(16, 1);
    assert_int_equal(refresh(), HEARTH_OK);
    bring(0, 0);
    auth_world_restart(&w, true);
    scarce();
    assert_int_equal(refresh(), HEARTH_UNAUTHENTICATED); /* four are left */
    set("PRICE_HIGH", 4);
    assert_int_equal(refresh(), HEARTH_OK);
    assert_int_equal(refresh(), HEARTH_UNAUTHENTICATED);
    bring(17, 1);
    assert_int_equal(owner_delete(&o, id2), HEARTH_OK);
}

/* T1: what became credits of a handle answers no other method, though the bytes of the request are
 * the same (RefreshHandle and CheckHandle both say the handle's hash and nothing else). */
static void T1_a_request_is_of_its_method(void **state)
{
    (void)state;
    bring(0, 16);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    bring(16, 1);
    assert_int_equal(refresh(), HEARTH_OK);
    assert_int_equal(check(), HEARTH_UNAUTHENTICATED);
    bring(17, 1);
    assert_int_equal(check(), HEARTH_OK);
    assert_int_equal(check(), HEARTH_OK); /* a repeat */
}

static void cheap_unsigned_calls_have_an_allowance(void **state)
{
    (void)state;
    assert_int_equal(check(), HEARTH_OK);
    assert_int_equal(check(), HEARTH_OK);
    assert_int_equal(check(), HEARTH_UNAUTHENTICATED);
    bring(0, 1);
    assert_int_equal(check(), HEARTH_OK);
    for (int i = 0; i < 3; i++) /* the same question for the same token: its answer may be lost */
        assert_int_equal(check(), HEARTH_OK);
    assert_int_equal(check(), HEARTH_UNAUTHENTICATED); /* but it is no subscription */
    bring(1, 1);
    assert_int_equal(check(), HEARTH_OK);
}

static enum hearth_code check_for(const size_t which[4])
{
    static struct hearth_metadata some[4];
    for (size_t i = 0; i < 4; i++)
        some[i] = purse.metadata[which[i]];
    w.metadata = some;
    w.metadata_count = 4;
    return check();
}

/* Tokens that were spent on the same question are no help to a fresh one, or it would pay for four;
 * and put together anew they are repeated no oftener than each of them may be. */
static void spent_tokens_pay_for_no_others(void **state)
{
    (void)state;
    set("PRICE_LOW", 4);
    for (size_t i = 0; i < 12; i += 4)
        assert_int_equal(check_for((size_t[]){i, i + 1, i + 2, i + 3}), HEARTH_OK);
    for (size_t fresh = 12; fresh < 20; fresh++)
        assert_int_equal(check_for((size_t[]){fresh, 0, 1, 2}), HEARTH_UNAUTHENTICATED);
    assert_int_equal(check_for((size_t[]){12, 13, 14, 15}), HEARTH_OK); /* unspent by all that */
    size_t answered = 0;
    for (size_t a = 0; a < 12; a++)
        for (size_t b = a + 1; b < 12; b++)
            for (size_t c = b + 1; c < 12; c++)
                answered += check_for((size_t[]){a, b, c, (c + 1) % 12}) == HEARTH_OK;
    assert_in_range(answered, 1, 9); /* three of each token, four a time */
}

static void first_contact_costs_whole_tokens(void **state)
{
    (void)state;
    struct auth_stream s;
    bring(0, 16);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    bring(16, 15);
    owner_fetch(&o, &s);
    assert_true(s.done);
    assert_int_equal(s.code, HEARTH_UNAUTHENTICATED);
    auth_stream_close(&s);
    bring(16, 16);
    owner_fetch(&o, &s);
    assert_non_null(fetched(&s));
    stream_offer(&s, bytes_str("0123456789012345678901234567890123456789"));
    assert_int_equal(s.code, HEARTH_OK);
    auth_stream_close(&s);
    owner_fetch(&o, &s); /* T1: a second one takes others */
    assert_true(s.done);
    assert_int_equal(s.code, HEARTH_UNAUTHENTICATED);
    auth_stream_close(&s);
}

/* Nobody keeps others from a handle with tokens that are none. */
static void forged_tokens_use_up_nothing(void **state)
{
    (void)state;
    struct auth_stream s;
    bring(0, 16);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    set("CONNECT_HANDLE", 1);
    purse.bytes[20][100] ^= 1;
    bring(16, 16);
    for (int i = 0; i < 2; i++) { /* and the good ones beside it may come a few times only */
        owner_fetch(&o, &s);
        assert_int_equal(s.code, HEARTH_UNAUTHENTICATED);
        auth_stream_close(&s);
    }
    purse.bytes[20][100] ^= 1;
    owner_fetch(&o, &s);
    assert_non_null(fetched(&s));
    auth_stream_close(&s);
    bring(32, 16); /* the bucket is empty; these stay unspent */
    owner_fetch(&o, &s);
    assert_int_equal(s.code, HEARTH_RESOURCE_EXHAUSTED);
    auth_stream_close(&s);
    set("CONNECT_HANDLE", 100);
    owner_fetch(&o, &s);
    assert_non_null(fetched(&s));
    auth_stream_close(&s);
}

/* Of those that come with the next call the one that is looked at last. */
static uint8_t *last_of(size_t from, size_t count)
{
    size_t last = from;
    for (size_t i = from + 1; i < from + count; i++)
        if (memcmp(purse.bytes[i], purse.bytes[last], PASS_SHORT_BYTES) > 0)
            last = i;
    return purse.bytes[last];
}

/* DoS13: fifteen good tokens beside a bad one stay unspent, and each is work: they can't be shown
 * like that without end. */
static void good_tokens_are_no_work_without_end(void **state)
{
    (void)state;
    uint8_t *bad = last_of(0, 16) + PASS_SHORT_BYTES - 1;
    uint64_t looked_at = 0;
    *bad ^= 1;
    bring(0, 16);
    for (int i = 0; i < 10; i++) {
        const uint64_t before = crypto_count.group;
        assert_int_equal(owner_create(&o, id1, false), HEARTH_UNAUTHENTICATED);
        looked_at += crypto_count.group > before ? 1 : 0;
    }
    assert_int_equal(looked_at, 3);
    *bad ^= 1;
    assert_int_equal(owner_create(&o, id1, false), HEARTH_UNAUTHENTICATED);
    bring(16, 16); /* others are as good as ever */
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    auth_world_hours(&w, 1); /* and these are again */
    struct owner other;
    owner_init(&other, &w, 0xa2);
    bring(0, 16);
    assert_int_equal(owner_create(&other, id2, false), HEARTH_OK);
    owner_clear(&other);
}

static void off_means_off(void **state)
{
    (void)state;
    front_set_tokens(w.front, false);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(check(), HEARTH_OK);
    set("HANDLE_CHECKS", 1); /* the other limits hold */
    assert_int_equal(check(), HEARTH_RESOURCE_EXHAUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_handle_costs_whole_tokens),
        TEST(a_handle_pays_with_credits),
        TEST(T1_a_request_is_of_its_method),
        TEST(cheap_unsigned_calls_have_an_allowance),
        TEST(spent_tokens_pay_for_no_others),
        TEST(first_contact_costs_whole_tokens),
        TEST(good_tokens_are_no_work_without_end),
        TEST(forged_tokens_use_up_nothing),
        TEST(off_means_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
