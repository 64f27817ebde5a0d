/* What settings mean to the services, at the start and when they are read again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/main/node_inside.h"

enum auth_mode node_auth_mode(const struct config *config)
{
    if (strcmp(config->registration_mode, "open") == 0)
        return AUTH_OPEN;
    return strcmp(config->registration_mode, "closed") == 0 ? AUTH_CLOSED : AUTH_INVITE;
}

bool node_tokens(const struct config *config)
{
    return strcmp(config->tokens_mode, "on") == 0;
}

enum info_registration node_registration(const struct config *config)
{
    const enum auth_mode mode = node_auth_mode(config);
    return mode == AUTH_OPEN     ? INFO_REGISTRATION_OPEN
           : mode == AUTH_CLOSED ? INFO_REGISTRATION_CLOSED
                                 : INFO_REGISTRATION_INVITE;
}

struct notifier_options node_push(const struct config *config)
{
    const char *mode = config->push_mode;
    return (struct notifier_options){
        .mode = strcmp(mode, "webhook") == 0       ? NOTIFIER_WEBHOOK
                : strcmp(mode, "unifiedpush") == 0 ? NOTIFIER_UNIFIEDPUSH
                                                   : NOTIFIER_OFF,
        .webhook = config->push_webhook,
        .development = config->server_development,
    };
}

struct err node_set_limits(struct node *n, const struct config *config, char why[NODE_WHY_BYTES])
{
    struct limit_setting settings[CONFIG_LIMITS_MAX];
    size_t wrong = 0;
    for (size_t i = 0; i < config->limit_count; i++)
        settings[i] = (struct limit_setting){config->limits[i].name, config->limits[i].value};
    struct err err = limits_set_all(front_limits(n->front), settings, config->limit_count, &wrong);
    if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "[limits] %s = %llu: %s", settings[wrong].name,
                       (unsigned long long)settings[wrong].value, err_text(err));
    return err;
}

/* ---- again */

static struct err load_config(struct node *n, struct config *ret_config,
                              char ret_why[NODE_WHY_BYTES])
{
    char path[FOLDER_PATH_MAX];
    int fd = -1;
    if (!folder_path(&n->folder, "hearthd.conf", path))
        return ERR(TOO_LARGE);
    if (n->settings.socket < 0)
        return config_load(path, ret_config, ret_why);
    FILE *file = settings_door_file(&n->settings, &fd).code == ERR_NONE ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        (void)snprintf(ret_why, NODE_WHY_BYTES, "%.400s: %s", path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return ERR(IO);
    }
    struct err err = config_read(file, path, ret_config, ret_why);
    (void)fclose(file);
    return err;
}

/* Every live row of config.def has its line here, or is read from n->config when it is needed. */
static void tell_services(struct node *n)
{
    const struct config *config = &n->config;
    const struct notifier_options push = node_push(config);
    struct store *const stores[] = {auth_store(n->auth),
                                    queue_store(n->queue),
                                    delivery_store(n->delivery),
                                    attachment_store(n->attachment),
                                    federation_store(n->federation),
                                    transparency_store(n->transparency)};
    front_set_tokens(n->front, node_tokens(config));
    auth_set_mode(n->auth, node_auth_mode(config));
    info_set_registration(n->info, node_registration(config));
    notifier_change(n->notifier, &push);
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++)
        store_set_low_disk(stores[i], config->storage_free_mib * NODE_MIB);
}

struct saying {
    void (*say)(void *to, bool restart, const char *name);
    void *to;
    bool restart;
};

static void say_name(void *self, const char *name)
{
    struct saying *s = self;
    if (s->say != NULL)
        s->say(s->to, s->restart, name);
}

struct err node_reload(void *node, void (*say)(void *to, bool restart, const char *name), void *to,
                       char ret_why[NODE_WHY_BYTES])
{
    struct node *n = node;
    static struct config fresh; /* large; guarded by the lock */
    (void)pthread_mutex_lock(&n->lock);
    struct err err = load_config(n, &fresh, ret_why);
    if (err.code == ERR_NONE && fresh.server_domain[0] == '\0') {
        /* an editor that empties the file before it writes must not bring all defaults into force
         */
        (void)snprintf(ret_why, NODE_WHY_BYTES, "hearthd.conf names no [server] domain");
        err = ERR(CONFIG);
    }
    if (err.code == ERR_NONE && !hearth_server_reload_tls(n->server)) {
        (void)snprintf(ret_why, NODE_WHY_BYTES, "%s", hearth_server_error(n->server));
        err = ERR(TLS_FILES);
    }
    if (err.code == ERR_NONE)
        err = node_set_federation(n, &fresh, ret_why);
    if (err.code == ERR_NONE)
        err = node_set_limits(n, &fresh, ret_why); /* all or none */
    if (err.code == ERR_NONE) {
        struct saying live = {say, to, false}, restart = {say, to, true};
        config_differences(&n->config, &fresh, true, say_name, &live);
        config_limit_differences(&n->config, &fresh, say_name, &live);
        config_differences(&n->config, &fresh, false, say_name, &restart);
        config_take_live(&n->config, &fresh);
        tell_services(n);
    }
    (void)pthread_mutex_unlock(&n->lock);
    return err;
}
