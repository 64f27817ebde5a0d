/* google.rpc.Status in grpc-status-details-bin, read. */
#include "google/rpc/status.pb-c.h"
#include "hearth/rpc.h"
#include "pb/shape.h"

#include <string.h>

static bool is_of_type(const Google__Protobuf__Any *any, const ProtobufCMessageDescriptor *type)
{
    const char *slash = any->type_url != NULL ? strrchr(any->type_url, '/') : NULL;
    return slash != NULL && strcmp(slash + 1, type->name) == 0;
}

ProtobufCMessage *hearth_status_find(const struct hearth_status *status,
                                     const ProtobufCMessageDescriptor *type)
{
    if (status->details == NULL)
        return NULL;
    Google__Rpc__Status *outer =
        google__rpc__status__unpack(NULL, status->details_len, status->details);
    if (outer == NULL)
        return NULL;
    ProtobufCMessage *found = NULL;
    for (size_t i = 0; i < outer->n_details && found == NULL; i++) {
        const ProtobufCBinaryData *value = &outer->details[i]->value;
        if (is_of_type(outer->details[i], type) &&
            shape_fits(type, bytes_of(value->data, value->len), SHAPE_DEPTH))
            found = protobuf_c_message_unpack(type, NULL, value->len, value->data);
    }
    google__rpc__status__free_unpacked(outer, NULL);
    return found;
}
