/* What calls to the queue service cost (tokens.md): a contact's credits for KeyPackages, whole
 * tokens for a new queue user. */
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, stranger;
static struct tokens purse;

static void scarce(void)
{
    qworld_limit(&w, "CREDITS_FREE", 2);
    qworld_limit(&w, "CREDITS_PER_TOKEN", 3);
    front_set_tokens(w.front, true);
}

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue charge");
    qworld_start(&w);
    qclient_create(&w, &alice);
    qworld_limit(&w, "KEY_PACKAGES_CONTACT", 1000);
    tokens_draw(&purse, w.env.keeper, QWORLD_DOMAIN, PASS_QUEUE, clock_unix_ms(&w.clock) / 1000, 60,
                &w.rng);
    scarce();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qworld_end(&w);
    qclient_free(&alice);
    return 0;
}

static void bring(size_t from, size_t count)
{
    w.metadata = purse.metadata + from;
    w.metadata_count = count;
}

/* id 0: a fresh one. */
static enum hearth_code ask(uint8_t contact, uint8_t id)
{
    uint8_t contact_id[CONTACT_ID_BYTES] = {contact}, token[CONTACT_TOKEN_BYTES], room[16];
    Hearth__V1__Idempotency once = qworld_id(&w, room);
    Hearth__V1__GetKeyPackagesRequest in = HEARTH__V1__GET_KEY_PACKAGES_REQUEST__INIT;
    contact_token_make(alice.contact_key, contact_id, token);
    if (id != 0)
        memset(room, id, sizeof room);
    in.idempotency = &once;
    in.queue_user_id = qdata(alice.user.id);
    in.contact_token = qdata(bytes_of(token, sizeof token));
    return qworld_call(&w, NULL, "GetKeyPackages", &in.base, NULL);
}

static void a_contact_pays_with_credits(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 1);
    assert_int_equal(ask(2, 0), HEARTH_OK); /* another has its own allowance */
    bring(0, 1);
    assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED); /* T1 */
    qworld_restart(&w, true);
    scarce();
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED); /* also after kill -9 */
    bring(0, 0);
    for (int i = 0; i < 4; i++) /* two bought ones survived, two free ones came anew */
        assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
}

static void a_repeat_costs_nothing(void **state)
{
    (void)state;
    bring(0, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(1, 7), HEARTH_OK);
    bring(0, 0);
    assert_int_equal(ask(1, 7), HEARTH_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
}

/* Who brings a token pays with it, and keeps his allowance; what is asked for is what he lacks. */
static void what_one_has_counts(void **state)
{
    (void)state;
    bring(0, 1);
    assert_int_equal(ask(1, 0), HEARTH_OK);
    bring(0, 0);
    for (int i = 0; i < 2; i++) /* free ones first */
        assert_int_equal(ask(1, 0), HEARTH_OK);
    qworld_limit(&w, "PRICE_LOW", 4);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 1); /* two credits of four, and three come with a token */
    qworld_limit(&w, "PRICE_LOW", 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(1, 0), HEARTH_OK);
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
}

/* So many, and no more; who has more already, since the bound was another, may use them. */
static void credits_have_a_bound(void **state)
{
    (void)state;
    qworld_limit(&w, "CREDITS_PER_TOKEN", 60);
    qworld_limit(&w, "CREDITS_MOST", 118);
    bring(0, 2);
    qworld_limit(&w, "PRICE_LOW", 1);
    assert_int_equal(ask(1, 0), HEARTH_RESOURCE_EXHAUSTED);
    qworld_limit(&w, "CREDITS_MOST", 119);
    assert_int_equal(ask(1, 0), HEARTH_OK); /* that spent nothing */
    bring(0, 0);
    qworld_limit(&w, "CREDITS_MOST", 100);
    qworld_limit(&w, "PRICE_LOW", 3); /* no allowance */
    assert_int_equal(ask(1, 0), HEARTH_OK);
}

static enum hearth_code create(uint8_t id)
{
    uint8_t room[16];
    Hearth__V1__Idempotency once = qworld_id(&w, room);
    Hearth__V1__QueueClientSettings settings = HEARTH__V1__QUEUE_CLIENT_SETTINGS__INIT;
    Hearth__V1__CreateQueueUserRequest in = HEARTH__V1__CREATE_QUEUE_USER_REQUEST__INIT;
    memset(room, id, sizeof room);
    qclient_settings(&stranger, &settings);
    in.idempotency = &once;
    in.auth_key = qdata(caller_public_key(&stranger.user));
    in.contact_key = qdata(bytes_of(stranger.contact_key, sizeof stranger.contact_key));
    in.client = &settings;
    return qworld_call(&w, NULL, "CreateQueueUser", &in.base, NULL);
}

static void a_queue_costs_whole_tokens(void **state)
{
    (void)state;
    qclient_make(&w, &stranger);
    assert_int_equal(create(1), HEARTH_UNAUTHENTICATED);
    assert_int_equal(w.wanted, 16);
    bring(0, 15);
    assert_int_equal(create(1), HEARTH_UNAUTHENTICATED);
    bring(0, 17);
    assert_int_equal(create(1), HEARTH_UNAUTHENTICATED);
    bring(0, 16);
    assert_int_equal(create(1), HEARTH_OK);
    assert_int_equal(create(1), HEARTH_OK); /* the same again, answered */
    assert_int_equal(create(2), HEARTH_UNAUTHENTICATED);
    bring(16, 16);
    assert_int_equal(create(2), HEARTH_OK);
    front_set_tokens(w.front, false);
    bring(0, 0);
    assert_int_equal(create(3), HEARTH_OK);
    qclient_free(&stranger);
}

/* What nobody uses goes; what is used, and what is new, stays. */
static void unused_credits_go(void **state)
{
    (void)state;
    qworld_limit(&w, "CREDITS_PER_TOKEN", 6);
    qworld_limit(&w, "PRICE_LOW", 3); /* more than the allowance */
    bring(0, 1);
    assert_int_equal(ask(1, 0), HEARTH_OK);
    bring(0, 0);
    qworld_days(&w, 1);
    while (queue_expire(w.queue))
        ;
    assert_int_equal(ask(1, 0), HEARTH_OK);
    bring(1, 1); /* yesterday's is good today */
    assert_int_equal(ask(1, 0), HEARTH_OK);
    bring(0, 0);
    qworld_days(&w, 32);
    while (queue_expire(w.queue))
        ;
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
    bring(2, 1); /* of a day that is over */
    assert_int_equal(ask(1, 0), HEARTH_UNAUTHENTICATED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_contact_pays_with_credits), TEST(a_repeat_costs_nothing),
        TEST(a_queue_costs_whole_tokens),  TEST(what_one_has_counts),
        TEST(credits_have_a_bound),        TEST(unused_credits_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
