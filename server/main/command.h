/* The command line of hearthd: a table of commands (command.def), common options, words that were
 * almost right.
 *
 * Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 verification
 * failed.
 */
#ifndef SERVER_MAIN_COMMAND_H
#define SERVER_MAIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "server/main/config.h"
#include "server/main/folder.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNVERIFIED = 3 };
enum { INVOCATION_VALUES_MAX = 16 };

/* What the command line says, read by one list of options for all commands. */
struct invocation {
    const char *dir;                           /* --dir, [$HEARTHD_DIR, else /var/lib/hearthd] */
    const char *domain;                        /* --domain */
    const char *listen[INVOCATION_VALUES_MAX]; /* --listen */
    size_t listen_count;
    const char *peers[INVOCATION_VALUES_MAX]; /* --peer domain=address */
    size_t peer_count;
    bool dev;       /* --dev */
    bool json;      /* --json */
    bool exit_code; /* --exit-code */
    unsigned count; /* --count [1] */
    unsigned days;  /* --days [7] */
    int argc;       /* what is left after the command's name */
    char **argv;
};

int command_main(int argc, char **argv);

/* One line on stderr: `hearthd: what`, and `  next: what to do` where next is not NULL. Returns
 * EXIT_FAILED. */
int command_fail(const char *next, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* folder_lock(), or EXIT_FAILED and a line that says who has it ("WHO on FOLDER"), or why the lock
 * can't be taken at all. */
int command_lock(const struct folder *folder, const char *next, const char *who);
/* The folder and configuration an invocation means; says what is wrong. */
CHECKED struct err command_open(const struct invocation *in, struct folder *ret_folder,
                                struct config *ret_config);

/* The commands, one file each. */
#define COMMAND(name, function, arguments, summary) \
    int command_##function(const struct invocation *in);
#include "server/main/command.def"
#undef COMMAND

/* check DOMAIN, a command of its own in all but name. */
int command_check_peer(const struct invocation *in);

#endif
