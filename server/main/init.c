/* hearthd init: one command makes a working homeserver (F1). Overwrites nothing, asks nothing it
 * can find out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/tls_make.h"
#include "seal/names.h"
#include "server/keeper/keeper.h"
#include "server/main/command.h"
#include "server/main/node.h"

static void set_list(struct config_list *list, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count && i < CONFIG_LIST_MAX; i++)
        (void)snprintf(list->values[i], CONFIG_VALUE_MAX, "%s", values[i]);
    list->count = count;
}

static void raise_limit(struct config *config, const char *name, uint64_t value)
{
    struct config_limit *limit = &config->limits[config->limit_count];
    if (config->limit_count == CONFIG_LIMITS_MAX)
        return;
    config->limit_count++;
    (void)snprintf(limit->name, sizeof limit->name, "%s", name);
    limit->value = value;
}

/* In development everybody comes from one address: what bounds a source would bound all together.
 */
static void raise_source_limits(struct config *config)
{
    enum { FACTOR = 1000, PER_PREFIX = 4096, NEW_PER_S = 1000 };
    config->connections_per_prefix = PER_PREFIX;
    config->connections_new_per_s = NEW_PER_S;
#define LIMIT_ROW(name, unit, value, least, most, reason)
#define LIMIT_BUCKET(name, burst, per_hour, reason)                            \
    if (strstr(#name, "_PREFIX") != NULL || strstr(#name, "HANDLE") != NULL || \
        strcmp(#name, "REGISTER_ALL") == 0)                                    \
        raise_limit(config, #name, (uint64_t)FACTOR *(burst));
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
}

static void fill_config(const struct invocation *in, struct config *config)
{
    static const char *const local = "127.0.0.1:7443";
    config_defaults(config);
    (void)snprintf(config->server_domain, sizeof config->server_domain, "%s", in->domain);
    config->server_development = in->dev;
    if (in->dev)
        raise_source_limits(config);
    if (in->listen_count > 0)
        set_list(&config->server_listen, in->listen, in->listen_count);
    else if (in->dev)
        set_list(&config->server_listen, &local, 1);
    if (in->peer_count > 0)
        set_list(&config->federation_peer, in->peers, in->peer_count);
    if (in->dev) /* the CA that make_certificate() puts there */
        (void)snprintf(config->federation_ca, sizeof config->federation_ca, "%s",
                       "../hearth-dev-ca.pem");
    if (in->dev && in->peer_count > 0)
        (void)snprintf(config->federation_mode, sizeof config->federation_mode, "open");
}

static int write_config(const struct folder *folder, const struct config *config)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(folder, "hearthd.conf", path))
        return command_fail(NULL, "the path of the folder is too long");
    FILE *file = fopen(path, "wxe");
    if (file == NULL)
        return command_fail(errno == EEXIST ? "hearthd run --dir DIR, or another folder" : NULL,
                            "%s: %s", path, strerror(errno));
    (void)fputs("; hearthd config describe lists every setting\n", file);
    config_write(file, config, false);
    bool good = fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !good)
        return command_fail(NULL, "%s: %s", path, strerror(errno));
    printf("wrote   %s\n", path);
    return EXIT_DONE;
}

static int make_keys(const struct folder *folder, const struct config *config)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_keyring(folder, config->keeper_keys, path))
        return command_fail(NULL, "the path of the folder is too long");
    if (folder_make_parts(folder, config->keeper_keys).code != ERR_NONE)
        return command_fail(NULL, "%s: %s", folder->root, strerror(errno));
    struct err err =
        keeper_init(path, bytes_str(config->server_domain), &clock_system, &rng_system);
    if (err.code != ERR_NONE)
        return command_fail(NULL, "%s: %s", path, err_text(err));
    printf("made    keys/                          auth root and signing, sealing, federation, "
           "storage; mode 0400\n");
    return EXIT_DONE;
}

/* The CA lies beside the folder, so that homeservers next to each other share it. */
static int make_certificate(const struct invocation *in, const struct folder *folder,
                            const struct config *config)
{
    char ca[FOLDER_PATH_MAX], ca_key[FOLDER_PATH_MAX], certificate[FOLDER_PATH_MAX],
        key[FOLDER_PATH_MAX];
    if (!in->dev) {
        printf("note    put a certificate for %s at tls/certificate.pem and its key at tls/key.pem "
               "(mode 0400)\n",
               config->server_domain);
        return EXIT_DONE;
    }
    if (!folder_path(folder, "../hearth-dev-ca.pem", ca) ||
        !folder_path(folder, "../hearth-dev-ca.key", ca_key) ||
        !folder_path(folder, config->tls_certificate, certificate) ||
        !folder_path(folder, config->tls_key, key))
        return command_fail(NULL, "the path of the folder is too long");
    struct err err = tls_make_development(config->server_domain, ca, ca_key, certificate, key);
    if (err.code != ERR_NONE)
        return command_fail(NULL, "development certificate: %s", err_text(err));
    printf("made    certificate                    by the development CA beside the folder, "
           "hearth-dev-ca.pem\n");
    return EXIT_DONE;
}

static void print_invitation(void *to, const char *text)
{
    (void)to;
    printf("invite  %s   1 use, 7 days\n", text);
}

static int make_databases(const struct folder *folder, const struct config *config)
{
    char why[NODE_WHY_BYTES];
    struct node *node = NULL;
    struct err err = node_open(folder, config, why, &node);
    if (err.code != ERR_NONE)
        return command_fail(NULL, "%s", why);
    printf("made    databases                      auth, delivery, queue, attachment, kt\n");
    err = node_invite(node, 1, 7, print_invitation, NULL);
    node_close(node);
    if (err.code != ERR_NONE)
        return command_fail("hearthd check; all else is made: hearthd run, hearthd admin invite",
                            "first invitation: %s", err_text(err));
    return EXIT_DONE;
}

int command_init(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    if (in->domain == NULL || in->argc > 0) {
        (void)command_fail("hearthd init --domain example.org --dir DIR",
                           "init needs the domain of the homeserver, which is permanent");
        return EXIT_USAGE;
    }
    if (domain_check(bytes_str(in->domain), in->dev).code != ERR_NONE) {
        (void)command_fail(in->dev ? NULL : "for tests on one machine, names like a.test: --dev",
                           "\"%s\" is not a domain name in lower case", in->domain);
        return EXIT_USAGE;
    }
    if (folder_make(in->dir, &folder).code != ERR_NONE)
        return command_fail(NULL, "%s: %s", in->dir, strerror(errno));
    if (command_lock(&folder, NULL, "another hearthd works") != EXIT_DONE)
        return EXIT_FAILED;
    fill_config(in, &config);
    int code = write_config(&folder, &config);
    if (code == EXIT_DONE)
        code = make_keys(&folder, &config);
    if (code == EXIT_DONE)
        code = make_certificate(in, &folder, &config);
    if (code == EXIT_DONE)
        code = make_databases(&folder, &config);
    if (code == EXIT_DONE)
        printf(
            "note    %s is permanent: it is part of every address\nnext    hearthd run --dir %s\n",
            in->domain, in->dir);
    return code;
}
