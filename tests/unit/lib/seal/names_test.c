#include "support/test.h"

#include "seal/names.h"
#include "wire/writer.h"

static bool fits(const char *domain, bool development)
{
    struct err err = domain_check(bytes_str(domain), development);
    if (!err_is_ok(err))
        assert_err(err, DOMAIN);
    return err_is_ok(err);
}

static void test_domains(void **state)
{
    (void)state;
    static const char *const good[] = {"example.org", "a.b.c.example", "xn--bcher-kva.example",
                                       "3.example",   "a--b.example",  "x1.y2"};
    static const char *const bad[] = {"",
                                      ".",
                                      "example",
                                      "example.",
                                      ".example",
                                      "a..b",
                                      "Example.org",
                                      "ex_ample.org",
                                      "-a.example",
                                      "a-.example",
                                      "127.0.0.1",
                                      "127.1",
                                      "0x7f.0x1",
                                      "1.2.3.4a",
                                      "[::1]",
                                      "::1",
                                      "a.example:443",
                                      "a b.example",
                                      "b\xc3\xbc.example",
                                      "a.3com"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(fits(good[i], false));
        assert_true(fits(good[i], true));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(fits(bad[i], false));
        assert_false(fits(bad[i], true));
    }
    assert_err(domain_check(bytes_of("a\0b.example", 11), true), DOMAIN);
    assert_err(domain_check(bytes_of(NULL, 0), true), DOMAIN);
}

static void test_development(void **state)
{
    (void)state;
    static const char *const only_then[] = {"localhost", "a.localhost", "a.test", "x.y.test"};
    for (size_t i = 0; i < sizeof only_then / sizeof only_then[0]; i++) {
        assert_true(fits(only_then[i], true));
        assert_false(fits(only_then[i], false));
    }
    assert_false(fits("test", true));
    assert_true(fits("localhost.example", false));
}

static void test_lengths(void **state)
{
    (void)state;
    /* a label of 63 and of 64 */
    char name[300];
    memset(name, 'a', sizeof name);
    strcpy(name + 63, ".example");
    assert_true(fits(name, false));
    memset(name, 'a', 64);
    strcpy(name + 64, ".example");
    assert_false(fits(name, false));
    /* 253 and 254 bytes in all */
    memset(name, 'a', sizeof name);
    for (size_t i = 1; i < 252; i += 2)
        name[i] = '.';
    name[253] = 0;
    assert_int_equal(strlen(name), 253);
    assert_true(fits(name, false));
    memmove(name + 1, name, 254);
    assert_false(fits(name, false));
}

static const uint8_t uuid[UUID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t other[UUID_BYTES] = {0xf1, 0xf2};

static void test_round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct client_id id = {{uuid, bytes_str("a.example")}, other}, got;
    client_id_write(&b, &id);
    test_assert_hex(buf_view(&b), "0102030405060708090a0b0c0d0e0f1009612e6578616d706c65"
                                  "f1f20000000000000000000000000000");
    assert_ok(client_id_parse(buf_view(&b), &got));
    assert_memory_equal(got.user.uuid, uuid, UUID_BYTES);
    test_assert_bytes(got.user.domain, bytes_str("a.example"));
    assert_memory_equal(got.client, other, UUID_BYTES);

    struct domain_name name;
    assert_ok(domain_name_parse(bytes_of(b.data, 26), &name));
    assert_err(domain_name_parse(buf_view(&b), &name), WIRE_TRAILING);
    buf_clear(&b);
}

static void test_refused(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct client_id id = {{uuid, bytes_str("a.example")}, other}, got;
    client_id_write(&b, &id);
    for (size_t len = 0; len < b.len; len++)
        assert_err(client_id_parse(bytes_of(b.data, len), &got), WIRE_SHORT);
    buf_append_byte(&b, 0);
    assert_err(client_id_parse(buf_view(&b), &got), WIRE_TRAILING);
    b.data[17] = 'A';
    b.len--;
    assert_err(client_id_parse(buf_view(&b), &got), DOMAIN);
    /* a length in more bytes than it needs would be a second name of one user */
    buf_clear(&b);
    buf_append(&b, uuid, UUID_BYTES);
    wire_write_u16(&b, 0x4009);
    buf_append_bytes(&b, bytes_str("a.example"));
    struct domain_name name;
    assert_err(domain_name_parse(buf_view(&b), &name), WIRE_VARINT);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains), cmocka_unit_test(test_development),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
