#include "server/front/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { COUNTER, GAUGE, TIMES };
enum { ENDPOINTS = 256, CODES = 17, TIME_BUCKETS = 13 };

static const struct {
    enum kind kind;
    const char *name, *help;
} rows[METRICS] = {
#define METRIC_COUNTER(name, page_name, help) {COUNTER, page_name, help},
#define METRIC_GAUGE(name, page_name, help)   {GAUGE, page_name, help},
#define METRIC_TIMES(name, page_name, help)   {TIMES, page_name, help},
#include "server/front/metrics.def"
#undef METRIC_COUNTER
#undef METRIC_GAUGE
#undef METRIC_TIMES
};

/* Upper bounds in microseconds and as they are printed. */
static const struct {
    uint64_t us;
    const char *text;
} bounds[TIME_BUCKETS] = {{250, "0.00025"}, {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
                          {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
                          {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {5000000, "5"},
                          {30000000, "30"}};

typedef _Atomic uint64_t number;

struct times {
    number buckets[TIME_BUCKETS + 1]; /* the last: longer than all */
    number sum_us;
};

struct call_metrics {
    _Atomic(const struct hearth_endpoint *) endpoint; /* NULL: free */
    number started;
    number handled[CODES];
    struct times times;
};

struct metrics {
    number values[METRICS];
    struct times times[METRICS]; /* of TIMES rows */
    struct call_metrics calls[ENDPOINTS];
};

static void bump(number *n, uint64_t by)
{
    atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static uint64_t get(const number *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

struct err metrics_new(struct metrics **ret_metrics)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return ERR(NO_MEMORY);
    *ret_metrics = metrics;
    return ERR_OK;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n)
{
    bump(&metrics->values[metric], n);
}

void metrics_set(struct metrics *metrics, enum metric metric, uint64_t value)
{
    atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

void metrics_change(struct metrics *metrics, enum metric metric, int64_t by)
{
    bump(&metrics->values[metric], (uint64_t)by); /* modulo 2^64 */
}

static void add_time(struct times *times, uint64_t us)
{
    size_t i = 0;
    while (i < TIME_BUCKETS && us > bounds[i].us)
        i++;
    bump(&times->buckets[i], 1);
    bump(&times->sum_us, us);
}

void metrics_time(struct metrics *metrics, enum metric metric, uint64_t us)
{
    add_time(&metrics->times[metric], us);
}

static uint64_t count_of(const struct times *times)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= TIME_BUCKETS; i++)
        count += get(&times->buckets[i]);
    return count;
}

uint64_t metrics_value(const struct metrics *metrics, enum metric metric)
{
    return rows[metric].kind == TIMES ? count_of(&metrics->times[metric])
                                      : get(&metrics->values[metric]);
}

/* ---- calls ---- */

struct call_metrics *metrics_endpoint(struct metrics *metrics,
                                      const struct hearth_endpoint *endpoint)
{
    size_t start = ((uintptr_t)endpoint >> 4) * 31 % ENDPOINTS;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct call_metrics *calls = &metrics->calls[(start + i) % ENDPOINTS];
        const struct hearth_endpoint *there = atomic_load(&calls->endpoint);
        if (there == NULL && atomic_compare_exchange_strong(&calls->endpoint, &there, endpoint))
            return calls;
        if (there == endpoint)
            return calls;
    }
    return NULL;
}

void call_metrics_begun(struct call_metrics *calls)
{
    if (calls != NULL)
        bump(&calls->started, 1);
}

void call_metrics_ended(struct call_metrics *calls, enum hearth_code code, uint64_t us)
{
    if (calls == NULL)
        return;
    bump(&calls->handled[code >= HEARTH_OK && (int)code < CODES ? (unsigned)code : HEARTH_UNKNOWN],
         1);
    add_time(&calls->times, us);
}

/* ---- the page ---- */

__attribute__((format(printf, 2, 3))) static void put(struct buf *page, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof line)
        buf_append(page, line, (size_t)len);
}

void metrics_print_head(struct buf *page, const char *page_name, const char *type, const char *help)
{
    put(page, "# HELP %s %s\n# TYPE %s %s\n", page_name, help, page_name, type);
}

void metrics_print_value(struct buf *page, const char *page_name, const char *labels,
                         uint64_t value)
{
    if (labels[0] != '\0')
        put(page, "%s{%s} %" PRIu64 "\n", page_name, labels, value);
    else
        put(page, "%s %" PRIu64 "\n", page_name, value);
}

/* labels: "" or ending in a comma. The buckets are read once, so that they grow and agree. */
static void print_times(struct buf *page, const char *name, const char *labels,
                        const struct times *times)
{
    uint64_t count = 0, sum_us = get(&times->sum_us);
    int len = (int)strlen(labels);
    for (size_t i = 0; i < TIME_BUCKETS; i++) {
        count += get(&times->buckets[i]);
        put(page, "%s_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i].text, count);
    }
    count += get(&times->buckets[TIME_BUCKETS]);
    put(page, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
    const char *open = len > 0 ? "{" : "", *close = len > 0 ? "}" : "";
    len = len > 0 ? len - 1 : 0;
    put(page, "%s_sum%s%.*s%s %" PRIu64 ".%06" PRIu64 "\n", name, open, len, labels, close,
        sum_us / 1000000, sum_us % 1000000);
    put(page, "%s_count%s%.*s%s %" PRIu64 "\n", name, open, len, labels, close, count);
}

/* grpc_type, grpc_service and grpc_method of "/package.Service/Method". */
static void labels_of(const struct hearth_endpoint *endpoint, char labels[320])
{
    static const char *const types[] = {"unary", "client_stream", "server_stream", "bidi_stream"};
    const char *service = endpoint->path + 1, *method = strchr(service, '/');
    int service_len = method != NULL ? (int)(method - service) : 0;
    (void)snprintf(labels, 320, "grpc_type=\"%s\",grpc_service=\"%.*s\",grpc_method=\"%.100s\",",
                   types[endpoint->shape & 3], service_len < 100 ? service_len : 100, service,
                   method != NULL ? method + 1 : "");
}

static void print_started(struct buf *page, const struct call_metrics *calls, const char *labels)
{
    put(page, "grpc_server_started_total{%.*s} %" PRIu64 "\n", (int)strlen(labels) - 1, labels,
        get(&calls->started));
}

static void print_handled(struct buf *page, const struct call_metrics *calls, const char *labels)
{
    for (int code = 0; code < CODES; code++) {
        uint64_t n = get(&calls->handled[code]);
        if (n > 0 || code == HEARTH_OK)
            put(page, "grpc_server_handled_total{%sgrpc_code=\"%s\"} %" PRIu64 "\n", labels,
                hearth_code_name((enum hearth_code)code), n);
    }
}

static void print_handling(struct buf *page, const struct call_metrics *calls, const char *labels)
{
    print_times(page, "grpc_server_handling_seconds", labels, &calls->times);
}

static void print_calls(const struct metrics *metrics, struct buf *page,
                        void (*print)(struct buf *, const struct call_metrics *, const char *))
{
    for (size_t i = 0; i < ENDPOINTS; i++) {
        char labels[320];
        const struct hearth_endpoint *endpoint = atomic_load(&metrics->calls[i].endpoint);
        if (endpoint == NULL)
            continue;
        labels_of(endpoint, labels);
        print(page, &metrics->calls[i], labels);
    }
}

void metrics_print(const struct metrics *metrics, struct buf *page)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (int i = 0; i < METRICS; i++) {
        metrics_print_head(page, rows[i].name, types[rows[i].kind], rows[i].help);
        if (rows[i].kind == TIMES)
            print_times(page, rows[i].name, "", &metrics->times[i]);
        else
            metrics_print_value(page, rows[i].name, "", get(&metrics->values[i]));
    }
    metrics_print_head(page, "grpc_server_started_total", "counter", "Calls begun.");
    print_calls(metrics, page, print_started);
    metrics_print_head(page, "grpc_server_handled_total", "counter", "Calls ended, by status.");
    print_calls(metrics, page, print_handled);
    metrics_print_head(page, "grpc_server_handling_seconds", "histogram",
                       "Time from a call's headers to its end.");
    print_calls(metrics, page, print_handling);
}

void metrics_each(const struct metrics *metrics,
                  void (*say)(void *to, const char *page_name, uint64_t value), void *to)
{
    for (int i = 0; i < METRICS; i++)
        if (rows[i].kind != TIMES)
            say(to, rows[i].name, get(&metrics->values[i]));
}
