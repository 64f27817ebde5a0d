#include "support/test.h"

#include "golden/rules.pb-c.h"
#include "pb/shape.h"

#define TREE &hearth__golden__v1__tree__descriptor

/* A Tree with `levels` of children below it: field 2 within field 2. */
static void nest(struct buf *out, size_t levels)
{
    struct buf inner = BUF_INIT;
    for (size_t i = 0; i < levels; i++) {
        struct buf outer = BUF_INIT;
        buf_append_byte(&outer, 2 << 3 | 2);
        for (size_t len = inner.len;; len >>= 7) {
            buf_append_byte(&outer, (uint8_t)((len & 0x7f) | (len > 0x7f ? 0x80 : 0)));
            if (len <= 0x7f)
                break;
        }
        buf_append_bytes(&outer, buf_view(&inner));
        buf_clear(&inner);
        inner = outer;
    }
    *out = inner;
}

static void depth_is_counted(void **state)
{
    (void)state;
    for (unsigned levels = 0; levels < 300; levels += 7) {
        struct buf tree;
        nest(&tree, levels);
        assert_true(shape_fits(TREE, buf_view(&tree), levels + 1));
        assert_false(shape_fits(TREE, buf_view(&tree), levels));
        buf_clear(&tree);
    }
}

/* Half a million levels would run the stack over if they were followed. */
static void endless_depth_is_refused(void **state)
{
    (void)state;
    enum { LEVELS = 100000 };
    static uint8_t deep[LEVELS * 5];
    size_t len = 0;
    uint8_t *at = deep + sizeof deep;
    for (size_t i = 0; i < LEVELS && at - deep >= 5; i++) {
        uint8_t head[5] = {2 << 3 | 2};
        size_t size = 1;
        size_t left = len;
        do {
            head[size++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
            left >>= 7;
        } while (left > 0);
        at -= size;
        memcpy(at, head, size);
        len += size;
    }
    assert_false(shape_fits(TREE, bytes_of(at, len), SHAPE_DEPTH));
}

static void broken_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "80", /* a key that goes on */
        "00", /* field 0 */
        "0b",
        "0c",
        "0e",
        "0f",                     /* groups and wire types that don't exist */
        "08",                     /* a varint that isn't there */
        "08ffffffffffffffffffff", /* one of more than 10 bytes */
        "09000000",
        "0d0000", /* fixed, cut short */
        "1202",
        "120208",                 /* a length beyond the end */
        "12ffffffffffffffffff01", /* a length of 2^64-1 */
        "120108",                 /* broken inside a child */
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct buf in = test_unhex(broken[i]);
        assert_false(shape_fits(TREE, buf_view(&in), SHAPE_DEPTH));
        buf_clear(&in);
    }
    /* unknown fields of all kinds are stepped over, also where a message is sent as a number */
    struct buf in = test_unhex("1000"
                               "7801"
                               "79"
                               "0000000000000000"
                               "7d00000000"
                               "7a0180");
    assert_true(shape_fits(TREE, buf_view(&in), 1));
    buf_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_counted),
        cmocka_unit_test(endless_depth_is_refused),
        cmocka_unit_test(broken_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
