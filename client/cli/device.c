/* device link|add|list|remove, handle add|list|remove. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"

static void show_code(const char *code, void *arg)
{
    const struct cli *cli = arg;
    line(cli, "code", "%s", code);
    if (!cli->json)
        (void)fprintf(stderr, "  next: on a device of the account, hearth device add %s\n", code);
    object(cli, cli->json ? json_pack("{s:s}", "code", code) : NULL);
}

int command_device_link(struct cli *cli)
{
    if (cli->domain == NULL)
        return fail_said(cli, EXIT_USAGE, NULL, "say --domain D, the homeserver of the account");
    int code = home_open(cli, true);
    if (code != EXIT_DONE)
        return code;
    const struct hearth_link_options options = {.size = sizeof options,
                                                .domain = cli->domain,
                                                .device = cli->device,
                                                .show = show_code,
                                                .arg = cli};
    if (!cli->timeout_said)
        cli->timeout_ms = 600000; /* a person has to carry the code over */
    code = finish(cli, hearth_link(cli->account, &options));
    struct hearth_account_info info = {0};
    hearth_account_info(cli->account, &info);
    if (code != EXIT_DONE) {
        if (!info.registered)
            home_forget(cli);
        return code;
    }
    line(cli, "linked", "on %s, this device is \"%s\"", info.domain, info.device);
    object(cli, cli->json ? json_pack("{s:s, s:s}", "domain", info.domain, "device", info.device)
                          : NULL);
    return EXIT_DONE;
}

int command_device_add(struct cli *cli)
{
    int code = finish(cli, hearth_link_accept(cli->account, cli->argv[0]));
    if (code == EXIT_DONE)
        line(cli, "added", "the new device; it is being added to all chats");
    object(cli, cli->json && code == EXIT_DONE ? json_pack("{s:b}", "added", 1) : NULL);
    return code;
}

static bool print_device(const struct hearth_device *device, void *arg)
{
    const struct cli *cli = arg;
    char id[HEARTH_ID_TEXT_BYTES], time[32];
    hearth_id_text(&device->id, id);
    line(cli, device->self ? "self" : "device", "%s  since %s  \"%s\"", id,
         clock_text(device->added_ms / 1000, time), device->name);
    object(cli, cli->json
                    ? json_pack("{s:s, s:o, s:b, s:I}", "id", id, "name", json_text(device->name),
                                "self", device->self, "added_ms", (json_int_t)device->added_ms)
                    : NULL);
    return true;
}

int command_device_list(struct cli *cli)
{
    return hearth_device_each(cli->account, print_device, cli) ? EXIT_DONE : EXIT_FAILED;
}

struct device_search {
    const char *name;
    struct hearth_id id;
    unsigned hits;
};

static bool match_device(const struct hearth_device *device, void *arg)
{
    struct device_search *s = arg;
    char id[HEARTH_ID_TEXT_BYTES];
    hearth_id_text(&device->id, id);
    if (strcmp(device->name, s->name) == 0 || strcmp(id, s->name) == 0) {
        s->id = device->id;
        s->hits++;
    }
    return true;
}

int command_device_remove(struct cli *cli)
{
    struct device_search s = {.name = cli->argv[0]};
    (void)hearth_device_each(cli->account, match_device, &s);
    if (s.hits != 1)
        return fail_said(cli, s.hits == 0 ? EXIT_NOT_THERE : EXIT_USAGE, "hearth device list",
                         s.hits == 0 ? "no device \"%s\" is known"
                                     : "more than one device is called \"%s\"; use its id",
                         cli->argv[0]);
    if (!confirmed(cli, "Shut this device out?"))
        return EXIT_USAGE;
    int code = finish(cli, hearth_device_remove(cli->account, &s.id));
    if (code == EXIT_DONE)
        line(cli, "removed", "%s", cli->argv[0]);
    object(cli,
           cli->json && code == EXIT_DONE ? json_pack("{s:s}", "removed", cli->argv[0]) : NULL);
    return code;
}

/* ---- handles */

int command_handle_add(struct cli *cli)
{
    struct hearth_account_info info = {0};
    int code = finish(cli, hearth_handle_add(cli->account, cli->argv[0]));
    hearth_account_info(cli->account, &info);
    if (code == EXIT_DONE)
        line(cli, "handle", "%s@%s", cli->argv[0], info.domain);
    object(cli, cli->json && code == EXIT_DONE
                    ? json_pack("{s:s, s:s}", "handle", cli->argv[0], "domain", info.domain)
                    : NULL);
    return code;
}

static bool print_handle(const char *handle, void *arg)
{
    const struct cli *cli = arg;
    line(cli, "handle", "%s", handle);
    object(cli, cli->json ? json_pack("{s:s}", "handle", handle) : NULL);
    return true;
}

int command_handle_list(struct cli *cli)
{
    return hearth_handle_each(cli->account, print_handle, cli) ? EXIT_DONE : EXIT_FAILED;
}

int command_handle_rotate(struct cli *cli)
{
    int code = finish(cli, hearth_handle_rotate(cli->account, cli->argv[0]));
    if (code == EXIT_DONE)
        line(cli, "rotated", "%s", cli->argv[0]);
    object(cli,
           cli->json && code == EXIT_DONE ? json_pack("{s:s}", "rotated", cli->argv[0]) : NULL);
    return code;
}

int command_handle_remove(struct cli *cli)
{
    int code = finish(cli, hearth_handle_remove(cli->account, cli->argv[0]));
    if (code == EXIT_DONE)
        line(cli, "removed", "%s", cli->argv[0]);
    object(cli,
           cli->json && code == EXIT_DONE ? json_pack("{s:s}", "removed", cli->argv[0]) : NULL);
    return code;
}
