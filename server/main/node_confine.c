/* Which privileges a node gives up: all files but the folders it works in and the certificate's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/main/node_inside.h"
#include "server/main/privileges.h"

/* Sanitizers look at the process from outside (leaks) and make calls of their own. */
#if defined(HEARTH_SANITIZED) || defined(__SANITIZE_THREAD__)
enum { CAN_CONFINE = 0 };
#else
enum { CAN_CONFINE = 1 };
#endif

enum { LISTED_MAX = 8 };

struct listed {
    char paths[LISTED_MAX][FOLDER_PATH_MAX];
    struct privileges_place places[LISTED_MAX];
    size_t count;
    char keys[FOLDER_PATH_MAX]; /* their folder, without links; empty: there is none */
    char *why;
};

static void list(struct listed *l, const char *path, unsigned rights)
{
    if (l->count == LISTED_MAX || strlen(path) >= FOLDER_PATH_MAX)
        return;
    (void)snprintf(l->paths[l->count], FOLDER_PATH_MAX, "%s", path);
    l->places[l->count] = (struct privileges_place){l->paths[l->count], rights};
    l->count++;
}

/* inner is outer, or lies below it; both without links. */
static bool is_within(const char *inner, const char *outer)
{
    size_t len = strlen(outer);
    while (len > 0 && outer[len - 1] == '/')
        len--;
    return strncmp(inner, outer, len) == 0 && (inner[len] == '/' || inner[len] == '\0');
}

/* With everything that is done in it. */
static struct err list_own(struct listed *l, const struct node *n, const char *name,
                           unsigned rights)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, name, path))
        return ERR(TOO_LARGE);
    char *real = realpath(path, NULL);
    if (real == NULL)
        return ERR_OK; /* what is not there can't be reached */
    struct err err = ERR_OK;
    if (l->keys[0] != '\0' && is_within(l->keys, real)) {
        (void)snprintf(l->why, NODE_WHY_BYTES,
                       "[keeper] keys lies in %.400s, where the server reads and writes", path);
        err = ERR(CONFIG);
    } else {
        list(l, real, rights);
    }
    free(real);
    return err;
}

/* The folder of a file, since certificates are renewed by replacing the file. Where the keys lie in
 * the same folder or below, the file alone: then what replaces it needs a restart. */
static void list_folder_of(struct listed *l, struct node *n, char *file)
{
    char folder[FOLDER_PATH_MAX];
    char *slash = strrchr(file, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - file);
    if (slash == NULL || len >= sizeof folder)
        return;
    (void)snprintf(folder, sizeof folder, "%.*s", len == 0 ? 1 : (int)len, file);
    char *real = realpath(folder, NULL);
    bool beside_keys = real == NULL || (l->keys[0] != '\0' && is_within(l->keys, real));
    bool among_keys = real != NULL && l->keys[0] != '\0' && is_within(real, l->keys);
    free(real);
    if (among_keys)
        return; /* nothing of the server's lies there */
    list(l, beside_keys ? file : folder, LANDLOCK_READ);
    if (beside_keys && !n->env.development) /* whose CA lies beside the data folder */
        node_log(n, "level=warn event=certificate_beside_keys text=\"a renewed certificate will "
                    "need a restart: give it a folder of its own\"");
}

/* And that of the file it links to, as certbot has it. */
static void list_certificate(struct listed *l, struct node *n, const char *name)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, name, path))
        return;
    char *real = realpath(path, NULL);
    list_folder_of(l, n, path);
    if (real != NULL && strcmp(real, path) != 0)
        list_folder_of(l, n, real);
    free(real);
}

struct err node_confine_begin(struct node *n)
{
    char path[FOLDER_PATH_MAX];
    n->confined = n->confined && CAN_CONFINE;
    if (!n->confined)
        return ERR_OK;
    return folder_path(&n->folder, "hearthd.conf", path) ? settings_door_open(path, &n->settings)
                                                         : ERR(TOO_LARGE);
}

struct err node_confine_files(struct node *n, char why[NODE_WHY_BYTES])
{
    enum { WORKS = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_CHANGE };
    struct listed l = {.count = 0, .why = why};
    char keys[FOLDER_PATH_MAX];
    if (!n->confined)
        return ERR_OK;
    if (!folder_path(&n->folder, n->config.keeper_keys, keys))
        return ERR(TOO_LARGE);
    char *real = realpath(keys, NULL);
    if (real != NULL && strlen(real) < sizeof l.keys)
        (void)snprintf(l.keys, sizeof l.keys, "%s", real);
    free(real);
    TRY(list_own(&l, n, "db", WORKS));
    TRY(list_own(&l, n, FOLDER_BACKUPS, WORKS));
    TRY(list_own(&l, n, FOLDER_RUN, WORKS | LANDLOCK_SOCKETS));
    list_certificate(&l, n, n->config.tls_certificate);
    list_certificate(&l, n, n->config.tls_key);
    if (n->config.federation_ca[0] != '\0')
        list_certificate(&l, n, n->config.federation_ca);
    return privileges_files(l.places, l.count, node_log, n);
}

struct err node_confine_calls(struct node *n)
{
    return n->confined ? privileges_calls(node_log, n) : ERR_OK;
}
