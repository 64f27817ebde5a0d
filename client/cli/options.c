/* One list of options for all commands. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

enum option_value {
    HOME_OPTION = 256,
    PASSPHRASE_FILE,
    HOMESERVER,
    CA,
    INVITE,
    DOMAIN_OPTION,
    ROOT_PIN,
    HANDLE,
    DEVICE,
    NAME,
    PICTURE,
    TO,
    CHAT,
    QR,
    COUNT,
    TIMEOUT,
    JSON,
    NO_INPUT,
    YES,
    KEEP,
    TOKENS,
    MAN,
};

static const struct option options[] = {
    {"profile", required_argument, NULL, 'p'},
    {"home", required_argument, NULL, HOME_OPTION},
    {"passphrase-file", required_argument, NULL, PASSPHRASE_FILE},
    {"homeserver", required_argument, NULL, HOMESERVER},
    {"ca", required_argument, NULL, CA},
    {"invite", required_argument, NULL, INVITE},
    {"domain", required_argument, NULL, DOMAIN_OPTION},
    {"root-pin", required_argument, NULL, ROOT_PIN},
    {"handle", required_argument, NULL, HANDLE},
    {"device", required_argument, NULL, DEVICE},
    {"name", required_argument, NULL, NAME},
    {"picture", required_argument, NULL, PICTURE},
    {"to", required_argument, NULL, TO},
    {"chat", required_argument, NULL, CHAT},
    {"qr", required_argument, NULL, QR},
    {"count", required_argument, NULL, COUNT},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"json", no_argument, NULL, JSON},
    {"no-input", no_argument, NULL, NO_INPUT},
    {"yes", no_argument, NULL, YES},
    {"keep", no_argument, NULL, KEEP},
    {"tokens", no_argument, NULL, TOKENS},
    {"man", no_argument, NULL, MAN},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool number(const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > most)
        return false;
    *ret_number = value;
    return true;
}

static const char **text_of(struct cli *cli, int option)
{
    switch (option) {
    case 'p':
        return &cli->profile;
    case HOME_OPTION:
        return &cli->home;
    case PASSPHRASE_FILE:
        return &cli->passphrase_file;
    case HOMESERVER:
        return &cli->homeservers;
    case CA:
        return &cli->ca_file;
    case INVITE:
        return &cli->invite;
    case DOMAIN_OPTION:
        return &cli->domain;
    case ROOT_PIN:
        return &cli->root_pin;
    case HANDLE:
        return &cli->handle;
    case DEVICE:
        return &cli->device;
    case NAME:
        return &cli->name;
    case PICTURE:
        return &cli->picture;
    case TO:
        return &cli->to;
    case CHAT:
        return &cli->chat;
    case QR:
        return &cli->qr;
    default:
        return NULL;
    }
}

/* Said again: those of before count, too. */
static bool add_homeservers(struct cli *cli)
{
    size_t size = strlen(cli->homeservers) + 1 + strlen(optarg) + 1;
    char *all = malloc(size);
    if (all == NULL)
        return false;
    (void)snprintf(all, size, "%s,%s", cli->homeservers, optarg);
    free(cli->homeservers_joined);
    cli->homeservers = cli->homeservers_joined = all;
    return true;
}

static bool take(struct cli *cli, int option, bool *ret_help)
{
    const char **text = text_of(cli, option);
    uint64_t seconds;
    if (option == HOMESERVER && cli->homeservers != NULL)
        return add_homeservers(cli);
    if (text != NULL) {
        *text = optarg;
        return true;
    }
    switch (option) {
    case COUNT:
        return number(optarg, UINT32_MAX, &cli->count) && cli->count > 0;
    case TIMEOUT:
        if (!number(optarg, 86400, &seconds))
            return false;
        cli->timeout_ms = (uint32_t)seconds * 1000;
        cli->timeout_said = true;
        return true;
    case JSON:
        return cli->json = true;
    case NO_INPUT:
        return cli->no_input = true;
    case YES:
        return cli->yes = true;
    case KEEP:
        return cli->keep = true;
    case TOKENS:
        return cli->tokens = true;
    case MAN:
        return cli->man = true;
    case 'h':
        return *ret_help = true;
    default:
        return false;
    }
}

/* An option that getopt does not know: which one was meant? */
static void unknown_option(const struct cli *cli, const char *typed)
{
    const char *words[sizeof options / sizeof options[0]];
    size_t count = 0;
    for (size_t i = 0; options[i].name != NULL; i++)
        words[count++] = options[i].name;
    const char *meant =
        typed[0] == '-' && typed[1] == '-' ? suggest(typed + 2, words, count) : NULL;
    char hint[80] = "hearth help";
    if (meant != NULL)
        (void)snprintf(hint, sizeof hint, "did you mean --%s?", meant);
    (void)fail_said(cli, EXIT_USAGE, hint, "there is no option \"%s\"", typed);
}

bool options_read(int argc, char **argv, struct cli *cli, bool *ret_help)
{
    opterr = 0;
    cli->timeout_ms = 60000;
    for (;;) {
        int option = getopt_long(argc, argv, ":p:h", options, NULL);
        if (option == -1)
            break;
        if (option == '?') {
            unknown_option(cli, argv[optind - 1]);
            return false;
        }
        if (option == ':' || !take(cli, option, ret_help)) {
            (void)fail_said(cli, EXIT_USAGE, "hearth help",
                            option == ':' ? "%s wants a value" : "the value of %s can't be read",
                            argv[optind - 1]);
            return false;
        }
    }
    cli->argc = argc - optind;
    cli->argv = argv + optind;
    return true;
}
