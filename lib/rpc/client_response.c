/* The incoming half of a client call: headers, messages, trailers, and what the end of the stream
 * means. */
#include <stdlib.h>

#include "pb/shape.h"
#include "rpc/client_call.h"
#include "rpc/gzip.h"
#include "rpc/status_text.h"

static bool is(struct bytes a, const char *text, size_t len)
{
    return a.len == len && memcmp(a.data, text, len) == 0;
}
#define IS(view, literal) is(view, literal, sizeof(literal) - 1)

/* ---- status ---- */

void hearth_status_clear(struct hearth_status *status)
{
    free(status->message);
    free(status->details);
    if (status->metadata != NULL) {
        arena_clear(&status->metadata->arena);
        free(status->metadata);
    }
    *status = (struct hearth_status){0};
}

/* The n-th of a name among the entries from number `from` up to before number `to`. */
static bool find_between(const struct hearth_status *status, const char *name, size_t n,
                         size_t from, size_t to, const uint8_t **ret_value, size_t *ret_len)
{
    if (status->metadata == NULL)
        return false;
    size_t number = 0;
    for (const struct metadata_entry *e = status->metadata->entries.first; e != NULL && number < to;
         e = e->next) {
        if (number++ < from || !bytes_equal(e->name, bytes_str(name)) || n-- > 0)
            continue;
        *ret_value = e->value.data;
        *ret_len = e->value.len;
        return true;
    }
    return false;
}

bool hearth_status_metadata(const struct hearth_status *status, const char *name, size_t n,
                            const uint8_t **ret_value, size_t *ret_len)
{
    return find_between(status, name, n, 0, SIZE_MAX, ret_value, ret_len);
}

bool hearth_status_header(const struct hearth_status *status, const char *name, size_t n,
                          const uint8_t **ret_value, size_t *ret_len)
{
    size_t headers = status->metadata != NULL ? status->metadata->headers : 0;
    return find_between(status, name, n, 0, headers, ret_value, ret_len);
}

bool hearth_status_trailer(const struct hearth_status *status, const char *name, size_t n,
                           const uint8_t **ret_value, size_t *ret_len)
{
    size_t headers = status->metadata != NULL ? status->metadata->headers : 0;
    return find_between(status, name, n, headers, SIZE_MAX, ret_value, ret_len);
}

void client_call_set_status(struct hearth_client_call *call, enum hearth_code code,
                            const char *message)
{
    free(call->status.message);
    call->status.code = code;
    call->status.message = message != NULL ? strdup(message) : NULL;
}

/* ---- headers ---- */

static void read_details(struct hearth_client_call *call)
{
    const struct metadata_entry *entry =
        metadata_find(&call->metadata->entries, bytes_str("grpc-status-details-bin"), 0);
    if (entry == NULL || entry->value.len == 0)
        return;
    call->status.details = malloc(entry->value.len);
    if (call->status.details == NULL)
        return;
    memcpy(call->status.details, entry->value.data, entry->value.len);
    call->status.details_len = entry->value.len;
}

static void read_message(struct hearth_client_call *call, struct bytes value)
{
    char *text = malloc(value.len + 1);
    if (text == NULL)
        return;
    memcpy(text, value.data, value.len);
    text[status_message_decode(text, value.len)] = 0;
    free(call->status.message);
    call->status.message = text;
}

static unsigned read_number(struct bytes value)
{
    unsigned number = 0;
    for (size_t i = 0; i < value.len && i < 9; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return 0;
        number = number * 10 + (unsigned)(value.data[i] - '0');
    }
    return number;
}

void client_call_on_header(struct hearth_client_call *call, struct bytes name, struct bytes value)
{
    static const char type[] = "application/grpc";
    if (call->over)
        return;
    if (IS(name, ":status")) {
        call->http_status = read_number(value);
    } else if (IS(name, "content-type")) {
        size_t n = sizeof type - 1;
        call->got_type = value.len >= n && memcmp(value.data, type, n) == 0 &&
                         (value.len == n || value.data[n] == '+' || value.data[n] == ';');
    } else if (IS(name, "grpc-status")) {
        call->got_status = true;
        call->status.code = status_code_parse(value);
    } else if (IS(name, "grpc-message")) {
        read_message(call, value);
    } else if (IS(name, "grpc-encoding")) {
        call->gzip = IS(value, "gzip");
    } else if (IS(name, "grpc-retry-pushback-ms")) {
        call->pushback_ms = read_number(value);
    } else if (!err_is_ok(metadata_add_wire(&call->metadata->entries, &call->metadata->arena, name,
                                            value))) {
        client_call_end(call, HEARTH_INTERNAL,
                        "the response headers can't be decoded or are too large");
    }
}

void client_call_on_headers(struct hearth_client_call *call, bool trailers, bool over,
                            bool end_stream)
{
    if (call->over)
        return;
    if (over) {
        client_call_end(call, HEARTH_RESOURCE_EXHAUSTED,
                        "the response headers are larger than the limit");
        return;
    }
    /* RFC 9110 15.2: any number of interim responses may come first */
    if (!call->got_headers && !end_stream && call->http_status >= 100 && call->http_status < 200) {
        call->http_status = 0;
        return;
    }
    if ((trailers && call->got_headers) || end_stream)
        return; /* judged when the stream closes */
    call->got_headers = true;
    call->metadata->headers = call->metadata->entries.count;
    if (call->http_status != 200 || !call->got_type) {
        client_call_end(
            call, call->http_status == 200 ? HEARTH_UNKNOWN : status_from_http(call->http_status),
            "the answer is not gRPC");
        return;
    }
    if (call->events.on_headers != NULL)
        call->events.on_headers(call, call->arg);
}

/* ---- messages ---- */

/* Memory of one decoded response, counted as it is handed out. */
struct capped {
    size_t left;
    bool no_memory; /* rather than a response that is too large */
};

static void *capped_alloc(void *self, size_t len)
{
    struct capped *capped = self;
    if (len > capped->left)
        return NULL;
    capped->left -= len;
    void *data = malloc(len > 0 ? len : 1);
    capped->no_memory |= data == NULL;
    return data;
}

static void capped_free(void *self, void *data)
{
    (void)self;
    free(data);
}

static ProtobufCMessage *decode(struct hearth_client_call *call, struct bytes message)
{
    enum { BASE_BYTES = 64 * 1024, FACTOR = 8 };
    struct capped capped = {.left = BASE_BYTES + (size_t)call->max_recv_bytes * FACTOR};
    ProtobufCAllocator allocator = {capped_alloc, capped_free, &capped};
    struct buf plain = {.limit = call->max_recv_bytes};
    if (call->reader.compressed) {
        struct err err = call->gzip ? gzip_inflate(message, &plain) : ERR(RPC_FRAME);
        if (!err_is_ok(err)) {
            buf_clear(&plain);
            bool scarce = err.code == ERR_TOO_LARGE || err.code == ERR_NO_MEMORY;
            client_call_end(call, scarce ? HEARTH_RESOURCE_EXHAUSTED : HEARTH_INTERNAL,
                            "a compressed response can't be read");
            return NULL;
        }
        message = buf_view(&plain);
    }
    bool fits =
        !call->row->response_recursive || shape_fits(call->row->response, message, SHAPE_DEPTH);
    ProtobufCMessage *item =
        fits ? protobuf_c_message_unpack(call->row->response, &allocator, message.len, message.data)
             : NULL;
    buf_clear(&plain);
    if (item == NULL && capped.no_memory)
        client_call_end(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for the response");
    else if (item == NULL)
        client_call_end(call, HEARTH_INTERNAL, "the response can't be decoded");
    return item;
}

static void message_complete(struct hearth_client_call *call)
{
    call->status.compressed = call->reader.compressed;
    ProtobufCMessage *item = decode(call, frame_reader_message(&call->reader));
    frame_reader_next(&call->reader);
    if (item == NULL)
        return;
    bool one_response = (call->row->shape & HEARTH_SERVER_STREAM) == 0;
    if (one_response && (call->got_message || call->message != NULL)) {
        protobuf_c_message_free_unpacked(item, NULL);
        client_call_end(call, HEARTH_INTERNAL, "more than one response message");
    } else if (call->streaming) {
        call->got_message = true;
        if (call->events.on_message != NULL)
            call->events.on_message(call, item, call->arg);
        if (!call->keep_item)
            protobuf_c_message_free_unpacked(item, NULL);
        call->keep_item = false;
    } else {
        call->message = item;
    }
}

static size_t take(struct hearth_client_call *call, const uint8_t *data, size_t len)
{
    size_t taken = 0;
    while (taken < len && !call->over && !call->paused) {
        size_t used = 0;
        bool complete = false;
        struct err err =
            frame_reader_feed(&call->reader, data + taken, len - taken, &used, &complete);
        taken += used;
        if (!err_is_ok(err))
            client_call_end(
                call, err.code == ERR_RPC_FRAME ? HEARTH_INTERNAL : HEARTH_RESOURCE_EXHAUSTED,
                err.code == ERR_TOO_LARGE ? "a response message is over the limit" : err_text(err));
        else if (complete)
            message_complete(call);
    }
    return taken;
}

void client_call_on_data(struct hearth_client_call *call, const uint8_t *data, size_t len)
{
    size_t taken = 0;
    call->handling = true;
    if (call->held.len == 0)
        taken = take(call, data, len);
    if (!call->over && taken < len) {
        buf_append(&call->held, data + taken, len - taken);
        if (call->held.failed)
            client_call_end(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for the response");
    }
    call->handling = false;
    if (call->conn != NULL)
        h2_consume(&call->conn->h2, call->id, call->over ? len : taken);
    if (!call->paused && call->held.len > 0)
        client_call_pump(call);
}

/* ---- the end ---- */

static void judge(struct hearth_client_call *call)
{
    if (call->status.code != HEARTH_OK)
        return;
    if (frame_reader_partial(&call->reader))
        client_call_set_status(call, HEARTH_INTERNAL, "the response ends inside a message");
    else if ((call->row->shape & HEARTH_SERVER_STREAM) == 0 && call->message == NULL &&
             !call->got_message)
        client_call_set_status(call, HEARTH_INTERNAL, "the response has no message");
}

static void finish(struct hearth_client_call *call)
{
    call->over = true;
    if (call->got_status) {
        read_details(call);
        judge(call);
    } else if (call->close_code != H2_NO_ERROR) {
        client_call_set_status(call, status_from_h2_error(call->close_code),
                               "the stream was reset by the server");
        call->never_processed = call->close_code == H2_REFUSED_STREAM;
    } else if (call->http_status != 200) {
        client_call_set_status(call, status_from_http(call->http_status), "the answer is not gRPC");
    } else {
        client_call_set_status(call, HEARTH_UNKNOWN, "the stream ended without a status");
    }
    call->owner->on_over(call);
}

/* Messages that are held back come first, even though the stream is gone. */
void client_call_pump(struct hearth_client_call *call)
{
    if (call->handling)
        return;
    call->handling = true;
    size_t taken = take(call, call->held.data, call->held.len);
    call->handling = false;
    buf_drop_front(&call->held, call->over ? call->held.len : taken);
    if (call->conn != NULL && taken > 0)
        h2_consume(&call->conn->h2, call->id, taken);
    if (call->conn == NULL && call->closed && !call->finished && !call->paused)
        client_call_on_close(call, call->close_code);
}

void client_call_on_close(struct hearth_client_call *call, uint32_t error_code)
{
    call->closed = true;
    call->close_code = error_code;
    if (call->held.len > 0 && call->paused)
        return; /* resume goes on here */
    call->finished = true;
    finish(call);
}
