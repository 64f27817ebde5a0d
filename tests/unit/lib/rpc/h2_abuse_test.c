/* What a server's HTTP/2 core does with frames that cost their sender nothing, bytes in, bytes out.
 * The bytes come in pieces of every size, so that the scanner's idea of where a frame begins is
 * nghttp2's. */
#include "rpc/h2.h"
#include "support/test.h"

enum { ROOM = H2_OUTPUT_BYTES, FRAME_HEAD = 9, BURST = 100 };
enum { LEFT = BURST - 1 }; /* of the credit, after the SETTINGS of begin() */
enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
    UNKNOWN = 0xbe
};
enum { ACK = 1, END_STREAM = 1, END_HEADERS = 4 };

static int streams_open;

static void *on_begin(struct h2 *h, int32_t id)
{
    (void)h;
    (void)id;
    streams_open++;
    return &streams_open;
}
static void on_header(struct h2 *h, void *stream, struct bytes name, struct bytes value)
{
    (void)h, (void)stream, (void)name, (void)value;
}
static void on_headers(struct h2 *h, void *stream, bool trailers, bool over, bool end_stream)
{
    (void)h, (void)stream, (void)trailers, (void)over, (void)end_stream;
}
static void on_data(struct h2 *h, void *stream, const uint8_t *data, size_t len)
{
    (void)h, (void)stream, (void)data, (void)len;
}
static void on_end(struct h2 *h, void *stream)
{
    (void)h, (void)stream;
}
static void on_close(struct h2 *h, void *stream, uint32_t error_code)
{
    (void)h, (void)stream, (void)error_code;
    streams_open--;
}
static const struct h2_role role = {.on_begin = on_begin,
                                    .on_header = on_header,
                                    .on_headers = on_headers,
                                    .on_data = on_data,
                                    .on_end = on_end,
                                    .on_answered = on_end,
                                    .on_close = on_close};

struct world {
    struct clock_fake fake;
    struct clock clock;
    struct rpc_env env;
    struct h2_limits limits;
    struct h2 h2;
    struct buf in;
    bool over; /* the core said that the connection ends */
};

static void drain(struct world *w)
{
    static uint8_t room[ROOM];
    size_t len = 0;
    do {
        assert_ok(h2_produce(&w->h2, room, sizeof room, &len));
    } while (len > 0);
}

/* Gives what was gathered to the core, piece bytes at a time. */
static void feed(struct world *w, size_t piece)
{
    for (size_t at = 0; at < w->in.len && !w->over; at += piece) {
        size_t n = w->in.len - at < piece ? w->in.len - at : piece;
        w->over = !err_is_ok(h2_receive(&w->h2, w->in.data + at, n));
    }
    drain(w);
    w->in.len = 0;
}

static void frame(struct world *w, unsigned type, unsigned flags, uint32_t stream,
                  struct bytes payload)
{
    const uint8_t head[FRAME_HEAD] = {(uint8_t)(payload.len >> 16),
                                      (uint8_t)(payload.len >> 8),
                                      (uint8_t)payload.len,
                                      (uint8_t)type,
                                      (uint8_t)flags,
                                      (uint8_t)(stream >> 24),
                                      (uint8_t)(stream >> 16),
                                      (uint8_t)(stream >> 8),
                                      (uint8_t)stream};
    buf_append(&w->in, head, sizeof head);
    buf_append_bytes(&w->in, payload);
}

/* :method POST, :scheme http, :path /, :authority "a" */
static const uint8_t request[] = {0x83, 0x86, 0x84, 0x41, 0x01, 'a'};
#define REQUEST bytes_of(request, sizeof request)

static void begin(struct world *w)
{
    *w = (struct world){.limits = {.streams = 32,
                                   .stream_window_bytes = 65536,
                                   .connection_window_bytes = 262144,
                                   .header_bytes = 8192,
                                   .glitch_burst = BURST,
                                   .glitches_per_s = 3,
                                   .reset_burst = BURST,
                                   .resets_per_s = 10}};
    w->clock = clock_of_fake(&w->fake);
    w->env.clock = &w->clock;
    w->env.rng = &rng_system;
    streams_open = 0;
    assert_ok(h2_init(&w->h2, true, &role, &w->limits, &w->env));
    buf_append_bytes(&w->in, bytes_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    frame(w, SETTINGS, 0, 0, bytes_of(NULL, 0));
    frame(w, SETTINGS, ACK, 0, bytes_of(NULL, 0));
    feed(w, 7);
    assert_false(w->over);
}

static void end(struct world *w)
{
    h2_clear(&w->h2);
    buf_clear(&w->in);
    rpc_env_clear(&w->env);
}

/* How many of one frame the core takes before it ends the connection, up to most. */
static int taken(struct world *w, size_t piece, unsigned type, unsigned flags, uint32_t stream,
                 struct bytes payload, int most)
{
    int count = 0;
    while (count < most && !w->over) {
        frame(w, type, flags, stream, payload);
        feed(w, piece);
        count++;
    }
    return count;
}

static const size_t pieces[] = {1, 2, 9, 10, 13, 1000};
enum { PIECES = sizeof pieces / sizeof *pieces };

static void useless_frames_cost_credit(void **state)
{
    (void)state;
    static const struct {
        unsigned type, flags;
        uint32_t stream;
        size_t len;
        int free; /* that cost nothing */
    } rows[] = {
        {UNKNOWN, 0, 0, 8, 0},  {UNKNOWN, 0xff, 7, 0, 0},     {PING, ACK, 0, 8, 0},
        {PING, 0, 0, 8, 8},     {GOAWAY, 0, 0, 8, 0},         {PRIORITY, 0, 9, 5, 0},
        {SETTINGS, 0, 0, 0, 0}, {WINDOW_UPDATE, 0, 0, 4, 64},
    };
    static const uint8_t increment_of_one[8] = {0, 0, 0, 1}, zeroes[8];
    for (size_t i = 0; i < sizeof rows / sizeof *rows * PIECES; i++) {
        struct world w;
        size_t row = i / PIECES;
        begin(&w);
        frame(&w, HEADERS, END_HEADERS, 1,
              REQUEST); /* GOAWAY would end a connection without a call */
        feed(&w, 1000);
        int count = taken(
            &w, pieces[i % PIECES], rows[row].type, rows[row].flags, rows[row].stream,
            bytes_of(rows[row].type == WINDOW_UPDATE ? increment_of_one : zeroes, rows[row].len),
            1000);
        assert_int_equal(count, LEFT + rows[row].free + 1);
        assert_true(w.h2.abuse);
        end(&w);
    }
}

static void credit_comes_back_with_time(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    assert_int_equal(taken(&w, 1000, UNKNOWN, 0, 0, bytes_of(NULL, 0), LEFT), LEFT);
    w.fake.now_us += 10 * 1000000;
    assert_int_equal(taken(&w, 1000, UNKNOWN, 0, 0, bytes_of(NULL, 0), 30), 30);
    assert_false(w.over);
    assert_int_equal(taken(&w, 1000, UNKNOWN, 0, 0, bytes_of(NULL, 0), 30), 1);
    assert_true(w.over);
    end(&w);
}

static void a_ping_of_ours_may_be_answered_once(void **state)
{
    (void)state;
    static const uint8_t payload[8];
    struct world w;
    begin(&w);
    for (int i = 0; i < 20 * BURST; i++) {
        h2_ping(&w.h2);
        assert_int_equal(taken(&w, 1000, PING, ACK, 0, bytes_of(payload, 8), 1), 1);
    }
    assert_false(w.over);
    end(&w);
}

static void late_frames_have_an_allowance(void **state)
{
    (void)state;
    static const uint8_t body[16000];
    for (size_t i = 0; i < PIECES; i++) {
        struct world w;
        begin(&w);
        frame(&w, HEADERS, END_HEADERS, 1, REQUEST);
        feed(&w, 1000);
        h2_reset(&w.h2, 1, H2_CANCEL);
        drain(&w);
        /* a connection window may be under way, lawfully */
        assert_int_equal(taken(&w, pieces[i], DATA, 0, 1, bytes_of(body, sizeof body), 16), 16);
        assert_int_equal(taken(&w, pieces[i], HEADERS, END_HEADERS, 1, REQUEST, 1), 1);
        assert_false(w.over);
        /* for ever is another matter: 1 MiB, and 16 bytes a frame */
        assert_int_equal(taken(&w, pieces[i], DATA, 0, 1, bytes_of(body, sizeof body), 1000), 50);
        assert_true(w.over);
        end(&w);
    }
}

static void nothing_comes_after_the_peers_own_end(void **state)
{
    (void)state;
    static const struct {
        unsigned end_type, end_flags, type;
        uint32_t stream;
        bool lawful;
    } rows[] = {
        {DATA, END_STREAM, DATA, 1, false},
        {DATA, END_STREAM, HEADERS, 1, false},
        {HEADERS, END_HEADERS | END_STREAM, DATA, 1, false},
        {RST_STREAM, 0, DATA, 1, false},
        {RST_STREAM, 0, HEADERS, 1, false},
        {DATA, END_STREAM, WINDOW_UPDATE, 1, true},
        {RST_STREAM, 0, RST_STREAM, 1, true},
        {RST_STREAM, 0, HEADERS, 3, true},
        {DATA, 0, DATA, 1, true},
    };
    static const uint8_t four[4] = {0, 0, 0, 8};
    for (size_t i = 0; i < sizeof rows / sizeof *rows * PIECES; i++) {
        struct world w;
        size_t row = i / PIECES;
        const struct bytes four_bytes = bytes_of(four, sizeof four);
        begin(&w);
        frame(&w, HEADERS, END_HEADERS, 1, REQUEST);
        frame(&w, rows[row].end_type, rows[row].end_flags, 1,
              rows[row].end_type == HEADERS ? bytes_of(NULL, 0) : four_bytes);
        frame(&w, rows[row].type, rows[row].type == HEADERS ? END_HEADERS : 0, rows[row].stream,
              rows[row].type == HEADERS ? REQUEST : four_bytes);
        feed(&w, pieces[i % PIECES]);
        assert_int_equal(h2_finished(&w.h2), !rows[row].lawful);
        end(&w);
    }
}

static void data_that_is_wanted_is_not_late(void **state)
{
    (void)state;
    static const uint8_t body[1000];
    for (size_t i = 0; i < PIECES; i++) {
        struct world w;
        begin(&w);
        frame(&w, HEADERS, END_HEADERS, 1, REQUEST);
        feed(&w, pieces[i]);
        for (int n = 0; n < 3000; n++) {
            assert_int_equal(taken(&w, pieces[i], DATA, 0, 1, bytes_of(body, sizeof body), 1), 1);
            h2_consume(&w.h2, 1, sizeof body);
            drain(&w);
        }
        assert_false(w.over);
        assert_int_equal(w.h2.scan.late_cost, 0);
        end(&w);
    }
}

static void a_header_block_is_timed_until_it_ends(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.fake.now_us = 5000;
    frame(&w, HEADERS, 0, 1, bytes_of(request, 3));
    w.in.len -= 1; /* not all of it */
    feed(&w, 1);
    assert_int_equal(w.h2.headers_us, 5000);
    w.fake.now_us = 9000;
    buf_append_byte(&w.in, request[2]);
    feed(&w, 1);
    assert_false(w.over);
    assert_int_equal(w.h2.headers_us, 5000);
    frame(&w, CONTINUATION, END_HEADERS, 1, bytes_of(request + 3, 3));
    feed(&w, 4); /* nghttp2 1.52 counts each piece of a head as a CONTINUATION, and takes 8 */
    assert_false(w.over);
    assert_int_equal(w.h2.headers_us, 0);
    assert_int_equal(streams_open, 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(useless_frames_cost_credit),
        cmocka_unit_test(credit_comes_back_with_time),
        cmocka_unit_test(a_ping_of_ours_may_be_answered_once),
        cmocka_unit_test(late_frames_have_an_allowance),
        cmocka_unit_test(nothing_comes_after_the_peers_own_end),
        cmocka_unit_test(data_that_is_wanted_is_not_late),
        cmocka_unit_test(a_header_block_is_timed_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
