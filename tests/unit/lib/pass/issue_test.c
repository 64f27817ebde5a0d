/* Issuance and redemption between our own two halves: what is bound to what, and every refusal. */
#include "pass/redeem.h"
#include "pass/request.h"
#include "support/failing.h"
#include "support/test.h"

struct world {
    struct rng_seeded seeded;
    struct rng rng;
    struct pass_issuer_key key;
    struct pass_order order;
    struct buf request, response;
    struct pass_coin coins[PASS_BATCH_MAX];
};

static struct pass_issuer_key issuer(uint8_t number, uint8_t class, uint32_t period)
{
    struct voprf_key voprf;
    struct pass_issuer_key key;
    uint8_t seed[32] = {number};
    assert_ok(voprf_key_derive(seed, bytes_str("test"), &voprf));
    assert_ok(pass_issuer_key_init(bytes_str("a.test"), class, period, &voprf, &key));
    return key;
}

/* Up to the server's answer. */
static struct world *world_new(size_t count)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    rng_seeded_init(&w->seeded, count);
    w->rng = rng_of_seeded(&w->seeded);
    w->key = issuer(1, PASS_DELIVERY, 20780);
    assert_ok(pass_order_init(&w->key.public, count, &w->rng, &w->order));
    pass_order_write(&w->order, &w->request);
    struct pass_request request;
    assert_ok(pass_request_parse(buf_view(&w->request), &request));
    assert_int_equal(request.count, count);
    assert_ok(pass_issue(&w->key, &w->rng, &request, &w->response));
    return w;
}

static void world_free(struct world *w)
{
    buf_clear(&w->request);
    buf_clear(&w->response);
    free(w);
}

static struct err redeem_both(const struct pass_issuer_key *key, const struct world *w,
                              const struct pass_coin *coin)
{
    struct buf b = BUF_INIT;
    struct pass_token token;
    struct pass_short small;
    pass_coin_write_token(&b, &w->key.public, coin);
    assert_ok(pass_token_parse(buf_view(&b), &token));
    struct err err = pass_redeem(key, &token);
    buf_reset_unwiped(&b);
    pass_coin_write_short(&b, &w->key.public, coin);
    assert_ok(pass_short_parse(buf_view(&b), &small));
    small.class = key->public.class; /* as a thief would write it */
    small.period = key->public.period;
    struct err again = pass_redeem_short(key, &small);
    buf_clear(&b);
    if (err.code != ERR_PASS_KEY) /* the long form names its key */
        assert_int_equal(err.code, again.code);
    else
        assert_int_equal(again.code, ERR_PASS_TOKEN);
    return err;
}

static void round_trip(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, PASS_BATCH_MAX};
    for (size_t c = 0; c < 3; c++) {
        size_t count = counts[c];
        struct world *w = world_new(count);
        /* 100 tokens: 4c80 and 3200 bytes */
        size_t prefix = count == 1 ? 1 : 2;
        if (count == PASS_BATCH_MAX)
            test_assert_hex(bytes_of(w->request.data + 3, 2), "4c80");
        assert_int_equal(w->request.len, 3 + prefix + 32 * count);
        assert_int_equal(w->response.len, prefix + 32 * count + 64);
        assert_ok(pass_order_finish(&w->order, buf_view(&w->response), w->coins));
        for (size_t i = 0; i < count; i++) {
            assert_ok(redeem_both(&w->key, w, &w->coins[i]));
            if (i > 0)
                assert_memory_not_equal(w->coins[i].nonce, w->coins[0].nonce, 32);
        }
        world_free(w);
    }
}

/* A token is good for its key alone: not for another key, class, period or domain. */
static void bound(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    assert_ok(pass_order_finish(&w->order, buf_view(&w->response), w->coins));
    const struct pass_issuer_key others[] = {issuer(2, PASS_DELIVERY, 20780),
                                             issuer(1, PASS_QUEUE, 20780),
                                             issuer(1, PASS_DELIVERY, 20781)};
    for (size_t i = 0; i < 3; i++)
        assert_err(redeem_both(&others[i], w, &w->coins[0]), PASS_KEY);
    struct pass_issuer_key elsewhere;
    assert_ok(
        pass_issuer_key_init(bytes_str("b.test"), PASS_DELIVERY, 20780, &w->key.voprf, &elsewhere));
    assert_err(redeem_both(&elsewhere, w, &w->coins[0]), PASS_KEY);
    struct pass_coin coin = w->coins[0];
    coin.nonce[31] ^= 1;
    assert_err(redeem_both(&w->key, w, &coin), PASS_TOKEN);
    coin = w->coins[0];
    for (size_t i = 0; i < 64; i += 9) {
        coin.authenticator[i] ^= 0x80;
        assert_err(redeem_both(&w->key, w, &coin), PASS_TOKEN);
        coin.authenticator[i] ^= 0x80;
    }
    /* the short form with another class or period than the key it is held against */
    const struct pass_short wrong[] = {
        {PASS_QUEUE, 20780, coin.nonce, coin.authenticator},
        {PASS_DELIVERY, 20781, coin.nonce, coin.authenticator},
    };
    assert_err(pass_redeem_short(&w->key, &wrong[0]), PASS_KEY);
    assert_err(pass_redeem_short(&w->key, &wrong[1]), PASS_KEY);
    /* the long form under another key's name */
    struct buf b = BUF_INIT;
    struct pass_token token;
    pass_coin_write_token(&b, &w->key.public, &w->coins[0]);
    b.data[PASS_INPUT_BYTES - 1] ^= 1;
    assert_ok(pass_token_parse(buf_view(&b), &token));
    assert_err(pass_redeem(&w->key, &token), PASS_KEY);
    buf_clear(&b);
    struct pass_token voucher = {.token_type = PASS_TYPE_VOUCHER};
    assert_err(pass_redeem(&w->key, &voucher), PASS_TYPE);
    world_free(w);
}

static struct err parse(const struct buf *b)
{
    struct pass_request request;
    return pass_request_parse(buf_view(b), &request);
}

static void requests_refused(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    struct buf *b = &w->request;
    for (size_t len = 0; len < b->len; len++) {
        struct pass_request request;
        assert_false(err_is_ok(pass_request_parse(bytes_of(b->data, len), &request)));
    }
    buf_append_byte(b, 0);
    assert_err(parse(b), WIRE_TRAILING);
    b->len--;
    b->data[1] = 2;
    assert_err(parse(b), PASS_TYPE);
    b->data[1] = 5;
    /* lengths: 2 elements and a half; none; one too many */
    struct buf odd = BUF_INIT;
    buf_append(&odd, b->data, 3 + 2 + 80);
    odd.data[4] = 80;
    assert_err(parse(&odd), PASS_BATCH);
    odd.len = 0;
    buf_append(&odd, "\0\5\0\0", 4);
    assert_err(parse(&odd), PASS_BATCH);
    odd.len = 0;
    buf_append(&odd, "\0\5\0\x4c\xa0", 5);
    assert_non_null(buf_extend(&odd, 101 * 32));
    assert_err(parse(&odd), PASS_BATCH);
    buf_clear(&odd);
    /* another key's last byte */
    struct pass_request request;
    assert_ok(pass_request_parse(buf_view(b), &request));
    request.key_tag ^= 1;
    size_t before = w->response.len;
    assert_err(pass_issue(&w->key, &w->rng, &request, &w->response), PASS_KEY);
    /* an element that is none: nothing is appended */
    request.key_tag ^= 1;
    memset(b->data + 5 + 64, 0xff, 32);
    assert_err(pass_issue(&w->key, &w->rng, &request, &w->response), CRYPTO_ELEMENT);
    memset(b->data + 5 + 64, 0, 32);
    assert_err(pass_issue(&w->key, &w->rng, &request, &w->response), CRYPTO_ELEMENT);
    assert_int_equal(w->response.len, before);
    /* no room: nothing either */
    memcpy(b->data + 5 + 64, b->data + 5, 32);
    struct buf small = {.limit = 100};
    assert_non_null(buf_extend(&small, 60));
    assert_err(pass_issue(&w->key, &w->rng, &request, &small), TOO_LARGE);
    assert_int_equal(small.len, 60);
    buf_clear(&small);
    world_free(w);
}

static void responses_refused(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    struct buf *b = &w->response;
    memset(w->coins, 0x55, sizeof w->coins);
    for (size_t len = 0; len < b->len; len++)
        assert_false(err_is_ok(pass_order_finish(&w->order, bytes_of(b->data, len), w->coins)));
    buf_append_byte(b, 0);
    assert_err(pass_order_finish(&w->order, buf_view(b), w->coins), WIRE_TRAILING);
    b->len--;
    for (size_t i = 2; i < b->len; i++) {
        b->data[i] ^= 1;
        struct err err = pass_order_finish(&w->order, buf_view(b), w->coins);
        assert_true(err.code == ERR_CRYPTO_PROOF || err.code == ERR_CRYPTO_ELEMENT);
        b->data[i] ^= 1;
    }
    /* two answers for three, proved by themselves */
    struct pass_request request;
    struct buf fewer = BUF_INIT;
    assert_ok(pass_request_parse(buf_view(&w->request), &request));
    request.count = 2;
    assert_ok(pass_issue(&w->key, &w->rng, &request, &fewer));
    assert_err(pass_order_finish(&w->order, buf_view(&fewer), w->coins), PASS_BATCH);
    buf_clear(&fewer);
    /* and a fourth, which is nobody's, between the three and their proof */
    struct buf more = BUF_INIT;
    buf_append(&more, "\x40\x80", 2);
    buf_append(&more, b->data + 2, 96);
    buf_append(&more, b->data + 2, 32);
    buf_append(&more, b->data + 2 + 96, 64);
    assert_err(pass_order_finish(&w->order, buf_view(&more), w->coins), PASS_BATCH);
    buf_clear(&more);
    for (size_t i = 0; i < sizeof w->coins; i++)
        assert_int_equal(((const uint8_t *)w->coins)[i], 0x55);
    assert_ok(pass_order_finish(&w->order, buf_view(b), w->coins));
    pass_order_clear(&w->order);
    assert_err(pass_order_finish(&w->order, buf_view(b), w->coins), PASS_BATCH);
    world_free(w);
}

static struct err failing_rng(void *self, uint8_t *out, size_t len)
{
    size_t *left = self;
    if ((*left)-- == 0)
        return ERR(IO);
    memset(out, 1, len);
    return ERR_OK;
}

static void orders_refused(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    assert_err(pass_order_init(&w->key.public, 0, &w->rng, &w->order), PASS_BATCH);
    assert_err(pass_order_init(&w->key.public, PASS_BATCH_MAX + 1, &w->rng, &w->order), PASS_BATCH);
    for (size_t good = 0; good < 4; good++) { /* nonces, then three blinds */
        size_t left = good;
        const struct rng rng = {failing_rng, &left};
        memset(&w->order, 0x55, sizeof w->order);
        assert_err(pass_order_init(&w->key.public, 3, &rng, &w->order), IO);
        for (size_t i = 0; i < sizeof w->order; i++)
            assert_int_equal(((const uint8_t *)&w->order)[i], 0);
    }
    world_free(w);
}

static void periods(void **state)
{
    (void)state;
    const uint64_t day = 20780, start = day * PASS_DAY_S;
    assert_int_equal(pass_period_at(start), day);
    assert_int_equal(pass_period_at(start - 1), day - 1);
    assert_int_equal(pass_period_at(UINT64_MAX), UINT32_MAX);
    assert_false(pass_issuable(20780, start - PASS_DAY_S - 1));
    assert_true(pass_issuable(20780, start - PASS_DAY_S));
    assert_true(pass_issuable(20780, start + PASS_DAY_S - 1));
    assert_false(pass_issuable(20780, start + PASS_DAY_S));
    assert_false(pass_redeemable(20780, start - 1));
    assert_true(pass_redeemable(20780, start));
    assert_true(pass_redeemable(20780, start + 2 * PASS_DAY_S - 1));
    assert_false(pass_redeemable(20780, start + 2 * PASS_DAY_S));
    /* at the ends nothing wraps */
    assert_false(pass_redeemable(UINT32_MAX, 0));
    assert_false(pass_issuable(0, UINT64_MAX));
}

static void spent_tags(void **state)
{
    (void)state;
    uint8_t secret[32] = {1}, nonce[32] = {2}, a[16], b[16];
    pass_spent_tag(secret, nonce, a);
    pass_spent_tag(secret, nonce, b);
    assert_memory_equal(a, b, 16);
    nonce[31] = 1;
    pass_spent_tag(secret, nonce, b);
    assert_memory_not_equal(a, b, 16);
    nonce[31] = 0;
    secret[31] = 1;
    pass_spent_tag(secret, nonce, b);
    assert_memory_not_equal(a, b, 16);
}

/* The issuer's only allocation is the response's buffer. */
static void memory(void **state)
{
    (void)state;
    if (!test_can_fail_allocations())
        skip();
    struct world *w = world_new(2);
    struct pass_request request;
    assert_ok(pass_request_parse(buf_view(&w->request), &request));
    for (long n = 0;; n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        struct err err = pass_issue(&w->key, &w->rng, &request, &b);
        bool failed = test_allocation_failed();
        assert_int_equal(err.code, failed ? ERR_NO_MEMORY : ERR_NONE);
        assert_int_equal(b.len, failed ? 0 : w->response.len);
        buf_clear(&b);
        if (!failed)
            break;
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),       cmocka_unit_test(bound),
        cmocka_unit_test(requests_refused), cmocka_unit_test(responses_refused),
        cmocka_unit_test(orders_refused),   cmocka_unit_test(periods),
        cmocka_unit_test(spent_tags),       cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
