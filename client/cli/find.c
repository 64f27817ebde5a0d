/* Names to ids, with a suggestion for what was almost right. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

enum { NAMES_MAX = 256 };

struct names {
    char *list[NAMES_MAX];
    size_t count;
};

static void keep(struct names *names, const char *name)
{
    if (names->count < NAMES_MAX && name != NULL && name[0] != '\0') {
        names->list[names->count] = strdup(name);
        names->count += names->list[names->count] != NULL;
    }
}

static int not_found(const struct cli *cli, const char *what, const char *name, struct names *names,
                     const char *list_command)
{
    const char *meant = suggest(name, (const char *const *)names->list, names->count);
    int code =
        meant != NULL
            ? fail_said(cli, EXIT_NOT_THERE, list_command,
                        "no %s \"%s\" is known; did you mean \"%s\"?", what, name, meant)
            : fail_said(cli, EXIT_NOT_THERE, list_command, "no %s \"%s\" is known", what, name);
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    return code;
}

static bool keep_chat(const struct hearth_chat *chat, void *arg)
{
    keep(arg, chat->name);
    return true;
}

static bool keep_contact(const struct hearth_contact *contact, void *arg)
{
    keep(arg, contact->handle);
    return true;
}

int find_chat(const struct cli *cli, const char *name, struct hearth_id *ret_chat)
{
    struct names names = {.count = 0};
    if (hearth_chat_find(cli->account, name, ret_chat))
        return EXIT_DONE;
    (void)hearth_chat_each(cli->account, keep_chat, &names);
    return not_found(cli, "chat", name, &names, "hearth group list");
}

int find_contact(const struct cli *cli, const char *name, struct hearth_id *ret_contact)
{
    struct names names = {.count = 0};
    if (hearth_contact_find(cli->account, name, ret_contact))
        return EXIT_DONE;
    (void)hearth_contact_each(cli->account, keep_contact, &names);
    return not_found(cli, "contact", name, &names, "hearth contact list");
}

/* ---- members */

struct search {
    const char *name;
    uint8_t pseudonym[16];
    unsigned hits;
    struct names names;
};

static bool look(const struct hearth_member *member, void *arg)
{
    struct search *s = arg;
    char hex[33];
    size_t len = strlen(s->name);
    keep(&s->names, member->name);
    bool hit = strcmp(s->name, member->name) == 0 ||
               (len >= 6 && strncmp(hex_text(member->pseudonym, 16, hex), s->name, len) == 0);
    if (hit) {
        memcpy(s->pseudonym, member->pseudonym, 16);
        s->hits++;
    }
    return true;
}

int find_member(const struct cli *cli, const struct hearth_id *chat, const char *name,
                uint8_t ret_pseudonym[16])
{
    struct search s = {.name = name};
    (void)hearth_member_each(cli->account, chat, look, &s);
    if (s.hits == 0)
        return not_found(cli, "member", name, &s.names, "hearth group show GROUP");
    for (size_t i = 0; i < s.names.count; i++)
        free(s.names.list[i]);
    if (s.hits > 1)
        return fail_said(cli, EXIT_USAGE,
                         "use the first digits of the pseudonym, from hearth group show",
                         "\"%s\" is the name of %u members", name, s.hits);
    memcpy(ret_pseudonym, s.pseudonym, 16);
    return EXIT_DONE;
}
