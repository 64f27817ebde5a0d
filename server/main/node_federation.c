/* What [federation] means to server/federation. */
#include <stdio.h>
#include <string.h>

#include "server/main/node_inside.h"

struct texts {
    const char *peers[CONFIG_LIST_MAX], *allow[CONFIG_LIST_MAX], *block[CONFIG_LIST_MAX];
};

static size_t point(const struct config_list *list, const char *texts[CONFIG_LIST_MAX])
{
    for (size_t i = 0; i < list->count; i++)
        texts[i] = list->values[i];
    return list->count;
}

/* Borrows config, and texts. */
static struct federation_settings settings_of(const struct node *n, const struct config *config,
                                              struct texts *texts)
{
    const char *mode = config->federation_mode;
    return (struct federation_settings){
        .mode = strcmp(mode, "open") == 0    ? FEDERATION_OPEN
                : strcmp(mode, "allow") == 0 ? FEDERATION_ALLOW
                                             : FEDERATION_OFF,
        .development = n->env.development,
        .peers = texts->peers,
        .peer_count = point(&config->federation_peer, texts->peers),
        .allow = texts->allow,
        .allow_count = point(&config->federation_allow, texts->allow),
        .block = texts->block,
        .block_count = point(&config->federation_block, texts->block),
    };
}

static void contact(void *self, struct bytes domain)
{
    struct node *n = self;
    courier_contact(n->courier, domain);
}

struct err node_open_federation(struct node *n, char why[NODE_WHY_BYTES])
{
    char ca[FOLDER_PATH_MAX] = "", reason[FEDERATION_WHY_BYTES];
    struct texts texts;
    if (n->config.federation_ca[0] != '\0' && !folder_path(&n->folder, n->config.federation_ca, ca))
        return ERR(TOO_LARGE);
    const struct federation_options options = {
        .loop = n->back,
        .queue = n->queue,
        .settings = settings_of(n, &n->config, &texts),
        .ca_file = ca[0] != '\0' ? ca : NULL,
        .contact = contact,
        .contact_self = n,
    };
    struct err err = federation_open(&n->env, &options, reason, &n->federation);
    if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "%s", reason);
    return err;
}

struct err node_set_federation(struct node *n, const struct config *config,
                               char why[NODE_WHY_BYTES])
{
    char reason[FEDERATION_WHY_BYTES];
    struct texts texts;
    const struct federation_settings settings = settings_of(n, config, &texts);
    struct err err = federation_set(n->federation, &settings, reason);
    if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "%s", reason);
    return err;
}
