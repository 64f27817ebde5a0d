/* Counters, gauges and histograms by row name (metrics.def), and those of calls by endpoint: the
 * names of go-grpc-middleware (grpc_server_started_total, grpc_server_handled_total,
 * grpc_server_handling_seconds). Labels are services, methods, codes and limits, never users,
 * groups or addresses.
 *
 * The page is the Prometheus text format, version 0.0.4. Everything here is an atomic addition:
 * any thread, no lock, no allocation after metrics_new().
 */
#ifndef FRONT_METRICS_H
#define FRONT_METRICS_H

#include "base/bytes.h"
#include "hearth/rpc.h"

enum metric {
#define METRIC_COUNTER(name, page_name, help) METRIC_##name,
#define METRIC_GAUGE(name, page_name, help)   METRIC_##name,
#define METRIC_TIMES(name, page_name, help)   METRIC_##name,
#include "server/front/metrics.def"
#undef METRIC_COUNTER
#undef METRIC_GAUGE
#undef METRIC_TIMES
    METRICS
};

struct metrics;
struct call_metrics; /* of one endpoint */

CHECKED struct err metrics_new(struct metrics **ret_metrics);
void metrics_free(struct metrics *metrics); /* NULL is fine */

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n);
void metrics_set(struct metrics *metrics, enum metric metric, uint64_t value);
void metrics_change(struct metrics *metrics, enum metric metric, int64_t by); /* gauges */
void metrics_time(struct metrics *metrics, enum metric metric, uint64_t us);
uint64_t metrics_value(const struct metrics *metrics, enum metric metric); /* TIMES: how many */

/* NULL when there are more endpoints than the table has room for; the others take NULL. */
struct call_metrics *metrics_endpoint(struct metrics *metrics,
                                      const struct hearth_endpoint *endpoint);
void call_metrics_begun(struct call_metrics *calls);
void call_metrics_ended(struct call_metrics *calls, enum hearth_code code, uint64_t us);

/* Appends all of it. */
void metrics_print(const struct metrics *metrics, struct buf *page);
/* Appends the head of one more metric, and a value of it; labels "" or "limit=\"X\"". type:
 * "counter", "gauge". */
void metrics_print_head(struct buf *page, const char *page_name, const char *type,
                        const char *help);
void metrics_print_value(struct buf *page, const char *page_name, const char *labels,
                         uint64_t value);
/* Every row but histograms, for the operator's status. */
void metrics_each(const struct metrics *metrics,
                  void (*say)(void *to, const char *page_name, uint64_t value), void *to);

#endif
