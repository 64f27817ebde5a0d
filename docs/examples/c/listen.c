/* listen FOLDER COUNT: prints so many messages as they come, each once, also after a restart: an
 * event stays until it is taken. */
#include "open.h"

static bool print(const struct hearth_message *message, void *arg)
{
    (void)arg;
    printf("%s: %s\n", message->sender_name, message->text);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct hearth_event event;
    if (argc != 3)
        return 2;
    struct hearth_account *me = open_account(argv[1], NULL);
    if (!hearth_listen_start(me))
        return 1;
    for (int left = atoi(argv[2]); left > 0 && hearth_account_wait(me, 30000);) {
        if (!hearth_event_next(me, &event))
            continue;
        if (event.kind == HEARTH_EVENT_MESSAGE) {
            hearth_message_each(me, &event.chat, event.message, 1, print, NULL);
            left--;
        }
        hearth_event_taken(me, event.number);
    }
    hearth_account_close(me);
    return 0;
}
