/* Admission: the interceptor that every call passes (front.h). */
#include <stdlib.h>
#include <unistd.h>

#include "hearth/options.pb-c.h"
#include "hearth/v1/common.pb-c.h"
#include "server/front/inside.h"

enum {
    /* kinds of enum request_caller that sign */
    SIGNED_KINDS = 0x3fc,
    UNVERIFIED_KINDS = 1 << REQUEST_MEMBER | 1 << REQUEST_JOINER,
    OPERATOR = 1 << HEARTH__CALLER__CALLER_OPERATOR,
};

#define VERSION_METADATA "hearth-version"

/* Never shed, and let through where the table of limits is full: they free resources. */
static bool frees_resources(const char *path)
{
    static const char *const paths[] = {"/hearth.v1.Queue/Listen", "/hearth.v1.Queue/Dequeue",
                                        "/hearth.v1.Auth/ListenHandle"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return false;
}

static bool signs(uint32_t callers)
{
    return (callers & SIGNED_KINDS) != 0;
}

/* ---- at the headers ---- */

static enum hearth_code check_version(struct admission *p)
{
    const uint8_t *value;
    size_t len;
    uint64_t version = 0, oldest = limit_value(p->front->limits, LIMIT_CLIENT_VERSION_OLDEST),
             newest = limit_value(p->front->limits, LIMIT_CLIENT_VERSION_NEWEST);
    bool readable = true;
    if (hearth_call_metadata(p->call, VERSION_METADATA, 0, &value, &len)) {
        readable = len > 0 && len <= 10;
        for (size_t i = 0; i < len && readable; i++) {
            readable = value[i] >= '0' && value[i] <= '9';
            version = version * 10 + (value[i] - (unsigned)'0');
        }
    }
    if (readable && version >= oldest && version <= newest)
        return HEARTH_OK;
    Hearth__V1__VersionUnsupported detail;
    hearth__v1__version_unsupported__init(&detail);
    detail.oldest = (uint32_t)oldest;
    detail.newest = (uint32_t)newest;
    metrics_add(p->front->metrics, METRIC_REFUSED_VERSION, 1);
    return front_fail_detail(p->call, ERR(FRONT_VERSION), &detail.base);
}

/* Nothing is decided by what is wrong here: the first message brings the answer. */
static void read_auth(struct admission *p)
{
    const uint8_t *value, *second;
    size_t len, second_len;
    p->has_auth = hearth_call_metadata(p->call, REQUEST_AUTH_METADATA, 0, &value, &len);
    if (!p->has_auth)
        return;
    p->auth_ok = err_is_ok(request_auth_parse(bytes_of(value, len), &p->auth)) &&
                 !hearth_call_metadata(p->call, REQUEST_AUTH_METADATA, 1, &second, &second_len);
    if (!p->auth_ok)
        return;
    p->caller.kind = p->auth.kind;
    p->caller.id = p->auth.id;
    p->claimed = front_principal(p->front, (uint8_t)p->auth.kind, p->auth.id);
}

static bool is_known(const struct admission *p)
{
    return p->auth_ok && front_is_known(p->front, p->claimed);
}

static enum hearth_code shed(struct admission *p, uint32_t callers)
{
    unsigned rung = load_rung(p->at);
    if (rung < FRONT_GUARDED || p->front->options.control || frees_resources(p->path))
        return HEARTH_OK;
    bool peer = (callers & 1 << REQUEST_HOMESERVER) != 0;
    bool passes = is_known(p) || (rung == FRONT_GUARDED && signs(callers) && !peer);
    if (passes)
        return HEARTH_OK;
    metrics_add(p->front->metrics, METRIC_REFUSED_OVERLOAD, 1);
    /* more patience the higher the rung, so that not all come back at once */
    return front_fail_later(p->call, ERR(FRONT_OVERLOAD), 2U << rung);
}

static struct bytes claimed_of(const struct admission *p)
{
    return bytes_of(&p->claimed, sizeof p->claimed);
}

/* ERR_FRONT_OVERLOAD is that the table has no room: it fails closed, but for what frees. */
static struct err take(struct admission *p, enum limit limit, struct bytes principal, uint32_t cost,
                       uint32_t *ret_seconds)
{
    struct err err = limit_take(p->front->limits, limit, principal, cost, ret_seconds);
    return err.code == ERR_FRONT_OVERLOAD && frees_resources(p->path) ? ERR_OK : err;
}

/* The source pays. A neighbour of an attacker's that was here before pays for itself when the
 * source has nothing left; both can be emptied only by who shares the source and knows the id. */
static struct err take_from_source(struct admission *p, enum limit limit, uint32_t cost,
                                   uint32_t *ret_seconds)
{
    struct err err = take(p, limit, p->caller.source, cost, ret_seconds);
    if (!err_is_ok(err) && is_known(p))
        err = take(p, limit, claimed_of(p), cost, ret_seconds);
    return err;
}

static enum hearth_code refuse_limit(struct admission *p, struct err err, uint32_t seconds)
{
    metrics_add(p->front->metrics,
                err.code == ERR_LIMIT ? METRIC_REFUSED_LIMIT : METRIC_REFUSED_OVERLOAD, 1);
    return front_fail_later(p->call, err, seconds);
}

static enum hearth_code limit_source(struct admission *p, uint32_t callers)
{
    uint32_t seconds = 0;
    struct err err;
    unsigned rung = load_rung(p->at);
    if (!signs(callers)) {
        err = take(p, LIMIT_ANONYMOUS_PREFIX, p->caller.source, rung >= FRONT_CAREFUL ? 2 : 1,
                   &seconds);
    } else {
        err = take_from_source(p, LIMIT_FAILED_AUTH_PREFIX, 0, &seconds);
        if (err_is_ok(err) && (callers & UNVERIFIED_KINDS) != 0)
            err = take_from_source(p, LIMIT_UNVERIFIED_PREFIX, 1, &seconds);
    }
    return err_is_ok(err) ? HEARTH_OK : refuse_limit(p, err, seconds);
}

static void begin(struct admission *p, struct hearth_call *call, struct front *front)
{
    const struct hearth_endpoint *endpoint = hearth_call_endpoint(call);
    p->call = call;
    p->front = front;
    p->path = endpoint->path;
    p->begun_us = clock_monotonic_us(front->env->clock);
    p->metrics = metrics_endpoint(front->metrics, endpoint);
    size_t len = source_of(hearth_call_peer(call), front->options.prefix_bits_v4,
                           front->options.prefix_bits_v6, p->source);
    p->caller.source = bytes_of(p->source, len);
    p->caller.principal = front_principal(front, 0, p->caller.source);
    call_metrics_begun(p->metrics);
    metrics_change(front->metrics, METRIC_CALLS, 1);
    load_call_begun(p->at);
}

static enum hearth_code on_headers(struct hearth_call *call, void *self)
{
    struct front *front = self;
    struct admission *p = hearth_call_alloc(call, sizeof *p);
    struct front_loop *at = front_loop_of(front, hearth_call_loop(call));
    if (p == NULL || at == NULL)
        return hearth_call_fail(call, HEARTH_RESOURCE_EXHAUSTED, "out of memory");
    p->at = at;
    begin(p, call, front);
    hearth_call_set_caller(call, &p->caller);
    uint32_t callers = hearth_call_endpoint(call)->callers;
    enum hearth_code code = check_version(p);
    read_auth(p);
    if (code == HEARTH_OK)
        code = shed(p, callers);
    if (code == HEARTH_OK)
        code = limit_source(p, callers);
    return code;
}

static void on_end(struct hearth_call *call, enum hearth_code code, void *self)
{
    struct front *front = self;
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL)
        return;
    uint64_t now_us = clock_monotonic_us(front->env->clock);
    call_metrics_ended(p->metrics, code, now_us - p->begun_us);
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
    struct err err = take(p, LIMIT_SIGNED_PRINCIPAL, claimed_of(p), 1, &seconds);
    if (!err_is_ok(err))
        return refuse_limit(p, err, seconds);
    p->admitted = true;
    metrics_add(p->front->metrics, METRIC_ADMITTED_SIGNED, 1);
    return HEARTH_OK;
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
    return number == 0 ? admit(p, bytes, len) : HEARTH_OK;
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
    if (!p->front->options.control && (p->has_auth || signs(hearth_call_endpoint(call)->callers)))
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
    free(pending);
    return p;
}

void front_key(struct front_pending *pending, const struct sig_alg *alg, struct bytes public_key)
{
    struct admission *p = end_look_up(pending);
    if (p != NULL)
        hearth_call_continue(p->call, decide(p, alg, public_key));
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
    if (p == NULL || p->pending == NULL)
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
    return (struct hearth_interceptor){.on_headers = on_headers,
                                       .on_message = on_message,
                                       .on_end = on_end,
                                       .on_half_close = on_half_close,
                                       .on_cancel = on_cancel,
                                       .self = front};
}

const struct front_caller *front_caller(struct hearth_call *call)
{
    static const struct front_caller nobody;
    const struct admission *p = hearth_call_caller(call);
    return p != NULL ? &p->caller : &nobody;
}
