/* hearthd admin peer */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hearth/v1/admin_rpc.h"
#include "net/address.h"
#include "server/main/admin_client.h"
#include "server/main/admin_verbs.h"

#define USAGE                                                                              \
    "hearthd admin peer [list] | show|why|evidence|retry|drop DOMAIN | accept-key DOMAIN " \
    "FINGERPRINT; the "                                                                    \
    "rule is [federation] and a reload"

enum { ROOT_BYTES = 32, ROOT_TEXT_BYTES = 2 * ROOT_BYTES + 1, TRIES = 60, TRY_US = 250000 };

/* One word on how it goes. */
static const char *state_of(const Hearth__V1__Peer *p)
{
    if (!p->admitted)
        return p->rule == HEARTH__V1__PEER_RULE__PEER_RULE_BLOCKED ? "blocked" : "not-admitted";
    if (p->banned_s > 0)
        return "banned";
    if (p->other_root.len > 0)
        return "other-keys";
    if (p->log_evidence.len > 0)
        return "forked-log";
    if (p->failures > 0 || p->last_error[0] != '\0')
        return "failing";
    return p->reached || p->heard ? "good" : "unused";
}

static const char *hex(ProtobufCBinaryData in, char ret_text[ROOT_TEXT_BYTES])
{
    ret_text[0] = '\0';
    for (size_t i = 0; i < in.len && i < ROOT_BYTES; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", in.data[i]);
    return ret_text;
}

/* A JSON string: texts of peers are printable ASCII (peer_say). */
static void print_quoted(const char *name, const char *text)
{
    printf(",\"%s\":\"", name);
    for (; *text != '\0'; text++)
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    printf("\"");
}

static void print_json(const Hearth__V1__Peer *p, const char *mode)
{
    (void)mode;
    char root[ROOT_TEXT_BYTES], other[ROOT_TEXT_BYTES];
    printf("{\"domain\":\"%s\",\"state\":\"%s\",\"backlog_rows\":%llu,\"backlog_bytes\":%llu,"
           "\"failures\":%u,\"next_attempt_s\":%u,\"banned_s\":%u,\"key_days\":%u,\"root\":\"%s\","
           "\"other_root\":\"%s\",\"log_size\":%llu,\"log_forked\":%s",
           p->domain, state_of(p), (unsigned long long)p->backlog_rows,
           (unsigned long long)p->backlog_bytes, p->failures, p->next_attempt_s, p->banned_s,
           p->key_days, hex(p->root, root), hex(p->other_root, other),
           (unsigned long long)p->log_size, p->log_evidence.len > 0 ? "true" : "false");
    print_quoted("last_error", p->last_error);
    print_quoted("key_error", p->key_error);
    printf("}\n");
}

static void print_row(const Hearth__V1__Peer *p, const char *mode)
{
    (void)mode;
    printf("peer  %s  %s", p->domain, state_of(p));
    if (p->backlog_rows > 0)
        printf("  %llu rows wait", (unsigned long long)p->backlog_rows);
    printf("\n");
}

static void print_all(const Hearth__V1__Peer *p, const char *mode)
{
    (void)mode;
    static const char *const rules[] = {"none", "named", "blocked"};
    char text[ROOT_TEXT_BYTES];
    printf("domain        %s\n", p->domain);
    printf("state         %s\n", state_of(p));
    printf("setting       %s\n", p->rule <= 2 ? rules[p->rule] : "?");
    printf("we reached it %s\n", p->reached ? "yes" : "not since the start");
    if (p->reached)
        printf("              %u hours ago\n", p->unreachable_h);
    printf("it came to us %s\n", p->heard ? "yes" : "not since the start");
    if (p->key_days > 0)
        printf("its key       good for %u days\n", p->key_days);
    else
        printf("its key       none%s%s\n", p->key_error[0] != '\0' ? ": " : "", p->key_error);
    printf("its root      %s\n", p->root.len > 0 ? hex(p->root, text) : "none is known yet");
    if (p->other_root.len > 0)
        printf("it shows      %s, another root: hearthd admin peer why %s\n",
               hex(p->other_root, text), p->domain);
    if (p->log_evidence.len > 0)
        printf("its log       forked: hearthd admin peer why %s\n", p->domain);
    else if (p->log_size > 0 || p->log_error[0] != '\0')
        printf("its log       %llu entries verified%s%s\n", (unsigned long long)p->log_size,
               p->log_error[0] != '\0' ? "; now: " : "", p->log_error);
    printf("waiting       %llu rows, %llu bytes\n", (unsigned long long)p->backlog_rows,
           (unsigned long long)p->backlog_bytes);
    printf("failures      %u in a row%s%s\n", p->failures, p->last_error[0] != '\0' ? ": " : "",
           p->last_error);
    if (p->next_attempt_s > 0)
        printf("next attempt  in %u s\n", p->next_attempt_s);
    if (p->banned_s > 0)
        printf("banned        for %u s\n", p->banned_s);
}

/* A homeserver that lost its keys, or somebody who wants to be taken for it: only people can tell.
 */
static void print_other_root(const Hearth__V1__Peer *p)
{
    char known[ROOT_TEXT_BYTES], other[ROOT_TEXT_BYTES];
    printf("what %s sends is not taken, for it has other keys than before\n"
           "known root    %s\nit shows      %s\n"
           "next: ask its operator, by another way than this, whether it was set up anew and what "
           "its hearthd check of our domain prints; if that is what it shows:\n"
           "      hearthd admin peer accept-key %s %s\n",
           p->domain, hex(p->root, known), hex(p->other_root, other), p->domain, other);
}

/* False: that is not what it is. */
static bool print_private(const Hearth__V1__Peer *p, const char *error)
{
    if (strstr(error, ADDRESS_NOT_PUBLIC) == NULL)
        return false;
    printf("the DNS leads to this machine or into a network of its own, where nobody is sent\n"
           "next, if %s is meant to be there: [federation] peer = %s=HOST:PORT, or "
           "private_addresses = yes for all; then hearthd admin reload\n",
           p->domain, p->domain);
    return true;
}

static void print_last_error(const Hearth__V1__Peer *p)
{
    printf("the last batch to %s failed: %s\n", p->domain, p->last_error);
    if (!print_private(p, p->last_error))
        printf("next: hearthd check %s\n", p->domain);
}

/* With a key from before only what that key signs is taken. */
static void print_key_error(const Hearth__V1__Peer *p)
{
    printf("%s %s sends is not taken, for its keys can't be fetched: %s\n",
           p->key_days == 0 ? "what" : "under a new key what", p->domain, p->key_error);
    (void)print_private(p, p->key_error);
}

static void print_not_admitted(const Hearth__V1__Peer *p, const char *mode)
{
    if (p->rule == HEARTH__V1__PEER_RULE__PEER_RULE_BLOCKED)
        printf("[federation] block names %s", p->domain);
    else if (strcmp(mode, "open") == 0)
        printf("[federation] block names a domain above %s", p->domain);
    else if (strcmp(mode, "allow") == 0)
        printf("[federation] mode is allow, and neither peer nor allow names %s (or block does)",
               p->domain);
    else
        printf("[federation] mode is %s", mode);
    printf(": nothing is sent there or taken from there\n"
           "next, if that is wrong: change hearthd.conf, then hearthd admin reload\n");
}

/* What stands between us and it, in the order in which it would be met, and what to do. */
static void print_why(const Hearth__V1__Peer *p, const char *mode)
{
    if (!p->admitted)
        print_not_admitted(p, mode);
    else if (p->last_error[0] != '\0')
        print_last_error(p);
    else if (p->next_attempt_s > 0)
        printf("%s says that some queues take no more for now; next attempt in %u s\n", p->domain,
               p->next_attempt_s);
    else
        printf("nothing that waits for %s has failed\n", p->domain);
    if (p->log_evidence.len > 0)
        printf("%s has signed two logs of its users' keys, so some are shown keys that others are "
               "not: its operator cheats, or somebody has its keys\n"
               "next: hearthd admin peer evidence %s > FILE; hearth kt audit FILE; ask its "
               "operator; [federation] block = %s and a reload ends all exchange\n",
               p->domain, p->domain, p->domain);
    if (p->banned_s > 0)
        printf("%s sent too much that was invalid: nothing of it is taken for %u s\n"
               "next: hearthd admin peer retry %s ends that\n",
               p->domain, p->banned_s, p->domain);
    else if (p->admitted && p->other_root.len > 0)
        print_other_root(p);
    else if (p->admitted && p->key_error[0] != '\0')
        print_key_error(p);
}

/* The file itself, for who is to be shown it. */
static void print_evidence(const Hearth__V1__Peer *p, const char *mode)
{
    (void)mode;
    (void)fwrite(p->log_evidence.data, 1, p->log_evidence.len, stdout);
}

static int ask(const struct invocation *in, struct hearth_channel *channel, const char *domain,
               void (*print)(const Hearth__V1__Peer *p, const char *mode))
{
    Hearth__V1__ListPeersRequest request;
    Hearth__V1__ListPeersResponse *answer = NULL;
    struct hearth_status status = {0};
    hearth__v1__list_peers_request__init(&request);
    request.domain = (char *)(uintptr_t)domain;
    if (hearth_admin_list_peers(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    if (domain[0] == '\0' && !in->json)
        printf("mode  %s\n", answer->mode);
    for (size_t i = 0; i < answer->n_peers; i++)
        (in->json && print != print_evidence ? print_json : print)(answer->peers[i], answer->mode);
    int code = EXIT_DONE;
    if (domain[0] != '\0' && answer->n_peers == 0)
        code = command_fail("hearthd admin peer list; hearthd check DOMAIN",
                            "nothing was ever exchanged with %s", domain);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return code;
}

static int set(const struct invocation *in, struct hearth_channel *channel, const char *domain,
               bool drop)
{
    Hearth__V1__SetPeerRequest request;
    Hearth__V1__SetPeerResponse *answer = NULL;
    struct hearth_status status = {0};
    hearth__v1__set_peer_request__init(&request);
    request.domain = (char *)(uintptr_t)domain;
    request.retry_now = !drop;
    request.drop_backlog = drop;
    (void)hearth_admin_set_peer(channel, NULL, &request, &answer, &status);
    if (status.code == HEARTH_NOT_FOUND) {
        hearth_status_clear(&status);
        return command_fail("hearthd admin peer list",
                            drop ? "nothing waits for %s" : "nothing was ever exchanged with %s",
                            domain);
    }
    if (status.code != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    printf(drop ? "what waited for %s is given up\n" : "what waits for %s is due now\n", domain);
    return EXIT_DONE;
}

/* Hexadecimal; colons and spaces as people write them. */
static bool read_root(const char *text, uint8_t ret_root[ROOT_BYTES])
{
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        const char *known = "0123456789abcdef0123456789ABCDEF", *at = strchr(known, *text);
        if (*text == ':' || *text == ' ')
            continue;
        if (at == NULL || digits == 2 * (size_t)ROOT_BYTES)
            return false;
        uint8_t value = (uint8_t)((at - known) % 16);
        ret_root[digits / 2] =
            digits % 2 == 0 ? (uint8_t)(value << 4) : (uint8_t)(ret_root[digits / 2] | value);
        digits++;
    }
    return digits == 2 * (size_t)ROOT_BYTES;
}

static int accept_key(const struct invocation *in, struct hearth_channel *channel,
                      const char *domain, const char *fingerprint)
{
    uint8_t root[ROOT_BYTES];
    Hearth__V1__SetPeerRequest request;
    Hearth__V1__SetPeerResponse *answer = NULL;
    struct hearth_status status = {0};
    if (!read_root(fingerprint, root)) {
        (void)command_fail("hearthd admin peer show DOMAIN prints both",
                           "\"%s\" is not a fingerprint: 64 hexadecimal digits", fingerprint);
        return EXIT_USAGE;
    }
    hearth__v1__set_peer_request__init(&request);
    request.domain = (char *)(uintptr_t)domain;
    request.accept_root = (ProtobufCBinaryData){sizeof root, root};
    for (int i = 0; i < TRIES; i++) { /* its keys may have to be fetched first */
        hearth_status_clear(&status);
        if (hearth_admin_set_peer(channel, NULL, &request, &answer, &status) != HEARTH_ABORTED)
            break;
        (void)usleep(TRY_US);
    }
    if (status.code == HEARTH_NOT_FOUND) {
        hearth_status_clear(&status);
        return command_fail("hearthd admin peer list", "no keys of %s are known", domain);
    }
    if (status.code != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    printf("%s has new keys from now on\n", domain);
    return EXIT_DONE;
}

int admin_peer(const struct invocation *in, struct hearth_channel *channel)
{
    const char *verb = in->argc > 1 ? in->argv[1] : "list";
    const char *domain = in->argc == 3 ? in->argv[2] : "";
    if (in->argc == 4 && strcmp(verb, "accept-key") == 0)
        return accept_key(in, channel, in->argv[2], in->argv[3]);
    if (in->argc <= 2 && strcmp(verb, "list") == 0)
        return ask(in, channel, "", print_row);
    if (domain[0] != '\0' && strcmp(verb, "show") == 0)
        return ask(in, channel, domain, print_all);
    if (domain[0] != '\0' && strcmp(verb, "evidence") == 0)
        return ask(in, channel, domain, print_evidence);
    if (domain[0] != '\0' && strcmp(verb, "why") == 0)
        return ask(in, channel, domain, print_why);
    if (domain[0] != '\0' && (strcmp(verb, "retry") == 0 || strcmp(verb, "drop") == 0))
        return set(in, channel, domain, strcmp(verb, "drop") == 0);
    (void)command_fail(USAGE, "what about peers?");
    return EXIT_USAGE;
}
