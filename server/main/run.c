/* hearthd run */
#include <stdio.h>
#include <stdlib.h>

#include "server/main/command.h"
#include "server/main/node.h"
#include "server/main/privileges.h"

int command_run(const struct invocation *in)
{
    static struct config config;
    struct folder folder;
    struct node *node = NULL;
    char why[NODE_WHY_BYTES];
    /* ends core dumps; must come before there is anything to dump */
    if (privileges_begin().code != ERR_NONE)
        return command_fail("hearthd check", "core dumps can't be turned off");
    if (command_open(in, &folder, &config).code != ERR_NONE)
        return EXIT_FAILED;
    if (command_lock(&folder, "hearthd status", "another hearthd runs") != EXIT_DONE)
        return EXIT_FAILED;
    struct err err = node_open_confined(&folder, &config, why, &node);
    if (err.code == ERR_NONE)
        err = node_start(node, why);
    if (err.code != ERR_NONE) {
        node_close(node);
        return command_fail("hearthd check", "%s", why);
    }
    for (size_t i = 0; i < config.server_listen.count; i++)
        printf("serving %s as %s, port %u\n", config.server_listen.values[i], config.server_domain,
               node_port(node, i));
    (void)fflush(stdout);
    err = node_wait(node);
    node_close(node);
    return err.code == ERR_NONE
               ? EXIT_DONE
               : command_fail("look at the disk, then hearthd run again", "%s", err_text(err));
}
