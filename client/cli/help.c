/* What the table says: help, the manual page, completions. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"

static const char about[] = "end-to-end encrypted messaging on Hearth homeservers";

static const struct {
    const char *name, *text;
} common[] = {
    {"-p, --profile NAME", "which account on this machine [default]"},
    {"--home FOLDER", "where profiles lie [$HEARTH_HOME, ~/.local/share/hearth]"},
    {"--json", "objects instead of lines; where there are many, one a line"},
    {"--timeout SECONDS", "how long to wait for an end [60; listen: none]"},
    {"--no-input", "never ask"},
    {"--yes", "say yes to what would be asked"},
    {"--passphrase-file FILE",
     "opens the account's file; - asks on the terminal [a key file of the profile]"},
    {"--homeserver D=A:P", "where domains are, when DNS does not say so (D=A:P,..., or said "
                           "again); kept with a new account"},
    {"--ca FILE", "certificates to trust besides; kept with a new account"},
};

static void print_command(const struct command *c)
{
    char words[200];
    (void)snprintf(words, sizeof words, "%s%s%s %s", c->noun, c->verb[0] != '\0' ? " " : "",
                   c->verb, c->arguments);
    (void)printf("  %-44s %s\n", words, c->summary);
}

static int print_all(void)
{
    (void)printf("hearth: %s\n\nusage: hearth [-p PROFILE] COMMAND ...\n\n", about);
    for (size_t i = 0; i < command_count; i++)
        print_command(&commands[i]);
    (void)puts("\noptions");
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        (void)printf("  %-24s %s\n", common[i].name, common[i].text);
    (void)puts("\nexit codes: 0 done, 1 failed, 2 usage, 3 verification failed, 4 not found here, "
               "5 timed out,\n"
               "            64+n refused with gRPC status n");
    return EXIT_DONE;
}

static void print_roff(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\')
            (void)putchar('\\');
        (void)putchar(*text);
    }
}

static int print_manual(void)
{
    (void)puts(".TH HEARTH 1\n.SH NAME");
    (void)printf(
        "hearth \\- %s\n.SH SYNOPSIS\n.B hearth\n[\\-p PROFILE] COMMAND ...\n.SH COMMANDS\n",
        about);
    for (size_t i = 0; i < command_count; i++) {
        (void)printf(".TP\n.B %s %s\n", commands[i].noun, commands[i].verb);
        print_roff(commands[i].arguments);
        (void)printf("\n.br\n");
        print_roff(commands[i].summary);
        (void)putchar('\n');
    }
    (void)puts(".SH OPTIONS");
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        (void)fputs(".TP\n.B ", stdout);
        print_roff(common[i].name);
        (void)putchar('\n');
        print_roff(common[i].text);
        (void)putchar('\n');
    }
    (void)puts(".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 verification failed, 4 not found "
               "here, 5 timed out, 64+n "
               "refused with gRPC status n.");
    return EXIT_DONE;
}

int command_help(struct cli *cli)
{
    if (cli->man)
        return print_manual();
    if (cli->argc == 0)
        return print_all();
    size_t hits = 0;
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].noun, cli->argv[0]) == 0 &&
            (cli->argc == 1 || strcmp(commands[i].verb, cli->argv[1]) == 0)) {
            print_command(&commands[i]);
            hits++;
        }
    return hits > 0 ? EXIT_DONE
                    : fail_said(cli, EXIT_USAGE, "hearth help", "there is no command \"%s\"",
                                cli->argv[0]);
}

int command_completions(struct cli *cli)
{
    if (strcmp(cli->argv[0], "bash") != 0)
        return fail_said(cli, EXIT_USAGE, NULL, "completions are there for bash");
    (void)puts("_hearth() {\n  local nouns=\"\" word=${COMP_WORDS[COMP_CWORD]} "
               "before=${COMP_WORDS[COMP_CWORD-1]}\n"
               "  case $before in");
    for (size_t i = 0; i < command_count; i++) {
        if (i > 0 && strcmp(commands[i].noun, commands[i - 1].noun) == 0)
            continue;
        if (commands[i].verb[0] == '\0')
            continue;
        (void)printf("  %s) nouns=\"", commands[i].noun);
        for (size_t j = i; j < command_count && strcmp(commands[j].noun, commands[i].noun) == 0;
             j++)
            (void)printf("%s%s", j > i ? " " : "", commands[j].verb);
        (void)puts("\";;");
    }
    (void)fputs("  hearth) nouns=\"", stdout);
    for (size_t i = 0; i < command_count; i++)
        if (i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0)
            (void)printf("%s%s", i > 0 ? " " : "", commands[i].noun);
    (void)puts("\";;\n  esac\n  COMPREPLY=($(compgen -W \"$nouns\" -- \"$word\"))\n}\ncomplete -o "
               "default -F _hearth hearth");
    return EXIT_DONE;
}
