/* A running homeserver: every service composed, its threads, its end.
 *
 *     main thread   waits for signals: SIGTERM and SIGINT drain, SIGHUP reloads
 *     loop threads  one per core, calls (hearth_server)
 *     back loop     the courier
 *     jobs          expiries (jobs.def), one after the other
 *     admin         the operator's verbs
 * and the threads of the stores. The keeper is a process of its own unless the configuration says
 * otherwise.
 */
#ifndef SERVER_MAIN_NODE_H
#define SERVER_MAIN_NODE_H

#include "server/main/config.h"
#include "server/main/folder.h"

enum { NODE_WHY_BYTES = 512 };

struct node;

/* Keeper, databases, services; nobody is served yet. Blocks SIGTERM, SIGINT, SIGHUP in this and all
 * later threads. On failure ret_why says what is wrong for a person. */
CHECKED struct err node_open(const struct folder *folder, const struct config *config,
                             char ret_why[NODE_WHY_BYTES], struct node **ret_node);
/* The same for a process that does nothing else afterwards: it gives up its privileges on the way
 * (privileges.h), unless the configuration says otherwise, and node_start() those of starting. */
CHECKED struct err node_open_confined(const struct folder *folder, const struct config *config,
                                      char ret_why[NODE_WHY_BYTES], struct node **ret_node);
/* Listens and serves. */
CHECKED struct err node_start(struct node *node, char ret_why[NODE_WHY_BYTES]);
/* Returns when the server has drained after a signal or an operator's word; ERR_OK, or why it had
 * to stop. */
CHECKED struct err node_wait(struct node *node);
void node_close(struct node *node);

/* The port of the n-th listener. */
unsigned node_port(const struct node *node, size_t listener);
/* So many invitations, or none: calls say for each, as text. */
CHECKED struct err node_invite(struct node *node, unsigned count, unsigned days,
                               void (*say)(void *to, const char *text), void *to);
/* Copies the databases and attachments into a new folder, producers before consumers; the server
 * goes on. */
CHECKED struct err node_backup(struct node *node, const char *folder, uint64_t *ret_bytes,
                               char ret_why[NODE_WHY_BYTES]);

#endif
