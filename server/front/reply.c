/* Answers to what went wrong, by its row in err.def: the one place that decides status, text,
 * details and log line. */
#include <stdio.h>

#include "hearth/v1/common.pb-c.h"
#include "server/front/inside.h"

static struct front *front_of(struct hearth_call *call)
{
    const struct admission *p = hearth_call_caller(call);
    return p != NULL ? p->front : NULL;
}

/* ---- logs ---- */

static bool may_log(struct front *front)
{
    uint64_t second = clock_monotonic_us(front->env->clock) / 1000000;
    (void)pthread_mutex_lock(&front->lock);
    if (front->log_second != second) {
        front->log_second = second;
        front->log_lines = 0;
    }
    bool may = front->log_lines < FRONT_LOGS_PER_S;
    front->log_lines += may;
    (void)pthread_mutex_unlock(&front->lock);
    return may;
}

void front_log(struct front *front, const char *line)
{
    if (front->options.log == NULL)
        return;
    if (may_log(front))
        front->options.log(front->options.log_self, line);
    else
        metrics_add(front->metrics, METRIC_LOGS_DROPPED, 1);
}

/* What a caller did wrong is counted and not written down: whoever can make a server write can make
 * it write for ever, and what it did is nobody's business. */
static void account(struct hearth_call *call, struct err err)
{
    struct front *front = front_of(call);
    char line[200];
    if (front == NULL)
        return;
    switch (err_class_of(err)) {
    case ERR_CLASS_CALLER:
        metrics_add(front->metrics, METRIC_ERRORS_CALLER, 1);
        return;
    case ERR_CLASS_LATER:
        metrics_add(front->metrics, METRIC_ERRORS_LATER, 1);
        return;
    case ERR_CLASS_PEER:
        metrics_add(front->metrics, METRIC_ERRORS_PEER, 1);
        break;
    case ERR_CLASS_NONE:
    case ERR_CLASS_OURS:
        metrics_add(front->metrics, METRIC_ERRORS_OURS, 1);
        break;
    }
    const char *level = err_class_of(err) == ERR_CLASS_PEER ? "warn" : "error";
    (void)snprintf(line, sizeof line, "level=%s event=call_failed err=%s method=%.100s", level,
                   err_name(err), hearth_call_endpoint(call)->path);
    front_log(front, line);
}

/* ---- answers ---- */

/* Wrong signatures cost their source, wherever they were found out. */
static void charge_wrong_auth(struct hearth_call *call)
{
    const struct admission *p = hearth_call_caller(call);
    if (p == NULL)
        return;
    metrics_add(p->front->metrics, METRIC_REFUSED_AUTH, 1);
    struct bytes claimed = bytes_of(&p->claimed, sizeof p->claimed);
    struct limits *limits = p->front->limits;
    /* it is refused anyway, so what these say does not matter */
    struct err err = limit_take(limits, LIMIT_FAILED_AUTH_PREFIX, p->caller.source, 1, NULL);
    if (p->auth_ok && front_is_known(p->front, p->claimed))
        err = limit_take(limits, LIMIT_FAILED_AUTH_PREFIX, claimed, 1, NULL);
    (void)err;
}

static enum hearth_code code_of(struct err err)
{
    int code = err_grpc_status(err);
    return code == 0 ? HEARTH_INTERNAL : (enum hearth_code)code;
}

/* Our own faults are ours to know. */
static const char *text_of(struct err err)
{
    enum err_class class = err_class_of(err);
    return class == ERR_CLASS_OURS || class == ERR_CLASS_NONE ? "the server failed" : err_text(err);
}

enum hearth_code front_fail_detail(struct hearth_call *call, struct err err,
                                   const ProtobufCMessage *detail)
{
    if (err.code == ERR_FRONT_UNAUTHENTICATED)
        charge_wrong_auth(call);
    account(call, err);
    if (detail == NULL)
        return hearth_call_fail(call, code_of(err), "%s", text_of(err));
    return hearth_call_fail_detail(call, code_of(err), text_of(err), detail);
}

enum hearth_code front_fail_later(struct hearth_call *call, struct err err, uint32_t seconds)
{
    Hearth__V1__RetryAfter detail;
    hearth__v1__retry_after__init(&detail);
    detail.seconds = seconds;
    return front_fail_detail(call, err, &detail.base);
}

enum hearth_code front_fail(struct hearth_call *call, struct err err)
{
    return err_retry(err) ? front_fail_later(call, err, 1) : front_fail_detail(call, err, NULL);
}

enum hearth_code front_limit(struct hearth_call *call, enum limit limit, struct bytes principal,
                             uint32_t cost)
{
    struct front *front = front_of(call);
    uint32_t seconds = 0;
    if (front == NULL)
        return HEARTH_OK;
    struct err err = limit_take(front->limits, limit, principal, cost, &seconds);
    if (err_is_ok(err))
        return HEARTH_OK;
    if (seconds != LIMIT_RETRY_NEVER)
        return front_fail_later(call, err, seconds);
    Hearth__V1__QuotaExceeded detail;
    hearth__v1__quota_exceeded__init(&detail);
    detail.what = hearth_call_printf(call, "%s", limit_row(limit)->name);
    detail.limit = limit_value(front->limits, limit);
    return front_fail_detail(call, ERR(QUOTA), detail.what != NULL ? &detail.base : NULL);
}
