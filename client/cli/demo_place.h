/* Where demo and bench take place: a folder of their own, and homeservers in it that this machine
 * alone can reach. */
#ifndef CLIENT_CLI_DEMO_PLACE_H
#define CLIENT_CLI_DEMO_PLACE_H

#include "client/cli/demo_run.h"

enum { DEMO_INVITATION_MAX = 400 };

struct demo_place {
    char folder[DEMO_PATH_MAX];       /* everything that is made */
    char hearthd[DEMO_PATH_MAX + 40]; /* the programs, which lie together */
    char hearth[DEMO_PATH_MAX + 8];
    char home[DEMO_PATH_MAX + 8]; /* of people's profiles */
    char ca[DEMO_PATH_MAX + 24];  /* certificate of the development CA */
};

struct demo_server {
    const struct demo_place *place;
    const char *domain;
    char folder[DEMO_PATH_MAX + 64], log[DEMO_PATH_MAX + 64];
    char listen[32]; /* 127.0.0.1:PORT */
    char where[128]; /* DOMAIN=127.0.0.1:PORT */
    pid_t pid;       /* -1: not running */
};

/* False: no folder, or hearthd does not lie beside this program. */
bool place_make(struct demo_place *place);
void place_remove(const struct demo_place *place);

/* Makes one: keys, certificate, databases. ret_invitation may be NULL. */
bool server_make(struct demo_server *server, const struct demo_place *place, const char *domain,
                 char ret_invitation[DEMO_INVITATION_MAX], struct demo_output *out);
/* Lets it exchange messages with the other: lines in its hearthd.conf. Before it is started. */
bool server_federate(const struct demo_server *server, const struct demo_server *other);
/* Until it says that it is ready. */
bool server_start(struct demo_server *server);
void server_end(struct demo_server *server, int signal);
bool server_invite(const struct demo_server *server, char ret_invitation[DEMO_INVITATION_MAX],
                   struct demo_output *out);

/* demo_log.c: is the operator who cheats beside hearthd? */
bool place_has_cheat(const struct demo_place *place, char ret_path[DEMO_PATH_MAX + 32]);
/* The homeserver ends and goes on under that program, which does what the words say
 * (tests/malicious/malice.h). ret_place outlives the server. */
bool server_turns(struct demo_server *server, const char *cheat, const char *words,
                  struct demo_place *ret_place);

#endif
