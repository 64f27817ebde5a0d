/* Answers of servers that are not ours, byte by byte, as the client must read them. */
#include "support/rpc/world.h"

static struct pipe_end *taken;

static void take_end(struct pipe_listener *listener, struct pipe_end *end)
{
    (void)listener;
    taken = end;
}

static size_t header(uint8_t *to, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    to[0] = 0; /* literal, not indexed; both shorter than 127 */
    to[1] = (uint8_t)name_len;
    memcpy(to + 2, name, name_len);
    to[2 + name_len] = (uint8_t)value_len;
    memcpy(to + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static void send_frame(uint8_t type, uint8_t flags, uint8_t id, const uint8_t *body, size_t len)
{
    uint8_t frame[9 + 512] = {0, (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, id};
    size_t n = 0;
    memcpy(frame + 9, body, len);
    assert_int_equal(pipe_write(taken, frame, len + 9, &n), PIPE_OK);
    assert_int_equal(n, len + 9);
}

/* A HEADERS frame of names and values, ended by NULL. */
static void send_headers(bool end, const char *const *pairs)
{
    uint8_t block[512];
    size_t len = 0;
    for (; pairs[0] != NULL; pairs += 2)
        len += header(block + len, pairs[0], pairs[1]);
    send_frame(1, end ? 5 : 4, 1, block, len);
}

static const char *const ok_head[] = {":status", "200", "content-type", "application/grpc", NULL};
static const char *const ok_tail[] = {"grpc-status", "0", NULL};

static void begin(struct world *w, struct pipe_listener *stranger, struct outcome *o)
{
    static const uint8_t settings[9] = {0, 0, 0, 4};
    uint8_t sink[1024];
    size_t n;
    *stranger = (struct pipe_listener){.on_accept = take_end};
    world_init(w);
    world_start(w);
    world_stop_server(w);
    assert_ok(pipe_listen(w->loop, stranger, "test"));
    world_call(w, WORLD_UNARY, 10, NULL, o);
    world_settle(w);
    while (pipe_read(taken, sink, sizeof sink, &n) == PIPE_OK)
        ;
    assert_int_equal(pipe_write(taken, settings, sizeof settings, &n), PIPE_OK);
}

static void check_end(struct world *w, struct pipe_listener *stranger, struct outcome *o,
                      enum hearth_code want)
{
    assert_int_equal(world_wait(w, o, 1000), want);
    pipe_close(taken);
    pipe_unlisten(w->loop, stranger);
    world_end(w);
}

static const uint8_t message[] = {0, 0, 0, 0, 0}; /* a reply with nothing in it */

/* RFC 9110 15.2: interim responses come first and mean nothing. */
static void interim_responses_are_skipped(void **state)
{
    (void)state;
    for (int count = 0; count < 3; count++) {
        struct world w;
        struct pipe_listener stranger;
        struct outcome o = {0};
        static const char *const interim[] = {":status", "103", "link", "x", NULL};
        begin(&w, &stranger, &o);
        for (int i = 0; i < count; i++)
            send_headers(false, interim);
        send_headers(false, ok_head);
        send_frame(0, 0, 1, message, sizeof message);
        send_headers(true, ok_tail);
        check_end(&w, &stranger, &o, HEARTH_OK);
    }
}

struct answer {
    const char *head[8];
    const char *tail[8]; /* none if the first is NULL: the head ends the stream */
    bool message;
    enum hearth_code want;
};

static void answers_and_what_they_mean(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        {{":status", "200", "content-type", "application/grpc+proto"},
         {"grpc-status", "0"},
         true,
         HEARTH_OK},
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "5"},
         {NULL},
         false,
         HEARTH_NOT_FOUND},
        {{":status", "200", "content-type", "application/grpc"},
         {"grpc-status", "99"},
         true,
         HEARTH_UNKNOWN},
        {{":status", "200", "content-type", "application/grpc"},
         {"other", "x"},
         true,
         HEARTH_UNKNOWN},
        {{":status", "200", "content-type", "application/grpc"},
         {"grpc-status", "0"},
         false,
         HEARTH_INTERNAL},
        {{":status", "200", "content-type", "text/html"}, {"a", "b"}, false, HEARTH_UNKNOWN},
        {{":status", "200", "content-type", "application/grpcx"},
         {"grpc-status", "0"},
         true,
         HEARTH_UNKNOWN},
        {{":status", "404", "content-type", "text/html"}, {NULL}, false, HEARTH_UNIMPLEMENTED},
        {{":status", "401"}, {NULL}, false, HEARTH_UNAUTHENTICATED},
        {{":status", "503"}, {NULL}, false, HEARTH_UNAVAILABLE},
        {{":status", "200", "content-type", "application/grpc", "x-bin", "A"},
         {"grpc-status", "0"},
         true,
         HEARTH_INTERNAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct pipe_listener stranger;
        struct outcome o = {0};
        begin(&w, &stranger, &o);
        send_headers(rows[i].tail[0] == NULL, rows[i].head);
        if (rows[i].message)
            send_frame(0, 0, 1, message, sizeof message);
        if (rows[i].tail[0] != NULL)
            send_headers(true, rows[i].tail);
        check_end(&w, &stranger, &o, rows[i].want);
    }
}

static void resets_and_what_they_mean(void **state)
{
    (void)state;
    static const struct {
        uint8_t error;
        enum hearth_code want;
    } rows[] = {{1, HEARTH_INTERNAL},
                {2, HEARTH_INTERNAL},
                {8, HEARTH_CANCELLED},
                {11, HEARTH_RESOURCE_EXHAUSTED},
                {12, HEARTH_PERMISSION_DENIED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct pipe_listener stranger;
        struct outcome o = {0};
        uint8_t error[4] = {0, 0, 0, rows[i].error};
        begin(&w, &stranger, &o);
        send_frame(3, 0, 1, error, sizeof error);
        check_end(&w, &stranger, &o, rows[i].want);
    }
}

static void a_second_reply_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct pipe_listener stranger;
    struct outcome o = {0};
    begin(&w, &stranger, &o);
    send_headers(false, ok_head);
    send_frame(0, 0, 1, message, sizeof message);
    send_frame(0, 0, 1, message, sizeof message);
    send_headers(true, ok_tail);
    check_end(&w, &stranger, &o, HEARTH_INTERNAL);
}

static void a_cut_message_is_refused(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof message; len++) {
        struct world w;
        struct pipe_listener stranger;
        struct outcome o = {0};
        begin(&w, &stranger, &o);
        send_headers(false, ok_head);
        send_frame(0, 0, 1, message, len);
        send_headers(true, ok_tail);
        check_end(&w, &stranger, &o, HEARTH_INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interim_responses_are_skipped),
        cmocka_unit_test(answers_and_what_they_mean),
        cmocka_unit_test(resets_and_what_they_mean),
        cmocka_unit_test(a_second_reply_is_refused),
        cmocka_unit_test(a_cut_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
