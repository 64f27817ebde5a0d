#include "proto/plugin/emit.h"

#include <stdio.h>

void emit_rpc_init(struct emit_rpc *ret_emit, const struct model_service *service, size_t at)
{
    const struct model_rpc *rpc = &service->rpcs[at];
    ret_emit->service = service;
    ret_emit->rpc = rpc;
    snprintf(ret_emit->row, sizeof ret_emit->row, "&%s__endpoints[%zu]", service->prefix, at);
    snprintf(ret_emit->path, sizeof ret_emit->path, "/%s/%s", service->full_name, rpc->proto->name);
    const struct text_var vars[EMIT_VARS] = {
        {"fn", rpc->fn},
        {"member", rpc->member},
        {"prefix", service->prefix},
        {"adder", service->adder},
        {"In", rpc->in->c_type},
        {"Out", rpc->out->c_type},
        {"in", rpc->in->c_symbol},
        {"out", rpc->out->c_symbol},
        {"row", ret_emit->row},
        {"path", ret_emit->path},
        {NULL, NULL},
    };
    memcpy(ret_emit->vars, vars, sizeof vars);
}

const struct model_message *emit_checked(const struct model *model, const struct model_file *file,
                                         size_t n)
{
    const struct model_message *message = &model->messages[n];
    if (message->type == NULL || message->type->file != file->file || !message->checked)
        return NULL;
    return message;
}
