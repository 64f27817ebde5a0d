#include "rpc/services/reflection.h"

#include <stdlib.h>

#include "grpc/reflection/v1alpha/reflection_rpc.h"
#include "rpc/services/reflection_index.h"

enum { INDEX_BYTES = 64 * 1024 * 1024 };

typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;
typedef Grpc__Reflection__V1__ServiceResponse service_type;

struct reflection {
    struct reflection_index index;
    service_type **services; /* what list_services answers */
    size_t service_count;
    struct hearth_endpoint v1alpha_row;
    struct hearth_service v1alpha;
};

struct err reflection_new(struct reflection **ret_reflection)
{
    struct reflection *reflection = calloc(1, sizeof *reflection);
    if (reflection == NULL)
        return ERR(NO_MEMORY);
    arena_init(&reflection->index.arena, INDEX_BYTES);
    reflection->v1alpha_row = grpc_reflection_v1_server_reflection_descriptor.endpoints[0];
    reflection->v1alpha_row.path =
        grpc_reflection_v1alpha_server_reflection_descriptor.endpoints[0].path;
    reflection->v1alpha = grpc_reflection_v1alpha_server_reflection_descriptor;
    reflection->v1alpha.endpoints = &reflection->v1alpha_row;
    reflection->v1alpha.endpoint_count = 1;
    *ret_reflection = reflection;
    return ERR_OK;
}

void reflection_free(struct reflection *reflection)
{
    if (reflection == NULL)
        return;
    arena_clear(&reflection->index.arena);
    free(reflection);
}

const struct hearth_service *reflection_v1(const struct reflection *reflection)
{
    (void)reflection;
    return &grpc_reflection_v1_server_reflection_descriptor;
}

const struct hearth_service *reflection_v1alpha(const struct reflection *reflection)
{
    return &reflection->v1alpha;
}

static CHECKED struct err list_service(struct reflection *reflection, const char *name)
{
    struct arena *arena = &reflection->index.arena;
    service_type *service = arena_alloc(arena, sizeof *service);
    if (service == NULL)
        return ERR(NO_MEMORY);
    grpc__reflection__v1__service_response__init(service);
    service->name = arena_strndup(arena, name, strlen(name));
    reflection->services[reflection->service_count++] = service;
    return service->name == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

struct err reflection_index(struct reflection *reflection,
                            const struct hearth_service *const *services, size_t count)
{
    reflection->services =
        arena_alloc(&reflection->index.arena, count * sizeof *reflection->services);
    if (reflection->services == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < count; i++) {
        struct bytes set =
            bytes_of(services[i]->file_descriptors, services[i]->file_descriptors_len);
        TRY(reflection_index_add(&reflection->index, set));
        TRY(list_service(reflection, services[i]->name));
    }
    return reflection_index_finish(&reflection->index);
}

/* ---- answers; what they point to is the index's or the request's, so none allocates ---- */

union answer {
    Grpc__Reflection__V1__FileDescriptorResponse file;
    Grpc__Reflection__V1__ExtensionNumberResponse numbers;
    Grpc__Reflection__V1__ListServiceResponse list;
    Grpc__Reflection__V1__ErrorResponse error;
};

static void answer_error(response_type *response, union answer *answer)
{
    static char text[] = "not found";
    grpc__reflection__v1__error_response__init(&answer->error);
    answer->error.error_code = HEARTH_NOT_FOUND;
    answer->error.error_message = text;
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->error_response = &answer->error;
}

static void answer_file(response_type *response, union answer *answer,
                        const struct reflection_file *file)
{
    if (file == NULL) {
        answer_error(response, answer);
        return;
    }
    grpc__reflection__v1__file_descriptor_response__init(&answer->file);
    answer->file.file_descriptor_proto = file->closure;
    answer->file.n_file_descriptor_proto = file->closure_count;
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->file_descriptor_response = &answer->file;
}

static void answer_numbers(response_type *response, union answer *answer,
                           const struct reflection *reflection, char *type)
{
    if (reflection_find_symbol(&reflection->index, type) == NULL) {
        answer_error(response, answer);
        return;
    }
    grpc__reflection__v1__extension_number_response__init(&answer->numbers);
    answer->numbers.base_type_name = type;
    answer->numbers.n_extension_number =
        reflection_extension_numbers(&reflection->index, type, &answer->numbers.extension_number);
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response->all_extension_numbers_response = &answer->numbers;
}

static void answer_list(response_type *response, union answer *answer,
                        const struct reflection *reflection)
{
    grpc__reflection__v1__list_service_response__init(&answer->list);
    answer->list.service = reflection->services;
    answer->list.n_service = reflection->service_count;
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->list_services_response = &answer->list;
}

/* false: the request asks nothing that is known. */
static bool fill(response_type *response, union answer *answer, const struct reflection *reflection,
                 const request_type *in)
{
    const struct reflection_index *index = &reflection->index;
    switch (in->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_file(response, answer, reflection_find_file(index, in->file_by_filename));
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_file(response, answer, reflection_find_symbol(index, in->file_containing_symbol));
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        answer_file(response, answer,
                    reflection_find_extension(index, in->file_containing_extension->containing_type,
                                              in->file_containing_extension->extension_number));
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        answer_numbers(response, answer, reflection, in->all_extension_numbers_of_type);
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_list(response, answer, reflection);
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__NOT_SET:
    default:
        return false;
    }
}

static void go_on(struct hearth_call *call, void *arg)
{
    (void)arg;
    hearth_call_resume(call);
}

static enum hearth_code begin(struct hearth_call *call, void *self)
{
    (void)self;
    hearth_call_on_writable(call, go_on, NULL);
    return HEARTH_LATER;
}

static enum hearth_code info(struct hearth_call *call, const request_type *in, void *self)
{
    if (in == NULL)
        return HEARTH_OK;
    response_type response;
    union answer answer;
    request_type original = *in;
    grpc__reflection__v1__server_reflection_response__init(&response);
    if (!fill(&response, &answer, self, in))
        return hearth_call_fail(call, HEARTH_INVALID_ARGUMENT, "the request asks nothing");
    response.valid_host = in->host;
    response.original_request = &original;
    int room = grpc_reflection_v1_server_reflection_server_reflection_info_write(call, &response);
    if (room < 0)
        return HEARTH_CANCELLED;
    if (room == 0) /* who asks without reading the answers waits */
        hearth_call_pause(call);
    return HEARTH_LATER;
}

const struct grpc_reflection_v1_server_reflection_service reflection_impl = {
    .server_reflection_info = info,
    .server_reflection_info_open = begin,
};
