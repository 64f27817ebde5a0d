/* hearthd admin peer */
#include <stdio.h>
#include <string.h>

#include "hearth/v1/admin_rpc.h"
#include "server/main/admin_client.h"
#include "server/main/admin_verbs.h"

#define USAGE                                                                                 \
    "hearthd admin peer [list] | show|why|retry|drop DOMAIN; the rule is [federation] and a " \
    "reload"

/* One word on how it goes. */
static const char *state_of(const Hearth__V1__Peer *p)
{
    if (!p->admitted)
        return p->rule == HEARTH__V1__PEER_RULE__PEER_RULE_BLOCKED ? "blocked" : "not-admitted";
    if (p->banned_s > 0)
        return "banned";
    if (p->failures > 0 || p->last_error[0] != '\0')
        return "failing";
    return p->reached || p->heard ? "good" : "unused";
}

static void print_json(const Hearth__V1__Peer *p)
{
    printf("{\"domain\":\"%s\",\"state\":\"%s\",\"backlog_rows\":%llu,\"backlog_bytes\":%llu,"
           "\"failures\":%u,\"next_attempt_s\":%u,\"banned_s\":%u,\"key_days\":%u}\n",
           p->domain, state_of(p), (unsigned long long)p->backlog_rows,
           (unsigned long long)p->backlog_bytes, p->failures, p->next_attempt_s, p->banned_s,
           p->key_days);
}

static void print_row(const Hearth__V1__Peer *p)
{
    printf("peer  %s  %s", p->domain, state_of(p));
    if (p->backlog_rows > 0)
        printf("  %llu rows wait", (unsigned long long)p->backlog_rows);
    printf("\n");
}

static void print_all(const Hearth__V1__Peer *p)
{
    static const char *const rules[] = {"none", "named", "blocked"};
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
    printf("waiting       %llu rows, %llu bytes\n", (unsigned long long)p->backlog_rows,
           (unsigned long long)p->backlog_bytes);
    printf("failures      %u in a row%s%s\n", p->failures, p->last_error[0] != '\0' ? ": " : "",
           p->last_error);
    if (p->next_attempt_s > 0)
        printf("next attempt  in %u s\n", p->next_attempt_s);
    if (p->banned_s > 0)
        printf("banned        for %u s\n", p->banned_s);
}

/* What stands between us and it, in the order in which it would be met, and what to do. */
static void print_why(const Hearth__V1__Peer *p)
{
    if (!p->admitted)
        printf("[federation] does not admit %s: mode, allow, block; then hearthd admin reload\n",
               p->domain);
    else if (p->last_error[0] != '\0')
        printf("the last batch to %s failed: %s\nnext: hearthd check %s\n", p->domain,
               p->last_error, p->domain);
    else if (p->next_attempt_s > 0)
        printf("%s says that some queues take no more for now; next attempt in %u s\n", p->domain,
               p->next_attempt_s);
    else
        printf("nothing that waits for %s has failed\n", p->domain);
    if (p->banned_s > 0)
        printf("%s sent too much that was invalid: nothing of it is taken for %u s\n"
               "next: hearthd admin peer retry %s ends that\n",
               p->domain, p->banned_s, p->domain);
    else if (p->admitted && p->key_days == 0 && p->key_error[0] != '\0')
        printf("what %s sends is not taken, for its keys can't be fetched: %s\n", p->domain,
               p->key_error);
}

static int ask(const struct invocation *in, struct hearth_channel *channel, const char *domain,
               void (*print)(const Hearth__V1__Peer *p))
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
        (in->json ? print_json : print)(answer->peers[i]);
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
    if (hearth_admin_set_peer(channel, NULL, &request, &answer, &status) != HEARTH_OK)
        return admin_client_fail(in, &status);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hearth_status_clear(&status);
    return EXIT_DONE;
}

int admin_peer(const struct invocation *in, struct hearth_channel *channel)
{
    const char *verb = in->argc > 1 ? in->argv[1] : "list";
    const char *domain = in->argc == 3 ? in->argv[2] : "";
    if (in->argc <= 2 && strcmp(verb, "list") == 0)
        return ask(in, channel, "", print_row);
    if (domain[0] != '\0' && strcmp(verb, "show") == 0)
        return ask(in, channel, domain, print_all);
    if (domain[0] != '\0' && strcmp(verb, "why") == 0)
        return ask(in, channel, domain, print_why);
    if (domain[0] != '\0' && (strcmp(verb, "retry") == 0 || strcmp(verb, "drop") == 0))
        return set(in, channel, domain, strcmp(verb, "drop") == 0);
    (void)command_fail(USAGE, "what about peers?");
    return EXIT_USAGE;
}
