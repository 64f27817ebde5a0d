/* Every code point there and back; what is near a character but none. */
#include "base/utf8.h"
#include "support/test.h"

static size_t encode(uint32_t point, uint8_t *to)
{
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; point >>= 6)
        to[i] = 0x80 | (point & 0x3f);
    to[0] = (uint8_t)(0xf00 >> len) | (uint8_t)point;
    return len;
}

static void test_every_point(void **state)
{
    uint8_t text[5];
    uint32_t point = 0;
    (void)state;
    for (uint32_t want = 0; want < 0x120000; want++) {
        size_t len = encode(want, text);
        bool is = want <= 0x10ffff && (want < 0xd800 || want > 0xdfff);
        size_t got = utf8_next(bytes_of(text, len), &point);
        assert_int_equal(got, is ? len : 0);
        if (is)
            assert_int_equal(point, want);
        assert_int_equal(utf8_next(bytes_of(text, len - 1), &point), 0); /* cut short */
    }
}

static void test_none(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } none[] = {
        {"\x80", 1},
        {"\xbf", 1},
        {"\xff", 1},
        {"\xfe", 1},
        {"\xc0\x80", 2},
        {"\xc1\xbf", 2},
        {"\xe0\x80\x80", 3},
        {"\xe0\x9f\xbf", 3},
        {"\xc3(", 2},
        {"\xe2\x82(", 3},
        {"\xe2(\xa1", 3},
        {"\xf0\x8f\xbf\xbf", 4},
        {"\xc3\xc3", 2},
        {"\xed\xa0\x80", 3},
        {"\xf8\x88\x80\x80", 4},
        {"\xf4\x90\x80\x80", 4},
    };
    uint32_t point = 7;
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct bytes text = bytes_of((const uint8_t *)none[i].text, none[i].len);
        assert_int_equal(utf8_next(text, &point), 0);
        assert_false(utf8_is_well_formed(text));
    }
    assert_int_equal(point, 7);
    assert_true(utf8_is_well_formed(bytes_of(NULL, 0)));
    assert_true(
        utf8_is_well_formed(bytes_str("gr\xc3\xbc\xc3\x9f dich \xe2\x98\x95 \xf0\x9f\x94\xa5")));
    assert_false(utf8_is_well_formed(bytes_str("gut bis hier\xc3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_point),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
