/* Events as lines and as JSON. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"

static const char *kind_text(enum hearth_event_kind kind)
{
    static const char *const names[] = {"",         "message", "state",      "asks",    "accepted",
                                        "refused",  "contact", "joined",     "changed", "over",
                                        "broken",   "loss",    "unverified", "device",  "operation",
                                        "withheld", "log"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "event";
}

struct found_chat {
    struct hearth_id id;
    char name[160];
    bool direct;
};

static bool match_chat(const struct hearth_chat *chat, void *arg)
{
    struct found_chat *f = arg;
    if (!hearth_id_equal(&chat->id, &f->id))
        return true;
    (void)snprintf(f->name, sizeof f->name, "%s", chat->name);
    f->direct = chat->kind == HEARTH_CHAT_DIRECT;
    return false;
}

struct found_contact {
    struct hearth_id id;
    char handle[360];
};

static bool match_contact(const struct hearth_contact *contact, void *arg)
{
    struct found_contact *f = arg;
    if (!hearth_id_equal(&contact->id, &f->id))
        return true;
    (void)snprintf(f->handle, sizeof f->handle, "%s", contact->handle);
    return false;
}

struct printing {
    const struct cli *cli;
    const struct hearth_event *event;
    struct found_chat chat;
};

static const char *state_text(enum hearth_message_state state)
{
    return state == HEARTH_MESSAGE_SENT      ? "sent"
           : state == HEARTH_MESSAGE_FAILED  ? "failed"
           : state == HEARTH_MESSAGE_WAITING ? "waiting"
                                             : "received";
}

static bool print_message(const struct hearth_message *m, void *arg)
{
    const struct printing *p = arg;
    char time[32], pseudonym[33], id[HEARTH_ID_TEXT_BYTES], chat[HEARTH_ID_TEXT_BYTES];
    uint64_t at_s = m->accepted_s > 0 ? m->accepted_s : m->sent_ms / 1000;
    if (p->cli->json) {
        hearth_id_text(&m->id, id);
        hearth_id_text(&m->chat, chat);
        object(
            p->cli,
            json_pack(
                "{s:s, s:I, s:o, s:s, s:I, s:s, s:o, s:s, s:b, s:b, s:b, s:s, s:o, s:I, s:I, s:I}",
                "event", p->event != NULL ? kind_text(p->event->kind) : "message", "event_number",
                (json_int_t)(p->event != NULL ? p->event->number : 0), "chat",
                json_text(p->chat.name), "chat_id", chat, "number", (json_int_t)m->number, "id", id,
                "sender", json_text(m->sender_name), "pseudonym",
                hex_text(m->sender, 16, pseudonym), "own", m->own, "verified", m->sender_verified,
                "targeted", m->targeted, "state", state_text(m->state), "text", json_text(m->text),
                "file_bytes", (json_int_t)m->file_bytes, "sent_ms", (json_int_t)m->sent_ms,
                "accepted_s", (json_int_t)m->accepted_s));
        return true;
    }
    if (p->event != NULL && p->event->kind == HEARTH_EVENT_MESSAGE_STATE) {
        print(stdout, "%-8s  message %llu to %s: %s\n", clock_text(at_s, time),
              (unsigned long long)m->number, p->chat.name, state_text(m->state));
        return true;
    }
    if (m->kind == HEARTH_MESSAGE_NOTE) {
        print(stdout, "%-8s  %s: %s\n", clock_text(at_s, time), p->chat.name, m->text);
        return true;
    }
    print(stdout, "%-8s  %s%s%s%s%s  ", clock_text(at_s, time), m->own ? "(you)" : m->sender_name,
          m->own || m->sender_verified ? "" : " (not verified)", p->chat.direct ? "" : " in ",
          p->chat.direct ? "" : p->chat.name, m->targeted ? " (to one)" : "");
    if (m->kind == HEARTH_MESSAGE_FILE)
        print(stdout, "[file %llu: %s, %llu bytes]\n", (unsigned long long)m->number, m->text,
              (unsigned long long)m->file_bytes);
    else
        print(stdout, "%s%s\n", m->text,
              m->own && m->state != HEARTH_MESSAGE_SENT ? " (not sent yet)" : "");
    return true;
}

static void print_other(const struct cli *cli, const struct hearth_event *event,
                        const struct found_chat *chat)
{
    struct found_contact contact = {.id = event->contact};
    char id[HEARTH_ID_TEXT_BYTES];
    (void)hearth_contact_each(cli->account, match_contact, &contact);
    hearth_id_text(&event->contact, id);
    if (cli->json) {
        object(cli,
               json_pack("{s:s, s:I, s:o, s:o, s:s, s:I, s:i, s:o}", "event",
                         kind_text(event->kind), "event_number", (json_int_t)event->number, "chat",
                         json_text(chat->name), "contact", json_text(contact.handle), "contact_id",
                         id, "count", (json_int_t)event->message, "result", (int)event->result,
                         "text", json_text(event->text != NULL ? event->text : "")));
        return;
    }
    switch (event->kind) {
    case HEARTH_EVENT_CONTACT_ASKS:
        print(stdout, "asks      %s wants to connect: hearth contact accept %s\n", contact.handle,
              contact.handle);
        break;
    case HEARTH_EVENT_CONTACT_ACCEPTED:
        print(stdout, "accepted  %s is a contact now\n", contact.handle);
        break;
    case HEARTH_EVENT_CONTACT_REFUSED:
        print(stdout, "refused   %s said no\n", contact.handle);
        break;
    case HEARTH_EVENT_CHAT_JOINED:
        print(stdout, "joined    %s\n", chat->name);
        break;
    case HEARTH_EVENT_CHAT_OVER:
        print(stdout, "over      %s\n", chat->name);
        break;
    case HEARTH_EVENT_LOSS:
        print(stdout, "loss      %llu messages to %s were lost: %s\n",
              (unsigned long long)event->message, chat->name[0] != '\0' ? chat->name : "us",
              event->text != NULL ? event->text : "");
        break;
    case HEARTH_EVENT_WITHHELD:
        print(stdout, "withheld  %llu in %s: %s\n", (unsigned long long)event->message, chat->name,
              event->text != NULL ? event->text : "");
        break;
    default:
        print(stdout, "%-8s  %s%s%s\n", kind_text(event->kind),
              chat->name[0] != '\0' ? chat->name : contact.handle,
              event->text != NULL && event->text[0] != '\0' ? ": " : "",
              event->text != NULL ? event->text : "");
    }
}

/* That one's own message is sent was said when it was sent; what failed is news. */
static bool is_news(const struct cli *cli, const struct hearth_event *event)
{
    return cli->json || event->kind != HEARTH_EVENT_MESSAGE_STATE || event->result != HEARTH_DONE;
}

void event_print(const struct cli *cli, const struct hearth_event *event)
{
    if (!is_news(cli, event))
        return;
    struct printing p = {cli, event, {.id = event->chat}};
    (void)hearth_chat_each(cli->account, match_chat, &p.chat);
    if (event->kind == HEARTH_EVENT_MESSAGE || event->kind == HEARTH_EVENT_MESSAGE_STATE)
        (void)hearth_message_each(cli->account, &event->chat, event->message, 1, print_message, &p);
    else
        print_other(cli, event, &p.chat);
    (void)fflush(stdout);
}

int command_history(struct cli *cli)
{
    struct printing p = {cli, NULL, {.direct = true}};
    uint64_t from = 1;
    int code = find_chat(cli, cli->argv[0], &p.chat.id);
    if (code != EXIT_DONE)
        return code;
    struct hearth_chat chat;
    (void)hearth_chat_each(cli->account, match_chat, &p.chat);
    if (cli->count > 0 && hearth_chat_get(cli->account, &p.chat.id, &chat) &&
        chat.messages > cli->count)
        from = chat.messages - cli->count + 1;
    (void)hearth_message_each(cli->account, &p.chat.id, from, 0, print_message, &p);
    return EXIT_DONE;
}
