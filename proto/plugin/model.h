/* What is going to be written: services, rpcs, messages with their C names, policies and rules, all
 * found sensible. Everything lives in the request's arena and borrows from the request.
 */
#ifndef PROTO_PLUGIN_MODEL_H
#define PROTO_PLUGIN_MODEL_H

#include "hearth/options.pb-c.h"
#include "proto/plugin/request.h"

enum model_kind {
    KIND_SIGNED,
    KIND_UNSIGNED,
    KIND_FLOAT, /* and double */
    KIND_BOOL,
    KIND_ENUM,
    KIND_STRING,
    KIND_BYTES,
    KIND_MESSAGE,
};

struct model_message;

struct model_field {
    const pb_field *proto;
    const char *c_name;    /* struct member */
    const char *one_of;    /* its oneof, or NULL */
    const char *one_of_c;  /* the same in C, to which "_case" is added */
    const char *type_text; /* for people: "bytes", "repeated package.Type" */
    enum model_kind kind;
    uint64_t largest; /* numbers: that a rule can name and the type can hold */
    bool repeated;    /* maps too */
    bool is_map;
    bool has_presence;                   /* a scalar with a has_ member */
    const Hearth__Rule *rule;            /* or NULL */
    const struct model_message *message; /* KIND_MESSAGE; NULL otherwise */
    const struct proto_type *enumeration;
};

struct model_message {
    const struct proto_type *type;
    const char *c_type;   /* "Package__Type" */
    const char *c_symbol; /* "package__type" */
    const char *comment;  /* of the .proto, or NULL */
    struct model_field *fields;
    size_t field_count;
    bool checked; /* it or a message within it has rules: there is a C function that checks them */
    bool is_map_entry;
    bool recursive; /* it can hold messages without end: itself, or others that do */
};

enum model_shape { SHAPE_UNARY, SHAPE_CLIENT_STREAM, SHAPE_SERVER_STREAM, SHAPE_BIDI };

struct model_rpc {
    const pb_method *proto;
    const char *comment;
    const char *member; /* of the vtable */
    const char *fn;     /* "hearth_queue_listen" */
    enum model_shape shape;
    const struct model_message *in;
    const struct model_message *out;
    Hearth__Policy policy; /* defaults filled in */
    bool has_policy;
};

struct model_service {
    const pb_service *proto;
    const char *full_name; /* "package.Service" */
    const char *comment;
    const char *prefix; /* "hearth_queue" */
    const char *adder;  /* "hearth_server_add_queue" */
    struct model_rpc *rpcs;
    size_t rpc_count;
};

/* One file to generate. */
struct model_file {
    const struct proto_file *file;
    const char *base; /* path without ".proto" */
    const char *guard;
    const char *package;
    struct model_service *services;
    size_t service_count;
};

struct model {
    const struct request *request;
    struct model_message *messages; /* parallel to request->types; unused rows for enums */
    struct model_file *files;
    size_t file_count;
};

/* Refusals go into the report; the model is then not to be used. ERR_NO_MEMORY. */
CHECKED struct err model_build(const struct request *request, struct report *report,
                               struct model *ret_model);

/* ---- its parts ---- */

/* model_message.c: every message of the request, with rules. Refuses senseless rules in files to
 * generate. */
CHECKED struct err model_add_messages(struct model *model, struct report *report);
/* NULL if the request has no message of that name. */
const struct model_message *model_find(const struct model *model, const char *name);

/* model_service.c: the services of one file. */
CHECKED struct err model_add_services(struct model *model, struct model_file *file,
                                      struct report *report);

/* policy.c: the policy of an rpc, and what is wrong with it. path is the rpc's. */
CHECKED struct err policy_read(const struct model *model, const struct model_file *file,
                               struct model_rpc *rpc, const struct proto_path *path,
                               struct report *report);
/* rule.c: the rule of a field into field->rule, and what is wrong with it; report may be NULL.
 * path: the field's */
CHECKED struct err rule_read(const struct model *model, const struct proto_file *file,
                             struct model_field *field, const struct proto_path *path,
                             struct report *report);

/* option.c: the bytes of an extension in a message of options, all occurrences joined (protobuf
 * merges them). Length 0 and *ret_found false when it isn't there. */
CHECKED struct err option_find(const ProtobufCMessage *options, uint32_t number,
                               struct arena *arena, bool *ret_found, struct bytes *ret_value);

/* option.c: a (pb_c_file), (pb_c_msg) or (pb_c_field) option: they change the names and types that
 * protoc-c chooses. */
CHECKED struct err option_is_protobuf_c(const ProtobufCMessage *options, struct arena *arena,
                                        bool *ret_is);

/* symbols.c: C names that the files of one run define; a name that two things want is refused. */
CHECKED struct err symbols_check(const struct model *model, struct report *report);

#endif
