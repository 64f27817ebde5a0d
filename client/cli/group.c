/* group ... */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"

enum { ADDED_MAX = 32 };

static int said(struct cli *cli, int code, const char *label, const char *what)
{
    if (code == EXIT_DONE) {
        line(cli, label, "%s", what);
        object(cli,
               cli->json ? json_pack("{s:s, s:o}", "done", label, "what", json_text(what)) : NULL);
    }
    return code;
}

int command_group_create(struct cli *cli)
{
    struct hearth_op *op = hearth_group_create(cli->account, cli->argv[0]);
    struct hearth_id id = {{0}};
    char text[HEARTH_ID_TEXT_BYTES];
    if (op != NULL)
        id = hearth_op_id(op);
    int code = finish(cli, op);
    if (code == EXIT_DONE) {
        hearth_id_text(&id, text);
        line(cli, "group", "%s", cli->argv[0]);
        object(cli, cli->json
                        ? json_pack("{s:o, s:s}", "group", json_text(cli->argv[0]), "id", text)
                        : NULL);
    }
    return code;
}

int command_group_add(struct cli *cli)
{
    struct hearth_id chat, contacts[ADDED_MAX];
    size_t count = (size_t)cli->argc - 1;
    int code = find_chat(cli, cli->argv[0], &chat);
    for (size_t i = 0; i < count && code == EXIT_DONE; i++)
        code = find_contact(cli, cli->argv[i + 1], &contacts[i]);
    if (code != EXIT_DONE)
        return code;
    code = finish(cli, hearth_group_add(cli->account, &chat, contacts, count));
    for (size_t i = 0; i < count && code == EXIT_DONE; i++)
        (void)said(cli, code, "added", cli->argv[i + 1]);
    return code;
}

/* A verb about a member. */
static int on_member(struct cli *cli, const char *label,
                     struct hearth_op *(*verb)(struct hearth_account *, const struct hearth_id *,
                                               const uint8_t[16]))
{
    struct hearth_id chat;
    uint8_t pseudonym[16];
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code == EXIT_DONE)
        code = find_member(cli, &chat, cli->argv[1], pseudonym);
    if (code != EXIT_DONE)
        return code;
    return said(cli, finish(cli, verb(cli->account, &chat, pseudonym)), label, cli->argv[1]);
}

static struct hearth_op *promote(struct hearth_account *a, const struct hearth_id *chat,
                                 const uint8_t pseudonym[16])
{
    return hearth_group_set_admin(a, chat, pseudonym, true);
}

static struct hearth_op *demote(struct hearth_account *a, const struct hearth_id *chat,
                                const uint8_t pseudonym[16])
{
    return hearth_group_set_admin(a, chat, pseudonym, false);
}

int command_group_remove(struct cli *cli)
{
    return on_member(cli, "removed", hearth_group_remove);
}

int command_group_promote(struct cli *cli)
{
    return on_member(cli, "admin", promote);
}

int command_group_demote(struct cli *cli)
{
    return on_member(cli, "member", demote);
}

/* A verb about the group alone. */
static int on_group(struct cli *cli, const char *label,
                    struct hearth_op *(*verb)(struct hearth_account *, const struct hearth_id *))
{
    struct hearth_id chat;
    int code = find_chat(cli, cli->argv[0], &chat);
    return code == EXIT_DONE
               ? said(cli, finish(cli, verb(cli->account, &chat)), label, cli->argv[0])
               : code;
}

int command_group_leave(struct cli *cli)
{
    return on_group(cli, "left", hearth_group_leave);
}

int command_group_update(struct cli *cli)
{
    return on_group(cli, "updated", hearth_group_update);
}

int command_group_resync(struct cli *cli)
{
    return on_group(cli, "resynced", hearth_group_resync);
}

int command_group_delete(struct cli *cli)
{
    if (!confirmed(cli, "End this group for all its members?"))
        return EXIT_USAGE;
    return on_group(cli, "deleted", hearth_group_delete);
}

int command_group_rename(struct cli *cli)
{
    struct hearth_id chat;
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code != EXIT_DONE)
        return code;
    return said(cli, finish(cli, hearth_group_rename(cli->account, &chat, cli->argv[1])), "renamed",
                cli->argv[1]);
}

int command_group_notify(struct cli *cli)
{
    static const char *const words[] = {"all", "direct", "none"};
    struct hearth_id chat;
    int policy = 0;
    for (int i = 0; i < 3; i++)
        if (strcmp(cli->argv[1], words[i]) == 0)
            policy = i + 1;
    if (policy == 0)
        return fail_said(cli, EXIT_USAGE, NULL, "say all, direct or none");
    int code = find_chat(cli, cli->argv[0], &chat);
    if (code != EXIT_DONE)
        return code;
    return said(
        cli, finish(cli, hearth_group_set_notify(cli->account, &chat, (enum hearth_notify)policy)),
        "notify", cli->argv[1]);
}

/* ---- looking */

static const char *chat_state_text(enum hearth_chat_state state)
{
    return state == HEARTH_CHAT_STARTING ? "starting"
           : state == HEARTH_CHAT_OPEN   ? "open"
           : state == HEARTH_CHAT_BROKEN ? "broken"
                                         : "over";
}

static json_t *chat_json(const struct hearth_chat *chat)
{
    char id[HEARTH_ID_TEXT_BYTES];
    hearth_id_text(&chat->id, id);
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:i}", "id", id, "name",
        json_text(chat->name), "kind", chat->kind == HEARTH_CHAT_GROUP ? "group" : "direct",
        "state", chat_state_text(chat->state), "admin", chat->admin, "members", (int)chat->members,
        "devices", (int)chat->leaves, "unverified", (int)chat->unverified, "epoch",
        (json_int_t)chat->epoch, "messages", (json_int_t)chat->messages, "seen",
        (json_int_t)chat->seen, "notify", (int)chat->notify);
}

static bool print_chat(const struct hearth_chat *chat, void *arg)
{
    const struct cli *cli = arg;
    line(cli, chat_state_text(chat->state), "%-30s %s of %u, %llu messages%s", chat->name,
         chat->kind == HEARTH_CHAT_GROUP ? "group" : "chat", (unsigned)chat->members,
         (unsigned long long)chat->messages, chat->messages > chat->seen ? ", some not seen" : "");
    object(cli, cli->json ? chat_json(chat) : NULL);
    return true;
}

int command_group_list(struct cli *cli)
{
    return hearth_chat_each(cli->account, print_chat, cli) ? EXIT_DONE : EXIT_FAILED;
}

static json_t *member_json(const struct hearth_member *m)
{
    char hex[33];
    return json_pack("{s:s, s:o, s:b, s:b, s:b, s:i}", "pseudonym", hex_text(m->pseudonym, 16, hex),
                     "name", json_text(m->name), "self", m->self, "admin", m->admin, "verified",
                     m->verified, "devices", (int)m->devices);
}

static bool print_member(const struct hearth_member *m, void *arg)
{
    char hex[33];
    (void)hex_text(m->pseudonym, 16, hex);
    line(arg, m->admin ? "admin" : "member", "%.8s  %s%s%s, %u device%s", hex, m->name,
         m->self ? " (you)" : "", m->verified ? "" : " NOT VERIFIED", (unsigned)m->devices,
         m->devices == 1 ? "" : "s");
    return true;
}

static bool add_member(const struct hearth_member *m, void *arg)
{
    return json_array_append_new(arg, member_json(m)) == 0;
}

static int show(struct cli *cli, bool debug)
{
    struct hearth_id id;
    struct hearth_chat chat;
    int code = find_chat(cli, cli->argv[0], &id);
    if (code != EXIT_DONE)
        return code;
    if (!hearth_chat_get(cli->account, &id, &chat))
        return EXIT_FAILED;
    if (cli->json) {
        json_t *json = chat_json(&chat), *members = json_array();
        (void)hearth_member_each(cli->account, &id, add_member, members);
        (void)json_object_set_new(json, "people", members);
        object(cli, json);
        return EXIT_DONE;
    }
    line(cli, chat.kind == HEARTH_CHAT_GROUP ? "group" : "chat", "%s, %s", chat.name,
         chat_state_text(chat.state));
    if (debug) {
        char text[HEARTH_ID_TEXT_BYTES];
        hearth_id_text(&chat.id, text);
        line(cli, "id", "%s", text);
        line(cli, "epoch", "%llu", (unsigned long long)chat.epoch);
        line(cli, "leaves", "%u, %u not verified", (unsigned)chat.leaves,
             (unsigned)chat.unverified);
        line(cli, "messages", "%llu, seen to %llu", (unsigned long long)chat.messages,
             (unsigned long long)chat.seen);
    }
    (void)hearth_member_each(cli->account, &id, print_member, cli);
    return EXIT_DONE;
}

int command_group_show(struct cli *cli)
{
    return show(cli, false);
}

int command_group_debug(struct cli *cli)
{
    return show(cli, true);
}
