#include "rpc/client_call.h"

#include <stdlib.h>

#include "rpc/header_list.h"
#include "rpc/status_text.h"
#include "rpc/timeout.h"

enum {
    CALL_MEMORY_BYTES = 64 * 1024 + 16 * 1024, /* headers given by the program, and one signing's */
    RESPONSE_HEADERS_BYTES = 64 * 1024,
};

/* ---- life ---- */

static void on_deadline(struct timer *timer)
{
    struct hearth_client_call *call =
        (struct hearth_client_call *)(void *)((char *)timer -
                                              offsetof(struct hearth_client_call, deadline));
    client_call_end(call, HEARTH_DEADLINE_EXCEEDED, "the deadline passed");
}

static void on_parent_cancelled(struct call_child *child)
{
    struct hearth_client_call *call =
        (struct hearth_client_call *)(void *)((char *)child -
                                              offsetof(struct hearth_client_call, child));
    client_call_end(call, HEARTH_CANCELLED, "the call that asked for it was cancelled");
}

static bool take_options(struct hearth_client_call *call, const struct hearth_call_options *o)
{
    uint64_t now_us = rpc_env_now_us(call->owner->env);
    call->signer = o->signer;
    call->wait_for_ready = o->wait_for_ready;
    call->no_retry = o->no_retry;
    call->compress = o->compress && call->row->compression;
    if (o->max_recv_bytes != 0)
        call->max_recv_bytes = o->max_recv_bytes;
    if (o->deadline_ms != 0)
        call->deadline_us = now_us + (uint64_t)o->deadline_ms * 1000;
    if (o->parent != NULL) {
        call->child.cancel = on_parent_cancelled;
        call_add_child(o->parent, &call->child);
        uint64_t parent_us = o->parent->deadline_us;
        if (parent_us != 0 && (call->deadline_us == 0 || parent_us < call->deadline_us))
            call->deadline_us = parent_us;
    }
    for (size_t i = 0; i < o->metadata_count; i++) {
        const struct hearth_metadata *m = &o->metadata[i];
        struct err err = metadata_add(&call->headers, &call->arena, bytes_str(m->name),
                                      bytes_of(m->value, m->len));
        if (err.code == ERR_ARGUMENT)
            call->unfit = true;
        else if (!err_is_ok(err))
            return false;
    }
    return call->deadline_us == 0 ||
           err_is_ok(timers_arm(&call->owner->env->timers, &call->deadline, call->deadline_us));
}

struct hearth_client_call *client_call_new(const struct client_call_owner *owner,
                                           const struct hearth_endpoint *row,
                                           const struct hearth_call_options *options)
{
    struct hearth_client_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->owner = owner;
    call->row = row;
    call->max_recv_bytes = row->response_bytes;
    call->pushback_ms = UINT32_MAX;
    call->deadline.fire = on_deadline;
    arena_init(&call->arena, CALL_MEMORY_BYTES);
    arena_init(&call->attempt_arena, CALL_MEMORY_BYTES);
    if (options != NULL && !take_options(call, options)) {
        client_call_free(call);
        return NULL;
    }
    frame_reader_init(&call->reader, call->max_recv_bytes);
    return call;
}

static void drop_response(struct hearth_client_call *call)
{
    frame_reader_clear(&call->reader);
    buf_clear(&call->held);
    if (call->message != NULL)
        protobuf_c_message_free_unpacked(call->message, NULL);
    call->message = NULL;
    hearth_status_clear(&call->status);
    if (call->metadata != NULL) {
        arena_clear(&call->metadata->arena);
        free(call->metadata);
        call->metadata = NULL;
    }
}

void client_call_free(struct hearth_client_call *call)
{
    timers_disarm(&call->owner->env->timers, &call->deadline);
    timers_disarm(&call->owner->env->timers, &call->retry);
    call_remove_child(&call->child);
    drop_response(call);
    outbox_clear(&call->out);
    arena_clear(&call->attempt_arena);
    arena_clear(&call->arena);
    free(call);
}

/* ---- request ---- */

static bool has_signers(const struct hearth_client_call *call)
{
    return call->signer.sign != NULL || call->owner->interceptor_count > 0;
}

int client_call_write(struct hearth_client_call *call, const ProtobufCMessage *item)
{
    if (call->over || call->half_closed)
        return -1;
    size_t size = protobuf_c_message_get_packed_size(item);
    bool was_empty = outbox_waiting(&call->out) == 0;
    bool first = call->first_message.data == NULL;
    if (size > call->row->request_bytes) {
        client_call_end(call, HEARTH_RESOURCE_EXHAUSTED,
                        "the request message is over the endpoint's limit");
        return -1;
    }
    if (first && has_signers(call)) {
        /* signed as it is sent: this copy is what the signer hashes, packed once more only if
         * compressed */
        call->arena.cap_bytes += size + 64;
        uint8_t *copy = arena_alloc(&call->arena, size);
        if (copy != NULL)
            protobuf_c_message_pack(item, copy);
        call->first_message = bytes_of(copy, size);
    }
    if (call->arena.overflow ||
        !err_is_ok(outbox_append(&call->out, item, size, call->compress && !call->plain))) {
        client_call_end(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory for the request");
        return -1;
    }
    if (call->conn != NULL && was_empty)
        h2_resume(&call->conn->h2, call->id);
    if (outbox_waiting(&call->out) < CLIENT_SEND_BUFFER_BYTES)
        return 1;
    call->write_blocked = true;
    return 0;
}

bool client_call_can_attempt(const struct hearth_client_call *call)
{
    return !has_signers(call) || call->first_message.data != NULL || call->half_closed;
}

bool hearth_client_call_add_header(struct hearth_client_call *call, const char *name,
                                   const void *value, size_t len)
{
    return err_is_ok(metadata_add(&call->signed_headers, &call->attempt_arena, bytes_str(name),
                                  bytes_of(value, len)));
}

static enum hearth_code run_signers(struct hearth_client_call *call)
{
    struct bytes m = call->first_message;
    enum hearth_code code = HEARTH_OK;
    for (size_t i = 0; i < call->owner->interceptor_count && code == HEARTH_OK; i++) {
        const struct hearth_signer *s = &call->owner->interceptors[i];
        code = s->sign(call, call->row, m.data, m.len, s->self);
    }
    if (call->signer.sign != NULL && code == HEARTH_OK)
        code = call->signer.sign(call, call->row, m.data, m.len, call->signer.self);
    return code;
}

/* ---- an attempt ---- */

static void put_timeout(struct header_list *list, struct hearth_client_call *call,
                        char text[TIMEOUT_TEXT_BYTES])
{
    static const struct bytes name = HEADER_VIEW("grpc-timeout");
    if (call->deadline_us == 0)
        return;
    uint64_t now_us = rpc_env_now_us(call->owner->env);
    size_t len = timeout_format(call->deadline_us > now_us ? call->deadline_us - now_us : 0, text);
    header_list_put(list, (struct h2_header){name, bytes_of(text, len), false});
}

static struct err send_request(struct hearth_client_call *call)
{
    static const struct h2_header method = HEADER(":method", "POST");
    static const struct h2_header te = HEADER("te", "trailers");
    static const struct h2_header type = HEADER("content-type", "application/grpc");
    static const struct h2_header accepts = HEADER("grpc-accept-encoding", "identity,gzip");
    static const struct h2_header gzip = HEADER("grpc-encoding", "gzip");
    const struct client_call_owner *owner = call->owner;
    struct header_list list = {.count = 0};
    char timeout[TIMEOUT_TEXT_BYTES];
    header_list_put(&list, method);
    header_list_put(&list,
                    (struct h2_header){bytes_str(":scheme"), bytes_str(owner->scheme), true});
    header_list_put(&list,
                    (struct h2_header){bytes_str(":path"), bytes_str(call->row->path), true});
    header_list_put(
        &list, (struct h2_header){bytes_str(":authority"), bytes_str(owner->authority), false});
    header_list_put(&list, te);
    header_list_put(&list, type);
    header_list_put(
        &list, (struct h2_header){bytes_str("user-agent"), bytes_str(owner->user_agent), false});
    put_timeout(&list, call, timeout);
    if (call->row->compression)
        header_list_put(&list, accepts);
    if (call->compress)
        header_list_put(&list, gzip);
    header_list_put_metadata(&list, &call->attempt_arena, &call->headers, false);
    header_list_put_metadata(&list, &call->attempt_arena, &call->signed_headers, false);
    if (list.count == HEADER_LIST_MOST || call->attempt_arena.overflow)
        return ERR(TOO_LARGE);
    return h2_request(&call->conn->h2, list.at, list.count, call, &call->id);
}

static bool make_metadata(struct hearth_client_call *call)
{
    call->metadata = calloc(1, sizeof *call->metadata);
    if (call->metadata == NULL)
        return false;
    arena_init(&call->metadata->arena, RESPONSE_HEADERS_BYTES);
    return true;
}

void client_call_attempt(struct hearth_client_call *call, struct client_conn *conn)
{
    call->attempts++;
    enum hearth_code code = run_signers(call);
    if (call->over)
        return;
    if (code != HEARTH_OK) {
        client_call_end(call, code, "the signer refused");
        return;
    }
    call->conn = conn;
    struct err err = make_metadata(call) ? send_request(call) : ERR(NO_MEMORY);
    if (!err_is_ok(err)) {
        call->conn = NULL;
        client_call_end(call,
                        err.code == ERR_RPC_CLOSED ? HEARTH_UNAVAILABLE : HEARTH_RESOURCE_EXHAUSTED,
                        err_text(err));
        return;
    }
    call->next = conn->calls;
    call->prev = NULL;
    if (conn->calls != NULL)
        conn->calls->prev = call;
    conn->calls = call;
    client_conn_call_started(conn);
}

void client_call_end(struct hearth_client_call *call, enum hearth_code code, const char *message)
{
    if (call->over)
        return;
    client_call_set_status(call, code, message);
    call->over = true;
    /* Now, not when the reset is on its way: a peer that reads nothing would hold up every end. */
    if (call->conn != NULL)
        client_conn_abandon(call->conn, call);
    call->finished = true;
    call->owner->on_over(call);
}

bool client_call_may_retry(const struct hearth_client_call *call)
{
    enum hearth_code code = call->status.code;
    if (call->no_retry || code == HEARTH_OK || call->cancelled)
        return false;
    /* a stream whose request has moved on can't be sent again from the start */
    bool one_request = (call->row->shape & HEARTH_CLIENT_STREAM) == 0;
    if (!one_request || call->got_message)
        return false;
    if (call->never_processed)
        return true;
    return code == HEARTH_UNAVAILABLE && call->row->idempotent;
}

void client_call_rewind(struct hearth_client_call *call)
{
    drop_response(call);
    frame_reader_init(&call->reader, call->max_recv_bytes);
    arena_clear(&call->attempt_arena);
    call->signed_headers = (struct metadata){0};
    call->out.off = 0;
    call->http_status = 0;
    call->got_headers = call->got_status = call->got_type = call->stream_ended = false;
    call->gzip = call->over = call->never_processed = call->closed = call->finished = false;
    call->pushback_ms = UINT32_MAX;
}

/* ---- include/hearth/rpc.h ---- */

void hearth_client_call_cancel(struct hearth_client_call *call)
{
    call->cancelled = true;
    client_call_end(call, HEARTH_CANCELLED, "cancelled by the caller");
}

void hearth_client_call_compress(struct hearth_client_call *call, bool on)
{
    call->plain = !on;
}

bool hearth_client_call_message_compressed(const struct hearth_client_call *call)
{
    return call->status.compressed;
}

void hearth_client_call_pause(struct hearth_client_call *call)
{
    call->paused = true;
}

void hearth_client_call_resume(struct hearth_client_call *call)
{
    call->paused = false;
    if (!call->handling)
        client_call_pump(call);
}
