/* on_libuv FOLDER CHAT TEXT: an application whose own work runs on libuv. libuv is made to be
 * embedded: its backend descriptor is watched by the libevent loop that the account runs on, and
 * libuv takes a turn whenever it has something to do. */
#include <event2/event.h>
#include <string.h>
#include <uv.h>

#include "open.h"

struct app {
    struct event_base *base;
    struct event *turn;
    uv_loop_t uv;
    uv_timer_t timer;
    struct hearth_account *me;
    struct hearth_id chat;
    const char *text;
    int result;
};

/* libuv's turn; sleeps as long as libuv says. */
static void uv_turn(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;
    (void)fd;
    (void)what;
    uv_run(&app->uv, UV_RUN_NOWAIT);
    int ms = uv_backend_timeout(&app->uv);
    struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    event_add(app->turn, ms >= 0 ? &wait : NULL);
}

static void sent(const struct hearth_error *result, void *arg)
{
    struct app *app = arg;
    char text[500];
    app->result = (int)result->result;
    puts(result->result == HEARTH_DONE ? "sent" : hearth_error_text(result, text, sizeof text));
    event_base_loopbreak(app->base);
}

/* Work of the application's own, on libuv: after 50 ms it has something to say. */
static void tick(uv_timer_t *timer)
{
    struct app *app = timer->data;
    struct hearth_op *op = hearth_send(app->me, &app->chat, app->text);
    if (op != NULL)
        hearth_op_on_done(op, sent, app);
    else
        event_base_loopbreak(app->base);
}

int main(int argc, char **argv)
{
    struct app app = {.base = event_base_new(), .result = 1};
    if (argc != 4)
        return 2;
    app.text = argv[3];
    app.me = open_account(argv[1], app.base);
    if (!hearth_chat_find(app.me, argv[2], &app.chat))
        return 4;
    uv_loop_init(&app.uv);
    uv_timer_init(&app.uv, &app.timer);
    app.timer.data = &app;
    uv_timer_start(&app.timer, tick, 50, 0);
    app.turn = event_new(app.base, uv_backend_fd(&app.uv), EV_READ, uv_turn, &app);
    event_active(app.turn, EV_READ, 0);
    event_base_dispatch(app.base);
    event_free(app.turn);
    uv_close((uv_handle_t *)&app.timer, NULL);
    uv_run(&app.uv, UV_RUN_DEFAULT);
    uv_loop_close(&app.uv);
    hearth_account_close(app.me);
    event_base_free(app.base);
    return app.result;
}
