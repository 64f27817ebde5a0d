/* hearthd endpoints: every row of every service, the whole attack surface on one page. */
#include <inttypes.h>
#include <stdio.h>

#include "hearth/v1/admin_rpc.h"
#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/auth_rpc.h"
#include "hearth/v1/delivery_rpc.h"
#include "hearth/v1/federation_rpc.h"
#include "hearth/v1/info_rpc.h"
#include "hearth/v1/queue_rpc.h"
#include "hearth/v1/relay_rpc.h"
#include "hearth/v1/transparency_rpc.h"
#include "server/main/command.h"

static const struct hearth_service *const services[] = {
    &hearth_info_descriptor,       &hearth_auth_descriptor,         &hearth_queue_descriptor,
    &hearth_delivery_descriptor,   &hearth_attachment_descriptor,   &hearth_relay_descriptor,
    &hearth_federation_descriptor, &hearth_transparency_descriptor, &hearth_admin_descriptor,
};
enum { SERVICES = sizeof services / sizeof services[0] };

/* hearth.Caller and hearth.Cost of options.proto, as the design names them. */
static const char *const callers[] = {
    "",       "none",       "client",  "handle",   "queue-user", "queue-client",  "member",
    "joiner", "homeserver", "witness", "operator", "ear",        "contact-token", "capability"};
static const char *const costs[] = {"-", "low", "mid", "high", "by-size"};
enum { COSTS = sizeof costs / sizeof costs[0] };
static const char *const shapes[] = {"unary", "client stream", "server stream", "both stream"};

static void caller_text(uint32_t bits, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 1; i < sizeof callers / sizeof callers[0]; i++) {
        if ((bits & HEARTH_CALLER_BIT(i)) == 0)
            continue;
        int wrote = snprintf(out + len, size - len, "%s%s", len > 0 ? "," : "", callers[i]);
        len += wrote > 0 ? (size_t)wrote : 0;
        if (len >= size)
            return;
    }
}

static void print_text(const struct hearth_endpoint *e)
{
    char who[128];
    caller_text(e->callers, who, sizeof who);
    printf("%-54s %-13s %-24s %-8s %9" PRIu32 " %9" PRIu32 " %7" PRIu32 "%s%s\n", e->path,
           shapes[e->shape], who, e->cost < COSTS ? costs[e->cost] : "?", e->request_bytes,
           e->response_bytes, e->deadline_ms, e->idempotent ? "  idempotent" : "",
           e->federated ? "  federated" : "");
}

static void print_json(const struct hearth_endpoint *e)
{
    char who[128];
    caller_text(e->callers, who, sizeof who);
    printf("{\"path\":\"%s\",\"shape\":\"%s\",\"callers\":\"%s\",\"cost\":\"%s\",\"request_bytes\":"
           "%" PRIu32 ",\"response_bytes\":%" PRIu32 ",\"deadline_ms\":%" PRIu32
           ",\"idempotent\":%s,\"federated\":%s}\n",
           e->path, shapes[e->shape], who, e->cost < COSTS ? costs[e->cost] : "?", e->request_bytes,
           e->response_bytes, e->deadline_ms, e->idempotent ? "true" : "false",
           e->federated ? "true" : "false");
}

int command_endpoints(const struct invocation *in)
{
    if (!in->json)
        printf("%-54s %-13s %-24s %-8s %9s %9s %7s\n", "endpoint", "shape", "caller", "tokens",
               "request B", "answer B", "most ms");
    for (size_t s = 0; s < SERVICES; s++) {
        for (size_t i = 0; i < services[s]->endpoint_count; i++) {
            if (in->json)
                print_json(&services[s]->endpoints[i]);
            else
                print_text(&services[s]->endpoints[i]);
        }
    }
    return EXIT_DONE;
}
