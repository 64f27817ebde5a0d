/* listen FOLDER COUNT: prints so many messages as they come, each once, also after a restart: an
 * event stays until it is taken. */
#include "open.h"

static bool print(const struct hearth_message *message, void *arg)
{
    (void)arg;
    return printf("%s: %s\n", message->sender_name, message->text) > 0 && fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    struct hearth_event event;
    struct hearth_account *me = argc == 3 ? open_account(argv[1], NULL) : NULL;
    if (me == NULL || !hearth_listen_start(me))
        return 1;
    int left = atoi(argv[2]);
    while (left > 0 && hearth_account_wait(me, 30000) && hearth_event_next(me, &event)) {
        if (event.kind == HEARTH_EVENT_MESSAGE) {
            hearth_message_each(me, &event.chat, event.message, 1, print, NULL);
            left--;
        }
        hearth_event_taken(me, event.number);
    }
    hearth_account_close(me);
    return 0;
}
