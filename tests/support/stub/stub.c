/* Stands in for the front and the keeper until both are here; then this file goes. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "server/front/front.h"

struct front {
    struct front_env *env;
    struct limits *limits;
    struct {
        struct hearth_loop *loop;
        struct inbox *inbox;
    } inboxes[8];
    size_t inbox_count;
};

struct keeper {
    int unused;
};

struct err keeper_open(const char *path, struct bytes domain, const struct clock *clock,
                       const struct rng *rng, struct keeper **ret_keeper)
{
    (void)path;
    (void)domain;
    (void)clock;
    (void)rng;
    *ret_keeper = calloc(1, sizeof **ret_keeper);
    return *ret_keeper == NULL ? ERR(NO_MEMORY) : ERR_OK;
}

void keeper_close(struct keeper *keeper)
{
    free(keeper);
}

struct err keeper_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                              uint8_t ret_key[KEEPER_KEY_BYTES])
{
    (void)keeper;
    memset(ret_key, 1 + (int)purpose, KEEPER_KEY_BYTES);
    return ERR_OK;
}

struct err front_new(struct front_env *env, const struct front_options *options,
                     struct front **ret_front)
{
    (void)options;
    struct front *front = calloc(1, sizeof *front);
    if (front == NULL)
        return ERR(NO_MEMORY);
    front->env = env;
    struct err err = limits_new(env->clock, env->rng, &front->limits);
    if (!err_is_ok(err)) {
        free(front);
        return err;
    }
    env->front = front;
    *ret_front = front;
    return ERR_OK;
}

void front_free(struct front *front)
{
    for (size_t i = 0; i < front->inbox_count; i++)
        inbox_free(front->inboxes[i].inbox);
    limits_free(front->limits);
    free(front);
}

static enum hearth_code on_headers(struct hearth_call *call, void *self)
{
    (void)self;
    struct front_caller *caller = hearth_call_alloc(call, sizeof *caller);
    if (caller == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    struct digest digest;
    hash_once(&hash_sha256, bytes_str(hearth_call_peer(call)), &digest);
    memcpy(&caller->principal, digest.data, sizeof caller->principal);
    hearth_call_set_caller(call, caller);
    return HEARTH_OK;
}

struct hearth_interceptor front_interceptor(struct front *front)
{
    return (struct hearth_interceptor){.on_headers = on_headers, .self = front};
}

const struct front_caller *front_caller(struct hearth_call *call)
{
    return hearth_call_caller(call);
}

struct limits *front_limits(struct front *front)
{
    return front->limits;
}

static bool post(void *self, void (*fn)(void *arg), void *arg)
{
    return hearth_loop_post(self, fn, arg);
}

struct err front_inbox(struct front *front, struct hearth_loop *loop, struct inbox **ret_inbox)
{
    for (size_t i = 0; i < front->inbox_count; i++) {
        if (front->inboxes[i].loop == loop) {
            *ret_inbox = front->inboxes[i].inbox;
            return ERR_OK;
        }
    }
    front->inboxes[front->inbox_count].loop = loop;
    TRY(inbox_new((struct store_post){post, loop}, ret_inbox));
    front->inboxes[front->inbox_count++].inbox = *ret_inbox;
    return ERR_OK;
}

enum hearth_code front_fail(struct hearth_call *call, struct err err)
{
    return hearth_call_fail(call, err_grpc_status(err), "%s", err_text(err));
}

enum hearth_code front_fail_detail(struct hearth_call *call, struct err err,
                                   const ProtobufCMessage *detail)
{
    return hearth_call_fail_detail(call, err_grpc_status(err), err_text(err), detail);
}
