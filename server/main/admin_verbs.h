/* hearthd admin user|report|peer|log: verbs with words of their own, in->argv[0] the verb. */
#ifndef SERVER_MAIN_ADMIN_VERBS_H
#define SERVER_MAIN_ADMIN_VERBS_H

#include "hearth/rpc.h"
#include "server/main/command.h"

int admin_user(const struct invocation *in, struct hearth_channel *channel);
int admin_report(const struct invocation *in, struct hearth_channel *channel);
int admin_peer(const struct invocation *in, struct hearth_channel *channel);
int admin_log(const struct invocation *in, struct hearth_channel *channel);

#endif
