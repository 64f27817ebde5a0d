/* Text that strangers chose. */
#include "seal/text.h"

#include "support/test.h"

static void good(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "plain ~ text",
        "Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x94\xa5",
        "\xc2\xa0",         /* U+00A0, the first after the controls */
        "\xdf\xbf",         /* U+07FF */
        "\xe0\xa0\x80",     /* U+0800 */
        "\xed\x9f\xbf",     /* U+D7FF */
        "\xee\x80\x80",     /* U+E000 */
        "\xf0\x90\x80\x80", /* U+10000 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF */
        "\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", /* beside those that turn */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_ok(text_check(bytes_str(texts[i]), false));
        assert_ok(text_check(bytes_str(texts[i]), true));
    }
    assert_ok(text_check(bytes_str("a\nb"), true));
    assert_err(text_check(bytes_str("a\nb"), false), WIRE_VALUE);
}

static void bad(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x1b[2J",
        "\t",
        "\r",
        "\x1f",
        "\x7f",
        "\xc2\x80",
        "\xc2\x9f",
        "\x80", /* no first byte */
        "\xff",
        "\xf8\x88\x80\x80\x80",
        "\xc3", /* cut */
        "\xe2\x82",
        "\xf0\x9f\x94",
        "a\xe2\x82",
        "\xc3\x41", /* no follower */
        "\xe2\x82\xc0",
        "\xc1\xbf", /* overlong */
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* surrogates */
        "\xf4\x90\x80\x80",
        "\xf7\xbf\xbf\xbf", /* above */
        "\xe2\x80\xaa",
        "\xe2\x80\xae",
        "\xe2\x81\xa6",
        "\xe2\x81\xa9", /* that turn */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_err(text_check(bytes_str(texts[i]), false), WIRE_VALUE);
        assert_err(text_check(bytes_str(texts[i]), true), WIRE_VALUE);
    }
    assert_err(text_check(bytes_of("a\0b", 3), true), WIRE_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
