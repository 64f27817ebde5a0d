/* C names that the stubs of one run define: each may be wanted once. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/plugin/model.h"
#include "proto/plugin/plugin.h"

struct symbol {
    const char *name;
    const char *file;
    unsigned line;
    const char *owner; /* what a person would look for */
};

struct symbols {
    struct arena *arena;
    struct symbol *rows;
    size_t count;
    size_t cap;
};

static CHECKED struct err add(struct symbols *symbols, const struct symbol *like, const char *front,
                              const char *back)
{
    size_t len = strlen(front) + strlen(back);
    char *name = arena_alloc(symbols->arena, len + 1);
    if (name == NULL)
        return ERR(NO_MEMORY);
    snprintf(name, len + 1, "%s%s", front, back);
    struct symbol row = *like;
    row.name = name;
    symbols->rows[symbols->count++] = row;
    return ERR_OK;
}

/* The names that emit_*.c derives from that of an rpc, by shape; "__" ones are static. */
static const char *const unary_names[] = {
    "", "_reply", "_start", "_done", "__invoke", "__starting", "__on_done", "__validate", NULL};
static const char *const client_names[] = {"_reply",
                                           "_open",
                                           "_send",
                                           "_finish",
                                           "_start",
                                           "_push",
                                           "_events",
                                           "__invoke",
                                           "__opened",
                                           "__starting",
                                           "__on_headers",
                                           "__on_message",
                                           "__on_writable",
                                           "__on_done",
                                           "__events",
                                           "__validate",
                                           NULL};
static const char *const server_names[] = {"_write",       "_open",
                                           "_read",        "_start",
                                           "_events",      "__invoke",
                                           "__starting",   "__on_headers",
                                           "__on_message", "__on_writable",
                                           "__on_done",    "__events",
                                           "__validate",   NULL};
static const char *const bidi_names[] = {"_write",
                                         "_open",
                                         "_send",
                                         "_read",
                                         "_start",
                                         "_push",
                                         "_events",
                                         "__invoke",
                                         "__opened",
                                         "__starting",
                                         "__on_headers",
                                         "__on_message",
                                         "__on_writable",
                                         "__on_done",
                                         "__events",
                                         "__validate",
                                         NULL};
static const char *const *const names_of[] = {unary_names, client_names, server_names, bidi_names};

enum { MOST_PER_RPC = 20, PER_SERVICE = 4, PER_FILE = 2 };

static CHECKED struct err add_rpc(struct symbols *symbols, const struct model_service *service,
                                  const struct model_rpc *rpc, const struct symbol *like)
{
    for (const char *const *name = names_of[rpc->shape]; *name != NULL; name++)
        TRY(add(symbols, like, rpc->fn, *name));
    /* members of the vtable have a space of their own */
    size_t len = strlen(service->prefix) + strlen(rpc->member) + 1;
    char *member = arena_alloc(symbols->arena, len + 1);
    if (member == NULL)
        return ERR(NO_MEMORY);
    snprintf(member, len + 1, "%s.%s", service->prefix, rpc->member);
    TRY(add(symbols, like, member, ""));
    if (rpc->shape == SHAPE_CLIENT_STREAM || rpc->shape == SHAPE_BIDI)
        TRY(add(symbols, like, member, "_open"));
    return ERR_OK;
}

static CHECKED struct err add_service(struct symbols *symbols, const struct model_file *file,
                                      size_t at)
{
    const struct model_service *service = &file->services[at];
    struct proto_path path = {.step = {6, (int32_t)at}, .len = 2};
    struct symbol like = {NULL, file->file->proto->name, file_line(file->file, path.step, path.len),
                          service->full_name};
    TRY(add(symbols, &like, service->prefix, "_service"));
    TRY(add(symbols, &like, service->prefix, "_descriptor"));
    TRY(add(symbols, &like, service->prefix, "__endpoints"));
    TRY(add(symbols, &like, service->adder, ""));
    for (size_t i = 0; i < service->rpc_count; i++) {
        path.step[2] = 2;
        path.step[3] = (int32_t)i;
        like.line = file_line(file->file, path.step, 4);
        like.owner = service->rpcs[i].proto->name;
        TRY(add_rpc(symbols, service, &service->rpcs[i], &like));
    }
    return ERR_OK;
}

static int compare(const void *left, const void *right)
{
    const struct symbol *a = left;
    const struct symbol *b = right;
    int order = strcmp(a->name, b->name);
    if (order == 0)
        order = strcmp(a->file, b->file);
    return order != 0 ? order : a->line < b->line ? -1 : a->line > b->line;
}

/* One line for each owner, not one for each of its functions. */
static void report_twice(const struct symbols *symbols, struct report *report)
{
    const char *said[PLUGIN_REFUSALS];
    size_t said_count = 0;
    for (size_t i = 1; i < symbols->count && said_count < PLUGIN_REFUSALS; i++) {
        const struct symbol *row = &symbols->rows[i];
        if (strcmp(row[-1].name, row->name) != 0)
            continue;
        bool again = false;
        for (size_t n = 0; n < said_count; n++)
            again = again || said[n] == row->owner;
        if (again)
            continue;
        said[said_count++] = row->owner;
        report_add(report, row->file, row->line, "%s: its C name %s is already that of %s (%s:%u)",
                   row->owner, row->name, row[-1].owner, row[-1].file, row[-1].line);
    }
}

struct err symbols_check(const struct model *model, struct report *report)
{
    struct symbols symbols = {.arena = model->request->arena};
    for (size_t i = 0; i < model->file_count; i++) {
        symbols.cap += PER_FILE;
        for (size_t s = 0; s < model->files[i].service_count; s++)
            symbols.cap += PER_SERVICE + MOST_PER_RPC * model->files[i].services[s].rpc_count;
    }
    symbols.rows = arena_alloc(symbols.arena, symbols.cap * sizeof *symbols.rows);
    if (symbols.rows == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < model->file_count; i++) {
        const struct model_file *file = &model->files[i];
        struct symbol like = {NULL, file->file->proto->name, 0, file->file->proto->name};
        TRY(add(&symbols, &like, file->guard, ""));
        for (size_t s = 0; s < file->service_count; s++)
            TRY(add_service(&symbols, file, s));
    }
    qsort(symbols.rows, symbols.count, sizeof *symbols.rows, compare);
    report_twice(&symbols, report);
    return ERR_OK;
}
