/* The life of a call, and what a handler may ask of it. */
#include "rpc/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* METADATA_MOST: headers and trailers together fit HEADERS_MOST of call_response.c beside our own
 */
enum { MEMORY_BASE_BYTES = 32 * 1024, MEMORY_FACTOR = 4, METADATA_MOST = 20 };

static void on_deadline(struct timer *timer)
{
    struct hearth_call *call =
        (struct hearth_call *)(void *)((char *)timer - offsetof(struct hearth_call, deadline));
    call_expire(call, HEARTH_DEADLINE_EXCEEDED, "deadline exceeded");
}

/* ---- spares: a call's struct and small buffers are used again, which saves five trips to malloc a
 * call ---- */

enum { SPARES_MOST = 256 };

/* Sanitizers see use after free only if it is freed. */
#ifdef HEARTH_SANITIZED
static const bool keeps_spares = false;
#else
static const bool keeps_spares = true;
#endif

static struct hearth_call *take_spare(struct rpc_env *env)
{
    struct hearth_call *call = env->spare_calls;
    if (call == NULL)
        return calloc(1, sizeof *call);
    env->spare_calls = call->next;
    env->spare_count--;
    call->next = NULL;
    return call;
}

static void destroy(struct hearth_call *call)
{
    frame_reader_clear(&call->reader);
    buf_clear(&call->held);
    outbox_clear(&call->out);
    arena_clear(&call->message_arena);
    arena_clear(&call->arena);
    bytes_wipe(call, sizeof *call); /* ME4 */
    free(call);
}

static void keep_or_destroy(struct hearth_call *call)
{
    struct rpc_env *env = call->env;
    if (!keeps_spares || env->spare_count >= SPARES_MOST) {
        destroy(call);
        return;
    }
    buf_clear(&call->held);
    arena_clear(&call->message_arena);
    arena_reset(&call->arena);
    frame_reader_reset(&call->reader);
    outbox_reset(&call->out);
    *call = (struct hearth_call){
        .arena = call->arena, .reader = call->reader, .out = call->out, .next = env->spare_calls};
    env->spare_calls = call;
    env->spare_count++;
}

void rpc_env_clear(struct rpc_env *env)
{
    while (env->spare_calls != NULL) {
        struct hearth_call *call = env->spare_calls;
        env->spare_calls = call->next;
        destroy(call);
    }
    env->spare_count = 0;
    timers_clear(&env->timers);
}

static void unlink_from(struct hearth_call *call, struct hearth_call **list)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        *list = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    call->next = call->prev = NULL;
}

static void link_into(struct hearth_call *call, struct hearth_call **list)
{
    call->prev = NULL;
    call->next = *list;
    if (call->next != NULL)
        call->next->prev = call;
    *list = call;
}

struct hearth_call *call_new(struct server_conn *conn, int32_t id)
{
    struct hearth_call *call = take_spare(conn->h2.env);
    if (call == NULL)
        return NULL;
    call->conn = call->home = conn;
    call->env = conn->h2.env;
    call->core = conn->core;
    call->id = id;
    call->refs = 1;
    call->http_status = 200;
    call->begun_us = conn->h2.now_us;
    call->out_moved_us = conn->h2.now_us;
    call->deadline.fire = on_deadline;
    /* what may arrive while nobody takes it is what the window lets through */
    call->held.limit = conn->h2.limits->stream_window_bytes;
    /* until the endpoint is known: room for the headers */
    call->arena.cap_bytes = MEMORY_BASE_BYTES;
    link_into(call, &conn->calls);
    conn->alive++;
    return call;
}

void call_ref(struct hearth_call *call)
{
    call->refs++;
}

void call_add_child(struct hearth_call *call, struct call_child *child)
{
    child->next = call->children;
    child->at = &call->children;
    if (child->next != NULL)
        child->next->at = &child->next;
    call->children = child;
}

void call_remove_child(struct call_child *child)
{
    if (child->at == NULL)
        return;
    *child->at = child->next;
    if (child->next != NULL)
        child->next->at = child->at;
    child->at = NULL;
}

static void call_free(struct hearth_call *call)
{
    for (size_t i = call->core->interceptor_count; i > 0; i--) {
        const struct hearth_interceptor *interceptor = &call->core->interceptors[i - 1];
        if (interceptor->on_end != NULL)
            interceptor->on_end(call, call->code, interceptor->self);
    }
    if (call->release != NULL)
        call->release(call->state);
    while (call->children != NULL)
        call_remove_child(call->children);
    if (call->home != NULL) {
        unlink_from(call, &call->home->ghosts);
        call->home->alive--;
    }
    keep_or_destroy(call);
}

void call_unref(struct hearth_call *call)
{
    if (--call->refs == 0)
        call_free(call);
}

static void tell_interceptors_cancelled(struct hearth_call *call)
{
    for (size_t i = call->core->interceptor_count; i > 0; i--) {
        const struct hearth_interceptor *interceptor = &call->core->interceptors[i - 1];
        if (interceptor->on_cancel != NULL)
            interceptor->on_cancel(call, interceptor->self);
    }
}

static void tell_cancelled(struct hearth_call *call)
{
    if (call->cancelled)
        return;
    call->cancelled = true;
    while (call->children != NULL) {
        struct call_child *child = call->children;
        call_remove_child(child);
        child->cancel(child);
    }
    if (call->on_cancel != NULL)
        call->on_cancel(call, call->on_cancel_arg);
    tell_interceptors_cancelled(call);
}

void call_detach(struct hearth_call *call)
{
    struct server_conn *conn = call->conn;
    timers_disarm(&call->env->timers, &call->deadline);
    unlink_from(call, &conn->calls);
    link_into(call, &conn->ghosts);
    if (call->writable_queued) {
        struct hearth_call **at = &conn->writable;
        while (*at != call)
            at = &(*at)->next_writable;
        *at = call->next_writable;
    }
    call->conn = NULL;
    if (!call->finished) {
        call->finished = true;
        call->code = HEARTH_CANCELLED;
        tell_cancelled(call);
    } else if (call->thinking) {
        tell_interceptors_cancelled(call); /* it was refused for something else meanwhile */
    }
    call_unref(call);
}

void call_expire(struct hearth_call *call, enum hearth_code code, const char *why)
{
    if (call->finished)
        return;
    call_ref(call);
    call->message = why;
    call_finish(call, code);
    tell_cancelled(call);
    call_unref(call);
}

/* ---- include/hearth/rpc.h ---- */

const struct hearth_endpoint *hearth_call_endpoint(const struct hearth_call *call)
{
    return call->bound != NULL ? call->bound->row : NULL;
}

void *hearth_call_alloc(struct hearth_call *call, size_t len)
{
    return arena_alloc(&call->arena, len);
}

__attribute__((format(printf, 2, 0))) static char *print(struct hearth_call *call,
                                                         const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = len < 0 ? NULL : arena_alloc(&call->arena, (size_t)len + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *hearth_call_printf(struct hearth_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = print(call, format, args);
    va_end(args);
    return text;
}

int64_t hearth_call_deadline_left_ms(const struct hearth_call *call)
{
    if (call->deadline_us == 0)
        return -1;
    uint64_t now_us = rpc_env_now_us(call->env);
    return now_us >= call->deadline_us ? 0 : (int64_t)((call->deadline_us - now_us + 999) / 1000);
}

bool hearth_call_metadata(struct hearth_call *call, const char *name, size_t n,
                          const uint8_t **ret_value, size_t *ret_len)
{
    const struct metadata_entry *entry = metadata_find(&call->headers, bytes_str(name), n);
    if (entry == NULL)
        return false;
    *ret_value = entry->value.data;
    *ret_len = entry->value.len;
    return true;
}

bool hearth_call_add_header(struct hearth_call *call, const char *name, const void *value,
                            size_t len)
{
    if (call->headers_sent || call->out_headers.count == METADATA_MOST)
        return false;
    return err_is_ok(
        metadata_add(&call->out_headers, &call->arena, bytes_str(name), bytes_of(value, len)));
}

bool hearth_call_add_trailer(struct hearth_call *call, const char *name, const void *value,
                             size_t len)
{
    if (call->out_trailers.count == METADATA_MOST)
        return false;
    return err_is_ok(
        metadata_add(&call->out_trailers, &call->arena, bytes_str(name), bytes_of(value, len)));
}

void hearth_call_compress(struct hearth_call *call, bool on)
{
    call->compress = on;
}

bool hearth_call_message_compressed(const struct hearth_call *call)
{
    return call->message_compressed;
}

const char *hearth_call_peer(const struct hearth_call *call)
{
    return call->conn != NULL && call->conn->peer != NULL ? call->conn->peer : "";
}

const char *hearth_call_peer_name(const struct hearth_call *call)
{
    return call->conn != NULL ? call->conn->peer_name : NULL;
}

int64_t hearth_call_peer_uid(const struct hearth_call *call)
{
    return call->conn != NULL ? call->conn->peer_uid : -1;
}

struct hearth_loop *hearth_call_loop(const struct hearth_call *call)
{
    return call->env->loop;
}

void hearth_call_on_cancel(struct hearth_call *call,
                           void (*fn)(struct hearth_call *call, void *arg), void *arg)
{
    call->on_cancel = fn;
    call->on_cancel_arg = arg;
}

bool hearth_call_is_cancelled(const struct hearth_call *call)
{
    return call->cancelled;
}

void hearth_call_set_state(struct hearth_call *call, void *state, void (*release)(void *state))
{
    call->state = state;
    call->release = release;
}

void *hearth_call_state(const struct hearth_call *call)
{
    return call->state;
}

void hearth_call_set_caller(struct hearth_call *call, const void *caller)
{
    call->caller = caller;
}

const void *hearth_call_caller(const struct hearth_call *call)
{
    return call->caller;
}

void hearth_call_on_writable(struct hearth_call *call,
                             void (*fn)(struct hearth_call *call, void *arg), void *arg)
{
    call->on_writable = fn;
    call->on_writable_arg = arg;
}

void hearth_call_ref(struct hearth_call *call)
{
    call_ref(call);
}

void hearth_call_unref(struct hearth_call *call)
{
    call_unref(call);
}

enum hearth_code hearth_call_fail(struct hearth_call *call, enum hearth_code code,
                                  const char *format, ...)
{
    if (call->finished) {
        call_settle(call);
        return code;
    }
    va_list args;
    va_start(args, format);
    call->message = print(call, format, args);
    va_end(args);
    call_ref(call);
    call_finish(call, code);
    call_settle(call);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counts no references; this one is from above */
    call_unref(call);
    return code;
}

size_t call_memory_bytes(const struct hearth_endpoint *row)
{
    if (row->memory_bytes != 0)
        return row->memory_bytes;
    /* decoded messages are larger than their wire form by what their structs take */
    return MEMORY_BASE_BYTES + (size_t)row->request_bytes * MEMORY_FACTOR;
}

void call_settle(struct hearth_call *call)
{
    if (!call->owes)
        return;
    call->owes = false;
    call_unref(call);
}
