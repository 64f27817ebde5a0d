/* The two packages of fixed size: what a contact gets, and what a joiner gets. */
#include "seal/friendship.h"
#include "seal/welcome_keys.h"
#include "support/test.h"

static void friendships(void **state)
{
    (void)state;
    struct friendship made, read;
    struct buf b = BUF_INIT;
    uint8_t *bytes = (uint8_t *)&made;
    for (size_t i = 0; i < sizeof made; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    friendship_write(&b, &made);
    assert_int_equal(b.len, FRIENDSHIP_BYTES);
    assert_int_equal(FRIENDSHIP_BYTES, 129);
    assert_ok(friendship_parse(buf_view(&b), &read));
    assert_memory_equal(&made, &read, sizeof made);
    /* where each stands */
    assert_memory_equal(b.data + 1, made.queue_user_id, 16);
    assert_memory_equal(b.data + 17, made.contact_token, 48);
    assert_memory_equal(b.data + 65, made.friendship_key, 32);
    assert_memory_equal(b.data + 97, made.profile_base_key, 32);
    for (size_t len = 0; len < b.len; len++) {
        struct friendship none = {0}, part;
        struct wire_reader r = wire_reader_of(bytes_of(b.data, len));
        assert_err(friendship_parse(bytes_of(b.data, len), &read), WIRE_SHORT);
        friendship_read(&r, &part);
        assert_memory_equal(&part, &none, sizeof part);
    }
    assert_memory_equal(&made, &read, sizeof made); /* untouched */
    buf_append_byte(&b, 0);
    assert_err(friendship_parse(buf_view(&b), &read), WIRE_TRAILING);
    b.len--;
    b.data[0] = 2;
    assert_err(friendship_parse(buf_view(&b), &read), WIRE_VALUE);
    buf_clear(&b);
}

static void joiners_keys(void **state)
{
    (void)state;
    struct welcome_keys made, read;
    struct buf b = BUF_INIT;
    memset(made.state_key, 1, sizeof made.state_key);
    memset(made.identity_key, 2, sizeof made.identity_key);
    welcome_keys_write(&b, &made);
    assert_int_equal(b.len, WELCOME_KEYS_BYTES);
    assert_ok(welcome_keys_read(buf_view(&b), &read));
    assert_memory_equal(&made, &read, sizeof made);
    assert_int_equal(b.data[1], 1);
    assert_int_equal(b.data[33], 2);
    for (size_t len = 0; len < b.len; len++)
        assert_err(welcome_keys_read(bytes_of(b.data, len), &read), WIRE_SHORT);
    buf_append_byte(&b, 0);
    assert_err(welcome_keys_read(buf_view(&b), &read), WIRE_TRAILING);
    b.len--;
    b.data[0] = 0;
    assert_err(welcome_keys_read(buf_view(&b), &read), WIRE_VALUE);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(friendships),
        cmocka_unit_test(joiners_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
