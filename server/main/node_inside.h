/* struct node from the inside: what node*.c and jobs.c share. */
#ifndef SERVER_MAIN_NODE_INSIDE_H
#define SERVER_MAIN_NODE_INSIDE_H

#include <pthread.h>
#include <signal.h>

#include "net/page_server.h"
#include "server/admin/admin.h"
#include "server/attachment/attachment.h"
#include "server/auth/auth.h"
#include "server/courier/courier.h"
#include "server/delivery/delivery.h"
#include "server/federation/federation.h"
#include "server/front/front.h"
#include "server/info/info.h"
#include "server/main/config.h"
#include "server/main/folder.h"
#include "server/main/jobs.h"
#include "server/main/log_pages.h"
#include "server/main/node.h"
#include "server/main/notifier.h"
#include "server/main/settings_door.h"
#include "server/queue/queue.h"
#include "server/relay/relay.h"
#include "server/transparency/keys.h"
#include "server/transparency/transparency.h"

struct node {
    struct folder folder;
    struct config config;          /* in force; guarded by lock once the node runs */
    bool confined;                 /* privileges.h */
    struct settings_door settings; /* to hearthd.conf, if confined */
    struct front_env env;
    struct front *front;
    struct auth *auth;
    struct queue *queue;
    struct delivery *delivery;
    struct attachment *attachment;
    struct relay *relay;
    struct info *info;
    struct federation *federation;
    struct kt_keys kt_keys;
    struct note_key witnesses[CONFIG_LIST_MAX]; /* names in config */
    struct transparency *transparency;          /* NULL again once it is closed */
    struct auth_log auth_log;
    bool publishes; /* it serves: what it hands out goes into the log first */
    struct courier *courier;
    struct hearth_server *server;
    struct hearth_loop *back; /* the courier's */
    pthread_t back_thread;
    bool back_started;
    struct log_pages *log_pages; /* NULL: none */
    struct page_server *page;    /* on the back loop; NULL: none */
    struct admin *admin;
    struct jobs *jobs;
    struct notifier *notifier;
    uint64_t started_us;
    sigset_t signals;     /* that node_wait() takes */
    pthread_mutex_t lock; /* config, draining, grace_s */
    bool draining;
    uint32_t grace_s;
};

/* node_confine.c: privileges.h with this node's folders. The first before there are keys in memory
 * and before any thread, the second still before any thread, the third when all runs. Nothing
 * unless n->confined. ERR_CONFIG: the keys lie where the server may read. */
struct err node_confine_begin(struct node *n);
struct err node_confine_files(struct node *n, char why[NODE_WHY_BYTES]);
struct err node_confine_calls(struct node *n);

/* node.c: of a database in the data folder; borrows path. */
struct store_options node_store_at(const struct node *n, const char *name,
                                   char path[FOLDER_PATH_MAX]);
/* node.c: limits with long windows, into the data folder. */
void node_save_limits(struct node *node);
/* ERR_KEEPER_GONE, or why the first of the stores that have stopped has; OK: all run. */
struct err node_health(struct node *node);
/* node_log.c: the verifiable log, before the auth service, which it serves. why as of node_open().
 */
enum { NODE_LOG_FILE_BYTES = 24 };
/* Its database, below the data folder. */
const char *node_log_file(const struct node *n, char room[NODE_LOG_FILE_BYTES]);
struct err node_open_log(struct node *n, const struct store_options *store,
                         char why[NODE_WHY_BYTES]);
/* Before anybody is served: our own keys enter the log, and it closes epochs from now on. Before
 * that nothing is signed: who only makes invitations or migrates begins no log. */
struct err node_start_log(struct node *n, char why[NODE_WHY_BYTES]);
/* For info_options. */
struct err node_publish_keys(void *node, const struct info_value *values, size_t count);
void node_resume_log(void *node); /* on the back loop */
/* After the server, before the auth service. */
void node_close_log(struct node *n);
/* node_verbs.c */
/* As SIGTERM does, with so much patience (0: as configured). From any thread. */
void node_end(struct node *node, uint32_t grace_s);
struct admin_verbs node_verbs(struct node *node);
/* What a person is told on stderr, logfmt. */
void node_log(void *self, const char *line);
/* Every number of the status and of the metrics page. */
void node_metrics(void *node, void (*say)(void *to, const char *name, uint64_t value), void *to);
/* node_people.c: verbs about users, reports and peers (admin.h). */
struct err node_statistics(void *node, void (*say)(void *to, const char *name, uint64_t value),
                           void *to);
struct err node_user_show(void *node, const uint8_t uuid[16], struct admin_user *ret_user);
struct err node_user_suspend(void *node, const uint8_t uuid[16], bool suspended);
struct err node_user_remove(void *node, const uint8_t uuid[16]);
struct err node_report_list(void *node, uint64_t after,
                            void (*each)(void *to, uint64_t number, uint64_t day, uint64_t bytes),
                            void *to);
struct err node_report_read(void *node, uint64_t number, struct buf *b, uint64_t *ret_day);
struct err node_report_drop(void *node, uint64_t number);
/* node_peers.c */
void node_peers(void *node, struct bytes domain,
                void (*say)(void *to, const struct admin_peer *peer), void *to,
                char ret_mode[ADMIN_MODE_BYTES]);
/* node_log.c */
struct err node_witness_key(void *node, struct buf *text);
struct err node_log_cosigned(void *node, struct buf *note);
struct err node_log_head(void *node, struct buf *note, uint64_t *ret_size, uint64_t *ret_time_s);
struct err node_peer_retry(void *node, struct bytes domain);
struct err node_peer_drop(void *node, struct bytes domain);
struct err node_peer_accept(void *node, struct bytes domain, const uint8_t root[32]);
/* node_reload.c: what settings mean to the services. */
enum { NODE_MIB = 1024 * 1024 };
enum auth_mode node_auth_mode(const struct config *config);
bool node_tokens(const struct config *config);
enum info_registration node_registration(const struct config *config);
/* node_federation.c */
/* Of [federation]; borrows config, texts and path. path empty: the system's authorities. */
struct federation_texts {
    const char *peers[CONFIG_LIST_MAX], *allow[CONFIG_LIST_MAX], *block[CONFIG_LIST_MAX];
    char ca[FOLDER_PATH_MAX];
};
struct err node_federation_options(const struct folder *folder, const struct config *config,
                                   struct federation_texts *texts,
                                   struct federation_options *ret_options);
struct err node_open_federation(struct node *node, char why[NODE_WHY_BYTES]);
/* All that a reload changes of it, or nothing and why. */
struct err node_set_federation(struct node *node, const struct config *config,
                               char why[NODE_WHY_BYTES]);
struct notifier_options node_push(const struct config *config); /* borrows */
struct err node_set_limits(struct node *node, const struct config *config,
                           char why[NODE_WHY_BYTES]);
/* SIGHUP and `hearthd admin reload`: all that config.def calls live, or nothing and why. say may be
 * NULL. */
struct err node_reload(void *node, void (*say)(void *to, bool restart, const char *name), void *to,
                       char ret_why[NODE_WHY_BYTES]);

#endif
