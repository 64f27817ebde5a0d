/* A batch of a homeserver that we do not know. Nobody is looked up because he says so: only when
 * his batch has a reference that one of our queues made, which that queue's owner gave away for
 * this. Then his keys are fetched, and he comes again. Everything else is answered like a wrong
 * signature. */
#include <stdlib.h>

#include "server/federation/inside.h"

struct vouching {
    struct federation *federation;
    struct hearth_call *call; /* NULL: cancelled */
    size_t domain_len;
    char domain[DOMAIN_MAX_BYTES];
};

struct err federation_introduce(struct federation *f, struct bytes domain, struct bytes why)
{
    uint32_t seconds;
    TRY(limit_take(front_limits(f->env->front), LIMIT_STRANGERS, why, 1, &seconds));
    struct err err = ERR(FEDERATION_BUSY);
    federation_lock(f);
    struct peer *peer = policy_admits(f->policy, domain) ? peer_get(f, domain) : NULL;
    if (peer != NULL) {
        peer_want_keys(peer);
        peer_put(peer);
        err = ERR(FEDERATION_KEYS);
    }
    federation_unlock(f);
    return err;
}

static void on_vouched(void *arg, struct err result)
{
    struct vouching *v = arg;
    if (err_is_ok(result))
        result =
            federation_introduce(v->federation, bytes_of(v->domain, v->domain_len), bytes_str(""));
    bool ours = err_class_of(result) == ERR_CLASS_OURS;
    bool known = result.code == ERR_FEDERATION_KEYS || result.code == ERR_FEDERATION_BUSY;
    if (v->call != NULL && (known || ours))
        (void)front_fail_later(v->call, result, 1);
    else if (v->call != NULL)
        (void)front_fail(v->call, ERR(FRONT_UNAUTHENTICATED));
    free(v);
}

static void on_cancel(struct hearth_call *call, void *arg)
{
    struct vouching *v = arg;
    v->call = NULL;
    (void)hearth_call_fail(call, HEARTH_CANCELLED, "cancelled");
}

enum hearth_code stranger_deliver(struct federation *f, struct hearth_call *call,
                                  const Hearth__V1__DeliverRequest *in)
{
    const struct front_caller *caller = front_caller(call);
    struct inbox *inbox = NULL;
    enum hearth_code code = front_limit(call, LIMIT_STRANGERS_PREFIX, caller->source, 1);
    if (code != HEARTH_OK)
        return code;
    front_verify_dummy(); /* as long as a wrong signature takes */
    struct vouching *v = caller->id.len <= DOMAIN_MAX_BYTES ? calloc(1, sizeof *v) : NULL;
    if (v == NULL)
        return front_fail(call, ERR(FRONT_UNAUTHENTICATED));
    v->federation = f;
    v->call = call;
    v->domain_len = caller->id.len;
    memcpy(v->domain, caller->id.data, v->domain_len);
    struct bytes ref =
        bytes_of(in->rows[0]->sealed_reference.data, in->rows[0]->sealed_reference.len);
    struct err err = front_inbox(f->env->front, hearth_call_loop(call), &inbox);
    if (err_is_ok(err)) {
        hearth_call_on_cancel(call, on_cancel, v);
        err = queue_vouch(f->options.queue, caller->id, ref, inbox, on_vouched, v);
    }
    if (err_is_ok(err))
        return HEARTH_LATER;
    free(v);
    return front_fail(call, err.code == ERR_NOT_FOUND ? ERR(FRONT_UNAUTHENTICATED) : err);
}
