/* X_rpc.c, server side: endpoint rows, the ways into the vtable, replies. */
#include "proto/plugin/emit.h"

static const char invoke_out[] =
    "\nstatic enum hearth_code $fn$__invoke(struct hearth_call *call, const ProtobufCMessage *in,\n"
    "    ProtobufCMessage *out, const void *service, void *self)\n"
    "{\n"
    "    const struct $prefix$_service *vtable = service;\n"
    "    if (vtable->$member$ == NULL)\n"
    "        return HEARTH_UNIMPLEMENTED;\n"
    "    return vtable->$member$(call, (const $In$ *)in, ($Out$ *)out, self);\n"
    "}\n"
    "\nvoid $fn$_reply(struct hearth_call *call, const $Out$ *out)\n"
    "{\n"
    "    hearth_call_reply(call, &out->base);\n"
    "}\n";

static const char invoke_stream[] =
    "\nstatic enum hearth_code $fn$__invoke(struct hearth_call *call, const ProtobufCMessage *in,\n"
    "    ProtobufCMessage *out, const void *service, void *self)\n"
    "{\n"
    "    const struct $prefix$_service *vtable = service;\n"
    "    (void)out;\n"
    "    if (vtable->$member$ == NULL)\n"
    "        return HEARTH_UNIMPLEMENTED;\n"
    "    return vtable->$member$(call, (const $In$ *)in, self);\n"
    "}\n"
    "\nint $fn$_write(struct hearth_call *call, const $Out$ *item)\n"
    "{\n"
    "    return hearth_call_write(call, &item->base);\n"
    "}\n";

static const char opened[] =
    "\nstatic enum hearth_code $fn$__opened(struct hearth_call *call, const void *service, void "
    "*self)\n"
    "{\n"
    "    const struct $prefix$_service *vtable = service;\n"
    "    if (vtable->$member$ == NULL)\n"
    "        return HEARTH_UNIMPLEMENTED;\n"
    "    return vtable->$member$_open == NULL ? HEARTH_LATER : vtable->$member$_open(call, self);\n"
    "}\n";

static const char validate[] = "\nstatic bool $fn$__validate(const ProtobufCMessage *message, "
                               "struct hearth_broken_rule *ret_broken)\n"
                               "{\n"
                               "    return $in$__check((const $In$ *)message, 32, ret_broken);\n"
                               "}\n";

static const char *const shapes[] = {
    [SHAPE_UNARY] = "HEARTH_UNARY",
    [SHAPE_CLIENT_STREAM] = "HEARTH_CLIENT_STREAM",
    [SHAPE_SERVER_STREAM] = "HEARTH_SERVER_STREAM",
    [SHAPE_BIDI] = "HEARTH_BIDI",
};

static bool has_open(const struct model_rpc *rpc)
{
    return rpc->shape == SHAPE_CLIENT_STREAM || rpc->shape == SHAPE_BIDI;
}

static void put_callers(const Hearth__Policy *policy, struct buf *out)
{
    text_put(out, "        .callers = ");
    for (size_t i = 0; i < policy->n_caller; i++) {
        const ProtobufCEnumValue *caller = protobuf_c_enum_descriptor_get_value(
            &hearth__caller__descriptor, (int)policy->caller[i]);
        text_printf(out, "%sHEARTH_CALLER_BIT(%d) /* %s */", i == 0 ? "" : " | ",
                    (int)policy->caller[i], caller->name);
    }
    text_put(out, policy->n_caller == 0 ? "0,\n" : ",\n");
}

static void put_row(const struct emit_rpc *emit, struct buf *out)
{
    const struct model_rpc *rpc = emit->rpc;
    const Hearth__Policy *policy = &rpc->policy;
    text_fill(out, "    {\n        .path = \"$path$\",\n", emit->vars);
    text_printf(out, "        .shape = %s,\n", shapes[rpc->shape]);
    put_callers(policy, out);
    const ProtobufCEnumValue *cost =
        protobuf_c_enum_descriptor_get_value(&hearth__cost__descriptor, (int)policy->cost);
    text_printf(out, "        .cost = %d, /* %s */\n", cost->value, cost->name);
    text_printf(out, "        .idempotent = %s,\n", policy->idempotent ? "true" : "false");
    text_printf(out, "        .federated = %s,\n", policy->federated ? "true" : "false");
    text_printf(out, "        .compression = %s,\n", policy->compression ? "true" : "false");
    text_printf(out, "        .request_bytes = %u,\n", (unsigned)policy->request_bytes);
    text_printf(out, "        .response_bytes = %u,\n", (unsigned)policy->response_bytes);
    text_printf(out, "        .deadline_ms = %u,\n", (unsigned)policy->deadline_ms);
    text_printf(out, "        .memory_bytes = %u,\n", (unsigned)policy->memory_bytes);
    text_fill(out,
              "        .request = &$in$__descriptor,\n"
              "        .response = &$out$__descriptor,\n",
              emit->vars);
    text_put(out, rpc->in->recursive ? "        .request_recursive = true,\n" : "");
    text_put(out, rpc->out->recursive ? "        .response_recursive = true,\n" : "");
    text_fill(out, rpc->in->checked ? "        .validate_request = $fn$__validate,\n" : "",
              emit->vars);
    text_fill(out, "        .invoke = $fn$__invoke,\n", emit->vars);
    text_fill(out, has_open(rpc) ? "        .open = $fn$__opened,\n" : "", emit->vars);
    text_put(out, "    },\n");
}

static const char service_row[] =
    "};\n"
    "\nconst struct hearth_service $prefix$_descriptor = {\n"
    "    .name = \"$name$\",\n"
    "    .endpoints = $prefix$__endpoints,\n"
    "    .endpoint_count = sizeof $prefix$__endpoints / sizeof *$prefix$__endpoints,\n"
    "    .file_descriptors = file_descriptors,\n"
    "    .file_descriptors_len = sizeof file_descriptors,\n"
    "};\n"
    "\nbool $adder$(struct hearth_server *server, const struct $prefix$_service *impl,\n"
    "    void *self)\n"
    "{\n"
    "    return hearth_server_add(server, &$prefix$_descriptor, impl, self);\n"
    "}\n";

static void put_service(const struct model_service *service, struct buf *out)
{
    text_printf(out, "\n/* ---- %s, server ---- */\n", service->full_name);
    for (size_t i = 0; i < service->rpc_count; i++) {
        struct emit_rpc rpc;
        emit_rpc_init(&rpc, service, i);
        bool replies = rpc.rpc->shape == SHAPE_UNARY || rpc.rpc->shape == SHAPE_CLIENT_STREAM;
        text_fill(out, replies ? invoke_out : invoke_stream, rpc.vars);
        text_fill(out, has_open(rpc.rpc) ? opened : "", rpc.vars);
        text_fill(out, rpc.rpc->in->checked ? validate : "", rpc.vars);
    }
    text_printf(out, "\nstatic const struct hearth_endpoint %s__endpoints[] = {\n",
                service->prefix);
    for (size_t i = 0; i < service->rpc_count; i++) {
        struct emit_rpc rpc;
        emit_rpc_init(&rpc, service, i);
        put_row(&rpc, out);
    }
    const struct text_var vars[] = {{"prefix", service->prefix},
                                    {"adder", service->adder},
                                    {"name", service->full_name},
                                    {NULL, NULL}};
    text_fill(out, service_row, vars);
}

void emit_server(const struct model_file *file, struct buf *out)
{
    for (size_t i = 0; i < file->service_count; i++)
        put_service(&file->services[i], out);
}
