/* Which privileges a node gives up: all files but its folder and the certificate's. */
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

enum { LISTED_MAX = 5 };

struct listed {
    char paths[LISTED_MAX][FOLDER_PATH_MAX];
    struct privileges_place places[LISTED_MAX];
    size_t count;
};

static void list(struct listed *l, const char *path, unsigned rights)
{
    if (l->count == LISTED_MAX || strlen(path) >= FOLDER_PATH_MAX)
        return;
    (void)snprintf(l->paths[l->count], FOLDER_PATH_MAX, "%s", path);
    l->places[l->count] = (struct privileges_place){l->paths[l->count], rights};
    l->count++;
}

/* The folder of a file, since certificates are renewed by replacing the file; and that of the file
 * it links to, as certbot has it. */
static void list_folder_of(struct listed *l, const struct node *n, const char *name)
{
    char path[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, name, path))
        return;
    char *real = realpath(path, NULL);
    char *const files[] = {path, real};
    for (size_t i = 0; i < 2; i++) {
        char *slash = files[i] == NULL ? NULL : strrchr(files[i], '/');
        if (slash == NULL || slash == files[i])
            continue;
        *slash = '\0';
        list(l, files[i], LANDLOCK_READ);
    }
    free(real);
}

struct err node_confine_files(struct node *n)
{
    struct listed l = {.count = 0};
    n->confined = n->confined && CAN_CONFINE;
    if (!n->confined)
        return ERR_OK;
    list(&l, n->folder.root, LANDLOCK_EVERYTHING);
    list_folder_of(&l, n, n->config.tls_certificate);
    list_folder_of(&l, n, n->config.tls_key);
    return privileges_files(l.places, l.count, node_log, n);
}

struct err node_confine_calls(struct node *n)
{
    return n->confined ? privileges_calls(node_log, n) : ERR_OK;
}
