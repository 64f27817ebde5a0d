/* Finds the command, opens what it needs, runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

const struct command commands[] = {
#define COMMAND(noun, verb, function, arguments, least, most, needs, summary) \
    {noun, verb, command_##function, arguments, least, most, needs, summary},
#include "client/cli/command.def"
#undef COMMAND
};
const size_t command_count = sizeof commands / sizeof commands[0];

enum { WORDS_MAX = 64, SETTLE_MS = 5000 };

static const struct command *find(const char *noun, const char *verb, bool *ret_noun)
{
    *ret_noun = false;
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) != 0)
            continue;
        *ret_noun = true;
        if (commands[i].verb[0] == '\0' || (verb != NULL && strcmp(commands[i].verb, verb) == 0))
            return &commands[i];
    }
    return NULL;
}

static int unknown(const struct cli *cli, const char *noun, const char *verb, bool noun_known)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < command_count && count < WORDS_MAX; i++) {
        if (!noun_known)
            words[count++] = commands[i].noun;
        else if (strcmp(commands[i].noun, noun) == 0)
            words[count++] = commands[i].verb;
    }
    const char *meant = suggest(noun_known ? (verb != NULL ? verb : "") : noun, words, count);
    char hint[160];
    if (meant != NULL)
        (void)snprintf(hint, sizeof hint, "did you mean \"hearth %s%s%s\"?", noun_known ? noun : "",
                       noun_known ? " " : "", meant);
    else
        (void)snprintf(hint, sizeof hint, "hearth help %s", noun_known ? noun : "");
    if (noun_known && verb == NULL)
        return fail_said(cli, EXIT_USAGE, hint, "\"%s\" wants a further word", noun);
    return fail_said(cli, EXIT_USAGE, hint, "there is no command \"%s%s%s\"", noun,
                     noun_known ? " " : "", noun_known ? verb : "");
}

static int registered(const struct cli *cli)
{
    struct hearth_account_info info = {0};
    hearth_account_info(cli->account, &info);
    return info.registered
               ? EXIT_DONE
               : fail_said(cli, EXIT_NOT_THERE, "hearth account create goes on with it",
                           "the account in profile \"%s\" is not registered yet", cli->profile);
}

static int run(struct cli *cli, const struct command *command)
{
    int skip = command->verb[0] == '\0' ? 1 : 2;
    cli->argc -= skip;
    cli->argv += skip;
    if (cli->argc < command->least || cli->argc > command->most)
        return fail_said(cli, EXIT_USAGE, NULL, "usage: hearth %s%s%s %s", command->noun,
                         skip == 2 ? " " : "", command->verb, command->arguments);
    int code =
        command->needs != NOTHING ? home_folder(cli, command->needs == A_PROFILE) : EXIT_DONE;
    if (code == EXIT_DONE && command->needs >= A_BEGUN_ACCOUNT)
        code = home_open(cli, false);
    if (code == EXIT_DONE && command->needs == AN_ACCOUNT)
        code = registered(cli);
    if (code != EXIT_DONE) {
        hearth_account_close(cli->account);
        return code;
    }
    code = command->run(cli);
    if (cli->account != NULL)
        (void)hearth_account_settle(cli->account, SETTLE_MS);
    if (cli->account != NULL)
        code = kt_aftermath(cli, code);
    hearth_account_close(cli->account);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == EXIT_DONE)
        return fail_said(cli, EXIT_FAILED, NULL, "what there was to say could not be written");
    return code;
}

static int cli_run(struct cli *cli, int argc, char **argv)
{
    bool help = false, noun_known;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        cli->json |=
            strcmp(argv[i], "--json") == 0; /* wrong options before it are said as JSON, too */
    if (!options_read(argc, argv, cli, &help))
        return EXIT_USAGE;
    if (help || cli->argc == 0) {
        cli->argc = cli->argc > 2 ? 2 : cli->argc;
        int code = command_help(cli);
        return help ? code : EXIT_USAGE;
    }
    const char *verb = cli->argc > 1 ? cli->argv[1] : NULL;
    const struct command *command = find(cli->argv[0], verb, &noun_known);
    if (command == NULL)
        return unknown(cli, cli->argv[0], verb, noun_known);
    return run(cli, command);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.profile = "default"};
    (void)signal(SIGPIPE, SIG_IGN);
    int code = cli_run(&cli, argc, argv);
    free(cli.homeservers_joined);
    return code;
}
