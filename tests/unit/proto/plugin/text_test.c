#include "support/test.h"

#include "proto/plugin/text.h"

static void assert_text(struct buf *out, const char *want)
{
    buf_append_byte(out, 0);
    assert_ok(buf_check(out));
    assert_string_equal((const char *)out->data, want);
    buf_clear(out);
}

static void templates(void **state)
{
    (void)state;
    const struct text_var vars[] = {{"a", "one"}, {"ab", "$b$"}, {NULL, NULL}};
    struct buf out = BUF_INIT;
    text_fill(&out, "x $a$$ab$ y", vars);
    assert_text(&out, "x one$b$ y"); /* values are not looked into */
    text_fill(&out, "$c$", vars);
    assert_true(out.failed);
    buf_clear(&out);
    text_fill(&out, "$a", vars);
    assert_true(out.failed);
    buf_clear(&out);
}

static void comments_can_not_end_or_open(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {" one\n two  \n\n three\n", "* one\n* two\n*\n* three\n"},
        {"*/", "* * /\n"},
        {"/*", "* / *\n"},
        {"/*/*/", "* / * / * /\n"},
        {"**//", "* ** //\n"},
        {"?"
         "?/",
         "* ? ?/\n"},
        {"\x01\x7f\xff\xc0\xaf\xed\xa0\x80", "* ????????\n"},
        {"\xe2\x80\xae x", "* ??? x\n"}, /* right-to-left override */
        {"\xc2\x9b", "* ??\n"},          /* a C1 control */
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\xa5", "* \xc3\xa9\xe2\x82\xac\xf0\x9f\x94\xa5\n"},
        {"", ""},
        {"end\\", "* end\\\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT;
        text_comment(&out, "* ", cases[i].in);
        assert_text(&out, cases[i].out);
    }
}

static void markdown_has_no_html_and_cells_one_line(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    text_markdown(&out, " a <b> & | c\n d\n");
    assert_text(&out, "a &lt;b> &amp; \\| c\nd\n");
    text_markdown_cell(&out, " a | b\n   c\n");
    assert_text(&out, "a \\| b c");
}

static void byte_arrays(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    uint8_t data[17];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 15);
    text_bytes(&out, bytes_of(data, sizeof data));
    assert_text(
        &out, "\n    0x00, 0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, "
              "0xc3, 0xd2, 0xe1,\n    0xf0,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates),
        cmocka_unit_test(comments_can_not_end_or_open),
        cmocka_unit_test(markdown_has_no_html_and_cells_one_line),
        cmocka_unit_test(byte_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
