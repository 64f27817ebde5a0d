/* rpc: any method, signed as it wants, in and out as JSON. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"

static void answer(const char *json, void *arg)
{
    (void)arg;
    (void)puts(json);
}

int command_rpc(struct cli *cli)
{
    struct hearth_id chat = {{0}};
    if (cli->chat != NULL) {
        int code = find_chat(cli, cli->chat, &chat);
        if (code != EXIT_DONE)
            return code;
    }
    return finish(cli, hearth_rpc(cli->account, cli->argv[0], cli->argc > 1 ? cli->argv[1] : "{}",
                                  cli->chat != NULL ? &chat : NULL, answer, NULL));
}
