/* echo_bot FOLDER COUNT: says yes to whoever asks, and answers every message with itself; ends
 * after COUNT answers. */
#include "open.h"

struct reply {
    struct hearth_account *me;
    char text[1000];
    bool ours;
};

static bool take(const struct hearth_message *message, void *arg)
{
    struct reply *reply = arg;
    reply->ours = message->own || message->kind != HEARTH_MESSAGE_TEXT;
    snprintf(reply->text, sizeof reply->text, "you said: %.900s", message->text);
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
    for (int left = atoi(argv[2]); left > 0 && hearth_account_wait(me, 60000);) {
        struct reply reply = {.me = me};
        if (!hearth_event_next(me, &event))
            continue;
        if (event.kind == HEARTH_EVENT_CONTACT_ASKS)
            hearth_op_wait(me, hearth_contact_accept(me, &event.contact), 20000, NULL);
        if (event.kind == HEARTH_EVENT_MESSAGE) {
            hearth_message_each(me, &event.chat, event.message, 1, take, &reply);
            if (!reply.ours && hearth_op_wait(me, hearth_send(me, &event.chat, reply.text), 20000,
                                              NULL) == HEARTH_DONE)
                left--;
        }
        hearth_event_taken(me, event.number);
    }
    hearth_account_close(me);
    return 0;
}
