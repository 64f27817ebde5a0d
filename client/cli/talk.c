/* send, sync, listen, wait, file send|get. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"

enum { TEXT_MAX = 65536 };

/* The words joined, or standard input. NULL: said why. */
static char *text_of(const struct cli *cli)
{
    char *text = calloc(1, TEXT_MAX + 1);
    size_t len = 0;
    if (text == NULL)
        return NULL;
    if (cli->argc == 1 || (cli->argc == 2 && strcmp(cli->argv[1], "-") == 0)) {
        len = fread(text, 1, TEXT_MAX + 1, stdin);
        while (len > 0 && len <= TEXT_MAX && text[len - 1] == '\n')
            len--;
    } else {
        for (int i = 1; i < cli->argc && len <= TEXT_MAX; i++)
            len += (size_t)snprintf(text + len, TEXT_MAX + 1 - len, "%s%s", i > 1 ? " " : "",
                                    cli->argv[i]);
    }
    if (len == 0 || len > TEXT_MAX) {
        (void)fail_said(cli, EXIT_USAGE, len == 0 ? NULL : "hearth file send",
                        len == 0 ? "there is nothing to send" : "the text is longer than 64 KiB");
        free(text);
        return NULL;
    }
    text[len] = '\0';
    if (strlen(text) != len) {
        (void)fail_said(cli, EXIT_USAGE, "hearth file send", "that is no text");
        free(text);
        return NULL;
    }
    return text;
}

int command_send(struct cli *cli)
{
    struct hearth_id chat;
    uint8_t pseudonym[16];
    char time_text[32];
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code == EXIT_DONE && cli->to != NULL)
        code = find_member(cli, &chat, cli->to, pseudonym);
    if (code != EXIT_DONE)
        return code;
    char *text = text_of(cli);
    if (text == NULL)
        return EXIT_USAGE;
    code = finish(cli, cli->to != NULL ? hearth_send_to(cli->account, &chat, pseudonym, text)
                                       : hearth_send(cli->account, &chat, text));
    free(text);
    if (code == EXIT_DONE) {
        line(cli, "sent", "%s", clock_text((uint64_t)time(NULL), time_text));
        object(cli, cli->json ? json_pack("{s:b}", "sent", 1) : NULL);
    }
    return code;
}

/* What is waited for; kind 0: nothing. */
struct wanted {
    enum hearth_event_kind kind;
    const char *name; /* of the chat or contact; NULL: any */
    bool *withheld;   /* set when the homeserver was found out; NULL: nobody asks */
};

static bool is_wanted(const struct cli *cli, const struct wanted *wanted,
                      const struct hearth_event *event)
{
    struct hearth_chat chat;
    struct hearth_contact contact;
    if (wanted->kind == 0 || wanted->kind != event->kind)
        return false;
    return wanted->name == NULL ||
           (hearth_chat_get(cli->account, &event->chat, &chat) &&
            strcmp(chat.name, wanted->name) == 0) ||
           (hearth_contact_get(cli->account, &event->contact, &contact) &&
            strcmp(contact.handle, wanted->name) == 0);
}

/* Prints what there is and takes it; at most `most` messages (0: all). Returns how many. */
static uint64_t drain(const struct cli *cli, uint64_t most, const struct wanted *wanted,
                      bool *ret_met)
{
    struct hearth_event event;
    uint64_t messages = 0;
    while ((most == 0 || messages < most) && !*ret_met && hearth_event_next(cli->account, &event)) {
        event_print(cli, &event);
        if (ferror(stdout) != 0)
            break; /* nobody read it: it stays for the next time */
        messages += event.kind == HEARTH_EVENT_MESSAGE;
        *ret_met = is_wanted(cli, wanted, &event);
        if (wanted->withheld != NULL)
            *wanted->withheld |= event.kind == HEARTH_EVENT_WITHHELD;
        (void)hearth_event_taken(cli->account, event.number);
    }
    return messages;
}

int command_sync(struct cli *cli)
{
    bool met = false, withheld = false;
    int code = finish(cli, hearth_sync(cli->account));
    (void)drain(cli, 0, &(struct wanted){.withheld = &withheld}, &met);
    return code == EXIT_DONE && withheld ? EXIT_UNVERIFIED : code;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Receives and prints until so many messages, or an event of the kind, or the time is over. */
static int receive(struct cli *cli, uint64_t count, const struct wanted *wanted,
                   uint32_t timeout_ms)
{
    uint64_t end = now_ms() + timeout_ms, seen = 0;
    bool met = false;
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    if (!hearth_listen_start(cli->account)) {
        struct hearth_error error = {0};
        hearth_account_error(cli->account, &error);
        return fail_with(cli, &error);
    }
    for (;;) {
        seen += drain(cli, count > 0 ? count - seen : 0, wanted, &met);
        if (met || (count > 0 && seen >= count) || ferror(stdout) != 0)
            return EXIT_DONE; /* what was not written is cli_main's word */
        uint64_t now = now_ms();
        if (timeout_ms > 0 && now >= end)
            return count > 0 || wanted->kind != 0
                       ? fail_said(cli, EXIT_TIMED_OUT, NULL, "nothing came within %u s",
                                   (unsigned)(timeout_ms / 1000))
                       : EXIT_DONE;
        if (interrupted != 0)
            return EXIT_DONE;
        (void)hearth_account_wait(cli->account,
                                  timeout_ms > 0 && end - now < 500 ? (uint32_t)(end - now) : 500);
    }
}

int command_listen(struct cli *cli)
{
    bool withheld = false;
    int code = receive(cli, cli->count, &(struct wanted){.withheld = &withheld},
                       cli->timeout_said ? cli->timeout_ms : 0);
    return code == EXIT_DONE && withheld ? EXIT_UNVERIFIED : code;
}

int command_wait(struct cli *cli)
{
    static const struct {
        const char *name;
        enum hearth_event_kind kind;
    } words[] = {
        {"message", HEARTH_EVENT_MESSAGE},           {"contact", HEARTH_EVENT_CONTACT_ASKS},
        {"accepted", HEARTH_EVENT_CONTACT_ACCEPTED}, {"refused", HEARTH_EVENT_CONTACT_REFUSED},
        {"joined", HEARTH_EVENT_CHAT_JOINED},        {"sent", HEARTH_EVENT_MESSAGE_STATE}};
    const char *wanted = cli->argc > 0 ? cli->argv[0] : "message";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(wanted, words[i].name) == 0)
            return receive(cli, 0,
                           &(struct wanted){.kind = words[i].kind,
                                            .name = cli->argc > 1 ? cli->argv[1] : NULL},
                           cli->timeout_ms);
    return fail_said(cli, EXIT_USAGE, "hearth help wait", "\"%s\" is nothing to wait for", wanted);
}

/* ---- files */

int command_file_send(struct cli *cli)
{
    struct hearth_id chat;
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code != EXIT_DONE)
        return code;
    struct hearth_op *op = hearth_file_send(cli->account, &chat, cli->argv[1]);
    if (op != NULL)
        hearth_op_on_progress(op, show_progress, cli);
    code = finish(cli, op);
    if (code == EXIT_DONE) {
        line(cli, "sent", "%s", cli->argv[1]);
        object(cli, cli->json ? json_pack("{s:o}", "sent", json_text(cli->argv[1])) : NULL);
    }
    return code;
}

int command_file_get(struct cli *cli)
{
    struct hearth_id chat;
    char *end = NULL;
    unsigned long long number = strtoull(cli->argv[1], &end, 10);
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code != EXIT_DONE)
        return code;
    if (*end != '\0' || number == 0)
        return fail_said(cli, EXIT_USAGE, "hearth history CHAT", "\"%s\" is no number of a message",
                         cli->argv[1]);
    struct hearth_op *op = hearth_file_get(cli->account, &chat, number, cli->argv[2]);
    if (op != NULL)
        hearth_op_on_progress(op, show_progress, cli);
    code = finish(cli, op);
    if (code == EXIT_DONE) {
        line(cli, "saved", "%s", cli->argv[2]);
        object(cli, cli->json ? json_pack("{s:o}", "saved", json_text(cli->argv[2])) : NULL);
    }
    return code;
}
