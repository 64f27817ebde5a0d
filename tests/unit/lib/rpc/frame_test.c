/* gRPC framing at every split point, the caps of it, the outbox, metadata and the registry. */
#include <stdio.h>

#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/outbox.h"
#include "rpc/registry.h"
#include "support/test.h"

static size_t write_frames(uint8_t *to, const size_t *sizes, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        frame_head_write(to + len, i % 2 == 1, (uint32_t)sizes[i]);
        memset(to + len + FRAME_HEAD_BYTES, (int)('a' + i), sizes[i]);
        len += FRAME_HEAD_BYTES + sizes[i];
    }
    return len;
}

/* Feeds in two parts split at `split`, checks that all messages come out. */
static void check_split(const uint8_t *data, size_t len, size_t split, const size_t *sizes,
                        size_t count)
{
    struct frame_reader f = {0};
    size_t seen = 0, off = 0;
    frame_reader_init(&f, 5000);
    while (off < len) {
        size_t used = 0, n = (off < split ? split : len) - off;
        bool complete = false;
        assert_ok(frame_reader_feed(&f, data + off, n, &used, &complete));
        off += used;
        if (!complete)
            continue;
        struct bytes m = frame_reader_message(&f);
        assert_true(seen < count);
        assert_int_equal(m.len, sizes[seen]);
        assert_int_equal(f.compressed, seen % 2);
        for (size_t i = 0; i < m.len; i++)
            assert_int_equal(m.data[i], 'a' + seen);
        frame_reader_next(&f);
        assert_false(frame_reader_partial(&f));
        seen++;
    }
    assert_int_equal(seen, count);
    frame_reader_clear(&f);
}

static void every_split(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4095, 0, 4096, 4097, 5000, 3};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    static uint8_t data[20000];
    size_t len = write_frames(data, sizes, COUNT);
    for (size_t split = 0; split <= len; split++)
        check_split(data, len, split, sizes, COUNT);
}

static void caps_and_flags(void **state)
{
    (void)state;
    for (uint32_t cap = 0; cap < 3; cap++) {
        for (uint32_t size = 0; size < 5; size++) {
            struct frame_reader f = {0};
            uint8_t head[FRAME_HEAD_BYTES];
            size_t used;
            bool complete;
            frame_reader_init(&f, cap);
            frame_head_write(head, false, size);
            struct err err = frame_reader_feed(&f, head, sizeof head, &used, &complete);
            assert_int_equal(err.code, size > cap ? ERR_TOO_LARGE : ERR_NONE);
            assert_null(f.body); /* a length alone allocates nothing */
            frame_reader_clear(&f);
        }
    }
    for (unsigned flag = 2; flag < 256; flag++) {
        struct frame_reader f = {0};
        uint8_t head[FRAME_HEAD_BYTES] = {(uint8_t)flag};
        size_t used;
        bool complete;
        frame_reader_init(&f, 10);
        assert_err(frame_reader_feed(&f, head, sizeof head, &used, &complete), RPC_FRAME);
        frame_reader_clear(&f);
    }
}

/* What a liar can make us allocate is twice what it sends, or 4 KiB. */
static void memory_follows_what_arrives(void **state)
{
    (void)state;
    struct frame_reader f = {0};
    uint8_t head[FRAME_HEAD_BYTES], byte = 0;
    size_t used;
    bool complete;
    frame_reader_init(&f, 1 << 30);
    frame_head_write(head, false, 1 << 30);
    assert_ok(frame_reader_feed(&f, head, sizeof head, &used, &complete));
    for (size_t sent = 1; sent < 100000; sent++) {
        assert_ok(frame_reader_feed(&f, &byte, 1, &used, &complete));
        assert_true(f.room <= (sent < 2048 ? 4096 : 2 * sent));
    }
    frame_reader_clear(&f);
}

static void the_outbox_keeps_order(void **state)
{
    (void)state;
    struct outbox o = {0};
    uint8_t in[700], out[1000];
    size_t put = 0, taken = 0;
    while (put < 300000 || outbox_waiting(&o) > 0) {
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (uint8_t)((put + i) % 251);
        if (put < 300000) {
            assert_ok(outbox_append_raw(&o, bytes_of(in, sizeof in)));
            put += sizeof in;
        }
        size_t n = outbox_take(&o, out, put < 300000 ? 650 : sizeof out);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out[i], (taken + i) % 251);
        taken += n;
    }
    assert_int_equal(outbox_waiting(&o), put - taken);
    assert_true(o.cap < 100000); /* what has gone makes room */
    outbox_clear(&o);
}

static void metadata_names_and_values(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata m = {0};
    arena_init(&arena, 10000);
    static const char *const bad[] = {"",     "Upper",      "sp ace", ":path", "grpc-x",    "te",
                                      "host", "connection", "a/b",    "x\n",   "user-agent"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(metadata_add(&m, &arena, bytes_str(bad[i]), bytes_str("v")), ARGUMENT);
    assert_err(metadata_add(&m, &arena, bytes_str("x"), bytes_str("a\x7f")), ARGUMENT);
    assert_err(metadata_add(&m, &arena, bytes_str("x"), bytes_of("a\0b", 3)), ARGUMENT);
    assert_int_equal(m.count, 0);
    assert_ok(metadata_add(&m, &arena, bytes_str("x"), bytes_str("  a b ")));
    test_assert_bytes(m.last->value, bytes_str("a b"));
    assert_ok(metadata_add(&m, &arena, bytes_str("x-bin"), bytes_of("\0\xff", 2)));
    test_assert_bytes(metadata_wire_value(m.last, &arena), bytes_str("AP8"));
    assert_null(metadata_find(&m, bytes_str("x"), 1));
    arena_clear(&arena);
}

static void joined_binary_values_come_apart(void **state)
{
    (void)state;
    struct arena arena;
    struct metadata m = {0};
    arena_init(&arena, 10000);
    assert_ok(metadata_add_wire(&m, &arena, bytes_str("x-bin"), bytes_str("AA, AQ==,,Ag")));
    assert_int_equal(m.count, 4);
    static const char *const want[] = {"00", "01", "", "02"};
    for (size_t i = 0; i < 4; i++)
        test_assert_hex(metadata_find(&m, bytes_str("x-bin"), i)->value, want[i]);
    assert_err(metadata_add_wire(&m, &arena, bytes_str("x-bin"), bytes_str("A")), RPC_METADATA);
    arena_clear(&arena);
    m = (struct metadata){0};
    arena_init(&arena, 40);
    assert_err(metadata_add_wire(&m, &arena, bytes_str("x"), bytes_str("y")), TOO_LARGE);
    arena_clear(&arena);
}

static void the_registry_finds_all_and_nothing_else(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static char paths[COUNT][32];
    static struct hearth_endpoint rows[COUNT];
    struct registry r = {0};
    struct hearth_service services[COUNT];
    assert_null(registry_find(&r, bytes_str("/a/b")));
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "/service%d/M", i);
        rows[i].path = paths[i];
        services[i] =
            (struct hearth_service){.name = paths[i], .endpoints = &rows[i], .endpoint_count = 1};
        assert_ok(registry_add(&r, &services[i], NULL, &rows[i]));
        assert_err(registry_add(&r, &services[i / 2], NULL, NULL), WRONG_STATE);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(registry_find(&r, bytes_str(paths[i]))->row, &rows[i]);
        assert_null(registry_find(&r, bytes_of(paths[i], strlen(paths[i]) - 1)));
    }
    registry_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split),
        cmocka_unit_test(caps_and_flags),
        cmocka_unit_test(memory_follows_what_arrives),
        cmocka_unit_test(the_outbox_keeps_order),
        cmocka_unit_test(metadata_names_and_values),
        cmocka_unit_test(joined_binary_values_come_apart),
        cmocka_unit_test(the_registry_finds_all_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
