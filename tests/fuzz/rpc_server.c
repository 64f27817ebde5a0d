/* Bytes from a stranger into a server with real endpoints: nothing crashes or leaks, and an honest
 * client beside it is served. The first byte says how the bytes arrive. */
#include "support/rpc/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

static enum hearth_code handle(struct world *w, struct hearth_call *call,
                               const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    if (in == NULL)
        return HEARTH_OK;
    if (out == NULL) {
        for (int i = 0; i < 2; i++) {
            if (world_write(call, in->payload.len) < 0)
                return HEARTH_CANCELLED;
        }
    } else {
        out->payload = in->payload;
    }
    return hearth_call_endpoint(call)->shape == HEARTH_UNARY ? HEARTH_OK : HEARTH_LATER;
}

static void push(struct world *w, struct pipe_end *end, const uint8_t *data, size_t len,
                 size_t piece)
{
    uint8_t sink[4096];
    size_t n;
    while (len > 0) {
        enum pipe_result result = pipe_write(end, data, len < piece ? len : piece, &n);
        if (result == PIPE_OVER)
            return;
        if (result == PIPE_OK) {
            data += n;
            len -= n;
        }
        world_settle(w);
        while (pipe_read(end, sink, sizeof sink, &n) == PIPE_OK)
            ;
        if (result == PIPE_WAIT)
            world_run_ms(w, 1000); /* it reads no more for now, or for ever */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w;
    struct pipe_end *end = NULL;
    if (len == 0 || len > 1 << 16)
        return 0;
    world_init(&w);
    w.handler = handle;
    w.rows[WORLD_UNARY].compression = true;
    world_start(&w);
    if (pipe_connect(w.loop, "test", &end).code != ERR_NONE)
        abort();
    if ((data[0] & 1) == 0)
        push(&w, end, (const uint8_t *)preface, sizeof preface - 1, sizeof preface);
    push(&w, end, data + 1, len - 1, (data[0] & 2) != 0 ? 7 : 1 << 16);
    world_run_ms(&w, (data[0] & 4) != 0 ? 100000 : 10);
    w.handler = NULL;
    struct outcome o = {0};
    world_call(&w, WORLD_UNARY, 10, NULL, &o);
    if (world_wait(&w, &o, 1000) != HEARTH_OK)
        abort();
    pipe_close(end);
    world_settle(&w);
    world_end(&w);
    return 0;
}
