/* refuse-user, refuse-tokens, refuse-member: calls of one sort are forbidden, whoever makes them
 * (DoS11, DoS13, DoS14). refuse-owners: the log does not show what it had before.
 * Receipts are given all the same: the code that signs them is untouched. */
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/delivery_rpc.h"
#include "malicious/malice.h"
#include "tlog/prove.h"

bool __real_hearth_server_add_auth(struct hearth_server *server,
                                   const struct hearth_auth_service *impl, void *self);
bool __wrap_hearth_server_add_auth(struct hearth_server *server,
                                   const struct hearth_auth_service *impl, void *self);
bool __real_hearth_server_add_delivery(struct hearth_server *server,
                                       const struct hearth_delivery_service *impl, void *self);
bool __wrap_hearth_server_add_delivery(struct hearth_server *server,
                                       const struct hearth_delivery_service *impl, void *self);

struct err __real_kt_prove_owner(const struct kt_source *source,
                                 const struct owner_request *request, struct buf *b);
struct err __wrap_kt_prove_owner(const struct kt_source *source,
                                 const struct owner_request *request, struct buf *b);

static const struct hearth_auth_service *honest_auth;
static struct hearth_auth_service auth;
static const struct hearth_delivery_service *honest_delivery;
static struct hearth_delivery_service delivery;

#define REFUSED(word, service, name, Type)                                                        \
    static enum hearth_code name(struct hearth_call *call, const Hearth__V1__##Type##Request *in, \
                                 Hearth__V1__##Type##Response *out, void *self)                   \
    {                                                                                             \
        return malice_on(word) ? HEARTH_PERMISSION_DENIED                                         \
                               : honest_##service->name(call, in, out, self);                     \
    }
REFUSED("refuse-user", auth, add_client, AddClient)
REFUSED("refuse-tokens", auth, issue_tokens, IssueTokens)
REFUSED("refuse-member", delivery, send_message, SendMessage)

struct err __wrap_kt_prove_owner(const struct kt_source *source,
                                 const struct owner_request *request, struct buf *b)
{
    return malice_on("refuse-owners") ? ERR(TLOG_GONE) : __real_kt_prove_owner(source, request, b);
}

bool __wrap_hearth_server_add_auth(struct hearth_server *server,
                                   const struct hearth_auth_service *impl, void *self)
{
    honest_auth = impl;
    auth = *impl;
    auth.add_client = add_client;
    auth.issue_tokens = issue_tokens;
    return __real_hearth_server_add_auth(server, &auth, self);
}

bool __wrap_hearth_server_add_delivery(struct hearth_server *server,
                                       const struct hearth_delivery_service *impl, void *self)
{
    honest_delivery = impl;
    delivery = *impl;
    delivery.send_message = send_message;
    return __real_hearth_server_add_delivery(server, &delivery, self);
}
