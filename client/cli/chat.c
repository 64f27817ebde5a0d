/* chat: lines typed go out, lines of others come in above the one being typed. */
#include <editline/readline.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"

enum { TURN_MS = 20 };

/* readline's callback has no argument. */
static struct talking {
    struct cli *cli;
    struct hearth_id chat;
    bool over;
} talking;

static void drop_op(const struct hearth_error *result, void *arg)
{
    if (result->result != HEARTH_DONE)
        (void)fail_with(arg, result);
}

static void typed(char *text)
{
    struct hearth_error error = {0};
    if (text == NULL || strcmp(text, "/quit") == 0) {
        talking.over = true;
        rl_callback_handler_remove();
        free(text);
        return;
    }
    if (text[0] != '\0') {
        (void)add_history(text);
        struct hearth_op *op = hearth_send(talking.cli->account, &talking.chat, text);
        if (op != NULL) {
            hearth_op_on_done(op, drop_op, talking.cli);
        } else {
            hearth_account_error(talking.cli->account, &error);
            (void)fail_with(talking.cli, &error);
        }
    }
    free(text);
}

/* above_line: a line is being typed at a terminal, which the events go above. */
static void show_events(const struct cli *cli, bool above_line)
{
    struct hearth_event event;
    bool shown = false;
    while (hearth_event_next(cli->account, &event)) {
        if (event.kind != HEARTH_EVENT_MESSAGE_STATE) {
            if (!shown && above_line)
                (void)fputs("\r\033[K", stdout);
            event_print(cli, &event);
            shown = true;
        }
        (void)hearth_event_taken(cli->account, event.number);
    }
    if (shown && above_line)
        rl_forced_update_display();
}

/* Not on a terminal: every line is a message, the end of input the end. */
static int plain_lines(struct cli *cli)
{
    char *text = NULL;
    size_t size = 0;
    int code = EXIT_DONE;
    while (code == EXIT_DONE && getline(&text, &size, stdin) > 0) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] != '\0')
            code = finish(cli, hearth_send(cli->account, &talking.chat, text));
        show_events(cli, false);
    }
    free(text);
    return code;
}

int command_chat(struct cli *cli)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct hearth_error error = {0};
    talking.cli = cli;
    int code = find_chat(cli, cli->argv[0], &talking.chat);
    if (code != EXIT_DONE)
        return code;
    if (!hearth_listen_start(cli->account)) {
        hearth_account_error(cli->account, &error);
        return fail_with(cli, &error);
    }
    if (isatty(STDIN_FILENO) == 0)
        return plain_lines(cli);
    (void)fprintf(stderr, "talking with %s; /quit or Ctrl-D ends\n", cli->argv[0]);
    rl_callback_handler_install("> ", typed);
    while (!talking.over) {
        (void)hearth_account_wait(cli->account, TURN_MS);
        show_events(cli, true);
        while (!talking.over && poll(&input, 1, 0) > 0) {
            if ((input.revents & (POLLHUP | POLLERR)) != 0 && (input.revents & POLLIN) == 0)
                talking.over = true;
            else
                rl_callback_read_char();
        }
    }
    return EXIT_DONE;
}
