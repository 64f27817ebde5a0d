#include "crypto/hash.h"
#include "seal/contact_token.h"
#include "support/damage.h"
#include "support/test.h"

static const uint8_t key[CONTACT_KEY_BYTES] = {1, 2, 3};
static const uint8_t id[CONTACT_ID_BYTES] = {9, 8, 7};

static void form(void **state)
{
    (void)state;
    uint8_t token[CONTACT_TOKEN_BYTES];
    struct digest mac;
    contact_token_make(key, id, token);
    assert_memory_equal(token, id, CONTACT_ID_BYTES);
    hmac_once(&hash_sha256, bytes_of(key, sizeof key),
              BYTES_LIST(bytes_str("Hearth 1 ContactToken"), bytes_of(id, sizeof id)), &mac);
    assert_memory_equal(token + CONTACT_ID_BYTES, mac.data, 32);
    assert_ok(contact_token_verify(key, token));
    contact_token_make(key, token, token); /* in place */
    assert_ok(contact_token_verify(key, token));
}

static bool refused(void *self, struct bytes damaged)
{
    (void)self;
    return damaged.len != CONTACT_TOKEN_BYTES ||
           contact_token_verify(key, damaged.data).code == ERR_CRYPTO_TAG;
}

static void damage_is_refused(void **state)
{
    (void)state;
    uint8_t token[CONTACT_TOKEN_BYTES];
    contact_token_make(key, id, token);
    test_each_damage(bytes_of(token, sizeof token), 100000, refused, NULL);
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        uint8_t other[CONTACT_KEY_BYTES];
        memcpy(other, key, sizeof key);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_err(contact_token_verify(other, token), CRYPTO_TAG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
