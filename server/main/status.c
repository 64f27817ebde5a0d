/* hearthd status: what the running homeserver is doing, from its own numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "hearth/v1/admin_rpc.h"
#include "server/main/admin_client.h"

static void print_json(const Hearth__V1__GetStatusResponse *s)
{
    printf("{\"domain\":\"%s\",\"uptime_s\":%" PRIu64 ",\"draining\":%s", s->domain, s->uptime_s,
           s->draining ? "true" : "false");
    for (size_t i = 0; i < s->n_metrics; i++)
        printf(",\"%s\":%" PRIu64, s->metrics[i]->name, s->metrics[i]->value);
    printf("}\n");
}

static void print_text(const Hearth__V1__GetStatusResponse *s)
{
    printf("%-32s %s\n%-32s %" PRIu64 " s\n%-32s %s\n", "domain", s->domain, "running for",
           s->uptime_s, "state", s->draining ? "draining" : "serving");
    for (size_t i = 0; i < s->n_metrics; i++)
        printf("%-32s %" PRIu64 "\n", s->metrics[i]->name, s->metrics[i]->value);
}

int command_status(const struct invocation *in)
{
    struct hearth_channel *channel = admin_client_open(in);
    if (channel == NULL)
        return EXIT_FAILED;
    Hearth__V1__GetStatusRequest request = HEARTH__V1__GET_STATUS_REQUEST__INIT;
    Hearth__V1__GetStatusResponse *answer = NULL;
    struct hearth_status status = {0};
    int code = EXIT_DONE;
    if (hearth_admin_get_status(channel, NULL, &request, &answer, &status) != HEARTH_OK) {
        code = admin_client_fail(in, &status);
    } else {
        if (in->json)
            print_json(answer);
        else
            print_text(answer);
        if (in->exit_code && answer->draining)
            code = EXIT_FAILED;
        protobuf_c_message_free_unpacked(&answer->base, NULL);
        hearth_status_clear(&status);
    }
    hearth_channel_free(channel);
    return code;
}
