#include "rpc/services/reflection_index.h"

#include <stdio.h>
#include <stdlib.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "pb/shape.h"

typedef Google__Protobuf__FileDescriptorProto pb_file;
typedef Google__Protobuf__DescriptorProto pb_message;
typedef Google__Protobuf__EnumDescriptorProto pb_enum;
typedef Google__Protobuf__FieldDescriptorProto pb_field;
typedef Google__Protobuf__ServiceDescriptorProto pb_service;

/* Room for one more element; the old list stays in the arena until the end, which doubles what it
 * takes. */
static void *grow(struct arena *arena, void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    size_t larger = *cap == 0 ? 16 : *cap * 2;
    void *moved = arena_alloc(arena, larger * size);
    if (moved == NULL)
        return NULL;
    if (count > 0)
        memcpy(moved, list, count * size);
    *cap = larger;
    return moved;
}

/* ---- names of one file ---- */

struct naming {
    struct reflection_index *index;
    size_t file;
};

/* "outer.name"; NULL when out of memory. */
static const char *full_name(struct naming *naming, const char *outer, const char *name)
{
    size_t len = strlen(outer) + 1 + strlen(name);
    char *full = arena_alloc(&naming->index->arena, len + 1);
    if (full != NULL)
        snprintf(full, len + 1, "%s%s%s", outer, *outer == '\0' ? "" : ".", name);
    return full;
}

static CHECKED struct err add_symbol(struct naming *naming, const char *outer, const char *name,
                                     const char **ret_full)
{
    struct reflection_index *index = naming->index;
    const char *full = full_name(naming, outer, name == NULL ? "" : name);
    void *list = grow(&index->arena, index->symbols, index->symbol_count, &index->symbol_cap,
                      sizeof *index->symbols);
    if (full == NULL || list == NULL)
        return ERR(NO_MEMORY);
    index->symbols = list;
    index->symbols[index->symbol_count++] = (struct reflection_symbol){full, naming->file};
    *ret_full = full;
    return ERR_OK;
}

/* The values of an enum are its siblings, as in C++. */
static CHECKED struct err add_enum(struct naming *naming, const char *outer, const pb_enum *type)
{
    const char *unused;
    TRY(add_symbol(naming, outer, type->name, &unused));
    for (size_t i = 0; i < type->n_value; i++)
        TRY(add_symbol(naming, outer, type->value[i]->name, &unused));
    return ERR_OK;
}

static CHECKED struct err add_extension(struct naming *naming, const char *outer,
                                        const pb_field *field)
{
    const char *unused;
    struct reflection_index *index = naming->index;
    TRY(add_symbol(naming, outer, field->name, &unused));
    const char *extendee = field->extendee == NULL ? "" : field->extendee;
    extendee += *extendee == '.';
    extendee = arena_strndup(&index->arena, extendee, strlen(extendee));
    void *list = grow(&index->arena, index->extensions, index->extension_count,
                      &index->extension_cap, sizeof *index->extensions);
    if (extendee == NULL || list == NULL)
        return ERR(NO_MEMORY);
    index->extensions = list;
    index->extensions[index->extension_count++] =
        (struct reflection_extension){extendee, field->number, naming->file};
    return ERR_OK;
}

/* As deep as messages nest, which was bounded before decoding. */
static CHECKED struct err add_message(struct naming *naming, const char *outer,
                                      const pb_message *type)
{
    const char *name;
    const char *unused;
    TRY(add_symbol(naming, outer, type->name, &name));
    for (size_t i = 0; i < type->n_field; i++)
        TRY(add_symbol(naming, name, type->field[i]->name, &unused));
    for (size_t i = 0; i < type->n_oneof_decl; i++)
        TRY(add_symbol(naming, name, type->oneof_decl[i]->name, &unused));
    for (size_t i = 0; i < type->n_enum_type; i++)
        TRY(add_enum(naming, name, type->enum_type[i]));
    for (size_t i = 0; i < type->n_extension; i++)
        TRY(add_extension(naming, name, type->extension[i]));
    for (size_t i = 0; i < type->n_nested_type; i++)
        TRY(add_message(naming, name, type->nested_type[i]));
    return ERR_OK;
}

static CHECKED struct err add_service(struct naming *naming, const char *outer,
                                      const pb_service *service)
{
    const char *name;
    const char *unused;
    TRY(add_symbol(naming, outer, service->name, &name));
    for (size_t i = 0; i < service->n_method; i++)
        TRY(add_symbol(naming, name, service->method[i]->name, &unused));
    return ERR_OK;
}

static CHECKED struct err add_names(struct naming *naming, const pb_file *file)
{
    const char *package = file->package == NULL ? "" : file->package;
    for (size_t i = 0; i < file->n_message_type; i++)
        TRY(add_message(naming, package, file->message_type[i]));
    for (size_t i = 0; i < file->n_enum_type; i++)
        TRY(add_enum(naming, package, file->enum_type[i]));
    for (size_t i = 0; i < file->n_extension; i++)
        TRY(add_extension(naming, package, file->extension[i]));
    for (size_t i = 0; i < file->n_service; i++)
        TRY(add_service(naming, package, file->service[i]));
    return ERR_OK;
}

/* ---- files ---- */

static CHECKED struct err add_decoded(struct reflection_index *index, const pb_file *proto,
                                      struct bytes bytes)
{
    const char *name = proto->name == NULL ? "" : proto->name;
    for (size_t i = 0; i < index->file_count; i++)
        if (strcmp(index->files[i].name, name) == 0)
            return ERR_OK;
    void *list = grow(&index->arena, index->files, index->file_count, &index->file_cap,
                      sizeof *index->files);
    if (list == NULL)
        return ERR(NO_MEMORY);
    index->files = list;
    struct reflection_file file = {.import_count = proto->n_dependency};
    file.name = arena_strndup(&index->arena, name, strlen(name));
    file.bytes = (ProtobufCBinaryData){bytes.len, arena_copy(&index->arena, bytes.data, bytes.len)};
    file.imports = arena_alloc(&index->arena, file.import_count * sizeof *file.imports);
    if (file.name == NULL || file.bytes.data == NULL || file.imports == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < file.import_count; i++) {
        file.imports[i] =
            arena_strndup(&index->arena, proto->dependency[i], strlen(proto->dependency[i]));
        if (file.imports[i] == NULL)
            return ERR(NO_MEMORY);
    }
    index->files[index->file_count++] = file;
    struct naming naming = {index, index->file_count - 1};
    return add_names(&naming, proto);
}

static CHECKED struct err add_file(struct reflection_index *index, struct bytes bytes)
{
    if (!shape_fits(&google__protobuf__file_descriptor_proto__descriptor, bytes, SHAPE_DEPTH))
        return ERR(WIRE_VALUE);
    pb_file *proto = google__protobuf__file_descriptor_proto__unpack(NULL, bytes.len, bytes.data);
    if (proto == NULL)
        return ERR(WIRE_VALUE);
    struct err err = add_decoded(index, proto, bytes);
    google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
    return err;
}

struct err reflection_index_add(struct reflection_index *index, struct bytes set)
{
    enum { FILE_KEY = 1 << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED };
    while (set.len > 0) {
        uint64_t key = 0;
        uint64_t len = 0;
        if (!shape_varint(&set, &key) || key != FILE_KEY || !shape_varint(&set, &len) ||
            len > set.len)
            return ERR(WIRE_VALUE);
        TRY(add_file(index, bytes_of(set.data, (size_t)len)));
        set = bytes_of(set.data + len, set.len - (size_t)len);
    }
    return ERR_OK;
}

static int compare_symbols(const void *left, const void *right)
{
    const struct reflection_symbol *a = left;
    const struct reflection_symbol *b = right;
    return strcmp(a->name, b->name);
}

static int compare_extensions(const void *left, const void *right)
{
    const struct reflection_extension *a = left;
    const struct reflection_extension *b = right;
    int order = strcmp(a->extendee, b->extendee);
    return order != 0 ? order : a->number < b->number ? -1 : a->number > b->number;
}

/* Breadth first from one file. */
static CHECKED struct err close_over(struct reflection_index *index, struct reflection_file *file)
{
    bool *seen = arena_alloc(&index->arena, index->file_count);
    const struct reflection_file **order =
        arena_alloc(&index->arena, index->file_count * sizeof *order);
    file->closure = arena_alloc(&index->arena, index->file_count * sizeof *file->closure);
    if (seen == NULL || order == NULL || file->closure == NULL)
        return ERR(NO_MEMORY);
    order[0] = file;
    seen[file - index->files] = true;
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        file->closure[i] = order[i]->bytes;
        for (size_t n = 0; n < order[i]->import_count; n++) {
            const struct reflection_file *import =
                reflection_find_file(index, order[i]->imports[n]);
            if (import == NULL)
                return ERR(WIRE_VALUE);
            if (!seen[import - index->files])
                order[count++] = import;
            seen[import - index->files] = true;
        }
    }
    file->closure_count = count;
    return ERR_OK;
}

struct err reflection_index_finish(struct reflection_index *index)
{
    for (size_t i = 0; i < index->file_count; i++)
        TRY(close_over(index, &index->files[i]));
    if (index->symbol_count > 0)
        qsort(index->symbols, index->symbol_count, sizeof *index->symbols, compare_symbols);
    if (index->extension_count > 0)
        qsort(index->extensions, index->extension_count, sizeof *index->extensions,
              compare_extensions);
    index->extension_numbers =
        arena_alloc(&index->arena, index->extension_count * sizeof *index->extension_numbers);
    if (index->extension_numbers == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < index->extension_count; i++)
        index->extension_numbers[i] = index->extensions[i].number;
    return ERR_OK;
}

/* ---- looking up ---- */

const struct reflection_file *reflection_find_file(const struct reflection_index *index,
                                                   const char *name)
{
    for (size_t i = 0; i < index->file_count; i++)
        if (strcmp(index->files[i].name, name) == 0)
            return &index->files[i];
    return NULL;
}

const struct reflection_file *reflection_find_symbol(const struct reflection_index *index,
                                                     const char *name)
{
    const struct reflection_symbol key = {.name = name};
    if (index->symbol_count == 0)
        return NULL;
    const struct reflection_symbol *found =
        bsearch(&key, index->symbols, index->symbol_count, sizeof key, compare_symbols);
    return found == NULL ? NULL : &index->files[found->file];
}

const struct reflection_file *reflection_find_extension(const struct reflection_index *index,
                                                        const char *extendee, int32_t number)
{
    const struct reflection_extension key = {.extendee = extendee, .number = number};
    if (index->extension_count == 0)
        return NULL;
    const struct reflection_extension *found =
        bsearch(&key, index->extensions, index->extension_count, sizeof key, compare_extensions);
    return found == NULL ? NULL : &index->files[found->file];
}

size_t reflection_extension_numbers(const struct reflection_index *index, const char *extendee,
                                    int32_t **ret_numbers)
{
    size_t first = 0;
    while (first < index->extension_count &&
           strcmp(index->extensions[first].extendee, extendee) < 0)
        first++;
    size_t end = first;
    while (end < index->extension_count && strcmp(index->extensions[end].extendee, extendee) == 0)
        end++;
    *ret_numbers = index->extension_numbers + first;
    return end - first;
}
