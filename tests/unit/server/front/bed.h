/* What tests of the front stand on: a world (support/rpc/world.h) with a front before it, two
 * callers whose keys it knows, and one it doesn't. */
#ifndef FRONT_BED_H
#define FRONT_BED_H

#include "hearth/v1/common.pb-c.h"
#include "server/front/front.h"
#include "support/rpc/world.h"
#include "support/server/caller.h"

#define DOMAIN "a.test"
enum { BEDS_CALLERS = 3, BEDS_LINES = 100 };

struct bed {
    struct world w;
    struct clock clock;
    struct front_env env;
    struct front_options options;
    struct front *front;
    struct hearth_interceptor interceptor;
    struct caller callers[BEDS_CALLERS]; /* the last is unknown to the server */
    /* instead of the front's own, or NULL */
    enum hearth_code (*on_message)(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self);
    /* instead of the bed's own source of keys, or NULL */
    void (*find)(void *self, struct front_pending *pending, enum request_caller kind,
                 struct bytes id);
    const char *unary_path; /* another path for the unary row */
    bool defer;             /* keys come when bed_answer() is called */
    struct front_pending *pending;
    unsigned lookups, handled;
    struct front_caller seen; /* by the handler */
    uint8_t seen_id[REQUEST_ID_MAX_BYTES];
    char lines[BEDS_LINES][200];
    unsigned line_count;
};

static struct bed bed;

/* How one call went, all that a caller can see. */
struct answer {
    enum hearth_code code;
    char message[200];
    uint8_t details[500];
    size_t details_len;
    uint32_t retry_s; /* RetryAfter, or 0 */
    unsigned done;
};

static const struct caller *owner_of(enum request_caller kind, struct bytes id)
{
    for (int i = 0; i < BEDS_CALLERS - 1; i++)
        if (bed.callers[i].kind == kind && bytes_equal(bed.callers[i].id, id))
            return &bed.callers[i];
    return NULL;
}

static void answer_pending(struct front_pending *pending, enum request_caller kind, struct bytes id)
{
    const struct caller *owner = owner_of(kind, id);
    if (owner != NULL)
        front_key(pending, &sig_ed25519, caller_public_key(owner));
    else
        front_key(pending, NULL, bytes_of(NULL, 0));
}

static void find_key(void *self, struct front_pending *pending, enum request_caller kind,
                     struct bytes id)
{
    (void)self;
    bed.lookups++;
    if (bed.defer)
        bed.pending = pending;
    else
        answer_pending(pending, kind, id);
}

static inline enum hearth_code bed_handler(struct world *w, struct hearth_call *call,
                                           const Bench__EchoRequest *in, Bench__EchoReply *out)
{
    (void)w;
    (void)out;
    bed.handled++;
    bed.seen = *front_caller(call);
    memcpy(bed.seen_id, bed.seen.id.len > 0 ? bed.seen.id.data : (const uint8_t *)"",
           bed.seen.id.len);
    bed.seen.id.data = bed.seen_id;
    return hearth_call_endpoint(call)->shape == HEARTH_UNARY || in == NULL ? HEARTH_OK
                                                                           : HEARTH_LATER;
}

static inline void bed_log(void *self, const char *line)
{
    (void)self;
    if (bed.line_count < BEDS_LINES)
        (void)strncpy(bed.lines[bed.line_count++], line, sizeof bed.lines[0] - 1);
}

static inline void bed_make(void)
{
    static const uint8_t ids[BEDS_CALLERS][16] = {{1}, {2}, {3}};
    world_init(&bed.w);
    bed.w.clock.unix_base_ms = 1800000000000;
    bed.clock = clock_of_fake(&bed.w.clock);
    bed.env = (struct front_env){
        .domain = DOMAIN, .development = true, .clock = &bed.clock, .rng = &bed.w.rng};
    bed.options.log = bed_log;
    assert_ok(front_new(&bed.env, &bed.options, &bed.front));
    assert_ptr_equal(bed.env.front, bed.front);
    for (int i = 0; i < BEDS_CALLERS; i++)
        caller_init(&bed.callers[i], REQUEST_QUEUE_CLIENT, bytes_of(ids[i], 16), DOMAIN, &bed.clock,
                    &bed.w.rng);
    struct front_key_source source = {.find = bed.find != NULL ? bed.find : find_key};
    assert_ok(front_add_keys(bed.front, REQUEST_QUEUE_CLIENT, source));
    assert_err(front_add_keys(bed.front, REQUEST_QUEUE_CLIENT, source), WRONG_STATE);
    bed.interceptor = front_interceptor(bed.front);
    if (bed.on_message != NULL)
        bed.interceptor.on_message = bed.on_message;
    bed.w.server_options.interceptors = &bed.interceptor;
    bed.w.server_options.interceptor_count = 1;
    bed.w.server_options.pressure = front_pressure;
    bed.w.server_options.pressure_self = bed.front;
    bed.w.handler = bed_handler;
    for (int i = 0; i < WORLD_ROWS; i++)
        bed.w.rows[i].callers = 1 << REQUEST_QUEUE_CLIENT;
    if (bed.unary_path != NULL)
        bed.w.rows[WORLD_UNARY].path = bed.unary_path;
    world_start(&bed.w);
}

static inline void bed_end(void)
{
    world_end(&bed.w);
    for (int i = 0; i < BEDS_CALLERS; i++)
        caller_clear(&bed.callers[i]);
    front_free(bed.front);
    bed = (struct bed){0};
}

static inline int bed_setup(void **state)
{
    (void)state;
    bed = (struct bed){0};
    bed_make();
    return 0;
}

static inline int bed_teardown(void **state)
{
    (void)state;
    bed_end();
    return 0;
}

/* The same without defences. */
static inline int bed_setup_control(void **state)
{
    (void)state;
    bed = (struct bed){.options.control = true};
    bed_make();
    return 0;
}

static void on_answer(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct answer *a = arg;
    (void)out;
    a->done++;
    a->code = status->code;
    if (status->message != NULL)
        (void)strncpy(a->message, status->message, sizeof a->message - 1);
    assert_true(status->details_len <= sizeof a->details);
    a->details_len = status->details_len;
    if (status->details_len > 0)
        memcpy(a->details, status->details, status->details_len);
    ProtobufCMessage *retry = hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    if (retry != NULL) {
        a->retry_s = ((Hearth__V1__RetryAfter *)(void *)retry)->seconds;
        protobuf_c_message_free_unpacked(retry, NULL);
    }
}

/* A unary call, begun. who NULL: unsigned. */
static inline struct hearth_client_call *bed_start(struct caller *who, struct answer *a,
                                                   const struct hearth_call_options *more)
{
    struct hearth_call_options options = more != NULL ? *more : (struct hearth_call_options){0};
    Bench__EchoRequest in;
    bench__echo_request__init(&in);
    in.payload.data = (uint8_t *)(uintptr_t) "body";
    in.payload.len = 4;
    options.no_retry = true;
    if (who != NULL)
        options.signer = caller_signer(who);
    struct hearth_client_call *call = hearth_channel_start(
        bed.w.channel, &bed.w.client_rows[WORLD_UNARY], &options, &in.base, on_answer, a);
    assert_non_null(call);
    return call;
}

/* A unary call from beginning to end, within a moment. */
static inline struct answer bed_call(struct caller *who, const struct hearth_call_options *more)
{
    struct answer a = {0};
    (void)bed_start(who, &a, more);
    world_settle(&bed.w);
    if (a.done == 0)
        world_run_ms(&bed.w, 10);
    assert_int_equal(a.done, 1);
    return a;
}

static inline enum hearth_code bed_code(struct caller *who)
{
    return bed_call(who, NULL).code;
}

/* From now on calls come from there. */
static inline void bed_from(const char *address)
{
    char target[100] = "pipe:test@";
    (void)strncat(target, address, sizeof target - strlen(target) - 1);
    hearth_channel_free(bed.w.channel);
    bed.w.channel = hearth_channel_new(target, &bed.w.channel_options);
    assert_non_null(bed.w.channel);
}

static inline uint64_t bed_metric(enum metric metric)
{
    return metrics_value(front_metrics(bed.front), metric);
}

#endif
