/* Vouchers between three parties of our own; RFC 9578's numbers are read by rfc9578_vectors_test.
 */
#include "pass/voucher.h"
#include "support/test.h"

static struct blind_rsa_key key, other;

static int make_keys(void **state)
{
    (void)state;
    return !err_is_ok(blind_rsa_key_generate(&key)) || !err_is_ok(blind_rsa_key_generate(&other));
}

static int clear_keys(void **state)
{
    (void)state;
    blind_rsa_key_clear(&key);
    blind_rsa_key_clear(&other);
    return 0;
}

static void digest_of(const char *home, const char *visited, uint8_t class, uint32_t week,
                      uint8_t ret[32])
{
    assert_ok(pass_voucher_digest(bytes_str(home), bytes_str(visited), class, week, ret));
}

static void round_trip(void **state)
{
    (void)state;
    uint8_t digest[32], wrong[32], response[256], voucher[PASS_VOUCHER_BYTES];
    struct pass_voucher_order order;
    struct buf request = BUF_INIT;
    digest_of("a.test", "b.test", PASS_DELIVERY, 2968, digest);
    assert_ok(pass_voucher_order_init(&key.public, digest, &rng_system, &order));
    pass_voucher_order_write(&order, &request);
    assert_int_equal(request.len, PASS_VOUCHER_REQUEST_BYTES);
    assert_ok(pass_voucher_issue(&key, buf_view(&request), response));
    assert_ok(pass_voucher_order_finish(&order, &key.public, bytes_of(response, 256), voucher));
    struct pass_token token;
    assert_ok(pass_token_parse(bytes_of(voucher, sizeof voucher), &token));
    assert_ok(pass_voucher_check(&key.public, digest, &token));
    /* good at one server, for one class, in one week, under one key */
    static const struct {
        const char *home, *visited;
        uint8_t class;
        uint32_t week;
    } others[] = {{"c.test", "b.test", PASS_DELIVERY, 2968},
                  {"a.test", "c.test", PASS_DELIVERY, 2968},
                  {"a.test", "b.test", PASS_QUEUE, 2968},
                  {"a.test", "b.test", PASS_DELIVERY, 2969}};
    for (size_t i = 0; i < 4; i++) {
        digest_of(others[i].home, others[i].visited, others[i].class, others[i].week, wrong);
        assert_err(pass_voucher_check(&key.public, wrong, &token), PASS_KEY);
    }
    assert_err(pass_voucher_check(&other.public, digest, &token), PASS_KEY);
    for (size_t i = 2; i < sizeof voucher; i += 11) {
        voucher[i] ^= 1;
        struct err err = pass_voucher_check(&key.public, digest, &token);
        assert_int_equal(err.code, i >= 34 && i < 98 ? ERR_PASS_KEY : ERR_PASS_TOKEN);
        voucher[i] ^= 1;
    }
    assert_ok(pass_voucher_check(&key.public, digest, &token));
    token.token_type = PASS_TYPE_TOKEN;
    assert_err(pass_voucher_check(&key.public, digest, &token), PASS_TYPE);
    buf_clear(&request);
    pass_voucher_order_clear(&order);
}

static void refused(void **state)
{
    (void)state;
    uint8_t digest[32], response[257], voucher[PASS_VOUCHER_BYTES];
    struct pass_voucher_order order;
    struct buf request = BUF_INIT;
    digest_of("a.test", "b.test", PASS_DELIVERY, 2968, digest);
    assert_ok(pass_voucher_order_init(&key.public, digest, &rng_system, &order));
    pass_voucher_order_write(&order, &request);
    for (size_t len = 0; len < request.len; len++)
        assert_err(pass_voucher_issue(&key, bytes_of(request.data, len), response), WIRE_SHORT);
    buf_append_byte(&request, 0);
    assert_err(pass_voucher_issue(&key, buf_view(&request), response), WIRE_TRAILING);
    request.len--;
    request.data[1] = 5;
    assert_err(pass_voucher_issue(&key, buf_view(&request), response), PASS_TYPE);
    request.data[1] = 2;
    request.data[2] ^= 1;
    assert_err(pass_voucher_issue(&key, buf_view(&request), response), PASS_KEY);
    request.data[2] ^= 1;
    assert_ok(pass_voucher_issue(&key, buf_view(&request), response));
    memset(request.data + 3, 0xff, 256);
    assert_err(pass_voucher_issue(&key, buf_view(&request), response), ARGUMENT);

    memset(voucher, 0x55, sizeof voucher);
    assert_err(pass_voucher_order_finish(&order, &key.public, bytes_of(response, 255), voucher),
               WIRE_SHORT);
    assert_err(pass_voucher_order_finish(&order, &key.public, bytes_of(response, 257), voucher),
               WIRE_TRAILING);
    response[100] ^= 1;
    assert_err(pass_voucher_order_finish(&order, &key.public, bytes_of(response, 256), voucher),
               CRYPTO_SIGNATURE);
    for (size_t i = 0; i < sizeof voucher; i++)
        assert_int_equal(voucher[i], 0x55);

    char longer[255] = {0};
    memset(longer, 'a', 254);
    const struct bytes domain = bytes_str("a.test"), none = {NULL, 0};
    assert_err(pass_voucher_digest(bytes_str(longer), domain, 1, 1, digest), ARGUMENT);
    assert_err(pass_voucher_digest(domain, bytes_str(longer), 1, 1, digest), ARGUMENT);
    assert_err(pass_voucher_digest(none, domain, 1, 1, digest), ARGUMENT);
    assert_err(pass_voucher_digest(domain, none, 1, 1, digest), ARGUMENT);
    assert_err(pass_voucher_digest(domain, domain, 0, 1, digest), ARGUMENT);
    assert_err(pass_voucher_digest(domain, domain, PASS_CLASS_END, 1, digest), ARGUMENT);
    buf_clear(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, make_keys, clear_keys);
}
