/* on_libevent FOLDER CHAT: an application with a libevent loop of its own. A line typed goes out, a
 * message that comes is printed; both on the one loop, nothing blocks. Ends with the input. */
#include <event2/event.h>
#include <unistd.h>

#include "open.h"

struct app {
    struct event_base *base;
    struct hearth_account *me;
    struct hearth_id chat;
    unsigned waiting; /* sends not ended */
    bool closed;
};

static void sent(const struct hearth_error *result, void *arg)
{
    struct app *app = arg;
    char text[500];
    if (result->result != HEARTH_DONE)
        fprintf(stderr, "%s\n", hearth_error_text(result, text, sizeof text));
    app->waiting--;
    if (app->closed && app->waiting == 0)
        event_base_loopbreak(app->base);
}

static void typed(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;
    char text[1000];
    (void)what;
    ssize_t len = read(fd, text, sizeof text - 1);
    app->closed = len <= 0;
    if (app->closed && app->waiting == 0)
        event_base_loopbreak(app->base);
    if (len <= 1)
        return;
    text[len - 1] = '\0'; /* a terminal gives whole lines */
    struct hearth_op *op = hearth_send(app->me, &app->chat, text);
    if (op == NULL)
        return;
    app->waiting++;
    hearth_op_on_done(op, sent, app);
}

static bool print(const struct hearth_message *message, void *arg)
{
    (void)arg;
    return printf("%s: %s\n", message->sender_name, message->text) > 0 && fflush(stdout) == 0;
}

static void on_event(struct hearth_account *me, void *arg)
{
    struct hearth_event event;
    (void)arg;
    while (hearth_event_next(me, &event)) {
        if (event.kind == HEARTH_EVENT_MESSAGE)
            hearth_message_each(me, &event.chat, event.message, 1, print, NULL);
        hearth_event_taken(me, event.number);
    }
}

int main(int argc, char **argv)
{
    struct app app = {.base = event_base_new()};
    if (argc != 3)
        return 2;
    app.me = open_account(argv[1], app.base);
    if (!hearth_chat_find(app.me, argv[2], &app.chat) || !hearth_listen_start(app.me))
        return 1;
    struct event *input = event_new(app.base, STDIN_FILENO, EV_READ | EV_PERSIST, typed, &app);
    event_add(input, NULL);
    hearth_account_on_event(app.me, on_event, NULL);
    event_base_dispatch(app.base);
    event_free(input);
    hearth_account_close(app.me);
    event_base_free(app.base);
}
