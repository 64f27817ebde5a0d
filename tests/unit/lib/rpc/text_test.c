/* The small grammars of gRPC: base64, timeouts, status messages, codes. */
#include "base/rng.h"
#include "rpc/base64.h"
#include "rpc/status_text.h"
#include "rpc/timeout.h"
#include "support/test.h"

static void base64_round_trips(void **state)
{
    (void)state;
    struct rng_seeded r;
    rng_seeded_init(&r, 7);
    for (size_t len = 0; len < 200; len++) {
        uint8_t raw[200], again[210];
        char text[300];
        size_t again_len = 0;
        for (size_t i = 0; i < len; i++)
            raw[i] = (uint8_t)rng_seeded_next(&r);
        base64_encode(bytes_of(raw, len), text);
        assert_ok(base64_decode(bytes_of(text, base64_size(len)), again, &again_len));
        test_assert_bytes(bytes_of(again, again_len), bytes_of(raw, len));
    }
}

/* RFC 4648 10 */
static void base64_vectors(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16] = {0};
        uint8_t raw[16];
        size_t len = 0;
        base64_encode(bytes_str(rows[i][0]), text);
        assert_string_equal(text, rows[i][1]);
        while (strlen(text) % 4 != 0)
            strcat(text, "=");
        assert_ok(base64_decode(bytes_str(text), raw, &len));
        test_assert_bytes(bytes_of(raw, len), bytes_str(rows[i][0]));
    }
}

static void base64_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "A", "AAAAA", "A===", "=", "====", "AA=A", "A A", "A\n==", "AA===", "\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t raw[16];
        size_t len = 99;
        struct err err = base64_decode(bytes_str(bad[i]), raw, &len);
        if (err_is_ok(err))
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(len, 99);
    }
}

static void timeouts_round_trip(void **state)
{
    (void)state;
    struct rng_seeded r;
    rng_seeded_init(&r, 3);
    for (int i = 0; i < 100000; i++) {
        char text[TIMEOUT_TEXT_BYTES];
        uint64_t us = rng_seeded_next(&r) >> (8 + rng_seeded_next(&r) % 56), back;
        if (us > UINT64_C(99999999) * 3600000000)
            continue;
        size_t len = timeout_format(us, text);
        assert_in_range(len, 2, 9);
        assert_ok(timeout_parse(bytes_of(text, len), &back));
        if (us == 0)
            assert_string_equal(text, "1n");
        else
            assert_true(back <= us && us - back <= us / 10000);
    }
}

static void timeouts_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t us;
    } rows[] = {{"1H", 3600000000}, {"2M", 120000000},
                {"3S", 3000000},    {"4m", 4000},
                {"5u", 5},          {"1n", 1},
                {"1000n", 1},       {"1001n", 2},
                {"0S", 0},          {"99999999H", UINT64_C(99999999) * 3600000000}};
    static const char *const bad[] = {"",    "1",   "S",   "123456789S", "-1S",  "+1S", "1s",
                                      "1 S", " 1S", "1S ", "0x1S",       "1.5S", "1h"};
    uint64_t us;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(timeout_parse(bytes_str(rows[i].text), &us));
        assert_true(us == rows[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(timeout_parse(bytes_str(bad[i]), &us), RPC_TIMEOUT);
}

static void messages_round_trip(void **state)
{
    (void)state;
    char text[256], back[800];
    for (int i = 1; i < 256; i++)
        text[i - 1] = (char)i;
    text[255] = 0;
    struct buf out = BUF_INIT;
    status_message_encode(&out, text);
    for (size_t i = 0; i < out.len; i++)
        assert_in_range(out.data[i], 0x20, 0x7e);
    assert_true(out.len < sizeof back);
    memcpy(back, out.data, out.len);
    assert_int_equal(status_message_decode(back, out.len), 255);
    assert_memory_equal(back, text, 255);
    buf_clear(&out);
}

static void broken_percents_stay(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"%", "%"},     {"%4", "%4"},      {"%zz", "%zz"},
                                          {"%41", "A"},   {"%4a%4A", "JJ"},  {"a%", "a%"},
                                          {"%%41", "%A"}, {"100%25", "100%"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        strcpy(text, rows[i][0]);
        text[status_message_decode(text, strlen(text))] = 0;
        assert_string_equal(text, rows[i][1]);
    }
}

static void codes(void **state)
{
    (void)state;
    assert_int_equal(status_code_parse(bytes_str("0")), HEARTH_OK);
    assert_int_equal(status_code_parse(bytes_str("16")), HEARTH_UNAUTHENTICATED);
    static const char *const unknown[] = {"", "17", "99", "-1", "1x", "000", " 1", "x"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(status_code_parse(bytes_str(unknown[i])), HEARTH_UNKNOWN);
    assert_string_equal(hearth_code_name(HEARTH_DATA_LOSS), "DATA_LOSS");
    assert_string_equal(hearth_code_name((enum hearth_code)17), "UNKNOWN");
    assert_string_equal(hearth_code_name(HEARTH_LATER), "UNKNOWN");
    /* doc/http-grpc-status-mapping.md */
    static const unsigned http[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                       {502, 14}, {503, 14}, {504, 14}, {500, 2},  {200, 2}};
    for (size_t i = 0; i < sizeof http / sizeof *http; i++)
        assert_int_equal(status_from_http(http[i][0]), http[i][1]);
    /* PROTOCOL-HTTP2.md, HTTP2 Transport Mapping, Errors */
    static const unsigned h2[][2] = {{0, 13}, {1, 13}, {2, 13}, {3, 13},  {4, 13}, {6, 13},
                                     {7, 14}, {8, 1},  {9, 13}, {10, 13}, {11, 8}, {12, 7}};
    for (size_t i = 0; i < sizeof h2 / sizeof *h2; i++)
        assert_int_equal(status_from_h2_error(h2[i][0]), h2[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_round_trips),   cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_refuses),       cmocka_unit_test(timeouts_round_trip),
        cmocka_unit_test(timeouts_parse),       cmocka_unit_test(messages_round_trip),
        cmocka_unit_test(broken_percents_stay), cmocka_unit_test(codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
