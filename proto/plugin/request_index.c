#include "proto/plugin/request_index.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/plugin/plugin.h"

/* ---- types ---- */

struct type_walk {
    struct request *request;
    const struct proto_file *file;
    struct proto_path path;
    bool counting; /* first pass: only counts */
};

static CHECKED struct err add_type(struct type_walk *walk, const char *outer, const char *name,
                                   const pb_message *message, const pb_enum *enumeration,
                                   const char **ret_full_name)
{
    struct request *request = walk->request;
    size_t at = request->type_count++;
    *ret_full_name = "";
    if (walk->counting)
        return ERR_OK;
    size_t len = strlen(outer) + 1 + strlen(name);
    char *full_name = arena_alloc(request->arena, len + 1);
    int32_t *path = arena_copy(request->arena, walk->path.step, walk->path.len * sizeof *path);
    if (full_name == NULL || path == NULL)
        return ERR(NO_MEMORY);
    snprintf(full_name, len + 1, "%s%s%s", outer, *outer == '\0' ? "" : ".", name);
    request->types[at] =
        (struct proto_type){full_name, walk->file, message, enumeration, path, walk->path.len};
    *ret_full_name = full_name;
    return ERR_OK;
}

static void step_in(struct proto_path *path, int32_t field, size_t index)
{
    path->step[path->len++] = field;
    path->step[path->len++] = (int32_t)index;
}

/* Depth is bounded by PLUGIN_DEPTH, and so is the path. */
static CHECKED struct err add_message(struct type_walk *walk, const char *outer,
                                      const pb_message *message)
{
    const char *full_name;
    TRY(add_type(walk, outer, message->name, message, NULL, &full_name));
    for (size_t i = 0; i < message->n_nested_type; i++) {
        step_in(&walk->path, 3, i);
        TRY(add_message(walk, full_name, message->nested_type[i]));
        walk->path.len -= 2;
    }
    for (size_t i = 0; i < message->n_enum_type; i++) {
        const char *unused;
        step_in(&walk->path, 4, i);
        TRY(add_type(walk, full_name, message->enum_type[i]->name, NULL, message->enum_type[i],
                     &unused));
        walk->path.len -= 2;
    }
    return ERR_OK;
}

static CHECKED struct err add_file(struct type_walk *walk, const struct proto_file *file)
{
    const pb_file *proto = file->proto;
    const char *package = proto->package == NULL ? "" : proto->package;
    walk->file = file;
    for (size_t i = 0; i < proto->n_message_type; i++) {
        walk->path.len = 0;
        step_in(&walk->path, 4, i);
        TRY(add_message(walk, package, proto->message_type[i]));
    }
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        const char *unused;
        walk->path.len = 0;
        step_in(&walk->path, 5, i);
        TRY(add_type(walk, package, proto->enum_type[i]->name, NULL, proto->enum_type[i], &unused));
    }
    return ERR_OK;
}

static int compare_types(const void *left, const void *right)
{
    const struct proto_type *a = left;
    const struct proto_type *b = right;
    return strcmp(a->full_name, b->full_name);
}

struct err index_types(struct request *request)
{
    struct type_walk walk = {.request = request, .counting = true};
    for (size_t i = 0; i < request->file_count; i++)
        TRY(add_file(&walk, &request->files[i]));
    request->types = arena_alloc(request->arena, request->type_count * sizeof *request->types);
    if (request->types == NULL)
        return ERR(NO_MEMORY);
    walk.counting = false;
    request->type_count = 0;
    for (size_t i = 0; i < request->file_count; i++)
        TRY(add_file(&walk, &request->files[i]));
    qsort(request->types, request->type_count, sizeof *request->types, compare_types);
    return ERR_OK;
}

const struct proto_type *request_type(const struct request *request, const char *name)
{
    if (name == NULL || request->type_count == 0)
        return NULL;
    struct proto_type key = {.full_name = *name == '.' ? name + 1 : name};
    return bsearch(&key, request->types, request->type_count, sizeof key, compare_types);
}

/* ---- files and imports ---- */

struct name_at {
    const char *name;
    size_t at;
};

static int compare_names(const void *left, const void *right)
{
    const struct name_at *a = left;
    const struct name_at *b = right;
    return strcmp(a->name, b->name);
}

static const struct name_at *find_name(const struct name_at *names, size_t count, const char *name)
{
    struct name_at key = {name, 0};
    return count == 0 ? NULL : bsearch(&key, names, count, sizeof key, compare_names);
}

static int compare_paths(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len)
{
    for (size_t i = 0; i < a_len && i < b_len; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return a_len == b_len ? 0 : a_len < b_len ? -1 : 1;
}

static int compare_locations(const void *left, const void *right)
{
    const pb_location *a = *(const pb_location *const *)left;
    const pb_location *b = *(const pb_location *const *)right;
    return compare_paths(a->path, a->n_path, b->path, b->n_path);
}

static CHECKED struct err index_locations(struct request *request, struct proto_file *file)
{
    const Google__Protobuf__SourceCodeInfo *info = file->proto->source_code_info;
    if (info == NULL || !file->generate)
        return ERR_OK;
    file->locations = arena_alloc(request->arena, info->n_location * sizeof *file->locations);
    if (file->locations == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < info->n_location; i++)
        file->locations[i] = info->location[i];
    file->location_count = info->n_location;
    qsort(file->locations, file->location_count, sizeof *file->locations, compare_locations);
    return ERR_OK;
}

/* protoc lists a file behind all its imports; a request that doesn't is refused, which also rules
 * out rings. */
static CHECKED struct err index_imports(struct request *request, const struct name_at *names,
                                        size_t at, struct report *report)
{
    struct proto_file *file = &request->files[at];
    file->imports = arena_alloc(request->arena, file->proto->n_dependency * sizeof *file->imports);
    if (file->imports == NULL)
        return ERR(NO_MEMORY);
    file->knows_hearth = strcmp(file->proto->name, "hearth/options.proto") == 0;
    for (size_t i = 0; i < file->proto->n_dependency; i++) {
        const struct name_at *found =
            find_name(names, request->file_count, file->proto->dependency[i]);
        if (found == NULL || found->at >= at) {
            report_add(report, file->proto->name, 0,
                       "an import is not in the request, or not before its user");
            return ERR_OK;
        }
        file->imports[file->import_count++] = found->at;
        file->knows_hearth = file->knows_hearth || request->files[found->at].knows_hearth;
    }
    return ERR_OK;
}

struct err index_files(struct request *request,
                       const Google__Protobuf__Compiler__CodeGeneratorRequest *decoded,
                       struct report *report)
{
    size_t count = request->file_count;
    struct name_at *names = arena_alloc(request->arena, count * sizeof *names);
    if (names == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < count; i++)
        names[i] = (struct name_at){request->files[i].proto->name, i};
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0)
            report_add(report, names[i].name, 0, "the file is in the request twice");
    for (size_t i = 0; i < decoded->n_file_to_generate; i++) {
        const struct name_at *found = find_name(names, count, decoded->file_to_generate[i]);
        if (found == NULL)
            report_add(report, "request", 0, "a file to generate is not in the request");
        else
            request->files[found->at].generate = true;
    }
    for (size_t i = 0; i < count && report->count == 0; i++) {
        TRY(index_imports(request, names, i, report));
        TRY(index_locations(request, &request->files[i]));
    }
    return ERR_OK;
}

struct err request_closure(const struct request *request, const struct proto_file *file,
                           size_t **ret_indices, size_t *ret_count)
{
    size_t at = (size_t)(file - request->files);
    bool *in = arena_alloc(request->arena, at + 1);
    size_t *indices = arena_alloc(request->arena, (at + 1) * sizeof *indices);
    if (in == NULL || indices == NULL)
        return ERR(NO_MEMORY);
    in[at] = true;
    for (size_t i = at + 1; i-- > 0;)
        for (size_t n = 0; in[i] && n < request->files[i].import_count; n++)
            in[request->files[i].imports[n]] = true;
    size_t count = 0;
    for (size_t i = 0; i <= at; i++)
        if (in[i])
            indices[count++] = i;
    *ret_indices = indices;
    *ret_count = count;
    return ERR_OK;
}

/* ---- places ---- */

static const pb_location *find_location(const struct proto_file *file, const int32_t *path,
                                        size_t len)
{
    size_t low = 0;
    size_t high = file->location_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const pb_location *location = file->locations[middle];
        int order = compare_paths(location->path, location->n_path, path, len);
        if (order == 0)
            return location;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

unsigned file_line(const struct proto_file *file, const int32_t *path, size_t len)
{
    for (; len > 0; len--) {
        const pb_location *location = find_location(file, path, len);
        if (location != NULL && location->n_span > 0 && location->span[0] >= 0 &&
            location->span[0] < INT32_MAX)
            return (unsigned)location->span[0] + 1;
    }
    return 0;
}

const char *file_comment(const struct proto_file *file, const int32_t *path, size_t len)
{
    const pb_location *location = find_location(file, path, len);
    if (location == NULL)
        return NULL;
    return location->leading_comments != NULL ? location->leading_comments
                                              : location->trailing_comments;
}
