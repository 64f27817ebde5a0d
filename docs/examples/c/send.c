/* send FOLDER CHAT TEXT: sends one message and waits until the homeserver has it durably. */
#include "open.h"

int main(int argc, char **argv)
{
    struct hearth_id chat;
    struct hearth_error error = {0};
    char text[500];
    if (argc != 4)
        return 2;
    struct hearth_account *me = open_account(argv[1], NULL);
    if (!hearth_chat_find(me, argv[2], &chat)) {
        fprintf(stderr, "no chat %s\n", argv[2]);
        return 4;
    }
    if (hearth_op_wait(me, hearth_send(me, &chat, argv[3]), 20000, &error) != HEARTH_DONE)
        fprintf(stderr, "%s\n", hearth_error_text(&error, text, sizeof text));
    else
        puts("sent");
    hearth_account_close(me);
    return (int)error.result;
}
