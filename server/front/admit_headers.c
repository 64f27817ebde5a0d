/* Admission before a body byte is here: client version, overload, limits of the source. */
#include "hearth/v1/common.pb-c.h"
#include "server/front/inside.h"

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
    bool passes = is_known(p) || (rung == FRONT_GUARDED && admission_signs(callers) && !peer);
    if (passes)
        return HEARTH_OK;
    metrics_add(p->front->metrics, METRIC_REFUSED_OVERLOAD, 1);
    /* more patience the higher the rung, so that not all come back at once */
    return front_fail_later(p->call, ERR(FRONT_OVERLOAD), 2U << rung);
}

struct bytes admission_claimed(const struct admission *p)
{
    return bytes_of(&p->claimed, sizeof p->claimed);
}

struct err admission_take(struct admission *p, enum limit limit, struct bytes principal,
                          uint32_t cost, uint32_t *ret_seconds)
{
    struct err err = limit_take(p->front->limits, limit, principal, cost, ret_seconds);
    return err.code == ERR_FRONT_OVERLOAD && frees_resources(p->path) ? ERR_OK : err;
}

/* The source pays. A neighbour of an attacker's that was here before pays for itself when the
 * source has nothing left; both can be emptied only by who shares the source and knows the id. */
static struct err take_from_source(struct admission *p, enum limit limit, uint32_t cost,
                                   uint32_t *ret_seconds)
{
    struct err err = admission_take(p, limit, p->caller.source, cost, ret_seconds);
    if (!err_is_ok(err) && is_known(p))
        err = admission_take(p, limit, admission_claimed(p), cost, ret_seconds);
    return err;
}

enum hearth_code admission_refuse_limit(struct admission *p, struct err err, uint32_t seconds)
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
    if (!admission_signs(callers)) {
        err = admission_take(p, LIMIT_ANONYMOUS_PREFIX, p->caller.source,
                             rung >= FRONT_CAREFUL ? 2 : 1, &seconds);
    } else {
        err = take_from_source(p, LIMIT_FAILED_AUTH_PREFIX, 0, &seconds);
        if (err_is_ok(err) && (callers & UNVERIFIED_KINDS) != 0)
            err = take_from_source(p, LIMIT_UNVERIFIED_PREFIX, 1, &seconds);
    }
    return err_is_ok(err) ? HEARTH_OK : admission_refuse_limit(p, err, seconds);
}

/* A signature covers the body, so a body must be there whole before it is known whose it is. Only
 * so many of them may be in one source's hands. */
static enum hearth_code limit_large(struct admission *p)
{
    if (hearth_call_endpoint(p->call)->request_bytes <= FRONT_LARGE_BYTES ||
        p->front->options.control)
        return HEARTH_OK;
    _Atomic uint32_t *slot = &p->front->large[p->caller.principal % FRONT_LARGE_SLOTS];
    if (atomic_fetch_add(slot, 1) >= limit_value(p->front->limits, LIMIT_LARGE_CALLS_PREFIX)) {
        atomic_fetch_sub(slot, 1);
        return admission_refuse_limit(p, ERR(LIMIT), 1);
    }
    p->large = slot;
    return HEARTH_OK;
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

enum hearth_code admission_on_headers(struct hearth_call *call, void *self)
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
    if (code == HEARTH_OK)
        code = limit_large(p);
    if (code == HEARTH_OK && (hearth_call_endpoint(call)->shape & HEARTH_CLIENT_STREAM) != 0)
        load_silent(p);
    return code;
}
