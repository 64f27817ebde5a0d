/* One person for tests/crash/clients.py: the client library under commands from standard input, so
 * that a driver can kill it at any moment and ask later what it knows.
 *
 *     client_worker FOLDER DOMAIN=ADDRESS CA
 *     register INVITATION HANDLE | ask HANDLE | create NAME | add GROUP HANDLE | remove GROUP
 * HANDLE | leave GROUP | update GROUP | send GROUP TEXT | state | quit
 *
 * Each line begins with a number of the driver's. Answers: `begun N` when it is durable, `ended N
 * RESULT NAME` when it is over, `state N JSON` (one line), `heard TEXT` for each message that
 * comes, `fault ...` for what may not happen. Whoever asks to connect is accepted.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hearth/client.h"

enum { LINE_MAX_BYTES = 4096 };

static struct event_base *base;
static struct hearth_account *me;
static char line[LINE_MAX_BYTES];
static size_t filled;

struct asked {
    char number[24];
};

static void ended(const struct hearth_error *result, void *arg)
{
    struct asked *a = arg;
    printf("ended %s %d %s\n", a->number, (int)result->result,
           result->name[0] != '\0' ? result->name : "-");
    fflush(stdout);
    (void)hearth_listen_start(me); /* at first it was not registered */
    free(a);
}

static void follow(const char *number, struct hearth_op *op)
{
    struct hearth_error error;
    struct asked *a = calloc(1, sizeof *a);
    if (a == NULL)
        abort();
    (void)snprintf(a->number, sizeof a->number, "%s", number);
    if (op == NULL) {
        hearth_account_error(me, &error);
        ended(&error, a);
        return;
    }
    printf("begun %s\n", number);
    fflush(stdout);
    hearth_op_on_done(op, ended, a);
}

/* ---- what it knows */

static bool add_message(const struct hearth_message *m, void *arg)
{
    if (m->kind != HEARTH_MESSAGE_TEXT)
        return true;
    return json_array_append_new(arg, json_pack("[s, i, b]", m->text, (int)m->state, m->own)) == 0;
}

static bool add_member(const struct hearth_member *m, void *arg)
{
    return json_array_append_new(
               arg, json_pack("[s, b, i]", m->name, m->verified, (int)m->devices)) == 0;
}

enum { CHATS_MAX = 64 };
struct ids {
    struct hearth_id list[CHATS_MAX];
    size_t count;
};

static bool keep_group(const struct hearth_chat *chat, void *arg)
{
    struct ids *ids = arg;
    if (chat->kind == HEARTH_CHAT_GROUP && ids->count < CHATS_MAX)
        ids->list[ids->count++] = chat->id;
    return true;
}

/* Listings don't nest: first which there are, then each. */
static void add_chats(json_t *chats)
{
    struct ids ids = {.count = 0};
    struct hearth_chat chat;
    (void)hearth_chat_each(me, keep_group, &ids);
    for (size_t i = 0; i < ids.count; i++) {
        json_t *messages = json_array(), *members = json_array();
        (void)hearth_message_each(me, &ids.list[i], 1, 0, add_message, messages);
        (void)hearth_member_each(me, &ids.list[i], add_member, members);
        if (!hearth_chat_get(me, &ids.list[i], &chat))
            continue;
        (void)json_array_append_new(chats, json_pack("{s:s, s:i, s:I, s:b, s:i, s:o, s:o}", "name",
                                                     chat.name, "state", (int)chat.state, "epoch",
                                                     (json_int_t)chat.epoch, "admin", chat.admin,
                                                     "unverified", (int)chat.unverified, "messages",
                                                     messages, "members", members));
    }
}

static bool add_contact(const struct hearth_contact *contact, void *arg)
{
    return json_object_set_new(arg, contact->handle, json_integer((int)contact->state)) == 0;
}

static void tell_state(const char *number)
{
    struct hearth_account_info info;
    json_t *chats = json_array(), *contacts = json_object();
    hearth_account_info(me, &info);
    (void)hearth_contact_each(me, add_contact, contacts);
    add_chats(chats);
    json_t *json = json_pack("{s:o, s:o, s:i, s:I}", "chats", chats, "contacts", contacts, "tasks",
                             (int)info.tasks, "received", (json_int_t)info.queue_sequence);
    char *text = json_dumps(json, JSON_COMPACT);
    printf("state %s %s\n", number, text);
    fflush(stdout);
    free(text);
    json_decref(json);
}

/* ---- events */

static bool print_doubtful(const struct hearth_member *m, void *arg)
{
    (void)arg;
    if (!m->verified)
        printf(", not verified: %s", m->name);
    return true;
}

/* event->message is the leaf that an UNVERIFIED event is about. Who driving us wants to explain it
 * needs to know which device, in which group and epoch, and what this one was waiting for. */
static void tell_fault(struct hearth_account *account, const struct hearth_event *event)
{
    struct hearth_chat chat = {.name = "no chat"};
    struct hearth_contact contact = {.handle = "nobody we know"};
    struct hearth_account_info info;
    (void)hearth_chat_get(account, &event->chat, &chat);
    printf("fault %d %s (%s, state %d, epoch %llu", (int)event->kind, event->text, chat.name,
           (int)chat.state, (unsigned long long)chat.epoch);
    (void)hearth_contact_get(account, &event->contact, &contact);
    hearth_account_info(account, &info);
    printf(", leaf %llu, of %s, %d tasks, item %llu", (unsigned long long)event->message,
           contact.handle, (int)info.tasks, (unsigned long long)info.queue_sequence);
    (void)hearth_member_each(account, &event->chat, print_doubtful, NULL);
    printf(")\n");
}

static bool tell_message(const struct hearth_message *m, void *arg)
{
    (void)arg;
    if (!m->own && m->kind == HEARTH_MESSAGE_TEXT)
        printf("heard %s\n", m->text);
    return true;
}

static void on_event(struct hearth_account *account, void *arg)
{
    struct hearth_event event;
    (void)arg;
    while (hearth_event_next(account, &event)) {
        if (event.kind == HEARTH_EVENT_CONTACT_ASKS) {
            struct hearth_op *op = hearth_contact_accept(account, &event.contact);
            if (op != NULL)
                hearth_op_detach(op);
        }
        if (event.kind == HEARTH_EVENT_UNVERIFIED || event.kind == HEARTH_EVENT_LOSS ||
            event.kind == HEARTH_EVENT_WITHHELD)
            tell_fault(account, &event);
        if (event.kind == HEARTH_EVENT_MESSAGE)
            (void)hearth_message_each(account, &event.chat, event.message, 1, tell_message, NULL);
        if (event.kind == HEARTH_EVENT_CHAT_BROKEN)
            printf("resync\n");
        fflush(stdout);
        (void)hearth_event_taken(account, event.number);
    }
}

/* ---- commands */

struct found {
    const char *name;
    uint8_t pseudonym[16];
    bool hit;
};

static bool match(const struct hearth_member *m, void *arg)
{
    struct found *f = arg;
    if (strcmp(m->name, f->name) == 0) {
        memcpy(f->pseudonym, m->pseudonym, 16);
        f->hit = true;
    }
    return true;
}

static struct hearth_op *remove_member(const struct hearth_id *chat, const char *handle)
{
    struct found f = {.name = handle};
    (void)hearth_member_each(me, chat, match, &f);
    return f.hit ? hearth_group_remove(me, chat, f.pseudonym) : NULL;
}

static void command(char *text)
{
    char *rest = text;
    const char *number = strsep(&rest, " "), *verb = strsep(&rest, " ");
    const char *first =
        rest != NULL && verb != NULL && strcmp(verb, "register") != 0 ? strsep(&rest, " ") : NULL;
    struct hearth_id chat, contact;
    bool has_chat = first != NULL && hearth_chat_find(me, first, &chat);
    if (verb == NULL)
        return;
    if (strcmp(verb, "quit") == 0) {
        (void)event_base_loopbreak(base);
    } else if (strcmp(verb, "state") == 0) {
        tell_state(number);
    } else if (strcmp(verb, "register") == 0) {
        const char *invitation = strsep(&rest, " ");
        const struct hearth_register_options o = {
            .size = sizeof o, .invitation = invitation, .handle = rest};
        follow(number, hearth_register(me, &o));
    } else if (strcmp(verb, "ask") == 0) {
        follow(number, hearth_contact_add(me, first));
    } else if (strcmp(verb, "create") == 0) {
        follow(number, hearth_group_create(me, first));
    } else if (!has_chat) {
        printf("ended %s %d NO_CHAT\n", number, (int)HEARTH_NOT_THERE);
        fflush(stdout);
    } else if (strcmp(verb, "add") == 0) {
        follow(number, rest != NULL && hearth_contact_find(me, rest, &contact)
                           ? hearth_group_add(me, &chat, &contact, 1)
                           : NULL);
    } else if (strcmp(verb, "remove") == 0) {
        follow(number, remove_member(&chat, rest));
    } else if (strcmp(verb, "leave") == 0) {
        follow(number, hearth_group_leave(me, &chat));
    } else if (strcmp(verb, "update") == 0) {
        follow(number, hearth_group_update(me, &chat));
    } else if (strcmp(verb, "send") == 0) {
        follow(number, hearth_send(me, &chat, rest));
    }
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    ssize_t got = read(fd, line + filled, sizeof line - 1 - filled);
    if (got <= 0) {
        (void)event_base_loopbreak(base);
        return;
    }
    filled += (size_t)got;
    line[filled] = '\0';
    char *begin = line;
    for (char *end; (end = strchr(begin, '\n')) != NULL; begin = end + 1) {
        *end = '\0';
        command(begin);
    }
    filled -= (size_t)(begin - line);
    memmove(line, begin, filled + 1);
}

int main(int argc, char **argv)
{
    static const uint8_t key[32] = {1};
    char path[1024], text[500];
    struct hearth_error error = {0};
    if (argc != 4)
        return 2;
    (void)snprintf(path, sizeof path, "%s/account.db", argv[1]);
    base = event_base_new();
    const struct hearth_account_options o = {.size = sizeof o,
                                             .path = path,
                                             .key = key,
                                             .base = base,
                                             .homeservers = argv[2],
                                             .ca_file = argv[3]};
    if (!(access(path, F_OK) == 0 ? hearth_account_open(&o, &me, &error)
                                  : hearth_account_create(&o, &me, &error))) {
        printf("fault %s\n", hearth_error_text(&error, text, sizeof text));
        return 1;
    }
    struct event *input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);
    (void)event_add(input, NULL);
    hearth_account_on_event(me, on_event, NULL);
    (void)hearth_listen_start(me);
    on_event(me, NULL);
    printf("ready\n");
    fflush(stdout);
    (void)event_base_dispatch(base);
    event_free(input);
    hearth_account_close(me);
    event_base_free(base);
    return 0;
}
