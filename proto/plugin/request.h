/* The decoded request. All names in it are identifiers, all file names are plain relative paths,
 * nesting is bounded: later stages put them into C and Markdown without looking again. Comments and
 * defaults are not checked: text.h makes those harmless. Everything lives in the arena.
 */
#ifndef PROTO_PLUGIN_REQUEST_H
#define PROTO_PLUGIN_REQUEST_H

#include "base/arena.h"
#include "base/bytes.h"
#include "google/protobuf/compiler/plugin.pb-c.h"
#include "proto/plugin/report.h"

typedef Google__Protobuf__FileDescriptorProto pb_file;
typedef Google__Protobuf__DescriptorProto pb_message;
typedef Google__Protobuf__EnumDescriptorProto pb_enum;
typedef Google__Protobuf__FieldDescriptorProto pb_field;
typedef Google__Protobuf__ServiceDescriptorProto pb_service;
typedef Google__Protobuf__MethodDescriptorProto pb_method;
typedef Google__Protobuf__SourceCodeInfo__Location pb_location;

/* --hearth_out=OPTION,OPTION...:DIR */
struct request_options {
    bool policy_optional; /* policy=optional */
    const char *docs;     /* docs=FOLDER: write pages there, and no code; NULL: code */
};

/* Where a thing stands in its file: the path of descriptor.proto's SourceCodeInfo.Location. */
struct proto_path {
    int32_t step[2 * 48 + 8];
    size_t len;
};

struct proto_file {
    const pb_file *proto;
    size_t *imports; /* indices of files, direct */
    size_t import_count;
    bool generate;
    bool knows_hearth;             /* hearth/options.proto is among its imports, direct or not */
    const pb_location **locations; /* sorted by path */
    size_t location_count;
};

/* A message or an enum. */
struct proto_type {
    const char *full_name; /* "package.Outer.Inner", no leading dot */
    const struct proto_file *file;
    const pb_message *message;  /* or NULL */
    const pb_enum *enumeration; /* or NULL */
    int32_t *path;
    size_t path_len;
};

struct request {
    struct request_options options;
    struct proto_file *files;
    size_t file_count;
    struct proto_type *types; /* sorted by full name */
    size_t type_count;
    struct arena *arena;
};

/* Refusals (names, files, options) go into the report; the request is then not to be used further.
 */
CHECKED struct err request_read(struct bytes in, struct arena *arena, struct report *report,
                                struct request *ret_request);

/* By the name of a field or rpc, with or without the leading dot; NULL if there is none. */
const struct proto_type *request_type(const struct request *request, const char *name);

/* The place of a path in its file, or of the nearest thing around it: line counts from 1, 0 where
 * the request has no source information. */
unsigned file_line(const struct proto_file *file, const int32_t *path, size_t len);
/* The comment above (else behind) the thing at exactly this path; NULL if there is none. */
const char *file_comment(const struct proto_file *file, const int32_t *path, size_t len);

/* The indices of a file and all its imports, imports first, in *ret_indices (arena). */
CHECKED struct err request_closure(const struct request *request, const struct proto_file *file,
                                   size_t **ret_indices, size_t *ret_count);

#endif
