#include "crypto/argon2.h"
#include "support/test.h"

static const uint8_t salt[ARGON2_SALT_BYTES] = {'s', 'o', 'm', 'e', 's', 'a', 'l', 't',
                                                's', 'o', 'm', 'e', 's', 'a', 'l', 't'};

/* Number from another implementation: npm hash-wasm 4, argon2id, 2 passes, 64 MiB, one lane. */
static void test_number(void **state)
{
    (void)state;
    uint8_t out[32];
    assert_ok(argon2id(bytes_str("password"), salt, sizeof out, out));
    test_assert_hex(bytes_of(out, sizeof out),
                    "fc33b78139231d34b71626bd6245c1d72efa190ad605c3d8166a72adcedfa2c2");
}

static void test_arguments(void **state)
{
    (void)state;
    uint8_t out[16] = {7}, other[16];
    assert_err(argon2id(bytes_str("password"), salt, 15, out), ARGUMENT);
    assert_int_equal(out[0], 7);
    assert_ok(argon2id(bytes_of(NULL, 0), salt, 16, out));
    assert_ok(argon2id(bytes_str("x"), salt, 16, other));
    assert_memory_not_equal(out, other, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
