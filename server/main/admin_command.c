/* hearthd admin VERB: asks the running homeserver. */
#include <stdio.h>
#include <string.h>

#include "hearth/v1/admin_rpc.h"
#include "server/main/admin_client.h"
#include "server/main/admin_verbs.h"

static int invite(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__InviteRequest request = HEARTH__V1__INVITE_REQUEST__INIT;
    Hearth__V1__InviteResponse *answer = NULL;
    struct hearth_status status = {0};
    request.count = in->count;
    request.days = in->days > 365 ? 365 : in->days;
    if (hearth_admin_invite(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    for (size_t i = 0; i < answer->n_invitations; i++)
        printf("%s\n", answer->invitations[i]);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int reload(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__ReloadRequest request = HEARTH__V1__RELOAD_REQUEST__INIT;
    Hearth__V1__ReloadResponse *answer = NULL;
    struct hearth_status status = {0};
    if (hearth_admin_reload(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    for (size_t i = 0; i < answer->n_changed; i++)
        printf("changed        %s\n", answer->changed[i]);
    for (size_t i = 0; i < answer->n_needs_restart; i++)
        printf("needs restart  %s\n", answer->needs_restart[i]);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static int drain(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__DrainRequest request = HEARTH__V1__DRAIN_REQUEST__INIT;
    Hearth__V1__DrainResponse *answer = NULL;
    struct hearth_status status = {0};
    if (hearth_admin_drain(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

static const struct {
    const char *word;
    Hearth__V1__RotateKeyUse use;
} keys[] = {
    {"signing", HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_AS_SIGNING},
    {"queue", HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_QUEUE_SEALING},
    {"federation", HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_FEDERATION},
    {"sender", HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_EXTERNAL_SENDER},
};

static int rotate(const struct invocation *in, struct hearth_channel *channel)
{
    Hearth__V1__RotateKeyRequest request = HEARTH__V1__ROTATE_KEY_REQUEST__INIT;
    Hearth__V1__RotateKeyResponse *answer = NULL;
    struct hearth_status status = {0};
    request.anyway = in->argc == 3 && strcmp(in->argv[2], "anyway") == 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if ((in->argc == 2 || request.anyway) && strcmp(in->argv[1], keys[i].word) == 0)
            request.use = keys[i].use;
    }
    if (request.use == HEARTH__V1__ROTATE_KEY_USE__ROTATE_KEY_USE_UNSPECIFIED) {
        (void)command_fail("hearthd admin keys signing|queue|federation|sender [anyway]",
                           "which key is to be replaced?");
        return EXIT_USAGE;
    }
    if (hearth_admin_rotate_key(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    for (size_t i = 0; i < answer->fingerprint.len; i++)
        printf("%02x", answer->fingerprint.data[i]);
    printf("\n");
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

enum { WORDS = 1 }; /* the verb takes words of its own */

static const struct {
    const char *word;
    int (*run)(const struct invocation *in, struct hearth_channel *channel);
    unsigned words;
} verbs[] = {{"invite", invite, 0},           {"user", admin_user, WORDS},
             {"report", admin_report, WORDS}, {"peer", admin_peer, WORDS},
             {"log", admin_log, 0},           {"keys", rotate, WORDS},
             {"reload", reload, 0},           {"drain", drain, 0}};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

int command_admin(const struct invocation *in)
{
    const char *names[VERBS + 1];
    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].word;
    names[VERBS] = NULL;
    for (size_t i = 0; in->argc > 0 && i < VERBS; i++) {
        if (strcmp(in->argv[0], verbs[i].word) != 0)
            continue;
        if (in->argc > 1 && verbs[i].words == 0) {
            (void)command_fail("hearthd admin invite --count N --days N",
                               "admin %s takes no \"%s\"", in->argv[0], in->argv[1]);
            return EXIT_USAGE;
        }
        struct hearth_channel *channel = admin_client_open(in);
        if (channel == NULL)
            return EXIT_FAILED;
        int code = verbs[i].run(in, channel);
        hearth_channel_free(channel);
        return code;
    }
    const char *near = in->argc > 0 ? config_nearest(in->argv[0], names) : NULL;
    (void)command_fail("hearthd admin invite|user|report|peer|log|keys|reload|drain", "%s%s%s%s",
                       in->argc > 0 ? "there is no verb \"" : "admin wants a verb",
                       in->argc > 0 ? in->argv[0] : "", in->argc > 0 ? "\"" : "",
                       near != NULL ? " (a slip of the finger?)" : "");
    return EXIT_USAGE;
}
