/* Decoding the request and checking names. */
#include "proto/plugin/request.h"

#include "pb/shape.h"
#include "proto/plugin/names.h"
#include "proto/plugin/plugin.h"
#include "proto/plugin/request_index.h"

/* protobuf-c's allocator on the arena: what one run decodes dies with it, whatever fails in
 * between. */
static void *arena_allocate(void *self, size_t len)
{
    return arena_alloc(self, len);
}

static void arena_release(void *self, void *memory)
{
    (void)self;
    (void)memory;
}

static bool option_is(struct bytes option, const char *text)
{
    return bytes_equal(option, bytes_str(text));
}

/* "policy=optional,docs=protocol" */
static CHECKED struct err read_options(const char *parameter, struct arena *arena,
                                       struct report *report, struct request_options *options)
{
    const char *at = parameter == NULL ? "" : parameter;
    while (*at != '\0') {
        size_t len = strcspn(at, ",");
        struct bytes option = bytes_of(at, len);
        at += len + (at[len] == ',' ? 1 : 0);
        if (len == 0 || option_is(option, "policy=required"))
            continue;
        if (option_is(option, "policy=optional")) {
            options->policy_optional = true;
        } else if (option.len > 5 && bytes_equal(bytes_of(option.data, 5), bytes_str("docs="))) {
            options->docs = arena_strndup(arena, (const char *)option.data + 5, option.len - 5);
            if (options->docs == NULL)
                return ERR(NO_MEMORY);
            if (!name_is_file(options->docs))
                report_add(report, "option", 0, "docs= must be a plain relative path");
        } else {
            report_add(report, "option", 0,
                       "knows policy=required, policy=optional and docs=FOLDER, not this option");
        }
    }
    return ERR_OK;
}

static bool identifier(const char *name, const struct proto_file *file, struct report *report)
{
    if (name != NULL && name_is_identifier(name))
        return true;
    report_add(report, file->proto->name, 0, "a name that is not an identifier of at most %d bytes",
               (int)PLUGIN_NAME_BYTES);
    return false;
}

static bool enum_names(const pb_enum *type, const struct proto_file *file, struct report *report)
{
    bool good = identifier(type->name, file, report);
    for (size_t i = 0; i < type->n_value && good; i++)
        good = identifier(type->value[i]->name, file, report);
    return good;
}

/* Depth is bounded by PLUGIN_DEPTH, which the bytes were held to. */
static bool message_names(const pb_message *type, const struct proto_file *file,
                          struct report *report)
{
    bool good = identifier(type->name, file, report);
    for (size_t i = 0; i < type->n_field && good; i++)
        good = identifier(type->field[i]->name, file, report);
    for (size_t i = 0; i < type->n_oneof_decl && good; i++)
        good = identifier(type->oneof_decl[i]->name, file, report);
    for (size_t i = 0; i < type->n_enum_type && good; i++)
        good = enum_names(type->enum_type[i], file, report);
    for (size_t i = 0; i < type->n_nested_type && good; i++)
        good = message_names(type->nested_type[i], file, report);
    return good;
}

static bool service_names(const pb_service *service, const struct proto_file *file,
                          struct report *report)
{
    bool good = identifier(service->name, file, report);
    for (size_t i = 0; i < service->n_method && good; i++)
        good = identifier(service->method[i]->name, file, report);
    return good;
}

static void check_names(struct proto_file *file, struct report *report)
{
    const pb_file *proto = file->proto;
    if (proto->package != NULL && !name_is_package(proto->package)) {
        report_add(report, proto->name, 0, "the package is not identifiers joined by dots");
        return;
    }
    bool good = true;
    for (size_t i = 0; i < proto->n_message_type && good; i++)
        good = message_names(proto->message_type[i], file, report);
    for (size_t i = 0; i < proto->n_enum_type && good; i++)
        good = enum_names(proto->enum_type[i], file, report);
    for (size_t i = 0; i < proto->n_service && good; i++)
        good = service_names(proto->service[i], file, report);
}

static CHECKED struct err read_files(const Google__Protobuf__Compiler__CodeGeneratorRequest *in,
                                     struct report *report, struct request *request)
{
    request->files = arena_alloc(request->arena, in->n_proto_file * sizeof *request->files);
    if (request->files == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < in->n_proto_file; i++) {
        struct proto_file *file = &request->files[i];
        file->proto = in->proto_file[i];
        if (file->proto->name == NULL || !name_is_file(file->proto->name)) {
            report_add(report, "request", 0,
                       "a file name with other than letters, digits and _-+./, or too long");
            return ERR_OK;
        }
        check_names(file, report);
    }
    request->file_count = in->n_proto_file;
    return ERR_OK;
}

static CHECKED struct err decode(struct bytes in, struct arena *arena,
                                 Google__Protobuf__Compiler__CodeGeneratorRequest **ret_decoded)
{
    if (in.len > PLUGIN_REQUEST_BYTES)
        return ERR(TOO_LARGE);
    if (!shape_fits(&google__protobuf__compiler__code_generator_request__descriptor, in,
                    PLUGIN_DEPTH))
        return ERR(WIRE_VALUE);
    ProtobufCAllocator allocator = {arena_allocate, arena_release, arena};
    *ret_decoded =
        google__protobuf__compiler__code_generator_request__unpack(&allocator, in.len, in.data);
    if (arena->overflow)
        return ERR(NO_MEMORY);
    return *ret_decoded == NULL ? ERR(WIRE_VALUE) : ERR_OK;
}

struct err request_read(struct bytes in, struct arena *arena, struct report *report,
                        struct request *ret_request)
{
    struct request request = {.arena = arena};
    Google__Protobuf__Compiler__CodeGeneratorRequest *decoded = NULL;
    TRY(decode(in, arena, &decoded));
    TRY(read_options(decoded->parameter, arena, report, &request.options));
    TRY(read_files(decoded, report, &request));
    if (report->count == 0) {
        TRY(index_types(&request));
        TRY(index_files(&request, decoded, report));
    }
    *ret_request = request;
    return ERR_OK;
}
