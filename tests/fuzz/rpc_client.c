/* Bytes of a hostile server into a channel with a call of each shape: nothing crashes or leaks, and
 * each call ends exactly once. */
#include "support/rpc/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};

struct stranger {
    struct pipe_listener listener; /* first */
    struct pipe_end *ends[64];
    size_t count;
    const uint8_t *data;
    size_t len;
};

static void say(struct pipe_end *end, const uint8_t *data, size_t len)
{
    size_t n;
    while (len > 0 && pipe_write(end, data, len, &n) == PIPE_OK) {
        data += n;
        len -= n;
    }
}

static void on_accept(struct pipe_listener *listener, struct pipe_end *end)
{
    struct stranger *s = (struct stranger *)(void *)listener;
    if (s->count == sizeof s->ends / sizeof *s->ends) {
        pipe_close(end);
        return;
    }
    s->ends[s->count++] = end;
    if ((s->data[0] & 1) == 0)
        say(end, settings, sizeof settings);
    if ((s->data[0] & 2) == 0) /* answers before it is asked; else after */
        say(end, s->data + 1, s->len - 1);
}

static void pause_once(struct outcome *o)
{
    if (o->items == 1)
        hearth_client_call_pause(o->call);
}

static void drain(struct stranger *s)
{
    uint8_t sink[4096];
    size_t n;
    for (size_t i = 0; i < s->count; i++) {
        while (pipe_read(s->ends[i], sink, sizeof sink, &n) == PIPE_OK)
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w;
    struct outcome o[WORLD_ROWS] = {{0}};
    struct hearth_call_options options = {.deadline_ms = 30000};
    if (len == 0 || len > 1 << 15)
        return 0;
    struct stranger s = {.listener.on_accept = on_accept, .data = data, .len = len};
    world_init(&w);
    w.rows[WORLD_UNARY].compression = w.rows[WORLD_UNARY].idempotent = true;
    world_start(&w);
    world_stop_server(&w);
    if (pipe_listen(w.loop, &s.listener, "test").code != ERR_NONE)
        abort();
    o[WORLD_BIDI].on_message = pause_once;
    for (int row = 0; row < WORLD_ROWS; row++)
        world_call(&w, row, 20, &options, &o[row]);
    world_settle(&w);
    drain(&s);
    if ((data[0] & 2) != 0) {
        for (size_t i = 0; i < s.count; i++)
            say(s.ends[i], data + 1, len - 1);
    }
    world_settle(&w);
    if (o[WORLD_BIDI].call != NULL)
        hearth_client_call_resume(o[WORLD_BIDI].call);
    if ((data[0] & 4) != 0)
        pipe_cut_all(w.loop);
    for (int i = 0; i < 31; i++) {
        drain(&s);
        world_run_ms(&w, 1000);
    }
    for (int row = 0; row < WORLD_ROWS; row++) {
        if (o[row].done != 1)
            abort();
    }
    for (size_t i = 0; i < s.count; i++)
        pipe_close(s.ends[i]);
    world_settle(&w);
    pipe_unlisten(w.loop, &s.listener);
    world_end(&w);
    return 0;
}
