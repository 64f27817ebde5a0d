#include "interop/service.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LARGEST_PAYLOAD_BYTES = 4 * 1024 * 1024 - 64 };
static uint8_t zeros[LARGEST_PAYLOAD_BYTES];

/* ---- what all calls have in common ---- */

static void echo_metadata(struct hearth_call *call)
{
    static const char header[] = "x-grpc-test-echo-initial";
    static const char trailer[] = "x-grpc-test-echo-trailing-bin";
    const uint8_t *value;
    size_t len;
    if (hearth_call_metadata(call, header, 0, &value, &len))
        hearth_call_add_header(call, header, value, len);
    if (hearth_call_metadata(call, trailer, 0, &value, &len))
        hearth_call_add_trailer(call, trailer, value, len);
}

static bool compression_is_as_expected(struct hearth_call *call,
                                       const Grpc__Testing__BoolValue *expected)
{
    return expected == NULL || expected->value == hearth_call_message_compressed(call);
}

static bool size_is_good(int32_t size)
{
    return size >= 0 && size <= LARGEST_PAYLOAD_BYTES;
}

static enum hearth_code fail_as_asked(struct hearth_call *call,
                                      const Grpc__Testing__EchoStatus *status)
{
    bool known = status->code > 0 && status->code <= 16;
    return hearth_call_fail(call, known ? (enum hearth_code)status->code : HEARTH_UNKNOWN, "%s",
                            status->message);
}

/* ---- unary ---- */

static enum hearth_code empty_call(struct hearth_call *call, const Grpc__Testing__Empty *in,
                                   Grpc__Testing__Empty *out, void *self)
{
    (void)in;
    (void)out;
    (void)self;
    echo_metadata(call);
    return HEARTH_OK;
}

static enum hearth_code unary_call(struct hearth_call *call, const Grpc__Testing__SimpleRequest *in,
                                   Grpc__Testing__SimpleResponse *out, void *self)
{
    echo_metadata(call);
    if (!compression_is_as_expected(call, in->expect_compressed))
        return hearth_call_fail(call, HEARTH_INVALID_ARGUMENT, "the request is %scompressed",
                                in->expect_compressed->value ? "not " : "");
    if (in->response_status != NULL && in->response_status->code != 0)
        return fail_as_asked(call, in->response_status);
    if (in->response_type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE ||
        !size_is_good(in->response_size))
        return hearth_call_fail(call, HEARTH_INVALID_ARGUMENT, "no such payload");
    if (in->fill_server_id)
        out->server_id = self;
    out->payload = hearth_call_alloc(call, sizeof *out->payload);
    if (out->payload == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    grpc__testing__payload__init(out->payload);
    out->payload->body = (ProtobufCBinaryData){(size_t)in->response_size, zeros};
    hearth_call_compress(call, in->response_compressed != NULL && in->response_compressed->value);
    return HEARTH_OK;
}

static enum hearth_code cacheable_unary_call(struct hearth_call *call,
                                             const Grpc__Testing__SimpleRequest *in,
                                             Grpc__Testing__SimpleResponse *out, void *self)
{
    static const char minute[] = "max-age=60, public";
    struct timespec now;
    (void)in;
    (void)self;
    clock_gettime(CLOCK_REALTIME, &now);
    char *text = hearth_call_printf(call, "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
    out->payload = hearth_call_alloc(call, sizeof *out->payload);
    if (text == NULL || out->payload == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    grpc__testing__payload__init(out->payload);
    out->payload->body = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    hearth_call_add_header(call, "cache-control", minute, sizeof minute - 1);
    return HEARTH_OK;
}

static enum hearth_code streaming_input_call_open(struct hearth_call *call, void *self)
{
    (void)self;
    echo_metadata(call);
    return HEARTH_LATER;
}

static enum hearth_code streaming_input_call(struct hearth_call *call,
                                             const Grpc__Testing__StreamingInputCallRequest *in,
                                             Grpc__Testing__StreamingInputCallResponse *out,
                                             void *self)
{
    (void)self;
    if (in == NULL)
        return HEARTH_OK;
    if (!compression_is_as_expected(call, in->expect_compressed))
        return hearth_call_fail(call, HEARTH_INVALID_ARGUMENT, "the request is %scompressed",
                                in->expect_compressed->value ? "not " : "");
    /* out is the same message each time: it lives as long as the call */
    if (in->payload != NULL)
        out->aggregated_payload_size += (int32_t)in->payload->body.len;
    return HEARTH_LATER;
}

/* ---- response streams ---- */

struct response {
    int32_t size, interval_us;
    bool compressed;
};

/* Responses that a stream still owes. While it owes some, no further request is read, so that a
 * client that doesn't read is stopped by flow control. */
struct sender {
    struct hearth_call *call;
    struct event *timer;
    struct response *owed;
    size_t count, next;
    bool slept;   /* the interval before `next` is over */
    bool blocked; /* a write said wait */
    bool last;    /* no request will come any more: finish behind the last response */
    bool half;    /* owe everything until then */
};

static void sender_free(void *state)
{
    struct sender *sender = state;
    if (sender->timer != NULL)
        event_free(sender->timer);
    free(sender->owed);
    free(sender);
}

static int write_one(struct sender *sender, const struct response *response)
{
    Grpc__Testing__StreamingOutputCallResponse item;
    Grpc__Testing__Payload payload;
    grpc__testing__streaming_output_call_response__init(&item);
    grpc__testing__payload__init(&payload);
    payload.body = (ProtobufCBinaryData){(size_t)response->size, zeros};
    item.payload = &payload;
    hearth_call_compress(sender->call, response->compressed);
    return grpc_testing_test_service_streaming_output_call_write(sender->call, &item);
}

/* Writes until it must wait. The sender may be gone on return: it goes with its call. */
static void go_on(struct sender *sender)
{
    struct hearth_call *call = sender->call;
    while (sender->next < sender->count && !sender->blocked) {
        const struct response *response = &sender->owed[sender->next];
        if (response->interval_us > 0 && !sender->slept) {
            struct timeval wait = {response->interval_us / 1000000,
                                   response->interval_us % 1000000};
            evtimer_add(sender->timer, &wait);
            return;
        }
        sender->slept = false;
        sender->next++;
        int result = write_one(sender, response);
        if (result < 0)
            return;
        sender->blocked = result == 0;
    }
    if (sender->next < sender->count)
        return;
    sender->count = sender->next = 0;
    if (sender->last)
        hearth_call_finish(call, HEARTH_OK);
    else
        hearth_call_resume(call);
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
    struct sender *sender = arg;
    (void)fd;
    (void)what;
    sender->slept = true;
    go_on(sender);
}

static void on_room(struct hearth_call *call, void *arg)
{
    struct sender *sender = arg;
    (void)call;
    sender->blocked = false;
    if (sender->count > 0)
        go_on(sender);
}

static struct sender *sender_new(struct hearth_call *call, bool half)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return NULL;
    sender->call = call;
    sender->half = half;
    hearth_call_set_state(call, sender, sender_free);
    hearth_call_on_writable(call, on_room, sender);
    sender->timer = evtimer_new(hearth_loop_base(hearth_call_loop(call)), on_interval, sender);
    return sender->timer != NULL ? sender : NULL;
}

static enum hearth_code owe(struct sender *sender,
                            const Grpc__Testing__StreamingOutputCallRequest *in)
{
    enum { MOST = 100000 };
    size_t count = sender->count + in->n_response_parameters;
    if (count > MOST)
        return HEARTH_RESOURCE_EXHAUSTED;
    if (in->n_response_parameters == 0)
        return HEARTH_OK;
    struct response *owed = realloc(sender->owed, count * sizeof *owed);
    if (owed == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    sender->owed = owed;
    for (size_t i = 0; i < in->n_response_parameters; i++) {
        const Grpc__Testing__ResponseParameters *p = in->response_parameters[i];
        if (!size_is_good(p->size))
            return HEARTH_INVALID_ARGUMENT;
        owed[sender->count++] = (struct response){p->size, p->interval_us,
                                                  p->compressed != NULL && p->compressed->value};
    }
    return HEARTH_OK;
}

static enum hearth_code streaming_output_call(struct hearth_call *call,
                                              const Grpc__Testing__StreamingOutputCallRequest *in,
                                              void *self)
{
    (void)self;
    echo_metadata(call);
    if (in->response_status != NULL && in->response_status->code != 0)
        return fail_as_asked(call, in->response_status);
    struct sender *sender = sender_new(call, false);
    if (sender == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    enum hearth_code code = owe(sender, in);
    if (code != HEARTH_OK)
        return code;
    sender->last = true;
    go_on(sender);
    return HEARTH_LATER;
}

static enum hearth_code duplex_open(struct hearth_call *call, bool half)
{
    echo_metadata(call);
    return sender_new(call, half) != NULL ? HEARTH_LATER : HEARTH_RESOURCE_EXHAUSTED;
}

static enum hearth_code duplex(struct hearth_call *call,
                               const Grpc__Testing__StreamingOutputCallRequest *in)
{
    struct sender *sender = hearth_call_state(call);
    if (in != NULL && in->response_status != NULL && in->response_status->code != 0)
        return fail_as_asked(call, in->response_status);
    enum hearth_code code = in != NULL ? owe(sender, in) : HEARTH_OK;
    if (code != HEARTH_OK)
        return code;
    sender->last = in == NULL;
    if (in != NULL && sender->half)
        return HEARTH_LATER;
    hearth_call_pause(call);
    go_on(sender);
    return HEARTH_LATER;
}

static enum hearth_code full_duplex_call_open(struct hearth_call *call, void *self)
{
    (void)self;
    return duplex_open(call, false);
}

static enum hearth_code full_duplex_call(struct hearth_call *call,
                                         const Grpc__Testing__StreamingOutputCallRequest *in,
                                         void *self)
{
    (void)self;
    return duplex(call, in);
}

static enum hearth_code half_duplex_call_open(struct hearth_call *call, void *self)
{
    (void)self;
    return duplex_open(call, true);
}

static enum hearth_code half_duplex_call(struct hearth_call *call,
                                         const Grpc__Testing__StreamingOutputCallRequest *in,
                                         void *self)
{
    (void)self;
    return duplex(call, in);
}

const struct grpc_testing_test_service_service interop_service = {
    .empty_call = empty_call,
    .unary_call = unary_call,
    .cacheable_unary_call = cacheable_unary_call,
    .streaming_output_call = streaming_output_call,
    .streaming_input_call = streaming_input_call,
    .streaming_input_call_open = streaming_input_call_open,
    .full_duplex_call = full_duplex_call,
    .full_duplex_call_open = full_duplex_call_open,
    .half_duplex_call = half_duplex_call,
    .half_duplex_call_open = half_duplex_call_open,
};
