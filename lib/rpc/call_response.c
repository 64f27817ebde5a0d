/* The outgoing half of a call: messages, headers, trailers, status. */
#include <stdio.h>

#include "google/rpc/status.pb-c.h"
#include "rpc/call.h"
#include "rpc/header_list.h"
#include "rpc/status_text.h"

enum { COMPRESS_FROM_BYTES = 128, WRITE_AHEAD_FACTOR = 16, MESSAGE_TEXT_BYTES = 4096 };

static bool compresses(const struct hearth_call *call)
{
    return call->bound != NULL && call->bound->row->compression && call->accepts_gzip;
}

static void put_head(struct header_list *list, struct hearth_call *call)
{
    static const struct h2_header ok = HEADER(":status", "200");
    static const struct h2_header type = HEADER("content-type", "application/grpc");
    static const struct h2_header gzip = HEADER("grpc-encoding", "gzip");
    static const struct h2_header accepted = HEADER("grpc-accept-encoding", "identity,gzip");
    header_list_put(list, ok);
    header_list_put(list, type);
    if (compresses(call)) {
        header_list_put(list, gzip);
        header_list_put(list, accepted);
    }
    header_list_put_metadata(list, &call->arena, &call->out_headers, true);
}

static void put_details(struct header_list *list, struct hearth_call *call)
{
    static const char name[] = "grpc-status-details-bin";
    struct metadata_entry entry = {.name = bytes_str(name), .value = call->details};
    struct bytes value = metadata_wire_value(&entry, &call->arena);
    if (value.data != NULL)
        header_list_put(list, (struct h2_header){bytes_str(name), value, true});
}

/* text is for the message, and cleared by the caller when the list was submitted. */
static void put_status(struct header_list *list, struct hearth_call *call, struct buf *text)
{
    static const char *const codes[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                        "9", "10", "11", "12", "13", "14", "15", "16"};
    static const struct bytes status_name = HEADER_VIEW("grpc-status");
    static const struct bytes message_name = HEADER_VIEW("grpc-message");
    unsigned code = (unsigned)call->code <= 16 ? (unsigned)call->code : HEARTH_UNKNOWN;
    header_list_put(list, (struct h2_header){status_name, bytes_str(codes[code]), true});
    if (call->message != NULL && call->code != HEARTH_OK) {
        /* not in the arena: that it is full may be what there is to say */
        *text = (struct buf){.limit = MESSAGE_TEXT_BYTES};
        status_message_encode(text, call->message);
        if (text->len > 0)
            header_list_put(list, (struct h2_header){message_name, buf_view(text), false});
    }
    if (call->details.len > 0)
        put_details(list, call);
    header_list_put_metadata(list, &call->arena, &call->out_trailers, true);
}

/* The stream can't be answered any more for want of memory: better cut than silent. */
static void check_sent(struct hearth_call *call, struct err err)
{
    if (!err_is_ok(err) && err.code != ERR_RPC_CLOSED)
        h2_reset(&call->conn->h2, call->id, H2_INTERNAL_ERROR);
}

static void send_head(struct hearth_call *call)
{
    if (call->headers_sent || call->conn == NULL)
        return;
    struct header_list list FILLED_LATER;
    list.count = 0;
    put_head(&list, call);
    call->headers_sent = true;
    check_sent(call, h2_respond(&call->conn->h2, call->id, list.at, list.count, false, call));
    h2_wake(&call->conn->h2);
}

void hearth_call_send_headers(struct hearth_call *call)
{
    if (!call->finished)
        send_head(call);
}

/* Not gRPC at all: answered so that an HTTP client understands. */
static void send_plain_http(struct hearth_call *call)
{
    char text[8];
    int len = snprintf(text, sizeof text, "%u", call->http_status);
    struct h2_header list[1] = {{bytes_str(":status"), bytes_of(text, (size_t)len), false}};
    check_sent(call, h2_respond(&call->conn->h2, call->id, list, 1, true, NULL));
}

void call_send_page(struct hearth_call *call)
{
    static const struct h2_header head[] = {HEADER(":status", "200"),
                                            HEADER("content-type", "text/plain")};
    call->finished = true;
    if (call->conn == NULL)
        return;
    struct err err =
        outbox_append_raw(&call->out, bytes_of(call->core->page, call->core->page_len));
    if (err_is_ok(err))
        err = h2_respond(&call->conn->h2, call->id, head, sizeof head / sizeof *head, false, call);
    check_sent(call, err);
    h2_wake(&call->conn->h2);
}

static void send_trailers_only(struct hearth_call *call)
{
    struct header_list list FILLED_LATER;
    struct buf text = BUF_INIT;
    list.count = 0;
    put_head(&list, call);
    put_status(&list, call, &text);
    check_sent(call, h2_respond(&call->conn->h2, call->id, list.at, list.count, true, NULL));
    buf_clear(&text);
}

/* The outcome is decided and all messages are in `out`. */
static void end_response(struct hearth_call *call, enum hearth_code code)
{
    call->finished = true;
    call->code = code;
    timers_disarm(&call->env->timers, &call->deadline);
    struct server_conn *conn = call->conn;
    if (conn == NULL)
        return;
    if (call->http_status != 200)
        send_plain_http(call);
    else if (!call->headers_sent && outbox_waiting(&call->out) == 0)
        send_trailers_only(call);
    else if (!call->headers_sent)
        send_head(call);
    else
        h2_resume(&conn->h2, call->id);
    /* what was held back will not be read: its window goes back, so that the peer can finish */
    if (call->held.len > 0) {
        h2_consume(&conn->h2, call->id, call->held.len);
        buf_clear(&call->held);
    }
    h2_wake(&conn->h2);
}

static void tell_answer(struct hearth_call *call, enum hearth_code code)
{
    for (size_t i = 0; i < call->core->interceptor_count; i++) {
        const struct hearth_interceptor *interceptor = &call->core->interceptors[i];
        if (interceptor->on_answer != NULL)
            interceptor->on_answer(call, code, interceptor->self);
    }
}

void call_finish(struct hearth_call *call, enum hearth_code code)
{
    if (call->finished)
        return;
    if (code == HEARTH_OK && call->arena.overflow) {
        call->message = "over the memory of one call";
        code = HEARTH_RESOURCE_EXHAUSTED;
    }
    if (code == HEARTH_OK && call->bound != NULL && !call_streams_responses(call)) {
        if (call->reply == NULL)
            code = HEARTH_INTERNAL;
        else if (hearth_call_write(call, call->reply) < 0)
            return; /* it has ended the call itself */
    }
    if (call->conn != NULL)
        tell_answer(call, code);
    end_response(call, code);
}

static void send_trailers(struct hearth_call *call)
{
    struct header_list list FILLED_LATER;
    struct buf text = BUF_INIT;
    list.count = 0;
    put_status(&list, call, &text);
    check_sent(call, h2_trailers(&call->conn->h2, call->id, list.at, list.count));
    buf_clear(&text);
}

/* A peer that takes a byte now and then has not read anything. */
static void note_moved(struct hearth_call *call, size_t n)
{
    enum { LEAST_BYTES = 1024 };
    call->out_moved_bytes += (uint32_t)n;
    if (call->out_moved_bytes < LEAST_BYTES && outbox_waiting(&call->out) > 0)
        return;
    call->out_moved_us = call->conn->h2.now_us;
    call->out_moved_bytes = 0;
}

size_t call_read_body(struct hearth_call *call, uint8_t *buf, size_t len, enum h2_body_end *ret_end)
{
    size_t n = outbox_take(&call->out, buf, len);
    note_moved(call, n);
    uint32_t half = call->core->limits.send_buffer_bytes / 2;
    if (call->write_blocked && outbox_waiting(&call->out) <= half && !call->finished) {
        call->write_blocked = false;
        if (!call->writable_queued && call->on_writable != NULL) {
            call->writable_queued = true;
            call->next_writable = call->conn->writable;
            call->conn->writable = call;
        }
    }
    if (call->finished && outbox_waiting(&call->out) == 0) {
        *ret_end = H2_BODY_TRAILERS;
        if (call->plain)
            *ret_end = H2_BODY_OVER;
        else
            send_trailers(call);
    }
    return n;
}

/* ---- messages ---- */

int hearth_call_write(struct hearth_call *call, const ProtobufCMessage *item)
{
    if (call->finished || call->conn == NULL)
        return -1;
    size_t size = protobuf_c_message_get_packed_size(item);
    if (size > call->bound->row->response_bytes) {
        hearth_call_fail(call, HEARTH_INTERNAL, "a response of %zu bytes is over the limit of %u",
                         size, call->bound->row->response_bytes);
        return -1;
    }
    /* One that goes on writing after it was told to wait: its memory is bounded all the same. */
    size_t most = (size_t)call->core->limits.send_buffer_bytes * WRITE_AHEAD_FACTOR +
                  call->bound->row->response_bytes;
    if (call->write_blocked && outbox_waiting(&call->out) + size > most) {
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED,
                         "written further ahead than the reader reads");
        return -1;
    }
    bool was_empty = outbox_waiting(&call->out) == 0;
    bool compress = call->compress && compresses(call) && size >= COMPRESS_FROM_BYTES;
    if (!err_is_ok(outbox_append(&call->out, item, size, compress))) {
        hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for the response");
        return -1;
    }
    if (was_empty) {
        call->out_moved_us = call->conn->h2.now_us;
        call->out_moved_bytes = 0;
    }
    if (call_streams_responses(call)) {
        if (!call->headers_sent)
            send_head(call);
        else if (was_empty)
            h2_resume(&call->conn->h2, call->id);
    }
    if (outbox_waiting(&call->out) < call->core->limits.send_buffer_bytes)
        return 1;
    call->write_blocked = true;
    return 0;
}

void hearth_call_reply(struct hearth_call *call, const ProtobufCMessage *out)
{
    call_ref(call);
    if (!call->finished) {
        call->reply = NULL;
        if (hearth_call_write(call, out) >= 0) {
            if (call->conn != NULL)
                tell_answer(call, HEARTH_OK);
            end_response(call, HEARTH_OK);
        }
    }
    call_settle(call);
    call_unref(call);
}

void hearth_call_finish(struct hearth_call *call, enum hearth_code code)
{
    call_ref(call);
    call_finish(call, code);
    call_settle(call);
    call_unref(call);
}

/* ---- details ---- */

enum hearth_code hearth_call_fail_detail(struct hearth_call *call, enum hearth_code code,
                                         const char *text, const ProtobufCMessage *detail)
{
    Google__Protobuf__Any any;
    Google__Protobuf__Any *anys[1] = {&any};
    Google__Rpc__Status status;
    google__protobuf__any__init(&any);
    google__rpc__status__init(&status);
    any.type_url = hearth_call_printf(call, "type.googleapis.com/%s", detail->descriptor->name);
    any.value.len = protobuf_c_message_get_packed_size(detail);
    any.value.data = arena_alloc(&call->arena, any.value.len);
    char *message = hearth_call_printf(call, "%s", text);
    if (any.type_url != NULL && any.value.data != NULL && message != NULL && !call->finished) {
        protobuf_c_message_pack(detail, any.value.data);
        status.code = (int32_t)code;
        status.message = message;
        status.details = anys;
        status.n_details = 1;
        size_t len = google__rpc__status__get_packed_size(&status);
        uint8_t *packed = arena_alloc(&call->arena, len);
        if (packed != NULL) {
            google__rpc__status__pack(&status, packed);
            call->details = bytes_of(packed, len);
        }
    }
    return hearth_call_fail(call, code, "%s", text);
}
