/* hearthd check DOMAIN: the way to another homeserver, as this one would go it; beside a running
 * server or without. */
#include <stdio.h>
#include <string.h>

#include "hearth/v1/admin_rpc.h"
#include "seal/names.h"
#include "server/main/admin_client.h"
#include "server/main/command.h"
#include "server/main/node_inside.h"

enum { ASK_MS = 5000 };

struct said {
    unsigned doubts, faults;
};

static void say(void *to, enum federation_finding finding, const char *step, const char *text)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    struct said *said = to;
    said->doubts += finding == FEDERATION_DOUBT;
    said->faults += finding == FEDERATION_FAULT;
    printf("%-5s %-12s %s\n", words[finding], step, text);
    (void)fflush(stdout);
}

/* What the running homeserver knows of it: who has other keys than before is somebody else to it,
 * however good they are. */
static void ask_server(const struct invocation *in, const char *domain, struct said *said,
                       uint8_t root[CREDENTIAL_FINGERPRINT_BYTES], struct bytes *ret_known)
{
    Hearth__V1__ListPeersRequest request;
    Hearth__V1__ListPeersResponse *answer = NULL;
    struct hearth_status status = {.code = HEARTH_OK};
    const struct hearth_call_options call = {.deadline_ms = ASK_MS};
    struct hearth_channel *channel = admin_client_open(in);
    if (channel == NULL)
        return;
    hearth__v1__list_peers_request__init(&request);
    request.domain = (char *)(uintptr_t)domain;
    if (hearth_admin_list_peers(channel, &call, &request, &answer, &status) == HEARTH_OK) {
        if (answer->n_peers == 1 && answer->peers[0]->root.len == CREDENTIAL_FINGERPRINT_BYTES) {
            memcpy(root, answer->peers[0]->root.data, CREDENTIAL_FINGERPRINT_BYTES);
            *ret_known = bytes_of(root, CREDENTIAL_FINGERPRINT_BYTES);
        }
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    } else {
        say(said, FEDERATION_DOUBT, "server", "none runs here: the other one can't get back to us");
    }
    hearth_status_clear(&status);
    hearth_channel_free(channel);
}

static int walk(const struct invocation *in, const struct folder *folder,
                const struct config *config, const char *domain)
{
    char path[FOLDER_PATH_MAX];
    struct federation_texts texts;
    struct federation_options options;
    struct said said = {0, 0};
    uint8_t root[CREDENTIAL_FINGERPRINT_BYTES];
    struct front_env env = {.domain = config->server_domain,
                            .development = config->server_development,
                            .clock = &clock_system,
                            .rng = &rng_system};
    if (!folder_keyring(folder, config->keeper_keys, path) ||
        node_federation_options(folder, config, &texts, &options).code != ERR_NONE)
        return command_fail(NULL, "the path of the folder is too long");
    struct err err = keeper_open(path, bytes_str(env.domain), env.clock, env.rng, &env.keeper);
    if (err.code != ERR_NONE)
        return command_fail("hearthd check", "%s: %s", path, err_text(err));
    ask_server(in, domain, &said, root, &options.known_root);
    federation_check(&env, &options, domain, say, &said);
    keeper_close(env.keeper);
    printf("%u warnings, %u faults\n", said.doubts, said.faults);
    return said.faults > 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_check_peer(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    if (command_open(in, &folder, &config).code != ERR_NONE)
        return EXIT_FAILED;
    if (domain_check(bytes_str(in->argv[0]), config.server_development).code != ERR_NONE) {
        (void)command_fail("hearthd check example.org", "\"%s\" is not a domain name", in->argv[0]);
        return EXIT_USAGE;
    }
    return walk(in, &folder, &config, in->argv[0]);
}
