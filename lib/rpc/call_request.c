/* The incoming half of a call: headers, messages, interceptors, decoding, the handler. */
#include <stdlib.h>

#include "google/rpc/error_details.pb-c.h"
#include "pb/shape.h"
#include "rpc/call.h"
#include "rpc/gzip.h"
#include "rpc/timeout.h"

static bool is(struct bytes a, const char *text, size_t len)
{
    return a.len == len && memcmp(a.data, text, len) == 0;
}
#define IS(view, literal) is(view, literal, sizeof(literal) - 1)

/* ---- headers ---- */

static void find_endpoint(struct hearth_call *call, struct bytes path)
{
    const char *page_path = call->core->page_path;
    call->plain = page_path != NULL && bytes_equal(path, bytes_str(page_path));
    call->bound = registry_find(&call->core->registry, path);
    if (call->bound == NULL)
        return;
    const struct hearth_endpoint *row = call->bound->row;
    call->arena.cap_bytes = call_memory_bytes(row);
    arena_init(&call->message_arena, call->arena.cap_bytes);
    frame_reader_init(&call->reader, row->request_bytes);
}

static bool starts_with_grpc(struct bytes value)
{
    static const char prefix[] = "application/grpc";
    size_t n = sizeof prefix - 1;
    if (value.len < n || memcmp(value.data, prefix, n) != 0)
        return false;
    return value.len == n || value.data[n] == '+' || value.data[n] == ';';
}

static void read_timeout(struct hearth_call *call, struct bytes value)
{
    uint64_t timeout_us;
    if (!err_is_ok(timeout_parse(value, &timeout_us))) {
        call->timeout_bad = true;
        return;
    }
    call->deadline_us = call->begun_us + timeout_us;
}

static bool lists_gzip(struct bytes value)
{
    return memmem(value.data, value.len, "gzip", 4) != NULL;
}

void call_on_header(struct hearth_call *call, struct bytes name, struct bytes value)
{
    if (name.data[0] == ':') {
        if (IS(name, ":path"))
            find_endpoint(call, value);
        else if (IS(name, ":method"))
            call->method_ok = IS(value, "POST");
        return;
    }
    if (IS(name, "content-type")) {
        call->content_type_ok = starts_with_grpc(value);
    } else if (IS(name, "te") || IS(name, "user-agent") || IS(name, "accept-encoding")) {
        return;
    } else if (name.len > 5 && memcmp(name.data, "grpc-", 5) == 0) {
        if (IS(name, "grpc-timeout"))
            read_timeout(call, value);
        else if (IS(name, "grpc-encoding"))
            call->encoding = IS(value, "identity") ? ENCODING_IDENTITY
                             : IS(value, "gzip")   ? ENCODING_GZIP
                                                   : ENCODING_UNKNOWN;
        else if (IS(name, "grpc-accept-encoding"))
            call->accepts_gzip = lists_gzip(value);
    } else if (!err_is_ok(metadata_add_wire(&call->headers, &call->arena, name, value))) {
        call->bad_headers = true;
    }
}

static void arm_deadline(struct hearth_call *call)
{
    uint32_t cap_ms = call->bound->row->deadline_ms;
    if (cap_ms != 0) {
        uint64_t cap_us = call->begun_us + (uint64_t)cap_ms * 1000;
        if (call->deadline_us == 0 || call->deadline_us > cap_us)
            call->deadline_us = cap_us;
    }
    if (call->deadline_us != 0 &&
        !err_is_ok(timers_arm(&call->env->timers, &call->deadline, call->deadline_us)))
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory");
}

/* What is wrong with the headers, as a finished call; true if the call goes on. */
static bool accept_headers(struct hearth_call *call, bool over)
{
    if (over) {
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED,
                         "request headers are larger than %u bytes",
                         call->core->limits.header_bytes);
    } else if (call->plain) {
        return false; /* answered when the request has ended */
    } else if (!call->method_ok) {
        call->http_status = 405;
        call_finish(call, HEARTH_INTERNAL);
    } else if (!call->content_type_ok) {
        call->http_status = 415;
        call_finish(call, HEARTH_INTERNAL);
    } else if (call->bound == NULL) {
        hearth_call_fail(call, HEARTH_UNIMPLEMENTED, "no such method");
    } else if (call->bad_headers) {
        hearth_call_fail(call, HEARTH_INTERNAL, "metadata can't be decoded or is too large");
    } else if (call->timeout_bad) {
        hearth_call_fail(call, HEARTH_INTERNAL, "grpc-timeout can't be read");
    } else if (call->encoding == ENCODING_UNKNOWN ||
               (call->encoding == ENCODING_GZIP && !call->bound->row->compression)) {
        hearth_call_fail(call, HEARTH_UNIMPLEMENTED,
                         "this message compression is not accepted here");
    } else {
        arm_deadline(call);
    }
    return !call->finished;
}

/* A result other than LATER and OK ends the call. */
static bool ran_ok(struct hearth_call *call, enum hearth_code code)
{
    if (code != HEARTH_OK && !call->finished)
        call_finish(call, code);
    return !call->finished;
}

static bool run_header_interceptors(struct hearth_call *call)
{
    for (size_t i = 0; i < call->core->interceptor_count && !call->finished; i++) {
        const struct hearth_interceptor *interceptor = &call->core->interceptors[i];
        if (interceptor->on_headers != NULL &&
            !ran_ok(call, interceptor->on_headers(call, interceptor->self)))
            return false;
    }
    return true;
}

void call_on_headers(struct hearth_call *call, bool over)
{
    if (!accept_headers(call, over))
        return;
    call->running = true;
    if (run_header_interceptors(call) && call_streams_requests(call) &&
        call->bound->row->open != NULL) {
        enum hearth_code code =
            call->bound->row->open(call, call->bound->service, call->bound->self);
        if (code != HEARTH_LATER && !call->finished)
            call_finish(call, code);
    }
    call->running = false;
}

/* ---- one message ---- */

static void *arena_allocator_alloc(void *arena, size_t len)
{
    return arena_alloc(arena, len);
}

static void arena_allocator_free(void *arena, void *data)
{
    (void)arena;
    (void)data;
}

/* In words for a person, and as google.rpc.BadRequest for a program. */
static void refuse_field(struct hearth_call *call, struct hearth_broken_rule *broken)
{
    Google__Rpc__BadRequest__FieldViolation violation;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest detail;
    google__rpc__bad_request__field_violation__init(&violation);
    google__rpc__bad_request__init(&detail);
    violation.field = broken->path;
    violation.description = hearth_call_printf(call, "%s", broken->text);
    detail.field_violations = violations;
    detail.n_field_violations = 1;
    char *text = hearth_call_printf(call, "%s: %s", broken->path, broken->text);
    if (violation.description != NULL && text != NULL)
        hearth_call_fail_detail(call, HEARTH_INVALID_ARGUMENT, text, &detail.base);
    else
        hearth_call_fail(call, HEARTH_INVALID_ARGUMENT, "a field breaks its rule");
}

static const ProtobufCMessage *decode(struct hearth_call *call, struct arena *arena,
                                      struct bytes message)
{
    const struct hearth_endpoint *row = call->bound->row;
    ProtobufCAllocator allocator = {arena_allocator_alloc, arena_allocator_free, arena};
    if (row->request_recursive && !shape_fits(row->request, message, SHAPE_DEPTH)) {
        hearth_call_fail(call, HEARTH_INTERNAL, "the request can't be decoded");
        return NULL;
    }
    ProtobufCMessage *in =
        protobuf_c_message_unpack(row->request, &allocator, message.len, message.data);
    if (arena->overflow) {
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "the decoded request is too large");
        return NULL;
    }
    if (in == NULL) {
        hearth_call_fail(call, HEARTH_INTERNAL, "the request can't be decoded");
        return NULL;
    }
    struct hearth_broken_rule broken;
    if (row->validate_request != NULL && !row->validate_request(in, &broken)) {
        refuse_field(call, &broken);
        return NULL;
    }
    return in;
}

static bool prepare_reply(struct hearth_call *call)
{
    const struct hearth_endpoint *row = call->bound->row;
    if (call_streams_responses(call) || call->reply != NULL)
        return true;
    call->reply = arena_alloc(&call->arena, row->response->sizeof_message);
    if (call->reply == NULL) {
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for the reply");
        return false;
    }
    row->response->message_init(call->reply);
    return true;
}

/* Runs the handler; in is NULL at the half-close of a request stream. */
static void invoke(struct hearth_call *call, const ProtobufCMessage *in)
{
    if (!prepare_reply(call))
        return;
    call->running = true;
    enum hearth_code code =
        call->bound->row->invoke(call, in, call->reply, call->bound->service, call->bound->self);
    call->running = false;
    if (call->finished)
        return;
    if (code != HEARTH_LATER) {
        call_finish(call, code);
    } else if (call->bound->row->shape == HEARTH_UNARY) {
        call->owes = true;
        call_ref(call);
    }
}

static void handle_message(struct hearth_call *call)
{
    bool streaming = call_streams_requests(call);
    struct bytes message = frame_reader_message(&call->reader);
    struct arena *arena = streaming ? &call->message_arena : &call->arena;
    const ProtobufCMessage *in = decode(call, arena, message);
    frame_reader_next(&call->reader);
    call->message_count++;
    if (in != NULL)
        invoke(call, in);
    if (streaming)
        arena_clear(&call->message_arena);
}

/* Runs the interceptors that have not run yet for this message, then the handler. The message stays
 * in the reader until all are through. */
static void intercept(struct hearth_call *call)
{
    struct bytes message = frame_reader_message(&call->reader);
    while (call->intercepted < call->core->interceptor_count) {
        const struct hearth_interceptor *interceptor =
            &call->core->interceptors[call->intercepted++];
        if (interceptor->on_message == NULL)
            continue;
        call->running = true;
        call->asking = true;
        enum hearth_code code = interceptor->on_message(call, message.data, message.len,
                                                        call->message_count, interceptor->self);
        call->running = false;
        /* it may have said "continue" before it said "later" */
        if (code == HEARTH_LATER && !call->asking)
            code = call->early_code;
        call->asking = false;
        if (call->finished)
            return;
        if (code == HEARTH_LATER) {
            call->thinking = true;
            call_ref(call);
            return;
        }
        if (!ran_ok(call, code))
            return;
    }
    call->intercepted = 0;
    handle_message(call);
}

static void decompress(struct hearth_call *call)
{
    if (call->encoding != ENCODING_GZIP) {
        hearth_call_fail(call, HEARTH_INTERNAL, "a compressed message without grpc-encoding");
        return;
    }
    struct buf out = {.limit = call->bound->row->request_bytes};
    struct err err = gzip_inflate(frame_reader_message(&call->reader), &out);
    if (err_is_ok(err)) {
        frame_reader_next(&call->reader);
        frame_reader_adopt(&call->reader, &out);
    } else {
        hearth_call_fail(call,
                         err.code == ERR_TOO_LARGE ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_INTERNAL,
                         "a compressed message can't be read: %s", err_text(err));
    }
    buf_clear(&out);
}

/* A message is complete in the reader. */
static void message_complete(struct hearth_call *call)
{
    call->message_compressed = call->reader.compressed;
    if (call->reader.compressed)
        decompress(call);
    if (call->finished)
        return;
    if (call_streams_requests(call)) {
        intercept(call);
    } else if (call->message_ready || call->message_count > 0) {
        hearth_call_fail(call, HEARTH_INTERNAL, "more than one request message");
    } else {
        call->message_ready =
            true; /* the handler runs at half-close, when it is sure that it is alone */
    }
}

/* ---- the stream of bytes ---- */

static void feed(struct hearth_call *call, const uint8_t *data, size_t len, size_t *ret_used)
{
    size_t used = 0;
    bool complete = false;
    if (!frame_reader_partial(&call->reader))
        call->message_begun_us = call->conn->h2.now_us;
    struct err err = frame_reader_feed(&call->reader, data, len, &used, &complete);
    *ret_used = used;
    if (err.code == ERR_TOO_LARGE)
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED,
                         "a request message of %u bytes is over the limit of %u", call->reader.want,
                         call->reader.cap_bytes);
    else if (!err_is_ok(err)) /* the caller may repeat what failed for want of memory */
        hearth_call_fail(call,
                         err.code == ERR_NO_MEMORY ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_INTERNAL,
                         "%s", err_text(err));
    else if (complete)
        message_complete(call);
}

static bool can_take(const struct hearth_call *call)
{
    return !call->finished && !call->paused && !call->thinking && !call->message_ready;
}

static void take(struct hearth_call *call, const uint8_t *data, size_t len, size_t *ret_taken)
{
    size_t taken = 0;
    while (taken < len && can_take(call)) {
        size_t used = 0;
        feed(call, data + taken, len - taken, &used);
        taken += used;
        if (call->finished)
            break;
    }
    *ret_taken = taken;
}

static bool run_half_close_interceptors(struct hearth_call *call)
{
    call->running = true;
    for (size_t i = 0; i < call->core->interceptor_count && !call->finished; i++) {
        const struct hearth_interceptor *interceptor = &call->core->interceptors[i];
        if (interceptor->on_half_close != NULL)
            (void)ran_ok(call,
                         interceptor->on_half_close(call, call->message_count, interceptor->self));
    }
    call->running = false;
    return !call->finished;
}

/* All of the request has been taken: request streams hear of it, the others run their handler now.
 */
static void at_end(struct hearth_call *call)
{
    call->end_delivered = true;
    if (call->message_ready) {
        call->message_ready = false;
        intercept(call);
    } else if (frame_reader_partial(&call->reader)) {
        hearth_call_fail(call, HEARTH_INTERNAL, "the request ends inside a message");
    } else if (call_streams_requests(call)) {
        if (run_half_close_interceptors(call))
            invoke(call, NULL);
    } else {
        hearth_call_fail(call, HEARTH_INTERNAL, "the request has no message");
    }
}

/* Goes on with what was held back. Not reentrant: a handler that resumes inside its own invocation
 * is served by the loop that runs it. */
void call_pump(struct hearth_call *call)
{
    if (call->pumping)
        return;
    call->pumping = true;
    call_ref(call);
    while (call->held.len > 0 && can_take(call)) {
        size_t taken = 0;
        take(call, call->held.data, call->held.len, &taken);
        if (call->finished)
            break; /* the end has dropped what was held, and given its window back */
        if (call->conn != NULL)
            h2_consume(&call->conn->h2, call->id, taken);
        buf_drop_front(&call->held, taken);
    }
    bool waits = call->paused || call->thinking || call->held.len > 0;
    if (call->request_ended && !call->end_delivered && !call->finished && !waits)
        at_end(call);
    call->pumping = false;
    call_unref(call);
}

void call_on_data(struct hearth_call *call, const uint8_t *data, size_t len)
{
    if (call->finished || call->plain) {
        h2_consume(&call->conn->h2, call->id, len);
        return;
    }
    size_t taken = 0;
    if (call->held.len == 0 && !call->pumping) {
        call->pumping = true;
        call_ref(call);
        take(call, data, len, &taken);
        call->pumping = false;
        struct server_conn *conn = call->conn;
        bool over = call->finished;
        if (conn != NULL)
            h2_consume(&conn->h2, call->id, over ? len : taken);
        call_unref(call);
        if (conn == NULL || over)
            return;
    }
    if (taken == len)
        return;
    /* never more than the window we announced, or the sender is at fault and nghttp2 has said so
     * already */
    buf_append(&call->held, data + taken, len - taken);
    if (call->held.failed)
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory");
    else if (call->message_ready)
        hearth_call_fail(call, HEARTH_INTERNAL, "more than one request message");
}

void call_on_end(struct hearth_call *call)
{
    call->request_ended = true;
    if (call->plain && !call->finished)
        call_send_page(call);
    else
        call_pump(call);
}

/* ---- include/hearth/rpc.h ---- */

void hearth_call_pause(struct hearth_call *call)
{
    call->paused = true;
}

void hearth_call_resume(struct hearth_call *call)
{
    call->paused = false;
    if (!call->running)
        call_pump(call);
}

void hearth_call_continue(struct hearth_call *call, enum hearth_code code)
{
    if (call->asking) {
        call->asking = false;
        call->early_code = code;
        return;
    }
    if (!call->thinking)
        return;
    call->thinking = false;
    if (ran_ok(call, code))
        intercept(call);
    call_pump(call);
    call_unref(call);
}
