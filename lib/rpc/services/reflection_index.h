/* Inside of reflection.c: which file declares which name. */
#ifndef RPC_SERVICES_REFLECTION_INDEX_H
#define RPC_SERVICES_REFLECTION_INDEX_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"

struct reflection_file {
    const char *name;
    ProtobufCBinaryData bytes; /* FileDescriptorProto */
    const char **imports;
    size_t import_count;
    ProtobufCBinaryData *closure; /* this file, then all its imports, direct or not */
    size_t closure_count;
};

struct reflection_symbol {
    const char *name; /* "package.Type.field" */
    size_t file;
};

struct reflection_extension {
    const char *extendee; /* full name, no leading dot */
    int32_t number;
    size_t file;
};

/* Lists grow while files are added; the index is then made by finishing. All lives in the arena. */
struct reflection_index {
    struct arena arena;
    struct reflection_file *files;
    size_t file_count, file_cap;
    struct reflection_symbol *symbols; /* sorted by name */
    size_t symbol_count, symbol_cap;
    struct reflection_extension *extensions; /* sorted by extendee and number */
    size_t extension_count, extension_cap;
    int32_t *extension_numbers; /* of the extensions, in their order */
};

/* Adds the files of a serialised FileDescriptorSet that aren't there yet. ERR_WIRE_VALUE,
 * ERR_NO_MEMORY. */
CHECKED struct err reflection_index_add(struct reflection_index *index, struct bytes set);
/* Sorts, and works out the closures. ERR_WIRE_VALUE: an import is missing. */
CHECKED struct err reflection_index_finish(struct reflection_index *index);

/* NULL where there is none. */
const struct reflection_file *reflection_find_file(const struct reflection_index *index,
                                                   const char *name);
const struct reflection_file *reflection_find_symbol(const struct reflection_index *index,
                                                     const char *name);
const struct reflection_file *reflection_find_extension(const struct reflection_index *index,
                                                        const char *extendee, int32_t number);
/* The numbers of all extensions of a message, in *ret_numbers (borrowed). */
size_t reflection_extension_numbers(const struct reflection_index *index, const char *extendee,
                                    int32_t **ret_numbers);

#endif
