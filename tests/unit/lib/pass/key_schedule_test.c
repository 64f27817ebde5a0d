/* Keys by day: reproducible forwards, gone backwards, and told apart by one byte. */
#include "pass/key_schedule.h"
#include "support/test.h"

static const struct pass_master first = {20780, {1, 2, 3}};

static struct pass_issuer_key key_of(const struct pass_master *master, uint8_t class,
                                     uint32_t period)
{
    struct pass_issuer_key key;
    assert_ok(pass_master_key(master, bytes_str("a.test"), class, period, &key));
    return key;
}

/* Worked out with Python (hashlib, hmac) and libsodium's scalar arithmetic through ctypes: a stored
 * master must give the same keys in all versions to come. */
static void numbers(void **state)
{
    (void)state;
    struct pass_master m = first;
    assert_ok(pass_master_advance(&m, 20782));
    test_assert_hex(bytes_of(m.secret, 32),
                    "1c8d00386fcb6ab2a8f2f26859c483f4b45bf0c39d8fa884406d3275a4380569");
    struct pass_issuer_key key = key_of(&first, PASS_QUEUE, 20781);
    test_assert_hex(bytes_of(key.voprf.public_key, 32),
                    "768a04c2b53d1ab8aa83d3d0a29f66fce6ae9c0fca89abda3ba433ae74aff960");
}

/* Yesterday's master gives today's keys, today's the same; nobody's gives yesterday's. */
static void forward_only(void **state)
{
    (void)state;
    struct pass_master m = first;
    struct pass_issuer_key ahead = key_of(&first, PASS_AUTH, 20790);
    struct pass_issuer_key key;
    assert_ok(pass_master_advance(&m, 20785));
    assert_int_equal(m.period, 20785);
    assert_memory_not_equal(m.secret, first.secret, 32);
    struct pass_issuer_key later = key_of(&m, PASS_AUTH, 20790);
    assert_memory_equal(&later.voprf, &ahead.voprf, sizeof ahead.voprf);
    struct pass_master kept = m;
    assert_err(pass_master_advance(&m, 20784), ARGUMENT);
    assert_err(pass_master_advance(&m, 20785 + PASS_MASTER_ADVANCE_MAX + 1), ARGUMENT);
    assert_err(pass_master_advance(&m, UINT32_MAX), ARGUMENT);
    assert_ok(pass_master_advance(&m, 20785));
    assert_memory_equal(&m, &kept, sizeof m);
    assert_err(pass_master_key(&m, bytes_str("a.test"), PASS_AUTH, 20784, &key), ARGUMENT);
    assert_err(pass_master_key(&m, bytes_str("a.test"), 0, 20785, &key), ARGUMENT);
    assert_err(pass_master_key(&m, bytes_str("a.test"), PASS_CLASS_END, 20785, &key), ARGUMENT);
    assert_err(pass_master_key(&m, bytes_of(NULL, 0), PASS_AUTH, 20785, &key), ARGUMENT);
    assert_ok(pass_master_advance(&m, 20785 + PASS_MASTER_ADVANCE_MAX));
    pass_master_clear(&m);
    assert_int_equal(m.period | m.secret[0], 0);
}

/* Of any three days in a row, the fifteen keys have fifteen last bytes. */
static void tags(void **state)
{
    (void)state;
    enum { DAYS = 12, CLASSES = PASS_CLASS_END - 1 };
    uint8_t tag[DAYS][CLASSES];
    for (uint32_t day = 0; day < DAYS; day++)
        for (uint8_t c = 0; c < CLASSES; c++) {
            struct pass_issuer_key key = key_of(&first, (uint8_t)(c + 1), first.period + day);
            tag[day][c] = pass_issuer_key_tag(&key);
            assert_int_equal(tag[day][c] % 16, pass_key_slot((uint8_t)(c + 1), first.period + day));
        }
    for (size_t a = 0; a < DAYS * CLASSES; a++)
        for (size_t b = 0; b < a; b++)
            if (a / CLASSES - b / CLASSES <= 2)
                assert_int_not_equal(tag[a / CLASSES][a % CLASSES], tag[b / CLASSES][b % CLASSES]);
}

/* Another master, class or day: another key. */
static void differ(void **state)
{
    (void)state;
    struct pass_master fresh;
    assert_ok(pass_master_new(&rng_system, first.period, &fresh));
    const struct pass_issuer_key keys[] = {
        key_of(&first, PASS_QUEUE, 20781), key_of(&first, PASS_AUTH, 20781),
        key_of(&first, PASS_QUEUE, 20784), key_of(&fresh, PASS_QUEUE, 20781)};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i].voprf.private_key, keys[j].voprf.private_key, 32);
}

static struct err no_randomness(void *self, uint8_t *out, size_t len)
{
    (void)self;
    (void)out;
    (void)len;
    return ERR(IO);
}

static void randomness(void **state)
{
    (void)state;
    const struct rng rng = {no_randomness, NULL};
    struct pass_master m = first;
    assert_err(pass_master_new(&rng, 1, &m), IO);
    assert_memory_equal(&m, &first, sizeof m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(forward_only), cmocka_unit_test(tags),
        cmocka_unit_test(differ),  cmocka_unit_test(randomness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
