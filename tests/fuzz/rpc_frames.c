/* A client that knows HTTP/2 and gRPC, and misuses them: each input byte chooses a valid frame, a
 * deed of the handlers, or the passing of time. Nothing crashes or leaks, every call is released,
 * and an honest client beside it is served. */
#include "support/rpc/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { KEPT_MOST = 64 };

struct script {
    const uint8_t *at, *end;
    struct world *w;
    struct pipe_end *pipe;
    uint32_t last_id;
    struct hearth_call *kept[KEPT_MOST]; /* with a reference each */
    bool owed[KEPT_MOST];
    size_t kept_count;
    uint8_t mood; /* what handlers do */
    unsigned begun, released;
};

static uint8_t next(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void count_release(void *state)
{
    ((struct script *)state)->released++;
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct script *s = arg;
    (void)world_write(call, s->mood);
}

static enum hearth_code handle(struct world *w, struct hearth_call *call,
                               const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    struct script *s = w->self;
    (void)out;
    if (hearth_call_state(call) == NULL) {
        s->begun++;
        hearth_call_set_state(call, s, count_release);
    }
    bool unary = hearth_call_endpoint(call)->shape == HEARTH_UNARY;
    if ((s->mood & 3) == 1 && s->kept_count < KEPT_MOST) {
        hearth_call_ref(call);
        hearth_call_on_writable(call, on_writable, s);
        s->owed[s->kept_count] = unary;
        s->kept[s->kept_count++] = call;
        if ((s->mood & 4) != 0)
            hearth_call_pause(call);
        return HEARTH_LATER;
    }
    if ((s->mood & 3) == 2)
        return hearth_call_fail(call, HEARTH_ABORTED, "mood %u", s->mood);
    if (out == NULL && in != NULL) {
        for (int i = 0; i < (s->mood >> 3); i++)
            (void)world_write(call, 3000);
    }
    return unary || in == NULL || (s->mood & 3) == 3 ? HEARTH_OK : HEARTH_LATER;
}

/* Something is said about a call that was kept, dead or alive. */
static void touch_kept(struct script *s)
{
    if (s->kept_count == 0)
        return;
    size_t i = next(s) % s->kept_count;
    struct hearth_call *call = s->kept[i];
    switch (next(s) % 6) {
    case 0:
        hearth_call_resume(call);
        break;
    case 1:
        hearth_call_pause(call);
        break;
    case 2:
        if (hearth_call_endpoint(call)->shape & HEARTH_SERVER_STREAM)
            (void)world_write(call, 100);
        break;
    case 3:
        hearth_call_send_headers(call);
        break;
    default:
        hearth_call_fail(call, HEARTH_OUT_OF_RANGE, "touched");
        hearth_call_unref(call);
        s->kept[i] = s->kept[--s->kept_count];
        break;
    }
}

static void put(struct script *s, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *body,
                size_t len)
{
    uint8_t frame[9 + 4096] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
        (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    size_t n, off = 0;
    memcpy(frame + 9, body, len);
    while (off < len + 9 && pipe_write(s->pipe, frame + off, len + 9 - off, &n) == PIPE_OK)
        off += n;
}

static size_t header(uint8_t *to, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    to[0] = 0; /* literal, not indexed, new name; both shorter than 127 */
    to[1] = (uint8_t)name_len;
    memcpy(to + 2, name, name_len);
    to[2 + name_len] = (uint8_t)value_len;
    memcpy(to + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static void send_headers(struct script *s)
{
    static const char *const paths[] = {"/t.T/Unary", "/t.T/ClientStream", "/t.T/ServerStream",
                                        "/t.T/Bidi",  "/t.T/None",         "nonsense"};
    static const char *const timeouts[] = {"1S", "1m", "100n", "99999999H", "", "1X", "0u"};
    uint8_t block[1024];
    size_t len = 0;
    uint8_t how = next(s);
    len += header(block + len, ":method", how == 255 ? "GET" : "POST");
    len += header(block + len, ":scheme", "http");
    len += header(block + len, ":path", paths[next(s) % 6]);
    len += header(block + len, ":authority", "x");
    len += header(block + len, "content-type", how == 254 ? "text/html" : "application/grpc");
    len += header(block + len, "te", "trailers");
    if ((how & 1) != 0)
        len += header(block + len, "grpc-timeout", timeouts[next(s) % 7]);
    if ((how & 2) != 0)
        len += header(block + len, "grpc-encoding", "gzip");
    if ((how & 4) != 0)
        len += header(block + len, "grpc-accept-encoding", "identity,gzip");
    if ((how & 8) != 0)
        len += header(block + len, "x-bin", "AAE,,/w==");
    s->last_id += 2;
    if ((how & 32) != 0) {
        put(s, 1, (how & 16) != 0 ? 1 : 0, s->last_id, block, len / 2);
        put(s, 9, 4, s->last_id, block + len / 2, len - len / 2);
    } else {
        put(s, 1, (how & 16) != 0 ? 5 : 4, s->last_id, block, len);
    }
}

static uint32_t some_id(struct script *s)
{
    uint32_t back = 2u * (next(s) % 8);
    return s->last_id > back ? s->last_id - back : 1;
}

static void send_data(struct script *s)
{
    uint8_t body[2048] = {0};
    uint8_t how = next(s);
    size_t payload = next(s) * 4u;
    size_t len = 5 + payload;
    body[0] = how % 16 == 15 ? 1 : how % 16 == 14 ? 7 : 0;
    body[3] = (uint8_t)((payload + (how % 16 == 13)) >> 8);
    body[4] = (uint8_t)(payload + (how % 16 == 13)); /* a length that lies */
    if (payload >= 3) {
        body[5] = 0x0a; /* payload, of two bytes of length */
        body[6] = (uint8_t)(0x80 | ((payload - 3) & 0x7f));
        body[7] = (uint8_t)((payload - 3) >> 7);
    }
    if (how % 16 == 12)
        len = how / 16 < len ? how / 16 : len; /* cut */
    put(s, 0, (how & 128) != 0 ? 1 : 0, some_id(s), body, len);
}

static void act(struct script *s)
{
    uint8_t body[8] = {0};
    switch (next(s) % 12) {
    case 0:
    case 1:
        send_headers(s);
        break;
    case 2:
    case 3:
    case 4:
        send_data(s);
        break;
    case 5:
        body[3] = next(s) % 14;
        put(s, 3, 0, some_id(s), body, 4);
        break;
    case 6:
        body[2] = next(s);
        body[3] = 1;
        put(s, 8, 0, (next(s) & 1) != 0 ? 0 : some_id(s), body, 4);
        break;
    case 7:
        put(s, 6, next(s) & 1, 0, body, 8);
        break;
    case 8:
        body[1] = 4; /* INITIAL_WINDOW_SIZE */
        body[4] = next(s);
        body[5] = next(s);
        put(s, 4, 0, 0, body, 6);
        break;
    case 9:
        s->mood = next(s);
        break;
    case 10:
        touch_kept(s);
        break;
    default:
        world_run_ms(s->w, next(s) * 10u);
        break;
    }
}

static void read_all(struct script *s)
{
    uint8_t sink[4096];
    size_t n;
    world_settle(s->w);
    while (pipe_read(s->pipe, sink, sizeof sink, &n) == PIPE_OK)
        ;
}

static void begin(struct script *s, struct world *w)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    size_t n;
    world_init(w);
    w->handler = handle;
    w->self = s;
    for (int i = 0; i < WORLD_ROWS; i++)
        w->rows[i].compression = i % 2 == 0;
    world_start(w);
    if (pipe_connect(w->loop, "test", &s->pipe).code != ERR_NONE)
        abort();
    (void)pipe_write(s->pipe, (const uint8_t *)preface, sizeof preface - 1, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w;
    struct script s = {.at = data, .end = data + len, .w = &w, .last_id = UINT32_MAX};
    if (len > 4096)
        return 0;
    begin(&s, &w);
    s.last_id = (uint32_t)-1;
    while (s.at < s.end) {
        act(&s);
        if ((next(&s) & 1) != 0)
            read_all(&s);
    }
    read_all(&s);
    pipe_close(s.pipe);
    world_settle(&w);
    for (size_t i = 0; i < s.kept_count; i++) {
        hearth_call_fail(s.kept[i], HEARTH_CANCELLED, "the end");
        hearth_call_unref(s.kept[i]);
    }
    if (s.begun != s.released)
        abort();
    w.handler = NULL;
    struct outcome o = {0};
    world_call(&w, WORLD_UNARY, 10, NULL, &o);
    if (world_wait(&w, &o, 1000) != HEARTH_OK)
        abort();
    world_end(&w);
    return 0;
}
