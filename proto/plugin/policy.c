/* The policy of an rpc: decoded from its options, defaults filled in, checked for sense. */
#include "proto/plugin/model.h"

enum {
    POLICY_OPTION = 50100,
    LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024,
    DEFAULT_MESSAGE_BYTES = 4 * 1024 * 1024, /* what other gRPC implementations take by default */
    CALLER_BITS = 32,                        /* hearth_endpoint.callers */
};

struct policy_place {
    const struct proto_file *file;
    const struct model_rpc *rpc;
    unsigned line;
    struct report *report;
};

static void refuse(const struct policy_place *place, const char *what)
{
    report_add(place->report, place->file->proto->name, place->line, "rpc %s: %s",
               place->rpc->proto->name, what);
}

static void check_callers(const struct policy_place *place, const Hearth__Policy *policy)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < policy->n_caller; i++) {
        int caller = (int)policy->caller[i];
        const ProtobufCEnumValue *known =
            protobuf_c_enum_descriptor_get_value(&hearth__caller__descriptor, caller);
        if (known == NULL || caller <= 0 || caller >= CALLER_BITS)
            refuse(place, "caller must name kinds of caller that hearth/options.proto knows");
        else if ((seen & UINT32_C(1) << caller) != 0)
            refuse(place, "a caller is named twice");
        else
            seen |= UINT32_C(1) << caller;
    }
}

static void check_bytes(const struct policy_place *place, const char *name, uint32_t bytes)
{
    if (bytes >= 1 && bytes <= LARGEST_MESSAGE_BYTES)
        return;
    report_add(place->report, place->file->proto->name, place->line,
               "rpc %s: %s must be 1 to %d bytes, is %u", place->rpc->proto->name, name,
               (int)LARGEST_MESSAGE_BYTES, (unsigned)bytes);
}

/* Protos that know nothing of Hearth get what any gRPC server would do. */
static void fill_defaults(struct model_rpc *rpc)
{
    Hearth__Policy *policy = &rpc->policy;
    if (!rpc->has_policy) {
        const Google__Protobuf__MethodOptions *options = rpc->proto->options;
        policy->compression = true;
        policy->idempotent =
            options != NULL && options->has_idempotency_level &&
            options->idempotency_level !=
                GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENCY_UNKNOWN;
    }
    if (policy->request_bytes == 0)
        policy->request_bytes = DEFAULT_MESSAGE_BYTES;
    if (policy->response_bytes == 0)
        policy->response_bytes = DEFAULT_MESSAGE_BYTES;
}

static CHECKED struct err decode(const struct model *model, const struct model_file *file,
                                 struct model_rpc *rpc, const struct policy_place *place)
{
    const Google__Protobuf__MethodOptions *options = rpc->proto->options;
    bool found = false;
    struct bytes value;
    hearth__policy__init(&rpc->policy);
    if (options == NULL || !file->file->knows_hearth)
        return ERR_OK;
    TRY(option_find(&options->base, POLICY_OPTION, model->request->arena, &found, &value));
    if (!found)
        return ERR_OK;
    /* The bytes live in the arena, the message in malloc'd memory of its own; the callers are
     * copied over. */
    Hearth__Policy *decoded = hearth__policy__unpack(NULL, value.len, value.data);
    if (decoded == NULL) {
        refuse(place, "the policy can't be decoded");
        return ERR_OK;
    }
    rpc->policy = *decoded;
    rpc->policy.base = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&hearth__policy__descriptor);
    rpc->policy.caller = arena_copy(model->request->arena, decoded->caller,
                                    decoded->n_caller * sizeof *decoded->caller);
    rpc->has_policy = true;
    hearth__policy__free_unpacked(decoded, NULL);
    return rpc->policy.caller == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

struct err policy_read(const struct model *model, const struct model_file *file,
                       struct model_rpc *rpc, const struct proto_path *path, struct report *report)
{
    struct proto_path option = *path;
    option.step[option.len++] = 4; /* MethodDescriptorProto.options */
    option.step[option.len++] = POLICY_OPTION;
    struct policy_place place = {file->file, rpc, file_line(file->file, option.step, option.len),
                                 report};
    TRY(decode(model, file, rpc, &place));
    Hearth__Policy *policy = &rpc->policy;
    if (!model->request->options.policy_optional) {
        if (!rpc->has_policy) {
            refuse(
                &place,
                "no (hearth.policy); the plugin takes policy=optional for protos that know nothing "
                "of Hearth");
            return ERR_OK;
        }
        if (policy->n_caller == 0)
            refuse(&place, "the policy names no caller");
    } else {
        fill_defaults(rpc);
    }
    check_callers(&place, policy);
    check_bytes(&place, "request_bytes", policy->request_bytes);
    check_bytes(&place, "response_bytes", policy->response_bytes);
    if (protobuf_c_enum_descriptor_get_value(&hearth__cost__descriptor, (int)policy->cost) == NULL)
        refuse(&place, "cost must be one that hearth/options.proto knows");
    return ERR_OK;
}
