#include "server/main/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_wipe.h"

static const struct command {
    const char *name;
    int (*run)(const struct invocation *in);
    const char *arguments, *summary;
} commands[] = {
#define COMMAND(name, function, arguments, summary) {name, command_##function, arguments, summary},
#include "server/main/command.def"
#undef COMMAND
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    (void)fprintf(out, "usage: hearthd [--dir DIR] COMMAND ...\n\n");
    for (const struct command *c = commands; c < commands + COMMANDS; c++)
        (void)fprintf(out, "  %-10s %-52s %s\n", c->name, c->arguments, c->summary);
    (void)fprintf(out, "\nDIR is $HEARTHD_DIR or /var/lib/hearthd where --dir is not given. "
                       "Exit codes: 0 done, 1 failed, 2 usage, 3 verification failed.\n");
}

int command_fail(const char *next, const char *format, ...)
{
    (void)fputs("hearthd: ", stderr);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    if (next != NULL)
        (void)fprintf(stderr, "  next: %s\n", next);
    return EXIT_FAILED;
}

int command_lock(const struct folder *folder, const char *next, const char *who)
{
    struct err err = folder_lock(folder);
    if (err.code == ERR_NONE)
        return EXIT_DONE;
    return err.code == ERR_STORE_IN_USE
               ? command_fail(next, "%s on %s", who, folder->root)
               : command_fail("hearthd check", "%s/lock: %s", folder->root, strerror(errno));
}

struct err command_open(const struct invocation *in, struct folder *ret_folder,
                        struct config *ret_config)
{
    if (folder_open(in->dir, ret_folder).code != ERR_NONE) {
        (void)command_fail("hearthd init --domain DOMAIN --dir DIR", "no data folder at %s: %s",
                           in->dir, strerror(errno));
        return ERR(IO);
    }
    char path[FOLDER_PATH_MAX], error[CONFIG_ERROR_MAX];
    if (!folder_path(ret_folder, "hearthd.conf", path))
        return ERR(TOO_LARGE);
    struct err err = config_load(path, ret_config, error);
    if (err.code != ERR_NONE)
        (void)command_fail(err.code == ERR_CONFIG
                               ? "correct the line; hearthd config describe lists all settings"
                               : NULL,
                           "%s", error);
    return err;
}

static bool add(const char **values, size_t *count)
{
    if (*count == INVOCATION_VALUES_MAX)
        return false;
    values[(*count)++] = optarg;
    return true;
}

static bool number(unsigned *ret_number)
{
    char *end = NULL;
    unsigned long value = strtoul(optarg, &end, 10);
    *ret_number = (unsigned)value;
    return end != optarg && *end == '\0' && optarg[0] != '-' && value > 0 && value <= 1000;
}

enum option_value {
    DIR_OPTION = 256,
    DOMAIN_OPTION,
    LISTEN,
    PEER,
    DEV,
    JSON,
    EXIT_CODE,
    COUNT,
    DAYS,
    HELP
};

/* False: an option was wrong. */
static bool read_options(int argc, char **argv, struct invocation *in, bool *ret_help)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, DIR_OPTION},
        {"domain", required_argument, NULL, DOMAIN_OPTION},
        {"listen", required_argument, NULL, LISTEN},
        {"peer", required_argument, NULL, PEER},
        {"dev", no_argument, NULL, DEV},
        {"json", no_argument, NULL, JSON},
        {"exit-code", no_argument, NULL, EXIT_CODE},
        {"count", required_argument, NULL, COUNT},
        {"days", required_argument, NULL, DAYS},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case DIR_OPTION:
            in->dir = optarg;
            break;
        case DOMAIN_OPTION:
            in->domain = optarg;
            break;
        case LISTEN:
            good = add(in->listen, &in->listen_count);
            break;
        case PEER:
            good = add(in->peers, &in->peer_count);
            break;
        case DEV:
            in->dev = true;
            break;
        case JSON:
            in->json = true;
            break;
        case EXIT_CODE:
            in->exit_code = true;
            break;
        case COUNT:
            good = number(&in->count);
            break;
        case DAYS:
            good = number(&in->days);
            break;
        case HELP:
            *ret_help = true;
            break;
        default:
            return false; /* getopt has said why */
        }
    }
    if (!good)
        (void)command_fail(NULL, "option value \"%s\" is out of range, or given too often", optarg);
    return good;
}

static const struct command *find(const char *word)
{
    const char *names[COMMANDS + 1];
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, word) == 0)
            return &commands[i];
        names[i] = commands[i].name;
    }
    names[COMMANDS] = NULL;
    const char *near = config_nearest(word, names);
    if (near != NULL)
        (void)command_fail(NULL, "there is no command \"%s\"; did you mean \"%s\"?", word, near);
    else
        (void)command_fail("hearthd --help", "there is no command \"%s\"", word);
    return NULL;
}

int command_main(int argc, char **argv)
{
    (void)net_wipe_freed(); /* ME4; nothing was used yet */
    const char *dir = getenv("HEARTHD_DIR");
    struct invocation in = {.dir = dir != NULL ? dir : "/var/lib/hearthd", .count = 1, .days = 7};
    bool help = false;
    if (!read_options(argc, argv, &in, &help))
        return EXIT_USAGE;
    if (help || optind == argc) {
        usage(help ? stdout : stderr);
        return help ? EXIT_DONE : EXIT_USAGE;
    }
    const struct command *command = find(argv[optind]);
    if (command == NULL)
        return EXIT_USAGE;
    in.argc = argc - optind - 1;
    in.argv = argv + optind + 1;
    return command->run(&in);
}
