/* hearthd admin user: counts, and one user by its id. No content and no social graph is there to be
 * shown. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hearth/v1/admin_rpc.h"
#include "seal/names.h"
#include "server/main/admin_client.h"
#include "server/main/admin_verbs.h"

#define USAGE "hearthd admin user [show|suspend|resume|delete ID]"

/* As reports and clients write it: 32 digits, with or without @domain. */
static bool read_id(const char *text, uint8_t ret_id[UUID_BYTES])
{
    size_t len = strcspn(text, "@");
    if (len != 2 * (size_t)UUID_BYTES || strspn(text, "0123456789abcdefABCDEF") != len)
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        unsigned byte = 0;
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        if (sscanf(digits, "%2x", &byte) != 1)
            return false;
        ret_id[i] = (uint8_t)byte;
    }
    return true;
}

static int count(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__GetStatisticsRequest request = HEARTH__V1__GET_STATISTICS_REQUEST__INIT;
    Hearth__V1__GetStatisticsResponse *answer = NULL;
    struct hearth_status status = {0};
    if (hearth_admin_get_statistics(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    for (size_t i = 0; i < answer->n_counts; i++) {
        const Hearth__V1__Metric *m = answer->counts[i];
        if (in->json)
            printf("%s\"%s\":%" PRIu64, i == 0 ? "{" : ",", m->name, m->value);
        else
            printf("%-20s %" PRIu64 "\n", m->name, m->value);
    }
    if (in->json)
        printf("}\n");
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int show(const struct invocation *in, struct hearth_channel *channel,
                ProtobufCBinaryData user_id)
{
    Hearth__V1__ShowUserRequest request = HEARTH__V1__SHOW_USER_REQUEST__INIT;
    Hearth__V1__ShowUserResponse *answer = NULL;
    struct hearth_status status = {0};
    char seen[16] = "never";
    request.user_id = user_id;
    if (hearth_admin_show_user(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    const uint32_t month = answer->last_seen_month;
    if (month > 0)
        (void)snprintf(seen, sizeof seen, "%04" PRIu32 "-%02" PRIu32, 1970 + month / 12,
                       month % 12 + 1);
    if (in->json)
        printf("{\"clients\":%" PRIu32 ",\"last_seen\":\"%s\",\"suspended\":%s}\n", answer->clients,
               seen, answer->suspended ? "true" : "false");
    else
        printf("clients    %" PRIu32 "\nlast seen  %s\nsuspended  %s\n", answer->clients, seen,
               answer->suspended ? "yes" : "no");
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int suspend(const struct invocation *in, struct hearth_channel *channel,
                   ProtobufCBinaryData user_id, bool suspended)
{
    Hearth__V1__SuspendUserRequest request = HEARTH__V1__SUSPEND_USER_REQUEST__INIT;
    Hearth__V1__SuspendUserResponse *answer = NULL;
    struct hearth_status status = {0};
    request.user_id = user_id;
    request.suspended = suspended;
    if (hearth_admin_suspend_user(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int delete_it(const struct invocation *in, struct hearth_channel *channel,
                     ProtobufCBinaryData user_id)
{
    Hearth__V1__RemoveUserRequest request = HEARTH__V1__REMOVE_USER_REQUEST__INIT;
    Hearth__V1__RemoveUserResponse *answer = NULL;
    struct hearth_status status = {0};
    request.user_id = user_id;
    if (hearth_admin_remove_user(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

int admin_user(const struct invocation *in, struct hearth_channel *channel)
{
    uint8_t id[UUID_BYTES];
    if (in->argc == 1)
        return count(in, channel);
    const char *verb = in->argv[1];
    if (in->argc != 3 || !read_id(in->argv[2], id)) {
        (void)command_fail(USAGE, "which user? ID is the 32 digits of a user id");
        return EXIT_USAGE;
    }
    const ProtobufCBinaryData user_id = {sizeof id, id};
    if (strcmp(verb, "show") == 0)
        return show(in, channel, user_id);
    if (strcmp(verb, "suspend") == 0 || strcmp(verb, "resume") == 0)
        return suspend(in, channel, user_id, verb[0] == 's');
    if (strcmp(verb, "delete") == 0)
        return delete_it(in, channel, user_id);
    (void)command_fail(USAGE, "there is no verb \"%s\"", verb);
    return EXIT_USAGE;
}
