/* The protocol as a page of Markdown: one page per package, for those who write clients and for
 * those who judge what a server lets in. */
#include "proto/plugin/emit.h"

#include <inttypes.h>

static void put_comment(struct buf *out, const char *comment)
{
    if (comment == NULL)
        return;
    text_put(out, "\n");
    text_markdown(out, comment);
}

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

static void put_callers(const struct model_rpc *rpc, struct buf *out)
{
    for (size_t i = 0; i < rpc->policy.n_caller; i++)
        text_printf(out, "%s`%s`", i == 0 ? "" : ", ",
                    protobuf_c_enum_descriptor_get_value(&hearth__caller__descriptor,
                                                         (int)rpc->policy.caller[i])
                        ->name);
    text_put(out, rpc->policy.n_caller == 0 ? "not said" : "");
}

static void put_limit(struct buf *out, const char *name, uint32_t value, const char *unit,
                      const char *otherwise)
{
    text_printf(out, "| %s | ", name);
    if (value == 0)
        text_printf(out, "%s |\n", otherwise);
    else
        text_printf(out, "%" PRIu32 " %s |\n", value, unit);
}

static void put_rpc(const struct model_service *service, size_t at, struct buf *out)
{
    struct emit_rpc emit;
    emit_rpc_init(&emit, service, at);
    const struct model_rpc *rpc = &service->rpcs[at];
    bool in = rpc->shape == SHAPE_CLIENT_STREAM || rpc->shape == SHAPE_BIDI;
    bool answers = rpc->shape == SHAPE_SERVER_STREAM || rpc->shape == SHAPE_BIDI;
    text_printf(out, "\n### %s\n\n`%s`\n\n", rpc->proto->name, emit.path);
    text_printf(out, "%s`%s` → %s`%s`\n", in ? "stream of " : "", rpc->in->type->full_name,
                answers ? "stream of " : "", rpc->out->type->full_name);
    put_comment(out, rpc->comment);
    text_put(out, "\n| policy | |\n|---|---|\n| callers | ");
    put_callers(rpc, out);
    text_printf(
        out, " |\n| cost | `%s` |\n",
        protobuf_c_enum_descriptor_get_value(&hearth__cost__descriptor, (int)rpc->policy.cost)
            ->name);
    put_limit(out, "largest request", rpc->policy.request_bytes, "bytes", "");
    put_limit(out, "largest response", rpc->policy.response_bytes, "bytes", "");
    put_limit(out, "deadline", rpc->policy.deadline_ms, "ms",
              rpc->shape == SHAPE_UNARY ? "the server's default" : "none");
    put_limit(out, "memory", rpc->policy.memory_bytes, "bytes", "from the largest request");
    text_printf(out,
                "| may be repeated | %s |\n| from other homeservers | %s |\n| compression | %s |\n",
                yes_no(rpc->policy.idempotent), yes_no(rpc->policy.federated),
                yes_no(rpc->policy.compression));
}

static void put_range(struct buf *out, const char *name, uint64_t least, uint64_t most)
{
    if (least != 0 && most != 0)
        text_printf(out, "%" PRIu64 " to %" PRIu64 " %s; ", least, most, name);
    else if (least != 0)
        text_printf(out, "at least %" PRIu64 " %s; ", least, name);
    else if (most != 0)
        text_printf(out, "at most %" PRIu64 " %s; ", most, name);
}

static void put_rule(const struct model_field *field, struct buf *out)
{
    const Hearth__Rule *rule = field->rule;
    size_t before = out->len;
    if (rule == NULL)
        return;
    if (rule->required && field->one_of != NULL)
        text_printf(out, "one of `%s` must be set; ", field->one_of);
    else if (rule->required)
        text_put(out, "required; ");
    if (rule->exact_bytes != 0)
        text_printf(out, "%" PRIu32 " bytes; ", rule->exact_bytes);
    put_range(out, "elements", rule->min_items, rule->max_items);
    put_range(out, "bytes", rule->min_bytes, rule->max_bytes);
    put_range(out, "", rule->min, rule->max);
    if (rule->known_enum)
        text_put(out, "a known value; ");
    while (out->len > before && (out->data[out->len - 1] == ' ' || out->data[out->len - 1] == ';'))
        out->len--;
}

/* A map's entry is a message of its own only on the wire. */
static void put_type(const struct model_field *field, struct buf *out)
{
    if (field->is_map && field->message->field_count == 2) {
        text_printf(out, "map of `%s` to `%s`", field->message->fields[0].type_text,
                    field->message->fields[1].type_text);
        return;
    }
    text_printf(out, "%s`%s`", field->repeated ? "repeated " : "", field->type_text);
}

static void put_fields(const struct model_message *message, struct buf *out)
{
    const struct proto_type *type = message->type;
    struct proto_path path = {.len = type->path_len + 2};
    memcpy(path.step, type->path, type->path_len * sizeof *type->path);
    path.step[type->path_len] = 2;
    text_put(out, "\n| field | number | type | rules | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        path.step[type->path_len + 1] = (int32_t)i;
        text_printf(out, "| `%s` | %" PRId32 " | ", field->proto->name, field->proto->number);
        put_type(field, out);
        if (field->one_of != NULL)
            text_printf(out, ", in `%s`", field->one_of);
        text_put(out, " | ");
        put_rule(field, out);
        text_put(out, " | ");
        const char *comment = file_comment(type->file, path.step, path.len);
        if (comment != NULL)
            text_markdown_cell(out, comment);
        text_put(out, " |\n");
    }
}

static void put_values(const struct proto_type *type, struct buf *out)
{
    struct proto_path path = {.len = type->path_len + 2};
    memcpy(path.step, type->path, type->path_len * sizeof *type->path);
    path.step[type->path_len] = 2;
    put_comment(out, file_comment(type->file, type->path, type->path_len));
    text_put(out, "\n| value | number | |\n|---|---|---|\n");
    for (size_t i = 0; i < type->enumeration->n_value; i++) {
        path.step[type->path_len + 1] = (int32_t)i;
        text_printf(out, "| `%s` | %" PRId32 " | ", type->enumeration->value[i]->name,
                    type->enumeration->value[i]->number);
        const char *comment = file_comment(type->file, path.step, path.len);
        if (comment != NULL)
            text_markdown_cell(out, comment);
        text_put(out, " |\n");
    }
}

static void put_types(const struct model *model, const struct model_file *file, struct buf *out)
{
    for (size_t i = 0; i < model->request->type_count; i++) {
        const struct proto_type *type = &model->request->types[i];
        const struct model_message *message = &model->messages[i];
        if (type->file != file->file || (type->message != NULL && message->is_map_entry))
            continue;
        text_printf(out, "\n### %s\n", type->full_name);
        if (type->enumeration != NULL) {
            put_values(type, out);
            continue;
        }
        put_comment(out, message->comment);
        if (message->field_count == 0)
            text_put(out, "\nNo fields.\n");
        else
            put_fields(message, out);
    }
}

void emit_docs(const struct model *model, const char *package, struct buf *out)
{
    static const int32_t syntax[] = {12}; /* a file's own comment stands above `syntax` */
    text_printf(out, "<!-- generated by protoc-gen-hearth; do not edit -->\n# %s\n",
                *package == '\0' ? "(no package)" : package);
    for (size_t i = 0; i < model->file_count; i++) {
        const struct model_file *file = &model->files[i];
        if (strcmp(file->package, package) != 0)
            continue;
        text_printf(out, "\n## %s\n", file->file->proto->name);
        put_comment(out, file_comment(file->file, syntax, 1));
        for (size_t s = 0; s < file->service_count; s++) {
            text_printf(out, "\n## Service %s\n", file->services[s].full_name);
            put_comment(out, file->services[s].comment);
            for (size_t r = 0; r < file->services[s].rpc_count; r++)
                put_rpc(&file->services[s], r, out);
        }
        put_types(model, file, out);
    }
}
