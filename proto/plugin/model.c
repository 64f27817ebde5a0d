#include "proto/plugin/model.h"

#include <stdio.h>

#include "proto/plugin/names.h"

/* The path without ".proto", as protoc-c names its own output. */
static char *base_of(struct arena *arena, const char *name)
{
    size_t len = strlen(name);
    if (len > 6 && strcmp(name + len - 6, ".proto") == 0)
        len -= 6;
    return arena_strndup(arena, name, len);
}

static CHECKED struct err add_file(struct model *model, const struct proto_file *file,
                                   struct report *report)
{
    struct model_file *added = &model->files[model->file_count++];
    struct arena *arena = model->request->arena;
    added->file = file;
    added->package = file->proto->package == NULL ? "" : file->proto->package;
    added->base = base_of(arena, file->proto->name);
    added->guard = added->base == NULL ? NULL : name_guard(arena, added->base);
    if (added->base == NULL || added->guard == NULL)
        return ERR(NO_MEMORY);
    return model_add_services(model, added, report);
}

/* Imported files too: the stubs use the names that protoc-c gives their types. */
static CHECKED struct err check_file_options(const struct request *request, struct report *report)
{
    for (size_t i = 0; i < request->file_count; i++) {
        bool strange = false;
        const pb_file *proto = request->files[i].proto;
        bool defines_them = strcmp(proto->name, "protobuf-c/protobuf-c.proto") == 0;
        if (proto->options != NULL && !defines_them)
            TRY(option_is_protobuf_c(&proto->options->base, request->arena, &strange));
        if (strange)
            report_add(report, proto->name, 0, "(pb_c_file) options are not supported");
    }
    return ERR_OK;
}

struct err model_build(const struct request *request, struct report *report,
                       struct model *ret_model)
{
    struct model model = {.request = request};
    model.files = arena_alloc(request->arena, request->file_count * sizeof *model.files);
    if (model.files == NULL)
        return ERR(NO_MEMORY);
    TRY(check_file_options(request, report));
    TRY(model_add_messages(&model, report));
    for (size_t i = 0; i < request->file_count; i++)
        if (request->files[i].generate)
            TRY(add_file(&model, &request->files[i], report));
    TRY(symbols_check(&model, report));
    *ret_model = model;
    return ERR_OK;
}
