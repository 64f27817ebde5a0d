/* The operator's service from the inside. */
#ifndef SERVER_ADMIN_INSIDE_H
#define SERVER_ADMIN_INSIDE_H

#include "hearth/v1/admin_rpc.h"
#include "server/admin/admin.h"

struct admin {
    const struct front_env *env;
    struct admin_verbs verbs;
    struct hearth_server *server;
};

/* Repeated fields of an answer, grown in the call's arena. */
struct admin_list {
    struct hearth_call *call;
    void **at;
    size_t count, room;
};
/* item NULL: the call has failed by itself, nothing is added. */
void admin_list_add(struct admin_list *l, void *item);
/* For verbs that say numbers; to is an admin_list of Metric. */
void admin_add_metric(void *to, const char *name, uint64_t value);
/* Like front_fail(), but the operator is told what is wrong with the server, too. */
enum hearth_code admin_fail(struct hearth_call *call, struct err err);

/* ---- handlers, in files by subject: users.c, reports.c, peers.c */
#define ADMIN_HANDLER(name, Type)                                                                  \
    enum hearth_code admin_##name(struct hearth_call *call, const Hearth__V1__##Type##Request *in, \
                                  Hearth__V1__##Type##Response *out, void *self)
ADMIN_HANDLER(get_statistics, GetStatistics);
ADMIN_HANDLER(show_user, ShowUser);
ADMIN_HANDLER(suspend_user, SuspendUser);
ADMIN_HANDLER(remove_user, RemoveUser);
ADMIN_HANDLER(list_reports, ListReports);
ADMIN_HANDLER(get_report, GetReport);
ADMIN_HANDLER(drop_report, DropReport);
ADMIN_HANDLER(list_peers, ListPeers);
ADMIN_HANDLER(get_log_head, GetLogHead);
ADMIN_HANDLER(set_peer, SetPeer);

#endif
