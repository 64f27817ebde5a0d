/* What the operator's verbs about users and reports do to a running node. */
#include "server/main/node_inside.h"

struct err node_statistics(void *node, void (*say)(void *to, const char *name, uint64_t value),
                           void *to)
{
    struct node *n = node;
    struct auth_counts counts;
    TRY(auth_counts(n->auth, &counts));
    say(to, "users", counts.users);
    say(to, "clients", counts.clients);
    say(to, "handles", counts.handles);
    say(to, "invitations", counts.invitations);
    say(to, "connection_offers", counts.offers);
    say(to, "abuse_reports", counts.reports);
    say(to, "revoked_credentials", counts.revoked);
    return ERR_OK;
}

struct err node_user_show(void *node, const uint8_t uuid[16], struct admin_user *ret_user)
{
    struct node *n = node;
    struct auth_user_facts facts;
    TRY(auth_user_show(n->auth, uuid, &facts));
    *ret_user = (struct admin_user){
        .clients = facts.clients, .seen_month = facts.seen_month, .suspended = facts.suspended};
    return ERR_OK;
}

struct err node_user_suspend(void *node, const uint8_t uuid[16], bool suspended)
{
    struct node *n = node;
    return auth_user_suspend(n->auth, uuid, suspended);
}

struct err node_user_remove(void *node, const uint8_t uuid[16])
{
    struct node *n = node;
    return auth_user_remove(n->auth, uuid);
}

struct err node_report_list(void *node, uint64_t after,
                            void (*each)(void *to, uint64_t number, uint64_t day, uint64_t bytes),
                            void *to)
{
    struct node *n = node;
    return auth_report_list(n->auth, after, each, to);
}

struct err node_report_read(void *node, uint64_t number, struct buf *b, uint64_t *ret_day)
{
    struct node *n = node;
    uint64_t found = 0;
    TRY(auth_report_read(n->auth, number - 1, b, &found, ret_day));
    if (found == number)
        return ERR_OK;
    buf_clear(b); /* the next one is not what was asked for */
    return ERR(NOT_FOUND);
}

struct err node_report_drop(void *node, uint64_t number)
{
    struct node *n = node;
    return auth_report_drop(n->auth, number);
}
