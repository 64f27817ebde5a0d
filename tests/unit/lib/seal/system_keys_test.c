/* Values of system labels: every key that was written is found, nothing else is. */
#include "seal/system_keys.h"

#include "support/test.h"
#include "wire/writer.h"

static void labels(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    assert_ptr_equal(system_label_of(1), system_label_of(2)); /* both credentials */
    assert_null(system_label_of(0));
    assert_null(system_label_of(5)); /* the log's own */
    assert_null(system_label_of(9));
    for (size_t i = 0; system_labels[i] != NULL; i++) {
        b.len = 0;
        system_label_write(&b, system_labels[i]);
        assert_true(b.len > 1 && b.len <= SYSTEM_LABEL_MAX_BYTES);
        assert_int_equal(b.data[0], SYSTEM_LABEL_KIND);
        bool used = false;
        for (unsigned use = 0; use < 256; use++)
            used |= system_label_of(use) == system_labels[i];
        assert_true(used);
    }
    buf_clear(&b);
}

static void keys(void **state)
{
    (void)state;
    const struct system_key a = {4, 0x0807, bytes_str("key of 32 bytes, or of any length")};
    const struct system_key b = {4, 0x0807, bytes_str("another")};
    struct system_key parsed[SYSTEM_KEYS_MOST], other = a;
    struct buf value = BUF_INIT;
    size_t count = 99;
    assert_ok(system_keys_parse(buf_view(&value), parsed, &count));
    assert_int_equal(count, 0);
    assert_err(system_keys_find(buf_view(&value), &a), NOT_FOUND);
    system_key_write(&value, &a);
    system_key_write(&value, &b);
    assert_ok(system_keys_parse(buf_view(&value), parsed, &count));
    assert_int_equal(count, 2);
    test_assert_bytes(parsed[1].key, b.key);
    assert_ok(system_keys_find(buf_view(&value), &a));
    assert_ok(system_keys_find(buf_view(&value), &b));
    other.use = 3; /* the same key for something else is another key */
    assert_err(system_keys_find(buf_view(&value), &other), NOT_FOUND);
    other = a;
    other.algorithm = 0x0020;
    assert_err(system_keys_find(buf_view(&value), &other), NOT_FOUND);
    other = a;
    other.key.len--;
    assert_err(system_keys_find(buf_view(&value), &other), NOT_FOUND);
    for (size_t len = 1; len < value.len; len++) {
        size_t whole = 3 + 1 + a.key.len;
        bool cut = len != whole;
        assert_int_equal(err_is_ok(system_keys_parse(bytes_of(value.data, len), parsed, &count)),
                         !cut);
    }
    buf_clear(&value);
}

static void too_many(void **state)
{
    (void)state;
    const struct system_key a = {8, 0, bytes_str("k")};
    struct system_key parsed[SYSTEM_KEYS_MOST];
    struct buf value = BUF_INIT;
    size_t count;
    for (int i = 0; i < SYSTEM_KEYS_MOST; i++)
        system_key_write(&value, &a);
    assert_ok(system_keys_parse(buf_view(&value), parsed, &count));
    assert_int_equal(count, SYSTEM_KEYS_MOST);
    system_key_write(&value, &a);
    assert_err(system_keys_parse(buf_view(&value), parsed, &count), WIRE_LIMIT);
    buf_clear(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels), cmocka_unit_test(keys),
                                       cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
