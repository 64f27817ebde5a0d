#include "support/test.h"
#include "tlog/compare.h"

static struct kt_comparison example(void)
{
    struct kt_comparison c = {.head_count = 1};
    c.persons[0] = (struct kt_person){bytes_str("\x01"
                                                "bob"),
                                      2,
                                      {{2}}};
    c.persons[1] = (struct kt_person){bytes_str("\x01"
                                                "alice"),
                                      7,
                                      {{1}}};
    c.heads[0] = (struct kt_head){.origin = bytes_str("a.example/kt/1"),
                                  .window = 83101,
                                  .dist_index = 400,
                                  .log_root = {{3}}};
    return c;
}

/* The formula of transparency.md 11, written out here. */
static void test_code(void **state)
{
    (void)state;
    struct kt_comparison c = example();
    char code[KT_CODE_CHARS + 1];
    struct buf b = BUF_INIT;
    struct digest digest;
    uint8_t hash[32] = {0};
    buf_append(&b, "KTL view 1", 10);
    buf_append(&b,
               "\x04\x01"
               "bob\0\0\0\x02",
               9);
    hash[0] = 2;
    buf_append(&b, hash, 32);
    buf_append(&b,
               "\x06\x01"
               "alice\0\0\0\x07",
               11);
    hash[0] = 1;
    buf_append(&b, hash, 32);
    buf_append(&b,
               "\x0e"
               "a.example/kt/1\0\0\0\0\0\x01\x44\x9d\0\0\0\0\0\0\x01\x90",
               31);
    hash[0] = 3;
    buf_append(&b, hash, 32);
    hash_once(&hash_sha256, buf_view(&b), &digest);
    uint32_t groups[5] = {
        (uint32_t)(digest.data[0] << 12 | digest.data[1] << 4 | digest.data[2] >> 4),
        (uint32_t)((digest.data[2] & 15) << 16 | digest.data[3] << 8 | digest.data[4]),
        (uint32_t)(digest.data[5] << 12 | digest.data[6] << 4 | digest.data[7] >> 4),
        (uint32_t)((digest.data[7] & 15) << 16 | digest.data[8] << 8 | digest.data[9]),
        (uint32_t)(digest.data[10] << 12 | digest.data[11] << 4 | digest.data[12] >> 4),
    };
    assert_ok(kt_comparison_code(&c, code));
    assert_int_equal(strlen(code), KT_CODE_CHARS);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(strtoul(code + 7 * i, NULL, 10), groups[i] % 1000000);
    /* whoever computes it, and whichever way round */
    struct kt_comparison other = c;
    char again[KT_CODE_CHARS + 1];
    other.persons[0] = c.persons[1];
    other.persons[1] = c.persons[0];
    assert_ok(kt_comparison_code(&other, again));
    assert_string_equal(code, again);
    buf_clear(&b);
}

/* Every input counts. */
static void test_differences(void **state)
{
    (void)state;
    struct kt_comparison mine = example(), theirs;
    char code[KT_CODE_CHARS + 1], other[KT_CODE_CHARS + 1];
    assert_ok(kt_comparison_code(&mine, code));
#define DIFFERS(change, how)                                    \
    theirs = mine;                                              \
    change;                                                     \
    assert_ok(kt_comparison_code(&theirs, other));              \
    assert_string_not_equal(code, other);                       \
    assert_int_equal(kt_comparison_judge(&mine, &theirs), how); \
    assert_int_equal(kt_comparison_judge(&theirs, &mine), how)
    DIFFERS(theirs.persons[0].version++, KT_OTHER_KEYS);
    DIFFERS(theirs.persons[1].commitment.data[31] ^= 1, KT_OTHER_KEYS);
    DIFFERS(theirs.persons[1].label = bytes_str("\x01"
                                                "alicia"),
            KT_OTHER_KEYS);
    DIFFERS(theirs.persons[1] = theirs.persons[0], KT_OTHER_KEYS);
    DIFFERS(theirs.heads[0].log_root.data[0] ^= 1, KT_OTHER_LOG);
    DIFFERS(theirs.heads[0].dist_index++, KT_OTHER_LOG);
    DIFFERS(theirs.heads[0].window++, KT_OTHER_LOG);
    DIFFERS(theirs.heads[0].window++; theirs.heads[0].dist_index += 9, KT_OTHER_WINDOW);
    DIFFERS(theirs.heads[0].origin = bytes_str("b.example/kt/1"), KT_OTHER_LOG);
#undef DIFFERS
    theirs = mine;
    assert_int_equal(kt_comparison_judge(&mine, &theirs), KT_AGREE);
}

static void test_qr(void **state)
{
    (void)state;
    for (size_t heads = 1; heads <= 2; heads++) {
        struct kt_comparison c = example(), got;
        struct buf b = BUF_INIT;
        c.head_count = heads;
        c.heads[1] = c.heads[0];
        c.heads[1].origin = bytes_str("b.example/kt/1");
        assert_ok(kt_comparison_write(&b, &c));
        assert_ok(kt_comparison_parse(buf_view(&b), &got));
        assert_int_equal(kt_comparison_judge(&c, &got), KT_AGREE);
        for (size_t len = 0; len < b.len; len++) {
            struct err err = kt_comparison_parse(bytes_of(b.data, len), &got);
            /* cut between two heads it speaks of one log */
            if (err_is_ok(err))
                assert_int_equal(kt_comparison_judge(&c, &got), KT_OTHER_LOG);
        }
        buf_append_byte(&b, 0);
        assert_false(err_is_ok(kt_comparison_parse(buf_view(&b), &got)));
        buf_clear(&b);
        /* not in order */
        c.head_count = 1;
        buf_append(&b, "KTL view 1\x01z\0\0\0\0", 16);
        memset(buf_extend(&b, 32), 0, 32);
        buf_append(&b,
                   "\x01"
                   "a\0\0\0\0",
                   6);
        memset(buf_extend(&b, 32), 0, 32);
        buf_append(&b, "\x01o", 2);
        memset(buf_extend(&b, 48), 0, 48);
        assert_err(kt_comparison_parse(buf_view(&b), &got), WIRE_VALUE);
        b.data[11] = 'a';
        assert_ok(kt_comparison_parse(buf_view(&b), &got)); /* a person with herself */
        buf_clear(&b);
    }
    struct kt_comparison c = example();
    struct buf b = BUF_INIT;
    char code[KT_CODE_CHARS + 1];
    c.head_count = 0;
    assert_err(kt_comparison_write(&b, &c), ARGUMENT);
    assert_err(kt_comparison_code(&c, code), ARGUMENT);
    c = example(); /* two heads of one log; found by fuzzing */
    c.head_count = 2;
    c.heads[1] = c.heads[0];
    c.heads[1].window++;
    assert_err(kt_comparison_write(&b, &c), ARGUMENT);
    c = example();
    c.persons[0].label.len = 0;
    assert_err(kt_comparison_write(&b, &c), ARGUMENT);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_qr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
