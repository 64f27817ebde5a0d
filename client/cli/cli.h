/* `hearth`: the client library on a command line, for testers and scripts. It stands on
 * include/hearth/client.h alone, as any application does.
 *
 * Data goes to stdout, talk to stderr; --json prints objects, one a line where there are many. Exit
 * codes: 0 done, 1 failed, 2 usage, 3 verification failed, 4 not found locally, 5 timed out, 64+n
 * gRPC status n.
 */
#ifndef CLIENT_CLI_CLI_H
#define CLIENT_CLI_CLI_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "hearth/client.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNVERIFIED = 3,
    EXIT_NOT_THERE = 4,
    EXIT_TIMED_OUT = 5,
    EXIT_GRPC = 64, /* + status */
};
enum { CLI_PATH_MAX = 1024 };

struct cli {
    /* what the command line says */
    const char *profile; /* -p, --profile ["default"] */
    const char *home;    /* --home [$HEARTH_HOME, $XDG_DATA_HOME/hearth, ~/.local/share/hearth] */
    const char *passphrase_file; /* --passphrase-file; "-": asked for on the terminal */
    const char *homeservers;     /* --homeserver D=A:P, kept in the profile */
    char *homeservers_joined;    /* the same, where it was said more than once; owned */
    const char *ca_file;         /* --ca, kept in the profile */
    const char *invite, *domain, *root_pin, *handle, *device, *name, *picture, *to, *chat, *qr;
    uint64_t count;      /* --count; 0: not said */
    uint32_t timeout_ms; /* --timeout in seconds [60, listening: none] */
    bool timeout_said, json, no_input, yes, keep, tokens, man;
    int argc; /* what is left after the command's words */
    char **argv;
    /* the profile, once it is open */
    char folder[CLI_PATH_MAX];
    struct hearth_account *account;
};

/* A_BEGUN_ACCOUNT: also one that is not registered yet. */
enum command_needs { NOTHING, A_PROFILE, A_BEGUN_ACCOUNT, AN_ACCOUNT };
struct command {
    const char *noun, *verb;
    int (*run)(struct cli *cli);
    const char *arguments;
    int least, most;
    enum command_needs needs;
    const char *summary;
};
extern const struct command commands[];
extern const size_t command_count;

int cli_main(int argc, char **argv);

/* ---- options.c: fills what the command line says and leaves the words in argc, argv. False: it
 * was said what is wrong. ret_help: --help was among them. */
bool options_read(int argc, char **argv, struct cli *cli, bool *ret_help);

/* ---- home.c */
/* The folder; made when `make`. Exit code. */
int home_folder(struct cli *cli, bool make);
bool home_has_account(const struct cli *cli);
/* Opens (or creates) the account's file with the key or passphrase of the profile. Exit code. */
int home_open(struct cli *cli, bool create);
/* Takes the files of an account that is gone, or never came to be, away. */
void home_forget(struct cli *cli);

/* ---- text.c */
/* printf for text that others wrote: control characters, marks of direction and what is no UTF-8
 * become
 * "?"; the lines after the first are indented, so that none looks like a line of ours. */
void print(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vprint(FILE *out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* A JSON string of it, with "?" for what is no UTF-8. */
json_t *json_text(const char *text);

/* ---- out.c */
/* Says what went wrong on stderr (as JSON with --json); returns the exit code for it. */
int fail_with(const struct cli *cli, const struct hearth_error *error);
/* The same, by hand. cause and hint may be NULL. */
int fail_said(const struct cli *cli, int code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Waits for an operation (NULL: says why it could not begin). Exit code. */
int finish(struct cli *cli, struct hearth_op *op);
/* "%-8s " and the rest, on stdout; nothing with --json. */
void line(const struct cli *cli, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One object a line, with --json; takes the reference in any case. */
void object(const struct cli *cli, json_t *json);
/* "10:02:31", local time; the day before it when it is not today. */
const char *clock_text(uint64_t unix_s, char buffer[32]);
const char *hex_text(const uint8_t *bytes, size_t len, char *buffer);
/* Asks on the terminal; false where it may not (--no-input, no terminal) or the answer is no. */
bool confirmed(const struct cli *cli, const char *question);
/* Progress of a transfer on a terminal. */
void show_progress(uint64_t done, uint64_t all, void *arg);

/* ---- find.c: names to ids; 0, or the exit code when there is none, said with a suggestion. */
int find_chat(const struct cli *cli, const char *name, struct hearth_id *ret_chat);
int find_contact(const struct cli *cli, const char *name, struct hearth_id *ret_contact);
int find_member(const struct cli *cli, const struct hearth_id *chat, const char *name,
                uint8_t ret_pseudonym[16]);

/* ---- suggest.c: the word of the list nearest to what was typed, or NULL. */
const char *suggest(const char *typed, const char *const *words, size_t count);

/* ---- kt.c */
/* After a command that had the account open: files of evidence into the profile, and the exit code
 * where a log raised an alarm meanwhile. */
int kt_aftermath(struct cli *cli, int code);

/* ---- events.c */
/* Prints an event with what it is about. */
void event_print(const struct cli *cli, const struct hearth_event *event);

/* ---- a file each */
#define COMMAND(noun, verb, function, arguments, least, most, needs, summary) \
    int command_##function(struct cli *cli);
#include "client/cli/command.def"
#undef COMMAND

#endif
