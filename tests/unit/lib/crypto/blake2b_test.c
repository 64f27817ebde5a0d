/* Numbers from an independent implementation (Python's hashlib). */
#include "crypto/blake2b.h"
#include "support/test.h"

static void numbers(void **state)
{
    (void)state;
    uint8_t bytes[100], tag[BLAKE2B_TAG_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    blake2b_tag(bytes, bytes_of(bytes, sizeof bytes), tag);
    test_assert_hex(bytes_of(tag, sizeof tag), "2b0bf0188a28496b664870cb481bf849");
    blake2b_tag(bytes, bytes_of(NULL, 0), tag);
    test_assert_hex(bytes_of(tag, sizeof tag), "3daf97bce7888fd59773c66bf647459c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
