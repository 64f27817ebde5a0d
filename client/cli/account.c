/* account create|show|delete, profile set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

enum { PICTURE_MAX = 65536 };

static bool print_handle(const char *handle, void *arg)
{
    line(arg, "handle", "%s", handle);
    return true;
}

static bool add_handle(const char *handle, void *arg)
{
    return json_array_append_new(arg, json_string(handle)) == 0;
}

/* Of classes delivery, queue, transparency, auth, attachments. */
static const char *token_text(const uint32_t counts[HEARTH_TOKEN_CLASSES], char text[80])
{
    (void)snprintf(text, 80, "%u+%u+%u+%u+%u", (unsigned)counts[0], (unsigned)counts[1],
                   (unsigned)counts[2], (unsigned)counts[3], (unsigned)counts[4]);
    return text;
}

static json_t *token_json(const struct cli *cli)
{
    struct hearth_tokens tokens;
    json_t *now = json_array(), *tomorrow = json_array();
    hearth_account_tokens(cli->account, &tokens);
    for (size_t i = 0; i < HEARTH_TOKEN_CLASSES; i++) {
        (void)json_array_append_new(now, json_integer((json_int_t)tokens.now[i]));
        (void)json_array_append_new(tomorrow, json_integer((json_int_t)tokens.tomorrow[i]));
    }
    return json_pack("{s:b, s:o, s:o}", "required", tokens.required ? 1 : 0, "now", now, "tomorrow",
                     tomorrow);
}

static json_t *account_json(const struct cli *cli, const struct hearth_account_info *info)
{
    char user[33], device[33];
    json_t *handles = json_array();
    (void)hearth_handle_each(cli->account, add_handle, handles);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:i, s:o, s:o}", "domain",
                     info->domain, "device", info->device, "name", info->name, "user_id",
                     hex_text(info->user_id, 16, user), "device_id",
                     hex_text(info->device_id, 16, device), "credential_until_s",
                     (json_int_t)info->credential_until_s, "key_packages",
                     (int)info->key_packages_left, "received", (json_int_t)info->queue_sequence,
                     "tasks", (int)info->tasks, "handles", handles, "tokens", token_json(cli));
}

static bool print_logged(const struct hearth_log_label *label, void *arg)
{
    bool ours =
        label->own && label->exists && !label->bad && strcmp(label->name, "your devices") == 0;
    if (ours)
        line(arg, "log", "this device stands in it, found at entry %llu, proof checked",
             (unsigned long long)label->entry);
    return !ours;
}

/* What the homeserver's log shows of the new account; it may take longer, or there is none. */
static void print_log(struct cli *cli)
{
    enum { LOG_MS = 20000 };
    if (cli->json)
        return;
    (void)hearth_account_settle(cli->account, cli->timeout_said ? cli->timeout_ms : LOG_MS);
    (void)hearth_log_label_each(cli->account, print_logged, cli);
}

int command_account_create(struct cli *cli)
{
    struct hearth_account_info info = {0};
    bool again = home_has_account(cli);
    if (!again && (cli->invite == NULL) == (cli->domain == NULL))
        return fail_said(cli, EXIT_USAGE, "an operator makes invitations with hearthd admin invite",
                         "say --invite CODE, or --domain D where registration is open");
    int code = home_open(cli, !again);
    if (code != EXIT_DONE)
        return code;
    hearth_account_info(cli->account, &info);
    if (info.registered)
        return fail_said(cli, EXIT_FAILED, "choose another with -p NAME",
                         "profile \"%s\" has an account already", cli->profile);
    const struct hearth_register_options options = {
        .size = sizeof options,
        .invitation = cli->invite,
        .domain = cli->domain,
        .root_pin = cli->root_pin,
        .handle = cli->handle,
        .device = cli->device,
        .name = cli->name,
    };
    code = finish(cli, hearth_register(cli->account, &options));
    hearth_account_info(cli->account, &info);
    if (code == EXIT_TIMED_OUT && !cli->json)
        (void)fprintf(stderr, "  or: the same command again, which goes on with it\n");
    if (code != EXIT_DONE) {
        if (code != EXIT_TIMED_OUT && !info.registered)
            home_forget(cli); /* it never came to be */
        return code;
    }
    line(cli, "account", "on %s, this device is \"%s\"", info.domain, info.device);
    (void)hearth_handle_each(cli->account, print_handle, cli);
    print_log(cli);
    object(cli, cli->json ? account_json(cli, &info) : NULL);
    return EXIT_DONE;
}

int command_account_show(struct cli *cli)
{
    struct hearth_account_info info = {0};
    char text[33], until[32];
    struct hearth_tokens tokens;
    char now[80], then[80];
    hearth_account_info(cli->account, &info);
    hearth_account_tokens(cli->account, &tokens);
    line(cli, "account", "on %s%s%s", info.domain, info.name[0] != '\0' ? ", shown as " : "",
         info.name);
    line(cli, "user", "%s", hex_text(info.user_id, 16, text));
    line(cli, "device", "%s \"%s\"", hex_text(info.device_id, 16, text), info.device);
    (void)hearth_handle_each(cli->account, print_handle, cli);
    line(cli, "until", "%s, when the credential is renewed",
         clock_text(info.credential_until_s, until));
    line(cli, "received", "%llu items", (unsigned long long)info.queue_sequence);
    if (tokens.required)
        line(cli, "tokens", "%s now, %s for tomorrow", token_text(tokens.now, now),
             token_text(tokens.tomorrow, then));
    if (info.tasks > 0)
        line(cli, "waiting", "%u operations are under way", (unsigned)info.tasks);
    object(cli, cli->json ? account_json(cli, &info) : NULL);
    return EXIT_DONE;
}

int command_account_delete(struct cli *cli)
{
    if (!confirmed(cli, "Delete this account for good, with all messages on this device?"))
        return EXIT_USAGE;
    int code = finish(cli, hearth_unregister(cli->account));
    if (code != EXIT_DONE)
        return code;
    home_forget(cli);
    line(cli, "deleted", "the account and its files");
    object(cli, cli->json ? json_pack("{s:b}", "deleted", 1) : NULL);
    return EXIT_DONE;
}

/* Allocated; NULL: said why. */
static uint8_t *read_file(const struct cli *cli, const char *path, size_t most, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(most + 1);
    size_t len = file != NULL && bytes != NULL ? fread(bytes, 1, most + 1, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    if (len == 0 || len > most) {
        (void)fail_said(cli, len == 0 ? EXIT_NOT_THERE : EXIT_FAILED, NULL,
                        len == 0 ? "can't read %s" : "%s is larger than 64 KiB", path);
        free(bytes);
        return NULL;
    }
    *ret_len = len;
    return bytes;
}

int command_profile_set(struct cli *cli)
{
    size_t len = 0;
    uint8_t *picture = NULL;
    if (cli->picture != NULL && (picture = read_file(cli, cli->picture, PICTURE_MAX, &len)) == NULL)
        return EXIT_FAILED;
    int code = finish(cli, hearth_profile_set(cli->account, cli->argv[0], picture, len));
    free(picture);
    if (code == EXIT_DONE)
        line(cli, "profile", "%s", cli->argv[0]);
    object(cli, cli->json && code == EXIT_DONE ? json_pack("{s:o}", "name", json_text(cli->argv[0]))
                                               : NULL);
    return code;
}
