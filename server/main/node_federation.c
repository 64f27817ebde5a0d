/* What [federation] means to server/federation. */
#include <stdio.h>
#include <string.h>

#include "server/main/node_inside.h"

static size_t point(const struct config_list *list, const char *texts[CONFIG_LIST_MAX])
{
    for (size_t i = 0; i < list->count; i++)
        texts[i] = list->values[i];
    return list->count;
}

static struct federation_settings settings_of(const struct config *config,
                                              struct federation_texts *texts)
{
    const char *mode = config->federation_mode;
    return (struct federation_settings){
        .mode = strcmp(mode, "open") == 0    ? FEDERATION_OPEN
                : strcmp(mode, "allow") == 0 ? FEDERATION_ALLOW
                                             : FEDERATION_OFF,
        .development = config->server_development,
        .private_addresses = config->federation_private_addresses,
        .peers = texts->peers,
        .peer_count = point(&config->federation_peer, texts->peers),
        .allow = texts->allow,
        .allow_count = point(&config->federation_allow, texts->allow),
        .block = texts->block,
        .block_count = point(&config->federation_block, texts->block),
    };
}

struct err node_federation_options(const struct folder *folder, const struct config *config,
                                   struct federation_texts *texts,
                                   struct federation_options *ret_options)
{
    texts->ca[0] = '\0';
    if (config->federation_ca[0] != '\0' && !folder_path(folder, config->federation_ca, texts->ca))
        return ERR(TOO_LARGE);
    *ret_options = (struct federation_options){
        .settings = settings_of(config, texts),
        .ca_file = texts->ca[0] != '\0' ? texts->ca : NULL,
    };
    return ERR_OK;
}

struct err node_witness_key(void *node, struct buf *text)
{
    const struct node *n = node;
    return federation_witness_key(&n->env, text);
}

static void contact(void *self, struct bytes domain)
{
    struct node *n = self;
    courier_contact(n->courier, domain);
}

struct err node_open_federation(struct node *n, char why[NODE_WHY_BYTES])
{
    char reason[FEDERATION_WHY_BYTES];
    struct federation_texts texts;
    struct federation_options options;
    TRY(node_federation_options(&n->folder, &n->config, &texts, &options));
    char path[FOLDER_PATH_MAX];
    options.store = node_store_at(n, "db/federation.db", path);
    options.loop = n->back;
    options.queue = n->queue;
    options.contact = contact;
    options.contact_self = n;
    struct err err = federation_open(&n->env, &options, reason, &n->federation);
    if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "%s", reason[0] != '\0' ? reason : err_text(err));
    return err;
}

struct err node_set_federation(struct node *n, const struct config *config,
                               char why[NODE_WHY_BYTES])
{
    char reason[FEDERATION_WHY_BYTES];
    struct federation_texts texts;
    const struct federation_settings settings = settings_of(config, &texts);
    struct err err = federation_set(n->federation, &settings, reason);
    if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "%s", reason);
    return err;
}
