/* IssueTokens: tokens that are good, allowances, and requests that are answered twice and charged
 * once. */
#include "pass/redeem.h"
#include "pass/request.h"
#include "server/auth/inside.h"
#include "support/auth/person.h"
#include "support/failing.h"

static struct auth_world w;
static struct person p;

static int begin(bool vfs)
{
    auth_world_init(&w);
    if (vfs)
        auth_world_use_vfs(&w, "tokens");
    auth_world_start(&w, false);
    assert_ok(limits_set(front_limits(w.front), "TOKEN_BATCHES", 10000));
    person_init(&p, &w);
    assert_int_equal(person_register(&p), HEARTH_OK);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(false);
}

static int setup_vfs(void **state)
{
    (void)state;
    return begin(true);
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    auth_world_end(&w);
    return 0;
}

static uint32_t today(void)
{
    return pass_period_at(clock_unix_ms(&w.clock) / 1000);
}

/* What a client has ordered. */
struct bought {
    struct pass_order order;
    struct buf request;
    struct pass_coin coins[PASS_BATCH_MAX];
    uint32_t left;
};

static void prepare(struct bought *b, uint8_t class, uint32_t period, size_t count)
{
    struct pass_public_key key;
    uint8_t element[32];
    assert_ok(keeper_token_public(w.keeper, class, period, element));
    assert_ok(pass_public_key_init(bytes_str(AUTH_WORLD_DOMAIN), class, period, element, &key));
    assert_ok(pass_order_init(&key, count, &w.rng, &b->order));
    b->request = BUF_INIT;
    pass_order_write(&b->order, &b->request);
}

static enum hearth_code ask(struct caller *who, struct bytes request, uint32_t class,
                            uint32_t period, struct buf *response, uint32_t *left)
{
    Hearth__V1__IssueTokensRequest in;
    ProtobufCMessage *out = NULL;
    hearth__v1__issue_tokens_request__init(&in);
    in.token_class = class;
    in.period = period;
    in.request = auth_data(request);
    enum hearth_code code = auth_world_call(&w, who, "IssueTokens", &in.base, &out);
    if (code == HEARTH_OK) {
        const Hearth__V1__IssueTokensResponse *answer = (const void *)out;
        buf_append_bytes(response, auth_view(answer->response));
        *left = answer->allowance_left;
    }
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    return code;
}

/* The order's tokens, each of which the server would take. */
static enum hearth_code buy_with(struct bought *b, struct caller *who)
{
    const uint8_t class = b->order.key.class;
    const uint32_t period = b->order.key.period;
    struct buf response = BUF_INIT;
    enum hearth_code code = ask(who, buf_view(&b->request), class, period, &response, &b->left);
    if (code == HEARTH_OK) {
        struct pass_issuer_key key;
        assert_ok(front_token_key(w.front, class, period, &key));
        assert_ok(pass_order_finish(&b->order, buf_view(&response), b->coins));
        const struct pass_short last = {class, period, b->coins[b->order.count - 1].nonce,
                                        b->coins[b->order.count - 1].authenticator};
        assert_ok(pass_redeem_short(&key, &last));
    }
    buf_clear(&response);
    return code;
}

static enum hearth_code buy(struct person *who, uint8_t class, uint32_t period, size_t count,
                            uint32_t *left)
{
    struct bought b;
    prepare(&b, class, period, count);
    enum hearth_code code = buy_with(&b, &who->devices[0].caller);
    *left = b.left;
    buf_clear(&b.request);
    return code;
}

static void good_tokens(void **state)
{
    (void)state;
    struct bought b;
    prepare(&b, PASS_DELIVERY, today(), 5);
    assert_int_equal(buy_with(&b, &p.devices[0].caller), HEARTH_OK);
    assert_int_equal(b.left, 59);
    struct pass_issuer_key key;
    assert_ok(front_token_key(w.front, PASS_DELIVERY, today(), &key));
    for (size_t i = 0; i < 5; i++) {
        const struct pass_short token = {PASS_DELIVERY, today(), b.coins[i].nonce,
                                         b.coins[i].authenticator};
        assert_ok(pass_redeem_short(&key, &token));
    }
    buf_clear(&b.request);
}

/* 64 at once, a tenth of the full number more each day; for each class, day and user apart. */
static void allowances(void **state)
{
    (void)state;
    uint32_t left;
    struct person other;
    person_init(&other, &w);
    assert_int_equal(person_register(&other), HEARTH_OK);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 60, &left), HEARTH_OK);
    assert_int_equal(left, 4);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 5, &left), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 4, &left), HEARTH_OK);
    assert_int_equal(left, 0);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 1, &left), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(buy(&p, PASS_DELIVERY, today() + 1, 64, &left), HEARTH_OK);
    assert_int_equal(buy(&p, PASS_QUEUE, today(), 64, &left), HEARTH_OK);
    assert_int_equal(buy(&other, PASS_DELIVERY, today(), 64, &left), HEARTH_OK);
    /* 500 tokens full: 150 on the third day, all on the eleventh; 64 were for it the day before */
    auth_world_days(&w, 3);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 100, &left), HEARTH_OK);
    assert_int_equal(left, 50);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 51, &left), HEARTH_RESOURCE_EXHAUSTED);
    auth_world_days(&w, 7);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(buy(&p, PASS_DELIVERY, today(), 100, &left), HEARTH_OK);
        assert_int_equal(left, 500 - 100 * i);
    }
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 1, &left), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(buy(&p, PASS_ATTACHMENT, today(), 100, &left), HEARTH_OK);
    assert_int_equal(left, 0);
    person_clear(&other);
}

/* An operator's numbers, a class that is off among them. */
static void other_allowances(void **state)
{
    (void)state;
    uint32_t left;
    assert_ok(limits_set(front_limits(w.front), "TOKENS_DELIVERY", 10));
    assert_ok(limits_set(front_limits(w.front), "TOKENS_QUEUE", 0));
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 11, &left), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 8, &left), HEARTH_OK);
    assert_int_equal(left, 2);
    assert_int_equal(buy(&p, PASS_QUEUE, today(), 1, &left), HEARTH_RESOURCE_EXHAUSTED);
    /* less than was given out already */
    assert_ok(limits_set(front_limits(w.front), "TOKENS_DELIVERY", 5));
    assert_int_equal(buy(&p, PASS_DELIVERY, today(), 1, &left), HEARTH_RESOURCE_EXHAUSTED);
}

/* The same request: answered again, charged once, also when the server died in between, and when
 * another client of the user's asks. */
static void charged_once(void **state)
{
    (void)state;
    struct bought b, next;
    struct device *second = person_add_device(&p);
    assert_int_equal(person_add_client(&p, &p.devices[0], second, NULL), HEARTH_OK);
    prepare(&b, PASS_AUTH, today(), 40);
    prepare(&next, PASS_AUTH, today(), 40);
    assert_int_equal(buy_with(&b, &p.devices[0].caller), HEARTH_OK);
    assert_int_equal(b.left, 24);
    assert_int_equal(buy_with(&b, &p.devices[0].caller), HEARTH_OK);
    assert_int_equal(b.left, 24);
    auth_world_restart(&w, true);
    assert_int_equal(buy_with(&b, &second->caller), HEARTH_OK);
    assert_int_equal(b.left, 24);
    /* control: another request is charged */
    assert_int_equal(buy_with(&next, &p.devices[0].caller), HEARTH_RESOURCE_EXHAUSTED);
    /* and one that was refused is not noted: it is charged when there is something left */
    auth_world_days(&w, 1);
    assert_int_equal(buy_with(&next, &p.devices[0].caller), HEARTH_INVALID_ARGUMENT); /* its day */
    /* another user's request in the same bytes is that user's */
    struct person other;
    person_init(&other, &w);
    assert_int_equal(person_register(&other), HEARTH_OK);
    struct bought tomorrow;
    prepare(&tomorrow, PASS_AUTH, today(), 30);
    assert_int_equal(buy_with(&tomorrow, &p.devices[0].caller), HEARTH_OK);
    assert_int_equal(tomorrow.left, 34);
    assert_int_equal(buy_with(&tomorrow, &other.devices[0].caller), HEARTH_OK);
    assert_int_equal(tomorrow.left, 34);
    person_clear(&other);
    buf_clear(&tomorrow.request);
    buf_clear(&b.request);
    buf_clear(&next.request);
}

static void refused(void **state)
{
    (void)state;
    struct caller *who = &p.devices[0].caller;
    struct buf response = BUF_INIT;
    struct bought b;
    uint32_t left;
    prepare(&b, PASS_QUEUE, today(), 2);
    const struct bytes request = buf_view(&b.request);
    const uint32_t day = today();
    assert_int_equal(ask(NULL, request, PASS_QUEUE, day, &response, &left), HEARTH_UNAUTHENTICATED);
    /* other days and classes: the key is another one */
    assert_int_equal(ask(who, request, PASS_QUEUE, day - 1, &response, &left),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, PASS_QUEUE, day + 1, &response, &left),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, PASS_QUEUE, day + 2, &response, &left),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, PASS_AUTH, day, &response, &left), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, 0, day, &response, &left), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, 6, day, &response, &left), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, request, PASS_QUEUE, 0, &response, &left), HEARTH_INVALID_ARGUMENT);
    /* other bytes */
    assert_int_equal(
        ask(who, bytes_of(request.data, request.len - 1), PASS_QUEUE, day, &response, &left),
        HEARTH_INVALID_ARGUMENT);
    assert_int_equal(ask(who, bytes_str("x"), PASS_QUEUE, day, &response, &left),
                     HEARTH_INVALID_ARGUMENT);
    /* nothing of that was charged, but what is no element is, for it took the arithmetic */
    assert_int_equal(ask(who, request, PASS_QUEUE, day, &response, &left), HEARTH_OK);
    assert_int_equal(left, 62);
    memset(b.request.data + b.request.len - 32, 0xff, 32);
    assert_int_equal(ask(who, request, PASS_QUEUE, day, &response, &left), HEARTH_INVALID_ARGUMENT);
    uint32_t after;
    assert_int_equal(buy(&p, PASS_QUEUE, day, 1, &after), HEARTH_OK);
    assert_int_equal(after, 59);
    assert_int_equal(buy(&p, PASS_AUTH, day, 1, &after), HEARTH_OK);
    assert_int_equal(after, 63);
    assert_int_equal(buy(&p, PASS_QUEUE, day + 1, 1, &after), HEARTH_OK);
    assert_int_equal(after, 63);
    buf_clear(&b.request);
    buf_clear(&response);
}

/* DoS13: repeats cost no allowance, but are not free. */
static void batches_are_limited(void **state)
{
    (void)state;
    struct bought b;
    prepare(&b, PASS_QUEUE, today(), 1);
    assert_ok(limits_set(front_limits(w.front), "TOKEN_BATCHES", 3));
    for (int i = 0; i < 3; i++)
        assert_int_equal(buy_with(&b, &p.devices[0].caller), HEARTH_OK);
    assert_int_equal(buy_with(&b, &p.devices[0].caller), HEARTH_RESOURCE_EXHAUSTED);
    buf_clear(&b.request);
}

static struct err count_rows(struct store_txn *txn, void *arg)
{
    struct token_order *order = arg;
    uint64_t issued = 0, since = 0;
    struct stmt *s = stmt_use(txn, TOKEN_GRANT_FIND);
    stmt_bind_blob(s, 1, bytes_of(order->user, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, order->class);
    stmt_bind_u64(s, 3, order->period);
    struct err err = stmt_first(s, auth_map_u64, &issued);
    order->count = err_is_ok(err) ? (uint32_t)issued : 0;
    s = stmt_use(txn, TOKEN_SINCE_FIND);
    stmt_bind_blob(s, 1, bytes_of(order->user, AUTH_ID_BYTES));
    err = stmt_first(s, auth_map_u64, &since);
    order->request[0] = err_is_ok(err);
    return ERR_OK;
}

/* What is left of a user's grants. */
static void assert_rows(uint32_t period, uint32_t issued, bool since)
{
    struct token_order order = {.class = PASS_QUEUE, .period = period};
    user_id(w.auth, buf_view(&p.user), order.user);
    assert_ok(store_call_read(w.auth->store, count_rows, &order));
    assert_int_equal(order.count, issued);
    assert_int_equal(order.request[0], since);
}

static void rows_go(void **state)
{
    (void)state;
    uint32_t left, day = today();
    uint8_t id[16] = {9};
    assert_int_equal(buy(&p, PASS_QUEUE, day, 3, &left), HEARTH_OK);
    assert_int_equal(buy(&p, PASS_QUEUE, day + 1, 4, &left), HEARTH_OK);
    auth_world_expire(&w);
    assert_rows(day, 3, true);
    auth_world_days(&w, 1);
    auth_world_expire(&w);
    assert_rows(day, 3, true); /* an order that began before midnight may still be waiting */
    auth_world_days(&w, 1);
    auth_world_expire(&w);
    assert_rows(day, 0, true); /* nothing more is issued for that day */
    assert_rows(day + 1, 4, true);
    assert_int_equal(person_delete(&p, &p.devices[0], id), HEARTH_OK);
    assert_rows(day + 1, 0, false);
}

/* Each allocation fails once: what comes of it in the end is charged once. */
static void failed_allocations(void **state)
{
    (void)state;
    enum { MOST = 100000 };
    struct buf response = BUF_INIT;
    bool failed = true;
    long n = 0;
    if (!test_can_fail_allocations())
        skip();
    assert_non_null(buf_extend(&response, 4096)); /* the test's own memory is not to fail */
    assert_ok(limits_set(front_limits(w.front), "TOKENS_TRANSPARENCY", MOST));
    assert_ok(limits_set(front_limits(w.front), "TOKENS_FIRST", MOST));
    for (; failed; n++) {
        struct bought b;
        uint32_t left = 0;
        prepare(&b, PASS_TRANSPARENCY, today(), 2);
        const struct bytes request = buf_view(&b.request);
        auth_world_fail(&w, n);
        buf_reset_unwiped(&response);
        enum hearth_code code =
            ask(&p.devices[0].caller, request, PASS_TRANSPARENCY, today(), &response, &left);
        failed = auth_world_failed(&w);
        if (!failed)
            assert_int_equal(code, HEARTH_OK);
        for (int i = 0; code != HEARTH_OK; i++) {
            if (i == 10)
                fail_msg("allocation %ld: code %d", n, code);
            auth_world_run_ms(&w, 5000); /* a connection that was lost comes back */
            buf_reset_unwiped(&response);
            code = ask(&p.devices[0].caller, request, PASS_TRANSPARENCY, today(), &response, &left);
        }
        assert_ok(pass_order_finish(&b.order, buf_view(&response), b.coins));
        assert_int_equal(left, MOST - 2 * (n + 1));
        buf_clear(&b.request);
    }
    print_message("%ld allocations failed\n", n - 1);
    assert_true(n > 10);
    buf_clear(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_tokens),      TEST(allowances),
        TEST(other_allowances), cmocka_unit_test_setup_teardown(charged_once, setup_vfs, teardown),
        TEST(refused),          TEST(batches_are_limited),
        TEST(rows_go),          TEST(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
