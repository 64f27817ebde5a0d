/* X_rpc.c, client side: blocking functions, and typed callbacks.
 *
 * Typed callbacks stand on the generic ones through a small struct per call that holds the typed
 * functions; it is freed when the call ends, which every started call does exactly once. No
 * function is called through a pointer of another type.
 */
#include "proto/plugin/emit.h"

static const char unary[] =
    "\nenum hearth_code $fn$(struct hearth_channel *channel, const struct hearth_call_options "
    "*options,\n"
    "    const $In$ *in, $Out$ **ret_out, struct hearth_status *status)\n"
    "{\n"
    "    ProtobufCMessage *out = NULL;\n"
    "    enum hearth_code code = hearth_channel_call(channel, $row$, options, &in->base, &out, "
    "status);\n"
    "    *ret_out = ($Out$ *)out;\n"
    "    return code;\n"
    "}\n"
    "\nstruct $fn$__starting {\n"
    "    $fn$_done *on_done;\n"
    "    void *arg;\n"
    "};\n"
    "\nstatic void $fn$__on_done(const struct hearth_status *status, const ProtobufCMessage *out, "
    "void *arg)\n"
    "{\n"
    "    struct $fn$__starting starting = *(struct $fn$__starting *)arg;\n"
    "    free(arg);\n"
    "    if (starting.on_done != NULL)\n"
    "        starting.on_done(status, (const $Out$ *)out, starting.arg);\n"
    "}\n"
    "\nstruct hearth_client_call *$fn$_start(struct hearth_channel *channel,\n"
    "    const struct hearth_call_options *options, const $In$ *in,\n"
    "    $fn$_done *on_done, void *arg)\n"
    "{\n"
    "    struct $fn$__starting *starting = malloc(sizeof *starting);\n"
    "    if (starting == NULL)\n"
    "        return NULL;\n"
    "    *starting = (struct $fn$__starting){on_done, arg};\n"
    "    struct hearth_client_call *call =\n"
    "        hearth_channel_start(channel, $row$, options, &in->base, $fn$__on_done, starting);\n"
    "    if (call == NULL)\n"
    "        free(starting);\n"
    "    return call;\n"
    "}\n";

static const char events[] =
    "\nstruct $fn$__starting {\n"
    "    struct $fn$_events events;\n"
    "    void *arg;\n"
    "};\n"
    "\nstatic void $fn$__on_headers(struct hearth_client_call *call, void *arg)\n"
    "{\n"
    "    const struct $fn$__starting *starting = arg;\n"
    "    if (starting->events.on_headers != NULL)\n"
    "        starting->events.on_headers(call, starting->arg);\n"
    "}\n"
    "\nstatic void $fn$__on_message(struct hearth_client_call *call, const ProtobufCMessage *item, "
    "void *arg)\n"
    "{\n"
    "    const struct $fn$__starting *starting = arg;\n"
    "    if (starting->events.on_message != NULL)\n"
    "        starting->events.on_message(call, (const $Out$ *)item, starting->arg);\n"
    "}\n"
    "\nstatic void $fn$__on_writable(struct hearth_client_call *call, void *arg)\n"
    "{\n"
    "    const struct $fn$__starting *starting = arg;\n"
    "    if (starting->events.on_writable != NULL)\n"
    "        starting->events.on_writable(call, starting->arg);\n"
    "}\n"
    "\nstatic void $fn$__on_done(struct hearth_client_call *call, const struct hearth_status "
    "*status, void *arg)\n"
    "{\n"
    "    struct $fn$__starting starting = *(struct $fn$__starting *)arg;\n"
    "    free(arg);\n"
    "    if (starting.events.on_done != NULL)\n"
    "        starting.events.on_done(call, status, starting.arg);\n"
    "}\n"
    "\nstatic const struct hearth_stream_events $fn$__events = {\n"
    "    $fn$__on_headers,\n"
    "    $fn$__on_message,\n"
    "    $fn$__on_writable,\n"
    "    $fn$__on_done,\n"
    "};\n";

#define START_HEAD                                                              \
    "\nstruct hearth_client_call *$fn$_start(struct hearth_channel *channel,\n" \
    "    const struct hearth_call_options *options, "
#define START_BODY                                                                     \
    "{\n"                                                                              \
    "    struct $fn$__starting *starting = malloc(sizeof *starting);\n"                \
    "    if (starting == NULL)\n"                                                      \
    "        return NULL;\n"                                                           \
    "    *starting = (struct $fn$__starting){*events, arg};\n"                         \
    "    struct hearth_client_call *call =\n"                                          \
    "        hearth_channel_open(channel, $row$, options, &$fn$__events, starting);\n" \
    "    if (call == NULL) {\n"                                                        \
    "        free(starting);\n"                                                        \
    "        return NULL;\n"                                                           \
    "    }\n"

static const char start_empty[] =
    START_HEAD "const struct $fn$_events *events, void *arg)\n" START_BODY "    return call;\n"
               "}\n";

/* A write that fails ends the call, and on_done says so. */
static const char start_with[] =
    START_HEAD "const $In$ *in,\n"
               "    const struct $fn$_events *events, void *arg)\n" START_BODY
               "    if (hearth_client_call_write(call, &in->base) >= 0)\n"
               "        hearth_client_call_half_close(call);\n"
               "    return call;\n"
               "}\n";

static const char push[] = "\nint $fn$_push(struct hearth_client_call *call, const $In$ *item)\n"
                           "{\n"
                           "    return hearth_client_call_write(call, &item->base);\n"
                           "}\n";

static const char open_empty[] = "\nstruct hearth_stream *$fn$_open(struct hearth_channel "
                                 "*channel, const struct hearth_call_options *options)\n"
                                 "{\n"
                                 "    return hearth_stream_open(channel, $row$, options);\n"
                                 "}\n";

/* A write that fails ends the call: read gives NULL, finish the status. */
static const char open_with[] =
    "\nstruct hearth_stream *$fn$_open(struct hearth_channel *channel, const struct "
    "hearth_call_options *options,\n"
    "    const $In$ *in)\n"
    "{\n"
    "    struct hearth_stream *stream = hearth_stream_open(channel, $row$, options);\n"
    "    if (stream != NULL && hearth_stream_write(stream, &in->base))\n"
    "        hearth_stream_half_close(stream);\n"
    "    return stream;\n"
    "}\n";

static const char send_next[] = "\nbool $fn$_send(struct hearth_stream *stream, const $In$ *item)\n"
                                "{\n"
                                "    return hearth_stream_write(stream, &item->base);\n"
                                "}\n";

static const char read_next[] = "\n$Out$ *$fn$_read(struct hearth_stream *stream)\n"
                                "{\n"
                                "    return ($Out$ *)hearth_stream_read(stream);\n"
                                "}\n";

static const char finish[] =
    "\nenum hearth_code $fn$_finish(struct hearth_stream *stream, $Out$ **ret_out,\n"
    "    struct hearth_status *status)\n"
    "{\n"
    "    hearth_stream_half_close(stream);\n"
    "    ProtobufCMessage *out = hearth_stream_read(stream);\n"
    "    enum hearth_code code = hearth_stream_finish(stream, status);\n"
    "    if (code != HEARTH_OK && out != NULL) {\n"
    "        protobuf_c_message_free_unpacked(out, NULL);\n"
    "        out = NULL;\n"
    "    }\n"
    "    *ret_out = ($Out$ *)out;\n"
    "    return code;\n"
    "}\n";

static const char *const parts[][7] = {
    [SHAPE_UNARY] = {unary, NULL},
    [SHAPE_CLIENT_STREAM] = {open_empty, send_next, finish, events, start_empty, push, NULL},
    [SHAPE_SERVER_STREAM] = {open_with, read_next, events, start_with, NULL},
    [SHAPE_BIDI] = {open_empty, send_next, read_next, events, start_empty, push, NULL},
};

void emit_client(const struct model_file *file, struct buf *out)
{
    for (size_t i = 0; i < file->service_count; i++) {
        const struct model_service *service = &file->services[i];
        text_printf(out, "\n/* ---- %s, client ---- */\n", service->full_name);
        for (size_t n = 0; n < service->rpc_count; n++) {
            struct emit_rpc rpc;
            emit_rpc_init(&rpc, service, n);
            for (const char *const *part = parts[rpc.rpc->shape]; *part != NULL; part++)
                text_fill(out, *part, rpc.vars);
        }
    }
}
