/* The rows of the rpcs, each defined in the file that bears its name. */
#ifndef SERVER_DELIVERY_RPCS_H
#define SERVER_DELIVERY_RPCS_H

#include "server/delivery/request.h"

extern const struct request_row create_group_row;
extern const struct request_row get_welcome_info_row;
extern const struct request_row get_external_commit_info_row;
extern const struct request_row join_connection_row;
extern const struct request_row refuse_connection_row;
extern const struct request_row commit_row;
extern const struct request_row resync_row;
extern const struct request_row propose_self_remove_row;
extern const struct request_row send_message_row;
extern const struct request_row send_targeted_message_row;
extern const struct request_row update_queue_reference_row;
extern const struct request_row update_profile_key_row;
extern const struct request_row replace_group_info_row;
extern const struct request_row report_fault_row;
extern const struct request_row delete_group_row;

/* The one that needs neither state nor store. */
enum hearth_code reserve_group_id(struct delivery *d, struct hearth_call *call,
                                  Hearth__V1__ReserveGroupIdResponse *out);

/* The two fields that every message with a group and an idempotency id has, by its type. */
#define REQUEST_FIELDS(Type)                                                         \
    static const Hearth__V1__GroupAccess *group_of(const ProtobufCMessage *in)       \
    {                                                                                \
        return ((const Type *)in)->group;                                            \
    }                                                                                \
    static const Hearth__V1__Idempotency *idempotency_of(const ProtobufCMessage *in) \
    {                                                                                \
        return ((const Type *)in)->idempotency;                                      \
    }

#endif
