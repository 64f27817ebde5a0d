#include "support/test.h"
#include "wire/reader.h"
#include "wire/writer.h"

static void integers_round_trip(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    wire_write_u8(&b, 0xab);
    wire_write_u16(&b, 0x1234);
    wire_write_u32(&b, 0xdeadbeef);
    wire_write_u64(&b, 0x0123456789abcdef);
    wire_write_present(&b, true);
    assert_ok(buf_check(&b));
    struct wire_reader r = wire_reader_of(buf_view(&b));
    assert_int_equal(wire_read_u8(&r), 0xab);
    assert_int_equal(wire_read_u16(&r), 0x1234);
    assert_int_equal(wire_read_u32(&r), 0xdeadbeef);
    assert_int_equal(wire_read_u64(&r), 0x0123456789abcdef);
    assert_true(wire_read_present(&r));
    assert_ok(wire_reader_end(&r));
    buf_clear(&b);
}

/* The examples of RFC 9420 2.1.2 and the borders of each size. */
static void varints(void **state)
{
    (void)state;
    static const struct {
        uint32_t value;
        const char *hex;
    } cases[] = {{0, "00"},
                 {37, "25"},
                 {63, "3f"},
                 {64, "4040"},
                 {15293, "7bbd"},
                 {16383, "7fff"},
                 {16384, "80004000"},
                 {494878333, "9d7f3e7d"},
                 {(1u << 30) - 1, "bfffffff"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        struct buf want = test_unhex(cases[i].hex);
        wire_write_varint(&b, cases[i].value);
        assert_int_equal(b.len, want.len);
        assert_memory_equal(b.data, want.data, b.len);
        struct wire_reader r = wire_reader_of(buf_view(&want));
        assert_int_equal(wire_read_varint(&r), cases[i].value);
        assert_ok(wire_reader_end(&r));
        buf_clear(&b);
        buf_clear(&want);
    }
    struct buf over = BUF_INIT;
    wire_write_varint(&over, (size_t)1 << 30);
    assert_true(over.failed);
    buf_clear(&over);
}

static void check_refused(const char *hex, enum err_code code)
{
    struct buf in = test_unhex(hex);
    struct wire_reader r = wire_reader_of(buf_view(&in));
    struct bytes v = wire_read_vector(&r);
    assert_int_equal(v.len, 0);
    assert_int_equal(wire_reader_check(&r).code, code);
    assert_int_equal(wire_read_u32(&r), 0);
    assert_false(wire_reader_more(&r));
    assert_int_equal(wire_reader_end(&r).code, code);
    buf_clear(&in);
}

static void bad_vectors_are_refused(void **state)
{
    (void)state;
    check_refused("4025", ERR_WIRE_VARINT);     /* 37 in two bytes */
    check_refused("80000025", ERR_WIRE_VARINT); /* 37 in four */
    check_refused("80003fff", ERR_WIRE_VARINT);
    check_refused("c000000000000000", ERR_WIRE_VARINT); /* 0b11 */
    check_refused("", ERR_WIRE_SHORT);
    check_refused("40", ERR_WIRE_SHORT);
    check_refused("0201", ERR_WIRE_SHORT);
    check_refused("bfffffff00", ERR_WIRE_SHORT);
}

static void vectors_of_structures(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40000; n += n < 70 ? 1 : 9973) {
        struct buf b = BUF_INIT;
        size_t mark = wire_vector_begin(&b);
        for (size_t i = 0; i < n; i++)
            wire_write_u8(&b, (uint8_t)i);
        wire_vector_end(&b, mark);
        wire_write_u8(&b, 0x77);
        assert_ok(buf_check(&b));
        struct wire_reader r = wire_reader_of(buf_view(&b));
        struct wire_reader inner = wire_read_nested(&r);
        size_t count = 0;
        while (wire_reader_more(&inner))
            assert_int_equal(wire_read_u8(&inner), (uint8_t)count++);
        wire_reader_join(&r, &inner);
        assert_int_equal(count, n);
        assert_int_equal(wire_read_u8(&r), 0x77);
        assert_ok(wire_reader_end(&r));
        buf_clear(&b);
    }
}

static void inner_failure_reaches_the_outer_reader(void **state)
{
    (void)state;
    static const uint8_t in[] = {2, 1, 2, 9};
    struct wire_reader r = wire_reader_of(bytes_of(in, sizeof in));
    struct wire_reader inner = wire_read_nested(&r);
    (void)wire_read_u8(&inner);
    wire_reader_join(&r, &inner);
    assert_err(wire_reader_check(&r), WIRE_TRAILING);
    r = wire_reader_of(bytes_of(in, sizeof in));
    inner = wire_read_nested(&r);
    (void)wire_read_u32(&inner);
    wire_reader_join(&r, &inner);
    assert_err(wire_reader_check(&r), WIRE_SHORT);
    r = wire_reader_of(bytes_of(in, sizeof in));
    assert_false(wire_read_present(&r));
    assert_err(wire_reader_check(&r), WIRE_VALUE);
}

static void fixed_length_prefixes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    wire_write_vector8(&b, bytes_str("ab"));
    wire_write_vector16(&b, bytes_str("cde"));
    wire_write_vector(&b, bytes_str("f"));
    struct wire_reader r = wire_reader_of(buf_view(&b));
    assert_true(bytes_equal(wire_read_vector8(&r), bytes_str("ab")));
    assert_true(bytes_equal(wire_read_vector16(&r), bytes_str("cde")));
    const uint8_t *from = r.at;
    assert_true(bytes_equal(wire_read_vector(&r), bytes_str("f")));
    assert_int_equal(wire_reader_since(&r, from).len, 2);
    assert_ok(wire_reader_end(&r));
    static const uint8_t long_value[256];
    wire_write_vector8(&b, bytes_of(long_value, sizeof long_value));
    assert_true(b.failed);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_round_trip),
        cmocka_unit_test(varints),
        cmocka_unit_test(bad_vectors_are_refused),
        cmocka_unit_test(vectors_of_structures),
        cmocka_unit_test(inner_failure_reaches_the_outer_reader),
        cmocka_unit_test(fixed_length_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
