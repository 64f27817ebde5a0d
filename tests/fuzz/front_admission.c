/* Admission as a state machine: the input is a list of acts — calls signed well and badly, streams,
 * look-ups answered rightly, wrongly, late or after their call, cancelled calls, lost connections,
 * time that passes, load, files of limits. No handler may run for a caller whose signature was not
 * whole and new, and nothing may be left over. */
#include "unit/server/front/bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { SHOTS = 256, WAITING = 16 };

/* A call as it was made. */
struct shot {
    struct caller *who;
    uint32_t number; /* its nonce, and its body */
    int64_t time_off_ms;
    uint64_t time_ms; /* it was signed for; 0: not yet */
    uint8_t at, with; /* a byte of the header, changed */
    bool is_signed, right;
    struct hearth_client_call *call;
    struct answer answer;
};

static struct {
    const uint8_t *at, *end;
    struct shot shots[SHOTS];
    unsigned count, handled[SHOTS];
    struct front_pending *pending[WAITING];
    uint8_t pending_who[WAITING];
    unsigned waiting;
    uint64_t memory;
    bool set_back; /* the wall clock was: then a replay may pass once more (front.h) */
} f;

static uint8_t next(void)
{
    return f.at < f.end ? *f.at++ : 0;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- server ---- */

static enum hearth_code handle(struct world *w, struct hearth_call *call,
                               const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)out;
    const struct front_caller *caller = front_caller(call);
    uint32_t callers = hearth_call_endpoint(call)->callers;
    if (in == NULL)
        return HEARTH_OK;
    must(in->payload.len == 4);
    uint32_t number;
    memcpy(&number, in->payload.data, 4);
    must(number < f.count);
    const struct shot *shot = &f.shots[number];
    if (callers == 1 << REQUEST_QUEUE_CLIENT) {
        must(caller->verified && shot->is_signed && shot->right);
        must(bytes_equal(caller->id, shot->who->id));
        must(f.handled[number]++ == 0 || f.set_back); /* a nonce once */
    } else {
        must(!caller->verified && caller->kind == 0);
    }
    return hearth_call_endpoint(call)->shape == HEARTH_UNARY ? HEARTH_OK : HEARTH_LATER;
}

static void find_slowly(void *self, struct front_pending *pending, enum request_caller kind,
                        struct bytes id)
{
    (void)self;
    must(kind == REQUEST_QUEUE_CLIENT && id.len == 16);
    if (f.waiting == WAITING || (next() & 1) == 0) {
        answer_pending(pending, kind, id);
        return;
    }
    f.pending_who[f.waiting] = id.data[0];
    f.pending[f.waiting++] = pending;
}

static void answer_one(bool rightly)
{
    if (f.waiting == 0)
        return;
    unsigned which = next() % f.waiting;
    struct front_pending *pending = f.pending[which];
    unsigned who = f.pending_who[which];
    f.waiting--;
    f.pending[which] = f.pending[f.waiting];
    f.pending_who[which] = f.pending_who[f.waiting];
    if (!rightly || who < 1 || who > 2)
        front_key(pending, &sig_ed25519, bytes_of(NULL, 0));
    else
        front_key(pending, &sig_ed25519, caller_public_key(&bed.callers[who - 1]));
}

/* ---- clients ---- */

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    struct shot *shot = self;
    struct digest hash;
    struct buf header = BUF_INIT;
    uint8_t nonce[REQUEST_NONCE_BYTES] = {0};
    if (!shot->is_signed)
        return HEARTH_OK;
    memcpy(nonce, &shot->number, sizeof shot->number);
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    if (shot->time_ms == 0)
        shot->time_ms = clock_unix_ms(&bed.clock) + (uint64_t)shot->time_off_ms;
    struct request_auth auth = {.kind = REQUEST_QUEUE_CLIENT,
                                .id = shot->who->id,
                                .audience = bytes_str(DOMAIN),
                                .time_ms = shot->time_ms,
                                .nonce = nonce};
    must(err_is_ok(
        request_auth_sign(&header, &auth, bytes_str(endpoint->path), hash.data, &shot->who->key)));
    header.data[shot->at % header.len] ^= shot->with;
    bool added =
        hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len);
    buf_clear(&header);
    return added ? HEARTH_OK : HEARTH_INTERNAL;
}

static void on_shot(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct shot *shot = arg;
    (void)status;
    (void)out;
    must(shot->answer.done++ == 0);
    shot->call = NULL;
}

static void on_stream_end(struct hearth_client_call *call, const struct hearth_status *status,
                          void *arg)
{
    (void)call;
    on_shot(status, NULL, arg);
}

static void shoot(uint8_t how)
{
    static const struct hearth_stream_events events = {.on_done = on_stream_end};
    if (f.count == SHOTS)
        return;
    struct shot *shot = &f.shots[f.count];
    /* now and then an earlier one, as it was: a replay */
    bool again = (how & 1) != 0 && f.count > 0;
    *shot = again ? f.shots[next() % f.count] : (struct shot){.number = f.count};
    shot->answer = (struct answer){0};
    shot->call = NULL;
    if (!again) {
        shot->who = &bed.callers[how / 2 % BEDS_CALLERS];
        shot->is_signed = (how & 0x40) == 0;
        shot->at = next();
        shot->with = (how & 0x20) != 0 ? next() : 0;
        shot->time_off_ms = (how & 0x80) != 0 ? ((int8_t)next()) * 1000 : 0;
        shot->right = shot->with == 0 && shot->who != &bed.callers[2];
    }
    f.count++;
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload.data = (uint8_t *)&shot->number;
    in.payload.len = 4;
    struct hearth_call_options options = {.signer = {sign, shot}, .no_retry = true};
    int row = next() % WORLD_ROWS;
    const struct hearth_endpoint *endpoint = &bed.w.client_rows[row];
    if (row == WORLD_UNARY) {
        shot->call =
            hearth_channel_start(bed.w.channel, endpoint, &options, &in.base, on_shot, shot);
        return;
    }
    shot->call = hearth_channel_open(bed.w.channel, endpoint, &options, &events, shot);
    if ((next() & 3) != 0 && shot->call != NULL)
        (void)hearth_client_call_write(shot->call, &in.base);
    if ((next() & 1) != 0 && shot->call != NULL)
        hearth_client_call_half_close(shot->call);
}

/* ---- acts ---- */

static uint64_t memory_now(void *self)
{
    (void)self;
    return f.memory;
}

static void load_limits(void)
{
    size_t most = next(); /* a byte of the input itself */
    size_t len = (size_t)(f.end - f.at);
    struct err err = limits_load(front_limits(bed.front), bytes_of(f.at, len < most ? 0 : most));
    (void)err;
    struct buf out = BUF_INIT;
    must(err_is_ok(limits_save(front_limits(bed.front), &out)));
    must(err_is_ok(limits_load(front_limits(bed.front), buf_view(&out))));
    buf_clear(&out);
}

static void act(void)
{
    uint8_t what = next();
    struct shot *shot = f.count > 0 ? &f.shots[next() % f.count] : NULL;
    switch (what % 11) {
    case 0:
        world_run_ms(&bed.w, (uint64_t)next() * 50);
        break;
    case 1:
        answer_one(true);
        break;
    case 2:
        answer_one(false);
        break;
    case 3:
        if (shot != NULL && shot->call != NULL)
            hearth_client_call_cancel(shot->call);
        break;
    case 4:
        pipe_cut_all(bed.w.loop);
        break;
    case 5:
        f.memory = (uint64_t)next() << 21; /* up to 510 MiB */
        break;
    case 6:
        load_limits();
        break;
    case 7: {
        int8_t seconds = (int8_t)next();
        bed.w.clock.unix_base_ms += (uint64_t)(int64_t)seconds * 1000;
        f.set_back = f.set_back || seconds < 0;
        break;
    }
    default:
        shoot(next());
    }
    if ((what & 0x80) != 0)
        world_settle(&bed.w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0 || len > 2000)
        return 0;
    memset(&f, 0, sizeof f);
    f.at = data;
    f.end = data + len;
    bed = (struct bed){.options = {.memory_bytes = memory_now}, .find = find_slowly};
    bed_make();
    bed.w.handler = handle;
    bed.w.rows[WORLD_SERVER_STREAM].callers = 1 << 1;
    must(err_is_ok(limits_set(front_limits(bed.front), "NONCES", 1024)));
    while (f.at < f.end)
        act();
    /* the services close after the server */
    hearth_channel_free(bed.w.channel);
    bed.w.channel = NULL;
    world_settle(&bed.w);
    world_stop_server(&bed.w);
    while (f.waiting > 0)
        answer_one(true);
    must(bed_metric(METRIC_CALLS) == 0);
    for (unsigned i = 0; i < f.count; i++)
        must(f.shots[i].call == NULL);
    bed_end();
    return 0;
}
