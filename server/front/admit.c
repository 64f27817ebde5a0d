/* Admission at the first message, and the interceptor that every call passes (front.h). */
#include <stdlib.h>
#include <unistd.h>

#include "server/front/inside.h"

static void on_end(struct hearth_call *call, enum hearth_code code, void *self)
{
    struct front *front = self;
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL)
        return;
    load_heard(p);
    if (p->large != NULL)
        atomic_fetch_sub(p->large, 1);
    uint64_t now_us = clock_monotonic_us(front->env->clock);
    call_metrics_ended(p->metrics, code, now_us - p->begun_us);
    if (code == HEARTH_OK && p->heard_us != 0)
        price_note_call(front, hearth_call_endpoint(call), now_us - p->heard_us, now_us);
    metrics_change(front->metrics, METRIC_CALLS, -1);
    load_call_ended(p->at);
}

/* ---- at the first message ---- */

static bool is_operator(const struct hearth_call *call)
{
    int64_t uid = hearth_call_peer_uid(call);
    return uid == 0 || (uid > 0 && uid == (int64_t)geteuid());
}

static enum hearth_code refuse(struct admission *p)
{
    p->wrong = true;
    return front_fail(p->call, ERR(FRONT_UNAUTHENTICATED));
}

static bool in_time(const struct admission *p)
{
    const struct front *front = p->front;
    uint64_t now_ms = clock_unix_ms(front->env->clock), then_ms = p->auth.time_ms;
    uint64_t window_ms = limit_value(front->limits, LIMIT_AUTH_WINDOW_S) * 1000;
    uint64_t off_ms = now_ms > then_ms ? now_ms - then_ms : then_ms - now_ms;
    /* before we began its nonce may have been seen by who was here before us; a clock that was set
     * back since then must not keep everybody out */
    bool ours = then_ms >= front->began_ms || now_ms < front->began_ms;
    return off_ms <= window_ms && ours;
}

/* All that can be told without a key. */
static bool is_wrong(const struct admission *p, uint32_t callers)
{
    return (callers & SIGNED_KINDS & 1U << p->auth.kind) == 0 ||
           !bytes_equal(p->auth.audience, bytes_str(p->front->env->domain)) || !in_time(p);
}

static enum hearth_code admit_unsigned(struct admission *p)
{
    p->admitted = true;
    p->caller.kind = 0;
    p->caller.id = bytes_of(NULL, 0);
    metrics_add(p->front->metrics, METRIC_ADMITTED_UNSIGNED, 1);
    return HEARTH_OK;
}

static enum hearth_code admit_unverified(struct admission *p)
{
    p->admitted = true;
    metrics_add(p->front->metrics, METRIC_ADMITTED_UNVERIFIED, 1);
    return HEARTH_OK;
}

/* The signature holds. */
static enum hearth_code admit_signed(struct admission *p)
{
    uint32_t seconds = 0;
    p->caller.principal = p->claimed;
    struct err err = admission_take(p, LIMIT_SIGNED_PRINCIPAL, admission_claimed(p), 1, &seconds);
    if (!err_is_ok(err))
        return admission_refuse_limit(p, err, seconds);
    p->admitted = true;
    metrics_add(p->front->metrics, METRIC_ADMITTED_SIGNED, 1);
    return HEARTH_OK;
}

enum hearth_code front_admit_verified(struct hearth_call *call)
{
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL || !p->caller.verified)
        return front_fail(call, ERR(FRONT_UNAUTHENTICATED));
    return p->front->options.control ? HEARTH_OK : admit_signed(p);
}

static void tell_failed(const struct admission *p)
{
    const struct front_key_source *source = &p->front->sources[p->auth.kind];
    if (source->failed != NULL)
        source->failed(source->self, p->auth.kind, p->auth.id);
}

static enum hearth_code decide(struct admission *p, const struct sig_alg *alg,
                               struct bytes public_key)
{
    struct err err = ERR(FRONT_UNAUTHENTICATED);
    if (public_key.len == 0)
        pending_verify_dummy(p);
    else
        err = pending_verify(p, alg, public_key);
    if (err_is_ok(err))
        return admit_signed(p);
    if (err.code != ERR_FRONT_UNAUTHENTICATED)
        return front_fail(p->call, err);
    if (public_key.len > 0 && !p->wrong)
        tell_failed(p);
    return refuse(p);
}

static struct front_pending *make_pending(struct admission *p)
{
    struct front_pending *pending = malloc(sizeof *pending);
    if (pending != NULL)
        *pending =
            (struct front_pending){p, hearth_call_loop(p->call), hearth_call_endpoint(p->call)};
    return pending;
}

static enum hearth_code admit_with_auth(struct admission *p, uint32_t callers)
{
    if (!p->auth_ok) {
        pending_verify_dummy(p);
        return refuse(p);
    }
    p->wrong = is_wrong(p, callers);
    const struct front_key_source *source = &p->front->sources[p->auth.kind];
    bool by_handler = (1U << p->auth.kind & UNVERIFIED_KINDS) != 0;
    if (by_handler && !p->wrong)
        return admit_unverified(p);
    if (by_handler || source->find == NULL)
        return decide(p, NULL, bytes_of(NULL, 0));
    /* also when something is wrong: the look-up is part of what it costs */
    p->pending = make_pending(p);
    if (p->pending == NULL)
        return front_fail(p->call, ERR(NO_MEMORY));
    source->find(source->self, p->pending, p->auth.kind, p->auth.id);
    return HEARTH_LATER;
}

/* Control runs: who says to be somebody is. */
static enum hearth_code admit_all(struct admission *p)
{
    p->admitted = true;
    p->caller.verified = p->auth_ok;
    if (p->auth_ok)
        p->caller.principal = p->claimed;
    return HEARTH_OK;
}

static enum hearth_code admit(struct admission *p, const uint8_t *bytes, size_t len)
{
    uint32_t callers = hearth_call_endpoint(p->call)->callers;
    struct digest digest;
    hash_once(&hash_sha256, bytes_of(bytes, len), &digest);
    memcpy(p->caller.body_hash, digest.data, REQUEST_BODY_HASH_BYTES);
    if (p->front->options.control)
        return admit_all(p);
    if (callers == 0) /* no policy: health and reflection, which ask nobody who they are */
        return admit_unsigned(p);
    if (p->has_auth)
        return admit_with_auth(p, callers);
    if ((callers & OPERATOR) != 0 && is_operator(p->call))
        return admit_unsigned(p);
    if ((callers & ~(uint32_t)(SIGNED_KINDS | OPERATOR)) != 0)
        return admit_unsigned(p);
    pending_verify_dummy(p);
    return refuse(p);
}

static enum hearth_code on_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self)
{
    (void)self;
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL)
        return HEARTH_INTERNAL;
    if (number > 0)
        return HEARTH_OK;
    load_heard(p);
    p->heard_us = clock_monotonic_us(p->front->env->clock);
    return admit(p, bytes, len);
}

/* A stream that ends without a message. */
static enum hearth_code on_half_close(struct hearth_call *call, size_t messages, void *self)
{
    (void)self;
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (messages > 0)
        return HEARTH_OK;
    if (p == NULL)
        return HEARTH_INTERNAL;
    if (!p->front->options.control &&
        (p->has_auth || admission_signs(hearth_call_endpoint(call)->callers)))
        return refuse(p);
    return admit(p, NULL, 0);
}

/* ---- what came of the look-up ---- */

/* The call, if it is still there; the handle is gone. */
static struct admission *end_look_up(struct front_pending *pending)
{
    struct admission *p = pending->admission;
    if (p != NULL)
        p->pending = NULL;
    bytes_wipe(pending, sizeof *pending); /* ME4 */
    free(pending);
    return p;
}

void front_key(struct front_pending *pending, const struct sig_alg *alg, struct bytes public_key)
{
    struct admission *p = end_look_up(pending);
    if (p != NULL)
        hearth_call_continue(p->call, decide(p, alg, public_key));
}

void front_key_failed(struct front_pending *pending, struct err err)
{
    struct admission *p = end_look_up(pending);
    if (p == NULL)
        return;
    pending_verify_dummy(p);
    hearth_call_continue(p->call, p->wrong ? refuse(p) : front_fail(p->call, err));
}

void front_key_later(struct front_pending *pending)
{
    struct admission *p = end_look_up(pending);
    if (p != NULL)
        hearth_call_continue(p->call,
                             p->wrong ? decide(p, NULL, bytes_of(NULL, 0)) : admit_unverified(p));
}

/* Nothing is verified for a call that nobody waits for, and no nonce used up. */
static void on_cancel(struct hearth_call *call, void *self)
{
    (void)self;
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL)
        return;
    load_heard(p);
    if (p->pending == NULL)
        return;
    p->pending->admission = NULL;
    p->pending = NULL;
    hearth_call_continue(call, HEARTH_CANCELLED);
}

struct hearth_loop *front_pending_loop(const struct front_pending *pending)
{
    return pending->loop;
}

const struct hearth_endpoint *front_pending_endpoint(const struct front_pending *pending)
{
    return pending->endpoint;
}

struct hearth_interceptor front_interceptor(struct front *front)
{
    return (struct hearth_interceptor){.on_headers = admission_on_headers,
                                       .on_message = on_message,
                                       .on_end = on_end,
                                       .on_half_close = on_half_close,
                                       .on_cancel = on_cancel,
                                       .on_answer = receipt_on_answer,
                                       .self = front};
}

const struct front_caller *front_caller(struct hearth_call *call)
{
    static const struct front_caller nobody;
    const struct admission *p = hearth_call_caller(call);
    return p != NULL ? &p->caller : &nobody;
}
