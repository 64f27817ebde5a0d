/* Messages and fields: C names, types, rules, and which messages need a check. */
#include <stdlib.h>

#include "proto/plugin/model.h"
#include "proto/plugin/names.h"
#include "proto/plugin/text.h"

const struct model_message *model_find(const struct model *model, const char *name)
{
    const struct proto_type *type = request_type(model->request, name);
    return type == NULL || type->message == NULL ? NULL
                                                 : &model->messages[type - model->request->types];
}

/* By FieldDescriptorProto.Type. */
static const struct {
    enum model_kind kind;
    uint64_t largest; /* value that a rule can name; numbers only */
    const char *text;
} types[] = {
    {KIND_MESSAGE, 0, ""}, /* there is no 0 */
    {KIND_FLOAT, UINT64_MAX, "double"},
    {KIND_FLOAT, UINT64_MAX, "float"},
    {KIND_SIGNED, INT64_MAX, "int64"},
    {KIND_UNSIGNED, UINT64_MAX, "uint64"},
    {KIND_SIGNED, INT32_MAX, "int32"},
    {KIND_UNSIGNED, UINT64_MAX, "fixed64"},
    {KIND_UNSIGNED, UINT32_MAX, "fixed32"},
    {KIND_BOOL, 0, "bool"},
    {KIND_STRING, 0, "string"},
    {KIND_MESSAGE, 0, ""}, /* group */
    {KIND_MESSAGE, 0, ""},
    {KIND_BYTES, 0, "bytes"},
    {KIND_UNSIGNED, UINT32_MAX, "uint32"},
    {KIND_ENUM, 0, ""},
    {KIND_SIGNED, INT32_MAX, "sfixed32"},
    {KIND_SIGNED, INT64_MAX, "sfixed64"},
    {KIND_SIGNED, INT32_MAX, "sint32"},
    {KIND_SIGNED, INT64_MAX, "sint64"},
};

struct message_place {
    struct model *model;
    struct model_message *message;
    struct report *report; /* NULL unless the file is generated */
};

static void refuse(const struct message_place *place, const int32_t *path, size_t len,
                   const char *name, const char *what)
{
    const struct proto_file *file = place->message->type->file;
    if (place->report != NULL)
        report_add(place->report, file->proto->name, file_line(file, path, len), "field %s: %s",
                   name, what);
}

/* Sub-messages and enums by name. */
static void resolve(const struct message_place *place, struct model_field *field,
                    const struct proto_path *path)
{
    const pb_field *proto = field->proto;
    const struct request *request = place->model->request;
    if (field->kind != KIND_MESSAGE && field->kind != KIND_ENUM)
        return;
    const struct proto_type *type = request_type(request, proto->type_name);
    bool group = proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP;
    bool fits = type != NULL && !group &&
                (field->kind == KIND_MESSAGE ? type->message != NULL : type->enumeration != NULL);
    if (!fits) {
        refuse(place, path->step, path->len, proto->name,
               group ? "groups are not supported by protoc-c" : "its type is not in the request");
        return;
    }
    field->type_text = type->full_name;
    if (field->kind == KIND_ENUM) {
        field->enumeration = type;
        return;
    }
    field->message = &place->model->messages[type - request->types];
    field->is_map =
        field->repeated && type->message->options != NULL && type->message->options->map_entry;
}

static CHECKED struct err read_field(const struct message_place *place, struct model_field *field,
                                     size_t at)
{
    const struct proto_type *type = place->message->type;
    struct arena *arena = place->model->request->arena;
    const pb_field *proto = type->message->field[at];
    field->proto = proto;
    size_t known = sizeof types / sizeof *types;
    size_t number = proto->type > 0 && (size_t)proto->type < known ? (size_t)proto->type : 0;
    field->kind = types[number].kind;
    field->largest = types[number].largest;
    field->type_text = types[number].text;
    field->repeated =
        proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
    field->c_name = name_field(arena, proto->name);
    if (field->c_name == NULL)
        return ERR(NO_MEMORY);
    struct proto_path path = {.len = type->path_len};
    memcpy(path.step, type->path, type->path_len * sizeof *type->path);
    path.step[path.len++] = 2;
    path.step[path.len++] = (int32_t)at;
    resolve(place, field, &path);
    if (proto->has_oneof_index && proto->oneof_index >= 0 &&
        (size_t)proto->oneof_index < type->message->n_oneof_decl) {
        field->one_of = type->message->oneof_decl[proto->oneof_index]->name;
        field->one_of_c = name_snake(arena, field->one_of);
        if (field->one_of_c == NULL)
            return ERR(NO_MEMORY);
    }
    bool proto3 =
        type->file->proto->syntax != NULL && strcmp(type->file->proto->syntax, "proto3") == 0;
    bool optional = proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL;
    bool scalar = field->kind != KIND_STRING && field->kind != KIND_MESSAGE;
    field->has_presence = optional && !proto3 && scalar && field->one_of == NULL;
    bool found = false;
    if (proto->options != NULL)
        TRY(option_is_protobuf_c(&proto->options->base, arena, &found));
    if (found || proto->proto3_optional)
        refuse(place, path.step, path.len, proto->name,
               found ? "(pb_c_field) options are not supported"
                     : "protoc-c has no proto3 optional");
    return rule_read(place->model, type->file, field, &path, place->report);
}

static CHECKED struct err read_message(struct model *model, size_t at, struct report *report)
{
    const struct proto_type *type = &model->request->types[at];
    struct arena *arena = model->request->arena;
    struct model_message *message = &model->messages[at];
    message->type = type;
    message->c_type = name_type(arena, type->full_name);
    message->c_symbol = name_symbol(arena, type->full_name);
    message->fields = arena_alloc(arena, type->message->n_field * sizeof *message->fields);
    if (message->c_type == NULL || message->c_symbol == NULL || message->fields == NULL)
        return ERR(NO_MEMORY);
    message->comment = file_comment(type->file, type->path, type->path_len);
    message->field_count = type->message->n_field;
    message->is_map_entry = type->message->options != NULL && type->message->options->map_entry;
    bool strange = false;
    if (type->message->options != NULL)
        TRY(option_is_protobuf_c(&type->message->options->base, arena, &strange));
    if (strange && type->file->generate)
        report_add(report, type->file->proto->name,
                   file_line(type->file, type->path, type->path_len),
                   "message %s: (pb_c_msg) options are not supported", type->message->name);
    struct message_place place = {model, message, type->file->generate ? report : NULL};
    for (size_t i = 0; i < message->field_count; i++)
        TRY(read_field(&place, &message->fields[i], i));
    return ERR_OK;
}

/* ---- what a message gets from those it holds: checks, and endless depth ---- */

struct holds {
    size_t inner; /* index of a message */
    size_t outer; /* index of one with a field of that type */
};

static int compare_holds(const void *left, const void *right)
{
    const struct holds *a = left;
    const struct holds *b = right;
    return a->inner < b->inner ? -1 : a->inner > b->inner;
}

static const struct holds *first_of(const struct holds *edges, size_t count, size_t inner)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edges[middle].inner < inner)
            low = middle + 1;
        else
            high = middle;
    }
    return edges + low;
}

static CHECKED struct err list_holds(struct model *model, struct holds **ret_edges,
                                     size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = 0; i < model->request->type_count; i++)
        count += model->messages[i].field_count;
    struct holds *edges = arena_alloc(model->request->arena, count * sizeof *edges);
    if (edges == NULL)
        return ERR(NO_MEMORY);
    count = 0;
    for (size_t i = 0; i < model->request->type_count; i++)
        for (size_t f = 0; f < model->messages[i].field_count; f++)
            if (model->messages[i].fields[f].message != NULL)
                edges[count++] = (struct holds){
                    (size_t)(model->messages[i].fields[f].message - model->messages), i};
    qsort(edges, count, sizeof *edges, compare_holds);
    *ret_edges = edges;
    *ret_count = count;
    return ERR_OK;
}

/* A list of messages to look at, and the edges to walk outwards by. */
struct outwards {
    struct model *model;
    struct holds *edges;
    size_t edge_count;
    size_t *waiting;
    size_t waiting_count;
};

/* With rules of its own, or around one that is checked. */
static void mark_checked(struct outwards *walk)
{
    struct model *model = walk->model;
    for (size_t i = 0; i < model->request->type_count; i++) {
        struct model_message *message = &model->messages[i];
        for (size_t f = 0; f < message->field_count && !message->checked; f++)
            message->checked = message->fields[f].rule != NULL;
        if (message->checked)
            walk->waiting[walk->waiting_count++] = i;
    }
    while (walk->waiting_count > 0) {
        size_t inner = walk->waiting[--walk->waiting_count];
        const struct holds *end = walk->edges + walk->edge_count;
        for (const struct holds *edge = first_of(walk->edges, walk->edge_count, inner);
             edge < end && edge->inner == inner; edge++) {
            struct model_message *outer = &model->messages[edge->outer];
            if (!outer->checked) {
                outer->checked = true;
                walk->waiting[walk->waiting_count++] = edge->outer;
            }
        }
    }
}

/* Those that have a bottom are found from the bottom up; what is left has none. */
static void mark_recursive(struct outwards *walk, size_t *unsettled)
{
    struct model *model = walk->model;
    for (size_t i = 0; i < model->request->type_count; i++) {
        model->messages[i].recursive = model->request->types[i].message != NULL;
        for (size_t f = 0; f < model->messages[i].field_count; f++)
            unsettled[i] += model->messages[i].fields[f].message != NULL;
        if (unsettled[i] == 0)
            walk->waiting[walk->waiting_count++] = i;
    }
    while (walk->waiting_count > 0) {
        size_t inner = walk->waiting[--walk->waiting_count];
        model->messages[inner].recursive = false;
        const struct holds *end = walk->edges + walk->edge_count;
        for (const struct holds *edge = first_of(walk->edges, walk->edge_count, inner);
             edge < end && edge->inner == inner; edge++)
            if (--unsettled[edge->outer] == 0)
                walk->waiting[walk->waiting_count++] = edge->outer;
    }
}

static CHECKED struct err mark(struct model *model)
{
    struct arena *arena = model->request->arena;
    size_t count = model->request->type_count;
    struct outwards walk = {.model = model};
    TRY(list_holds(model, &walk.edges, &walk.edge_count));
    walk.waiting = arena_alloc(arena, count * sizeof *walk.waiting);
    size_t *unsettled = arena_alloc(arena, count * sizeof *unsettled);
    if (walk.waiting == NULL || unsettled == NULL)
        return ERR(NO_MEMORY);
    mark_checked(&walk);
    mark_recursive(&walk, unsettled);
    return ERR_OK;
}

struct err model_add_messages(struct model *model, struct report *report)
{
    size_t count = model->request->type_count;
    model->messages = arena_alloc(model->request->arena, count * sizeof *model->messages);
    if (model->messages == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        if (model->request->types[i].message != NULL)
            TRY(read_message(model, i, report));
    return mark(model);
}
