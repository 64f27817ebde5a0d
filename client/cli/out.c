/* What is said, and to whom: data to stdout, talk to stderr. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"

static int exit_code_of(const struct hearth_error *error)
{
    switch (error->result) {
    case HEARTH_DONE:
        return EXIT_DONE;
    case HEARTH_USAGE:
        return EXIT_USAGE;
    case HEARTH_UNVERIFIED:
        return EXIT_UNVERIFIED;
    case HEARTH_NOT_THERE:
        return EXIT_NOT_THERE;
    case HEARTH_TIMED_OUT:
        return EXIT_TIMED_OUT;
    case HEARTH_REFUSED:
        return EXIT_GRPC + error->grpc;
    default:
        return EXIT_FAILED;
    }
}

static void say(const struct cli *cli, int code, const char *name, const char *what,
                const char *cause, const char *hint)
{
    if (cli->json) {
        json_t *json =
            json_pack("{s:s, s:i, s:o, s:o*, s:o*}", "error", name, "exit", code, "text",
                      json_text(what), "cause", cause[0] != '\0' ? json_text(cause) : NULL, "hint",
                      hint[0] != '\0' ? json_text(hint) : NULL);
        (void)json_dumpf(json, stderr, JSON_COMPACT);
        (void)fputc('\n', stderr);
        json_decref(json);
        return;
    }
    print(stderr, "hearth: %s%s%s\n", what, cause[0] != '\0' ? ": " : "", cause);
    if (hint[0] != '\0')
        print(stderr, "  next: %s\n", hint);
}

int fail_with(const struct cli *cli, const struct hearth_error *error)
{
    int code = exit_code_of(error);
    char hint[240];
    (void)snprintf(hint, sizeof hint, "%s", error->hint);
    if (hint[0] == '\0' && error->retry_s > 0)
        (void)snprintf(hint, sizeof hint, "try again in %u s", (unsigned)error->retry_s);
    say(cli, code, error->name, error->text, error->cause, hint);
    return code;
}

int fail_said(const struct cli *cli, int code, const char *hint, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    say(cli, code,
        code == EXIT_USAGE       ? "USAGE"
        : code == EXIT_NOT_THERE ? "NOT_FOUND"
                                 : "FAILED",
        what, "", hint != NULL ? hint : "");
    return code;
}

int finish(struct cli *cli, struct hearth_op *op)
{
    struct hearth_error error = {0};
    if (op == NULL) {
        hearth_account_error(cli->account, &error);
        return fail_with(cli, &error);
    }
    if (hearth_op_wait(cli->account, op, cli->timeout_ms, &error) == HEARTH_DONE)
        return EXIT_DONE;
    return fail_with(cli, &error);
}

void line(const struct cli *cli, const char *label, const char *format, ...)
{
    if (cli->json)
        return;
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) >= 0)
        print(stdout, "%-8s %s\n", label, text);
    free(text);
    (void)fflush(stdout);
    va_end(args);
}

void object(const struct cli *cli, json_t *json)
{
    if (cli->json && json != NULL) {
        (void)json_dumpf(json, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
    }
    json_decref(json);
}

const char *clock_text(uint64_t unix_s, char buffer[32])
{
    time_t then = (time_t)unix_s, now = time(NULL);
    struct tm a, b;
    if (localtime_r(&then, &a) == NULL || localtime_r(&now, &b) == NULL)
        return "";
    bool today = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
    (void)strftime(buffer, 32, today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &a);
    return buffer;
}

const char *hex_text(const uint8_t *bytes, size_t len, char *buffer)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buffer[2 * i] = digits[bytes[i] >> 4];
        buffer[2 * i + 1] = digits[bytes[i] & 15];
    }
    buffer[2 * len] = '\0';
    return buffer;
}

bool confirmed(const struct cli *cli, const char *question)
{
    char answer[16];
    if (cli->yes)
        return true;
    if (cli->no_input || isatty(STDIN_FILENO) == 0) {
        (void)fail_said(cli, EXIT_USAGE, "say --yes", "%s", question);
        return false;
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

void show_progress(uint64_t done, uint64_t all, void *arg)
{
    const struct cli *cli = arg;
    if (cli->json || isatty(STDERR_FILENO) == 0 || all == 0)
        return;
    (void)fprintf(stderr, "\r%3u %% of %llu KiB", (unsigned)(done * 100 / all),
                  (unsigned long long)(all / 1024));
    if (done >= all)
        (void)fputs("\r\033[K", stderr);
}
