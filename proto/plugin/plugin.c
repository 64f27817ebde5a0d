#include "proto/plugin/plugin.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/plugin/emit.h"

typedef Google__Protobuf__Compiler__CodeGeneratorResponse pb_response;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File pb_output;

/* Output files of one run; contents are malloc'd. */
struct outputs {
    pb_output *files;
    pb_output **list;
    size_t count;
    size_t left; /* bytes that may still be written */
};

static CHECKED struct err add_output(struct outputs *outputs, struct arena *arena,
                                     const char *front, const char *back, struct buf *content)
{
    buf_append_byte(content, 0);
    TRY(buf_check(content));
    size_t len = strlen(front) + strlen(back);
    char *name = arena_alloc(arena, len + 1);
    if (name == NULL)
        return ERR(NO_MEMORY);
    snprintf(name, len + 1, "%s%s", front, back);
    pb_output *output = &outputs->files[outputs->count];
    google__protobuf__compiler__code_generator_response__file__init(output);
    output->name = name;
    output->content = (char *)content->data;
    outputs->list[outputs->count++] = output;
    outputs->left -= content->len;
    *content = BUF_INIT; /* the output owns it now */
    return ERR_OK;
}

static CHECKED struct err write_code(const struct model *model, const struct model_file *file,
                                     struct outputs *outputs)
{
    struct arena *arena = model->request->arena;
    struct buf text = {.limit = outputs->left};
    struct err err;
    emit_header(model, file, &text);
    TRY_OR(add_output(outputs, arena, file->base, "_rpc.h", &text), err, out);
    text.limit = outputs->left;
    TRY_OR(emit_source(model, file, &text), err, out);
    TRY_OR(add_output(outputs, arena, file->base, "_rpc.c", &text), err, out);
out:
    buf_clear(&text);
    return err;
}

/* One page per package, written when its first file comes by. */
static CHECKED struct err write_page(const struct model *model, size_t at, struct outputs *outputs)
{
    const char *package = model->files[at].package;
    for (size_t i = 0; i < at; i++)
        if (strcmp(model->files[i].package, package) == 0)
            return ERR_OK;
    struct buf text = {.limit = outputs->left};
    emit_docs(model, package, &text);
    char front[2 * PLUGIN_NAME_BYTES + 8];
    snprintf(front, sizeof front, "%s/%s", model->request->options.docs,
             *package == '\0' ? "index" : package);
    struct err err = add_output(outputs, model->request->arena, front, ".md", &text);
    buf_clear(&text);
    return err;
}

static CHECKED struct err write_all(const struct model *model, struct outputs *outputs)
{
    outputs->files =
        arena_alloc(model->request->arena, (2 * model->file_count + 1) * sizeof *outputs->files);
    outputs->list =
        arena_alloc(model->request->arena, (2 * model->file_count + 1) * sizeof *outputs->list);
    if (outputs->files == NULL || outputs->list == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < model->file_count; i++) {
        if (outputs->left < 2)
            return ERR(TOO_LARGE);
        TRY(model->request->options.docs != NULL ? write_page(model, i, outputs)
                                                 : write_code(model, &model->files[i], outputs));
    }
    return ERR_OK;
}

static CHECKED struct err pack(const pb_response *response, struct buf *ret_response)
{
    size_t len = google__protobuf__compiler__code_generator_response__get_packed_size(response);
    if (len > PLUGIN_RESPONSE_BYTES)
        return ERR(TOO_LARGE);
    if (len == 0) /* nothing asked for */
        return ERR_OK;
    uint8_t *room = buf_extend(ret_response, len);
    if (room == NULL)
        return buf_check(ret_response);
    google__protobuf__compiler__code_generator_response__pack(response, room);
    return ERR_OK;
}

static CHECKED struct err refuse(struct report *report, pb_response *response,
                                 struct buf *ret_response)
{
    buf_append_byte(&report->lines, 0);
    TRY(buf_check(&report->lines));
    response->error = (char *)report->lines.data;
    return pack(response, ret_response);
}

static CHECKED struct err run(struct bytes in, struct arena *arena, struct report *report,
                              struct outputs *outputs, struct buf *ret_response)
{
    pb_response response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    struct request request;
    struct model model = {0};
    TRY(request_read(in, arena, report, &request));
    if (report->count == 0)
        TRY(model_build(&request, report, &model));
    if (report->count > 0)
        return refuse(report, &response, ret_response);
    TRY(write_all(&model, outputs));
    response.file = outputs->list;
    response.n_file = outputs->count;
    return pack(&response, ret_response);
}

struct err plugin_run(struct bytes request, struct buf *ret_response)
{
    struct arena arena;
    arena_init(&arena, PLUGIN_MEMORY_BYTES);
    struct report report = {0};
    struct outputs outputs = {.left = PLUGIN_RESPONSE_BYTES};
    struct err err = run(request, &arena, &report, &outputs, ret_response);
    for (size_t i = 0; i < outputs.count; i++)
        free(outputs.files[i].content);
    report_clear(&report);
    arena_clear(&arena);
    return err;
}
