/* What the handlers of the mls_client service share. */
#ifndef TESTS_INTEROP_MLS_ANSWER_H
#define TESTS_INTEROP_MLS_ANSWER_H

#include "interop/mls/describe.h"
#include "interop/mls/party.h"

/* The end of a handler: OK, or the error's name and text. */
enum hearth_code answer(struct hearth_call *call, struct err err);
/* Copies into the call's memory. */
CHECKED struct err answer_bytes(struct hearth_call *call, struct bytes value,
                                ProtobufCBinaryData *ret_value);
/* The same, and clears the buffer. */
CHECKED struct err answer_buf(struct hearth_call *call, struct buf *b,
                              ProtobufCBinaryData *ret_value);
/* The party with a group; ERR_NOT_FOUND. */
CHECKED struct err answer_state(uint32_t id, struct party **ret_party);
/* The ratchet tree of the epoch it is in. */
CHECKED struct err answer_tree(struct hearth_call *call, const struct mls_group *g,
                               ProtobufCBinaryData *ret_tree);
CHECKED struct err answer_authenticator(struct hearth_call *call, const struct mls_group *g,
                                        ProtobufCBinaryData *ret_value);

#define ANSWER_ARGS(request, response) \
    struct hearth_call *call, const MlsClient__##request *in, MlsClient__##response *out

/* name(): the gRPC handler around name_do(), which returns a struct err. */
#define ANSWER_HANDLER(name, request, response)                              \
    static enum hearth_code name(ANSWER_ARGS(request, response), void *self) \
    {                                                                        \
        (void)self;                                                          \
        return answer(call, name##_do(call, in, out));                       \
    }

/* The parts of the service, one file each. */
void service_groups(struct mls_client_mlsclient_service *service);
void service_proposals(struct mls_client_mlsclient_service *service);
void service_commits(struct mls_client_mlsclient_service *service);
void service_successors(struct mls_client_mlsclient_service *service);
void service_outside(struct mls_client_mlsclient_service *service);

/* service_commits: a commit as the request says, pending. */
CHECKED struct err make_commit(ANSWER_ARGS(CommitRequest, CommitResponse));
CHECKED struct err take_commit(const MlsClient__HandleCommitRequest *in, struct party **ret_party);

#endif
