/* Calls that are paid with tokens (T1): CreateInvitations, by nobody in particular. */
#include "pass/redeem.h"
#include "pass/request.h"
#include "server/auth/inside.h"
#include "support/auth/person.h"

enum { PRICE = 16, STOCK = 64 };

static struct auth_world w;
static struct person p;
static uint8_t tokens[STOCK][PASS_SHORT_BYTES];
static struct hearth_metadata metadata[STOCK];

static uint32_t today(void)
{
    return pass_period_at(clock_unix_ms(&w.clock) / 1000);
}

/* A user's tokens of a class and day, over those of before. */
static void buy(uint8_t class, uint32_t period, size_t count)
{
    struct pass_public_key key;
    static struct pass_order order;
    static struct pass_coin coins[STOCK];
    uint8_t element[32];
    struct buf request = BUF_INIT;
    Hearth__V1__IssueTokensRequest in;
    ProtobufCMessage *out = NULL;
    assert_ok(keeper_token_public(w.keeper, class, period, element));
    assert_ok(pass_public_key_init(bytes_str(AUTH_WORLD_DOMAIN), class, period, element, &key));
    assert_ok(pass_order_init(&key, count, &w.rng, &order));
    pass_order_write(&order, &request);
    hearth__v1__issue_tokens_request__init(&in);
    in.token_class = class;
    in.period = period;
    in.request = auth_data(buf_view(&request));
    assert_int_equal(auth_world_call(&w, &p.devices[0].caller, "IssueTokens", &in.base, &out),
                     HEARTH_OK);
    const Hearth__V1__IssueTokensResponse *answer = (const void *)out;
    assert_ok(pass_order_finish(&order, auth_view(answer->response), coins));
    protobuf_c_message_free_unpacked(out, NULL);
    for (size_t i = 0; i < count; i++) {
        buf_reset_unwiped(&request);
        pass_coin_write_short(&request, &key, &coins[i]);
        memcpy(tokens[i], request.data, PASS_SHORT_BYTES);
    }
    buf_clear(&request);
}

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    w.options.user_invitations = true;
    auth_world_use_vfs(&w, "pay");
    auth_world_start(&w, false);
    assert_ok(limits_set(front_limits(w.front), "PRICE_HIGH", PRICE));
    person_init(&p, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    for (size_t i = 0; i < STOCK; i++)
        metadata[i] = (struct hearth_metadata){PAY_METADATA, tokens[i], PASS_SHORT_BYTES};
    buy(PASS_AUTH, today(), STOCK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    auth_world_end(&w);
    return 0;
}

/* Two invitations, paid with `count` tokens from the from-th on. */
static enum hearth_code invite(uint8_t id, size_t from, size_t count, struct buf *codes)
{
    uint8_t idempotency[16] = {id};
    ProtobufCMessage *out = NULL;
    Hearth__V1__Idempotency once = HEARTH__V1__IDEMPOTENCY__INIT;
    Hearth__V1__CreateInvitationsRequest in = HEARTH__V1__CREATE_INVITATIONS_REQUEST__INIT;
    once.id = auth_data(bytes_of(idempotency, sizeof idempotency));
    in.idempotency = &once;
    in.count = 2;
    w.metadata = metadata + from;
    w.metadata_count = count;
    enum hearth_code code = auth_world_call(&w, NULL, "CreateInvitations", &in.base, &out);
    w.metadata_count = 0;
    const Hearth__V1__CreateInvitationsResponse *answer = (const void *)out;
    for (size_t i = 0; code == HEARTH_OK && codes != NULL && i < answer->n_codes; i++)
        buf_append_bytes(codes, auth_view(answer->codes[i]));
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    return code;
}

static uint64_t invitations(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c.invitations;
}

static void T1_spent_once(void **state)
{
    (void)state;
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_OK);
    assert_int_equal(invitations(), 2);
    /* in another request, all or one of them */
    assert_int_equal(invite(2, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(invite(2, PRICE - 1, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(invitations(), 2);
    /* what came with a spent one was not spent, also after a crash */
    auth_world_restart(&w, true);
    assert_ok(limits_set(front_limits(w.front), "PRICE_HIGH", PRICE));
    assert_int_equal(invite(2, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(invite(2, PRICE, PRICE, NULL), HEARTH_OK);
    assert_int_equal(invitations(), 4);
}

/* G4: answered again, with the tokens, after they are worth nothing, and without them. */
static void a_repeated_request_has_paid(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, again = BUF_INIT;
    assert_int_equal(invite(1, 0, PRICE, &first), HEARTH_OK);
    assert_int_equal(first.len, 2 * AUTH_INVITATION_BYTES);
    assert_int_equal(invite(1, 0, PRICE, &again), HEARTH_OK);
    assert_int_equal(invite(1, 0, 0, &again), HEARTH_OK);
    assert_int_equal(invite(1, PRICE, PRICE, &again), HEARTH_OK); /* others, which stay unspent */
    auth_world_days(&w, 3);
    auth_world_expire(&w);
    assert_int_equal(invite(1, 0, PRICE, &again), HEARTH_OK);
    assert_int_equal(again.len, 4 * first.len);
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(again.data + i * first.len, first.data, first.len);
    assert_int_equal(invitations(), 2);
    buf_clear(&first);
    buf_clear(&again);
}

static void not_paid(void **state)
{
    (void)state;
    /* good ones come beside a bad one oftener here than they may otherwise */
    assert_ok(limits_set(front_limits(w.front), "TOKEN_REPEATS", 100));
    assert_int_equal(invite(1, 0, 0, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(invite(1, 0, PRICE - 1, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(invite(1, 0, PRICE + 1, NULL), HEARTH_UNAUTHENTICATED);
    /* one twice */
    metadata[3].value = tokens[2];
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    metadata[3].value = tokens[3];
    /* each part of one changed: class, day, nonce, authenticator; and its length */
    static const size_t places[] = {0, 4, 5, 36, 37, 100};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        tokens[PRICE - 1][places[i]] ^= 1;
        assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
        tokens[PRICE - 1][places[i]] ^= 1;
    }
    metadata[0].len--;
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    metadata[0].len++;
    assert_int_equal(invitations(), 0);
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_OK); /* none of that spent anything */
    assert_int_equal(invitations(), 2);
}

static void good_on_its_day_and_the_next(void **state)
{
    (void)state;
    auth_world_days(&w, 1);
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_OK);
    auth_world_days(&w, 1);
    assert_int_equal(invite(2, PRICE, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    /* tomorrow's are not good today */
    buy(PASS_AUTH, today() + 1, PRICE);
    assert_int_equal(invite(3, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
    auth_world_days(&w, 1);
    assert_int_equal(invite(4, 0, PRICE, NULL), HEARTH_OK);
}

static void of_its_class(void **state)
{
    (void)state;
    buy(PASS_DELIVERY, today(), PRICE);
    assert_int_equal(invite(1, 0, PRICE, NULL), HEARTH_UNAUTHENTICATED);
}

/* The operator's price; where calls cost nothing tokens are not taken either. */
static void other_prices(void **state)
{
    (void)state;
    assert_ok(limits_set(front_limits(w.front), "PRICE_HIGH", 1));
    assert_int_equal(invite(1, 0, 1, NULL), HEARTH_OK);
    assert_int_equal(invite(2, 0, 1, NULL), HEARTH_UNAUTHENTICATED);
    assert_ok(limits_set(front_limits(w.front), "PRICE_HIGH", 0));
    assert_int_equal(invite(3, 0, 0, NULL), HEARTH_OK);
    assert_int_equal(invite(4, 1, 1, NULL), HEARTH_UNAUTHENTICATED);
    assert_ok(limits_set(front_limits(w.front), "PRICE_HIGH", 1));
    assert_int_equal(invite(4, 1, 1, NULL), HEARTH_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(T1_spent_once), TEST(a_repeated_request_has_paid),
        TEST(not_paid),      TEST(good_on_its_day_and_the_next),
        TEST(of_its_class),  TEST(other_prices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
