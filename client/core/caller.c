/* Who calls. */
#include <stdio.h>

#include "client/core/task.h"

static struct err set(const struct account *a, struct task_call *call, enum request_caller kind,
                      struct bytes id, const struct sig_key *key, const char *purpose)
{
    if (key->alg == NULL)
        return ERR(WRONG_STATE); /* not registered */
    (void)snprintf(call->domain, sizeof call->domain, "%s", a->domain);
    core_purpose(purpose, bytes_of(NULL, 0), call->purpose);
    call->anonymous = false;
    call->caller = kind;
    buf_clear(&call->caller_id);
    buf_append_bytes(&call->caller_id, id);
    TRY(buf_check(&call->caller_id));
    sig_key_clear(&call->caller_key);
    return sig_key_init(key->alg, secret_view(&key->private_key), &call->caller_key);
}

struct err call_as_queue_client(const struct account *a, struct task_call *call)
{
    return set(a, call, REQUEST_QUEUE_CLIENT,
               bytes_of(a->queue_client_id, sizeof a->queue_client_id), &a->queue_client_key,
               "queue");
}

struct err call_as_queue_user(const struct account *a, struct task_call *call)
{
    return set(a, call, REQUEST_QUEUE_USER,
               bytes_of(a->user.queue_user_id, sizeof a->user.queue_user_id),
               &a->user.queue_user_key, "queue");
}

struct err call_as_client(const struct account *a, struct task_call *call)
{
    return set(a, call, REQUEST_CLIENT, buf_view(&a->client_id), &a->client_key, "account");
}
