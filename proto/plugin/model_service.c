/* Services and rpcs: C names, types, policies. */
#include <stdio.h>

#include "proto/plugin/model.h"
#include "proto/plugin/names.h"

static char *joined(struct arena *arena, const char *front, const char *between, const char *back)
{
    size_t len = strlen(front) + strlen(between) + strlen(back);
    char *text = arena_alloc(arena, len + 1);
    if (text != NULL)
        snprintf(text, len + 1, "%s%s%s", front, between, back);
    return text;
}

static CHECKED struct err read_rpc(struct model *model, struct model_file *file,
                                   struct model_service *service,
                                   const struct proto_path *service_path, size_t at,
                                   struct report *report)
{
    struct arena *arena = model->request->arena;
    struct model_rpc *rpc = &service->rpcs[at];
    struct proto_path path = *service_path;
    path.step[path.len++] = 2;
    path.step[path.len++] = (int32_t)at;
    rpc->proto = service->proto->method[at];
    rpc->comment = file_comment(file->file, path.step, path.len);
    rpc->member = name_member(arena, rpc->proto->name);
    char *snake = name_snake(arena, rpc->proto->name);
    rpc->fn = snake == NULL ? NULL : joined(arena, service->prefix, "_", snake);
    if (rpc->member == NULL || rpc->fn == NULL)
        return ERR(NO_MEMORY);
    bool in = rpc->proto->has_client_streaming && rpc->proto->client_streaming;
    bool out = rpc->proto->has_server_streaming && rpc->proto->server_streaming;
    rpc->shape = in    ? (out ? SHAPE_BIDI : SHAPE_CLIENT_STREAM)
                 : out ? SHAPE_SERVER_STREAM
                       : SHAPE_UNARY;
    rpc->in = model_find(model, rpc->proto->input_type);
    rpc->out = model_find(model, rpc->proto->output_type);
    if (rpc->in == NULL || rpc->out == NULL)
        report_add(report, file->file->proto->name, file_line(file->file, path.step, path.len),
                   "rpc %s: its types are not in the request", rpc->proto->name);
    return policy_read(model, file, rpc, &path, report);
}

static CHECKED struct err read_service(struct model *model, struct model_file *file, size_t at,
                                       struct report *report)
{
    struct arena *arena = model->request->arena;
    struct model_service *service = &file->services[at];
    struct proto_path path = {.step = {6, (int32_t)at}, .len = 2};
    service->proto = file->file->proto->service[at];
    service->comment = file_comment(file->file, path.step, path.len);
    service->full_name =
        joined(arena, file->package, *file->package == '\0' ? "" : ".", service->proto->name);
    service->prefix = name_prefix(arena, file->package, service->proto->name);
    service->rpcs = arena_alloc(arena, service->proto->n_method * sizeof *service->rpcs);
    if (service->full_name == NULL || service->prefix == NULL || service->rpcs == NULL)
        return ERR(NO_MEMORY);
    bool ours = strncmp(service->prefix, "hearth_", 7) == 0;
    service->adder = joined(arena, "hearth_server_add", "_", service->prefix + (ours ? 7 : 0));
    if (service->adder == NULL)
        return ERR(NO_MEMORY);
    service->rpc_count = service->proto->n_method;
    unsigned line = file_line(file->file, path.step, path.len);
    if (name_is_reserved(service->prefix))
        report_add(report, file->file->proto->name, line,
                   "service %s: its stubs would be called %s_..., which belongs to hearth/rpc.h",
                   service->proto->name, service->prefix);
    if (service->rpc_count == 0)
        report_add(report, file->file->proto->name, line, "service %s: has no rpc",
                   service->proto->name);
    for (size_t i = 0; i < service->rpc_count; i++)
        TRY(read_rpc(model, file, service, &path, i, report));
    return ERR_OK;
}

struct err model_add_services(struct model *model, struct model_file *file, struct report *report)
{
    const pb_file *proto = file->file->proto;
    file->services = arena_alloc(model->request->arena, proto->n_service * sizeof *file->services);
    if (file->services == NULL)
        return ERR(NO_MEMORY);
    file->service_count = proto->n_service;
    for (size_t i = 0; i < file->service_count; i++)
        TRY(read_service(model, file, i, report));
    return ERR_OK;
}
